"""One training loop for all ways to adapt a network, and the scores of what it gives.

Every method gets the same rows, epochs, batches, seed and rank. What it holds out for α it takes
from these rows.
"""

import contextlib
import time
import warnings
from importlib import metadata

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from skorch.callbacks import Callback

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
    """Adapt a model by one method at one step size.

    Parameters
    ----------
    method : str
        Key of `METHODS`.
    model : str, module or FrozenEstimator
        As of `AlphaLoRANetClassifier`.
    X, y : training rows
    lr : float
    seed : int
    held_out : float
        `alpha_split` of the methods that have one.
    **options
        Of the classifier.

    Returns
    -------
    net : AlphaLoRANetClassifier
        With `seconds_` of the whole fit: CPU time, on a GPU wall time.
    """
    _, kind, own = METHODS[method]
    own = own | ({"alpha_split": held_out} if "alpha_split" in own else {})
    options = {"random_state": seed, "device": device(), **options, **own}
    start = clock()
    with warnings.catch_warnings():
        # A fit that diverges goes back to its best epoch, and is scored as it is there.
        warnings.simplefilter("ignore", ConvergenceWarning)
        net = kind(model, lr=lr, **options).fit(X, y)
    net.seconds_ = clock() - start
    return net


def clock():
    """Seconds of CPU time, which other processes do not change; on a GPU of wall time."""
    return time.process_time() if device() == "cpu" else time.perf_counter()


def score(classifier, X, y, classes):
    """Accuracy and log loss on rows that the classifier has not seen."""
    P = classifier.predict_proba(X)
    return {
        "accuracy": np.mean(np.asarray(classes)[P.argmax(axis=1)] == y),
        "log_loss": log_loss(y, P, labels=classes),
    }


def score_net(net, X, y):
    """`score`, training time and distance of α from 1 of a net.

    The time is that of the epochs, without loading and tokenising; the distance is the mean of
    |α − 1| over all rows of a layer, then over layers.
    """
    alphas = [np.abs(alpha - 1).mean() for alpha in net.alpha_.values()]
    return score(net, X, y, net.classes_) | {
        "seconds": float(np.sum(net.history[:, "dur"])),
        "alpha_moved": float(np.mean(alphas)) if alphas else None,
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
