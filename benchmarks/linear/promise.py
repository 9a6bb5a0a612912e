"""The promise: the default is no worse than the source alone and the target alone.

Each row is one kind of transfer at one number of labels. The target alone is LogisticRegressionCV
(by log loss) or RidgeCV. The promise is kept where the default has at least the accuracy of the
better one of the two less .5 points, and at most the log loss of the better one plus .01; in
regression, at most its mean squared error plus .5 %. Where a figure was asked for, the table says
whether it is reached.

The sources are ridge regression on other schools, logistic regressions on another Amazon domain
(400 features), on five other speakers, on pictures of another domain, on MiniLM's mean states of
reviews of the other three domains, on the first 900 digits of scikit-learn and on 40 irises. The
Gaussian data have a source whose coefficients are negated, one whose coefficients are random, and
one whose classes have other shares than the target's. The class of a row decides nothing in the
draws of rows: where "a class" is not said, some classes have few labels or none.
"""

import numpy as np
import pandas as pd

from benchmarks._data.promise import ROWS
from benchmarks._figures import BLUE, ORANGE, save, subplots
from benchmarks._names import ALONE
from benchmarks._results import publish
from benchmarks._runner import run_cells
from benchmarks._statistics import paired_interval
from benchmarks._tables import interval, number
from benchmarks.linear._alternatives import OURS, our_regressor, ours
from benchmarks.linear._baselines import TARGET_ALONE
from benchmarks.linear._promise_cells import score_baselines, score_methods

# Name in tables, factor, digits; whether more is better.
MEASURES = {
    "accuracy": ("Accuracy, %", 100, 1, True),
    "mse": ("Mean squared error", 1, 1, False),
    "log_loss": ("Log loss", 1, 3, False),
    "brier": ("Brier score", 1, 3, False),
    "ece": ("Calibration error", 1, 3, False),
}
# What the default may lose to the better of the two: accuracy, log loss, share of the error.
MARGINS = {"accuracy": 0.005, "log_loss": 0.01, "mse": 0.005}
COLUMNS = {"accuracy or MSE": ["accuracy", "mse"], "log loss": ["log_loss"]}
METHODS = {ALONE: "source", TARGET_ALONE: "target", OURS: "ours"}
LEAST_SHARE = 0.002  # of all rows in a bin that is drawn
CAPTION = (
    "Means over all tasks x draws. “best” is the better of source alone and target alone in the "
    "measure of the table; the intervals are 95 % intervals of paired differences over tasks x "
    "draws. The promise is kept where ours has at least the accuracy of the best less .5 points "
    "and at most its log loss plus .01, or its mean squared error plus .5 %. {kept}"
)


def add_arguments(parser):
    """Add the rows and the number of draws."""
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), help="data")
    parser.add_argument("--draws", type=int, default=5, help="draws of labelled rows per task")


def main(args):
    """Score the three methods on all draws, write it down and draw the calibration."""
    cells = [
        {"data": name, "task": task, "n": n, "seed": seed}
        for name in args.only
        for task in ROWS[name].collection.tasks()
        for n in ROWS[name].collection.sizes
        for seed in range(args.draws * ROWS[name].repeats)
    ]
    frames = [
        run_cells("promise", function, cells, resume=args.resume)
        for function in (score_baselines, score_default)
    ]
    frame = pd.concat(frames, ignore_index=True)
    summary = summarise(frame)
    found = verdicts(summary)
    folder = publish(
        summary,
        "promise",
        args,
        caption=CAPTION.format(kept=in_a_sentence(found)),
        tables={"The promise": found} | tables(summary),
    )
    if "bins" in frame:
        draw_calibration(frame.dropna(subset="bins"), folder / "figure.png")


def score_default(**cell):
    """Scores of the default on one draw."""
    return score_methods({OURS: ours}, {OURS: our_regressor}, **cell)


def summarise(frame):
    """Means of the three methods and differences of the default, by data, n and measure.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns data, task, n, seed, method and measures.

    Returns
    -------
    pandas.DataFrame
        Columns data, n, measure, source, target, ours; `from_source` and `from_best`, which are
        the paired differences of ours from the source alone and from the better of the two, with
        `_low` and `_high`; and best, the better one's name.
    """
    rows = []
    for (data, n), group in frame.groupby(["data", "n"], sort=False):
        for measure, (*_, more) in MEASURES.items():
            if measure not in group or group[measure].isna().all():
                continue
            draws = group.pivot(index=["task", "seed"], columns="method", values=measure)
            means = draws.mean()
            best = (max if more else min)((ALONE, TARGET_ALONE), key=means.get)
            row = {"data": data, "n": n, "measure": measure, "draws": len(draws)}
            row |= {short: means[method] for method, short in METHODS.items()}
            row["best"] = METHODS[best]
            for name, other in (("from_source", ALONE), ("from_best", best)):
                ends = paired_interval(draws[OURS] - draws[other])
                row |= dict(zip((name, f"{name}_low", f"{name}_high"), ends))
            rows.append(row)
    return pd.DataFrame(rows)


