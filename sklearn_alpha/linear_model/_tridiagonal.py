"""A symmetric matrix as a tridiagonal one, A = QTQᵀ, and (A + γI)⁻¹ for as many γ as wanted.

T + γI = LDLᵀ with L bidiagonal, and its pivots D and multipliers cost O(N) for each γ: quadratic
forms, solutions and the log determinant need no eigenvectors. A diagonal T, of eigenvalues, is one
more way to have it: dearer to come by, and cheaper where very many forms follow.
"""

import numpy as np
from scipy.linalg import eigh, lapack

# Of γ/tr A, above which rounding in the null space of A, eps·tr A/γ, does not show.
SAFE = 1e-9
# Of the columns that `sqnorms` will see, over N²: above it eigenvectors are paid back.
MANY = 1.5e-3
LAPACK_BLOCK = 64  # columns that LAPACK works on at a time, at most


class Tridiagonal:
    """A = QTQᵀ of a symmetric positive semi-definite A (N, N), which is overwritten.

    Parameters
    ----------
    A : ndarray of shape (N, N)
        Fortran-contiguous.
    least : float
        The smallest γ to come. Where it is so small that the null space of A must be told from
        rounding, T is diagonal and holds the eigenvalues, with those that are rounding at zero.
    n_columns : int
        How many columns `sqnorms` will see.
    n_rows : int
        Of the matrix whose products A holds: rounding grows with it.

    Attributes
    ----------
    diagonal, side : ndarray of shape (N,), (N − 1,)
        Of T.
    """

    def __init__(self, A, least, n_columns, n_rows):
        N = len(A)
        if N == 1:
            # LAPACK's wrappers want a number for the side that is not there
            self._Q, self.diagonal, self.side = np.ones((1, 1)), A[0].copy(), np.zeros(1)
        elif least < SAFE * np.trace(A) or n_columns > MANY * N**2:
            eigenvalues, self._Q = eigh(A, overwrite_a=True, check_finite=False, driver="evd")
            floor = max(
                max(n_rows, N) * np.finfo(np.float64).eps * eigenvalues[-1],
                np.finfo(np.float64).tiny,
            )
            self.diagonal = np.where(eigenvalues > floor, eigenvalues, 0.0)
            self.side = np.zeros(N - 1)
        else:
            reduced, self.diagonal, self.side, tau, _ = lapack.dsytrd(
                A, lower=1, lwork=LAPACK_BLOCK * N, overwrite_a=1
            )
            self._Q, self._reflectors = None, (below_diagonal(reduced), tau)

    def __len__(self):
        return len(self.diagonal)

    def rotate(self, columns):
        """QᵀC, (N, m)."""
        return self._reflect("T", np.array(columns)) if self._Q is None else self._Q.T @ columns

    def rotate_back(self, columns):
        """QC, (N, m)."""
        return self._reflect("N", np.array(columns)) if self._Q is None else self._Q @ columns

    def rows(self, index):
        """Rows of Q by number, as columns: (N, m)."""
        if self._Q is not None:
            return self._Q[index].T
        unit = np.zeros((len(self), len(index)))
        unit[index, np.arange(len(index))] = 1
        return self._reflect("T", unit)

    def _reflect(self, trans, columns):
        """In place; N reflections of a column cost what a product with Q does, never formed."""
        lwork = LAPACK_BLOCK * (columns.shape[1] + LAPACK_BLOCK + 1)
        columns[1:], *_ = lapack.dormqr("L", trans, *self._reflectors, columns[1:], lwork)
        return columns

    @property
    def null(self):
        """Which columns of Q span the null space of A, where T is diagonal; else none."""
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


def below_diagonal(A):
    """A[1:, :-1] of a Fortran-contiguous A (N, N), moved together in its memory."""
    N, flat = len(A), A.T.reshape(-1)
    for j in range(N - 1):
        flat[j * (N - 1) : (j + 1) * (N - 1)] = flat[j * N + 1 : (j + 1) * N]
    return flat[: (N - 1) ** 2].reshape(N - 1, N - 1).T
