"""Rows that are not NumPy's doubles: which they are, and products in blocks of rows and columns."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from sklearn_alpha.linear_model._data import array_api
from sklearn_alpha.linear_model._data.array_api import ArrayAPIRows, floats, like, make_rows
from sklearn_alpha.linear_model._data.rows import Rows

HEIGHTS = [0.0, 0.7, np.inf, "shrunk"]


def wide(dtype):
    """More columns than one block of them has, and not a multiple of it; a mean away from zero."""
    return (np.random.default_rng(0).normal(size=(11, 37)) + 3).astype(dtype)


@pytest.mark.parametrize(
    ("convert", "expected"),
    [
        (lambda X: X, Rows),
        (lambda X: X.astype(np.float32), ArrayAPIRows),
        (sparse.csr_matrix, Rows),
        (lambda X: sparse.csr_array(X.astype(np.float32)), Rows),
    ],
)
def test_which_rows_they_are(convert, expected):
    rows = make_rows(convert(wide(np.float64)), np.ones(11), 0.0, np.ones(11))
    assert type(rows) is expected


@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csr_array])
def test_a_sparse_array_is_read_and_answered_in_double(container):
    X, values = container(wide(np.float32)), np.arange(3.0)
    assert floats(X) is np.float64
    assert floats(wide(np.float32)) == [np.float64, np.float32]
    assert like(X, values) is values
    assert like(wide(np.float32), values).dtype == np.float32


@pytest.mark.parametrize("height", HEIGHTS)
@pytest.mark.parametrize("own", [np.float64, np.float32])
def test_products_in_blocks_of_columns(height, own, monkeypatch):
    """Also of a device without double precision: NumPy's doubles come back from it."""
    monkeypatch.setattr(array_api, "_max_precision_float_dtype", lambda xp, device: own)
    X, weights = wide(np.float32), np.arange(1.0, 12.0)
    columns = np.linspace(-1, 1, 74).reshape(37, 2)
    there = make_rows(X, weights, height, np.ones(11))
    here = Rows(X.astype(np.float64), weights, height, np.ones(11))
    assert there._on_device(columns).dtype == own
    tolerance = 1e-10 if own is np.float64 else 1e-4
    for found, expected in (
        (there.kernel(), here.kernel()),
        (there.dot(columns), here.dot(columns)),
        (there.rdot(columns[:11]), here.rdot(columns[:11])),
        (there.take(np.array([7, 0])), here.take(np.array([7, 0]))),
        (there.sqnorms, here.sqnorms),
    ):
        assert found.dtype == np.float64
        assert_allclose(found, expected, rtol=tolerance, atol=10 * tolerance)
    # BLAS adds to it in place
    assert there.kernel().flags.f_contiguous
