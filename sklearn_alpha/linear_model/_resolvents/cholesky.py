"""A + γI = LLᵀ for a few γ, one after the other in the memory of A.

A factor costs N³/3 multiplications and gives all that is asked at its γ:

    (A + γI)⁻¹C = L⁻ᵀL⁻¹C,    xᵀ(A + γI)⁻¹x = ‖L⁻¹x‖²,    log det = 2 Σ log Lᵢᵢ

A triangular solution with many columns runs at the speed of a matrix product, so that up to `FEW`
values of γ this is faster than a basis that serves every γ.
"""

from functools import partial

import numpy as np
from scipy.linalg import blas, lapack
from sklearn.utils import gen_batches

from sklearn_alpha.linear_model._data.rows import UPPER, mirror

FEW = 5


class Cholesky:
    """A + γI = LLᵀ of a symmetric positive semi-definite A (N, N), which is overwritten.

    The upper triangle stays that of A, and the lower one has the factor of the last γ. The basis is
    that of A: nothing is rotated.

    Parameters
    ----------
    A : ndarray of shape (N, N)
        Fortran-contiguous.
    """

    def __init__(self, A):
        self._A, self._own_diagonal = np.asfortranarray(A), A.diagonal().copy()
        self._gamma = np.nan  # of the factor
        self._inverted = np.nan, None  # γ, and the diagonal of the inverse

    def __copy__(self):
        """The same matrix in memory of its own, for another thread or a factor that stays."""
        A = self._A.copy(order="F")
        np.fill_diagonal(A, self._own_diagonal)
        return Cholesky(A)

    def __len__(self):
        return len(self._A)

    @property
    def null(self):
        """Which columns of the basis are known to span the null space of A: none."""
        return np.zeros(len(self), dtype=bool)

    def rotate(self, columns):
        """The columns (N, m)."""
        return columns

    rotate_back = rotate

    def _factor(self, gamma):
        """L in the lower triangle."""
        if gamma != self._gamma:
            mirror(self._A.T)
            np.fill_diagonal(self._A, self._own_diagonal + gamma)
            lapack.dpotrf(self._A, lower=1, clean=0, overwrite_a=1)
            self._gamma = gamma
        return self._A

    def _inverse_diagonal(self, gamma):
        """[(A + γI)⁻¹]ᵢᵢ (N,): the sums of squares of the columns of L⁻¹, which replaces L."""
        if gamma != self._inverted[0]:
            inverse, diagonal = self._factor(gamma), np.empty(len(self))
            self._gamma = np.nan
            lapack.dtrtri(inverse, lower=1, overwrite_c=1)
            for block in gen_batches(len(self), len(UPPER)):
                below, own = inverse[block.stop :, block], inverse[block, block]
                diagonal[block] = np.einsum("ij,ij->j", below, below)
                lower = ~UPPER[: len(own), : len(own)]
                diagonal[block] += np.sum(own**2, axis=0, where=lower)
            self._inverted = gamma, diagonal
        return self._inverted[1]

    def solve(self, columns, gammas):
        """(A + γI)⁻¹ @ columns for each γ: (n_gammas, N, m)."""
        factors = map(self._factor, gammas)
        return np.array([lapack.dpotrs(L, columns, lower=1)[0] for L in factors])

    def dot(self, columns):
        """A @ columns, (N, m)."""
        np.fill_diagonal(self._A, self._own_diagonal)
        self._gamma = np.nan
        return blas.dsymm(1.0, self._A, columns, lower=0)

    def log_det(self, gammas):
        """log det(A + γI) for each γ."""
        return np.array([2 * np.log(self._factor(gamma).diagonal()).sum() for gamma in gammas])

    def trace(self, gamma):
        """tr (A + γI)⁻¹."""
        return self._inverse_diagonal(gamma).sum()

    def forms(self, gammas):
        """As of :class:`Tridiagonal`, for one γ after the other."""
        for at, gamma in enumerate(gammas):
            yield slice(at, at + 1), partial(self._forms_at, gamma)

    def _forms_at(self, gamma, columns):
        solved = blas.dtrsm(1.0, self._factor(gamma), columns, lower=1, overwrite_b=1)
        return np.einsum("ij,ij->j", solved, solved)[None]

    def diagonals(self, gammas):
        """As of :class:`Tridiagonal`, for one γ after the other."""
        for at, gamma in enumerate(gammas):
            yield slice(at, at + 1), partial(self._diagonal_at, gamma)

    def _diagonal_at(self, gamma, index):
        return self._inverse_diagonal(gamma)[None, index]
