"""The merge of networks that were fine-tuned from one base, at the cost of one of them.

    W = W₀ + λ Σ_k α_k Δ_k,    Δ_k = W_k − W₀,
    λ = Σ_k α_k ‖Δ_k‖ / ‖Σ_k α_k Δ_k‖ ≥ 1      in each layer whose W₀ is known

Task vectors Δ_k of different sources are far from parallel, so that their weighted mean is shorter
than they are, and the network at W₀ + Σ_k α_k Δ_k is less confident than its sources. λ keeps the
direction of the mean and gives it the mean length of the task vectors. If all Δ_k are equal, λ = 1.
If sources contradict each other, the mean can be close to zero: ‖Σ_k α_k Δ_k‖ is not taken below
its value for orthogonal task vectors, (Σ_k α_k² ‖Δ_k‖²)^½.

W₀ is known where adapters of the sources lie on equal weights: of fitted nets and of PEFT adapters.
All other parameters, and the heads, are Σ_k α_k W_k.

    c = Σ_i ⟨f̄(x_i), g(x_i)⟩ / Σ_i ‖g(x_i)‖²,    f̄ = Σ_k α_k f_k

The head is then multiplied by c. g are the logits of the merged network and f_k those of the
sources on the training rows, each without its mean over the classes. c minimises Σ_i ‖f̄ − c g‖²:
the merged network is as confident as the ensemble of the sources. c reads no labels.
"""

from dataclasses import replace

import numpy as np
import torch

from sklearn_alpha.neural_network._base_model import lies_within


def merged(bases, alpha):
    """One base at the weights W.

    Parameters
    ----------
    bases : iterable of Base
        The sources, which are taken one after the other.
    alpha : ndarray of shape (n_sources,)
        Shares that sum to one. Sources without a share are not read, because their weights may not
        be finite.

    Returns
    -------
    base : Base
        The head is new only if all heads are.
    """
    carrier, mean, frozen, known = None, {}, None, []
    for share, base in zip(alpha, bases):
        carrier = carrier or base
        known.append(base.knows_classes)
        if not share:
            continue
        state = base.network.state_dict()
        for name, value in state.items():
            if value.is_floating_point():
                mean[name] = mean.get(name, 0) + share * value
        if frozen is None:
            body = (name for name in base.frozen if not lies_within(name, (base.last_layer,)))
            frozen = {name: Layer(base.frozen[name]) for name in body}
        frozen = {n: layer for n, layer in frozen.items() if layer.is_below(base.frozen.get(n))}
        for name, layer in frozen.items():
            layer.add(share, state[name])
    for name, layer in frozen.items():
        mean[name] = layer.lengthened(mean[name])
    carrier.network.load_state_dict(mean, strict=False)
    return replace(carrier, name=None, knows_classes=all(known))


class Layer:
    """Lengths of the task vectors of one layer."""

    def __init__(self, W_0):
        self.W_0 = W_0
        self.length = self.square = 0.0  # Σ α_k ‖Δ_k‖ and Σ α_k² ‖Δ_k‖²

    def is_below(self, W_0):
        """Whether a source has the same frozen weights."""
        return W_0 is not None and torch.equal(W_0, self.W_0)

    def add(self, share, W):
        length = share * float(torch.linalg.vector_norm(W - self.W_0))
        self.length += length
        self.square += length**2

    def lengthened(self, mean):
        """W₀ + λ Σ_k α_k Δ_k, from Σ_k α_k W_k."""
        if not self.length:
            return mean
        move = mean - self.W_0
        shortest = max(float(torch.linalg.vector_norm(move)), self.square**0.5)
        return self.W_0 + self.length / shortest * move


def scale(pooled, logits, weights):
    """c, or 1 if it would not be positive.

    Parameters
    ----------
    pooled, logits : ndarray of shape (n_rows, n_classes)
        f̄ of the ensemble and g of the merged network.
    weights : ndarray of shape (n_rows,)
    """
    f, g = (each - each.mean(axis=1, keepdims=True) for each in (pooled, logits))
    both, own = (np.sum(weights[:, None] * other * g) for other in (f, g))
    with np.errstate(invalid="ignore", divide="ignore"):
        c = both / own
    return float(c) if np.isfinite(c) and c > 0 else 1.0
