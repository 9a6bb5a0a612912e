"""Several sources that are networks of one architecture: one network at their weighted mean.

    W = W₀ + Σ_k α_k (W_k − W₀) = Σ_k α_k W_k,      α_k ≥ 0,  Σ_k α_k = 1

for every parameter W_k of source k, its head included. Because the α_k sum to one, the base W₀ of
the task vectors W_k − W₀ cancels, and it need not be known. α maximises the likelihood of the
target's labels under the pooled logits f_k of the sources, with a prior around equal shares:

    α = argmax Σ_i log softmax(Σ_k α_k f_k(x_i))_{y_i} − K²‖α − 1/K‖²/2        (K sources)

The first term is what the weighted mean of the sources' log odds says, the second keeps α at 1/K if
the rows are few. The sum is concave in α.
"""

import warnings
from dataclasses import replace

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from torch.utils.data import Subset

from sklearn_alpha.neural_network._loading import load_base
from sklearn_alpha.neural_network._network import Adapted
from sklearn_alpha.neural_network._texts import EncodedRows, by_length
from sklearn_alpha.neural_network._windows import COUNTS, mean_logits

MOST_ROWS = 1000  # more rows hardly change α


def is_list(model):
    """Whether `model` holds several sources."""
    return isinstance(model, list | tuple)


def load_sources(model, tokenizer, classes, row_shape, alpha):
    """The base network of one source, or the weighted mean of several.

    Parameters
    ----------
    model, tokenizer, classes, row_shape
        As in `load_base`; `model` may be a list.
    alpha : ndarray of shape (n_sources,) or None
        Only for a list.

    Returns
    -------
    base : Base
        The head of a list is new only if all heads are.
    """
    if not is_list(model) or len(model) == 1:
        one = model[0] if is_list(model) else model
        return load_base(one, tokenizer, classes, row_shape)
    mean, state, known = None, None, []
    for share, base in zip(alpha, each_source(model, tokenizer, classes, row_shape)):
        known.append(base.knows_classes)
        own = base.network.state_dict()
        if mean is None:
            mean, state = base, {name: value * share for name, value in _floats(own)}
        else:
            for name, value in _floats(own):
                state[name] += share * value
    mean.network.load_state_dict(state, strict=False)
    return replace(mean, name=None, knows_classes=all(known))


def _floats(state):
    return ((name, value) for name, value in state.items() if value.is_floating_point())


def each_source(model, tokenizer, classes, row_shape):
    """The sources one after the other, each checked against the first."""
    if not model:
        raise ValueError("model is an empty list; pass at least one source.")
    first = None
    for number, source in enumerate(model):
        base = load_base(source, tokenizer, classes, row_shape)
        if len(model) > 1 and base.other_labels:
            raise ValueError(
                f"source {number} of model has the labels {base.other_labels} and y has "
                f"{classes.tolist()}; rename the labels of one of them, or leave the source out."
            )
        said = _description(base)
        if first is None:
            first = said
        for what, found, expected in zip(DESCRIBED, said, first):
            if found != expected:
                raise ValueError(
                    f"sources 0 and {number} of model have different {what}; pass sources that "
                    "were fine-tuned from one base."
                )
        yield base


DESCRIBED = ("architectures", "tokenizers", "heads: one is trained and one is not")


def _description(base):
    """What sources have in common: shapes of their parameters, tokens, and whether a head."""
    shapes = {name: tuple(value.shape) for name, value in base.network.state_dict().items()}
    tokens = base.tokenizer.get_vocab() if base.reads_text else None
    return (type(base.network), shapes), tokens, base.head_is_new


def weigh_sources(net, kind, columns, codes, weights):
    """Set `source_alpha_` of a net whose `model` is a list, from its training rows."""
    vars(net).pop("source_alpha_", None)  # of an earlier fit
    if not is_list(net.model):
        return
    sources = each_source(net.model, net.tokenizer, net._labels, net.row_shape_)
    logits = [_logits(net, base, kind, columns, codes, weights) for base in sources]
    F = None if any(found is None for found, *_ in logits) else np.stack([f for f, *_ in logits], 2)
    if F is None or len(logits) == 1:
        alpha = np.full(len(logits), 1 / len(logits))
    else:
        alpha = shares(F, *logits[0][1:])
    net.source_alpha_ = net.processes_.agree(alpha)


def _logits(net, base, kind, columns, codes, weights):
    """Logits (n_rows, n_classes) of a source on at most `MOST_ROWS` rows, their codes and weights.

    The logits are None if the head is new.
    """
    if base.head_is_new:
        return None, None, None
    net.tokenizer_, net.longest_ = base.tokenizer, base.longest
    rows = EncodedRows(net._encode(kind, columns), codes, weights)
    some = np.random.default_rng(net.seed_).permutation(len(rows))[:MOST_ROWS]
    network, device = Adapted(base.network, base), net.processes_.device
    network.to(device)
    found, used = [], []
    with torch.no_grad(), net.processes_.autocast():
        for (inputs, weight), code in net.get_iterator(by_length(Subset(rows, some.tolist()))[0]):
            inputs = {name: column.to(device) for name, column in inputs.items()}
            windows = COUNTS in inputs
            found.append(
                mean_logits(network, inputs, net.batch_size) if windows else network(inputs)
            )
            used.append((code, weight))
    codes, weights = (torch.cat(parts).double().numpy() for parts in zip(*used))
    return torch.cat(found).double().cpu().numpy(), codes.astype(int), weights


def shares(F, codes, weights):
    """α (n_sources,).

    Parameters
    ----------
    F : ndarray of shape (n_rows, n_classes, n_sources)
        Logits of the sources.
    codes : ndarray of int of shape (n_rows,)
    weights : ndarray of shape (n_rows,)
    """
    n_sources = F.shape[2]
    even = np.full(n_sources, 1 / n_sources)
    own = np.arange(len(F)), codes

    def loss(alpha):
        """With its gradient."""
        logits, move = F @ alpha, n_sources**2 * (alpha - even)
        P = softmax(logits, axis=1)
        P[own] -= 1
        value = -weights @ log_softmax(logits, axis=1)[own] + move @ (alpha - even) / 2
        return value, np.einsum("i,ic,ick->k", weights, P, F) + move

    found = minimize(
        loss,
        even,
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * n_sources,
        constraints={"type": "eq", "fun": lambda alpha: alpha.sum() - 1},
        options={"ftol": 1e-10, "maxiter": 200},
    )
    alpha = np.clip(found.x, 0, None)
    return alpha / alpha.sum()


def warn_of_other_labels(base, classes):
    """Warn of a trained head that is dropped although it has one row for each class."""
    if base.other_labels and len(base.other_labels) == len(classes):
        warnings.warn(
            f"model has the labels {base.other_labels} and y has {classes.tolist()}, so its head "
            "is replaced by a new one; use the model's labels in y to keep it.",
            UserWarning,
            stacklevel=2,
        )
