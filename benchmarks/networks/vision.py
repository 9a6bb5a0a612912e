"""Beyond text: networks pretrained on scikit-learn's digits, adapted to shifted digits.

A small transformer over the 8 rows of an image, and a perceptron, are trained in full on the source
(800 of the images, or five of the classes), then adapted with n labelled images of the target: the
other images with inverted pixels and noise, rotated by 90°, or with noise; or the other five
classes. Every other image of the target is scored. The source alone cannot answer for
new classes; its head has as many outputs, so all methods start from it there too.
"""

from functools import lru_cache

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from benchmarks._figures import BLACK, BLUE, ORANGE, save, subplots
from benchmarks._names import ALONE, LORA
from benchmarks._runner import run_cells
from benchmarks.networks._adapters import METHODS, add_net_arguments
from benchmarks.networks._comparison import publish_methods
from benchmarks.networks._digit_networks import ARCHITECTURES, pretrain
from benchmarks.networks._training import one_thread, score, score_net, train

N_SOURCE = 800
TASKS = ("inverted", "rotated", "noisy", "new classes")


def add_arguments(parser):
    """Add networks, tasks, sizes, draws and what nets are trained with."""
    parser.add_argument(
        "--networks", nargs="+", choices=ARCHITECTURES, default=list(ARCHITECTURES), help="networks"
    )
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), help="targets")
    parser.add_argument("--n", type=int, nargs="+", default=[60, 200], help="labelled target rows")
    parser.add_argument("--draws", type=int, default=20, help="draws of source and target rows")
    parser.add_argument("--epochs", type=int, default=15, help="passes over the target rows")
    add_net_arguments(parser, lr=[1e-2, 3e-2])


def main(args):
    """Train and score all, write it down, draw it."""
    cells = [
        {"network": network, "task": task, "seed": seed, "n": n, "method": method}
        | {"lr": args.lr, "epochs": args.epochs}
        for network in args.networks
        for task in args.tasks
        for seed in range(args.draws)
        for n in args.n
        for method in ["alone", *args.methods]
        if method != "alone" or task != "new classes"
    ]
    frame = run_cells("vision", score_method, cells, resume=args.resume)
    caption = f"Mean of {args.draws} draws of source and target."
    summary, folder = publish_methods(frame, "vision", args, ["network", "task", "n"], caption)
    draw(summary, folder / "figure.png")


@one_thread()
def score_method(network, task, seed, n, method, lr, epochs, rank=4):
    """One method on one draw; or the source alone."""
    source, X, y = load_task(network, task, seed)
    X, X_scored, y, y_scored = train_test_split(X, y, train_size=n, stratify=y, random_state=seed)
    if method == "alone":
        return {"method": ALONE} | score(source, X_scored, y_scored, source.classes_)
    net = train(
        method, source.module_, X, y, lr=lr, seed=seed, max_epochs=epochs, batch_size=32, rank=rank
    )
    return score_net(net, X_scored, y_scored) | {"method": METHODS[method][0]}


@lru_cache(maxsize=1)  # cells come source by source
def load_task(network, task, seed):
    """A pretrained network, and the images and labels of the target."""
    X, y = load_digits(return_X_y=True)
    X = (X / 8 - 1).astype(np.float32)
    rng = np.random.default_rng(seed)
    if task == "new classes":
        digits = rng.permutation(10)
        rows = [np.flatnonzero(np.isin(y, part)) for part in (digits[:5], digits[5:])]
    else:
        rows = np.split(rng.permutation(len(X)), [N_SOURCE])
    own, other = rows
    source = pretrain(network, X[own], np.unique(y[own], return_inverse=True)[1], seed)
    return source, shift(X[other], task, rng), np.unique(y[other], return_inverse=True)[1]


def shift(X, task, rng):
    """The target's images."""
    if task == "rotated":
        return np.rot90(X.reshape(-1, 8, 8), axes=(1, 2)).reshape(X.shape)
    if task == "new classes":
        return X
    sign, noise = {"inverted": (-1, 0.3), "noisy": (1, 1.0)}[task]
    return (sign * X + rng.normal(0, noise, X.shape)).astype(np.float32)


def draw(summary, path):
    """Difference to LoRA of every method, a panel for each network and task."""
    networks, tasks = summary.network.unique(), summary.task.unique()
    methods = [m for m in summary.method.unique() if m not in (LORA, ALONE)]
    figure, axes = subplots(
        len(networks),
        len(tasks),
        figsize=(3 + 2.2 * len(tasks), 1 + 2.2 * len(networks)),
        sharey=True,
        squeeze=False,
    )
    for row, network in zip(axes, networks):
        for ax, task in zip(row, tasks):
            panel = summary[(summary.network == network) & (summary.task == task)]
            for shift_by, colour, (n, group) in zip(
                (-0.15, 0.15), (BLUE, ORANGE), panel.groupby("n")
            ):
                group = group.set_index("method").reindex(methods)
                mean = 100 * group.accuracy_difference
                bars = [
                    mean - 100 * group.accuracy_low,
                    100 * group.accuracy_high - mean,
                ]
                places = np.arange(len(methods)) + shift_by
                ax.errorbar(mean, places, xerr=bars, fmt="o", color=colour, label=f"n = {n}")
            ax.axvline(0, color=BLACK, linewidth=0.8)
            ax.set(title=f"{network}, {task}")
        row[0].set_yticks(range(len(methods)), methods)
    axes[0, 0].invert_yaxis()
    figure.supxlabel(f"accuracy less that of {LORA}, points, with 95 % interval")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper")
    return save(figure, path)
