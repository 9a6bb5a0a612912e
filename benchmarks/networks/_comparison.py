"""Tables that compare ways to adapt a network with LoRA, paired by draw."""

import pandas as pd

from benchmarks._names import LORA
from benchmarks._results import publish
from benchmarks._statistics import FEW, paired_differences
from benchmarks._tables import compared, number
from benchmarks.networks._training import device, packages

MEASURES = ["accuracy", "log_loss", "seconds", "alpha_moved"]


def against_lora(frame, by, unit="seed"):
    """Means of every method and its differences from LoRA, see `paired_differences`."""
    found = paired_differences(frame, by, unit=unit, baseline=LORA, measures=MEASURES)
    other = [f"{m}_{end}" for m in MEASURES[2:] for end in ("difference", "low", "high")]
    return found.drop(columns=other)


def publish_methods(frame, name, args, by, caption):
    """Compare the methods of each group with LoRA, write it down, and return it with its folder."""
    summary = against_lora(frame, by)
    folder = publish(
        summary,
        name,
        args,
        caption=f"{caption} {conditions(args)}",
        tables=method_tables(summary, by),
        packages=packages(),
    )
    return summary, folder


def method_tables(summary, by):
    """What `against_lora` found, a table for each group."""
    return {
        ", ".join(f"{name} {value}" for name, value in zip(by, key)): _table(group)
        for key, group in summary.groupby(by, sort=False)
    }


def _table(group):
    return pd.DataFrame(
        {
            "method": group.method,
            "accuracy, %": [_cell(row, "accuracy", unit=100) for _, row in group.iterrows()],
            "log loss": [_cell(row, "log_loss", digits=3) for _, row in group.iterrows()],
            "training, s": group.seconds.map(number),
            "distance of α from 1": [number(value, ".3f") for value in group.alpha_moved],
        }
    )


def _cell(row, measure, **form):
    if row.method == LORA:
        return compared(row[measure], None, None, None, **form)
    return compared(*(row[f"{measure}{e}"] for e in ("", "_difference", "_low", "_high")), **form)


def conditions(args):
    """Sentences of the captions: what the methods have in common, and how long they take."""
    shared = " that other trainings shared" if args.n_jobs != 1 else ""
    where = "on one thread" if device() == "cpu" else f"on a GPU{shared}"
    return (
        f"All nets: same rows, {args.epochs} epochs, batches and seeds; one step size for all, "
        f"{args.lr[0]:g}. In brackets the difference from {LORA} on the same draws, with its 95 % "
        f"interval (bootstrap; Student's for fewer than {FEW} draws). Time: the epochs of one "
        f"training, {where}."
    )
