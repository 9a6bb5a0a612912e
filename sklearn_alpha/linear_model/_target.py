"""The target domain: rows, or second moments and a sample of them, and their targets."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import issparse

from sklearn_alpha.linear_model._data.array_api import make_rows
from sklearn_alpha.linear_model._data.moments import SecondMoments
from sklearn_alpha.linear_model._data.rows import Rows, share_of_mean
from sklearn_alpha.linear_model._data.sample import SIZE, of_least_keys, summed

EPS = np.finfo(np.float64).eps


@dataclass(frozen=True, eq=False, kw_only=True)
class Target:
    """Rows or their moments, targets, and a sample of both.

    Attributes
    ----------
    rows : Rows or None
        None where second moments are left.
    Y : ndarray of shape (n_rows, n_outputs) or None
        Target values, or ±1 codes; without rows those of the sample, if there is one.
    sums : SecondMoments or None
        None where there are rows.
    height : float
        As of `Rows`, where there are none.
    offset : ndarray of shape (n_features,)
        What is subtracted from the rows.
    trace : float or None
        tr(XᵀX)/n of the moments.
    n_left_out : int
        How many rows will be left out, one at a time, at every γ: the best reduction depends on it.
    """

    rows: Rows | None = None
    Y: np.ndarray | None = None
    sums: SecondMoments | None = None
    height: float = 0.0
    offset: np.ndarray | None = None
    trace: float | None = None
    n_left_out: int = 0

    @classmethod
    def of_data(cls, X, weights, height, unit, *, every_row=False, **problem):
        """That of rows in memory.

        Parameters
        ----------
        X : {array, sparse matrix} of shape (n_rows, n_features)
        weights, unit : ndarray of shape (n_rows,)
            As of `Rows`.
        height : {"auto", "shrunk"} or float
            As of `Rows`.
        every_row : bool
            Whether all rows will be left out, one at a time, or a sample of them.
        **problem
            Attributes of the class.
        """
        n = len(weights)
        n_left_out = n if every_row or n <= SIZE else 0
        rows = make_rows(X, weights, height, unit)
        return cls(rows=rows, offset=rows.offset, n_left_out=n_left_out, **problem)

    @classmethod
    def of_moments(cls, sums, *, height, **problem):
        """That of second moments, where rows are gone.

        Parameters
        ----------
        sums : SecondMoments
        height : {"auto", "shrunk"} or float
            As of `Rows`.
        **problem
            Attributes of the class.
        """
        p, sample, offset = len(sums.origin), sums.sample, np.zeros(len(sums.origin))
        spread, size = max(np.trace(sums.covariance[:p, :p]), 0.0), sums.mean @ sums.mean
        if height == "shrunk":
            rho = share_of_mean(sums.mean, spread, sample.squares / sums.n**2)
            height, offset, size = 0.0, rho * sums.mean, (1 - rho) ** 2 * size
        trace = spread if height == np.inf else spread + size
        height = height if height != "auto" else np.sqrt((spread + size) / p) or 1.0
        Y = sample and sample.Y
        return cls(sums=sums, height=height, offset=offset, trace=trace, Y=Y, **problem)

    @property
    def n(self):
        """Σ sᵢ."""
        return self.sums.n if self.rows is None else self.rows.n

    @property
    def is_centred(self):
        """Whether rows are centred, and b therefore free or held."""
        return self.height == np.inf if self.rows is None else self.rows.centred

    @cached_property
    def gamma_centre(self):
        """tr(XXᵀ)/n²: where a target-only ridge is usually best."""
        if self.has_equal_rows:  # as if they were not centred: a fit has only rounding to read
            return self.subtracted @ self.subtracted / self.n
        trace = self.trace if self.rows is None else self.rows.trace
        return trace / self.n or 1.0

    @property
    def subtracted(self):
        """What is subtracted from the rows or from their moments: of equal rows, the mean."""
        if self.is_centred:  # a sparse X in its Gram matrix
            return self.sums.mean if self.rows is None else self.rows.mean + self.rows.offset
        return self.offset

    @property
    def has_equal_rows(self):
        """Whether rows are all equal, so that they are rounding once their mean is subtracted."""
        trace = self.trace if self.rows is None else self.rows.trace
        return trace < self._rounding * (self.subtracted @ self.subtracted)

    @property
    def _rounding(self):
        """Of squares of what has the mean subtracted, relative to the square of the mean."""
        rows = self.rows
        if rows is None:
            return (4096 * EPS) ** 2
        # a mean of many rows rounds more, and norms of sparse rows are differences
        return 16 * EPS if issparse(rows.X) else (max(rows.n_rows, 4096) * EPS) ** 2

    @cached_property
    def sample(self):
        """Numbers of the rows whose left-out values stand for those of all."""
        return self._sample[0]

    @cached_property
    def sampled(self):
        """The `Rows` of the sample, each with the weight of all its copies."""
        return self._sample[1]

    def rows_at(self, index):
        """The rows of some numbers, for values."""
        if len(index) == self.rows.n_rows:
            return self.rows
        return self.sampled if index is self.sample else self.rows.chosen(index)

    @property
    def sampled_less(self):
        """The sampled `Rows` less what is subtracted, without a constant column."""
        rows = self.sampled
        return rows.of_sample(rows.X, rows.weights, rows.unit, self.n, self.subtracted)

    @cached_property
    def _sample(self):
        if self.rows is None:
            sample = self.sums.sample
            rows = Rows.of_sample(sample.X, sample.weights, sample.unit, self.n, self.offset)
            return np.arange(len(sample.Y)), rows
        if self.rows.n_rows <= SIZE:
            return np.arange(self.rows.n_rows), self.rows
        kept, copies = of_least_keys(self.rows.keys, self.Y, self.rows.unit)
        weights = summed(self.rows.weights, copies, len(kept))
        return kept, self.rows.chosen(kept, weights)
