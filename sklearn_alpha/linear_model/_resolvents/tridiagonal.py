"""A = QTQᵀ with a tridiagonal T, and (A + γI)⁻¹ for any number of γ.

T + γI = LDLᵀ with a bidiagonal L costs O(N) for each γ, so that quadratic forms, solutions and the
log determinant need no eigenvectors. T may also be the diagonal matrix of eigenvalues, which takes
longer to compute and pays where very many forms follow. At a few γ, many forms are fastest from
Cholesky's factors.
"""

from functools import partial

import numpy as np
from scipy.linalg import eigh, lapack

from sklearn_alpha.linear_model._resolvents.cholesky import FEW, Cholesky

# γ/tr A above which rounding in the null space of A, eps·tr A/γ, is negligible.
SAFE = 1e-9
# (number of columns whose forms are needed at every γ)/N² above which eigenvectors pay.
MANY = 1.5e-3
BLOCK = 64  # columns that are worked on at a time


class Tridiagonal:
    """A = QTQᵀ of a symmetric positive semi-definite A (N, N), which is overwritten.

    Parameters
    ----------
    A : ndarray of shape (N, N)
        Fortran-contiguous.
    least : float
        The smallest γ to come. If it is so small that rounding in the null space of A matters, T is
        diagonal, and eigenvalues that are only rounding are set to zero.
    n_columns : int
        The number of columns for which `forms` will be called at every γ.
    n_rows : int
        The number of rows of the matrix whose products A holds. It bounds the rounding, and the
        memory that a factor may take.

    Attributes
    ----------
    diagonal, side : ndarray of shape (N,), (N − 1,)
        Of T.
    """

    def __init__(self, A, least, n_columns, n_rows):
        N, self._n_rows = len(A), n_rows
        if N == 1:
            # LAPACK's wrappers do not take an empty side
            self._Q, self.diagonal, self.side = np.ones((1, 1)), A[0].copy(), np.zeros(1)
        elif least < SAFE * np.trace(A) or n_columns > MANY * N**2:
            eigenvalues, self._Q = eigh(A, overwrite_a=True, check_finite=False, driver="evd")
            # rounding of a sum of n terms grows as √n, and n may be a sum of large weights
            rounding = max(16 * np.sqrt(n_rows), N) * np.finfo(np.float64).eps
            floor = max(rounding * eigenvalues[-1], np.finfo(np.float64).tiny)
            self.diagonal = np.where(eigenvalues > floor, eigenvalues, 0.0)
            self.side = np.zeros(N - 1)
        else:
            # dsytrd leaves the upper triangle as it was
            self._Q, self._own_diagonal = None, A.diagonal().copy()
            self._reduced, self.diagonal, self.side, self._tau, _ = lapack.dsytrd(
                A, lower=1, lwork=BLOCK * N, overwrite_a=1
            )

    def __len__(self):
        return len(self.diagonal)

    def rotate(self, columns):
        """QᵀC, (N, m)."""
        return self._reflect("T", np.array(columns)) if self._Q is None else self._Q.T @ columns

    def rotate_back(self, columns):
        """QC, (N, m)."""
        return self._reflect("N", np.array(columns)) if self._Q is None else self._Q @ columns

    def _reflect(self, trans, columns):
        """QᵀC or QC, in place, by N reflections: Q is never formed."""
        lwork = BLOCK * (columns.shape[1] + BLOCK + 1)
        columns[1:], *_ = lapack.dormqr(
            "L", trans, below_diagonal(self._reduced), self._tau, columns[1:], lwork
        )
        return columns

    @property
    def null(self):
        """The columns of Q that span the null space of A, if T is diagonal; else none."""
        return (self.diagonal == 0) & (not self.side.any())

    def _factors_at(self, gammas):
        """Pivots (n_gammas, N) and multipliers (n_gammas, N − 1) of T + γI."""
        pivots, lower = self.diagonal + gammas[:, None], np.tile(self.side, (len(gammas), 1))
        if self.side.any():
            for i, shifted in enumerate(pivots):
                pivots[i], lower[i], _ = lapack.dpttrf(shifted, self.side)
        return pivots, lower

    def solve(self, columns, gammas):
        """(T + γI)⁻¹ @ columns for each γ: (n_gammas, N, m)."""
        pivots, lower = self._factors_at(gammas)
        if not self.side.any():
            return columns / pivots[:, :, None]
        return np.array([lapack.dpttrs(*both, columns)[0] for both in zip(pivots, lower)])

    def dot(self, columns):
        """T @ columns, (N, m)."""
        product = self.diagonal[:, None] * columns
        product[1:] += self.side[:, None] * columns[:-1]
        product[:-1] += self.side[:, None] * columns[1:]
        return product

    def log_det(self, gammas):
        """log det(A + γI) for each γ."""
        return np.log(self._factors_at(gammas)[0]).sum(axis=1)

    def sqnorms(self, columns, gammas):
        """zᵀ(T + γI)⁻¹z of each column z (N, m), for each γ: (n_gammas, m).

        It is ‖D^−½L⁻¹z‖²: one forward substitution, for all columns and γ side by side.
        """
        pivots, lower = self._factors_at(gammas)
        if not self.side.any():
            return (1 / pivots) @ columns**2
        lower, scale = lower[:, :, None], 1 / pivots[:, :, None]
        solved = np.tile(columns[0], (len(gammas), 1))
        step = np.empty_like(solved)
        found = solved**2 * scale[:, 0]
        for i in range(1, len(columns)):
            solved *= lower[:, i - 1]
            np.subtract(columns[i], solved, out=solved)
            np.multiply(solved, solved, out=step)
            step *= scale[:, i]
            found += step
        return found

    def trace(self, gamma):
        """tr (A + γI)⁻¹."""
        return self.sqnorms(np.eye(len(self)), np.array([gamma])).sum()

    def forms(self, gammas):
        """Quadratic forms at γ's, some of them at a time.

        Yields
        ------
        which : slice
            Of the γ's.
        forms : callable
            xᵀ(A + γI)⁻¹x of columns x (N, m), which it may overwrite, at these γ: (n_which, m). It
            is to be called before the next γ's are asked for.
        """
        # a factor may take half the memory of the rows
        if self._Q is None and len(gammas) <= FEW and 2 * len(self) <= self._n_rows:
            A = self._reduced.copy(order="F")
            np.fill_diagonal(A, self._own_diagonal)
            yield from Cholesky(A).forms(gammas)
        else:
            yield slice(None), lambda columns: self.sqnorms(self.rotate(columns), gammas)

    def diagonals(self, gammas):
        """The same of the function [(A + γI)⁻¹]ᵢᵢ of numbers i (m,): (n_which, m)."""
        if self._Q is not None:
            yield slice(None), lambda index: self.sqnorms(self._Q[index].T, gammas)
        else:
            for which, forms in self.forms(gammas):
                yield which, partial(of_identity, forms, len(self))


def below_diagonal(A):
    """A[1:, :-1] of a Fortran-contiguous A (N, N) with one more row, without a copy."""
    N = len(A)
    return A.T.reshape(-1)[1 : 1 + N * (N - 1)].reshape(N - 1, N).T


def of_identity(forms, N, index):
    """A function of columns (N, m), of those of the identity, by number."""
    columns = np.zeros((N, len(index)), order="F")
    columns[index, np.arange(len(index))] = 1
    return forms(columns)
