"""The source's decision values as log odds, rescaled by the likelihood of the target's rows.

    P(class | x) = softmax(αF̃),    F̃ = Σ_k c_k s_k

A source with probabilities has its own scale c. Any other is brought to decision values of root
mean square 2, and α is then free within a factor of a few. Several sources are pooled first, with
the weights that maximise the likelihood under N(1/K, 1/K²).
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

from sklearn_alpha.linear_model._calibration import below_own, losses
from sklearn_alpha.linear_model._directions import unit_combinations
from sklearn_alpha.linear_model._solution import posterior

# α of a source with probabilities, and of one without
GRID = np.array([-2, -1, -0.5, -0.25, 0, 0.25, 0.5, 2**-0.5, 1, 2**0.5, 2])
PRIOR = np.where(GRID == 1, 0.9, 0.01)
FREE = np.exp(np.linspace(-2.5, 2.5, 11))
FREE_GRID = np.concatenate([-FREE[::-1], [0], FREE])
FREE_PRIOR = np.exp(-(np.log(FREE) ** 2) / 2) / np.exp(-(np.log(FREE) ** 2) / 2).sum()
FREE_PRIOR = np.concatenate([0.04 * FREE_PRIOR[::-1], [0.04], 0.92 * FREE_PRIOR])


@dataclass(frozen=True)
class SourceOdds:
    """What the source says of the target's rows.

    Attributes
    ----------
    labels : ndarray of shape (n_rows,)
    F : ndarray of shape (n_rows, n_outputs)
        αF̃; of two classes, the log odds of the second.
    T : ndarray of shape (n_rows, n_outputs)
        The codes that are expected under softmax(αF̃).
    code : float
        k, the size of a code in log odds.
    alpha : ndarray of shape (n_outputs, n_sources)
        What αF̃ makes of each source's weights.
    path : dict
        The grid of α and its posterior.
    """

    labels: np.ndarray
    F: np.ndarray
    T: np.ndarray
    code: float
    alpha: np.ndarray
    path: dict

    @classmethod
    def of(cls, problem):
        """From the codes and the sources of a problem."""
        labels, weights, S = problem.Y.argmax(axis=1), problem.rows.weights, problem.S
        n_outputs = problem.shape[0]
        if n_outputs == 1:
            labels = (problem.Y[:, 0] > 0).astype(int)
        # of one size and direction, sources count once, and a source without values not at all
        inner = np.einsum("i,ick,icl->kl", weights, S, S)
        units = unit_combinations(inner) * 2 * np.sqrt(problem.n * n_outputs)
        known = ~np.isnan(problem.log_odds)
        together = (units > 0) / np.maximum((units > 0).sum(axis=0), 1)
        scale = np.where(known[:, None], together * np.nan_to_num(problem.log_odds)[:, None], units)
        share = scale @ pool(S @ scale, labels, weights)
        F = S @ share
        grid, prior = (GRID, PRIOR) if known.all() else (FREE_GRID, FREE_PRIOR)
        below = below_own(F, labels)
        P = posterior(np.log(prior) - [losses(a * below, weights) for a in grid])
        alpha = P @ grid
        F = alpha * F
        T = np.tanh(F / 2) if n_outputs == 1 else 2 * softmax(F, axis=1) - 2 / n_outputs
        return cls(
            labels,
            F,
            T,
            2.0 if n_outputs == 1 else 1.0,
            np.tile(alpha * share, (n_outputs, 1)),
            {"alpha_grid": grid, "alpha_posterior": P},
        )


def pool(S, labels, weights):
    """The share of each source, (n_sources,), in the pooled log odds."""
    n_sources = S.shape[2]
    if n_sources < 2:
        return np.ones(n_sources)
    even, below = np.full(n_sources, 1 / n_sources), below_own(S, labels)
    if below.shape[1] == 1:  # the own class has the value zero
        below = np.concatenate([np.zeros_like(below), below], axis=1)

    def loss(share):
        """With its gradient."""
        values = below @ share
        slope = np.einsum("i,ic,ick->k", weights, softmax(values, axis=1), below)
        move = n_sources**2 * (share - even)
        return move @ (share - even) / 2 + losses(values, weights), move + slope

    def curvature(share):
        P = softmax(below @ share, axis=1)
        mean = np.einsum("ic,ick->ik", P, below)
        second = np.einsum("i,ic,ick,icl->kl", weights, P, below, below)
        return n_sources**2 * np.eye(n_sources) + second - (weights[:, None] * mean).T @ mean

    share = minimize(loss, even, jac=True, hess=curvature, method="trust-exact").x
    for _ in range(3):  # from there on Newton's steps square the error
        share = share - np.linalg.solve(curvature(share), loss(share)[1])
    return share
