"""The honest comparison: every method on the same draws, without one label of a scored row."""

from functools import lru_cache
from importlib import import_module

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator

from benchmarks._data import split
from benchmarks._names import ALONE, DEFAULT
from benchmarks._peers import (
    FINE_TUNING,
    POOLED,
    SELECTIONS,
    SOURCES,
    TARGET_ALONE,
    fine_tuning,
    pooled,
)
from benchmarks._runner import run_cells, version, write_results
from benchmarks._stats import paired_interval
from sklearn_alpha import AlphaTransferClassifier


def fit_sources(transfer, names=tuple(SOURCES)):
    """Fit the named sources; of the target they are given the features without labels.

    Returns
    -------
    dict
        The fitted classifier and its training rows (X, y), by name.
    """
    fitted = {}
    for name in names:
        move, fit = SOURCES[name]
        X = move(transfer.X_source, transfer.X)
        fitted[name] = fit(X, transfer.y_source), (X, transfer.y_source)
    return fitted


def fit_peers(sources, X, y):
    """Fit what needs no package of ours on the labelled target rows; by (source, method)."""
    fitted = {("", method): fit(X, y) for method, fit in TARGET_ALONE.items()}
    for name, (source, rows) in sources.items():
        fitted[name, ALONE] = source
        if name in POOLED:
            fitted[name, "pooled LogisticRegressionCV"] = pooled(*rows, X, y)
    return fitted


def fit_transfers(sources, X, y):
    """Fit α = 1 and every way to choose α on the labelled target rows; by (source, method)."""
    fitted = {}
    for name, (source, _) in sources.items():
        for method, gamma in FINE_TUNING.items():
            fitted[name, method] = fine_tuning(source, X, y, gamma)
        for selection in SELECTIONS:
            estimator = AlphaTransferClassifier(FrozenEstimator(source), selection=selection)
            fitted[name, f"chosen: {selection}"] = estimator.fit(X, y)
    return fitted


@version(1)
def score_peers(**cell):
    """Accuracy of the peers on one draw."""
    return _score(fit_peers, **cell)


@version(1, "sklearn_alpha.linear_model", "sklearn_alpha.theory")
def score_transfers(**cell):
    """Accuracy of the estimators on one draw."""
    return _score(fit_transfers, **cell)


def _score(fit, benchmark, source, target, n, seed):
    transfer, sources = prepare(benchmark, source, target)
    train, test = split(transfer, n, seed)
    fitted = fit(sources, transfer.X[train], transfer.y[train])
    X, y = transfer.X[test], transfer.y[test]
    return [
        {"model": model, "method": method, "accuracy": np.mean(classifier.predict(X) == y)}
        for (model, method), classifier in fitted.items()
    ]


@lru_cache(maxsize=2)  # cells come pair by pair
def prepare(benchmark, source, target, names=None):
    """Return a transfer of a benchmark and its fitted sources, each made once per pair."""
    module = import_module(f"benchmarks.{benchmark}")
    transfer = module.load_transfer(source, target)
    return transfer, fit_sources(transfer, names or module.SOURCE_NAMES)


def add_comparison_arguments(parser, sizes, draws):
    """Add the sizes of the labelled target sample and the number of draws."""
    parser.add_argument("--n", type=int, nargs="+", default=sizes, help="labelled target rows")
    parser.add_argument("--draws", type=int, default=draws, help="draws of these rows per pair")


def compare(benchmark, pairs, args):
    """Score every method on every draw of every pair.

    Parameters
    ----------
    benchmark : str
        Module of this package with a function ``load_transfer(source, target)`` and the tuple
        ``SOURCE_NAMES``.
    pairs : sequence of (source, target)
        The transfers.
    args : argparse.Namespace
        With `n`, `draws` (seeds 0 to ``draws - 1``) and `resume`.

    Returns
    -------
    pandas.DataFrame
        Columns source, target, n, seed, model, method, accuracy.
    """
    cells = [
        {"benchmark": benchmark, "source": source, "target": target, "n": n, "seed": seed}
        for source, target in pairs
        for n in args.n
        for seed in range(args.draws)
    ]
    name = benchmark.replace("_", "-")
    frames = [run_cells(name, f, cells, resume=args.resume) for f in (score_peers, score_transfers)]
    return pd.concat(frames, ignore_index=True).drop(columns="benchmark")


