"""The default rule: the evidence and the generative solution, weighed by what they predict.

Both have exact leave-one-out decision values f_a, f_b, so that the mixture f_t = (1−t)f_a + tκf_b
(κ brings them to one size) has them too. t is averaged over its posterior under a flat prior,

    P(t) ∝ exp(−L(t)),    L = log loss of the left-out rows at the best temperature,
                          or n/2 log of their squared error in regression,

and the mixture of linear models is one linear model. With few rows L is flat and t is near ½.
"""

import numpy as np
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._calibration import inverse_temperature, smoothed_targets
from sklearn_alpha.linear_model._evidence import evidence
from sklearn_alpha.linear_model._generative import generative
from sklearn_alpha.linear_model._task import TINY, Solution, posterior

SHARES = np.linspace(0, 1, 21)
CACHE = 1 << 15  # decision values at a time


def left_out_losses(task, first, second):
    """L(t) of (1−t) first + t second, for each of the shares."""
    loss = log_losses if task.is_classifier else error_losses
    step = max(CACHE // first.size, 1)
    parts = (SHARES[start : start + step, None, None] for start in range(0, len(SHARES), step))
    return np.concatenate(list(loss(task, ((1 - t) * first + t * second for t in parts))))


def log_losses(task, mixtures):
    """Log losses of sets of decision values (n_sets, n_rows, n_outputs), one array for each."""
    weights, guess = task.rows.weights, 1.0
    codes = np.hstack([-task.Y, task.Y]) if task.Y.shape[1] == 1 else task.Y
    targets = smoothed_targets(codes.argmax(axis=1), weights, codes.shape[1])
    for values in mixtures:
        beta, loss, size = inverse_temperature(values, targets, weights, guess)
        guess = beta[-1] * size[-1]  # where to look for the next
        yield loss


def error_losses(task, mixtures):
    """n/2 log of the squared errors, in the same way."""
    weights = task.rows.weights
    floor = np.finfo(np.float64).eps ** 2 * (weights @ task.Y**2)
    for values in mixtures:
        error = np.einsum("i,tij->tj", weights, (task.Y - values) ** 2)
        yield task.rows.n / 2 * np.log(np.maximum(error, floor + TINY)).sum(axis=1)


def blend(task):
    """Average the two closed-form rules over the posterior of their shares."""
    first, second = evidence(task), generative(task)
    kappa = 1.0
    if task.is_classifier:
        sizes = [np.sqrt(task.rows.average(s.loo**2).sum()) for s in (first, second)]
        kappa = sizes[0] / sizes[1] if sizes[1] > 0 else 0.0
    P = posterior(-left_out_losses(task, first.loo, kappa * second.loo))
    t = P @ SHARES

    def mix(name):
        return (1 - t) * getattr(first, name) + t * kappa * getattr(second, name)

    path = Bunch(**first.path, **second.path, shares=SHARES, share_posterior=P, share=float(t))
    return Solution(mix("alpha"), first.gamma, mix("a"), mix("b"), mix("loo"), path)
