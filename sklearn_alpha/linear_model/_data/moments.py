"""Second moments of rows: sums over chunks, and what the primal form reads of them.

Of rows z = [x − o, 1, y] about an origin o, the mean of the first chunk, Σ sᵢ zᵢzᵢᵀ is all that is
kept: O(p²) numbers, however many rows. Two such sums with origins o and o' are added after
x − o = (x − o') + (o' − o), which is exact. The order and the size of the chunks, and the machines
that read them, therefore change nothing but rounding.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import issparse

from sklearn_alpha.linear_model._data.rows import add_square, mirror

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
    """

    def __init__(self, origin, total, n_chunks=1):
        self.origin, self.total, self.n_chunks = origin, total, n_chunks

    @classmethod
    def of(cls, X, Y, weights, origin=None):
        """The sums over one chunk; `origin` is its mean where None is given."""
        n, p = X.shape
        if issparse(X):
            return cls._of_sparse(X, Y, weights, origin)
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
        sums = cls(np.zeros(p), total)
        return sums.about(total[:p, p] / total[p, p] if origin is None else origin)

    def about(self, origin):
        """The same sums about another origin."""
        p, move = len(origin), self.origin - origin
        if not move.any():
            return self
        total = self.total.copy(order="F")
        total[:, :p] += np.outer(total[:, p], move)
        total[:p] += np.outer(move, total[p])
        return SecondMoments(origin, total, self.n_chunks)

    def with_targets(self, A):
        """The same sums where targets are yA."""
        p = len(self.origin) + 1
        total = np.empty((p + A.shape[1],) * 2, order="F")
        total[:p, :p] = self.total[:p, :p]
        total[:p, p:] = self.total[:p, p:] @ A
        total[p:, :p] = total[:p, p:].T
        total[p:, p:] = A.T @ self.total[p:, p:] @ A
        return SecondMoments(self.origin, total, self.n_chunks)

    def __add__(self, other):
        total = self.total + other.about(self.origin).total
        return SecondMoments(self.origin, total, self.n_chunks + other.n_chunks)

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

    @classmethod
    def of_rows(cls, rows, Y):
        """The moments of rows in memory, and the rows with the sums that this gives as well."""
        E, k = rows.targets(Y), rows.height
        gram, cross, rows = rows.moments(E, constant=0 < k < np.inf)
        moments = cls(
            n=rows.n,
            height=k,
            gram=gram,
            cross=cross,
            square=(rows.weights[:, None] * E).T @ E / rows.n,
            mean=rows.mean + rows.offset,
            mean_Y=rows.average(Y),
        )
        return moments, rows

    @classmethod
    def of_sums(cls, sums, k):
        """The moments of sums over chunks, under a constant column of height k."""
        p, mean, mean_Y, C = len(sums.origin), sums.mean, sums.mean_Y, sums.covariance
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
