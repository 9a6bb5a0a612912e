"""Peak memory of training with α-LoRA beside plain LoRA, each in a process of its own.

A transformer of MiniLM's width with random weights and 6 layers, batches of 16 rows of 128 tokens,
a few steps. The last column is the peak without that of a process that only imports and loads.
"""

import subprocess
import sys

import pandas as pd

from benchmarks._results import publish
from benchmarks.speed import _steps
from benchmarks.speed._peak import peak
from benchmarks.speed._steps import BATCH_SIZE, HELD_OUT, REFERENCE, SAME_BATCH, WAYS

NOTHING = "loaded, not trained"
TRAINED = (REFERENCE, SAME_BATCH, HELD_OUT)
LAYERS, TOKENS, STEPS = 6, 128, 11


def add_arguments(parser):
    """Add the number of rounds."""
    parser.add_argument("--rounds", type=int, default=3, help="processes of each kind")
    parser.add_argument("--way", choices=(NOTHING, *TRAINED), help="(for the processes it starts)")


def main(args):
    """Start a process for each way and write the table."""
    if args.way:
        train(args.way)
        print(peak() / 2**20)
        return
    peak()  # fails before any work where the peak cannot be read
    found = []
    for turn in range(args.rounds):
        for way in (NOTHING, *TRAINED):
            command = [sys.executable, "-m", "benchmarks", "memory", "--way", way]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append((turn, way, float(done.stdout.split()[-1])))
    frame = pd.DataFrame(found, columns=["round", "way", "MiB"])
    caption = f"{LAYERS} layers, batches of {BATCH_SIZE} rows of {TOKENS} tokens, {STEPS} steps."
    publish(frame, "memory", args, caption=caption, tables={"": table(frame)})


def train(way):
    """A few steps of one way."""
    import torch

    torch.set_num_threads(1)
    folder = _steps.random_transformer(LAYERS)
    X, y = _steps.equal_rows(2 * BATCH_SIZE, TOKENS)
    if way in (REFERENCE, NOTHING):
        step = _steps.plain_step(_steps.lora_network(folder))
    else:
        step = _steps.estimator_step(folder, X, y, **WAYS[way])
    batches = _steps.equal_batches(folder, X, y)
    for _ in range(0 if way == NOTHING else STEPS):
        step(next(batches))


def table(frame):
    """Medians, and ratios to plain LoRA."""
    medians = frame.groupby("way", sort=False).MiB.median()
    above = medians - medians[NOTHING]
    return pd.DataFrame(
        {
            "way": medians.index,
            "peak, MiB": [f"{value:.0f}" for value in medians],
            "ratio to LoRA": [f"{value:.3f}" for value in medians / medians[REFERENCE]],
            "above what is loaded, ratio": [f"{x:.3f}" for x in above / above[REFERENCE]],
        }
    )
