"""Products alone against a whole matrix: the Krylov resolvent, and fits that use it."""

import warnings
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.linear_model import _resolvents
from sklearn_alpha.linear_model._data.rows import Rows
from sklearn_alpha.linear_model._resolvents import DualResolvent, KrylovResolvent, lanczos
from sklearn_alpha.linear_model._resolvents import krylov as krylov_form
from sklearn_alpha.linear_model._resolvents.lanczos import KrylovSpace, Quadrature, divided
from sklearn_alpha.linear_model._rules import evidence
from tests.linear_model.helpers import in_one

SHAPES = [(120, 300), (300, 120)]
HEIGHTS = [0.0, 0.3, np.inf, "shrunk"]
GAMMAS = np.geomspace(1e-3, 1, 7)

cases = pytest.mark.parametrize(
    ("shape", "height", "container"),
    [
        pytest.param(shape, height, container, id=f"{shape}-k={height}-{name}")
        for shape, height in product(SHAPES, HEIGHTS)
        for name, container in (("dense", np.asarray), ("csr", sparse.csr_matrix))
    ],
)


def text(shape, seed=0):
    """Rows like texts: Zipf's law, a word that none has, two equal rows, and one that is empty."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(8 / np.arange(2.0, 2 + shape[1]), size=shape) * rng.gamma(2, size=shape)
    X = np.log1p(counts)
    X[:, -1], X[1], X[2] = 0, X[0], 0
    return X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-9)


@pytest.fixture
def case(shape, height, container):
    X, rng = text(shape), np.random.default_rng(1)
    n, p = shape
    weights = rng.integers(1, 4, size=n).astype(float)
    rows = Rows(container(X), weights, height, np.ones(n))
    Y, W = rng.normal(size=(n, 1)) + 1, rng.normal(size=(p, 2))
    Z = np.column_stack([Y, 1e3 * (X @ W) + 1, 2 * Y])  # of unlike sizes, and two in one direction
    return SimpleNamespace(
        X=X,
        Y=Y,
        rows=rows,
        krylov=KrylovResolvent(rows, Z, GAMMAS),
        exact=DualResolvent(rows, Z, GAMMAS, n),
    )


@pytest.fixture
def converged(case):
    """The case, with a space that serves every γ."""
    while case.krylov.refine(GAMMAS, np.ones(len(GAMMAS))):
        pass
    return case


@cases
def test_quadratic_forms(converged):
    found, expected = (r.quadratic(GAMMAS) for r in (converged.krylov, converged.exact))
    size = np.sqrt(np.einsum("gii,gjj->gij", expected, expected))
    assert_allclose(found / size, expected / size, atol=1e-5)
    assert_allclose(converged.krylov.inner, converged.exact.inner, rtol=1e-9, atol=1e-9)


@cases
def test_forms_are_approached_from_below(case):
    expected = case.exact.quadratic(GAMMAS)
    before = np.zeros(expected.shape[:2])
    growing = True
    while growing:
        found = np.einsum("gii->gi", case.krylov.quadratic(GAMMAS))
        assert (found >= before * (1 - 1e-9)).all()
        before = found
        growing = case.krylov.refine(GAMMAS, np.ones(len(GAMMAS)))
    assert (found <= np.einsum("gii->gi", expected) * (1 + 1e-9)).all()


@pytest.mark.parametrize(("shape", "height", "container"), [((120, 300), 0.3, np.asarray)])
@pytest.mark.parametrize("at", [0, 2, 6])
def test_the_space_grows_until_the_gamma_that_has_weight_is_reached(case, at, monkeypatch):
    monkeypatch.setattr(krylov_form, "TOLERANCE", 1e-8)
    residual, growing, P = 1.0, True, np.eye(len(GAMMAS))[at]
    while growing:
        before, growing = residual, case.krylov.refine(GAMMAS, P)
        residual = case.krylov._basis.residuals(GAMMAS)[at]
    assert residual == before <= 1e-8  # looking alone does not make it grow


@cases
def test_adapter(converged):
    P = np.full(len(GAMMAS), 1 / len(GAMMAS))
    C = np.random.default_rng(2).normal(size=(len(GAMMAS), 4, 2)) / [[1], [1e3], [1e3], [1]]
    for found, expected in zip(
        converged.krylov.adapter(C, GAMMAS, P), converged.exact.adapter(C, GAMMAS, P), strict=True
    ):
        assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max(initial=1e-9))


@cases
def test_log_det_within_its_error(case):
    error = case.krylov.log_det_error(GAMMAS)
    found, expected = case.krylov.log_det(GAMMAS), case.exact.log_det(GAMMAS)
    assert (np.abs(found - expected) <= 4 * error + 1e-6).all()
    assert (error <= 0.05 * len(case.X)).all()
    assert not case.exact.log_det_error(GAMMAS).any()


@cases
def test_sqnorm_within_its_error(case):
    _, (error,) = case.krylov._quadrature.trace(lambda x: x[..., None] ** 2)
    assert abs(case.krylov.sqnorm - case.exact.sqnorm) <= 4 * error
    assert error < 0.2 * case.exact.sqnorm


@cases
def test_left_out_alone_is_exact(case, monkeypatch):
    monkeypatch.setattr(krylov_form, "ROWS_AT_ONCE", 10**6)
    monkeypatch.setattr(krylov_form, "TOLERANCE", 1e-10)
    C = np.broadcast_to(np.eye(4)[:, :2] * [1, 1e-3], (2, 4, 2))
    index = np.array([0, 1, 2, 7, 50])
    gammas, krylov = GAMMAS[[2, 4]], case.krylov
    while krylov.refine(gammas, np.ones(2)):
        pass
    found, expected = (
        in_one(r.leave_one_out(C, gammas, case.rows, case.Y, index), (2, 5, 2))
        for r in (krylov, case.exact)
    )
    assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(("shape", "container"), [((120, 300), np.asarray)])
@pytest.mark.parametrize("height", HEIGHTS)
@pytest.mark.parametrize(("together", "n_groups"), [(1, 7), (11 * 120 + 60, 11), (10**6, 41)])
def test_left_out_in_groups(case, together, n_groups, monkeypatch):
    """Every so many rows at once, a twentieth of all at most, by solving without them."""
    monkeypatch.setattr(krylov_form, "ROWS_AT_ONCE", together)
    monkeypatch.setattr(krylov_form, "TOLERANCE", 1e-10)
    C = np.random.default_rng(2).normal(size=(2, 4, 2)) / [[1], [1e3], [1e3], [1]]
    index, gammas, Z = np.arange(41), GAMMAS[[2, 4]], case.krylov._values
    # rows less a share of their mean keep it, and centred ones are centred anew
    X = case.X if case.rows.centred else case.X - case.rows.offset
    while case.krylov.refine(gammas, np.ones(2)):
        pass
    ((*_, found),) = case.krylov.leave_one_out(C, gammas, case.rows, case.Y, index)
    for start in range(n_groups):
        group = index[start::n_groups]
        weights = case.rows.weights.copy()
        weights[group] -= 1
        seen = weights > 0
        rest = Rows(X[seen], weights[seen], case.rows.height, np.ones(seen.sum()))
        held = gammas * case.rows.n / rest.n
        exact = DualResolvent(rest, Z[seen], held, 0)
        for at in range(2):
            a, b = exact.adapter(C[[at]], held[[at]], np.ones(1))
            expected = Z[group] @ C[at] - (X[group] @ a.T + b)
            assert_allclose(found[at, start::n_groups], expected, atol=1e-6)


def test_the_space_ends_where_there_is_no_more():
    rng = np.random.default_rng(0)
    half = rng.normal(size=(40, 5))
    A, Z = half @ half.T, rng.normal(size=(40, 3))
    space = KrylovSpace(A.__matmul__, Z, 100)
    space.grow(100)
    assert space.ended
    assert space.size <= 5 + 3
    Q = space.rotate_back(np.eye(len(space.values)))
    assert_allclose(Q.T @ Q, np.eye(len(space.values)), atol=1e-12)
    expected = np.linalg.solve(A + 0.1 * np.eye(40), Z)
    gammas = np.array([0.1])
    assert_allclose(space.rotate_back(space.solve(space.start, gammas)[0]), expected, atol=1e-9)
    assert space.residuals(gammas) < 1e-9
    assert_allclose(space.rotate_back(np.eye(len(space.values)), [3, 1]), Q[[3, 1]], atol=1e-14)


@pytest.mark.parametrize("unit", [1e-14, 1.0, 1e14])
def test_ritz_pairs_are_those_of_the_powers(unit, monkeypatch):
    """A block Krylov space in any unit: an explicit basis of it, by QR, has the same projection."""
    rng = np.random.default_rng(0)
    monkeypatch.setattr(lanczos, "CAPACITY", 1)  # the basis moves each time it grows
    half = rng.normal(size=(30, 40))
    A, Z = half @ half.T, rng.normal(size=(30, 2)) * [1, 1e4]
    space = KrylovSpace((unit * A).__matmul__, Z, 4)
    assert (space.steps, space.size) == (1, 2)
    assert not space.ended
    space.grow(2)
    assert space.steps == 3
    space.grow(9)
    assert space.ended
    assert space.steps == 4
    powers = [Z / [1, 1e4]]
    for _ in range(3):
        powers.append(A @ powers[-1] / 100)
    Q, _ = np.linalg.qr(np.hstack(powers))
    U, values = space.rotate_back(np.eye(8)), space.values / unit
    assert_allclose(U @ U.T, Q @ Q.T, atol=1e-9)
    assert_allclose(np.sort(values), np.linalg.eigvalsh(Q.T @ A @ Q))
    assert_allclose(space.start, U.T @ Z, atol=1e-8)
    assert_allclose(space.errors / unit, np.linalg.norm(A @ U - U * values, axis=0), atol=1e-9)
    seen = space.errors <= 0.01 * space.values
    assert_allclose(space.found[0], U[:, seen])
    assert_allclose(space.found[1], space.values[seen])
    assert not space.null.any()
    gammas = np.array([0.1, 10.0])
    left = []
    for gamma in gammas:
        residual = Z - (A + gamma * np.eye(30)) @ U @ ((U.T @ Z) / (values + gamma)[:, None])
        left.append((np.linalg.norm(residual, axis=0) / np.linalg.norm(Z, axis=0)).max())
    assert_allclose(space.residuals(unit * gammas), left, rtol=1e-6)


@pytest.mark.parametrize("unit", [1e-14, 1.0, 1e14])
def test_a_space_has_what_is_null_in_it(unit):
    rng = np.random.default_rng(0)
    half = np.sqrt(unit) * rng.normal(size=(40, 5))
    space = KrylovSpace((half @ half.T).__matmul__, rng.normal(size=(40, 3)), 100)
    space.grow(100)
    assert space.size == 5 + 3
    assert space.null.sum() == 3
    assert_allclose(np.sort(space.values)[3:], np.linalg.eigvalsh(half.T @ half), rtol=1e-9)


def test_nothing_to_span():
    space = KrylovSpace(np.eye(4).__matmul__, np.zeros((4, 2)), 10)
    assert space.ended
    gammas = np.array([1.0])
    assert space.residuals(gammas) == 0
    assert_allclose(space.rotate_back(space.solve(space.start, gammas)[0]), np.zeros((4, 2)))


@pytest.mark.parametrize("f", [np.log1p, np.square, lambda x: 1 / (1 + x)])
def test_a_trace_within_its_error(f):
    """Over many seeds the error is what its standard error says."""
    rng = np.random.default_rng(0)
    half = rng.normal(size=(150, 200)) / 10
    A = half @ half.T
    expected, gammas = f(np.linalg.eigvalsh(A)).sum(), np.ones(1)
    scores = []
    for _ in range(30):
        probes = rng.choice([-1.0, 1.0], size=(150, 6))
        quadrature = Quadrature(A.__matmul__, np.trace(A), probes, np.zeros(0), gammas)
        (found,), (error,) = quadrature.trace(lambda x: f(x)[..., None])
        scores.append((found - expected) / error)
    assert 0.6 < np.sqrt(np.mean(np.square(scores))) < 2
    assert abs(np.mean(scores)) < 0.8


def spectral(values, probes, exact, f):
    """What `Quadrature` estimates, from eigenvalues of A and probes in its eigenvectors."""
    weights = probes**2
    line = np.polyfit(values, f(values), 1, w=np.sqrt(weights.sum(axis=1)))
    b, a = line
    whole = f(exact).sum(axis=0) + a * (len(values) - len(exact))
    whole += b * (values.sum() - exact.sum())
    left = weights.T @ (f(values) - np.polyval(line, values[:, None]))
    return whole, left.std(axis=0, ddof=1) / np.sqrt(len(left))


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("n_exact", [0, 2])
def test_a_quadrature_that_ends_is_exact(n_exact, unit, monkeypatch):
    """Of eight dimensions at most, so that nodes and weights are A's own."""
    monkeypatch.setattr(lanczos, "STRIDE", 8)
    rng = np.random.default_rng(0)
    values, gammas = np.array([9.0, 5, 3, 2, 1, 0.5, 0.2, 0.1]), np.array([0.1, 1.0])
    V, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    A, probes = V * (unit * values) @ V.T, V.T @ rng.choice([-1.0, 1.0], size=(8, 5))
    probes[:n_exact] = 0
    exact = values[:n_exact]
    quadrature = Quadrature(
        A.__matmul__, unit * values.sum(), V @ probes, unit * exact, unit * gammas
    )
    found = quadrature.trace(lambda x: np.log1p(x[..., None] / (unit * gammas)))
    expected = spectral(values, probes, exact, lambda x: np.log1p(x[..., None] / gammas))
    assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("least", [1e-2, 1e-4])
