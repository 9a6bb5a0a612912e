"""The resolvent against dense linear algebra on explicit rows."""

import tracemalloc
from copy import copy
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.linalg import inv

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.linear_model._data.moments import PrimalMoments
from sklearn_alpha.linear_model._data.rows import Rows
from sklearn_alpha.linear_model._resolvents import (
    DualResolvent,
    PrimalResolvent,
    base,
    tridiagonal,
)
from sklearn_alpha.linear_model._resolvents.cholesky import Cholesky
from sklearn_alpha.linear_model._resolvents.tridiagonal import Tridiagonal
from sklearn_alpha.linear_model._rules import RULES
from tests.linear_model.helpers import KINDS, in_one, selected

SHAPES = [(5, 9), (9, 5), (6, 6)]
HEIGHTS = [0.0, 0.7, np.inf]
GAMMAS = np.array([1e-2, 0.3, 20.0])
BASES = ["tridiagonal", "diagonal", "cholesky"]

cases = pytest.mark.parametrize(
    ("shape", "height", "solver", "basis", "container"),
    [
        pytest.param(*case, container, id=f"{shape}-k={height}-{solver}-{basis}-{name}")
        for case in product(SHAPES, HEIGHTS, ("primal", "dual"), BASES)
        for shape, height, solver, basis in [case]
        for name, container in (("dense", np.asarray), ("csr", sparse.csr_matrix))
    ],
)


@pytest.fixture
def case(shape, height, solver, basis, container, monkeypatch):
    """X, counts, Z of one target and two sources, the rows, the target and their resolvent."""
    monkeypatch.setattr(tridiagonal, "MANY", 0.0 if basis == "diagonal" else np.inf)
    monkeypatch.setattr(base, "FEW", 5 if basis == "cholesky" else 0)
    rng = np.random.default_rng(0)
    n, p = shape
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < 0.7) + 0.5 * (np.arange(p) < 2)
    counts = rng.integers(1, 4, size=n)
    rows = Rows(container(X), counts.astype(float), height, np.ones(n))
    Y, W, b = rng.normal(size=(n, 1)) + 1, rng.normal(size=(p, 2)), rng.normal(size=2)
    Z = np.hstack([Y, X @ W + b])
    if solver == "dual":
        resolvent = DualResolvent(rows, Z, GAMMAS, n)
    else:
        moments = PrimalMoments.of_rows(rows, Y)
        resolvent = PrimalResolvent(moments, W, b, GAMMAS, n)
    return SimpleNamespace(X=X, counts=counts, Z=Z, rows=rows, Y=Y, resolvent=resolvent)


def repeated(values, counts, height):
    values = np.repeat(values, counts, axis=0)
    return values - values.mean(axis=0) if np.isinf(height) else values


@cases
def test_quadratic_forms(case, height, oracle):
    v = repeated(case.Z, case.counts, height)
    kernels = [oracle.kernel(case.X, case.counts, height, gamma) for gamma in GAMMAS]
    expected = [v.T @ inv(kernel) @ v for kernel in kernels]
    assert_allclose(case.resolvent.quadratic(GAMMAS), expected, rtol=1e-9)
    assert_allclose(case.resolvent.inner, v.T @ v, rtol=1e-9)


@cases
def test_log_det_is_over_the_repeated_rows(case, height, oracle):
    expected = []
    for gamma in GAMMAS:
        log_det = -np.linalg.slogdet(oracle.kernel(case.X, case.counts, height, gamma))[1]
        # centring leaves the constant direction out, where G is 1/γ
        expected.append(log_det + np.isinf(height) * np.log(gamma))
    assert_allclose(case.resolvent.log_det(GAMMAS), expected, rtol=1e-10)


@pytest.fixture
def coefficients():
    """C(γ): two combinations of the three columns for each γ."""
    return np.random.default_rng(1).normal(size=(len(GAMMAS), 3, 2))


