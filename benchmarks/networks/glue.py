"""GLUE with LoRA, α-LoRA and others at several rates: SST-2, QQP, MNLI, and RTE, CoLA.

n rows are drawn from a task's training file. A tenth of them is each method's validation set: it
chooses the epoch and the rate. Rows of the dev file, the same for all methods and draws, are scored
once, at the end. No source knows the classes, so the source alone cannot answer, and the table has
the shares of the classes. LoRA, DoRA and full fine-tuning start at a random head, LoRA (α = 1) and
α-LoRA at the linear probe.

Finished cells are appended to `draws.csv`, and a rerun goes on there. `--preset small` is for a
CPU, on the tasks that MiniLM learns from 2000 rows. `--preset paper` is the setting of the paper's
Table 2, except that the dev rows do not choose the checkpoint, the adapter is not trained on the
batches of α, and the bias is not scaled; `--rates` sweeps there too.
"""

from benchmarks._data.embeddings import minilm_path
from benchmarks._data.glue import load
from benchmarks.networks._adapters import METHODS, FullNetClassifier, add_methods
from benchmarks.networks._appended import append_cells
from benchmarks.networks._glue_methods import SHARES, score_way
from benchmarks.networks._sweeps import COLUMNS, publish_sweep
from benchmarks.networks._training import device

TASKS = ("RTE", "SST-2", "CoLA", "QQP", "MNLI")
# The paper has 40 epochs for RTE and 10 for the others.
PAPER = {
    "tasks": TASKS,
    "model": "roberta-base",
    "n": None,
    "epochs": None,
    "tokens": 512,
    "n_scored": None,
    "rates": [1e-4],
    "methods": ["lora", "alpha", "held-1", "held-10", "held-20"],
}
SMALL = {
    "tasks": ("SST-2", "QQP", "MNLI"),
    "model": "MiniLM",
    "n": 2000,
    "epochs": 3,
    "tokens": 64,
    "n_scored": 1000,
    "rates": [3e-4, 1e-3, 3e-3, 1e-2],
    "methods": ["plain-lora", "dora", "full", "lora", "alpha"],
}
ALL_WEIGHTS = 1 / 30  # the rates of methods that train all weights, as a part of the others'


def add_arguments(parser):
    """Add tasks, model and sizes; the preset has their defaults."""
    parser.add_argument("--preset", choices=("small", "paper"), default="small", help="set-up")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, help="tasks")
    parser.add_argument("--model", help="MiniLM, or a folder or id on the Hugging Face hub")
    parser.add_argument("--n", type=int, help="training rows; all in the paper's")
    parser.add_argument("--epochs", type=int, help="passes over the rows")
    parser.add_argument("--tokens", type=int, help="where texts are cut")
    parser.add_argument(
        "--n-scored", type=int, help="rows of the dev file scored; all in the paper's"
    )
    parser.add_argument("--seeds", type=int, default=3, help="draws of the training rows")
    parser.add_argument("--rates", type=float, nargs="+", help="learning rates of adapters")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--hub", action="store_true", help="read nyu-mll/glue through datasets")
    parser.add_argument("--minutes", type=float, help="start no cell later, and report")
    add_methods(parser, ())


def main(args):
    """Train and score what the file lacks, and write it down."""
    for name, value in (PAPER if args.preset == "paper" else SMALL).items():
        if not getattr(args, name):
            setattr(args, name, value)
    if args.model == "MiniLM":
        minilm_path()
    for task in args.tasks:
        load(task, "train", args.hub)
    ways = [(way, rate) for way in args.methods for rate in rates_of(way, args.rates)]
    cells = [
        {"task": task, "seed": seed, "way": way, "lr": rate, "n": args.n}
        | {"n_scored": args.n_scored, "model": args.model, "tokens": args.tokens}
        | {"precision": args.precision, "hub": args.hub, "preset": args.preset, "on": device()}
        | {"epochs": args.epochs or (40 if task == "RTE" else 10)}
        for seed in range(args.seeds)
        for task in args.tasks
        for way, rate in [(SHARES, None), *ways]
    ]
    frame = append_cells(
        args.out / "glue" / "draws.csv",
        score_way,
        cells,
        COLUMNS,
        resume=args.resume,
        minutes=args.minutes,
    )
    report(frame, args, len(ways) + 1)


def rates_of(way, rates):
    """The rates of a method: all weights need smaller ones than an adapter."""
    factor = ALL_WEIGHTS if METHODS[way][1] is FullNetClassifier else 1
    return [float(f"{factor * rate:.1g}") for rate in rates]


def report(frame, args, n_cells):
    """Write down the draws of which all cells are finished."""
    draws = frame.groupby(["task", "seed"], sort=False)
    frame = draws.filter(lambda draw: draw.key.nunique() == n_cells)
    counts = frame.groupby("task", sort=False).seed.nunique()
    finished = ", ".join(f"{task} {count}" for task, count in counts.items())
    scored = f"at most {args.n_scored}" if args.n_scored else "all"
    caption = (
        f"{args.model}, {args.n or 'all'} training rows, {args.epochs or '10 (RTE 40)'} epochs, "
        f"{scored} of the dev rows are scored. Finished draws of {args.seeds}: {finished}. The "
        "epoch and the rate are each method's best on a tenth of its training rows."
    )
    publish_sweep(frame, "glue", args, ["task"], caption, chosen_by=["task", "seed"])
