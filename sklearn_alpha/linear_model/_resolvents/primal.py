"""The resolvent from second moments, MᵀM/n: for more rows than features.

S = XW + 1b, so that with A = (MᵀM/n + γI)⁻¹ Mᵀ√sZ/n

    SᵀG√sZ = nWᵀA + bᵀ1ᵀG√sZ,      YᵀGY = (YᵀSY − nYᵀMA)/γ

and the first of these is exact where the rows determine everything.
"""

from copy import copy
from functools import cached_property

import numpy as np

from sklearn_alpha.linear_model._resolvents.base import (
    EPS,
    ExactResolvent,
    batches,
    left_out_residuals,
    sqnorm,
)


class PrimalResolvent(ExactResolvent):
    """From second moments of M = √S [X, k] and E = [Y, 1]: MᵀM/n, Mᵀ√sE/n and EᵀSE/n.

    Parameters
    ----------
    moments : PrimalMoments
        Its Gram matrix is overwritten.
    W : ndarray of shape (n_features, n_columns)
    b : ndarray of shape (n_columns,)
        S = XW + b.
    gammas : ndarray of shape (n_gammas,)
        The γ's to come.
    n_left_out : int
        How many rows will be left out, one at a time.
    """

    def __init__(self, moments, W, b, gammas, n_left_out=0):
        self._moments, self.n, self.centred = moments, moments.n, moments.centred
        k, n_outputs, p = moments.height, len(moments.mean_Y), len(moments.mean)
        self.sqnorm = sqnorm(moments.gram[:p, :p])
        self._gammas, self._n_left_out = gammas, n_left_out
        # √sZ = MV + √sED, with b on the constant column where there is one
        V = np.vstack([W, b / k]) if 0 < k < np.inf else W
        V = np.hstack([np.zeros((len(V), n_outputs)), V])
        self._D = np.eye(len(moments.square), V.shape[1])
        self._D[n_outputs:, n_outputs:] = b
        self.means = moments.centred * np.append(moments.mean_Y, moments.mean @ W + b)
        self._V = V

    @cached_property
    def _basis(self):
        return self._factorised(self._moments.gram, self._gammas, self._n_left_out, self.n)

    @cached_property
    def _rotated(self):
        """Rows and sources in the basis, by one product."""
        cross = self._moments.cross
        both = self._basis.rotate(np.hstack([cross, self._V]))
        e, v = both[:, : cross.shape[1]], both[:, cross.shape[1] :]
        e[self._basis.null] = 0.0  # rows have only rounding in the null space
        return e, v, self._basis.dot(v)

    @property
    def _e(self):
        return self._rotated[0]

    @property
    def _v(self):
        return self._rotated[1]

    @property
    def _v_T(self):
        return self._rotated[2]

    @property
    def inner(self):
        v, e, D = self._v, self._e, self._D
        mixed = v.T @ e @ D
        return self.n * (v.T @ self._v_T + mixed + mixed.T + D.T @ self._moments.square @ D)

    def _solve(self, gammas):
        return self._basis.solve(np.hstack([self._e, self._v_T]), gammas)

    def _weights(self, gammas):
        """A(γ) in the basis for each γ, (n_gammas, N, m): its parts from E and from MV."""
        return np.split(super()._weights(gammas), [self._e.shape[1]], axis=2)

    def quadratic(self, gammas):
        """ZᵀG(γ)Z for each γ: (n_gammas, n_columns, n_columns)."""
        square, D, (of_e, of_v) = self._moments.square, self._D, self._weights(gammas)
        rest, own = square - self._e.T @ of_e, np.arange(len(square))
        # an exact fit leaves rounding of either sign
        rest[:, own, own] = np.maximum(rest[:, own, own], EPS * square.diagonal())
        mixed = self._v.T @ of_e @ D
        mixed = mixed + mixed.swapaxes(1, 2)
        return self.n * (self._v.T @ of_v + mixed + D.T @ rest @ D / gammas[:, None, None])

    def log_det(self, gammas):
        """log det G(γ) for each γ, over the n repeated rows (less one when they are centred)."""
        zeros = self.n - self.centred - len(self)
        return -zeros * np.log(gammas) - self._basis.log_det(gammas)

    def __len__(self):
        return len(self._basis)

    def leverage(self, gamma):
        """The mean of hᵢ(γ): tr(MMᵀG)/n, and the free intercept's 1/n."""
        return (len(self) - gamma * self._basis.trace(gamma) + self.centred) / self.n

    def spread(self, gamma):
        """The function xᵀ(MᵀM/n + γI)⁻¹x of new rows (n_rows, n_features); x has M's constant."""
        moments, ((_, forms),) = self._moments, copy(self._basis).forms(np.array([gamma]))

        def of_rows(X):
            return forms(moments.rows_of(X.copy()).T)[0]

        return of_rows

    def adapter(self, coefficients, gammas, probabilities):
        """Σ_γ P(γ) A(γ)C(γ).

        Parameters
        ----------
        coefficients : ndarray of shape (n_gammas, n_columns, m)
            C(γ).
        gammas, probabilities : ndarray of shape (n_gammas,)

        Returns
        -------
        a : ndarray of shape (m, n_features)
        b : ndarray of shape (m,)
        """
        moments, (of_e, of_v) = self._moments, self._weights(gammas)
        weights = of_e @ (self._D @ coefficients) + of_v @ coefficients
        a = self._basis.rotate_back(np.tensordot(probabilities, weights, axes=1)).T
        if moments.height == 0:
            return a, np.zeros(len(a))
        if not moments.centred:
            return a[:, :-1], moments.height * a[:, -1]
        mean = self.means @ np.tensordot(probabilities, coefficients, axes=1)
        return a, mean - a @ moments.mean

    def leave_one_out(self, coefficients, gammas, rows, Y, index, held=(0.0, 0.0)):
        """Residuals of Z C(γ) at rows by number, some γ and rows at a time.

        Yields
        ------
        which, at : slice
            Of the γ's and of the numbers `index`.
        residuals : ndarray of shape (n_which, n_at, m)
        """
        moments, basis, (s, mean) = self._moments, self._basis, held
        E = moments.targets(Y)
        for which, leverages in basis.forms(gammas):
            C, (of_e, of_v) = coefficients[which], self._weights(gammas[which])
            of_E = self._D @ C
            of_M = basis.rotate_back(np.hstack([*((self._v - of_v) @ C - of_e @ of_E)]))
            for at in batches(len(index), len(gammas), rows):
                part = index[at]
                M = moments.rows_of(rows.take(part), rows.offset)
                fitted = (M @ of_M).reshape(len(part), len(C), -1).swapaxes(0, 1)
                share = rows.weights[part] / rows.n
                free = 1 - share * (leverages(M.T) + moments.centred * (1 - s))
                residuals = E[part] @ of_E + fitted + s * mean
                yield which, at, left_out_residuals(residuals, free, rows, part)
