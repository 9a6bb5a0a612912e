"""The generative rule against double sums over pairs of rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.base import clone

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.linear_model._rules import generative
from sklearn_alpha.linear_model._rules.evidence import LAMBDAS
from tests.linear_model._rules.oracles import (
    coded,
    constant,
    heights,
    k_of,
    kinds,
    left_out_values,
    log_normal_posterior,
    n_sources,
    shapes,
    shift_oracle,
    shrunken_mean,
)


@pytest.fixture
def moments(monkeypatch):
    """What `shrinkage` is called with: ‖r‖², v, p_e and the prior's centre."""
    calls = []
    original = generative.shrinkage

    def recorded(*arguments):
        calls.append(arguments)
        return original(*arguments)

    monkeypatch.setattr(generative, "shrinkage", recorded)
    return calls


@kinds
@shapes
@heights
@n_sources
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_moments_equal_double_sums_over_pairs(
    kind, shape, height, n_sources, container, problem, moments
):
    task = problem(kind, *shape, n_sources=n_sources)
    model = task.Estimator(task.source, selection="generative", **constant(height))
    model.fit(container(task.X), task.y, sample_weight=task.counts)

    X = np.repeat(task.X, task.counts, axis=0)
    m, of_mean = shrunken_mean(X, k_of(height))
    y, c = coded(task, task.counts)
    expected = [] if of_mean is None else [of_mean]
    for j, W in enumerate(task.W):
        expected.append(shift_oracle(X, y[:, j], c[:, j], W, m)[-1])
    assert_allclose(moments, expected, rtol=1e-7)


@pytest.mark.parametrize("kind", ["binary", "classes"])
@heights
@n_sources
def test_moments_of_weighted_classes_equal_weighted_sums_over_pairs(
    kind, height, n_sources, problem, moments
):
    task = problem(kind, n_sources=n_sources)
    weights = np.array([0.5, 2.5, 1.5])[task.y]
    model = task.Estimator(
        task.source,
        selection="generative",
        class_weight=dict(zip(task.y, weights, strict=True)),
        **constant(height),
    ).fit(task.X, task.y, sample_weight=task.counts)

    X, s = (np.repeat(values, task.counts, axis=0) for values in (task.X, weights))
    m, of_mean = shrunken_mean(X, k_of(height), s)
    y, c = coded(task, task.counts, s)
    expected = [] if of_mean is None else [of_mean]
    for j, W in enumerate(task.W):
        *_, alpha, of_shift = shift_oracle(X, y[:, j], c[:, j], W, m, s)
        expected.append(of_shift)
        # but for the scale of y
        size = np.linalg.norm
        assert_allclose(model.alpha_[j] * size(alpha), alpha * size(model.alpha_[j]), rtol=1e-7)
    assert_allclose(moments, expected, rtol=1e-7)


@pytest.mark.parametrize(
    "X",
    [
        pytest.param([[0.1, 0.2, 0.3]], id="one row"),
        pytest.param([[1.0], [3.0], [-2.0]], id="one feature"),
        pytest.param([[1.0, 2.0], [-1.0, -2.0], [1.0, 2.0]], id="one direction"),
        pytest.param(np.eye(4), id="orthogonal"),
    ],
)
def test_effective_dimension_at_its_bounds(X, moments):
    X = np.array(X)
    model = AlphaTransferRegressor(selection="generative", intercept_scaling=0.7)
    model.fit(X, np.arange(len(X)))
    assert_allclose(moments[0], shrunken_mean(X, 0.7)[1], atol=1e-15)


def test_two_rows_of_two_classes_are_all_noise(problem, moments):
    task = problem("binary", n=2)
    task.Estimator(task.source, selection="generative", fit_intercept=False).fit(task.X, task.y)
    y, c = coded(task, np.ones(2, dtype=int))
    *_, expected = shift_oracle(task.X, y[:, 0], c[:, 0], task.W[0], np.zeros(task.X.shape[1]))
    assert_allclose(moments, [expected])


