"""Weighted rows against the same products of dense arrays."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from sklearn_alpha.linear_model._data.array_api import make_rows
from sklearn_alpha.linear_model._data.rows import Rows


@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sparse.csr_matrix])
@pytest.mark.parametrize("height", [0.0, 0.7, np.inf, "auto", "shrunk"])
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
    assert_allclose(rows.decisions(W[:, 0], b[:, 0]), expected[:, :, 0])
    for part in rows.part(np.array([3, 1])), rows.chosen(np.array([3, 1])):
        assert_allclose(part.outputs(W, b), expected[[3, 1]])
    assert_allclose(part.n, weights.sum())
    part = rows.part(np.array([3, 1]))
    assert_allclose(part.repeats, (weights / unit)[[3, 1]])
    if height == "auto":
        mean_square = weights @ (X**2).mean(axis=1) / weights.sum()
        assert_allclose((rows.height, part.height), np.sqrt(mean_square))
        assert Rows(container(0 * X), weights, height, unit).height == 1


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("height", [0.0, 0.7, np.inf, "shrunk"])
def test_reading_moments_changes_no_rows(height, container):
    """They are only read, and what they know of their weights and their mean is kept."""
    rng = np.random.default_rng(0)
    X, weights = rng.normal(size=(11, 4)) + 3, rng.uniform(1, 3, 11)
    rows = Rows(container(X), weights, height, np.ones(11))
    before = set(vars(rows))
    rows.moments(rng.normal(size=(11, 2)))
    assert set(vars(rows)) - before <= {"root", "mean"}
    assert_allclose(rows.mean + rows.offset, weights @ X / weights.sum())


# ---------------------------------------------------------------- rows less a share of their mean

CONTAINERS = {
    "dense": np.asarray,
    "Fortran": np.asfortranarray,
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_array,
    "single precision": lambda X: X.astype(np.float32),
}
containers = pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)


def share_of_mean(X, weights, unit):
    """ρ = 1 − noise/‖x̄‖²: of m = n/u equal draws the mean has 1/m of the variance of one.

    The variance about x̄ is 1 − 1/m of that about the true mean. Weights of one unit are repeated
    rows; of other weights m is the effective number n²/Σ s u.
    """
    m = weights.sum() ** 2 / (weights @ unit)
    mean = np.average(X, axis=0, weights=weights)
    variance = np.average(np.sum((X - mean) ** 2, axis=1), weights=weights)
    return max(1 - variance / (m - 1) / (mean @ mean), 0.0) if m > 1 else 0.0


def weights_of(name, n):
    rng = np.random.default_rng(n)
    if name == "even":
        return np.ones(n), np.ones(n)
    if name == "repeated":
        return rng.integers(1, 4, n).astype(float), np.ones(n)
    weights = rng.uniform(0.2, 3, n)  # of samples and classes
    return weights * 0.7, np.minimum(weights, 1) * 0.7


@containers
@pytest.mark.parametrize("weights", ["even", "repeated", "of any size"])
@pytest.mark.parametrize("shape", [(11, 4), (5, 30), (2, 3)])
@pytest.mark.parametrize("level", [0.0, 0.4, 30.0])
def test_rows_less_a_share_of_their_mean(container, weights, shape, level):
    rng = np.random.default_rng(0)
    n, p = shape
    X = (rng.normal(size=shape) * (rng.random(shape) < 0.7) + level).astype(np.float32)
    X = X.astype(np.float64)  # the same numbers in both precisions
    weights, unit = weights_of(weights, n)
    rows = make_rows(container(X), weights, "shrunk", unit)
    rho, total = share_of_mean(X, weights, unit), weights.sum()
    assert_allclose(rows.offset, rho * weights @ X / total, atol=1e-12 * (1 + level))
    assert (rows.height, rows.centred, rows.asked) == (0.0, False, "shrunk")

    rest, tolerance = X - rows.offset, {"rtol": 1e-10, "atol": 1e-11 * (1 + level) ** 2}
    columns, across = rng.normal(size=(p, 2)), rng.normal(size=(n, 2))
    S = np.diag(weights)
    root = np.sqrt(weights)[:, None]
    for found, expected in (
        (rows.dot(columns), rest @ columns),
        (rows.dot(columns[:, 0]), rest @ columns[:, 0]),
        (rows.rdot(across), rest.T @ across),
        (rows.rdot(across[:, 0]), rest.T @ across[:, 0]),
        (rows.sqnorms, np.sum(rest**2, axis=1)),
        (rows.mean, weights @ rest / total),
        (rows.along_mean, rest @ (weights @ rest) / total),
        (rows.trace, np.trace(rest.T @ S @ rest) / total),
        (rows.take(np.arange(n)[::-1]), rest[::-1]),
        (rows.kernel(), root * (rest @ rest.T) * root.T / total),
        (rows.moments(across)[0], rest.T @ S @ rest / total),
        (rows.moments(across)[1], rest.T @ S @ across / total),
    ):
        assert_allclose(found, expected, **tolerance)


@containers
def test_outputs_of_parts_of_shrunk_rows_are_those_of_the_rows(container):
    """A part has an offset of its own, which its outputs show nothing of."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(11, 4)) + 3).astype(np.float32).astype(np.float64)
    weights, unit = weights_of("of any size", 11)
    rows, some = make_rows(container(X), weights, "shrunk", unit), np.array([7, 0, 3])
    W, b = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3))
    expected = np.einsum("ip,ckp->ick", X, W) + b
    part = rows.part(some)
    assert_allclose(rows.outputs(W, b), expected, rtol=1e-10)
    assert_allclose(part.outputs(W, b), expected[some], rtol=1e-10)
    rho = share_of_mean(X[some], weights[some], unit[some])
    assert_allclose(part.offset, rho * np.average(X[some], axis=0, weights=weights[some]))


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_other_weights_leave_the_offset_of_shrunk_rows(container):
    """Rows are left out beside the same centre."""
    rng = np.random.default_rng(0)
    X, columns = rng.normal(size=(11, 4)) + 1, rng.normal(size=(11, 2))
    weights, unit = weights_of("repeated", 11)
    rows = Rows(container(X), weights, "shrunk", unit)
    less = weights - (np.arange(11) == 3)
    rest = rows.reweighted(less)
    assert_allclose(rest.offset, rows.offset)
    assert_allclose(rest.n, less.sum())
    gram, cross = rest.moments(columns)
    D = X - rows.offset
    assert_allclose(gram, D.T @ (less[:, None] * D) / less.sum(), atol=1e-12)
    assert_allclose(cross, D.T @ (less[:, None] * columns) / less.sum(), atol=1e-12)
    centred = Rows(container(X), weights, np.inf, unit).reweighted(less)
    assert_allclose(centred.mean + centred.offset, np.average(X, axis=0, weights=less))


