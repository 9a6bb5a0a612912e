"""The resolvent Q(γ) = (XᵀX/n + γI)⁻¹ and what follows from it at any γ.

With weights s (n = Σ sᵢ) and the constant column k in place of X stands M = diag(√s) [X, k]. The
rules read the data through one small protocol, about Z = [Y, S], the targets and the sources'
outputs, under

    G(γ) = (MMᵀ/n + γI)⁻¹,      M G(γ)-weighted:  A(γ) = MᵀG(γ)√sZ/n = (MᵀM/n + γI)⁻¹ Mᵀ√sZ/n

    inner                  ZᵀSZ, centred where the rows are
    quadratic(γ)           ZᵀG(γ)Z
    log_det(γ)             log det G(γ)
    adapter(C, γ, P)       Σ P(γ) A(γ) C(γ), the weights and the intercept that fit Z C(γ)
    leave_one_out(C, γ)    residuals of Z C(γ) at left-out rows, as many as are asked for

A resolvent that estimates says how well, and at which γ. That of products with X alone is
:class:`KrylovResolvent`; here is a tridiagonal reduction (:class:`Tridiagonal`) of the smaller of

    primal   MᵀM/n: only second moments enter. S = MW̃ + 1b̃, so that SᵀG√sZ = nW̃ᵀA + b̃1ᵀG√sZ is
             exact where the rows determine everything, and YᵀGY = (YᵀSY − nYᵀMA)/γ
    dual     MMᵀ/n
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import blas

from sklearn_alpha.linear_model._rows import BLOCK
from sklearn_alpha.linear_model._tridiagonal import Tridiagonal

EPS = np.finfo(np.float64).eps
CACHE = 1 << 14  # numbers of all γ that a substitution works on at a time


@dataclass
class Moments:
    """What the primal form needs of the rows, centred where they are.

    Attributes
    ----------
    n : float
    height : float
        k.
    gram : ndarray of shape (N, N)
        MᵀM/n.
    cross : ndarray of shape (N, n_outputs) or (N, n_outputs + 1)
        Mᵀ√sE/n, of E = [Y, 1] where there is no constant column, else of Y.
    square : ndarray of shape (n_outputs, n_outputs) or one more
        EᵀSE/n.
    mean, mean_Y : ndarray of shape (n_features,), (n_outputs,)
        Of the rows and targets before any centring.
    """

    n: float
    height: float
    gram: np.ndarray
    cross: np.ndarray
    square: np.ndarray
    mean: np.ndarray
    mean_Y: np.ndarray

    @property
    def centred(self):
        return self.height == np.inf

    @property
    def sqnorm(self):
        """‖XᵀSX/n‖² (Frobenius), without the constant column."""
        return sqnorm(self.gram[: len(self.mean), : len(self.mean)])

    @classmethod
    def of(cls, rows, Y):
        """The moments of rows that are at hand."""
        E, k = targets(Y, rows), rows.height
        gram, cross = rows.moments(E, constant=0 < k < np.inf)
        return cls(
            n=rows.n,
            height=k,
            gram=gram,
            cross=cross,
            square=(rows.weights[:, None] * E).T @ E / rows.n,
            mean=rows.mean + rows.offset,
            mean_Y=rows.average(Y),
        )


def sqnorm(matrix):
    """‖A‖², of a part of a matrix too."""
    return np.einsum("ij,ij->", matrix, matrix)


def targets(Y, rows):
    """E, (n_rows, n_outputs) or one more."""
    if rows.centred:
        return Y - rows.average(Y)
    return Y if rows.height else np.column_stack([Y, np.ones(len(Y))])


def parts(index, n_gammas, rows):
    """Row numbers, so many at a time as the processor's cache holds, and at most n/10."""
    step = max(min(CACHE // n_gammas, max(rows.n_rows // 10, BLOCK[0] // rows.n_features)), 1)
    return (index[start : start + step] for start in range(0, len(index), step))


def left_out(residuals, free, rows, index):
    """Residuals of rows at their left-out fit, from residuals γGv and free = γ diag G.

    Ridge residuals are γGv, so (γGv)ᵢ/(γG)ᵢᵢ is row i's when it is left out with n·γ held. From a
    row of weight sᵢ one repetition is taken: the denominator is 1 − hᵢ/sᵢ, not 1 − hᵢ = (γG)ᵢᵢ.
    """
    repeats = rows.repeats[index]
    return residuals / np.maximum(1 - 1 / repeats + free / repeats, EPS)[:, :, None]


class Exact:
    """Of a whole matrix: a resolvent that serves every γ alike, and estimates nothing."""

    def reaches(self, gammas, probabilities):
        """Whether what was read of these γ is good; else it has become better: read it again."""
        return True

    def log_det_error(self, gammas):
        """Standard error of `log_det`, (n_gammas,)."""
        return np.zeros(len(gammas))


class PrimalResolvent(Exact):
    """From second moments: MᵀM/n of [X, k], and E = [Y, 1] against M and itself.

    Parameters
    ----------
    moments : Moments
    W : ndarray of shape (n_features, n_columns)
    b : ndarray of shape (n_columns,)
        S = XW + b.
    least : float
        The smallest γ to come.
    n_left_out : int
        How many rows will be left out, one at a time.
    """

    def __init__(self, moments, W, b, least, n_left_out=0):
        self.moments, self.n, self.centred = moments, moments.n, moments.centred
        k, n_outputs = moments.height, len(moments.mean_Y)
        self.sqnorm = moments.sqnorm
        self._least, self._n_left_out = least, n_left_out
        # √sZ = MV + √sED, with b on the constant column where there is one
        V = np.vstack([W, b / k]) if 0 < k < np.inf else W
        V = np.hstack([np.zeros((len(V), n_outputs)), V])
        self._D = np.eye(len(moments.square), V.shape[1])
        self._D[n_outputs:, n_outputs:] = b
        self._mean = np.append(moments.mean_Y, moments.mean @ W + b)
        self._V = V

    @cached_property
    def _basis(self):
        gram, self.moments.gram = self.moments.gram, None  # it is overwritten
        return Tridiagonal(gram, self._least, self._n_left_out, self.n)

    @cached_property
    def _rotated(self):
        """What rows and sources are in the basis, in one product."""
        cross = self.moments.cross
        both = self._basis.rotate(np.hstack([cross, self._V]))
        e, v = both[:, : cross.shape[1]], both[:, cross.shape[1] :]
        e[self._basis.null] = 0.0  # in the null space rows have no part but rounding
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
        return self.n * (v.T @ self._v_T + mixed + mixed.T + D.T @ self.moments.square @ D)

    def _weights(self, gammas):
        """A(γ) in the basis for each γ, (n_gammas, N, m): its parts from E and from MV."""
        both = self._basis.solve(np.hstack([self._e, self._v_T]), gammas)
        return both[:, :, : self._e.shape[1]], both[:, :, self._e.shape[1] :]

    def quadratic(self, gammas):
        """ZᵀG(γ)Z for each γ: (n_gammas, n_columns, n_columns)."""
        square, D, (of_e, of_v) = self.moments.square, self._D, self._weights(gammas)
        rest, own = square - self._e.T @ of_e, np.arange(len(square))
        # what is left of an exact fit is rounding, of either sign
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

    def trace(self, gamma):
        """tr (MᵀM/n + γI)⁻¹."""
        return self._basis.sqnorms(np.eye(len(self)), np.array([gamma])).sum()

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
        moments, (of_e, of_v) = self.moments, self._weights(gammas)
        weights = of_e @ (self._D @ coefficients) + of_v @ coefficients
        a = self._basis.rotate_back(np.tensordot(probabilities, weights, axes=1)).T
        if moments.height == 0:
            return a, np.zeros(len(a))
        if not moments.centred:
            return a[:, :-1], moments.height * a[:, -1]
        mean = self._mean @ np.tensordot(probabilities, coefficients, axes=1)
        return a, mean - a @ moments.mean

    def leave_one_out(self, coefficients, gammas, rows, Y, index):
        """Residuals of Z C(γ) (n_gammas, n_rows, m) of some of the rows numbered `index` a time."""
        moments, basis = self.moments, self._basis
        k, leverages = moments.height, basis.forms(gammas)
        E, of_E, (of_e, of_v) = targets(Y, rows), self._D @ coefficients, self._weights(gammas)
        of_M = np.hstack([*((self._v - of_v) @ coefficients - of_e @ of_E)])
        of_M = basis.rotate_back(of_M)
        for part in parts(index, len(gammas), rows):
            columns = np.full((len(basis), len(part)), k)
            columns[: rows.n_features] = rows.take(part).T
            if moments.centred:
                columns -= rows.mean[:, None]
            fitted = (columns.T @ of_M).reshape(len(part), len(gammas), -1).swapaxes(0, 1)
            share = rows.weights[part] / rows.n
            free = 1 - share * (leverages(columns) + rows.centred)
            yield left_out(E[part] @ of_E + fitted, free, rows, part)


class DualResolvent(Exact):
    """From the kernel MMᵀ/n of the rows.

    Parameters
    ----------
    rows : Rows
    Z : ndarray of shape (n_rows, n_columns)
    least : float
        The smallest γ to come.
    n_left_out : int
        How many rows will be left out, one at a time.
    """

    def __init__(self, rows, Z, least, n_left_out=0):
        self._take(rows, Z)
        self._kernel, self._least, self._n_left_out = rows.kernel(), least, n_left_out
        self.sqnorm = sqnorm(self._kernel)

    def _take(self, rows, Z):
        self.rows, self.n, self.centred = rows, rows.n, rows.centred
        self._mean = rows.average(Z) if rows.centred else np.zeros(Z.shape[1])
        self._Z = rows.root[:, None] * (Z - self._mean)

    @cached_property
    def _basis(self):
        rows, kernel, self._kernel = self.rows, self._kernel, None  # it is overwritten
        if 0 < rows.height < np.inf:
            blas.dger(rows.height**2 / rows.n, rows.root, rows.root, a=kernel, overwrite_a=1)
        return Tridiagonal(kernel, self._least, self._n_left_out, rows.n_features)

    @cached_property
    def _z(self):
        return self._basis.rotate(self._Z)

    @property
    def inner(self):
        return self._z.T @ self._z

    def _weights(self, gammas):
        """GZ in the basis for each γ: (n_gammas, N, n_columns)."""
        return self._basis.solve(self._z, gammas)

    def quadratic(self, gammas):
        """ZᵀG(γ)Z for each γ: (n_gammas, n_columns, n_columns)."""
        return self._z.T @ self._weights(gammas)

    def log_det(self, gammas):
        """log det G(γ) for each γ, over the n repeated rows (less one when they are centred)."""
        zeros = self.n - self.centred - self.rows.n_rows
        return -zeros * np.log(gammas) - self._basis.log_det(gammas)

    def adapter(self, coefficients, gammas, probabilities):
        """Σ_γ P(γ) A(γ)C(γ), as in :class:`PrimalResolvent`."""
        rows = self.rows
        dual = np.tensordot(probabilities, self._weights(gammas) @ coefficients, axes=1)
        dual[self._basis.null] = 0.0  # Mᵀ takes it to zero up to rounding, times 1/γ
        values = rows.root[:, None] * self._basis.rotate_back(dual) / rows.n
        a, total = rows.rdot(values).T, values.sum(axis=0)
        if not rows.centred:
            return a, rows.height**2 * total
        # The total is zero up to rounding, which a sparse X's large means would magnify.
        a -= np.outer(total, rows.mean)
        mean = self._mean @ np.tensordot(probabilities, coefficients, axes=1)
        return a, mean - a @ (rows.mean + rows.offset)

    def leave_one_out(self, coefficients, gammas, rows, Y, index):
        """As in :class:`PrimalResolvent`."""
        dual = gammas[:, None, None] * (self._weights(gammas) @ coefficients)
        dual, free_of = self._basis.rotate_back(np.hstack([*dual])), self._basis.diagonals(gammas)
        for part in parts(index, len(gammas), rows):
            residuals = dual[part] / rows.root[part, None]
            free = gammas[:, None] * free_of(part)
            free -= rows.centred * rows.weights[part] / rows.n
            residuals = residuals.reshape(len(part), len(gammas), -1).swapaxes(0, 1)
            yield left_out(residuals, free, rows, part)
