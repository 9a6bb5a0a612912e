"""One training loop for all ways to adapt a network, and the scores of what it gives.

Every method gets the same rows, epochs, batches, seed and rank, and starts with the same head; what
it holds out for α it takes from these rows. Among several step sizes each method chooses by the log
loss on a part of its own training rows.
"""

import contextlib
from importlib import metadata

import numpy as np
import torch
from sklearn.metrics import log_loss
from skorch.callbacks import Callback
from skorch.dataset import ValidSplit

from benchmarks.networks._adapters import HELD_OUT, METHODS


def device():
    """A GPU where torch sees one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def packages():
    """Versions and device that decide numbers and times, for `meta.json`."""
    names = ("torch", "transformers", "peft", "skorch")
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {name: metadata.version(name) for name in names} | {"device": gpu or "cpu"}


class PublishedStart(Callback):
    """A ~ N(0, 1)/√r, about 17 times PEFT's, as in the published code."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        for name, p in net.module_.named_parameters():
            if ".lora_A." in name:
                torch.nn.init.normal_(p, std=len(p) ** -0.5)


def train(method, model, X, y, *, lr, seed, held_out=HELD_OUT, **options):
    """Adapt a model by one method, with the best of several step sizes.

    Parameters
    ----------
    method : str
        Key of `METHODS`.
    model : str, module or FrozenEstimator
        As of `AlphaLoRANetClassifier`.
    X, y : training rows
    lr : list of float
        If there are several, each is tried with a fifth of the rows held out for validation, and
        the net is trained again on all rows with the one of lowest log loss. With
        `early_stopping` in `options`, which holds rows out, these validate instead, and no
        training is repeated.
    seed : int
    held_out : float
        `alpha_split` of the methods that have one.
    **options
        Of the classifier.

    Returns
    -------
    net : AlphaLoRANetClassifier
    """
    _, kind, own = METHODS[method]
    own = own | ({"alpha_split": held_out} if "alpha_split" in own else {})
    # The methods are compared where training ends, not where the anchor leaves them.
    options = {"random_state": seed, "device": device(), "callbacks__anchor": None} | options | own
    if options.get("early_stopping"):
        nets = [kind(model, lr=step, **options).fit(X, y) for step in lr]
        return min(nets, key=lambda net: min(net.history[:, "valid_loss"]))
    best = lr[0]
    if len(lr) > 1:
        part = ValidSplit(0.2, stratified=True, random_state=seed)
        losses = {}
        for step in lr:
            net = kind(model, lr=step, train_split=part, **options).fit(X, y)
            losses[step] = net.history[-1, "valid_loss"]
        best = min(losses, key=losses.get)
    return kind(model, lr=best, **options).fit(X, y)


def score(classifier, X, y, classes):
    """Accuracy and log loss on rows that the classifier has not seen."""
    P = classifier.predict_proba(X)
    return {
        "accuracy": np.mean(np.asarray(classes)[P.argmax(axis=1)] == y),
        "log_loss": log_loss(y, P, labels=classes),
    }


def score_net(net, X, y):
    """`score`, training time, distance of α from 1, and step size of a net from `train`.

    The time is that of the epochs of the last fit, without loading and tokenising; the distance is
    the mean of |α − 1| over all rows of a layer, then over layers.
    """
    alphas = [np.abs(alpha - 1).mean() for alpha in net.alpha_.values()]
    return score(net, X, y, net.classes_) | {
        "seconds": float(np.sum(net.history[:, "dur"])),
        "alpha_moved": float(np.mean(alphas)) if alphas else None,
        "lr": net.lr,
    }


@contextlib.contextmanager
def one_thread():
    """One thread of PyTorch on the CPU, so that cells can run in parallel and times compare."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
