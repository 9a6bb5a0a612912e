"""Second moments of rows: sums over chunks, and what the primal form reads of them.

Of rows z = [x − o, 1, y] about an origin o, the mean of the first chunk, Σ sᵢ zᵢzᵢᵀ is kept, and
for a classifier a sample of the rows: O(p²) numbers, however many rows. Two such sums with origins
o and o' are added after x − o = (x − o') + (o' − o), which is exact. The order and the size of the
chunks, and the machines that read them, therefore change nothing but rounding.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import issparse

from sklearn_alpha.linear_model._data.rows import add_square, mirror
from sklearn_alpha.linear_model._data.sample import RowSample

EPS = np.finfo(np.float64).eps
BLOCK = 1 << 18  # entries of X at a time: a block stays in the processor's cache


class SecondMoments:
    """Σ sᵢ zᵢzᵢᵀ over rows z = [x − o, 1, y].

    Parameters
    ----------
    origin : ndarray of shape (n_features,)
        o.
    total : ndarray of shape (n_features + 1 + n_outputs,) * 2
    n_chunks : int
        How many chunks are in it.
    sample : RowSample or None
        Rows for what moments do not tell.
    """

    sample = None  # of sums that were written by version 0.1

    def __init__(self, origin, total, n_chunks=1, sample=None):
        self.origin, self.total, self.n_chunks, self.sample = origin, total, n_chunks, sample

    @classmethod
    def of(cls, X, Y, weights, origin=None, unit=None):
        """The sums over one chunk; `origin` is its mean where None is given.

        They have a sample of the rows where `unit` says what one repetition of a row is.
        """
        sums = (cls._of_sparse if issparse(X) else cls._of_dense)(X, Y, weights, origin)
        if unit is not None:
            sums.sample = RowSample.of(X, Y, weights, unit)
        return sums

    @classmethod
    def _of_dense(cls, X, Y, weights, origin):
        n, p = X.shape
        if origin is None:
            origin = weights @ X / weights.sum()
        width = p + 1 + Y.shape[1]
        total, root = np.zeros((width, width), order="F"), np.sqrt(weights)[:, None]
        step = max(BLOCK // p, 1)
        z = np.empty((min(step, n), width))
        for start in range(0, n, step):
            rows = slice(start, start + step)
            block = z[: len(X[rows])]
            np.subtract(X[rows], origin, out=block[:, :p])
            block[:, p], block[:, p + 1 :] = 1, Y[rows]
            block *= root[rows]
            add_square(total, block)
        mirror(total)
        return cls(origin, total)

    @classmethod
    def _of_sparse(cls, X, Y, weights, origin):
        """Summed about zero, which keeps X sparse, and then moved to the origin."""
        p, rest = X.shape[1], np.column_stack([np.ones(len(Y)), Y])
        total = np.empty((p + rest.shape[1],) * 2, order="F")
        total[:p, :p] = (X.T @ X.multiply(weights[:, None]).tocsr()).toarray()
        total[:p, p:] = X.T @ (weights[:, None] * rest)
        total[p:, :p] = total[:p, p:].T
        total[p:, p:] = rest.T @ (weights[:, None] * rest)
        size = np.trace(total[:p, :p])
        sums = cls(np.zeros(p), total)
        sums = sums.about(total[:p, p] / total[p, p] if origin is None else origin)
        if np.trace(sums.total[:p, :p]) < 16 * EPS * np.sqrt(len(Y)) * size:  # rounding
            sums.total[:p, :p] = 0.0
        return sums

    def about(self, origin):
        """The same sums about another origin."""
        p, move = len(origin), self.origin - origin
        if not move.any():
            return self
        total = self.total.copy(order="F")
        total[:, :p] += np.outer(total[:, p], move)
        total[:p] += np.outer(move, total[p])
        return SecondMoments(origin, total, self.n_chunks, self.sample)

    def with_targets(self, A):
        """The same sums where targets are yA."""
        p = len(self.origin) + 1
        total = np.empty((p + A.shape[1],) * 2, order="F")
        total[:p, :p] = self.total[:p, :p]
        total[:p, p:] = self.total[:p, p:] @ A
        total[p:, :p] = total[:p, p:].T
        total[p:, p:] = A.T @ self.total[p:, p:] @ A
        sample = self.sample and self.sample.with_targets(A)
        return SecondMoments(self.origin, total, self.n_chunks, sample)

    def less(self, coef, intercept):
        """The same sums where targets are y − (x coefᵀ + intercept), without a sample."""
        p, n_outputs = len(self.origin), len(intercept)
        Y = np.vstack([-coef.T, -(intercept + coef @ self.origin), np.eye(n_outputs)])
        A = np.column_stack([np.eye(len(self.total), p + 1), Y])
        total = np.asfortranarray(A.T @ self.total @ A)
        return SecondMoments(self.origin, total, self.n_chunks)

    def __add__(self, other):
        total = self.total + other.about(self.origin).total
        sample = self.sample and other.sample and self.sample + other.sample
        return SecondMoments(self.origin, total, self.n_chunks + other.n_chunks, sample)

    @property
    def n(self):
        p = len(self.origin)
        return self.total[p, p]

    @property
    def mean(self):
        """x̄."""
        return self.origin + self.total[len(self.origin), : len(self.origin)] / self.n

    @property
    def mean_Y(self):
        """ȳ."""
        p = len(self.origin)
        return self.total[p, p + 1 :] / self.n

    @property
    def covariance(self):
        """Of [x, y], divided by n: (n_features + n_outputs,) * 2."""
        p, n = len(self.origin), self.n
        rest = np.delete(np.delete(self.total, p, axis=0), p, axis=1) / n
        mean = np.delete(self.total[p], p) / n
        return rest - np.outer(mean, mean)


@dataclass
class PrimalMoments:
    """What the primal form reads of the rows, centred where they are.

    Attributes
    ----------
    n : float
    height : float
        k, the height of the constant column: 0 for none, inf where rows are centred.
    gram : ndarray of shape (N, N)
        MᵀM/n of M = √S [X, k], or √S X. The resolvent overwrites it.
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

    def targets(self, Y):
        """E (n_rows, n_outputs), or one more, of some of the rows."""
        return targets(Y, self.mean_Y, self.height)

    def rows_of(self, X, offset=0.0):
        """Rows of M from those of X (n_rows, n_features) less an offset, in the same memory."""
        if self.centred:
            X -= self.mean - offset
        elif self.height:
            X = np.column_stack([X, np.full(len(X), self.height)])
        return X

    @classmethod
    def of_rows(cls, rows, Y):
        """The moments of rows in memory."""
        mean_Y, k = rows.average(Y), rows.height
        E = targets(Y, mean_Y, k)
        gram, cross = rows.moments(E, constant=0 < k < np.inf)
        square = (rows.weights[:, None] * E).T @ E / rows.n
        return cls(rows.n, k, gram, cross, square, rows.mean + rows.offset, mean_Y)

    @classmethod
    def of_sums(cls, sums, k, offset=0.0):
        """The moments of rows less an offset, under a constant column of height k, from sums."""
        p, mean, mean_Y, C = len(sums.origin), sums.mean - offset, sums.mean_Y, sums.covariance
        gram, cross, square = C[:p, :p], C[:p, p:], C[p:, p:]
        if k < np.inf:
            gram = gram + np.outer(mean, mean)
            cross = cross + np.outer(mean, mean_Y)
            square = square + np.outer(mean_Y, mean_Y)
        if 0 < k < np.inf:
            gram = np.block([[gram, k * mean[:, None]], [k * mean, k**2]])
            cross = np.vstack([cross, k * mean_Y])
        elif k == 0:
            cross = np.column_stack([cross, mean])
            square = np.block([[square, mean_Y[:, None]], [mean_Y, 1.0]])
        return cls(sums.n, k, np.array(gram, order="F"), cross, square, mean, mean_Y)


def targets(Y, mean_Y, k):
    """E: Y, less its mean where rows are centred.

    Where there is no intercept, a column of ones beside Y keeps the sums over the rows.
    """
    if k == np.inf:
        return Y - mean_Y
    return Y if k else np.column_stack([Y, np.ones(len(Y))])