def test_quadratures_bracket_and_go_on_until_the_gap_is_within_chance(least, monkeypatch):
    """Four steps at a time, at any number of which the truth of these probes is in the gap."""
    rng = np.random.default_rng(0)
    values, gammas = np.geomspace(1e-6, 1, 100), np.array([least])
    V, _ = np.linalg.qr(rng.normal(size=(100, 100)))
    A, probes = V * values @ V.T, rng.choice([-1.0, 1.0], size=(100, 60))
    products = []

    def product(columns):
        products.append(columns)
        return A @ columns

    def f(x):
        return np.log1p(x[..., None] / gammas)

    def log_det():
        products.clear()
        quadrature = Quadrature(product, values.sum(), probes, np.zeros(0), gammas)
        found, error = quadrature.trace(f)
        whole, chance, gap = quadrature._read_off(f)
        assert_allclose((found, error), (whole, np.hypot(chance, gap)))
        return found, chance, gap, len(products)

    (expected,), _ = spectral(values, V.T @ probes, np.zeros(0), f)
    *_, n_steps = log_det()
    assert 4 <= n_steps < 100
    for n_strides in range(1, n_steps // 4 + 1):
        monkeypatch.setattr(lanczos, "MOST_STRIDES", n_strides)
        (found,), (chance,), (gap,), n = log_det()
        assert n == 4 * n_strides
        assert abs(found - expected) <= gap + 1e-2 * chance  # the lines that count less differ
        assert (gap <= chance) == (n == n_steps)


def test_nothing_is_left_to_chance_where_all_is_found():
    exact = np.array([3.0, 2.0, 0.5])
    quadrature = Quadrature(np.diag(exact).__matmul__, 5.5, np.zeros((3, 4)), exact, np.ones(1))
    found, error = quadrature.trace(lambda x: np.stack([x**2, np.log1p(x)], axis=-1))
    assert_allclose(found, [(exact**2).sum(), np.log1p(exact).sum()])
    assert_allclose(error, [0, 0])


def test_columns_of_norm_one_or_none():
    columns = np.array([[3e-3, 0.0, 3.0], [4e-3, 0.0, 4.0]])
    size = np.linalg.norm(columns, axis=0)
    assert_allclose(divided(columns, size), [[0.6, 0, 0.6], [0.8, 0, 0.8]])
    assert_allclose(divided(columns, size, 1.0), [[0, 0, 0.6], [0, 0, 0.8]])


def test_a_line_has_no_error():
    A = np.diag(np.arange(30.0)) + 1
    probes = np.random.default_rng(0).choice([-1.0, 1.0], size=(30, 4))
    quadrature = Quadrature(A.__matmul__, np.trace(A), probes, np.zeros(0), np.ones(1))
    (found,), (error,) = quadrature.trace(lambda x: 3 + 2 * x[..., None])
    assert_allclose(found, 3 * 30 + 2 * np.trace(A))
    assert error < 1e-9


def task(kind, shape, n_sources=1):
    """Texts with a sparse truth, and noisy copies of it for sources."""
    X, rng = text(shape, seed=3), np.random.default_rng(4)
    n_outputs = {"classes": 3}.get(kind, 1)
    truth = rng.normal(size=(n_outputs, shape[1]))
    values = X @ truth.T
    values = (values - values.mean(axis=0)) / values.std(axis=0) + rng.normal(size=values.shape)
    y = values[:, 0] if kind == "target" else (values > 0)[:, 0].astype(int)
    if kind == "classes":
        y = values.argmax(axis=1)
    source = [truth + rng.normal(size=truth.shape) for _ in range(n_sources)]
    Estimator = AlphaTransferRegressor if kind == "target" else AlphaTransferClassifier
    return Estimator, sparse.csr_matrix(X), y, source or None


def predictions(model, X):
    return getattr(model, "decision_function", model.predict)(X)


def both(kind, shape, n_sources=1, sample_weight=None, **options):
    Estimator, X, y, source = task(kind, shape, n_sources)
    models = [
        Estimator(source, solver=solver, **options).fit(X, y, sample_weight=sample_weight)
        for solver in ("dual", "krylov")
    ]
    return *models, X


def assert_agree(dense, krylov, X):
    scale = np.abs(dense.alpha_).max(initial=1e-9)
    assert_allclose(krylov.alpha_, dense.alpha_, atol=0.01 * scale)
    values = [predictions(model, X).ravel() for model in (dense, krylov)]
    assert np.corrcoef(values)[0, 1] > 0.9999


SIZES = [(150, 350), (350, 150)]


@pytest.mark.parametrize("kind", ["binary", "classes", "target"])
@pytest.mark.parametrize("n_sources", [0, 1, 2])
@pytest.mark.parametrize("shape", SIZES)
def test_evidence_agrees(kind, n_sources, shape):
    assert_agree(*both(kind, shape, n_sources, selection="evidence"))


@pytest.mark.parametrize("kind", ["binary", "target"])
def test_the_default_agrees(kind):
    # with an intercept that is held, "krylov" centres the rest anew where rows are left out
    assert_agree(*both(kind, (100, 250), intercept_scaling=np.inf))


@pytest.mark.parametrize(
    "options",
    [
        {"fit_intercept": False, "selection": "evidence"},
        {"intercept_scaling": np.inf, "selection": "evidence"},
        {"selection": "generative"},
        {"selection": "loo"},
        {"selection": "theory"},
        {"gamma": 0.01},
        {"alpha": 0.5},
        {"class_weight": "balanced", "selection": "evidence"},
    ],
    ids=str,
)
def test_options_agree(options):
    assert_agree(*both("binary", (100, 250), **options))


def test_cross_validation_agrees():
    assert_agree(*both("binary", (60, 120), selection="cv", cv=2, gammas=[0.003, 0.03]))


@pytest.mark.parametrize("kind", ["binary", "target"])
def test_weights_are_repetitions(kind):
    Estimator, X, y, source = task(kind, (100, 250))
    counts = np.random.default_rng(0).integers(1, 3, size=100)
    assert_agree(*both(kind, (100, 250), sample_weight=counts, selection="evidence"))
    weighted = Estimator(source, solver="krylov", selection="evidence").fit(X, y, counts)
    index = np.repeat(np.arange(100), counts)
    repeated = Estimator(source, solver="krylov", selection="evidence").fit(X[index], y[index])
    assert_allclose(weighted.alpha_, repeated.alpha_, rtol=0.02)
    values = [predictions(model, X) for model in (weighted, repeated)]
    assert np.corrcoef(values)[0, 1] > 0.999


def test_two_fits_are_equal():
    Estimator, X, y, source = task("binary", (100, 250))
    for selection in ("anchored", "evidence"):
        model = Estimator(source, solver="krylov", selection=selection)
        one, two = (clone(model).fit(X, y) for _ in range(2))
        assert (one.coef_ == two.coef_).all()
        assert (one.path_.posterior == two.path_.posterior).all()
    assert (one.path_.log_det_error == two.path_.log_det_error).all()
    assert one.path_.log_det_error.any()


def test_columns_of_zeros_and_constant_targets():
    X = sparse.csr_matrix((30, 50))
    model = AlphaTransferRegressor(np.ones(50), solver="krylov").fit(X, np.arange(30.0))
    assert_allclose(model.predict(X), 14.5)
    model = AlphaTransferRegressor(solver="krylov").fit(text((30, 50)), np.ones(30))
    assert_allclose(model.predict(np.eye(50)), 1.0)


class Undensified(sparse.csr_matrix):
    """A sparse matrix that no one may make dense."""

    def toarray(self, *args, **kwargs):
        raise AssertionError("made dense")

    todense = toarray


@pytest.mark.parametrize(
    "selection", ["anchored", "blend", "evidence", "generative", "loo", "theory"]
)
def test_nothing_is_made_dense(selection, monkeypatch):
    Estimator, X, y, source = task("binary", (100, 250))
    monkeypatch.setattr(_resolvents, "LARGE", 50)
    for name in ("moments", "kernel"):
        monkeypatch.delattr(Rows, name)
    for name in ("csr_matrix", "csc_matrix", "csr_array", "csc_array"):
        monkeypatch.setattr(getattr(sparse, name), "toarray", Undensified.toarray)
    model = Estimator(source, selection=selection).fit(X, y)
    assert model.score(X, y) > 0.5


def test_auto_is_krylov_for_sparse_rows_that_are_large_both_ways(monkeypatch):
    Estimator, X, y, source = task("binary", (100, 250))
    monkeypatch.setattr(_resolvents, "LARGE", 99)
    model = Estimator(source, selection="evidence")  # whose path has an error where it is krylov
    assert model.fit(X, y).path_.log_det_error.any()
    assert not model.fit(X.toarray(), y).path_.log_det_error.any()
    monkeypatch.setattr(_resolvents, "LARGE", 100)
    assert not model.fit(X, y).path_.log_det_error.any()


@pytest.mark.parametrize("kind", ["binary", "classes"])
def test_doubt_is_of_the_determinants_of_all_outputs(kind, monkeypatch):
    """log det G counts half for each output in the evidence, and so does its error."""
    Estimator, X, y, source = task(kind, (100, 250))
    errors = []
    monkeypatch.setattr(evidence, "warn_if_gamma_is_open", lambda *args: errors.append(args[2]))
    model = Estimator(source, solver="krylov", selection="evidence").fit(X, y)
    n_outputs = len(model.coef_)
    assert model.path_.log_det_error.all()
    assert_allclose(errors, [n_outputs / 2 * model.path_.log_det_error])


def test_a_warning_says_what_to_change(monkeypatch):
    Estimator, X, y, source = task("binary", (100, 250))
    monkeypatch.setattr(krylov_form, "MOST_STEPS", 3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Estimator(source, solver="krylov", gamma=1e-6).fit(X, y)
    messages = [str(w.message) for w in caught if w.category is ConvergenceWarning]
    assert len(messages) == 1
    assert messages[0].startswith(
        "The Krylov space has not converged at gamma=1e-06: after 3 steps"
    )
    assert "Pass larger gammas" in messages[0]


def test_an_open_gamma_is_said_to_be_open(monkeypatch):
    Estimator, X, y, source = task("binary", (100, 250))
    real = KrylovResolvent.log_det_error

    def inflated(self, gammas):
        return real(self, gammas) * 300

    monkeypatch.setattr(KrylovResolvent, "log_det_error", inflated)
    with pytest.warns(ConvergenceWarning, match="leaves gamma open from .* to .*; pass gamma"):
        Estimator(source, solver="krylov", selection="evidence").fit(X, y)


@pytest.mark.parametrize("kind", ["regression", "binary"])
def test_nothing_is_fitted_once_the_only_row_is_left_out(kind):
    X, y = np.array([[0.3, -1.0]]), [1]
    if kind == "regression":
        model = AlphaTransferRegressor(solver="krylov", store_loo=True, fit_intercept=False)
    else:
        options = {"classes": [0, 1], "store_loo": True, "fit_intercept": False}
        model = AlphaTransferClassifier(solver="krylov", **options)
    assert_allclose(model.fit(X, y).loo_decision_function_, 0, atol=1e-15)
