"""Networks of digits adapted to shifted digits, by one method at one rate."""

from functools import lru_cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from benchmarks._names import ALONE
from benchmarks.networks._adapters import METHODS
from benchmarks.networks._digit_networks import ARCHITECTURES, pretrain
from benchmarks.networks._training import one_thread, score, score_net, train

N_SOURCE = 800
TASKS = ("inverted", "rotated", "noisy", "new classes")
TARGET_ALONE = "target alone"


@one_thread()
def score_way(network, task, seed, n, way, lr, epochs, rank=4):
    """One method at one rate on one draw; or the source alone."""
    source, X, y, images = load_task(network, task, seed)
    X, X_rest, y, y_rest, _, images = train_test_split(
        X, y, images, train_size=n, stratify=y, random_state=seed
    )
    odd = images % 2 == 1
    scored, choice = (X_rest[odd], y_rest[odd]), (X_rest[~odd], y_rest[~odd])
    if way == ALONE:
        return {"method": ALONE, "rate": None} | score(source, *scored, source.classes_)
    method, model = way, source.module_
    if way == TARGET_ALONE:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            method, model = "full", ARCHITECTURES[network](y.max() + 1)
    net = train(method, model, X, y, lr=lr, seed=seed, max_epochs=epochs, batch_size=32, rank=rank)
    chosen_by = score(net, *choice, net.classes_)
    return score_net(net, *scored) | {
        "method": TARGET_ALONE if way == TARGET_ALONE else METHODS[way][0],
        "rate": lr,
        "seconds": net.seconds_,
        "choice_accuracy": chosen_by["accuracy"],
        "choice_log_loss": chosen_by["log_loss"],
    }


@lru_cache(maxsize=1)  # cells come source by source
def load_task(network, task, seed):
    """A pretrained network, and the images, labels and numbers of the images of the target."""
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
    codes = np.unique(y[other], return_inverse=True)[1]
    return source, shift(X[other], task, rng), codes, other


def shift(X, task, rng):
    """The target's images."""
    if task == "rotated":
        return np.rot90(X.reshape(-1, 8, 8), axes=(1, 2)).reshape(X.shape)
    if task == "new classes":
        return X
    sign, noise = {"inverted": (-1, 0.3), "noisy": (1, 1.0)}[task]
    return (sign * X + rng.normal(0, noise, X.shape)).astype(np.float32)
