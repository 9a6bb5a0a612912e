"""The sample of rows against sorting all of them, in any order, chunks and container."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn import config_context

from sklearn_alpha.linear_model._data import sample as sample_module
from sklearn_alpha.linear_model._data.array_api import make_rows
from sklearn_alpha.linear_model._data.sample import RowSample, row_keys


@pytest.fixture
def size(monkeypatch):
    monkeypatch.setattr(sample_module, "SIZE", 20)
    return 20


def rows_of(discrete, n=300):
    rng = np.random.default_rng(0)
    X = rng.integers(-1, 2, size=(n, 4)) * 1.0 if discrete else rng.normal(size=(n, 4))
    weights, unit = rng.uniform(0.5, 2, n), rng.uniform(0.5, 1, n)
    return X, np.eye(3)[rng.integers(0, 3, n)], weights, unit


def as_sets(sample):
    order = np.lexsort(np.column_stack([sample.X, sample.Y]).T)
    return [getattr(sample, name)[order] for name in ("keys", "X", "Y", "weights", "unit")]


def assert_same(one, two):
    for found, expected in zip(as_sets(one), as_sets(two), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert one.squares == pytest.approx(two.squares)


@pytest.mark.parametrize("discrete", [False, True])
def test_order_chunks_and_container_change_nothing(discrete, size):
    X, Y, weights, unit = rows_of(discrete)
    whole = RowSample.of(X, Y, weights, unit)
    assert len(whole.keys) == size
    order = np.random.default_rng(1).permutation(len(X))
    rows = [values[order] for values in (X, Y, weights, unit)]
    assert_same(RowSample.of(sparse.csr_matrix(rows[0]), *rows[1:]), whole)
    chunks = [RowSample.of(*(part[c] for part in rows)) for c in np.array_split(order, 7)]
    forwards, backwards = chunks[0], chunks[-1]
    for chunk in chunks[1:]:
        forwards = forwards + chunk
    for chunk in chunks[-2::-1]:
        backwards = chunk + backwards
    assert_same(forwards, backwards)


def test_copies_of_a_row_are_one_row_of_their_weight(size):
    X, Y, weights, unit = rows_of(discrete=True)
    found = RowSample.of(X, Y, weights, unit)
    for x, y, weight in zip(found.X, found.Y, found.weights, strict=True):
        same = (x == X).all(axis=1) & (y == Y).all(axis=1)
        assert weight == pytest.approx(weights[same].sum())
    keys = np.unique(row_keys(X))
    assert set(found.keys) <= set(keys[:size])


def test_the_least_keys_are_kept(size):
    X, Y, weights, unit = rows_of(discrete=False)
    found = RowSample.of(X, Y, weights, unit)
    assert_array_equal(found.keys, np.sort(row_keys(X))[:size])
    assert_array_equal(row_keys(X[[0]]), row_keys(X)[:1])


def test_keys_are_spread_evenly():
    """Also of rows that differ in one feature by little."""
    X = np.column_stack([np.arange(4000.0), np.ones(4000)])
    shares = np.bincount(row_keys(X) >> np.uint64(61), minlength=8) / 4000
    assert np.abs(shares - 1 / 8).max() < 4 * np.sqrt(1 / 8 / 4000)


def test_zeros_of_both_signs_and_single_precision():
    X = np.array([[0.0, 1.5], [-0.0, 1.5]])
    assert len(set(row_keys(X))) == 1
    assert_array_equal(row_keys(X.astype(np.float32)), row_keys(X))
    assert_array_equal(row_keys(sparse.csr_matrix(X)), row_keys(X))


@pytest.mark.parametrize("library", ["array_api_strict", "torch"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_keys_on_a_device(library, dtype):
    xp = pytest.importorskip(library)
    X = np.random.default_rng(0).normal(size=(50, 17)).astype(dtype)
    with config_context(array_api_dispatch=True):
        there = make_rows(xp.asarray(X), np.ones(50), 0.0, np.ones(50))
        assert_array_equal(there.keys, row_keys(X))
