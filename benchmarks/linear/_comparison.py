"""The honest comparison: every method on the same draws, without a label of a scored row."""

from functools import lru_cache

import numpy as np
from sklearn.frozen import FrozenEstimator

from benchmarks._data.transfers import split
from benchmarks._names import ALONE, DEFAULT
from benchmarks._results import publish, write_csv
from benchmarks._runner import run_cells
from benchmarks._statistics import paired_differences
from benchmarks._tables import compared
from benchmarks.linear._peers import (
    FINE_TUNING,
    POOLED,
    SELECTIONS,
    SOURCES,
    TARGET_ALONE,
    fine_tuning,
    pooled,
    transferred,
)
from sklearn_alpha import AlphaTransferClassifier

CAPTION = (
    "Accuracy in %, mean of {transfers} transfers x {draws} draws; in brackets the difference from "
    "the same source alone with its 95 % paired bootstrap interval."
)


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


def fit_methods(sources, X, y):
    """Fit every method on the labelled target rows; by (source, method)."""
    fitted = {("", method): fit(X, y) for method, fit in TARGET_ALONE.items()}
    for name, (source, rows) in sources.items():
        fitted[name, ALONE] = source
        if name in POOLED:
            fitted[name, "pooled LogisticRegressionCV"] = pooled(*rows, X, y)
        for method, gamma in FINE_TUNING.items():
            fitted[name, method] = fine_tuning(source, X, y, gamma)
        for selection in SELECTIONS:
            estimator = AlphaTransferClassifier(FrozenEstimator(source), selection=selection)
            fitted[name, f"chosen: {selection}"] = transferred(estimator, X, y)
    return fitted


def score_methods(load_transfer, names, source, target, n, seed):
    """Accuracy of every method on one draw.

    Parameters
    ----------
    load_transfer : callable
        ``load_transfer(source, target)`` returns a `Transfer`.
    names : tuple of str
        Sources, keys of `SOURCES`.
    source, target : str
    n, seed : int
        Number of labelled target rows, and the seed that draws them.

    Returns
    -------
    list of dict
        With model, method and accuracy.
    """
    transfer, sources = prepare(load_transfer, names, source, target)
    train, test = split(transfer, n, seed)
    fitted = fit_methods(sources, transfer.X[train], transfer.y[train])
    return [
        {"model": model, "method": method, "accuracy": accuracy(classifier, transfer, test)}
        for (model, method), classifier in fitted.items()
    ]


@lru_cache(maxsize=2)  # cells come pair by pair
def prepare(load_transfer, names, source, target):
    """A transfer and its fitted sources, each made once per pair."""
    transfer = load_transfer(source, target)
    return transfer, fit_sources(transfer, names)


def accuracy(classifier, transfer, rows):
    """Share of these target rows that are classified correctly."""
    return np.mean(classifier.predict(transfer.X[rows]) == transfer.y[rows])


def add_comparison_arguments(parser, sizes, draws):
    """Add the sizes of the labelled target sample and the number of draws."""
    parser.add_argument("--n", type=int, nargs="+", default=sizes, help="labelled target rows")
    parser.add_argument("--draws", type=int, default=draws, help="draws of these rows per pair")


def pair_cells(pairs, sizes, draws):
    """A cell for each (source, target), number of labelled rows and seed."""
    return [
        {"source": source, "target": target, "n": n, "seed": seed}
        for source, target in pairs
        for n in sizes
        for seed in range(draws)
    ]


def compare(name, score, pairs, unit, args):
    """Score every method on every draw of every pair, and write it down.

    `results.csv` holds the mean of each pair, `summary.csv` the mean of all pairs, `draws.csv.gz`
    each draw.

    Parameters
    ----------
    name : str
        Folder of the results.
    score : callable
        ``score(source, target, n, seed)`` returns a list of dicts with model, method, accuracy.
    pairs : sequence of (source, target)
    unit : str or list of str
        What is random, see :func:`against_source`.
    args : argparse.Namespace
        With `n`, `draws` (seeds 0 to ``draws - 1``) and the options of a run.
    """
    frame = run_cells(name, score, pair_cells(pairs, args.n, args.draws), resume=args.resume)
    summary = against_source(frame, unit)
    of_pairs = against_source(frame, "seed", by=("source", "target"))
    tables = {
        "Mean of all transfers": summary_tables(summary),
        "The default on each transfer": pair_tables(of_pairs),
    }
    caption = CAPTION.format(transfers=len(set(pairs)), draws=args.draws)
    folder = publish(of_pairs, name, args, caption=caption, tables=tables)
    write_csv(summary, folder / "summary.csv")
    write_csv(frame, folder / "draws.csv.gz")


def against_source(frame, unit, by=()):
    """Mean accuracy and paired difference from the same source alone, in per cent.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns source, target, n, seed, model, method, accuracy.
    unit : str or list of str
        What the bootstrap draws anew: "seed" where all pairs share their splits, or the columns
        of a pair where the pairs themselves are random.
    by : sequence of str
        Columns that split the result, beside model, method and n.

    Returns
    -------
    pandas.DataFrame
        One row per group with mean, difference, low, high (95 %); the last three are missing for
        methods that have no source.
    """
    found = paired_differences(
        frame, [*by, "model", "n"], unit=unit, baseline=ALONE, measures=["accuracy"]
    )
    names = {"accuracy": "mean"} | {f"accuracy_{end}": end for end in ("difference", "low", "high")}
    found = found.rename(columns=names)
    found[list(names.values())] *= 100
    return found[[*by, "model", "method", "n", *names.values()]]


def summary_tables(summary):
    """Mean accuracy of every method, a table for each source."""
    return {
        f"Source: {model}" if model else "No source": _by_size(group, "method")
        for model, group in summary.groupby("model", sort=False)
    }


def pair_tables(pairs):
    """The default against its source alone on each pair, a table for each source."""
    pairs = pairs[pairs.method == DEFAULT]
    pairs = pairs.assign(pair=pairs.source + " → " + pairs.target)
    tables = {}
    for model, group in pairs.groupby("model", sort=False):
        table = _by_size(group, "pair")
        worst = group.groupby("n").difference.min().map("{:+.1f}".format)
        table.loc[len(table)] = ["*lowest difference*", *worst]
        tables[f"Source: {model}"] = table
    return tables


def _by_size(group, rows):
    cells = [
        compared(row.value, None if row.method == ALONE else row.difference, row.low, row.high)
        for row in group.rename(columns={"mean": "value"}).itertuples()
    ]
    table = group.assign(cell=cells).pivot(index=rows, columns="n", values="cell")
    return table.loc[group[rows].unique()].rename(columns="n = {}".format).reset_index()
