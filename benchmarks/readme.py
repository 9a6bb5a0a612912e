"""Write the results in README.md and docs/benchmarks.md from the files in benchmarks/results.

The text between the markers is made here, from the `summary.csv` of the honest benchmarks and the
`results.csv` of the others.
"""

from pathlib import Path

import pandas as pd

from benchmarks._code import FOLDER
from benchmarks._names import ALONE, ALPHA_LORA, DEFAULT, LEFT_OUT_ROWS, LORA
from benchmarks._tables import interval
from benchmarks.linear.promise import METHODS, verdicts

RESULTS = FOLDER / "results"
README, PAGE = FOLDER.parent / "README.md", FOLDER.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- {}:begin -->", "<!-- {}:end -->"
# Heading, folder, and the rows: (name here, source, method).
TABLES = (
    (
        "Amazon Review, 400 features, mean of 12 transfers",
        "amazon-table-honest",
        (
            ("target alone, RidgeClassifierCV", "", "target alone: RidgeClassifierCV"),
            ("the same, wide grid", "", "target alone: RidgeClassifierCV, wide grid"),
            ("target alone, LogisticRegressionCV", "", "target alone: LogisticRegressionCV"),
            ("source alone", "LogisticRegressionCV", ALONE),
            ("source and target pooled", "LogisticRegressionCV", "pooled LogisticRegressionCV"),
            ("α = 1, γ by leave-one-out", "LogisticRegressionCV", "α = 1, γ by leave-one-out"),
            ("α = 1, γ = 10", "LogisticRegressionCV", "α = 1, γ = 10"),
            ("**α chosen**", "LogisticRegressionCV", DEFAULT),
            ("transported source¹ alone", "transported ridge γ_pre = 10", ALONE),
            ("**transported source, α chosen**", "transported ridge γ_pre = 10", DEFAULT),
        ),
    ),
)
# Heading, folder, name of the default there, and the rows: column and value there, name here.
NETWORKS = (
    (
        "Digits, four shifts, 100 labels",
        "alpha-rules",
        LEFT_OUT_ROWS,
        {("network", name): name for name in ("transformer", "perceptron")},
    ),
    (
        "Rotated digits, 200 labels, transformer",
        "rank",
        ALPHA_LORA,
        {("rank", rank): f"rank {rank}" for rank in (1, 8, 32)},
    ),
    (
        "MiniLM on GLUE, 500 labels",
        "glue",
        ALPHA_LORA,
        {("task", task): task for task in ("SST-2", "QQP", "CoLA", "MNLI", "RTE")},
    ),
    (
        "MiniLM of one domain's reviews on another's, 50 labels",
        "amazon-text",
        ALPHA_LORA,
        {("target", "books"): "dvd → books", ("target", "kitchen"): "books → kitchen"},
    ),
)


def add_arguments(parser):
    """There are no options of its own."""


def main(args):
    """Replace the blocks between the markers."""
    for path, blocks in BLOCKS.items():
        path.write_text(filled(path.read_text("utf-8"), blocks, args.out), "utf-8")
        print(f"Written to {path}, from {args.out}")


def filled(text, blocks, results=RESULTS):
    """Text of a document with its blocks, callables by name, made from the files."""
    for name, block in blocks.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, rest = text.split(begin)
        _, after = rest.split(end)
        text = f"{before}{begin}\n{block(Path(results))}\n{end}{after}"
    return text


def external(results):
    """The default beside its alternatives: accuracy or squared error, and the log loss."""
    summary = pd.read_csv(results / "external" / "results.csv")
    methods = list(summary.method.unique())
    lines = ["| collection, n | " + " | ".join(methods) + " |", "| --- |" + " --- |" * len(methods)]
    for (collection, n), group in summary.groupby(["collection", "n"], sort=False):
        rows = group.set_index("method")
        if rows.mse.notna().any():
            best, cells = rows.mse.min(), [f"{value:.1f}" for value in rows.mse[methods]]
            best = [value == best for value in rows.mse[methods]]
        else:
            pairs = zip(100 * rows.accuracy[methods], rows.log_loss[methods])
            cells = [f"{accuracy:.1f}, {loss:.2f}" for accuracy, loss in pairs]
            best = [value == rows.log_loss.min() for value in rows.log_loss[methods]]
        cells = [f"**{cell}**" if first else cell for cell, first in zip(cells, best)]
        lines += [f"| {collection}, {n} | " + " | ".join(cells) + " |"]
    return "\n".join(lines)


def networks(results):
    """Accuracy of LoRA and α-LoRA, and paired differences with their intervals."""
    lines = ["| | LoRA | α-LoRA | difference, points | of the log loss |"]
    lines += ["| --- |" + " --- |" * 4]
    for heading, folder, default, rows in NETWORKS:
        summary = pd.read_csv(results / folder / "results.csv")
        lines += [f"| *[{heading}](benchmarks/results/{folder}/table.md)* |" + " |" * 4]
        for (column, value), name in rows.items():
            own = summary[summary[column] == value].set_index("method")
            alpha = own.loc[default]
            ends = ("difference", "low", "high")
            accuracy, log_loss = (
                interval(*(alpha[f"{measure}_{end}"] for end in ends), unit=unit, digits=digits)
                for measure, unit, digits in (("accuracy", 100, 1), ("log_loss", 1, 3))
            )
            cells = [f"{100 * own.accuracy[method]:.1f}" for method in (LORA, default)]
            lines += [f"| {name} | " + " | ".join([*cells, accuracy, log_loss]) + " |"]
    return "\n".join(lines)


def linear(results):
    """Accuracies in per cent, with links to their tables."""
    sizes = None
    lines = []
    for heading, folder, rows in TABLES:
        summary = pd.read_csv(results / folder / "summary.csv", keep_default_na=False)
        summary = summary.set_index(["model", "method", "n"])["mean"].astype(float)
        if sizes is None:
            sizes = sorted(summary.index.unique("n"))
            lines += ["| n labelled rows | " + " | ".join(map(str, sizes)) + " |"]
            lines += ["| --- |" + " --- |" * len(sizes)]
        lines += [f"| *[{heading}](benchmarks/results/{folder}/table.md)* |" + " |" * len(sizes)]
        for name, model, method in rows:
            cells = [f"{summary[model, method, n]:.1f}" for n in sizes]
            lines += [f"| {name} | " + " | ".join(cells) + " |"]
    return "\n".join(lines)


def promise(results):
    """Accuracy and log loss of source, target alone and default, and the verdict."""
    found = verdicts(pd.read_csv(results / "promise" / "results.csv"))
    lines = ["| data, n | source alone | target alone | ours | promise |", "| --- |" + " --- |" * 4]
    for _, row in found.iterrows():
        pairs = [(row[f"accuracy or MSE, {m}"], row[f"log loss, {m}"]) for m in METHODS.values()]
        cells = [", ".join(filter(None, pair)) for pair in pairs]
        lines += ["| " + " | ".join([f"{row.data}, {row.n}", *cells, row.promise]) + " |"]
    return "\n".join(lines)


BLOCKS = {
    README: {"external": external, "results": linear, "networks": networks},
    PAGE: {"promise": promise},
}
