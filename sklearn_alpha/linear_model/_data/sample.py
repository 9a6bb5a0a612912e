"""A sample of at most `SIZE` different rows, the same for any order, chunks and container of them.

Rows have keys, which are hashes of their features, and those of the least keys are kept, each with
the weight of all its copies. The sample of two sets of rows is that of their samples together.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import issparse

SIZE = 1000
BLOCK = 1 << 16  # entries of X at a time


def factors_of(n_features):
    """Of the features in the sum that a key is made of: odd 64-bit numbers."""
    return np.random.default_rng(0).integers(2**63, size=n_features, dtype=np.uint64) * 2 + 1


def row_keys(X):
    """A 64-bit key of each row of a host's X: equal for equal rows, and otherwise as if random."""
    factors = factors_of(X.shape[1])
    if issparse(X):
        X = X.tocsr()
        parts = bits_of(X.data) * factors[X.indices]
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(parts, dtype=np.uint64)])
        return mixed(sums[X.indptr[1:]] - sums[X.indptr[:-1]])
    step = max(BLOCK // X.shape[1], 1)
    blocks = (bits_of(X[start : start + step]) for start in range(0, len(X), step))
    return mixed(np.concatenate([block @ factors for block in blocks]))


def bits_of(values):
    """Of the doubles, without the sign of zero; whole numbers have none but the high ones."""
    bits = np.add(values, 0.0, dtype=np.float64, order="C").view(np.uint64)
    bits ^= bits >> np.uint64(32)
    return bits


def mixed(keys):
    """A permutation of 64-bit numbers in which each bit depends on all (that of splitmix64)."""
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))


def of_least_keys(keys, Y, unit):
    """Which rows to keep: (kept, copies).

    `kept` are the numbers of rows, different in key or target, that have the `SIZE` least keys: of
    copies the one of the largest `unit`, and the first of these. `copies` numbers them for each
    row, and is −1 for those that are not kept.
    """
    columns = np.column_stack([keys, bits_of(Y)])
    order = np.lexsort([-unit, *columns.T[::-1]])
    columns = columns[order]
    is_new = np.append(True, (columns[1:] != columns[:-1]).any(axis=1))
    number = np.cumsum(is_new) - 1
    copies = np.empty(len(keys), dtype=int)
    copies[order] = np.where(number < SIZE, number, -1)
    return order[is_new][:SIZE], copies


def summed(values, copies, size):
    """The sum over the copies of each kept row."""
    return np.bincount(copies[copies >= 0], values[copies >= 0], minlength=size)


@dataclass(frozen=True)
class RowSample:
    """The sample of a set of weighted rows.

    Attributes
    ----------
    keys : ndarray of shape (n_sample,)
    X, Y : ndarray of shape (n_sample, n_features), (n_sample, n_outputs)
    weights : ndarray of shape (n_sample,)
        The weight of all copies of a row.
    unit : ndarray of shape (n_sample,)
        One repetition, as of `Rows`: of copies the largest.
    squares : float
        Σ sᵢuᵢ over all rows, of weights s and repetitions u.
    """

    keys: np.ndarray
    X: np.ndarray
    Y: np.ndarray
    weights: np.ndarray
    unit: np.ndarray
    squares: float

    @classmethod
    def of(cls, X, Y, weights, unit):
        """From rows in memory, dense or sparse."""
        return cls._kept(row_keys(X), X, Y, weights, unit, float(weights @ unit))

    @classmethod
    def _kept(cls, keys, X, Y, weights, unit, squares):
        kept, copies = of_least_keys(keys, Y, unit)
        X = X[kept].toarray() if issparse(X) else X[kept]
        weights = summed(weights, copies, len(kept))
        return cls(keys[kept], X.astype(np.float64), Y[kept], weights, unit[kept], squares)

    def __add__(self, other):
        names = ("keys", "X", "Y", "weights", "unit")
        both = (np.concatenate([getattr(self, name), getattr(other, name)]) for name in names)
        return self._kept(*both, self.squares + other.squares)

    def with_targets(self, A):
        """The same rows where targets are yA."""
        return replace(self, Y=self.Y @ A)