@cases
def test_adapter_is_the_average_of_ridge_fits(case, coefficients, height, oracle):
    P, n = np.array([0.2, 0.5, 0.3]), case.counts.sum()
    fits = [
        oracle.ridge(case.X, case.Z @ C, case.counts, n * gamma, height)
        for C, gamma in zip(coefficients, GAMMAS, strict=True)
    ]
    a, b = case.resolvent.adapter(coefficients, GAMMAS, P)
    assert_allclose(a, sum(q * fit[0] for q, fit in zip(P, fits, strict=True)), atol=1e-10)
    assert_allclose(b, sum(q * fit[1] for q, fit in zip(P, fits, strict=True)), atol=1e-10)


@pytest.mark.parametrize("block", [1, 1 << 14])
@cases
def test_leave_one_out_takes_one_repetition(case, coefficients, height, block, oracle, monkeypatch):
    monkeypatch.setattr(base, "CACHE", block)

    def residuals_of(index):
        parts = case.resolvent.leave_one_out(coefficients, GAMMAS, case.rows, case.Y, index)
        return in_one(parts, (len(GAMMAS), len(index), 2))

    residuals, some = residuals_of(np.arange(len(case.X))), np.array([4, 0, 2])
    assert_allclose(residuals_of(some), residuals[:, some], atol=1e-12)
    for residual, C, gamma in zip(residuals, coefficients, GAMMAS, strict=True):
        values, n_gamma = case.Z @ C, case.counts.sum() * gamma
        expected = values - oracle.left_out(case.X, values, case.counts, n_gamma, height)
        assert_allclose(residual, expected, atol=1e-9)


@cases
def test_moments_of_the_rows(case, height):
    gram = repeated(case.X, case.counts, height).T @ repeated(case.X, case.counts, height)
    gram = gram / case.counts.sum()
    mean = case.counts @ case.X / case.counts.sum()
    assert_allclose(case.rows.trace, np.trace(gram))
    assert_allclose(case.resolvent.sqnorm, np.sum(gram**2))
    assert_allclose(case.rows.mean + case.rows.offset, mean)


@pytest.mark.parametrize("N", [1, 2, 3, 30, 130])
@pytest.mark.parametrize("rank", [1, 3, 30])
@pytest.mark.parametrize("least", [1e-2, 1e-14])
@pytest.mark.parametrize("n_columns", [0, 10**6])
def test_tridiagonal_form(N, rank, least, n_columns):
    rng = np.random.default_rng(0)
    half = rng.normal(size=(N, min(rank, N)))
    A = half @ half.T
    form, gammas = (
        Tridiagonal(A.copy(order="F"), least, n_columns, N),
        np.array([max(least, 1e-2), 3.0]),
    )
    T = form.dot(np.eye(N))
    Q = form.rotate_back(np.eye(N))
    assert_allclose(Q.T @ Q, np.eye(N), atol=1e-13)
    assert_allclose(Q @ T @ Q.T, A, atol=1e-12)
    assert_allclose(form.rotate(A), Q.T @ A, atol=1e-12)
    assert not np.triu(T, 2).any()
    assert not np.tril(T, -2).any()
    if least < 1e-9:
        # rounding is told from the null space
        assert np.count_nonzero(form.diagonal) == min(rank, N)
    columns = rng.normal(size=(N, 4))
    assert_allclose(form.trace(3.0), np.trace(inv(A + 3 * np.eye(N))), rtol=1e-9)
    found = form.solve(columns, gammas), form.sqnorms(columns, gammas)
    for gamma, solved, sqnorms in zip(gammas, *found, strict=True):
        inverse = inv(T + gamma * np.eye(N))
        assert_allclose(solved, inverse @ columns, rtol=1e-9, atol=1e-12)
        assert_allclose(sqnorms, np.sum(columns * (inverse @ columns), axis=0), rtol=1e-9)
    log_dets = [np.linalg.slogdet(A + gamma * np.eye(N))[1] for gamma in gammas]
    assert_allclose(form.log_det(gammas), log_dets, rtol=1e-9)


