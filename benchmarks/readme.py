"""Write the results in README.md and docs/benchmarks.md from the files in benchmarks/results.

The text between the markers is made here, from the `summary.csv` of the honest benchmarks and the
`results.csv` of the others.
"""

from pathlib import Path

import pandas as pd

from benchmarks._code import FOLDER
from benchmarks._names import ALONE, ALPHA_LORA, DEFAULT, LORA
from benchmarks._tables import interval
from benchmarks.linear.promise import METHODS, verdicts

RESULTS = FOLDER / "results"
README, PAGE = FOLDER.parent / "README.md", FOLDER.parent / "docs" / "benchmarks.md"
PLAIN_LORA = "LoRA"  # PEFT's, from the head of the source
DIFFERENCE = ["accuracy_alpha_less", "accuracy_alpha_less_low", "accuracy_alpha_less_high"]
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
# Heading, folder, and the columns that name a row.
NETWORKS = (
    ("Digits, 100 labels, best of five rates", "vision", ("network", "task")),
    ("The same, rotated, transformer", "rank", ("rank",)),
    ("Reviews, MiniLM, 50 labels, best of five rates", "amazon-text", ("target",)),
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
    """Accuracy of LoRA, α-LoRA and the best other at their best rates, and differences."""
    columns = ["LoRA", "LoRA, same start", "α-LoRA", "α-LoRA less LoRA", "less LoRA, same start"]
    lines = ["| | " + " | ".join([*columns, "best other"]) + " |", "| --- |" + " --- |" * 6]
    for heading, folder, by in NETWORKS:
        summary = pd.read_csv(results / folder / "results.csv")
        lines += [f"| *[{heading}](benchmarks/results/{folder}/table.md)* |" + " |" * 6]
        for names, group in summary.groupby(list(by), sort=False):
            rows = group.set_index("method")
            cells = [f"{100 * rows.accuracy[name]:.1f}" for name in (PLAIN_LORA, LORA, ALPHA_LORA)]
            cells += [
                interval(*rows.loc[name, DIFFERENCE], unit=100) for name in (PLAIN_LORA, LORA)
            ]
            others = rows.accuracy.drop(ALPHA_LORA)
            name = "LoRA, same start" if others.idxmax() == LORA else others.idxmax()
            cells.append(f"{name} {100 * others.max():.1f}")
            label = ", ".join(f"{c} {name}" if c == "rank" else name for c, name in zip(by, names))
            lines += [f"| {label} | " + " | ".join(cells) + " |"]
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
