"""The posterior variance of a new observation, under the prior that the ridge stands for.

    y − αs ~ N(b, τ²(XXᵀ/(nγ) + I)),    b free or zero

    Var(y* | y) = τ²(1 + x̃ᵀ(X̃ᵀX̃ + nγI)⁻¹x̃ + 1/n),    τ² = γ rᵀGr/(n − 3),    r = y − αs

at the α and γ of the fit. This τ² is its posterior mean under the prior 1/τ². X̃ and x̃ are centred
on the rows. Without a free intercept 1/n is absent and n − 3 is n − 2; a constant column under the
penalty is a column of X.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import gen_batches

from sklearn_alpha.linear_model._data.array_api import to_host
from sklearn_alpha.linear_model._resolvents import KrylovResolvent

BLOCK = 1 << 21  # numbers of new rows, and of their products with the old ones, at a time


@dataclass(frozen=True, eq=False)
class Posterior:
    """What the variance is computed from.

    Attributes
    ----------
    resolvent : PrimalResolvent or DualResolvent
    gamma : float
    variance : ndarray of shape (n_outputs,)
        τ²; infinite where there are too few rows.
    """

    resolvent: object
    gamma: float
    variance: np.ndarray

    @classmethod
    def of(cls, problem, solution):
        """That of a fit; None where there is no decomposition, or no ridge, to compute it from."""
        resolvent, gamma = problem.resolvent, solution.gamma
        if isinstance(resolvent, KrylovResolvent) or not np.isfinite(gamma):
            return None
        C = problem.residual(solution.alpha)
        forms = np.einsum("ic,ij,jc->c", C, resolvent.quadratic(np.array([gamma]))[0], C)
        freedom = resolvent.n - resolvent.centred - 2
        if freedom <= 0:
            return cls(resolvent, gamma, np.full(len(forms), np.inf))
        return cls(resolvent, gamma, gamma * np.maximum(forms, 0) / freedom)

    def standard_deviation(self, X):
        """Of new observations at rows X, (n_samples, n_outputs)."""
        n, N = self.resolvent.n, X.shape[1] + len(self.resolvent)
        spread, spreads = self.resolvent.spread(self.gamma), []
        for rows in gen_batches(X.shape[0], max(BLOCK // N, 1)):
            block = X[rows, :]
            block = block.toarray() if issparse(block) else to_host(block)
            spreads.append(spread(np.asarray(block, dtype=np.float64)))
        share = 1 + (np.concatenate(spreads) + self.resolvent.centred) / n
        return np.sqrt(np.multiply.outer(share, self.variance))
