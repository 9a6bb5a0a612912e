"""The resolvent against dense linear algebra on explicit rows."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.linalg import inv

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.linear_model import _resolvent
from sklearn_alpha.linear_model._resolvent import Rows, SpectralResolvent
from sklearn_alpha.linear_model._selection import SELECTIONS

SHAPES = [(5, 9), (9, 5), (6, 6)]
HEIGHTS = [0.0, 0.7, np.inf]
KINDS = ("binary", "classes", "target", "targets")
GAMMAS = np.array([1e-2, 0.3, 20.0])

cases = pytest.mark.parametrize(
    ("shape", "height", "solver", "container"),
    [
        pytest.param(shape, height, solver, container, id=f"{shape}-k={height}-{solver}-{name}")
        for shape in SHAPES
        for height in HEIGHTS
        for solver in ("primal", "dual")
        for name, container in (("dense", np.asarray), ("csr", sparse.csr_matrix))
    ],
)


@pytest.fixture
def case(shape, height, solver, container):
    """X, counts, three columns of values, and the resolvent of the weighted rows."""
    rng = np.random.default_rng(0)
    n, p = shape
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < 0.7) + 0.5 * (np.arange(p) < 2)
    counts = rng.integers(1, 4, size=n)
    weights = counts.astype(float)
    rows = Rows(container(X), weights, height, np.ones(n))
    return X, counts, rng.normal(size=(n, 3)) + 1, SpectralResolvent(rows, solver)


def repeated(values, counts, height):
    values = np.repeat(values, counts, axis=0)
    return values - values.mean(axis=0) if np.isinf(height) else values


@cases
def test_quadratic_forms(case, height, oracle):
    X, counts, values, resolvent = case
    v = repeated(values, counts, height)
    expected = [v.T @ inv(oracle.kernel(X, counts, height, gamma)) @ v for gamma in GAMMAS]
    assert_allclose(resolvent.quadratic(resolvent.rotate(values), GAMMAS), expected, rtol=1e-9)


@cases
def test_log_det_is_over_the_repeated_rows(case, height, oracle):
    X, counts, _, resolvent = case
    expected = []
    for gamma in GAMMAS:
        log_det = -np.linalg.slogdet(oracle.kernel(X, counts, height, gamma))[1]
        # centring leaves the constant direction out, where G is 1/γ
        expected.append(log_det + np.isinf(height) * np.log(gamma))
    assert_allclose(resolvent.log_det(GAMMAS), expected, rtol=1e-10)


@cases
def test_adapter_is_the_average_of_ridge_fits(case, height, oracle):
    X, counts, values, resolvent = case
    P = np.array([0.2, 0.5, 0.3])
    fits = [oracle.ridge(X, values, counts, counts.sum() * gamma, height) for gamma in GAMMAS]
    a, b = resolvent.adapter([resolvent.rotate(values)] * 3, GAMMAS, P)
    assert_allclose(a, sum(q * fit[0] for q, fit in zip(P, fits, strict=True)), atol=1e-10)
    assert_allclose(b, sum(q * fit[1] for q, fit in zip(P, fits, strict=True)), atol=1e-10)


@cases
def test_leave_one_out_takes_one_repetition(case, height, oracle):
    X, counts, values, resolvent = case
    residuals = resolvent.leave_one_out([resolvent.rotate(values)] * 3, GAMMAS)
    for residual, gamma in zip(residuals, GAMMAS, strict=True):
        expected = values - oracle.left_out(X, values, counts, counts.sum() * gamma, height)
        assert_allclose(residual, expected, atol=1e-9)


@cases
def test_moments_of_the_rows(case, height):
    X, counts, _, resolvent = case
    gram = repeated(X, counts, height).T @ repeated(X, counts, height) / counts.sum()
    assert_allclose(resolvent.rows.trace, np.trace(gram))
    assert_allclose(resolvent.sqnorm, np.sum(gram**2))
    assert_allclose(resolvent.rows.mean + resolvent.rows.offset, counts @ X / counts.sum())


@cases
def test_eigenvectors_are_orthonormal_and_diagonalise(case, height, oracle):
    X, counts, _, resolvent = case
    U, rows = resolvent.expand(np.eye(len(resolvent.eigenvalues))), resolvent.rows
    assert_allclose(U.T @ U, np.eye(U.shape[1]), atol=1e-12)
    assert_allclose(resolvent.contract(U), np.eye(U.shape[1]), atol=1e-12)
    spread = np.repeat(U / np.sqrt(rows.weights)[:, None], counts, axis=0)
    M = oracle.explicit(X, counts, height)
    assert_allclose(M @ M.T / rows.n @ spread, spread * resolvent.eigenvalues, atol=1e-12)


@pytest.fixture
def eigh_shapes(monkeypatch):
    """Shapes of the matrices that are decomposed."""
    shapes = []
    original = _resolvent.eigh

    def counted(matrix, **options):
        shapes.append(matrix.shape)
        return original(matrix, **options)

    monkeypatch.setattr(_resolvent, "eigh", counted)
    return shapes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("selection", [name for name in SELECTIONS if name != "cv"])
def test_one_decomposition_serves_a_fit(kind, selection, problem, eigh_shapes):
    task = problem(kind, n_sources=2)
    task.Estimator(task.source, selection=selection).fit(task.X, task.y)
    assert len(eigh_shapes) == (selection != "generative")  # which needs none


@pytest.mark.parametrize("kind", KINDS)
def test_cross_validation_decomposes_once_a_fold_and_once_for_the_fit(kind, problem, eigh_shapes):
    task = problem(kind, n_sources=2)
    task.Estimator(task.source, selection="cv", cv=2).fit(task.X, task.y)
    assert len(eigh_shapes) == 3


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["binary", "target"])
def test_the_smaller_matrix_is_decomposed(kind, shape, problem, eigh_shapes):
    task = problem(kind, *shape)
    task.Estimator(task.source).fit(task.X, task.y)
    constant = kind == "binary" and shape[1] < shape[0]  # its column is one more feature
    assert eigh_shapes == [(min(shape) + constant,) * 2]


def peak_memory(function):
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("kind", ["binary", "target"])
@pytest.mark.parametrize("shape", [(20, 2000), (2000, 20)])
def test_no_matrix_of_the_larger_dimension(shape, kind, selection, problem):
    task = problem(kind, *shape)
    model = task.Estimator(task.source, selection=selection, cv=2)
    assert peak_memory(lambda: model.fit(task.X, task.y)) < 2000**2 * 8


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("Estimator", [AlphaTransferClassifier, AlphaTransferRegressor])
def test_sparse_stays_sparse(Estimator, selection):
    rng = np.random.default_rng(0)
    shape = 60, 20_000
    X = sparse.random_array(shape, density=1e-3, format="csr", rng=rng)
    y = rng.integers(0, 2, size=shape[0])
    model = Estimator(rng.normal(size=shape[1]), selection=selection, cv=2)
    assert peak_memory(lambda: model.fit(X, y)) < np.prod(shape) * 8 / 2
