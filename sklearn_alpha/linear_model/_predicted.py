"""The theory's choice: α* in closed form, at the γ of the best predicted accuracy or risk.

The rows are taken for a mixture x = yμ + σz with the same σ for every feature, as in the paper, and

    μ̂ = v + √E[T] r/‖r‖,    σ² = (mean‖x − m‖² − ‖μ̂‖²)/p

come from the generative rule: the raw mean shift in their place would promise far too much.
"""

import numpy as np
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._generative import Centred, mean_shift, shifted
from sklearn_alpha.linear_model._task import TINY, family
from sklearn_alpha.theory import isotropic_asymptotics, regression_asymptotics


def predicted(task, *, alpha=None, gammas=None):
    """The member of the family with the best predicted mean accuracy (or least risk)."""
    gammas = task.gammas(gammas)
    centred = Centred(task)
    y, balance = shifted(task)
    law = _accuracy if task.is_classifier else _risk
    scores, alphas = np.zeros(len(gammas)), np.zeros((len(gammas), *task.S.shape[1:]))
    for j in range(y.shape[1]):
        shift = mean_shift(centred, y[:, j], balance[:, j], task.W[j])
        length = np.linalg.norm(shift.r)
        mean = shift.along + np.sqrt(shift.shrunk.mean) * shift.r / (length or 1)
        # what the mean leaves of the rows' energy, were it even more than the rows have
        within = centred.trace - (mean @ mean if task.is_classifier else 0.0)
        variance = max(within, 1e-3 * centred.trace, TINY) / len(mean)
        for i, gamma in enumerate(gammas):
            given = np.zeros(len(task.W[j])) if alpha is None else alpha[j]
            given = None if alpha is None and shift.Q.size else given
            scores[i] += law(task, j, shift, mean, variance, gamma, given, alphas[i])
    best = int(np.argmax(scores))
    solution = family(task, alphas[[best]], gammas[[best]])
    solution.path = Bunch(gammas=gammas, predicted_score=scores / y.shape[1], alphas=alphas)
    return solution


def _accuracy(task, j, shift, mean, variance, gamma, given, alphas):
    """Write α*(γ) of output j and return its predicted accuracy."""
    basis = shift.Q.T if given is None else (given @ task.W[j])[None]
    theory = isotropic_asymptotics(
        mean_sqnorm=mean @ mean / variance,
        alignment=basis @ mean,
        source_gram=basis @ basis.T * variance,
        ratio=len(mean) / task.rows.n,
        gamma=gamma / variance,
    )
    if given is not None:
        alphas[j] = given
        return theory.accuracy(1.0)
    alphas[j] = shift.B @ np.atleast_1d(theory.optimal_alpha)
    return theory.accuracy(theory.optimal_alpha)


def _risk(task, j, shift, mean, variance, gamma, given, alphas):
    """Write α*(γ) of output j and return minus its predicted risk in units of its own variance."""
    coef = mean / variance
    target = task.rows.average((task.Y[:, j] - task.rows.average(task.Y[:, j])) ** 2)
    noise = max(target - variance * (coef @ coef), 0)
    source = shift.along / variance if given is None else given @ task.W[j]
    alphas[j] = shift.alpha / variance if given is None else given
    theory = regression_asymptotics(
        coef,
        source,
        n_samples=max(task.rows.n, 1),
        gamma=gamma,
        noise=np.sqrt(noise),
        covariance=np.full(len(coef), variance),
    )
    return -theory.risk(1.0) / max(target, TINY)
