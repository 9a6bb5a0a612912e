"""The resolvent from the kernel of the rows, MMᵀ/n: for more features than rows."""

from copy import copy
from functools import cached_property

import numpy as np
from scipy.linalg import blas

from sklearn_alpha.linear_model._resolvents.base import (
    ExactResolvent,
    batches,
    left_out_residuals,
    sqnorm,
)


class DualForm:
    """What follows from GZ, whatever the way to apply (MMᵀ/n + γI)⁻¹.

    A subclass has a `_basis`, and the coordinates `_z` of Z in it.

    Parameters
    ----------
    rows : Rows
    Z : ndarray of shape (n_rows, n_columns)
    """

    def __init__(self, rows, Z):
        self.rows, self.n, self.centred = rows, rows.n, rows.centred
        self.means = rows.average(Z) if rows.centred else np.zeros(Z.shape[1])
        self._Z = rows.root[:, None] * (Z - self.means)

    @property
    def inner(self):
        return self._z.T @ self._z

    def _solve(self, gammas):
        """GZ in the basis for each γ: (n_gammas, N, n_columns)."""
        return self._basis.solve(self._z, gammas)

    _weights = _solve

    def quadratic(self, gammas):
        """ZᵀG(γ)Z for each γ: (n_gammas, n_columns, n_columns)."""
        return self._z.T @ self._weights(gammas)

    def adapter(self, coefficients, gammas, probabilities):
        """Σ_γ P(γ) A(γ)C(γ), as in :class:`PrimalResolvent`."""
        rows = self.rows
        dual = np.tensordot(probabilities, self._weights(gammas) @ coefficients, axes=1)
        dual[self._basis.null] = 0.0  # Mᵀ takes it to zero up to rounding, times 1/γ
        values = rows.root[:, None] * self._basis.rotate_back(dual) / rows.n
        a, total = rows.rdot(values).T, values.sum(axis=0)
        if not rows.centred:
            return a, rows.height**2 * total
        # The total is only rounding, which large means of a sparse X would magnify.
        a -= np.outer(total, rows.mean)
        mean = self.means @ np.tensordot(probabilities, coefficients, axes=1)
        return a, mean - a @ (rows.mean + rows.offset)


class DualResolvent(ExactResolvent, DualForm):
    """From the kernel MMᵀ/n of the rows, reduced to a tridiagonal matrix.

    Parameters
    ----------
    rows : Rows
    Z : ndarray of shape (n_rows, n_columns)
    gammas : ndarray of shape (n_gammas,)
        The γ's to come.
    n_left_out : int
        How many rows will be left out, one at a time.
    """

    def __init__(self, rows, Z, gammas, n_left_out=0):
        super().__init__(rows, Z)
        self._kernel, self._gammas, self._n_left_out = rows.kernel(), gammas, n_left_out
        self.sqnorm = sqnorm(self._kernel)

    @cached_property
    def _basis(self):
        rows, kernel = self.rows, self._kernel  # the reduction overwrites it
        if 0 < rows.height < np.inf:
            blas.dger(rows.height**2 / rows.n, rows.root, rows.root, a=kernel, overwrite_a=1)
        return self._factorised(kernel, self._gammas, self._n_left_out, rows.n_features)

    @cached_property
    def _z(self):
        return self._basis.rotate(self._Z)

    def log_det(self, gammas):
        """log det G(γ) for each γ, over the n repeated rows (less one when they are centred)."""
        zeros = self.n - self.centred - self.rows.n_rows
        return -zeros * np.log(gammas) - self._basis.log_det(gammas)

    def __len__(self):
        return len(self._basis)

    def spread(self, gamma):
        """As in :class:`PrimalResolvent`: (‖x‖² − (Mx)ᵀ(MMᵀ/n + γI)⁻¹Mx/n)/γ."""
        rows, ((_, forms),) = self.rows, copy(self._basis).forms(np.array([gamma]))
        constant = rows.height**2 if 0 < rows.height < np.inf else 0.0

        def of_rows(X):
            columns = (X - rows.offset - rows.mean if rows.centred else X).T
            # of a sparse X the mean is taken from the products
            products = rows.dot(columns) - rows.centred * (rows.mean @ columns) + constant
            square = np.einsum("pi,pi->i", columns, columns) + constant
            products *= rows.root[:, None] / np.sqrt(rows.n)
            return np.maximum(square - forms(products)[0], 0) / gamma

        return of_rows

    def leave_one_out(self, coefficients, gammas, rows, Y, index, held=(0.0, 0.0)):
        """As in :class:`PrimalResolvent`."""
        s, mean = held
        for which, diagonal in self._basis.diagonals(gammas):
            C, of_which = coefficients[which], gammas[which][:, None]
            dual = of_which[:, None] * (self._weights(gammas[which]) @ C)
            dual = self._basis.rotate_back(np.hstack([*dual]))
            for at in batches(len(index), len(gammas), rows):
                part = index[at]
                residuals = dual[part] / rows.root[part, None]
                free = of_which * diagonal(part)
                free -= rows.centred * (1 - s) * rows.weights[part] / rows.n
                residuals = residuals.reshape(len(part), len(C), -1).swapaxes(0, 1) + s * mean
                yield which, at, left_out_residuals(residuals, free, rows, part)
