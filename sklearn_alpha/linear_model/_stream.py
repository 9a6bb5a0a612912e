"""Second moments of rows that come in chunks, and the evidence from them.

Of rows z = [x − o, 1, y] about an origin o, the mean of the first chunk, Σ sᵢ zᵢzᵢᵀ is all that is
kept: O(p²) numbers, however many rows. Two such sums with origins o and o' are added after
x − o = (x − o') + (o' − o), which is exact; so the order and the size of chunks, and the machines
that read them, move nothing but rounding.
"""

from functools import cached_property

import numpy as np
from scipy.sparse import issparse

from sklearn_alpha.linear_model._resolvent import Moments, PrimalResolvent
from sklearn_alpha.linear_model._rows import add_square, mirror
from sklearn_alpha.linear_model._task import Problem

BLOCK = 1 << 18  # entries of X at a time: a block stays in the processor's cache


class Sums:
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
        """Of one chunk; the origin of the first one is its mean."""
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
        """About zero, which keeps X sparse, and then moved."""
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
        return Sums(origin, total, self.n_chunks)

    def with_targets(self, A):
        """The same sums where targets are yA."""
        p = len(self.origin) + 1
        total = np.empty((p + A.shape[1],) * 2, order="F")
        total[:p, :p] = self.total[:p, :p]
        total[:p, p:] = self.total[:p, p:] @ A
        total[p:, :p] = total[:p, p:].T
        total[p:, p:] = A.T @ self.total[p:, p:] @ A
        return Sums(self.origin, total, self.n_chunks)

    def __add__(self, other):
        total = self.total + other.about(self.origin).total
        return Sums(self.origin, total, self.n_chunks + other.n_chunks)

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
        """Of [x, y], (n_features + n_outputs) square, over n."""
        p, n = len(self.origin), self.n
        rest = np.delete(np.delete(self.total, p, axis=0), p, axis=1) / n
        mean = np.delete(self.total[p], p) / n
        return rest - np.outer(mean, mean)


class Stream(Problem):
    """What is known before α and γ where rows are gone.

    Parameters
    ----------
    sums : Sums
    W : ndarray of shape (n_outputs, n_sources, n_features)
    b : ndarray of shape (n_outputs, n_sources)
    height : {"auto"} or float
        Of the constant column, as in `Rows`.
    grid : ndarray or None
        The γ's to choose from; None for a grid around the centre.
    """

    def __init__(self, sums, W, b, height, grid):
        self.sums, self.W, self.b, self.grid = sums, W, b, grid
        self.n, p = sums.n, len(sums.origin)
        self.covariance = sums.covariance
        spread, size = np.trace(self.covariance[:p, :p]), sums.mean @ sums.mean
        self.trace = max(spread, 0.0) if height == np.inf else spread + size
        self.height = height if height != "auto" else np.sqrt((spread + size) / p) or 1.0

    @cached_property
    def resolvent(self):
        sums, k = self.sums, self.height
        p, mean, mean_Y = len(sums.origin), sums.mean, sums.mean_Y
        C = self.covariance
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
        moments = Moments(
            n=self.n,
            height=k,
            gram=np.array(gram, order="F"),
            cross=cross,
            square=square,
            mean=mean,
            mean_Y=mean_Y,
        )
        scale = self.scale
        W = (self.W / scale[:, :, None]).reshape(scale.size, p).T
        return PrimalResolvent(moments, W, (self.b / scale).ravel(), self.gammas.min())

    def leverage(self, gamma):
        """The mean of hᵢ(γ): tr(MMᵀG)/n, and the free intercept's 1/n."""
        resolvent = self.resolvent
        return (len(resolvent) - gamma * resolvent.trace(gamma) + resolvent.centred) / self.n
