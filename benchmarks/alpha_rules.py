"""How to learn α in a network: what was tried, against α = 1 at equal rows, epochs and step size.

On the transfers between digits of `vision`, with the perceptron and the transformer. Paired over
draws of source and target rows; intervals are over these draws, all tasks averaged first.
"""

from sklearn.model_selection import train_test_split

from benchmarks._nets import (
    LORA,
    add_net_arguments,
    against,
    conditions,
    methods_markdown,
    one_thread,
    packages,
    score_net,
)
from benchmarks._riding import RidingNetClassifier
from benchmarks._rules import (
    CrossFitted,
    FirstPass,
    LogScale,
    PerLayer,
    Pulled,
    Settled,
    accepted,
    strength_chosen,
)
from benchmarks._runner import run_cells, version, write_results
from benchmarks._vision import ARCHITECTURES
from benchmarks.vision import TASKS, load_task
from sklearn_alpha.neural_network import AlphaLoRANetClassifier

FAST = {"alpha_lr": 2e-2}
# Name, class or function, and parameters.
RULES = {
    LORA: (AlphaLoRANetClassifier, {"alpha": 1.0}),
    "same batch, step 0.005": (AlphaLoRANetClassifier, {"alpha_lr": 5e-3}),
    "same batch, step 0.02": (AlphaLoRANetClassifier, FAST),
    "same batch, step 0.05": (AlphaLoRANetClassifier, {"alpha_lr": 5e-2}),
    "same batch, every 10th step": (AlphaLoRANetClassifier, FAST | {"alpha_every": 10}),
    "one α for each layer": (PerLayer, FAST),
    "on the scale of log α": (LogScale, FAST),
    "pulled towards 1": (Pulled, FAST),
    "pulled, strength by held-out loss": (strength_chosen, FAST),
    "second half of the epochs": (Settled, FAST),
    "first epoch only": (FirstPass, FAST),
    # its batches are halved, so that of twice the size it takes as many steps as the others
    "cross-fitted halves of a batch": (CrossFitted, FAST | {"batch_size": 32}),
    "accepted by held-out loss": (accepted, FAST),
    "held out, every step": (AlphaLoRANetClassifier, FAST | {"alpha_split": 0.2}),
    "held out, every 10th step": (
        AlphaLoRANetClassifier,
        FAST | {"alpha_split": 0.2, "alpha_every": 10},
    ),
    "held out, riding": (RidingNetClassifier, FAST | {"alpha_split": 0.2}),
}
BY = ["network", "lr"]


def add_arguments(parser):
    """Add networks, size, draws and what nets are trained with."""
    parser.add_argument(
        "--networks", nargs="+", choices=ARCHITECTURES, default=list(ARCHITECTURES), help="networks"
    )
    parser.add_argument("--n", type=int, default=100, help="labelled target rows")
    parser.add_argument("--draws", type=int, default=10, help="draws of source and target rows")
    parser.add_argument("--epochs", type=int, default=20, help="passes over the target rows")
    add_net_arguments(parser, lr=[1e-2])


def main(args):
    """Train and score all, and write it down."""
    cells = [
        {"network": network, "task": task, "seed": seed, "rule": rule, "lr": lr}
        | {"n": args.n, "epochs": args.epochs}
        for network in args.networks
        for task in TASKS
        for seed in range(args.draws)
        for lr in args.lr
        for rule in RULES
    ]
    frame = run_cells("alpha-rules", score_rule, cells, resume=args.resume)
    summary = against(frame, BY)
    table = (
        f"# alpha-rules\n\nMean of {len(TASKS)} tasks x {args.draws} draws, n = {args.n}. "
        f"{conditions(args)}\n\n{methods_markdown(summary, BY)}"
    )
    config = vars(args) | {"packages": packages()}
    write_results(summary, "alpha-rules", out=args.out, config=config, table=table)
    print(table)


@version(1, "sklearn_alpha.neural_network")
@one_thread()
def score_rule(network, task, seed, rule, lr, n, epochs):
    """One rule on one draw."""
    source, X, y = load_task(network, task, seed)
    X, X_scored, y, y_scored = train_test_split(X, y, train_size=n, stratify=y, random_state=seed)
    kind, own = RULES[rule]
    options = {"lr": lr, "max_epochs": epochs, "rank": 4, "random_state": seed, **own}
    if isinstance(kind, type):
        net = kind(source.module_, **options).fit(X, y)
    else:
        net = kind(source.module_, X, y, options, seed)
    return score_net(net, X_scored, y_scored) | {"method": rule}
