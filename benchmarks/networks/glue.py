"""GLUE with LoRA, α-LoRA and other adapters: RTE, SST-2, CoLA, QQP, MNLI.

n rows are drawn from a task's training file. A tenth of them is each method's validation set: it
chooses the epoch, and the step size where there are several. Rows of the dev file, the same for all
methods and draws, are scored once, at the end. No source knows the classes, so the comparison is
with the shares of the classes. `--preset paper` is the setting of the paper's Table 2, except that
the dev rows do not choose the checkpoint, the adapter is not trained on the batches of α, and the
bias is not scaled.
"""

from sklearn.dummy import DummyClassifier

from benchmarks._data.embeddings import minilm_path
from benchmarks._data.glue import glue_rows, load
from benchmarks._runner import run_cells
from benchmarks.networks._adapters import METHODS, add_net_arguments
from benchmarks.networks._comparison import publish_methods
from benchmarks.networks._training import (
    PublishedStart,
    device,
    one_thread,
    score,
    score_net,
    train,
)

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

# Further options of the published code.
PUBLISHED = {
    "batch_size": 64,
    "held_out": 0.1,
    "optimizer__betas": (0.9, 0.99),
    "callbacks": [("published_start", PublishedStart())],
    "callbacks__linear_probe": None,
}


def add_arguments(parser):
    """Add tasks, model and sizes; the preset has their defaults."""
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
    args.epochs = args.epochs or "10 (RTE 40)"
    scored = f"at most {args.n_scored}" if args.n_scored else "all"
    caption = (
        f"{args.model}, {args.n or 'all'} training rows, {args.seeds} seeds; "
        f"{scored} of the dev rows are scored. "
        "The epoch is each method's best on a tenth of its training rows."
    )
    publish_methods(frame, "glue", args, ["task"], caption)


@one_thread()
def score_method(
    task, seed, method, lr, n, n_scored, model, tokens, hub, on, epochs, published=False, rank=8
):
    """One method on one draw of training rows; `on` tells devices apart."""
    X, y = glue_rows(task, "train", n, seed, hub=hub)
    X_dev, y_dev = glue_rows(task, "dev", n_scored, seed=0, hub=hub)
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
        early_stopping=True,
        n_iter_no_change=epochs,  # never stops, and restores the best epoch
        **(PUBLISHED if published else {"batch_size": 16}),
    )
    return score_net(net, X_dev, y_dev) | {"method": METHODS[method][0]}
