"""The resolvent Q(γ) = (XᵀX/n + γI)⁻¹ and what follows from it at any γ.

With weights s (n = Σ sᵢ) and the constant column k in place of X stands M = diag(√s) [X, k]. One
eigendecomposition, of MMᵀ/n or of MᵀM/n, whichever is smaller, gives M/√n = U Λ^½ Vᵀ, and with it

    G(γ) = (MMᵀ/n + γI)⁻¹ = U (Λ + γI)⁻¹ Uᵀ + (I − UUᵀ)/γ

for every γ: quadratic forms, log determinants, weights and leave-one-out residuals are sums over
the eigenvalues. The estimators read the data through this object and through :class:`Rows` alone.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import issparse
from sklearn.utils.extmath import row_norms, safe_sparse_dot

BLOCK = 4096  # rows of U at a time


class Rows:
    """Weighted rows of a dense or sparse X, read only through products with thin matrices.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n_rows, n_features)
    weights : ndarray of shape (n_rows,)
        sᵢ > 0; n = Σ sᵢ is the number of samples.
    height : {"auto"} or float
        Height k of the constant column: 0 for none, inf for an unpenalised intercept, "auto" for
        the root mean square of X.
    unit : ndarray of shape (n_rows,)
        What "leave one out" takes from sᵢ: one repetition of the row.

    Attributes
    ----------
    offset : ndarray of shape (n_features,)
        What was subtracted from the rows; every other attribute speaks of the rows less that.
    """

    def __init__(self, X, weights, height, unit):
        self.weights, self.unit = weights, unit
        self.n = weights.sum()
        self.n_features = X.shape[1]
        self.centred = height == np.inf
        # A dense X is centred at once, which rounds best; a sparse one in its Gram matrix.
        self.offset = np.zeros(self.n_features)
        if self.centred and not issparse(X):
            self.offset = weights @ X / self.n
            X = X - self.offset
        self.X = X
        self.height = height if height != "auto" else np.sqrt(self.trace / self.n_features) or 1.0

    @cached_property
    def repeats(self):
        """How often each row counts as a row of its own: its weight in units of one repetition."""
        return self.weights / self.unit

    @cached_property
    def sqnorms(self):
        """‖xᵢ‖²."""
        return row_norms(self.X, squared=True)

    @cached_property
    def mean(self):
        """x̄ − offset."""
        return self.rdot(self.weights) / self.n

    @cached_property
    def trace(self):
        """tr(XᵀSX)/n, of the centred rows where they are centred."""
        return self.average(self.sqnorms) - (self.mean @ self.mean if self.centred else 0.0)

    def dot(self, columns):
        """X @ columns, columns of shape (n_features, ...)."""
        return safe_sparse_dot(self.X, columns, dense_output=True)

    def rdot(self, columns):
        """Xᵀ @ columns, columns of shape (n_rows, ...)."""
        return safe_sparse_dot(self.X.T, columns, dense_output=True)

    def average(self, columns):
        """Weighted mean over the rows, columns of shape (n_rows, ...)."""
        return np.tensordot(self.weights, columns, axes=1) / self.n


@dataclass
class Rotated:
    """Values v on the rows in the eigenbasis.

    `hat` = Uᵀ√s(v − mean), `rest` what U does not span of √s(v − mean), and `mean` (1, ...) the
    weighted mean where the rows are centred, else 0.
    """

    hat: np.ndarray
    rest: np.ndarray
    mean: np.ndarray

    def map(self, function, *others):
        """`function`, linear and the same for every row, of v and of the others' v."""
        return Rotated(
            function(self.hat, *(o.hat for o in others)),
            function(self.rest, *(o.rest for o in others)),
            function(self.mean, *(o.mean for o in others)),
        )


