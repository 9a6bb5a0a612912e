"""Time that α costs beside plain LoRA, and time that batches of similar lengths save.

Steps: a transformer of MiniLM's width with 4, 6 and 12 layers on batches of equal length, as a
plain PyTorch loop over PEFT's LoRA and through the estimator with α held at 1, learned on the same
batch, and learned on held-out batches every tenth step. Rows: milliseconds for a training row and
for a predicted row of SST-2 (also of more rows, which are easier to group by length) and of whole
reviews, padded to max_length, by transformers' Trainer with length grouping, and by the estimator.
All run in one process on one thread, in turns, each round in another order; the table shows medians
of the ratios to the reference in the same round. `memory` measures memory.
"""

import sys
import time
import warnings

import numpy as np
import pandas as pd

from benchmarks._data.amazon import amazon_texts
from benchmarks._data.embeddings import minilm_path
from benchmarks._data.glue import load
from benchmarks._results import publish
from benchmarks.speed._epochs import Estimator, Grouped, Padded
from benchmarks.speed._steps import (
    BATCH_SIZE,
    REFERENCE,
    SAME_BATCH,
    WAYS,
    equal_batches,
    equal_rows,
    estimator_step,
    lora_network,
    plain_step,
    random_transformer,
)

MAX_LENGTH = {"SST-2": 128, "reviews": 256}
N_STEPS = 10  # in a row, so that one of them is a step of a held-out α
# What is measured: the heading of its table, and the way to which ratios are taken.
MEASURED = {
    "step": (f"Time of a training step, as a ratio to {REFERENCE}", REFERENCE),
    "training row": (f"Milliseconds for a training row (ratio to {SAME_BATCH})", SAME_BATCH),
    "predicted row": (f"Milliseconds for a predicted row (ratio to {SAME_BATCH})", SAME_BATCH),
}


def add_arguments(parser):
    """Add what is measured and how often."""
    parser.add_argument("--layers", type=int, nargs="+", default=[4, 6, 12], help="model sizes")
    parser.add_argument("--tokens", type=int, default=32, help="tokens of each row in the steps")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all ways in turn")
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[256, 2048], help="of SST-2; reviews: the first"
    )


def main(args):
    """Measure and write the tables."""
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    cases = [("SST-2", n) for n in args.rows] + [("reviews", args.rows[0])]
    texts = {f"{task}, {n} rows": read(task, n) for task, n in cases}  # before anything is timed
    frames = [steps(layers, args) for layers in args.layers]
    frames += [rows(case, *data, args) for case, data in texts.items()]
    frame = pd.concat(frames, ignore_index=True)
    caption = f"Medians of {args.rounds} rounds on one thread."
    publish(frame, "overhead", args, caption=caption, tables=tables(frame))


def steps(layers, args):
    """Seconds of `N_STEPS` steps, by round and way."""
    folder = random_transformer(layers)
    X, y = equal_rows(4 * BATCH_SIZE, args.tokens)
    batches = equal_batches(folder, X, y)
    ways = {REFERENCE: plain_step(lora_network(folder))}
    ways |= {way: estimator_step(folder, X, y, **options) for way, options in WAYS.items()}
    for step in ways.values():  # a warm-up
        step(next(batches))
    found, rng = [], np.random.default_rng(0)
    for turn in range(args.rounds):
        drawn = [next(batches) for _ in range(N_STEPS)]
        for way in rng.permutation(list(ways)):
            start = time.process_time()
            for batch in drawn:
                ways[way](batch)
            found.append((turn, way, time.process_time() - start))
        print(f"steps, {layers} layers: round {turn + 1} of {args.rounds}", file=sys.stderr)
    frame = in_order(pd.DataFrame(found, columns=["round", "way", "value"]), ways)
    return frame.assign(what="step", case=f"{layers} layers")


def in_order(frame, ways):
    """Rows by way, in the order of the table."""
    place = {way: i for i, way in enumerate(ways)}
    return frame.sort_values("way", key=lambda way: way.map(place), kind="stable")


def read(task, n):
    """Texts, labels and the max_length of a task."""
    if task == "reviews":
        texts, y, _ = amazon_texts("books")
        chosen = np.random.default_rng(0).permutation(len(texts))[:n]
        return texts[chosen].tolist(), y[chosen], MAX_LENGTH[task]
    X, y = load("SST-2", "train", hub=False)
    return list(X[:n]), np.asarray(y[:n]), MAX_LENGTH[task]


def rows(case, X, y, max_length, args):
    """Milliseconds for a row, in training (one epoch) and in prediction, by round and way."""
    kinds = {
        "padded to max_length": Padded,
        "Trainer, grouped by length": Grouped,
        SAME_BATCH: Estimator,
    }
    ways = {way: kind(minilm_path(), X, y, max_length) for way, kind in kinds.items()}
    found, rng = [], np.random.default_rng(0)
    for turn in range(max(2, args.rounds - 2)):
        for way in rng.permutation(list(ways)):
            trained = ways[way]
            for what, run in (("training row", trained.train), ("predicted row", trained.predict)):
                start = time.process_time()
                n = run()
                found.append((turn, way, what, 1e3 * (time.process_time() - start) / n))
        print(f"{case}: round {turn + 1}", file=sys.stderr)
    frame = pd.DataFrame(found, columns=["round", "way", "what", "value"])
    return in_order(frame, ways).assign(case=case)


def ratios(frame):
    """Median over the rounds of each way's ratio to the reference in the same round."""
    key = ["what", "case", "round"]
    parts = []
    for what, group in frame.groupby("what", sort=False):
        base = group[group.way == MEASURED[what][1]].set_index(key).value
        ratio = group.value / group[key].join(base, on=key, rsuffix="_of").value
        part = group.assign(ratio=ratio).groupby(["what", "case", "way"], sort=False)
        parts.append(part.agg(value=("value", "median"), ratio=("ratio", "median")).reset_index())
    return pd.concat(parts, ignore_index=True)


def tables(frame):
    """A table for each thing that was measured."""
    found = {}
    for what, group in ratios(frame).groupby("what", sort=False):
        cell = group.ratio.map("{:.3f}".format)
        if what != "step":
            cell = group.value.map("{:.1f}".format) + " (" + group.ratio.map("{:.2f}".format) + ")"
        table = group.assign(cell=cell).pivot(index="way", columns="case", values="cell")
        table = table.loc[group.way.unique(), group.case.unique()]
        found[MEASURED[what][0]] = table.reset_index()
    return found
