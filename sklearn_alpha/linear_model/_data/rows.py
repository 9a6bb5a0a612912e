"""Weighted rows of X, and the only products of them that a fit needs."""

from functools import cached_property

import numpy as np
from scipy.linalg import blas
from scipy.sparse import issparse
from sklearn.utils import gen_batches
from sklearn.utils.extmath import row_norms, safe_sparse_dot

from sklearn_alpha.linear_model._data.sample import row_keys

BLOCK = 1 << 15, 1 << 20  # least and most entries of X in one block
CACHE = 1 << 16  # numbers that stay in the processor's cache
UPPER = ~np.tri(64, dtype=bool)  # of the columns of a triangle that are copied at a time


class Rows:
    """Weighted rows of a dense or sparse X, which is read through products and never copied.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n_rows, n_features)
    weights : ndarray of shape (n_rows,)
        sᵢ > 0; n = Σ sᵢ is the number of samples.
    height : {"auto", "shrunk"} or float
        Height k of the constant column: 0 for none, inf for an unpenalised intercept, "auto" for
        the root mean square of X. "shrunk" is 0 for rows less ρx̄, where the share ρ of the mean is
        what is more than noise, 1 − tr(Cov X)/(n‖x̄‖²), and at least zero.
    unit : ndarray of shape (n_rows,)
        The part of sᵢ that leave-one-out removes: one repetition of the row.

    Attributes
    ----------
    offset : ndarray of shape (n_features,)
        What is subtracted from the rows. All other attributes are those of the rows less this.
    """

    def __init__(self, X, weights, height, unit):
        self.X, self.weights, self.unit = X, weights, unit
        self.n = weights.sum()
        self.n_rows, self.n_features = X.shape
        self.centred, self._shrinks = height == np.inf, height == "shrunk"
        # A dense X is centred as it is read, which rounds least, a sparse X in its Gram matrix.
        self._shifted = self._shrinks or (self.centred and not issparse(X))
        self.offset = np.zeros(self.n_features)
        if self._shifted:
            mean, self.mean = self.rdot(weights) / self.n, self.offset
            self.offset = mean
        if self._shrinks:  # `_norms` are those of the centred rows by now
            spread, variance = weights @ unit / self.n**2, self.average(self._norms())
            rho = share_of_mean(mean, variance, spread)
            self.offset, self.mean, height = rho * mean, (1 - rho) * mean, 0.0
            self.trace = variance + self.mean @ self.mean
        self.height = height if height != "auto" else np.sqrt(self.trace / self.n_features) or 1.0

    @classmethod
    def of_sample(cls, X, weights, unit, n, offset):
        """Some of n rows, less the offset of all."""
        rows = cls(X, weights, 0.0, unit)
        rows.n, rows.offset, rows._shifted = n, offset, bool(offset.any())
        return rows

    @property
    def asked(self):
        """The height, to be asked of some of the rows."""
        return "shrunk" if self._shrinks else self.height

    @cached_property
    def repeats(self):
        """The number of repetitions that each row stands for: its weight over `unit`."""
        return self.weights / self.unit

    @cached_property
    def root(self):
        """√s."""
        return np.sqrt(self.weights)

    @cached_property
    def sqnorms(self):
        """‖xᵢ‖²."""
        return self._norms()

    def _norms(self):
        if not self._shifted:
            return row_norms(self.X, squared=True)
        if issparse(self.X):
            o = self.offset
            return np.maximum(row_norms(self.X, squared=True) - 2 * times(self.X, o) + o @ o, 0)
        step = max(CACHE // self.n_features, 1)
        blocks = (self._read(index) for index in gen_batches(self.n_rows, step))
        return np.concatenate([row_norms(X, squared=True) for X in blocks])

    @cached_property
    def mean(self):
        """x̄ − offset."""
        return self.rdot(self.weights) / self.n

    @property
    def along_mean(self):
        """xᵢᵀ(x̄ − offset): zero where that is the mean itself."""
        centred = self._shifted and self.centred
        return np.zeros(self.n_rows) if centred else self.dot(self.mean)

    @cached_property
    def trace(self):
        """tr(XᵀSX)/n, of the centred rows where they are centred."""
        if not self.centred:
            return self.average(self.sqnorms)
        return max(self.average(self.sqnorms) - self.mean @ self.mean, 0.0)

    def dot(self, columns):
        """X @ columns, columns of shape (n_features, ...)."""
        product = times(self.X, columns)
        return product - self.offset @ columns if self._shifted else product

    def rdot(self, columns):
        """Xᵀ @ columns, columns of shape (n_rows, ...)."""
        product = times(self.X.T, columns)
        if not self._shifted:
            return product
        return product - np.multiply.outer(self.offset, columns.sum(axis=0))

    def average(self, columns):
        """Weighted mean over the rows, columns of shape (n_rows, ...)."""
        return self.weights @ columns / self.n

    @property
    def keys(self):
        """The rows' keys, of which the least are a sample."""
        return row_keys(self.X)

    def part(self, index):
        """Some of the rows, by number, as if they were all."""
        return type(self)(self._raw(index), self.weights[index], self.asked, self.unit[index])

    def chosen(self, index, weights=None):
        """Some of the rows, less what is subtracted from all: for values, and not for a fit."""
        weights = self.weights[index] if weights is None else weights
        return self.of_sample(self._raw(index), weights, self.unit[index], self.n, self.offset)

    def reweighted(self, weights):
        """The same rows under other weights: centred anew, or less the same share of the mean."""
        rows = type(self)(self.X, weights, self.height, self.unit)
        if self._shrinks:
            rows.offset, rows._shifted = self.offset, True
        return rows

    def outputs(self, W, b):
        """X w̃ + b̃, (n_rows, n_outputs, n_sources), for w̃ (n_outputs, n_sources, n_features)."""
        return self.decisions(W.reshape(b.size, W.shape[2]), b.ravel()).reshape(
            self.n_rows, *b.shape
        )

    def decisions(self, coef, intercept):
        """X coefᵀ + intercept, (n_rows, n_outputs), for coefficients (n_outputs, n_features)."""
        return self.dot(coef.T) + (self.offset @ coef.T + intercept)

    def take(self, index):
        """Rows by slice or number, dense."""
        return self._read(index)

    def _raw(self, index):
        return self.X[index]

    def _read(self, index):
        X = self._raw(index)
        X = X.toarray() if issparse(X) else X
        if not self._shifted:
            return X
        # rows by number are a copy already
        return np.subtract(X, self.offset, out=None if isinstance(index, slice) else X)

    def blocks(self):
        """(slice, rows) of a dense X one after the other: about an eighth of X at a time."""
        return ((index, self._read(index)) for index in self._slices())

    def _slices(self):
        n, p = self.X.shape
        return list(gen_batches(n, max(min(max(n * p // 8, BLOCK[0]), BLOCK[1]) // p, 1)))

    def moments(self, E, constant=False):
        """MᵀM/n and Mᵀ√sE/n of M = √S X or √S [X, k]; of centred rows where they are centred.

        Returns
        -------
        gram : ndarray of shape (N, N)
        cross : ndarray of shape (N, n_columns)
        """
        weighted = self.weights[:, None] * E
        cross = self.rdot(weighted) / self.n
        if constant:
            cross = np.vstack([cross, self.height * weighted.sum(axis=0) / self.n])
        return self._gram(constant), cross

    def _gram(self, constant):
        """MᵀM/n. A dense X whose rows are neither weighted nor centred is read in place."""
        p, k = self.n_features, self.height
        flat = np.zeros((p + constant) ** 2)
        total = flat[: p * p].reshape(p, p).T
        if issparse(self.X):
            X = self.X.multiply(self.root[:, None]).tocsr()
            total[:] = safe_sparse_dot(X.T, X, dense_output=True)
            if self.centred:
                total -= self.n * np.outer(self.mean, self.mean)
            elif self._shifted:
                # Σ s (x − o)(x − o)ᵀ, with x̄ = mean + o
                outer = self.n * np.outer(self.offset, self.mean + self.offset / 2)
                total -= outer + outer.T
        else:
            for M in self._weighted_blocks():
                add_square(total, M)
            mirror(total)
        total /= self.n
        gram = widened(flat, p, p + constant)
        if constant:
            gram[p, :p] = gram[:p, p] = k * self.mean
            gram[p, p] = k**2
        return gram

    def _weighted_blocks(self):
        """Blocks of √S X, all in the same memory where they are not those of X."""
        weighted = (self.weights != 1).any()
        if not (self._shifted or weighted):
            yield from (self.X[index] for index in self._slices())
            return
        step = min(max(2 * CACHE // self.n_features, 128), self.n_rows)
        place = np.empty((step, self.n_features))
        for index in gen_batches(self.n_rows, step):
            M = place[: index.stop - index.start]
            np.subtract(self.X[index], self.offset, out=M)
            if weighted:
                M *= self.root[index, None]
            yield M

    def kernel(self):
        """√S XXᵀ√S/n of the centred rows where they are centred, without a constant column."""
        n, root, kernel = self.n, self.root, self.outer()
        kernel *= root[:, None] / n
        kernel *= root
        if self.centred and not self._shifted:
            # (X − x̄)(X − x̄)ᵀ without centring X: a sparse X stays sparse
            column = kernel @ root / n
            outer = np.outer(root, column - root * (root @ column) / (2 * n))
            kernel -= outer + outer.T
        return kernel

    def outer(self):
        """XXᵀ."""
        if issparse(self.X):
            outer = np.asfortranarray(safe_sparse_dot(self.X, self.X.T, dense_output=True))
            if self._shifted:
                # (x − o)ᵀ(x' − o)
                along = times(self.X, self.offset) - self.offset @ self.offset / 2
                outer -= along[:, None] + along
            return outer
        total = np.zeros((self.n_rows, self.n_rows), order="F")
        step = max(self.n_features // 8, 1) if self._shifted else self.n_features
        for start in range(0, self.n_features, step):
            columns = slice(start, start + step)
            X = self.X[:, columns]
            add_square(total, (X - self.offset[columns] if self._shifted else X).T)
        mirror(total)
        return total


def share_of_mean(mean, variance, spread):
    """ρ, from the mean, tr(Cov X), and the variance of a mean over that of a row."""
    noise = variance * spread / (1 - spread) if spread < 1 else np.inf
    size = mean @ mean
    return max(1 - noise / size, 0.0) if size > 0 else 0.0


def times(A, columns):
    """A @ columns, (m, ...), of a large A (m, N) and few columns (N, ...)."""
    if issparse(A):
        return safe_sparse_dot(A, columns, dense_output=True)
    # BLAS reads A at twice the speed if the matrix on the left has few rows
    return (np.asfortranarray(columns).T @ A.T).T


def add_square(total, A):
    """Add AᵀA to the lower triangle of `total`, which is Fortran-ordered, in place."""
    a, trans = (A.T, 0) if A.flags.c_contiguous else (A, 1)
    blas.dsyrk(1.0, a, beta=1.0, c=total, trans=trans, lower=1, overwrite_c=1)


def widened(flat, p, N):
    """A matrix (p, p) in the first p² of N² numbers, as a part of (N, N) in the same memory."""
    if p < N:
        for j in reversed(range(p)):
            flat[j * N : j * N + p] = flat[j * p : j * p + p]
    return flat.reshape(N, N).T


def mirror(total):
    """Copy the lower triangle to the upper one."""
    for block in gen_batches(len(total), len(UPPER)):
        total[block, block.stop :] = total[block.stop :, block].T
        own = total[block, block]
        np.copyto(own, own.T, where=UPPER[: len(own), : len(own)])