def test_sources_are_told_apart_where_rows_do_not_vary():
    """Without noise the λ that fits best, the largest, has all the weight: ridge on δ alone."""
    rng = np.random.default_rng(0)
    y, x, W = np.array([1.0, -1, -1, 1]), 2.0**20 * np.arange(1, 6), rng.normal(size=(2, 5))
    model = AlphaTransferClassifier(list(W), selection="generative", fit_intercept=False)
    model.fit(np.outer(y, x), y)
    size = np.linalg.norm(W, axis=1)
    U = W.T / size
    design = np.block(
        [[U.sum(axis=1)[:, None], U], [np.zeros((2, 1)), np.eye(2) / LAMBDAS[-1] ** 0.5]]
    )
    mean, *delta = np.linalg.lstsq(design, np.append(x, [0, 0]), rcond=None)[0]
    alpha = (mean + delta) / size
    assert_allclose(model.alpha_[0] * np.linalg.norm(alpha), alpha * np.linalg.norm(model.alpha_))


def half_difference(X, code, counts, classifier, m):
    """½(x̄₊ − x̄₋), or the covariance with y in regression, of rows with these counts.

    m stands in for the mean of a class that has no rows.
    """
    if classifier:
        sides = (counts * (code > 0), counts * (code < 0))
        plus, minus = (side @ X / side.sum() if side.any() else m for side in sides)
        return (plus - minus) / 2
    n = counts.sum()
    return counts * (code - counts @ code / n) @ (X - counts @ X / n) / n


@kinds
@pytest.mark.parametrize("shape", [(16, 6), (11, 14), (4, 6)])
@heights
@n_sources
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_generative_fit_equals_the_oracle(kind, shape, height, n_sources, container, problem):
    task = problem(kind, *shape, n_sources=n_sources)
    # of four rows one is the only one of its class
    counts, k = task.counts if shape[0] > 4 else np.ones(4, dtype=int), k_of(height)
    classifier = task.Estimator is AlphaTransferClassifier
    model = task.Estimator(task.source, selection="generative", store_loo=True, **constant(height))
    model.fit(container(task.X), task.y, sample_weight=counts)

    X = np.repeat(task.X, counts, axis=0)
    m, of_mean = shrunken_mean(X, k)
    y, c = coded(task, counts)
    alpha, a = np.empty(task.W.shape[:2]), np.empty((len(task.W), X.shape[1]))
    loo, path = np.empty_like(task.Y), model.path_.generative
    shrinkage = float(height == np.inf) if of_mean is None else log_normal_posterior(*of_mean)[0]
    assert_allclose(path.mean_shrinkage, shrinkage, rtol=1e-8)
    for j, W in enumerate(task.W):
        _, r, alpha[j], moments = shift_oracle(X, y[:, j], c[:, j], W, m)
        rho, energy = log_normal_posterior(*moments)
        assert_allclose(path.rho[j], rho, rtol=1e-8)
        assert_allclose(path.posterior[j] @ path.T[j], energy, rtol=1e-8)
        a[j] = rho * r
        Q = np.linalg.qr(W.T)[0]
        for i, x in enumerate(task.X):
            rest = counts - (np.arange(len(counts)) == i)
            d = half_difference(task.X, task.Y[:, j], rest, classifier, m)
            loo[i, j] = task.S[i, j] @ alpha[j] + rho * (d - Q @ (Q.T @ d)) @ (x - m)

    # the scale of y: the slope of y on the left-out values, at least a correlation of 1/√n
    values, Y = np.repeat(loo, counts, axis=0), np.repeat(task.Y, counts, axis=0)
    if height == np.inf:
        values, Y = values - values.mean(axis=0), Y - Y.mean(axis=0)
    axis = None if classifier else 0
    size, target = np.sum(values**2, axis=axis), np.sum(Y**2, axis=axis)
    scale = np.maximum(np.sum(values * Y, axis=axis), np.sqrt(size * target / len(X))) / size
    alpha, a = (np.reshape(scale, (-1, 1)) * part for part in (alpha, a))
    assert_allclose(model.alpha_, alpha, rtol=1e-7)
    coef = np.einsum("ckp,ck->cp", task.W, alpha) + a
    assert_allclose(np.atleast_2d(model.coef_), coef, atol=1e-9)

    fitted = np.einsum("ick,ck->ic", task.S, alpha) + (task.X - m) @ a.T
    centre = np.sum(X**2) / len(X) ** 2
    kept = 1.0 if height == np.inf else k**2 / (k**2 + centre)
    shift = kept * np.average(task.Y - fitted, axis=0, weights=counts)
    assert_allclose(left_out_values(model, task), scale * loo + shift, atol=1e-9)
    intercept = np.sum(task.b * alpha, axis=1) + shift - a @ m + task.common
    assert_allclose(model.intercept_, np.squeeze(intercept) if kind == "target" else intercept)
    assert model.gamma_ == np.inf