@pytest.mark.parametrize("N", [1, 2, 30, 64, 130])
def test_cholesky(N):
    """In any order of what is asked, though only one factor is kept."""
    rng = np.random.default_rng(0)
    half, columns = rng.normal(size=(N, N)), rng.normal(size=(N, 5))
    A, gammas, form = half @ half.T, np.array([0.5, 3.0]), Cholesky(half @ half.T)
    inverses = [inv(A + gamma * np.eye(N)) for gamma in gammas]
    for at in 0, 1, 0:
        for ask in rng.permutation(5):
            gamma, inverse = gammas[[at]], inverses[at]
            if ask == 0:
                assert_allclose(form.solve(columns, gamma)[0], inverse @ columns, rtol=1e-8)
            if ask == 1:
                assert_allclose(form.trace(gamma[0]), np.trace(inverse), rtol=1e-9)
            if ask == 2:
                assert_allclose(form.log_det(gamma), -np.linalg.slogdet(inverse)[1], rtol=1e-9)
            if ask == 3:
                assert_allclose(form.dot(columns), A @ columns, rtol=1e-9)
            if ask == 4:
                ((_, diagonal),) = form.diagonals(gamma)
                assert_allclose(diagonal(np.array([N - 1])), inverse[None, -1:, -1], rtol=1e-9)
        # a copy has factors of its own
        ((_, forms),) = copy(form).forms(gammas[[at]])
        form.log_det(gammas)
        expected = np.sum(columns * (inverses[at] @ columns), axis=0)
        assert_allclose(forms(columns.copy())[0], expected, rtol=1e-9)


