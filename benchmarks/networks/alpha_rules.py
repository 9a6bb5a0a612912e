"""How to learn α in a network: several ways, against α = 1 at equal rows, epochs and step size.

On the transfers between digits of `vision`, with the perceptron and the transformer; with `--text`
MiniLM on two tasks of GLUE that a few hundred rows can teach. α starts at 1, except where
"left-out rows" of the linear probe choose the start. Differences are paired over draws of rows;
intervals are over these draws, after the mean over the tasks.
"""

import numpy as np
from sklearn.model_selection import train_test_split

from benchmarks._data.embeddings import minilm_path
from benchmarks._data.glue import glue_rows
from benchmarks._names import LEFT_OUT_ROWS, LORA
from benchmarks._runner import run_cells
from benchmarks.networks._comparison import publish_methods
from benchmarks.networks._digit_networks import ARCHITECTURES
from benchmarks.networks._digit_transfers import TASKS, load_task
from benchmarks.networks._rules import (
    CrossFitted,
    Decayed,
    FirstEpoch,
    LogScale,
    PerLayer,
    SecondHalf,
    accepted,
    longer,
    strength_chosen,
)
from benchmarks.networks._training import one_thread, score_net
from sklearn_alpha.neural_network import AlphaLoRANetClassifier

MINILM, TOKENS, N_SCORED = "MiniLM", 64, 500
DIGITS = {"tasks": TASKS, "n": 100, "draws": 10, "epochs": 20, "lr": [1e-2]}
TEXT = {"tasks": ("SST-2", "QQP"), "n": 200, "draws": 3, "epochs": 3, "lr": [3e-3]}
FROM_ONE = {"alpha_init": 1.0}
FAST = FROM_ONE | {"alpha_lr": 2e-2}
# Name, class or function, and parameters.
RULES = {
    LORA: (AlphaLoRANetClassifier, {"alpha": 1.0}),
    "LoRA, twice the epochs": (longer, {}),
    "α = 0.7": (AlphaLoRANetClassifier, {"alpha": 0.7}),
    "α = 0.5": (AlphaLoRANetClassifier, {"alpha": 0.5}),
    "left-out rows, held": (AlphaLoRANetClassifier, {"alpha_lr": 0.0}),
    LEFT_OUT_ROWS: (AlphaLoRANetClassifier, {}),
    "left-out rows, step 0.005": (AlphaLoRANetClassifier, {"alpha_lr": 5e-3}),
    "same batch, step 0.001": (AlphaLoRANetClassifier, FROM_ONE | {"alpha_lr": 1e-3}),
    "same batch, step 0.005": (AlphaLoRANetClassifier, FROM_ONE | {"alpha_lr": 5e-3}),
    "same batch, step 0.02": (AlphaLoRANetClassifier, FAST),
    "same batch, step 0.05": (AlphaLoRANetClassifier, FROM_ONE | {"alpha_lr": 5e-2}),
    "same batch, every 10th step": (AlphaLoRANetClassifier, FAST | {"alpha_every": 10}),
    "one α for each layer": (PerLayer, FAST),
    "on the scale of log α": (LogScale, FAST),
    "decayed towards 1": (Decayed, FAST),
    "decayed, strength by held-out loss": (strength_chosen, FAST),
    "second half of the epochs": (SecondHalf, FAST),
    "first epoch only": (FirstEpoch, FAST),
    # its batches are halved, so with twice the size it takes as many steps as the others
    "cross-fitted halves of a batch": (CrossFitted, FAST | {"batch_size": 32}),
    "accepted by held-out loss": (accepted, FAST),
    "held out, every step": (AlphaLoRANetClassifier, FAST | {"alpha_split": 0.2}),
    "held out, every 10th step": (
        AlphaLoRANetClassifier,
        FAST | {"alpha_split": 0.2, "alpha_every": 10},
    ),
}
# Texts take longer than images: one of each group that is alike on images.
OF_TEXT = [
    LORA,
    "LoRA, twice the epochs",
    "α = 0.7",
    "α = 0.5",
    "left-out rows, held",
    LEFT_OUT_ROWS,
    "same batch, step 0.005",
    "cross-fitted halves of a batch",
    "accepted by held-out loss",
    "held out, every 10th step",
]


def add_arguments(parser):
    """Add kind, sizes and draws."""
    parser.add_argument("--text", action="store_true", help=f"{MINILM} on GLUE in place of digits")
    for name, text in {
        "n": "labelled target rows",
        "draws": "draws of rows, and of the source of digits",
        "epochs": "passes over the target rows",
    }.items():
        parser.add_argument(
            f"--{name}", type=int, help=f"{text} (default {DIGITS[name]}; {TEXT[name]} with --text)"
        )


def main(args):
    """Train and score all, and write it down."""
    kind = TEXT if args.text else DIGITS
    args.lr = kind["lr"]
    for name in ("n", "draws", "epochs"):
        if getattr(args, name) is None:
            setattr(args, name, kind[name])
    cells = [
        {"network": network, "task": task, "seed": seed, "rule": rule, "lr": kind["lr"][0]}
        | {"n": args.n, "epochs": args.epochs}
        for network in ([MINILM] if args.text else ARCHITECTURES)
        for task in kind["tasks"]
        for seed in range(args.draws)
        for rule in (OF_TEXT if args.text else RULES)
    ]
    name = "alpha-rules-text" if args.text else "alpha-rules"
    caption = (
        f"Mean of {len(kind['tasks'])} tasks ({', '.join(kind['tasks'])}) x {args.draws} draws, "
        f"n = {args.n}."
    )
    frame = run_cells(name, score_rule, cells, resume=args.resume)
    publish_methods(frame, name, args, ["network"], caption)


@one_thread()
def score_rule(network, task, seed, rule, lr, n, epochs):
    """One rule on one draw."""
    own = {"lr": lr, "max_epochs": epochs, "random_state": seed}
    if network == MINILM:
        X, y = glue_rows(task, "train", n, seed)
        X_scored, y_scored = glue_rows(task, "dev", N_SCORED, seed=0)
        X = np.array(X, dtype=object)  # rules index it
        model, own = minilm_path(), own | {"rank": 8, "max_length": TOKENS}
    else:
        source, X, y, _ = load_task(network, task, seed)
        X, X_scored, y, y_scored = train_test_split(
            X, y, train_size=n, stratify=y, random_state=seed
        )
        model, own = source.module_, own | {"rank": 4}
    kind, options = RULES[rule]
    if isinstance(kind, type):
        net = kind(model, **own | options).fit(X, y)
    else:
        net = kind(model, X, y, own | options, seed)
    return score_net(net, X_scored, y_scored) | {"method": rule}
