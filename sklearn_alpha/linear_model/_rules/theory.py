"""The theory's choice: α* in closed form, at the γ of the best predicted accuracy or risk.

The rows are modelled as a mixture x = yμ + σz with the same σ for every feature, as in the paper,
and

    μ̂ = v + √E[T] r/‖r‖,    σ² = (mean‖x − m‖² − ‖μ̂‖²)/p

come from the generative rule: the raw mean shift would predict far too high an accuracy. Several
sources are rescaled together, as the one source v = W̃ᵀα of that rule.
"""

import numpy as np
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._rules.generative import Centred, mean_shift, shifted
from sklearn_alpha.linear_model._solution import TINY, family
from sklearn_alpha.theory import isotropic_asymptotics, regression_asymptotics


def from_moments(is_given):
    """Whether second moments are all that the rule reads."""
    return False


def solve(problem, given):
    """The member of the family with the best predicted mean accuracy (or least risk)."""
    gammas, alpha = problem.gammas, given.alpha
    centred = Centred(problem)
    y, balance = shifted(problem)
    law = _classification if problem.is_classifier else _regression
    scores, alphas = np.zeros(len(gammas)), np.zeros((len(gammas), *problem.shape))
    for j in range(y.shape[1]):
        shift = mean_shift(centred, y[:, j], balance[:, j], problem.W[j])
        length = np.linalg.norm(shift.r)
        mean = shift.along + np.sqrt(shift.shrunk.mean) * shift.r / (length or 1)
        # the energy of the rows without the mean, and at least a little
        within = centred.trace - (mean @ mean if problem.is_classifier else 0.0)
        variance = max(within, 1e-3 * centred.trace, 1e-9 * problem.gamma_centre) / len(mean)
        direction = shift.alpha if alpha is None else alpha[j]
        for i, gamma in enumerate(gammas):
            theory, score = law(problem, j, direction @ problem.W[j], mean, variance, gamma)
            multiple = theory.optimal_alpha if alpha is None else 1.0
            if not np.isfinite(multiple):  # rows without spread
                multiple = 1.0
            alphas[i, j] = multiple * direction
            scores[i] += score(multiple)
    best = int(np.argmax(scores))
    path = Bunch(gammas=gammas, predicted_score=scores / y.shape[1], alphas=alphas)
    return family(problem, alphas[[best]], gammas[[best]], path=path)


def _classification(problem, j, source, mean, variance, gamma):
    """The law of the margin, and the accuracy."""
    theory = isotropic_asymptotics(
        mean_sqnorm=mean @ mean / variance,
        alignment=source @ mean,
        source_gram=source @ source * variance,
        ratio=len(mean) / problem.rows.n,
        gamma=gamma / variance,
    )
    return theory, theory.accuracy


def _regression(problem, j, source, mean, variance, gamma):
    """The law of the risk, and minus the risk in units of the target's variance."""
    coef = mean / variance
    target = problem.rows.average((problem.Y[:, j] - problem.rows.average(problem.Y[:, j])) ** 2)
    theory = regression_asymptotics(
        coef,
        source,
        n_samples=max(problem.rows.n, 1),
        gamma=gamma,
        noise=np.sqrt(max(target - variance * (coef @ coef), 0)),
        covariance=np.full(len(coef), variance),
    )
    return theory, lambda alpha: -theory.risk(alpha) / max(target, TINY)