@pytest.mark.parametrize("N", [1, 2, 30, 64, 130])
@pytest.mark.parametrize("n_columns", [0, 10**6])
@pytest.mark.parametrize("n_rows", [1, 2])
@pytest.mark.parametrize("n_gammas", [1, 2, 6])
def test_forms_are_by_cholesky_where_gammas_are_few_and_memory_is_not(
    N, n_columns, n_rows, n_gammas, monkeypatch
):
    rng = np.random.default_rng(0)
    half, columns = rng.normal(size=(N, N)), rng.normal(size=(N, 5))
    A, gammas = half @ half.T, np.geomspace(0.1, 3.0, n_gammas)
    factored, factor = [], Cholesky._factor

    def counted(self, gamma):
        factored.append(gamma)
        return factor(self, gamma)

    monkeypatch.setattr(Cholesky, "_factor", counted)
    form = Tridiagonal(np.asfortranarray(A), 0.1, n_columns, n_rows * N)
    inverses, some = np.array([inv(A + g * np.eye(N)) for g in gammas]), np.array([N - 1, 0])
    expected = np.einsum("im,gij,jm->gm", columns, inverses, columns)
    found = np.concatenate([forms(columns.copy()) for _, forms in form.forms(gammas)])
    assert_allclose(found, expected, rtol=1e-9)
    by_cholesky = N > 1 and not n_columns and n_gammas <= 5 and n_rows == 2
    assert factored == list(gammas) * by_cholesky
    found = np.concatenate([diagonal(some) for _, diagonal in form.diagonals(gammas)])
    assert_allclose(found, inverses[:, some, some], rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_rounding_is_told_from_the_null_space_in_any_units(scale):
    half = np.random.default_rng(0).normal(size=(10, 3))
    form = Tridiagonal(np.asfortranarray(scale * half @ half.T), 1e-14 * scale, 0, 10)
    assert np.count_nonzero(form.diagonal) == 3


def test_small_eigenvalues_of_many_repetitions_are_more_than_rounding():
    form = Tridiagonal(np.asfortranarray(np.diag([1e-8, 1.0])), 1e-12, 0, 1e10)
    assert_allclose(form.solve(np.eye(2), np.zeros(1))[0], np.diag([1e8, 1.0]))


@pytest.mark.parametrize("height", HEIGHTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_at_a_tiny_gamma_the_adapter_interpolates(shape, height):
    """γ → 0 is the least-norm solution, by either way, however small γ is beside rounding."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=shape) + 1, rng.normal(size=shape[0])
    X[:, -1] = X[:, 0]
    options = {"intercept_scaling": height} if height else {"fit_intercept": False}
    M = np.column_stack([X, np.full(len(X), height)]) if height == 0.7 else X
    if np.isinf(height):
        M, y = X - X.mean(axis=0), y - y.mean()
    expected = np.linalg.lstsq(M, y, rcond=1e-10)[0][: shape[1]]
    for solver in ("primal", "dual"):
        model = AlphaTransferRegressor(gamma=1e-20, solver=solver, **options).fit(X, y)
        assert_allclose(model.coef_, expected, atol=1e-9)


@pytest.fixture
def reduced(monkeypatch):
    """Shapes of the matrices that are reduced or factored."""
    shapes = []

    def counted(cls):
        class Counted(cls):
            def __init__(self, A, *options):
                shapes.append(A.shape)
                super().__init__(A, *options)

        return Counted

    for cls in Cholesky, Tridiagonal:
        monkeypatch.setattr(base, cls.__name__, counted(cls))
    return shapes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("selection", [name for name in RULES if name != "cv"])
def test_one_decomposition_serves_a_fit(kind, selection, problem, reduced):
    task = problem(kind, n_sources=2)
    task.Estimator(task.source, selection=selection).fit(task.X, task.y)
    assert len(reduced) == (selection != "generative")  # which needs none


@pytest.mark.parametrize("kind", KINDS)
def test_cross_validation_decomposes_once_a_fold_and_once_for_the_fit(kind, problem, reduced):
    task = problem(kind, n_sources=2)
    task.Estimator(task.source, selection="cv", cv=2).fit(task.X, task.y)
    assert len(reduced) == 3


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["binary", "target"])
def test_the_smaller_matrix_is_decomposed(kind, shape, problem, reduced):
    task = problem(kind, *shape)
    task.Estimator(task.source, selection="evidence").fit(task.X, task.y)
    constant = kind == "binary" and shape[1] < shape[0]  # its column is one more feature
    assert reduced == [(min(shape) + constant,) * 2]


def peak_memory(function):
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("selection", RULES)
@pytest.mark.parametrize("kind", ["binary", "target"])
@pytest.mark.parametrize("shape", [(20, 2000), (2000, 20)])
def test_no_matrix_of_the_larger_dimension(shape, kind, selection, problem):
    task = problem(kind, *shape)
    model = task.Estimator(task.source, **selected(selection, 2))
    assert peak_memory(lambda: model.fit(task.X, task.y)) < 2000**2 * 8


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("height", HEIGHTS)
@pytest.mark.parametrize(
    "shape", [(3000, 300), (300, 3000), (1000, 1000), (2400, 1200), (30000, 30)]
)
def test_a_dense_fit_holds_little_beside_X(shape, height, weighted, problem):
    task = problem("binary", *shape)
    options = {"intercept_scaling": height} if height else {"fit_intercept": False}
    model = task.Estimator(task.source, **options)
    weights = task.counts if weighted else None
    held = peak_memory(lambda: model.fit(task.X, task.y, sample_weight=weights))
    assert held < 1.5 * task.X.nbytes  # 2.5 with X itself


@pytest.mark.parametrize("selection", RULES)
@pytest.mark.parametrize("Estimator", [AlphaTransferClassifier, AlphaTransferRegressor])
def test_sparse_stays_sparse(Estimator, selection):
    rng = np.random.default_rng(0)
    shape = 60, 20_000
    X = sparse.random(*shape, density=1e-3, format="csr", random_state=rng)
    y = rng.integers(0, 2, size=shape[0])
    model = Estimator(rng.normal(size=shape[1]), **selected(selection, 2))
    assert peak_memory(lambda: model.fit(X, y)) < np.prod(shape) * 8 / 2
