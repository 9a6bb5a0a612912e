"""Where the head starts: at the linear probe of the frozen network.

    logits = β [(α v + a)·z + b],        z the input of the head

v is the head that the network brought along (none if it was drawn at random); α, a, b and β are
those of `AlphaTransferClassifier` on the training rows, β from rows left out, so that the fit of
the rows it has seen does not leave the network without a gradient. From a head drawn at random the
first steps would bend the network towards weights that mean nothing (Kumar et al.,
"Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution",
arXiv 2202.10054).
"""

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import nn
from torch.utils.data import Subset

from sklearn_alpha.linear_model import AlphaTransferClassifier
from sklearn_alpha.neural_network._rows import by_length

MOST_ROWS = 10_000  # more say little about a start


class LinearProbe(Callback):
    """Sets the head before the first step of a fit; a head that is adapted itself is left."""

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        if len(net.history) > 1 or net.module_.head is None:
            return
        generator = torch.Generator().manual_seed(net.seed_)  # one for all processes
        rows = torch.randperm(len(dataset_train), generator=generator)[:MOST_ROWS]
        rows, _ = by_length(Subset(dataset_train, rows.tolist()))
        head = net.module_.get_submodule(net.module_.head)
        found = inputs_of(head, net, rows)
        if found is None or set(found[1]) != set(range(head.out_features)):
            return
        known = not net.module_.head_is_new
        start = net.processes_.agree(probe(*found, head, known=known))
        with torch.no_grad():
            for parameter, value in zip((head.weight, head.bias), start):
                if parameter is not None:
                    parameter.copy_(torch.from_numpy(value))


def inputs_of(head, net, rows):
    """z (n_rows, n_features), codes and weights; None where logits are not the head's output."""
    network, name = net.module_, net.module_.head
    batches = list(net.get_iterator(rows))
    network.eval()
    with torch.no_grad():
        logits = net.infer(batches[0][0])
        network.set_submodule(name, nn.Identity())
        try:
            Z = [net.infer(inputs) for inputs, _ in batches]
        finally:
            network.set_submodule(name, head)
        whole = Z[0].ndim == 2 and Z[0].shape[1] == head.in_features
        if not (whole and torch.allclose(head(Z[0]), logits, rtol=0.02, atol=1e-3)):
            return None
    Z = torch.cat(Z).double().cpu().numpy()
    codes, weights = (torch.cat(parts).numpy() for parts in zip(*((c, i[1]) for i, c in batches)))
    return (Z, codes, weights) if np.isfinite(Z).all() else None


def probe(Z, codes, weights, head, *, known):
    """Weights (n_classes, n_features) and biases (n_classes,) of the logits βf.

    Parameters
    ----------
    Z : ndarray of shape (n_rows, n_features)
    codes, weights : ndarray of shape (n_rows,)
    head : torch.nn.Linear
    known : bool
        Whether the head's weights are worth anything.
    """
    source, has_bias = None, head.bias is not None
    if known:
        v = head.weight.detach().double().cpu().numpy()
        b = head.bias.detach().double().cpu().numpy() if has_bias else np.zeros(len(v))
        # two logits are one decision value
        source = (v, b) if len(v) > 2 else ((v[1] - v[0]) / 2, (b[1] - b[0]) / 2)
    # Hidden states may lie far from zero: the intercept is free.
    model = AlphaTransferClassifier(source, fit_intercept=has_bias, intercept_scaling=np.inf)
    model.fit(Z, codes, sample_weight=weights)
    beta = model.inverse_temperature_
    v, b = beta * model.coef_, beta * model.intercept_
    return (v, b) if len(v) > 1 else (np.vstack([-v, v]) / 2, np.append(-b, b) / 2)
