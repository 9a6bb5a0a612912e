"""The start under dropout, which the probe has not seen.

    logits = c β [(α_v v + a)·z̃(α) + b],    c = argmin L(c),  0 < c ≤ 1

z̃ is the input of the head in training mode, and L the mean loss of the training rows there. If the
inputs of the head hardly vary between rows, the probe's weights are large. They multiply the noise
of dropout too, and c reduces them. The predicted classes do not depend on c.

The start is used if, with fresh noise, L(start) ≤ min{L(equal logits), L(the network as it was)}.
The loss of equal logits is log(number of classes) for cross-entropy. In regression the network
predicts standardised targets, and equal logits are zeros: the mean of the targets.
"""

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from sklearn_alpha.neural_network._distributed import reproducible

DRAWS = 4  # of the noise
SMALLEST = 1e-7  # c, far below the ratio of useful weights to those of a probe


class TrainingLoss:
    """L of the network under dropout, as a function of its logits.

    Parameters
    ----------
    net : AlphaLoRANetClassifier
    rows : EncodedRows or Subset
    """

    def __init__(self, net, rows):
        self.net = net
        self.batches = list(net.get_iterator(rows))

    def has_noise(self):
        """Whether the logits in training mode are other than those in evaluation mode."""
        first = self.batches[:1]
        still, noisy = (self._passes(first, training, seed=0) for training in (False, True))
        return not torch.allclose(still, noisy, rtol=0.02, atol=1e-3)

    def logits(self, n_draws, seed):
        """Logits (n_draws·n_rows, n_classes) in training mode."""
        return self._passes(n_draws * self.batches, True, seed)

    def __call__(self, logits):
        """L of such logits."""
        codes, weights = (torch.cat(parts) for parts in zip(*((c, x[1]) for x, c in self.batches)))
        n_draws = len(logits) // len(codes)
        codes, weights = torch.cat(n_draws * [codes]), weights.repeat(n_draws)
        return float(self.net._losses(logits, codes, (None, weights)).sum() / weights.sum())

    def _passes(self, batches, training, seed):
        net = self.net
        with reproducible(net.seed_ + seed, net.processes_), torch.no_grad():
            net.module_.train(training)
            try:
                return torch.cat([net.infer(inputs) for inputs, _ in batches])
            finally:
                net.module_.eval()


def adjust_to_dropout(net, rows, untouched):
    """Multiply the head by c, and return to the network as it was if the start is not better.

    Parameters
    ----------
    net : AlphaLoRANetClassifier
        At its start.
    rows : EncodedRows or Subset
    untouched : dict of str to Tensor
        State of the network as it was.

    Returns
    -------
    is_used : bool
        Whether the start is used.
    """
    loss, agree = TrainingLoss(net, rows), net.processes_.agree
    if not agree(loss.has_noise()):
        return True
    c = agree(best_factor(loss, loss.logits(DRAWS, seed=0)))
    net.module_.multiply_logits(c)
    started = copy_of_state(net)
    logits = loss.logits(1, seed=1)
    net.module_.load_state_dict(untouched)
    limit = min(loss(torch.zeros_like(logits)), loss(loss.logits(1, seed=1)))
    if not agree(loss(logits) <= limit):
        return False
    net.module_.load_state_dict(started)
    return True


def best_factor(loss, logits):
    """c: L(c) is convex."""
    found = minimize_scalar(
        lambda log_c: loss(np.exp(log_c) * logits),
        bounds=(np.log(SMALLEST), 0),
        method="bounded",
        options={"xatol": 0.01},
    )
    return float(np.exp(found.x)) if found.fun < loss(logits) else 1.0


def copy_of_state(net):
    """Adapters, α, head and buffers."""
    return {name: value.detach().clone() for name, value in net.module_.state_dict().items()}
