"""The evidence and the generative solution, weighted by their left-out predictions.

Both have exact leave-one-out decision values f_a and f_b, and so has f_t = (1−t)f_a + tκf_b, where
κ brings them to one size. t is averaged over its posterior under a flat prior,

    P(t) ∝ exp(−L(t)),    L = log loss of left-out rows at the best temperature,
                          or n/2 log of their squared error in regression,

and the mixture of linear models is one linear model. With few rows L is flat and t is near ½. n
counts all rows, or a sample of them where there are many.
"""

import numpy as np
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._calibration import inverse_temperature, smoothed_targets
from sklearn_alpha.linear_model._labels import labels_of_codes
from sklearn_alpha.linear_model._rules import evidence, generative
from sklearn_alpha.linear_model._solution import TINY, Solution, posterior

SHARES = np.linspace(0, 1, 21)
CACHE = 1 << 15  # decision values at a time


def left_out_losses(problem, first, second):
    """L(t) of (1−t) first + t second, for each of the shares."""
    loss = log_losses if problem.is_classifier else error_losses
    step = max(CACHE // first.size, 1)
    parts = (SHARES[start : start + step, None, None] for start in range(0, len(SHARES), step))
    return np.concatenate(list(loss(problem, ((1 - t) * first + t * second for t in parts))))


def log_losses(problem, mixtures):
    """Log losses of sets of decision values (n_sets, n_sample, n_outputs), one array for each."""
    (targets, weights), guess = targets_of_sample(problem), 2.0
    for values in mixtures:
        beta, loss, size = inverse_temperature(values, targets, weights, guess)
        guess = beta[-1] * size[-1]  # the start for the next set
        yield loss


def targets_of_sample(problem):
    """Smoothed targets of the rows that are left out, and their weights."""
    weights, Y = problem.rows.weights[problem.sample], problem.Y[problem.sample]
    return smoothed_targets(labels_of_codes(Y), weights, max(Y.shape[1], 2)), weights


def error_losses(problem, mixtures):
    """n/2 log of the squared errors, in the same way."""
    weights, Y = problem.rows.weights[problem.sample], problem.Y[problem.sample]
    floor = np.finfo(np.float64).eps ** 2 * (weights @ Y**2)
    for values in mixtures:
        error = np.einsum("i,tij->tj", weights, (Y - values) ** 2)
        yield weights.sum() / 2 * np.log(np.maximum(error, floor + TINY)).sum(axis=1)


def from_moments(is_given):
    """Whether second moments are all that the rule reads; without rows it is the evidence."""
    return True


def solve(problem, given):
    """Average the two closed-form rules over the posterior of their shares.

    Where α or γ is given, or rows are gone, the evidence alone is left.
    """
    if given.fixed or problem.rows is None:
        return evidence.solve(problem, given)
    first, second = (rule.solve(problem, given) for rule in (evidence, generative))
    sampled = [first.sampled(), second.sampled()]
    kappa = 1.0
    if problem.is_classifier:
        weights = problem.rows.weights[problem.sample]
        sizes = [np.sqrt((weights @ values**2).sum()) for values in sampled]
        kappa = sizes[0] / sizes[1] if sizes[1] > 0 else 0.0
    P = posterior(-left_out_losses(problem, sampled[0], kappa * sampled[1]))
    t = P @ SHARES

    def mix(one, two):
        return (1 - t) * one + t * kappa * two

    beta = None
    if problem.is_classifier:  # the temperature of the losses
        beta = float(inverse_temperature(mix(*sampled)[None], *targets_of_sample(problem))[0][0])
    return Solution(
        alpha=mix(first.alpha, second.alpha),
        gamma=first.gamma,
        a=mix(first.a, second.a),
        b=mix(first.b, second.b),
        path=Bunch(**first.path, **second.path, shares=SHARES, share_posterior=P, share=float(t)),
        left_out=lambda index: mix(first.left_out(index), second.left_out(index)),
        sampled=lambda: mix(*sampled),
        inverse_temperature=beta,
    )
