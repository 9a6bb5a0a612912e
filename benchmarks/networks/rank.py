"""Rank of the adapter: LoRA against α-LoRA for ranks 1 to 32.

On digits rotated by 90° with a small transformer that was trained on upright ones (see `vision`),
n = 200 labels; with --text on SST-2 with MiniLM (see `glue`), 500 rows. For comparison α = ¼, which
is below the least start of the default.
"""

import numpy as np

from benchmarks._data.embeddings import minilm_path
from benchmarks._data.glue import load
from benchmarks._figures import BLUE, GREEN, ORANGE, RED, save, subplots
from benchmarks._runner import run_cells
from benchmarks.networks import glue, vision
from benchmarks.networks._adapters import add_net_arguments
from benchmarks.networks._comparison import publish_methods
from benchmarks.networks._training import device

RANKS = [1, 2, 4, 8, 16, 32]
# Cells of `vision` and of `glue`.
DIGITS = {"network": "transformer", "task": "rotated", "n": 200}
SST2 = {"task": "SST-2", "n": 500, "n_scored": None, "model": "MiniLM", "tokens": 64}
SST2 |= {"hub": False}


def add_arguments(parser):
    """Add ranks, draws and what nets are trained with."""
    parser.add_argument("--text", action="store_true", help="SST-2 with MiniLM instead of digits")
    parser.add_argument("--ranks", type=int, nargs="+", default=RANKS, help="ranks")
    parser.add_argument("--draws", type=int, help="draws of the rows (default 10, text 3)")
    parser.add_argument("--epochs", type=int, help="passes over the rows (default 15, text 3)")
    add_net_arguments(parser, lr=None, methods=["lora", "alpha", "quarter", "held-10"])


def main(args):
    """Train and score all, write it down, draw it."""
    if args.text:
        minilm_path()
        load("SST-2", "train", False)
        function, fixed, without = glue.score_method, SST2 | {"on": device()}, "shares"
        draws, epochs, lr = 3, 3, [1e-3]
    else:
        function, fixed, without = vision.score_method, DIGITS, "alone"
        draws, epochs, lr = 10, 15, [1e-2, 3e-2]
    args.draws, args.epochs, args.lr = args.draws or draws, args.epochs or epochs, args.lr or lr
    cells = [
        {"seed": seed, "rank": rank, "method": method, "epochs": args.epochs, "lr": args.lr} | fixed
        for seed in range(args.draws)
        for rank in args.ranks
        for method in [without, *args.methods]
    ]
    frame = run_cells("rank", function, cells, resume=args.resume)
    name = "rank-text" if args.text else "rank"
    caption = f"{'SST-2' if args.text else 'Rotated digits'}, {args.draws} draws."
    summary, folder = publish_methods(frame, name, args, ["rank"], caption)
    draw(summary, folder / "figure.png")


def draw(summary, path):
    """Accuracy and log loss along the ranks."""
    figure, axes = subplots(1, 2, figsize=(9, 3.6))
    ranks = summary["rank"].unique()
    methods = summary.method.unique()[1:]  # the first is without training
    colours = np.resize([BLUE, ORANGE, RED, GREEN], len(methods))
    for ax, measure, unit in zip(axes, ("accuracy", "log_loss"), (100, 1)):
        for method, colour in zip(methods, colours):
            own = summary[summary.method == method]
            ax.plot(own["rank"], unit * own[measure], "o-", color=colour, label=method)
        ax.set_xscale("log", base=2)
        ax.set_xticks(ranks, ranks)
        ax.set(xlabel="rank", ylabel="accuracy, %" if unit == 100 else "log loss")
    axes[0].legend(fontsize="small")
    return save(figure, path)
