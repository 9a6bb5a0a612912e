"""What a rule returns, and the family w(α, γ) that most rules choose from.

    w(α, γ) = α w̃ + a,    a = Q(γ) Xᵀ(y − αs)/n,    s = X w̃ + b̃

is linear in α: averages over γ and decision values at other rows follow from the two parts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from sklearn.utils import Bunch

TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class Solution:
    """w = α w̃ + a with the intercept α b̃ + b, and how it was chosen.

    Attributes
    ----------
    alpha : ndarray of shape (n_outputs, n_sources)
    gamma : float
    a : ndarray of shape (n_outputs, n_features)
    b : ndarray of shape (n_outputs,)
    path : Bunch
        How α and γ were chosen: the public `path_`.
    left_out : callable
        ``left_out(index)`` are the decision values of rows, by number, when each is left out:
        (n_index, n_outputs).
    sampled : callable
        ``sampled()`` are those of the problem's sample of rows, for estimates: cheaper where there
        are more rows, and then exact but for a quadrature over γ.
    estimate : callable or None
        As `left_out`, but for that quadrature, where the rule has one.
    inverse_temperature : float or None
        β of the probabilities, where the rule has found it.
    moves_with_alpha : bool
        Whether another α has another adapter, as in the family.
    """

    alpha: np.ndarray
    gamma: float
    a: np.ndarray
    b: np.ndarray
    path: Bunch
    left_out: Callable
    sampled: Callable
    estimate: Callable | None = None
    inverse_temperature: float | None = None
    moves_with_alpha: bool = True


def combine(values, alpha):
    """Σ_k values[..., k] α[..., k]."""
    return np.einsum("...ck,ck->...c", values, alpha)


def family(problem, alphas, gammas, probabilities=(1.0,), *, path, estimate=None, held=(0.0, 0.0)):
    """The average over γ of w(α(γ), γ) = α w̃ + Q(γ) Xᵀ(y − αs)/n.

    Parameters
    ----------
    problem : Problem
    alphas : array-like of shape (n_gammas, n_outputs, n_sources)
    gammas, probabilities : array-like of shape (n_gammas,)
    path : Bunch
    estimate : callable or None
        Left-out values of rows, by number, where there are more rows than the sample has.
    held : (s, mean)
        The share s of the mean (n_outputs,) of the residuals that a held intercept leaves.

    Returns
    -------
    solution : Solution
    """
    alphas, gammas, P = np.asarray(alphas), np.asarray(gammas), np.asarray(probabilities)
    alpha, gamma = np.tensordot(P, alphas, axes=1), float(P @ gammas)
    seen = P > 1e-14  # the rest of the grid does not change the average
    alphas, gammas, P = alphas[seen], gammas[seen], P[seen] / P[seen].sum()
    C = problem.residual(alphas)
    a, b = problem.resolvent.adapter(C, gammas, P)
    left_out = decisions_left_out(problem, C, gammas, P, held)

    @cache
    def sampled():
        exact = estimate is None or len(problem.sample) == problem.rows.n_rows
        return (left_out if exact else estimate)(problem.sample)

    b = b - held[0] * held[1]
    return Solution(alpha, gamma, a, b, path, left_out, sampled, estimate)


def decisions_left_out(problem, C, gammas, probabilities, held=(0.0, 0.0)):
    """The function of row numbers: the average over γ of decision values of left-out rows."""
    return lambda index: problem.Y[index] - problem.left_out(C, gammas, probabilities, index, held)


def adapter_parts(problem, gamma):
    """(a₀, b₀) and (a₁, b₁) of the adapter a₀ − αa₁ with the intercept b₀ − αb₁ at one γ.

    Shapes (n_outputs, n_features), (n_outputs,) and (n_outputs, n_sources, n_features), (n_outputs,
    n_sources).
    """
    (n, n_sources), gammas = problem.shape, np.array([gamma])
    a, b = problem.resolvent.adapter(problem.identity[None], gammas, np.ones(1))
    return (a[:n], b[:n]), (a[n:].reshape(n, n_sources, a.shape[1]), b[n:].reshape(problem.shape))


def every_left_out(problem, solution):
    """Decision values of all rows when left out, (n_rows, n_outputs)."""
    n = problem.rows.n_rows
    return solution.sampled() if len(problem.sample) == n else solution.left_out(np.arange(n))


def coefficients_of_alpha(problem, solution):
    """(w₀, w₁) with w(α) = w₀ + αw₁ at the γ of the solution; intercepts are a last feature."""
    source = np.concatenate([problem.W, problem.b[:, :, None]], axis=2)
    if not solution.moves_with_alpha:
        return np.column_stack([solution.a, solution.b]), source
    (a0, b0), (a1, b1) = adapter_parts(problem, solution.gamma)
    return np.column_stack([a0, b0]), source - np.concatenate([a1, b1[:, :, None]], axis=2)


def posterior(log_weights):
    """Weights that sum to one, from their logarithms."""
    P = np.exp(log_weights - log_weights.max())
    return P / P.sum()
