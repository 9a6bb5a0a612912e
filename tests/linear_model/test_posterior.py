"""The standard deviation of new observations, against the dense normal distribution of all rows."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.stats import norm
from sklearn import __version__, config_context
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from sklearn_alpha import AlphaTransferRegressor
from sklearn_alpha.linear_model import _posterior
from sklearn_alpha.linear_model._rules import RULES
from tests.linear_model._rules.oracles import constant, heights, k_of
from tests.linear_model.helpers import selected

kinds = pytest.mark.parametrize("kind", ["target", "targets"])


def oracle(task, counts, new, alpha, gamma, height):
    """√Var(y* | y), (n_new, n_outputs), where all rows and y* are jointly normal.

    The rows are not centred: a free intercept is a constant of infinite variance.
    """
    X = np.repeat(task.X, counts, axis=0)
    r = np.repeat(task.Y - np.einsum("ick,ck->ic", task.S, alpha), counts, axis=0)
    n, is_free = len(X), np.isinf(k_of(height))
    both = np.vstack([X, new])
    M = np.column_stack([both, np.full(len(both), 0 if is_free else k_of(height))])
    K = M @ M.T / (n * gamma)
    inverse, cross = np.linalg.inv(K[:n, :n] + np.eye(n)), K[n:, :n]
    spread = 1 + np.diag(K[n:, n:] - cross @ inverse @ cross.T)
    square = np.einsum("ic,ij,jc->c", r, inverse, r)
    if is_free:
        of_ones = inverse.sum(axis=0)
        spread += (1 - cross @ of_ones) ** 2 / of_ones.sum()
        square -= (of_ones @ r) ** 2 / of_ones.sum()
    return np.sqrt(np.outer(spread, square / (n - is_free - 2)))


@kinds
@heights
@pytest.mark.parametrize("shape", [(13, 6), (8, 14)])
@pytest.mark.parametrize("solver", ["primal", "dual"])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_at_a_given_gamma(kind, height, shape, solver, container, problem):
    task = problem(kind, *shape)
    new = np.random.default_rng(1).normal(size=(5, shape[1]))
    model = task.Estimator(
        task.source, selection="evidence", gamma=0.3, solver=solver, **constant(height)
    ).fit(container(task.X), task.y, sample_weight=task.counts)
    y, std = model.predict(container(new), return_std=True)
    assert_array_equal(y, model.predict(container(new)))
    assert std.shape == y.shape
    expected = oracle(task, task.counts, new, model.alpha_, 0.3, height)
    assert_allclose(std.reshape(expected.shape), expected, rtol=1e-6)


@kinds
@pytest.mark.parametrize("selection", [rule for rule in RULES if rule != "generative"])
def test_every_selection_is_a_ridge_at_its_alpha_and_gamma(kind, selection, problem):
    task = problem(kind, n=24)
    model = task.Estimator(task.source, **selected(selection, 3)).fit(task.X, task.y)
    ones = np.ones(24, dtype=int)
    expected = oracle(task, ones, task.X[:4], model.alpha_, model.gamma_, np.inf)
    std = model.predict(task.X[:4], return_std=True)[1]
    assert_allclose(std.reshape(expected.shape), expected, rtol=1e-6)


@kinds
def test_a_stream_has_that_of_all_rows(kind, problem):
    task = problem(kind, n=30)
    whole = task.Estimator(task.source, selection="evidence").fit(task.X, task.y)
    stream = task.Estimator(task.source, selection="evidence")
    stream.partial_fit(task.X[:11], task.y[:11])
    first = stream.predict(task.X, return_std=True)[1]
    stream.partial_fit(task.X[11:], task.y[11:])
    found = stream.predict(task.X, return_std=True)[1]
    assert_allclose(found, whole.predict(task.X, return_std=True)[1], rtol=1e-8)
    assert np.abs(found - first).max() > 1e-3


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix])
def test_rows_are_read_in_blocks(convert, problem, monkeypatch):
    task = problem("target", n=20)
    model = AlphaTransferRegressor(task.source).fit(task.X, task.y)
    whole = model.predict(convert(task.X), return_std=True)[1]
    monkeypatch.setattr(_posterior, "BLOCK", 40)
    assert_allclose(model.predict(convert(task.X), return_std=True)[1], whole, rtol=1e-12)


@pytest.mark.parametrize(("n", "height"), [(1, np.inf), (3, np.inf), (2, None)])
def test_of_few_rows_the_variance_is_infinite(n, height, problem):
    task = problem("target")
    model = AlphaTransferRegressor(task.source, gamma=0.1, **constant(height))
    model.fit(task.X[:n], task.y[:n])
    assert_array_equal(model.predict(task.X, return_std=True)[1], np.full(12, np.inf))
    model.fit(task.X[: n + 1], task.y[: n + 1])
    if n > 1:
        assert np.isfinite(model.predict(task.X, return_std=True)[1]).all()


def test_an_exact_fit_is_certain(problem):
    task = problem("target", n=20)
    exact = AlphaTransferRegressor((task.W[0, 0], 1.0), alpha=1.0).fit(task.X, task.S[:, 0, 0])
    assert exact.predict(task.X, return_std=True)[1].max() < 1e-6


def test_a_pipeline_passes_it_on(problem):
    task = problem("target", n=20)
    model = make_pipeline(StandardScaler(), AlphaTransferRegressor(task.W[0, 0]))
    y, std = model.fit(task.X, task.y).predict(task.X, return_std=True)
    assert y.shape == std.shape == (20,)
    assert (std > 0).all()


@pytest.mark.skipif(
    parse_version(__version__) < parse_version("1.8"), reason="scikit-learn 1.8 knows the devices"
)
@kinds
@pytest.mark.parametrize("shape", [(20, 6), (9, 15)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_of_other_libraries(kind, shape, dtype, problem):
    xp = pytest.importorskip("array_api_strict")
    task = problem(kind, *shape)
    X, y = task.X.astype(dtype), task.y.astype(dtype)
    own = task.Estimator(task.source).fit(X, y).predict(X, return_std=True)
    with config_context(array_api_dispatch=True):
        model = task.Estimator(task.source).fit(xp.asarray(X), xp.asarray(y))
        there = model.predict(xp.asarray(X), return_std=True)
    for one, two in zip(there, own, strict=True):
        assert one.__array_namespace__() == xp
        one = np.asarray(one)
        assert one.dtype == two.dtype == dtype
        assert_allclose(one, two, rtol=1e-4 if dtype == np.float32 else 1e-9, atol=1e-4)


# ---------------------------------------------------------------- where there is none


def test_what_has_no_posterior(problem):
    task = problem("target", n=20)
    fitted = task.Estimator(task.source).fit(task.X, task.y)
    read = pickle.loads(pickle.dumps(fitted))
    assert "_posterior" not in fitted.__getstate__()
    for model in (
        read,
        copy.deepcopy(fitted),
        task.Estimator(task.source, selection="generative").fit(task.X, task.y),
        task.Estimator(task.source, selection="evidence", solver="krylov").fit(task.X, task.y),
    ):
        assert_allclose(model.predict(task.X).shape, (20,))
        with pytest.raises(ValueError, match="return_std needs the posterior of a ridge"):
            model.predict(task.X, return_std=True)


def test_dask_collections_are_refused(problem):
    da = pytest.importorskip("dask.array")
    task = problem("target", n=20)
    X = da.from_array(task.X, chunks=(10, -1))
    model = AlphaTransferRegressor(task.source).fit(X, da.from_array(task.y, chunks=10))
    assert model.predict(task.X, return_std=True)[1].shape == (20,)
    with pytest.raises(ValueError, match="rows in memory"):
        model.predict(X, return_std=True)


# ---------------------------------------------------------------- coverage


@pytest.mark.parametrize(("n", "p"), [(20, 5), (40, 10), (30, 60)])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_normal_intervals_cover_normal_targets(n, p, level):
    covered, z = [], norm.ppf((1 + level) / 2)
    for seed in range(200):
        rng = np.random.default_rng([seed, n, p])
        w = rng.normal(size=p) / np.sqrt(p)
        source = w + rng.normal(size=p) / np.sqrt(p) / 2
        X = rng.normal(size=(n + 50, p))
        y = X @ w + rng.normal(size=n + 50)
        model = AlphaTransferRegressor(source).fit(X[:n], y[:n])
        f, std = model.predict(X[n:], return_std=True)
        covered.append(np.mean(np.abs(y[n:] - f) < z * std))
    # α and γ are taken as known, and normal quantiles for those of Student's t
    error = np.std(covered) / np.sqrt(len(covered))
    assert -0.03 - error < np.mean(covered) - level < 0.02 + error
