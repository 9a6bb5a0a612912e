"""The README's demonstration: the paper's table reproduced, then the honest comparison; < 2 min.

The first part is Table 1 of the paper at n = 20 beside the printed numbers. The second compares, on
the same transfers and without a label of a scored row, the target alone, the source alone, ordinary
fine-tuning (α = 1) and α chosen. Where the Amazon reviews can be neither read nor downloaded, only
the second part runs, on scikit-learn's digits. The result is a table and a figure, demo.png.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator

from benchmarks._data import MissingData
from benchmarks._data.amazon import PAIRS, amazon_features
from benchmarks._data.transfers import split
from benchmarks._figures import BLACK, BLUE, GREEN, ORANGE, save, subplots
from benchmarks._names import ALONE
from benchmarks._runner import run_cells
from benchmarks._tables import number, page
from benchmarks.linear import amazon_table, digits
from benchmarks.linear._comparison import accuracy, pair_cells, prepare
from benchmarks.linear._peers import fine_tuning, target_ridge_wide, transferred
from sklearn_alpha import AlphaTransferClassifier

DRAWS = 5
LOADERS = {"digits": digits.load_transfer, "Amazon Review": amazon_table.load_transfer}
SOURCE_NAMES = digits.SOURCE_NAMES
# Colour and marker of each method.
STYLES = {
    "target alone": (ORANGE, "v"),
    ALONE: (BLACK, "s"),
    "α = 1": (BLUE, "D"),
    "α chosen": (GREEN, "o"),
}


def add_arguments(parser):
    """The demonstration has no options of its own; demo.png goes where it is run."""
    parser.set_defaults(out=Path())


def main(args):
    """Print the tables and draw the figure."""
    try:
        amazon_features("books")
    except MissingData as error:
        print(f"{error}\nThe digits are used here.")
        benchmark, pairs, sizes = "digits", digits.pairs(), (10, 20, 60)
    else:
        print_reproduction(args)
        benchmark, pairs, sizes = "Amazon Review", PAIRS, (20, 100, 400)
    cells = [cell | {"benchmark": benchmark} for cell in pair_cells(pairs, sizes, DRAWS)]
    frame = run_cells("demo", score, cells, resume=args.resume)
    frame["accuracy"] *= 100
    table = frame.pivot_table(index=["model", "n"], columns="method", values="accuracy", sort=False)
    table = table.map(number).rename_axis(index=["source model", "n"]).reset_index()
    caption = (
        f"Plain accuracy in %, mean of {len(pairs)} transfers x {DRAWS} draws; no label of a "
        "scored row is used, and γ is chosen from the n labelled rows."
    )
    print(page(f"{benchmark}, honest protocol", caption, {"": table}))
    print(f"Figure: {draw(frame, pairs, sizes, benchmark, args.out / 'demo.png')}")


def print_reproduction(args):
    """Print the published protocol at n = 20 beside the paper's printed numbers."""
    table = amazon_table.published_table(amazon_table.published_seeds([20], resume=args.resume))
    paper = amazon_table.paper_table().loc[table.index]
    names = [f"{source} → {target}" for source, target, _ in table.index]
    shown = {"transfer": [*names, "mean"]}
    for column, title in amazon_table.COLUMNS.items():
        both = [*zip(table[column], paper[column]), (table[column].mean(), paper[column].mean())]
        shown[title] = [f"{ours:.2f} ({theirs:.2f})" for ours, theirs in both]
    caption = "Published protocol, n = 20, accuracy in %: reproduced, and in brackets as printed."
    print(page("Table 1 of the paper", caption, {"": pd.DataFrame(shown)}))


def score(benchmark, source, target, n, seed):
    """Accuracy of four methods on one draw, for two source models."""
    transfer, sources = prepare(LOADERS[benchmark], SOURCE_NAMES, source, target)
    train, test = split(transfer, n, seed)
    X, y = transfer.X[train], transfer.y[train]
    target_alone = target_ridge_wide(X, y)
    rows = []
    for model, (classifier, _) in sources.items():
        fitted = {
            "target alone": target_alone,
            ALONE: classifier,
            "α = 1": fine_tuning(classifier, X, y),
            "α chosen": transferred(AlphaTransferClassifier(FrozenEstimator(classifier)), X, y),
        }
        rows += [
            {"model": model, "method": method, "accuracy": accuracy(estimator, transfer, test)}
            for method, estimator in fitted.items()
        ]
    return rows


def draw(frame, pairs, sizes, benchmark, path):
    """Draw each transfer at the smallest n, and the mean of all against n."""
    frame = frame[frame.model == SOURCE_NAMES[0]]
    few = frame[frame.n == sizes[0]].groupby(["source", "target", "method"]).accuracy.mean()
    means = frame.groupby(["method", "n"]).accuracy.mean()
    shown = pairs[:12]  # of the digits' 28, for legibility
    height = np.arange(len(shown))[::-1]
    figure, (left, right) = subplots(1, 2, figsize=(10, 4.5), width_ratios=(3, 2))
    for method, (color, marker) in STYLES.items():
        accuracies = [few[source, target, method] for source, target in shown]
        left.plot(accuracies, height, marker, color=color, label=method)
        right.plot(sizes, means[method].loc[list(sizes)], f"-{marker}", color=color)
    left.set_yticks(height, [f"{source} → {target}" for source, target in shown])
    left.set(title=f"{benchmark}, n = {sizes[0]} labelled target rows", xlabel="accuracy, %")
    right.set(
        title=f"mean of {len(pairs)} transfers", xscale="log", xlabel="n", ylabel="accuracy, %"
    )
    right.set_xticks(sizes, sizes)
    right.minorticks_off()
    figure.legend(loc="outside lower center", ncols=len(STYLES))
    return save(figure, path)
