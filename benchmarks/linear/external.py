"""The default against what one would use instead, on four collections of data made by others.

School (exam scores of a school's pupils; the source is ridge on all other schools), Office-Caltech
(pictures of one domain; logistic regression on another), spoken digits of one speaker (the other
five), and Amazon reviews with their titles as TF-IDF (another domain). The alternatives are the
source alone, the target alone, the source's estimator on the rows of both with the weight of a
target row chosen by cross-validation, WiSE-FT, and angleTL, with the logistic loss for classes.
Among 10 to 50 random pictures some classes have no row. Every method sees the same draws, and no
label of a scored row.
"""

import time

import numpy as np
import pandas as pd

from benchmarks._data.external import COLLECTIONS, draw
from benchmarks._figures import BLACK, BLUE, GREEN, ORANGE, RED, save, subplots
from benchmarks._names import ALONE
from benchmarks._results import publish
from benchmarks._runner import run_cells
from benchmarks._statistics import paired_differences
from benchmarks._tables import compared, interval, number
from benchmarks.linear._alternatives import CLASSIFIERS, OURS, REGRESSORS
from benchmarks.linear._baselines import score_numbers, score_probabilities

# Name in tables, factor and digits of each measure; of accuracy more is better, of the rest less.
MEASURES = {
    "accuracy": ("accuracy, %", 100, 1),
    "mse": ("mean squared error", 1, 1),
    "log_loss": ("log loss", 1, 3),
    "brier": ("Brier score", 1, 3),
    "ece": ("calibration error", 1, 3),
}
BY = ["collection", "n"]
ENDS = ("difference", "low", "high")


def add_arguments(parser):
    """Add the collections and the number of draws."""
    parser.add_argument(
        "--collections", nargs="+", choices=COLLECTIONS, default=list(COLLECTIONS), help="data"
    )
    parser.add_argument("--draws", type=int, default=3, help="draws of labelled rows per task")


def main(args):
    """Score all methods on all draws, write it down and draw it."""
    cells = [
        {"collection": name, "task": task, "n": n, "seed": seed}
        for name in args.collections
        for task in COLLECTIONS[name].tasks()
        for n in COLLECTIONS[name].sizes
        for seed in range(args.draws)
    ]
    frame = run_cells("external", score, cells, resume=args.resume)
    summary = summarise(frame)
    folder = publish(
        summary,
        "external",
        args,
        caption=(
            f"Means over all tasks x {args.draws} draws. In brackets the difference from the "
            "source alone with its 95 % interval over the tasks. The last column is the "
            f"difference of “{OURS}” from the method of the row, in accuracy (points) or mean "
            "squared error, with its 95 % interval, and says whether the default won or lost."
        ),
        tables=tables(summary),
    )
    draw_figure(summary, folder / "figure.png")


def score(collection, task, n, seed):
    """Scores and CPU time of every method on one draw."""
    kind = COLLECTIONS[collection]
    problem = kind.load(task)
    own, scored = draw(kind, problem, n, seed)
    rows = []
    for method, run in (REGRESSORS if kind.regression else CLASSIFIERS).items():
        start = time.process_time()
        predicted = run(problem, own, scored, seed)
        seconds = time.process_time() - start
        measure = score_numbers if kind.regression else score_probabilities
        labels = problem.y[scored]
        if not kind.regression:
            labels = np.searchsorted(problem.source.classes_, labels)
        rows.append({"method": method, "seconds": seconds} | measure(predicted, labels))
    return rows


def summarise(frame):
    """Means and differences from the source alone, and from the default, by collection and n."""
    measures = [name for name in MEASURES if name in frame]
    means = paired_differences(
        frame, BY, unit="task", baseline=ALONE, measures=[*measures, "seconds"]
    )
    means = means.drop(columns=[c for c in means if c.startswith("seconds_")])
    against = paired_differences(frame, BY, unit="task", baseline=OURS, measures=measures)
    for name in set(measures) & {"accuracy", "mse"}:
        # What is found is the row's difference from the default; the default's has the other sign.
        low, high = -against[f"{name}_high"], -against[f"{name}_low"]
        means[f"{name}_default_difference"] = -against[f"{name}_difference"]
        means[f"{name}_default_low"], means[f"{name}_default_high"] = low, high
    return means


def tables(summary):
    """A table for each collection and size."""
    found = {}
    for (name, n), group in summary.groupby(BY, sort=False):
        heading = f"{name}, {n} {COLLECTIONS[name].unit}"
        shown = {"method": group.method}
        for measure, (title, unit, digits) in MEASURES.items():
            if measure in group and group[measure].notna().any():
                cells = [_cell(row, measure, unit, digits) for _, row in group.iterrows()]
                shown[title] = cells
        shown["CPU s"] = [number(value, ".2f") for value in group.seconds]
        shown["default against it"] = [verdict(row) for _, row in group.iterrows()]
        found[heading] = pd.DataFrame(shown)
    return found


def _cell(row, measure, unit, digits):
    ends = [None if row.method == ALONE else row[f"{measure}_{e}"] for e in ENDS]
    return compared(row[measure], *ends, unit=unit, digits=digits)


def verdict(row):
    """Difference of the default from a method, and whether it won or lost."""
    if row.method == OURS:
        return ""
    measure = "accuracy" if not np.isnan(row.get("accuracy", np.nan)) else "mse"
    ends = [row[f"{measure}_default_{end}"] for end in ENDS]
    better = ends[0] > 0 if measure == "accuracy" else ends[0] < 0
    word = "won" if better else "lost" if ends[0] else "equal"
    return f"{word}, {interval(*ends, unit=MEASURES[measure][1])}"


def draw_figure(summary, path):
    """Accuracy or mean squared error against n, a panel for each collection."""
    names = summary.collection.unique()
    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    size = (3.2 * columns, 2.8 * lines + 1)
    figure, axes = subplots(lines, columns, figsize=size, squeeze=False)
    for ax in axes.flat[len(names) :]:
        ax.set_axis_off()
    methods = summary.method.unique()
    styles = zip(methods, [BLACK, ORANGE, RED, "0.6", "0.4", BLUE, GREEN], "s^DvP*o")
    for method, colour, marker in styles:
        for ax, name in zip(axes.flat, names):
            part = summary[(summary.collection == name) & (summary.method == method)]
            measure = "mse" if COLLECTIONS[name].regression else "accuracy"
            values = MEASURES[measure][1] * part[measure]
            ax.plot(part.n, values, f"-{marker}", color=colour, label=method)
            ax.set(title=name, xscale="log", xlabel=f"n, {COLLECTIONS[name].unit}")
            ax.set_ylabel(MEASURES[measure][0])
            ax.set_xticks(part.n, part.n)
            ax.minorticks_off()
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3)
    return save(figure, path)