@pytest.mark.parametrize("n_positive", [1, 4])
def test_a_weighted_class_loses_a_whole_row(n_positive, problem):
    task = problem("binary")
    y, counts = (np.arange(12) < n_positive).astype(int), np.where(np.arange(12) < 1, 1, 2)
    model = AlphaTransferClassifier(
        selection="generative", class_weight={0: 0.02, 1: 0.03}, fit_intercept=False, store_loo=True
    ).fit(task.X, y, sample_weight=counts)
    values = []
    for i, x in enumerate(task.X):
        rest = counts - (np.arange(12) == i)
        values.append(half_difference(task.X, 2 * y - 1, rest, True, np.zeros(len(x))) @ x)
    loo = model.loo_decision_function_  # but for the scale of y
    assert_allclose(loo * np.linalg.norm(values), np.linalg.norm(loo) * np.array(values))


@pytest.mark.parametrize("kind", ["binary", "classes"])
@pytest.mark.parametrize("selection", ["generative", "blend"])
@heights
def test_leaving_out_the_only_row_of_a_class(kind, selection, height, problem):
    # the same whatever the storage, and, where the intercept is free, wherever the origin
    task = problem(kind)
    y = np.where(task.y == 1, 1, 0)
    y[0] = 2 if kind == "classes" else 1
    y[1:] = y[1:] if kind == "classes" else 0
    model = task.Estimator(selection=selection, store_loo=True, **constant(height)).fit(task.X, y)
    other = clone(model).fit(sparse.csr_matrix(task.X), y)
    assert_allclose(other.loo_decision_function_, model.loo_decision_function_, atol=1e-9)
    assert_allclose(other.coef_, model.coef_, atol=1e-9)
    if height == np.inf:
        moved = clone(model).fit(sparse.csr_matrix(task.X + 3), y)
        assert_allclose(moved.loo_decision_function_, model.loo_decision_function_, atol=1e-7)


@pytest.mark.parametrize(
    ("height", "class_weight", "n_positive"),
    [
        (None, None, 8),
        (None, None, 4),
        ("auto", None, 8),
        ("auto", None, 4),
        (np.inf, None, 4),
        (None, "balanced", 4),
        (np.inf, "balanced", 4),
    ],
)
def test_u_is_unbiased(height, class_weight, n_positive, moments):
    """u = ‖r‖² − v, over draws of the noise, has the mean ‖μ_⊥‖²: within 4 standard errors."""
    rng = np.random.default_rng(0)
    n, p, draws = 16, 30, 800
    mu, source = np.full(p, 0.15), np.eye(p)[0]
    y = np.arange(n) < n_positive
    model = AlphaTransferClassifier(
        source, selection="generative", class_weight=class_weight, **constant(height)
    )
    u = np.empty(draws)
    for i in range(draws):
        X = np.where(y, 1, -1)[:, None] * mu + rng.normal(size=(n, p))
        model.fit(X, y)
        sqnorm, noise, *_ = moments[-1]
        u[i] = sqnorm - noise
    truth = mu[1:] @ mu[1:]
    assert abs(u.mean() - truth) < 4 * u.std() / np.sqrt(draws)
