"""The evidence: generalised least squares for α, the posterior of γ.

    y ~ N(Sα, τ²(XXᵀ/n + γI))
    α(γ) = (SᵀGS)⁻¹SᵀGy
    ℓ(γ) = Σ over outputs of  −(n−K)/2 log(rᵀGr) + ½ log det G − ½ log det(SᵀGS),  r = y − Sα(γ)

Only quadratic forms of the resolvent and its log determinant enter. With few rows ℓ is flat, so γ
is not maximised but averaged over its posterior under a log-normal prior of width 1 around
tr(XXᵀ)/n²; the average of linear models is one linear model.
"""

import numpy as np
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._task import TINY, family, posterior


def evidence(task, *, alpha=None, gammas=None):
    """α by generalised least squares, γ averaged over its posterior; a given α is held."""
    gammas = task.gammas(gammas)
    log_evidence, alphas = restricted_likelihood(task, gammas, alpha)
    P = posterior(log_evidence - np.log(gammas / task.gamma_centre) ** 2 / 2)
    solution = family(task, alphas, gammas, P)
    solution.path = Bunch(gammas=gammas, log_evidence=log_evidence, posterior=P, alphas=alphas)
    return solution


def restricted_likelihood(task, gammas, alpha=None):
    """ℓ(γ) and α(γ) of shapes (n_gammas,) and (n_gammas, n_outputs, n_sources)."""
    rows, resolvent, (Y, S) = task.rows, task.resolvent, task.rotated
    n_outputs, n_sources = task.S.shape[1:]
    alphas = np.empty((len(gammas), n_outputs, n_sources))
    log_det_G = resolvent.log_det(gammas)
    total = np.zeros(len(gammas))
    for c, T in enumerate(task.directions):
        if alpha is None:
            forms = resolvent.quadratic(
                Y.map(lambda y, s, c=c, T=T: np.column_stack([y[:, c], s[:, c] @ T]), S), gammas
            )
            yGy, yGS, SGS = forms[:, 0, 0], forms[:, 0, 1:], forms[:, 1:, 1:]
            beta = np.linalg.solve(SGS, yGS[:, :, None])[:, :, 0]
            alphas[:, c] = beta @ T.T
            rGr = yGy - np.einsum("gk,gk->g", yGS, beta)
            # an exact fit leaves rounding, of either sign
            rGr = np.maximum(rGr, np.finfo(np.float64).eps * yGy)
            total -= np.linalg.slogdet(SGS)[1] / 2
            rank = T.shape[1]
        else:
            alphas[:, c] = alpha[c]
            residual = Y.map(lambda y, s, c=c: (y[:, c] - s[:, c] @ alpha[c])[:, None], S)
            rGr = resolvent.quadratic(residual, gammas)[:, 0, 0]
            rank = 0
        freedom = max(rows.n - rows.centred - rank, 0.0)
        total += log_det_G / 2 - freedom / 2 * np.log(np.maximum(rGr, TINY))
    return total, alphas