def report(frame, name, unit, args):
    """Write a comparison down and print its summary.

    `results.csv` holds the mean of each pair, `summary.csv` the mean of all, `draws.csv.gz` what
    they are means of.

    Parameters
    ----------
    frame : pandas.DataFrame
        From :func:`compare`.
    name : str
        Folder of the results.
    unit : str or list of str
        What is random, see :func:`against_source`.
    args : argparse.Namespace
        Options of the run.
    """
    summary = against_source(frame, unit)
    pairs = against_source(frame, "seed", by=("source", "target"))
    overview = summary_markdown(summary)
    table = (
        f"# {name}\n\nAccuracy in %, mean of {frame.groupby(['source', 'target']).ngroups} "
        f"transfers x {args.draws} draws; in brackets the difference to the same source alone "
        f"with its 95 % paired bootstrap interval.\n\n## Mean of all transfers\n\n{overview}\n\n"
        f"## The default on each transfer\n\n{pairs_markdown(pairs)}"
    )
    config = {"command": args.command, "n": args.n, "draws": args.draws}
    folder = write_results(pairs, name, out=args.out, config=config, table=table)
    form = {"index": False, "float_format": "%.6g", "lineterminator": "\n"}
    summary.to_csv(folder / "summary.csv", **form)
    # Without a date in it, the same draws make the same file.
    gzip = {"method": "gzip", "mtime": 0}
    frame.to_csv(folder / "draws.csv.gz", **form, compression=gzip)
    print(overview, f"\nWritten to {folder}", sep="\n")


def against_source(frame, unit, by=()):
    """Mean accuracy and paired difference to the own source alone, in per cent.

    Parameters
    ----------
    frame : pandas.DataFrame
        From :func:`compare`.
    unit : str or list of str
        What the bootstrap draws anew: "seed" where all pairs share their splits, or the columns
        of a pair where the pairs themselves are random. All else is averaged first.
    by : sequence of str
        Columns that split the result, beside model, method and n.

    Returns
    -------
    pandas.DataFrame
        One row per group with mean, difference, low, high (95 %); the last three are missing for
        methods that have no source.
    """
    draw = ["source", "target", "n", "seed", "model"]
    alone = frame[frame.method == ALONE].set_index(draw).accuracy
    frame = frame.assign(difference=frame.accuracy - frame[draw].join(alone, on=draw).accuracy)
    rows = []
    for key, group in frame.groupby([*by, "model", "method", "n"], sort=False):
        difference, low, high = np.nan, np.nan, np.nan
        if group.difference.notna().all():
            difference, low, high = paired_interval(group.groupby(unit).difference.mean())
        rows.append((*key, group.accuracy.mean(), difference, low, high))
    columns = ["mean", "difference", "low", "high"]
    result = pd.DataFrame(rows, columns=[*by, "model", "method", "n", *columns])
    result[columns] *= 100
    return result


def summary_markdown(summary):
    """Mean accuracy of every method in Markdown, one table per source."""
    parts = []
    for model, group in summary.groupby("model", sort=False):
        cells = group.assign(cell=[_cell(row) for row in group.itertuples()])
        table = cells.pivot(index="method", columns="n", values="cell")
        table = table.loc[group.method.unique()]
        title = f"Source: {model}" if model else "No source"
        parts += [f"### {title}", _markdown(table)]
    return "\n\n".join(parts)


def pairs_markdown(pairs):
    """The default against its own source on each pair, in Markdown."""
    parts = []
    for model, group in pairs[pairs.method == DEFAULT].groupby("model", sort=False):
        cells = group.assign(
            pair=group.source + " → " + group.target,
            cell=[_cell(row) for row in group.itertuples()],
        )
        table = cells.pivot(index="pair", columns="n", values="cell").loc[cells.pair.unique()]
        worst = group.groupby("n").difference.min()
        table.loc["*lowest difference*"] = worst.map("{:+.1f}".format)
        parts += [f"### Source: {model}", _markdown(table)]
    return "\n\n".join(parts)


def _cell(row):
    if np.isnan(row.difference) or row.method == ALONE:
        return f"{row.mean:.1f}"
    interval = "" if np.isnan(row.low) else f" [{row.low:+.1f}, {row.high:+.1f}]"
    return f"{row.mean:.1f} ({row.difference:+.1f}{interval})"


def _markdown(table):
    table = table.rename(columns="n = {}".format)
    table.columns.name = None
    return table.to_markdown(stralign="left", disable_numparse=True)
