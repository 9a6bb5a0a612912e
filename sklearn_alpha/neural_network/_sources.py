"""Several sources that are networks of one architecture, as one network.

The sources are merged by shares α_k ≥ 0, Σ_k α_k = 1, as `_merge.py` says. α maximises the
likelihood of the target's labels under the pooled logits f_k of the sources, with a prior around
equal shares:

    α = argmax Σ_i log softmax(Σ_k α_k f_k(x_i))_{y_i} − K²‖α − 1/K‖²/2        (K sources)

The first term is what the weighted mean of the sources' log odds says, the second keeps α at 1/K if
the rows are few. The sum is concave in α.
"""

import warnings

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from torch.utils.data import Subset

from sklearn_alpha.neural_network._loading import load_base
from sklearn_alpha.neural_network._merge import merged, scale
from sklearn_alpha.neural_network._network import Adapted
from sklearn_alpha.neural_network._quantised import dequantised
from sklearn_alpha.neural_network._texts import EncodedRows, by_length
from sklearn_alpha.neural_network._windows import COUNTS, mean_logits

MOST_ROWS = 1000  # more rows hardly change α


def is_list(model):
    """Whether `model` holds several sources."""
    return isinstance(model, list | tuple)


def refuse_several(model, targets):
    """Raise an error for several sources, which `targets` do not take."""
    if is_list(model) and len(model) > 1:
        raise ValueError(
            f"model is a list of {len(model)} sources, and {targets} takes one; pass one of them."
        )


def load_sources(model, tokenizer, classes, row_shape, alpha):
    """The base network of one source, or of several in one.

    Parameters
    ----------
    model, tokenizer, classes, row_shape
        As in `load_base`; `model` may be a list.
    alpha : ndarray of shape (n_sources,) or None
        Only for a list.

    Returns
    -------
    base : Base
    """
    if not is_list(model) or len(model) == 1:
        one = model[0] if is_list(model) else model
        return load_base(one, tokenizer, classes, row_shape)
    return merged(each_source(model, tokenizer, classes, row_shape), alpha)


def each_source(model, tokenizer, classes, row_shape):
    """The sources one after the other, each checked against the first."""
    if not model:
        raise ValueError("model is an empty list; pass at least one source.")
    first = None
    for number, source in enumerate(model):
        base = load_base(source, tokenizer, classes, row_shape)
        if len(model) > 1:
            dequantised(base.network)  # W_k is averaged
            if base.other_labels:
                raise ValueError(
                    f"source {number} of model has the labels {base.other_labels} and y has "
                    f"{classes.tolist()}; rename the labels of one of them, or leave the source "
                    "out."
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
    """Set `source_alpha_` of a net whose `model` is a list, from its training rows.

    Returns
    -------
    pooled : ndarray of shape (n_rows, n_classes) or None
        Logits of the sources' ensemble. None if there are not several, or if heads are new.
    """
    vars(net).pop("source_alpha_", None)  # of an earlier fit
    if not is_list(net.model):
        return None
    logits = []
    for base in each_source(net.model, net.tokenizer, net._labels, net.row_shape_):
        net.tokenizer_, net.longest_ = base.tokenizer, base.longest
        rows = some_rows(net, kind, columns, codes, weights)
        network = Adapted(base.network, base)
        logits.append(None if base.head_is_new else logits_on(net, network, rows))
    alpha, pooled = np.full(len(logits), 1 / len(logits)), None
    if logits[0] is not None and len(logits) > 1:
        F, codes, weights = np.stack([f for f, *_ in logits], axis=2), *logits[0][1:]
        finite = np.isfinite(F).all(axis=(0, 1))
        if not finite.all():
            warnings.warn(
                f"sources {np.flatnonzero(~finite).tolist()} of model have logits that are not "
                "finite, and are left out.",
                RuntimeWarning,
                stacklevel=2,
            )
        if finite.any():
            alpha = np.zeros(len(logits))
            alpha[finite] = shares(F[:, :, finite], codes, weights)
            pooled = F[:, :, finite] @ alpha[finite]
    net.source_alpha_ = net.processes_.agree(alpha)
    return pooled


def match_scale(net, pooled, kind, columns, codes, weights):
    """Multiply the head of the merged network by c, unless the head is adapted."""
    if pooled is None or net.module_.head is None:
        return
    rows = some_rows(net, kind, columns, codes, weights)
    with net.module_.network.disable_adapter():  # α may start elsewhere than at 1
        logits, _, weights = logits_on(net, net.module_, rows)
    net.module_.multiply_logits(net.processes_.agree(scale(pooled, logits, weights)))


def some_rows(net, kind, columns, codes, weights):
    """At most `MOST_ROWS` training rows, from short to long."""
    rows = EncodedRows(net._encode(kind, columns), codes, weights)
    some = np.random.default_rng(net.seed_).permutation(len(rows))[:MOST_ROWS]
    return by_length(Subset(rows, some.tolist()))[0]


def logits_on(net, network, rows):
    """Logits (n_rows, n_classes) of a network, and codes and weights of the rows."""
    device = net.processes_.device
    network.to(device)
    found, used = [], []
    with torch.no_grad(), net.processes_.autocast():
        for (inputs, weight), code in net.get_iterator(rows):
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