class SpectralResolvent:
    """The resolvent of dense moments, through one symmetric eigendecomposition.

    Parameters
    ----------
    rows : Rows
    solver : {"auto", "primal", "dual"}
        Decompose the matrix over features, over rows, or the smaller of the two.
    """

    def __init__(self, rows, solver="auto"):
        self.rows = rows
        self._root = np.sqrt(rows.weights)
        if solver == "auto":
            solver = "dual" if rows.X.shape[0] <= rows.n_features else "primal"
        self._is_dual = solver == "dual"

    @cached_property
    def _weighted(self):
        root, X = self._root[:, None], self.rows.X
        return X.multiply(root).tocsr() if issparse(X) else X * root

    @cached_property
    def _gram(self):
        """MMᵀ/n or MᵀM/n of the features alone, without the constant column."""
        rows, X = self.rows, self._weighted
        gram = (
            safe_sparse_dot(X, X.T, dense_output=True)
            if self._is_dual
            else safe_sparse_dot(X.T, X, dense_output=True)
        )
        gram /= rows.n
        if rows.centred and self._is_dual:
            # (X − x̄)(X − x̄)ᵀ without centring X: a sparse X stays sparse
            column = gram @ self._root / rows.n
            outer = np.outer(self._root, column - self._root * (self._root @ column) / (2 * rows.n))
            gram -= outer + outer.T
        elif rows.centred:
            gram -= np.outer(rows.mean, rows.mean)
        return gram

    @cached_property
    def sqnorm(self):
        """‖XᵀSX/n‖² (Frobenius), of the centred rows where they are centred."""
        return np.vdot(self._gram, self._gram)

    @cached_property
    def _decomposition(self):
        rows, gram = self.rows, self._gram
        k = rows.height
        penalised = 0 < k < np.inf
        if penalised and self._is_dual:
            gram = gram + k**2 * np.outer(self._root, self._root) / rows.n
        elif penalised:
            cross = k * rows.mean[:, None]
            gram = np.block([[gram, cross], [cross.T, k**2]])
        eigenvalues, vectors = eigh(gram, check_finite=False)
        size, top = max(rows.X.shape), eigenvalues[-1]
        floor = max(size * np.finfo(np.float64).eps * top, np.finfo(np.float64).tiny)
        nonzero = eigenvalues > floor
        eigenvalues, vectors = eigenvalues[nonzero], vectors[:, nonzero]
        if not self._is_dual:
            vectors = vectors / np.sqrt(rows.n * eigenvalues)
        return eigenvalues, vectors

    @property
    def eigenvalues(self):
        """The non-zero eigenvalues Λ of MᵀM/n, (rank,)."""
        return self._decomposition[0]

    def expand(self, hat, rows=slice(None)):
        """U @ hat, (n_rows, ...), or some of its rows; U itself is MV/√(nΛ) and never formed."""
        vectors = self._decomposition[1]
        if self._is_dual:
            return np.tensordot(vectors[rows], hat, axes=1)
        p, k = self.rows.n_features, self.rows.height
        weights = np.tensordot(vectors, hat, axes=1)
        flat = weights.reshape(len(weights), weights[0].size)
        values = safe_sparse_dot(self._weighted[rows], flat[:p], dense_output=True)
        if self.rows.centred:
            values -= np.outer(self._root[rows], self.rows.mean @ flat)
        elif k:
            values += np.outer(self._root[rows], k * flat[p])
        return values.reshape(len(values), *hat.shape[1:])

    def contract(self, values):
        """Uᵀ @ values, (rank, ...)."""
        vectors = self._decomposition[1]
        if self._is_dual:
            return np.tensordot(vectors.T, values, axes=1)
        flat = values.reshape(len(values), values[0].size)
        products = safe_sparse_dot(self._weighted.T, flat, dense_output=True)
        total = self._root @ flat
        if self.rows.centred:
            products -= np.outer(self.rows.mean, total)
        elif self.rows.height:
            products = np.vstack([products, self.rows.height * total])
        return (vectors.T @ products).reshape(vectors.shape[1], *values.shape[1:])

    def leverages(self, gammas):
        """Diagonal of U Λ(Λ + γI)⁻¹ Uᵀ for each γ: (n_gammas, n_rows)."""
        kept = self.eigenvalues * self._inverse(gammas)
        found = np.empty((len(gammas), len(self._root)))
        for start in range(0, len(self._root), BLOCK):
            rows = slice(start, start + BLOCK)
            found[:, rows] = kept @ self.expand(np.eye(len(self.eigenvalues)), rows).T ** 2
        return found

    def rotate(self, values):
        """Uᵀ√s v for values v of shape (n_rows, ...), and the part that U does not span."""
        mean = self.rows.average(values)[None]
        if not self.rows.centred:
            mean = np.zeros_like(mean)
        v = (values - mean) * self._root.reshape(-1, *[1] * (values.ndim - 1))
        hat = self.contract(v)
        return Rotated(hat, v - self.expand(hat), mean)

    def quadratic(self, values, gammas):
        """vᵀG(γ)v for values v of shape (n_rows, m) and each γ: (n_gammas, m, m)."""
        inside = values.hat.T @ (self._inverse(gammas)[:, :, None] * values.hat)
        return inside + (values.rest.T @ values.rest) / gammas[:, None, None]

    def log_det(self, gammas):
        """log det G(γ) for each γ, over the n repeated rows (less one when they are centred)."""
        zeros = self.rows.n - self.rows.centred - len(self.eigenvalues)
        return -zeros * np.log(gammas) - np.log(self.eigenvalues + gammas[:, None]).sum(axis=1)

    def adapter(self, residuals, gammas, probabilities):
        """Σ_γ P(γ) a(γ) with (a, b/k) = [X, k]ᵀ√s G(γ)r(γ)/n.

        Parameters
        ----------
        residuals : sequence of Rotated
            r(γ) = y − Sα(γ), (n_rows, m), for each γ.
        gammas, probabilities : ndarray of shape (n_gammas,)

        Returns
        -------
        a : ndarray of shape (m, n_features)
        b : ndarray of shape (m,)
        """
        inverses = probabilities[:, None] * self._inverse(gammas)
        dual = sum(inverse[:, None] * r.hat for inverse, r in zip(inverses, residuals, strict=True))
        values = self._root[:, None] * self.expand(dual) / self.rows.n
        a, total = self.rows.rdot(values).T, values.sum(axis=0)
        if not self.rows.centred:
            return a, self.rows.height**2 * total
        # The total is zero up to rounding, which a sparse X's large means would magnify.
        a -= np.outer(total, self.rows.mean)
        mean = sum(p * r.mean[0] for p, r in zip(probabilities, residuals, strict=True))
        return a, mean - a @ (self.rows.mean + self.rows.offset)

    def leave_one_out(self, values, gammas):
        """Residuals of v at the left-out rows, (n_rows, ...), for one γ after the other.

        Ridge residuals are γGv, so (γGv)ᵢ/(γG)ᵢᵢ is row i's when it is left out with n·γ held. From
        a row of weight sᵢ one repetition is taken: the denominator is 1 − hᵢ/sᵢ, not 1 − hᵢ.

        Parameters
        ----------
        values : sequence of Rotated
            One for each γ.
        gammas : ndarray of shape (n_gammas,)
        """
        for v, gamma, leverage in zip(values, gammas, self.leverages(gammas), strict=True):
            shrink = gamma / (self.eigenvalues + gamma)
            residual = self.expand(shrink[:, None] * v.hat) + v.rest
            if self.rows.centred:
                leverage = leverage + self.rows.weights / self.rows.n
            kept = np.maximum(1 - leverage / self.rows.repeats, np.finfo(np.float64).eps)
            yield residual / (self._root * kept)[:, None]

    def _inverse(self, gammas):
        return 1 / (self.eigenvalues + gammas[:, None])
