"""Sums over chunks against sums over all rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from sklearn_alpha.linear_model._data import moments
from sklearn_alpha.linear_model._data.moments import SecondMoments


def rows_and_weights(problem):
    task = problem("targets", 30)
    task.X[task.X < 0] = 0
    return task.X, task.y, task.counts / 2


def about(origin, X, Y, weights):
    z = np.column_stack([X - origin, np.ones(len(X)), Y])
    return (weights[:, None] * z).T @ z


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("block", [1, 7 * 4, 1 << 18])
def test_sums_are_second_moments_about_their_origin(convert, block, problem, monkeypatch):
    monkeypatch.setattr(moments, "BLOCK", block)
    X, Y, weights = rows_and_weights(problem)
    for given_origin in (None, np.arange(7.0)):
        sums = SecondMoments.of(convert(X), Y, weights, given_origin)
        origin = np.average(X, axis=0, weights=weights) if given_origin is None else given_origin
        assert_allclose(sums.origin, origin)
        assert_allclose(sums.total, about(origin, X, Y, weights), atol=1e-12)
        assert sums.n_chunks == 1


def test_sums_moved_added_and_of_other_targets(problem):
    X, Y, weights = rows_and_weights(problem)
    parts = [SecondMoments.of(X[rows], Y[rows], weights[rows]) for rows in (slice(9), slice(9, 30))]
    both = parts[0] + parts[1]
    A = np.array([[1.0, 2.0, 0.0], [-1.0, 0.5, 3.0]])
    for sums, origin, targets in (
        (both, parts[0].origin, Y),
        (both.about(np.ones(7)), np.ones(7), Y),
        (both.with_targets(A), parts[0].origin, Y @ A),
    ):
        assert_allclose(sums.origin, origin)
        assert_allclose(sums.total, about(origin, X, targets, weights), atol=1e-12)
        assert sums.n_chunks == 2
        assert_allclose(sums.n, weights.sum())
        assert_allclose(sums.mean, np.average(X, axis=0, weights=weights))
        assert_allclose(sums.mean_Y, np.average(targets, axis=0, weights=weights))
        columns = np.column_stack([X, targets]).T
        assert_allclose(sums.covariance, np.cov(columns, aweights=weights, ddof=0), atol=1e-12)