def kept(row):
    """Whether the default loses no more than the margin of a measure."""
    margin = MARGINS[row.measure] * (row[row.best] if row.measure == "mse" else 1)
    return (-1 if MEASURES[row.measure][3] else 1) * row.from_best <= margin


def verdicts(summary):
    """A row for each data and n: the three methods, whether the promise is kept, what is asked."""
    found = []
    promised = summary[summary.measure.isin(MARGINS)]
    for (data, n), group in promised.groupby(["data", "n"], sort=False):
        shown = {"data": data, "n": of_unit(data, n)}
        for title, measures in COLUMNS.items():
            part = group[group.measure.isin(measures)]
            for short in METHODS.values():
                cells = [value(row.measure, row[short]) for _, row in part.iterrows()]
                shown[f"{title}, {short}"] = "".join(cells)
        rows = [row for _, row in group.iterrows()]
        shown["promise"] = "kept" if all(map(kept, rows)) else "**broken**"
        shown["asked"] = "; ".join(filter(None, map(asked, rows)))
        found.append(shown)
    return pd.DataFrame(found)


def asked(row):
    """The figure asked for, and whether the default reaches it; empty where there is none."""
    figures = ROWS[row.data].asked.get(row.measure)
    if not figures:
        return ""
    title, *_, more = MEASURES[row.measure]
    figure = figures[ROWS[row.data].collection.sizes.index(row.n)]
    figure = row.source if figure == "source" else figure
    reached = row.ours >= figure if more else row.ours <= figure
    sign = "≥" if more else "≤"
    word = "reached" if reached else "**missed**"
    return f"{title.split(',')[0].lower()} {sign} {value(row.measure, figure)}: {word}"


def value(measure, number_):
    """A mean as text."""
    _, unit, digits, _ = MEASURES[measure]
    return number(unit * number_, f".{digits}f")


def of_unit(data, n):
    """ "10 a class" or "10 rows"."""
    return f"{n} {ROWS[data].collection.unit}"


def in_a_sentence(found):
    """How many rows keep the promise, and which figures are missed."""
    n_kept = (found.promise == "kept").sum()
    n_asked, n_missed = found.asked.str.count(":").sum(), found.asked.str.count("missed").sum()
    return (
        f"{n_kept} of {len(found)} rows keep it; of {n_asked} figures that were asked for, "
        f"{n_asked - n_missed} are reached."
    )


def tables(summary):
    """A table for each measure, with the intervals."""
    found = {}
    for measure, group in summary.groupby("measure", sort=False):
        title, unit, digits, _ = MEASURES[measure]
        form = {"unit": unit, "digits": digits}
        rows = [row for _, row in group.iterrows()]
        shown = {"data": group.data, "n": [of_unit(row.data, row.n) for row in rows]}
        for method, short in METHODS.items():
            name = "ours" if method == OURS else method
            shown[name] = [value(measure, row[short]) for row in rows]
        for name, other in (("from_source", "source"), ("from_best", "best")):
            ends = [name, f"{name}_low", f"{name}_high"]
            shown[f"ours − {other}"] = [interval(*row[ends], **form) for row in rows]
        found[title] = pd.DataFrame(shown)
    return found


def draw_calibration(frame, path):
    """Reliability diagrams of the source and of the default, a panel for each data and n."""
    groups = list(frame.groupby(["data", "n"], sort=False))
    columns = min(6, len(groups))
    lines = -(-len(groups) // columns)
    figure, axes = subplots(
        lines, columns, figsize=(2 * columns, 2.1 * lines), squeeze=False, sharex=True, sharey=True
    )
    for ax in axes.flat[len(groups) :]:
        ax.set_axis_off()
    for ax, ((data, n), group) in zip(axes.flat, groups):
        ax.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
        for method, colour in ((ALONE, ORANGE), (OURS, BLUE)):
            bins = np.sum(group[group.method == method].bins.tolist(), axis=0)
            count, correct, confidence = bins[:, bins[0] > LEAST_SHARE * bins[0].sum()]
            line = confidence / count, correct / count
            ax.plot(*line, color=colour, linewidth=1)
            ax.scatter(*line, s=60 * count / count.sum(), color=colour, label=method)
        ax.set_title(f"{data},\n{of_unit(data, n)}", fontsize="x-small")
    figure.supxlabel("confidence")
    figure.supylabel("accuracy")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return save(figure, path)
