"""The closed-form start: the linear probe of the frozen network, and the α that it favours.

    logits = β [(α_v v + a)·z(α) + b]

z(α) is the input of the head when every row of every adapted layer is at α. v is the head of the
source (none if the head was drawn at random). α_v, a, b and β are those of a linear model on the
training rows, see `_class_probe.py` and `_number_probe.py`; β = 1 in regression. If training began
at a random head, the first steps would fit the network to meaningless weights (Kumar et al.,
"Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution", arXiv
2202.10054).

With dropout the logits are multiplied by a further factor, see `_dropout.py`.

The gradient of the training loss cannot choose α, because the adapter fits the same rows. Rows left
out of the probe can. With ℓᵢ(α) minus the log likelihood of row i, left out,

    α₀ = 2^(−P),    P = 1 / (1 + exp((g − [d̄ − se(d̄)]) / w)),    dᵢ = ℓᵢ(1) − ℓᵢ(½),
    g = 0.04 and w = 0.01 nats

The gain d̄ counts less its standard error over the rows. The threshold g does not shrink with more
rows, because neither does the difference between the probe and the trained network.
"""

import numpy as np
import torch
from scipy.special import expit
from sklearn.utils import Bunch
from skorch.callbacks import Callback
from torch import nn
from torch.utils.data import Subset

from sklearn_alpha.neural_network._dropout import adjust_to_dropout, copy_of_state
from sklearn_alpha.neural_network._texts import by_length

# More rows hardly change the start.
MOST_ROWS, MOST_ROWS_OF_ALPHA, MOST_ROWS_OF_DROPOUT = 10_000, 1000, 256
GAIN, WIDTH = 0.04, 0.01  # g and w: a gain of the probe about which training gains too


class LinearProbe(Callback):
    """Sets α and the head before the first step of a fit, unless the head itself is adapted."""

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        if len(net.history) > 1 or net.module_.head is None:
            return
        generator = torch.Generator().manual_seed(net.seed_)  # one for all processes
        order = torch.randperm(len(dataset_train), generator=generator).tolist()
        untouched = copy_of_state(net)
        if isinstance(net._alpha_start, str):
            rows = Subset(dataset_train, order[:MOST_ROWS_OF_ALPHA])
            set_alpha(net, net.processes_.agree(chosen_alpha(net, rows)))
        found = fit_probe(net, Subset(dataset_train, order[:MOST_ROWS]))
        if found is None:
            return
        head = net.module_.get_submodule(net.module_.head)
        start = net.processes_.agree(net._probe.weights(found.model))
        with torch.no_grad():
            for parameter, value in zip((head.weight, head.bias), start):
                if parameter is not None:
                    parameter.copy_(torch.from_numpy(value))
        rows = by_length(Subset(dataset_train, order[:MOST_ROWS_OF_DROPOUT]))[0]
        net.starts_at_probe_ = adjust_to_dropout(net, rows, untouched)


def set_alpha(net, alpha):
    """One α for all rows of all layers."""
    for parameter in net._alphas():
        parameter.data.fill_(alpha)


def chosen_alpha(net, rows):
    """2^(−P), between ½ and 1; 1 if there is no probe."""
    losses = []
    for alpha in (0.5, 1.0):
        set_alpha(net, alpha)
        found = fit_probe(net, rows, store_loo=True)
        if found is None:
            return 1.0
        losses.append(net._probe.left_out_losses(found))
    return float(2 ** -expit((sure_gain(*losses, found.weights) - GAIN) / WIDTH))


def sure_gain(losses, losses_at_one, weights):
    """d̄ − se(d̄): the mean gain over α = 1, less its standard error."""
    d, w = losses_at_one - losses, weights / weights.sum()
    mean = w @ d
    return mean - np.sqrt(w**2 @ (d - mean) ** 2)


def fit_probe(net, rows, **options):
    """The linear model on the inputs of the head, or None if it cannot replace the head.

    Parameters
    ----------
    net : AlphaLoRANetClassifier or AlphaLoRANetRegressor
    rows : Subset
    **options
        Of the linear model.

    Returns
    -------
    found : Bunch or None
        model, codes and weights. None if the outputs are not the head's, or if a class has no row.
    """
    head = net.module_.get_submodule(net.module_.head)
    found = inputs_of(head, net, by_length(rows)[0])
    if found is None:
        return None
    Z, codes, weights = found
    model = net._probe.fit(net.module_, head, Z, codes, weights, **options)
    return None if model is None else Bunch(model=model, codes=codes, weights=weights)


def inputs_of(head, net, rows):
    """z (n_rows, n_features), codes and weights. None if the logits are not the head's output."""
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
