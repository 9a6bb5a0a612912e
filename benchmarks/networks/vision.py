"""Beyond text: networks pretrained on scikit-learn's digits, adapted to shifted digits.

A small transformer over the 8 rows of an image, and a perceptron, are trained in full on the source
(800 of the images, or five of the classes), then adapted with n labelled images of the target: the
other images with inverted pixels and noise, rotated by 90°, or with noise; or the other five
classes. The source alone cannot answer for new classes; its head has as many outputs, so all
methods start from it there too. LoRA, DoRA and rsLoRA are PEFT's and start at the head of the
source, as full fine-tuning does. LP-FT (all weights), LoRA (α = 1) and α-LoRA start at the linear
probe. The target alone is a new network, trained in full on the n images.

Every method is trained at every rate. Its best rate for a network, a target and an n is that of the
highest mean accuracy, or the least mean log loss, on the images with an even number. Images with an
odd number are scored. The n images of a draw are of either kind, and neither choose nor are scored
in that draw. A user has fewer rows to choose a rate: this favours methods whose rate matters much.
"""

from benchmarks._names import ALONE
from benchmarks._runner import run_cells
from benchmarks.networks._adapters import add_methods
from benchmarks.networks._digit_networks import ARCHITECTURES
from benchmarks.networks._digit_transfers import TARGET_ALONE, TASKS, score_way
from benchmarks.networks._sweeps import publish_sweep

PEERS = ["plain-lora", "dora", "rslora", "full", "lp-ft", "lora", "alpha"]
RATES = [1e-3, 3e-3, 1e-2, 3e-2, 1e-1]


def add_arguments(parser):
    """Add networks, tasks, sizes, draws and what nets are trained with."""
    parser.add_argument(
        "--networks", nargs="+", choices=ARCHITECTURES, default=list(ARCHITECTURES), help="networks"
    )
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS[:3], help="targets")
    parser.add_argument("--n", type=int, nargs="+", default=[100], help="labelled target rows")
    parser.add_argument("--draws", type=int, default=5, help="draws of source and target rows")
    parser.add_argument("--epochs", type=int, default=15, help="passes over the target rows")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, help="learning rates")
    add_methods(parser, PEERS)


def main(args):
    """Train and score all, write it down, draw it."""
    ways = [(way, rate) for way in [TARGET_ALONE, *args.methods] for rate in args.rates]
    cells = [
        {"network": network, "task": task, "seed": seed, "n": n, "way": way, "lr": rate}
        | {"epochs": args.epochs}
        for seed in range(args.draws)
        for network in args.networks
        for task in args.tasks
        for n in args.n
        for way, rate in [(ALONE, None), *ways]
        if way != ALONE or task != "new classes"
    ]
    frame = run_cells("vision", score_way, cells, resume=args.resume)
    caption = (
        f"Mean of {args.draws} draws of source and target, {args.epochs} epochs. The best rate of "
        "a method is that on images which are not scored."
    )
    publish_sweep(frame, "vision", args, ["network", "task", "n"], caption)
