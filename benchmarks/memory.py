"""Peak memory of training with α-LoRA beside plain LoRA, each in a process of its own.

A transformer of MiniLM's width with random weights and 6 layers, batches of 16 rows of 128 tokens,
a few steps. What is subtracted is the peak of a process that only imports and loads.
"""

import subprocess
import sys

import pandas as pd

from benchmarks._peak import peak
from benchmarks._runner import write_results
from benchmarks.overhead import (
    BATCH_SIZE,
    REFERENCE,
    WAYS,
    equal_batches,
    equal_rows,
    plain_step,
    random_transformer,
    ready_step,
)

NOTHING = "loaded, not trained"
TRAINED = (REFERENCE, "α on the same batch", "α held out, T = 10")
LAYERS, TOKENS, STEPS = 6, 128, 11


def add_arguments(parser):
    """Add the number of rounds."""
    parser.add_argument("--rounds", type=int, default=3, help="processes of each kind")
    parser.add_argument(
        "--way", choices=(NOTHING, *TRAINED), help="(what a process is started for)"
    )


def main(args):
    """Start a process for each way and write the table."""
    if args.way:
        train(args.way)
        print(peak() / 2**20)
        return
    peak()  # where there is none, it says so before any work
    found = []
    for turn in range(args.rounds):
        for way in (NOTHING, *TRAINED):
            command = [sys.executable, "-m", "benchmarks", "memory", "--way", way]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append((turn, way, float(done.stdout.split()[-1])))
    frame = pd.DataFrame(found, columns=["round", "way", "MiB"])
    medians = frame.groupby("way", sort=False).MiB.median()
    table = pd.DataFrame({"peak, MiB": medians.round(0)})
    table["ratio to LoRA"] = (medians / medians[REFERENCE]).round(3)
    above = medians - medians[NOTHING]
    table["above what is loaded, ratio"] = (above / above[REFERENCE]).round(3)
    text = f"# memory\n\n{table.rename_axis(None).to_markdown()}"
    print(text)
    write_results(frame, "memory", out=args.out, config=args, table=text)


def train(way):
    """A few steps of one way."""
    import torch

    torch.set_num_threads(1)
    folder = random_transformer(LAYERS)
    X, y = equal_rows(2 * BATCH_SIZE, TOKENS)
    step = (
        plain_step(folder)[0]
        if way in (REFERENCE, NOTHING)
        else ready_step(folder, X, y, **WAYS[way])
    )
    batches = equal_batches(folder, X, y)
    for _ in range(0 if way == NOTHING else STEPS):
        step(next(batches))
