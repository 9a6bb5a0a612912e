"""The README's demonstration: the paper's table reproduced, then the honest comparison; < 2 min.

With the Amazon reviews at hand, or downloaded: Table 1 of the paper at n = 20 beside the printed
numbers; then, on the same transfers and without a label of a scored row, the target alone, the
source alone, ordinary fine-tuning (α = 1) and α chosen. Without them, the second part on
scikit-learn's bundled digits. Ends in a table and a figure, demo.png.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator

from benchmarks import amazon_table, digits
from benchmarks._comparison import prepare
from benchmarks._data import PAIRS, MissingData, split
from benchmarks._figures import BLACK, BLUE, GREEN, ORANGE, save, subplots
from benchmarks._peers import fine_tuning, target_ridge_wide
from benchmarks._runner import run_cells, version
from sklearn_alpha import AlphaTransferClassifier

DRAWS = 5
SOURCE_NAMES = ("ridge γ_pre = 1", "LogisticRegressionCV")
# Method, and how it is drawn.
STYLES = {
    "target alone": (ORANGE, "v"),
    "source alone": (BLACK, "s"),
    "α = 1": (BLUE, "D"),
    "α chosen": (GREEN, "o"),
}


def add_arguments(parser):
    """The demonstration has no options of its own; demo.png goes where it is run."""
    parser.set_defaults(out=Path())


def main(args):
    """Print the tables and draw the figure."""
    try:
        amazon_table.amazon_features("books")
    except MissingData as error:
        print(f"{error}\nHere are the digits.")
        benchmark, pairs, sizes, what = "digits", digits.pairs(), (10, 20, 60), "digits"
    else:
        print_reproduction(args)
        benchmark, pairs, sizes, what = "amazon_table", PAIRS, (20, 100, 400), "Amazon Review"
    cells = [
        {"benchmark": benchmark, "source": source, "target": target, "n": n, "seed": seed}
        for source, target in pairs
        for n in sizes
        for seed in range(DRAWS)
    ]
    frame = run_cells("demo", score, cells, resume=args.resume)
    frame["accuracy"] *= 100
    table = frame.pivot_table(index=["model", "n"], columns="method", values="accuracy", sort=False)
    table = table.rename_axis(index=["source model", "n"]).reset_index()
    print(
        f"\n{what}, honest protocol: plain accuracy in %, mean of {len(pairs)} transfers x {DRAWS} "
        "draws;\nno label of a scored row used; γ is chosen from the n labelled rows\n",
        table.to_markdown(index=False, floatfmt=".1f"),
        f"\nFigure: {draw(frame, pairs, sizes, what, args.out / 'demo.png')}",
        sep="\n",
    )


def print_reproduction(args):
    """Print the published protocol at n = 20 beside the paper's printed numbers."""
    table = amazon_table.published_table(amazon_table.published_seeds([20], resume=args.resume))
    paper = amazon_table.paper_table().loc[table.index]
    shown = {}
    for column, title in amazon_table.COLUMNS.items():
        both = [*zip(table[column], paper[column]), (table[column].mean(), paper[column].mean())]
        shown[title] = [f"{ours:.2f} ({theirs:.2f})" for ours, theirs in both]
    names = [f"{source} → {target}" for source, target, _ in table.index]
    print(
        "The paper's Table 1, published protocol, n = 20, in %: reproduced (printed)\n",
        pd.DataFrame(shown, index=[*names, "mean"]).to_markdown(),
        sep="\n",
    )


@version(1, "sklearn_alpha.linear_model")
def score(benchmark, source, target, n, seed):
    """Accuracy of four methods on one draw, for two source models."""
    transfer, sources = prepare(benchmark, source, target, SOURCE_NAMES)
    train, test = split(transfer, n, seed)
    X, y = transfer.X[train], transfer.y[train]
    alone = target_ridge_wide(X, y)
    rows = []
    for model, (classifier, _) in sources.items():
        fitted = {
            "target alone": alone,
            "source alone": classifier,
            "α = 1": fine_tuning(classifier, X, y),
            "α chosen": AlphaTransferClassifier(FrozenEstimator(classifier)).fit(X, y),
        }
        for method, estimator in fitted.items():
            accuracy = np.mean(estimator.predict(transfer.X[test]) == transfer.y[test])
            rows.append({"model": model, "method": method, "accuracy": accuracy})
    return rows


def draw(frame, pairs, sizes, what, path):
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
    left.set(title=f"{what}, n = {sizes[0]} labelled target rows", xlabel="accuracy, %")
    right.set(
        title=f"mean of {len(pairs)} transfers", xscale="log", xlabel="n", ylabel="accuracy, %"
    )
    right.set_xticks(sizes, sizes)
    right.minorticks_off()
    figure.legend(loc="outside lower center", ncols=len(STYLES))
    return save(figure, path)
