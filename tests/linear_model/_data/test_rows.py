"""Weighted rows against the same products of dense arrays."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from sklearn_alpha.linear_model._data.rows import Rows


@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sparse.csr_matrix])
@pytest.mark.parametrize("height", [0.0, 0.7, np.inf, "auto"])
def test_products_with_rows(height, container):
    rng = np.random.default_rng(0)
    X, weights, unit = rng.normal(size=(11, 4)) + 3, rng.uniform(1, 3, 11), rng.uniform(0.5, 1, 11)
    rows = Rows(container(X), weights, height, unit)
    rest, columns, across = X - rows.offset, rng.normal(size=(4, 2)), rng.normal(size=(11, 2))
    assert_allclose(rows.dot(columns), rest @ columns)
    assert_allclose(rows.rdot(across), rest.T @ across)
    assert_allclose(rows.take([3, 1]), rest[[3, 1]])
    W, b = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3))
    expected = np.einsum("ip,ckp->ick", X, W) + b
    assert_allclose(rows.outputs(W, b), expected)
    part = rows.part(np.array([3, 1]))
    assert_allclose(part.outputs(W, b), expected[[3, 1]])
    assert_allclose(part.repeats, (weights / unit)[[3, 1]])
    if height == "auto":
        mean_square = weights @ (X**2).mean(axis=1) / weights.sum()
        assert_allclose((rows.height, part.height), np.sqrt(mean_square))
        assert Rows(container(0 * X), weights, height, unit).height == 1


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("height", [0.0, 0.7, np.inf])
def test_reading_moments_changes_no_rows(height, container):
    """The rows that know their norms are others than those that were read."""
    rng = np.random.default_rng(0)
    X, weights = rng.normal(size=(11, 4)) + 3, rng.uniform(1, 3, 11)
    rows = Rows(container(X), weights, height, np.ones(11))
    before = set(vars(rows))
    _, _, known = rows.moments(rng.normal(size=(11, 2)))
    assert set(vars(rows)) - before <= {"root"}  # of the weights alone
    for name in ("mean", "sqnorms", "trace"):
        assert_allclose(getattr(known, name), getattr(rows, name), atol=1e-12)
