"""Rank of the adapter: LoRA, rsLoRA and α-LoRA for ranks 1 to 32.

On digits rotated by 90° with a small transformer that was trained on upright ones. Sources, starts,
rates and scored images are those of `vision`. rsLoRA is there because its scale depends on the
rank.
"""

from benchmarks._runner import run_cells
from benchmarks.networks._adapters import add_methods
from benchmarks.networks._digit_transfers import score_way
from benchmarks.networks._sweeps import publish_sweep
from benchmarks.networks.vision import RATES

RANKS = [1, 8, 32]
PEERS = ["plain-lora", "rslora", "lora", "alpha"]


def add_arguments(parser):
    """Add ranks, draws and what nets are trained with."""
    parser.add_argument("--ranks", type=int, nargs="+", default=RANKS, help="ranks")
    parser.add_argument("--n", type=int, default=100, help="labelled target rows")
    parser.add_argument("--draws", type=int, default=4, help="draws of source and target rows")
    parser.add_argument("--epochs", type=int, default=15, help="passes over the target rows")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, help="learning rates")
    add_methods(parser, PEERS)


def main(args):
    """Train and score all, write it down, draw it."""
    cells = [
        {"network": "transformer", "task": "rotated", "seed": seed, "n": args.n, "way": way}
        | {"lr": rate, "epochs": args.epochs, "rank": rank}
        for seed in range(args.draws)
        for rank in args.ranks
        for way in args.methods
        for rate in args.rates
    ]
    frame = run_cells("rank", score_way, cells, resume=args.resume)
    caption = (
        f"Rotated digits, transformer, n = {args.n}, mean of {args.draws} draws of source and "
        f"target, {args.epochs} epochs. The best rate of a method at a rank is that on images "
        "which are not scored."
    )
    publish_sweep(frame, "rank", args, ["rank"], caption)
