"""GLUE with LoRA, α-LoRA and other adapters: RTE, SST-2, CoLA, QQP, MNLI.

n rows are drawn from a task's training file. A tenth of them is each method's validation set: it
chooses the epoch, and the step size where there are several. Rows of the dev file, the same for all
methods and draws, are scored once, at the end. There is no source that knows the classes; the
shares of the classes stand in its place. `--preset paper` is the set-up of the paper's Table 2,
without its choice of the checkpoint by the dev rows, its α batches that the adapter is trained on
too, and its scaled bias.
"""

from functools import lru_cache

import numpy as np
from sklearn.dummy import DummyClassifier

from benchmarks._data import SHARED, MissingData, some
from benchmarks._nets import (
    METHODS,
    NETS,
    PublishedStart,
    add_net_arguments,
    against,
    conditions,
    device,
    methods_markdown,
    minilm_path,
    one_thread,
    packages,
    score,
    score_net,
    train,
)
from benchmarks._runner import run_cells, version, write_results
from sklearn_alpha.datasets import load_glue_task

TASKS = ("RTE", "SST-2", "CoLA", "QQP", "MNLI")
SHARES = "shares of the classes"
# The paper has 40 epochs for RTE and 10 for the others.
PAPER = {
    "model": "roberta-base",
    "n": None,
    "epochs": None,
    "tokens": 512,
    "n_scored": None,
    "lr": [1e-4],
    "methods": ["lora", "alpha", "held-1", "held-10", "held-20"],
}
SMALL = {
    "model": "MiniLM",
    "n": 500,
    "epochs": 3,
    "tokens": 64,
    "n_scored": 1000,
    "lr": [1e-3],
    "methods": ["lora", "alpha", "held-10"],
}

# What the published code has beside these.
PUBLISHED = {
    "batch_size": 64,
    "held_out": 0.1,
    "optimizer__betas": (0.9, 0.99),
    "callbacks": [("published_start", PublishedStart())],
    "callbacks__linear_probe": None,
}


def add_arguments(parser):
    """Add tasks, model and sizes; what is not given follows the preset."""
    parser.add_argument("--preset", choices=("small", "paper"), default="small", help="set-up")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), help="tasks")
    parser.add_argument("--model", help="MiniLM, or a folder or id on the Hugging Face hub")
    parser.add_argument("--n", type=int, help="training rows; all in the paper's")
    parser.add_argument("--epochs", type=int, help="passes over the rows")
    parser.add_argument("--tokens", type=int, help="where texts are cut")
    parser.add_argument(
        "--n-scored", type=int, help="rows of the dev file scored; all in the paper's"
    )
    parser.add_argument("--seeds", type=int, default=3, help="draws of the training rows")
    parser.add_argument("--hub", action="store_true", help="read nyu-mll/glue through datasets")
    add_net_arguments(parser, lr=None, methods=())


def main(args):
    """Train and score all, and write it down."""
    for name, value in (PAPER if args.preset == "paper" else SMALL).items():
        if not getattr(args, name):
            setattr(args, name, value)
    if args.model == "MiniLM":
        minilm_path()
    for task in args.tasks:
        load(task, "train", args.hub)
    cells = [
        {"task": task, "seed": seed, "method": method, "lr": args.lr, "n": args.n}
        | {"n_scored": args.n_scored}
        | {"model": args.model, "tokens": args.tokens, "hub": args.hub, "on": device()}
        | {"epochs": args.epochs or (40 if task == "RTE" else 10)}
        | {"published": args.preset == "paper"}
        for task in args.tasks
        for seed in range(args.seeds)
        for method in ["shares", *args.methods]
    ]
    frame = run_cells("glue", score_method, cells, resume=args.resume)
    summary = against(frame, ["task"])
    args.epochs = args.epochs or "10 (RTE 40)"
    scored = f"at most {args.n_scored}" if args.n_scored else "all"
    table = (
        f"# glue\n\n{args.model}, {args.n or 'all'} training rows, {args.seeds} seeds; "
        f"{scored} of the dev rows are scored. "
        "The epoch is each method's best on a tenth of its training rows. "
        f"{conditions(args)}\n\n{methods_markdown(summary, ['task'])}"
    )
    config = vars(args) | {"packages": packages()}
    folder = write_results(summary, "glue", out=args.out, config=config, table=table)
    print(table, f"\nWritten to {folder}", sep="\n")


@version(1, *NETS, "sklearn_alpha.datasets")
@one_thread()
def score_method(
    task, seed, method, lr, n, n_scored, model, tokens, hub, on, epochs, published=False, rank=8
):
    """One method on one draw of training rows; `on` tells devices apart."""
    X, y = load(task, "train", hub)
    X, y = part(X, y, n, seed)
    X_dev, y_dev = part(*load(task, "dev", hub), n_scored, seed=0)
    if method == "shares":
        shares = DummyClassifier(strategy="prior").fit(X, y)
        return {"method": SHARES} | score(shares, X_dev, y_dev, shares.classes_)
    net = train(
        method,
        minilm_path() if model == "MiniLM" else model,
        X,
        y,
        lr=lr,
        seed=seed,
        rank=rank,
        max_length=tokens,
        max_epochs=epochs,
        early_stopping=epochs,  # never stops, and goes back to the best epoch
        **(PUBLISHED if published else {"batch_size": 16}),
    )
    return score_net(net, X_dev, y_dev) | {"method": METHODS[method][0]}


def part(X, y, n, seed):
    """`some` of the rows, and their classes."""
    rows = some(y, n, seed)
    return [X[row] for row in rows], y[rows]


@lru_cache(maxsize=4)
def load(task, split, hub):
    """Texts and class numbers of a file of a task."""
    if hub:
        return _from_hub(task, split)
    for home in (None, SHARED):
        try:
            bunch = load_glue_task(task, split=split, data_home=home)
        except OSError:
            continue
        return bunch.data, bunch.target
    raise MissingData(
        f"The files of {task} are not on this machine: set SKLEARN_ALPHA_DATA to a folder with "
        f"glue/{task}/{split}.tsv, or read them from the hub with --hub, or run "
        "`python -m benchmarks vision`, which needs no data."
    )


def _from_hub(task, split):
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise MissingData("--hub needs datasets: pip install datasets.") from error
    if split == "dev":
        split = "validation_matched" if task == "MNLI" else "validation"
    rows = load_dataset("nyu-mll/glue", task.lower().replace("-", ""), split=split)
    texts = [name for name in rows.column_names if name not in ("label", "idx")]
    columns = [list(rows[name]) for name in texts]
    return list(zip(*columns)) if len(columns) > 1 else columns[0], np.array(rows["label"])