@containers
def test_weights_of_shrunk_rows_are_repetitions(container):
    X = (np.random.default_rng(0).normal(size=(11, 4)) + 0.5).astype(np.float32)
    X, (counts, unit) = X.astype(np.float64), weights_of("repeated", 11)
    rows = make_rows(container(X), counts, "shrunk", unit)
    repeated = np.repeat(X, counts.astype(int), axis=0)
    n = len(repeated)
    same = make_rows(container(repeated), np.ones(n), "shrunk", np.ones(n))
    assert_allclose(same.offset, rows.offset, rtol=1e-12)
    # the unit of the weights is of no account either
    other = make_rows(container(X), 0.1 * counts, "shrunk", 0.1 * unit)
    assert_allclose(other.offset, rows.offset, rtol=1e-12)


def test_the_share_of_a_mean_that_is_clear_or_noise():
    rng = np.random.default_rng(0)

    def shares(level, n, p):
        """Of 200 draws of rows of unit variance, ‖mean‖² = level²p."""
        found = []
        for _ in range(200):
            X = rng.normal(size=(n, p)) + level
            rows = Rows(X, np.ones(n), "shrunk", np.ones(n))
            found.append(rows.offset @ X.mean(axis=0) / np.sum(X.mean(axis=0) ** 2))
        return np.array(found)

    # ‖x̄‖² of noise is about as often below its expectation as above it
    assert shares(0.0, 10, 1000).max() < 0.2
    assert np.mean(shares(0.0, 10, 1000) == 0) > 0.4
    assert shares(3.0, 10, 1000).min() > 0.98
    # between these, of many features, it is what is best: ‖μ‖²/(‖μ‖² + p/n)
    assert_allclose(shares(0.3, 10, 4000), 0.09 / (0.09 + 0.1), atol=0.06)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_one_row_and_equal_rows(container):
    """A mean of one row may be all noise; equal rows have none."""
    one = np.array([[1.0, 2.0, 0.0]])
    weights = np.ones(1)
    assert not Rows(container(one), weights, "shrunk", weights).offset.any()
    assert_allclose(Rows(container(one), 3 * weights, "shrunk", weights).offset, one[0])
    assert not Rows(container(0 * one), 3 * weights, "shrunk", weights).offset.any()
    equal = Rows(container(np.repeat(one, 4, axis=0)), np.ones(4), "shrunk", np.ones(4))
    assert_allclose(equal.offset, one[0])
    assert_allclose(equal.trace, 0, atol=1e-14)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_a_sample_of_shrunk_rows_is_less_the_offset_of_all(container):
    """As of a stream: n and the offset are known, and the sample's own mean is not subtracted."""
    rng = np.random.default_rng(0)
    X, (weights, unit) = rng.normal(size=(11, 4)) + 1, weights_of("of any size", 11)
    rows, some = Rows(container(X), weights, "shrunk", unit), np.array([7, 0, 3])
    taken = container(X)[some], weights[some], unit[some]
    sample = Rows.of_sample(*taken, rows.n, rows.offset)
    D, columns = X[some] - rows.offset, rng.normal(size=(3, 2))
    assert_allclose(sample.take(np.arange(3)), D)
    assert_allclose(sample.sqnorms, np.sum(D**2, axis=1), atol=1e-12)
    assert_allclose(sample.average(columns), weights[some] @ columns / weights.sum())
    W, b = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3))
    assert_allclose(sample.outputs(W, b), np.einsum("ip,ckp->ick", X[some], W) + b, rtol=1e-10)
