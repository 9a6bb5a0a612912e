"""The default rule: the evidence and the generative solution, weighed by what they predict.

Both have exact leave-one-out decision values f_a, f_b, so that the mixture f_t = (1−t)f_a + tκf_b
(κ brings them to one size) has them too. t is averaged over its posterior under a flat prior,

    P(t) ∝ exp(−L(t)),    L = log loss of the left-out rows at the best temperature,
                          or n/2 log of their squared error in regression,

and the mixture of linear models is one linear model. With few rows L is flat and t is near ½.
"""

import numpy as np
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._calibration import inverse_temperature
from sklearn_alpha.linear_model._evidence import evidence
from sklearn_alpha.linear_model._generative import generative
from sklearn_alpha.linear_model._task import TINY, Solution, posterior

SHARES = np.linspace(0, 1, 21)


def left_out_loss(task, values):
    """L of each of several sets of decision values (n_sets, n_rows, n_outputs)."""
    weights = task.rows.weights
    if task.is_classifier:
        labels = task.Y.argmax(axis=1) if task.Y.shape[1] > 1 else (task.Y[:, 0] > 0).astype(int)
        return inverse_temperature(values, labels, weights)[1]
    error = np.einsum("i,tij->tj", weights, (task.Y - values) ** 2)
    floor = np.finfo(np.float64).eps ** 2 * (weights @ task.Y**2)
    return task.rows.n / 2 * np.log(np.maximum(error, floor + TINY)).sum(axis=1)


def blend(task, gammas=None):
    """Average the two closed-form rules over the posterior of their shares."""
    first, second = evidence(task, gammas=gammas), generative(task)
    kappa = 1.0
    if task.is_classifier:
        sizes = [np.sqrt(task.rows.average(s.loo**2).sum()) for s in (first, second)]
        kappa = sizes[0] / sizes[1] if sizes[1] > 0 else 0.0
    mixtures = np.multiply.outer(1 - SHARES, first.loo)
    mixtures += np.multiply.outer(SHARES * kappa, second.loo)
    P = posterior(-left_out_loss(task, mixtures))
    t = P @ SHARES

    def mix(name):
        return (1 - t) * getattr(first, name) + t * kappa * getattr(second, name)

    path = Bunch(**first.path, **second.path, shares=SHARES, share_posterior=P, share=float(t))
    return Solution(mix("alpha"), first.gamma, mix("a"), mix("b"), mix("loo"), path)
