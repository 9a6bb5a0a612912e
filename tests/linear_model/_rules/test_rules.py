"""Every rule against refits, dense likelihoods and double sums over pairs of rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.linalg import null_space
from scipy.optimize import minimize_scalar
from scipy.special import factorial, log_softmax, logsumexp, softmax
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.linear_model._rules import RULES, generative
from sklearn_alpha.linear_model._rules.evidence import LAMBDAS, QUADRATURE_ERROR, quadrature
from sklearn_alpha.theory import (
    isotropic_asymptotics,
    regression_asymptotics,
    target_asymptotics,
)

KINDS = ("binary", "classes", "target", "targets")
SHAPES = [(13, 6), (8, 14)]
HEIGHTS = [None, 0.7, np.inf]

kinds = pytest.mark.parametrize("kind", KINDS)
shapes = pytest.mark.parametrize("shape", SHAPES)
heights = pytest.mark.parametrize("height", HEIGHTS)
n_sources = pytest.mark.parametrize("n_sources", [0, 1, 2])


def constant(height):
    """Parameters for a constant column of that height; None is no intercept."""
    return {"fit_intercept": False} if height is None else {"intercept_scaling": height}


def k_of(height):
    return 0.0 if height is None else height


def residual(task, alpha):
    """y − Sα, (n, n_outputs)."""
    return task.Y - np.einsum("ick,ck->ic", task.S, alpha)


def columns(values):
    return values.reshape(len(values), -1)


def left_out_values(model, task):
    """Less what the classes share."""
    return columns(model.loo_decision_function_) - task.common


# ---------------------------------------------------------------- leave-one-out


@kinds
@shapes
@heights
@n_sources
def test_left_out_values_are_refits_at_given_alpha_and_gamma(
    kind, shape, height, n_sources, problem, oracle
):
    task = problem(kind, *shape, n_sources=n_sources)
    alpha, gamma = np.random.default_rng(1).normal(size=task.W.shape[:2]), 0.3
    model = task.Estimator(
        task.source, alpha=alpha, gamma=gamma, store_loo=True, **constant(height)
    )
    model.fit(task.X, task.y, sample_weight=task.counts)
    y = residual(task, alpha)
    expected = task.Y - y
    expected += oracle.left_out(task.X, y, task.counts, task.counts.sum() * gamma, k_of(height))
    assert_allclose(left_out_values(model, task), expected, atol=1e-9)


@pytest.mark.parametrize("selection", RULES)
@kinds
def test_every_selection_gives_the_same_left_out_values_at_given_alpha_and_gamma(
    kind, selection, problem
):
    task = problem(kind)
    model = task.Estimator(task.source, alpha=0.8, gamma=0.3, cv=2, store_loo=True)
    model.fit(task.X, task.y)
    other = clone(model).set_params(selection=selection).fit(task.X, task.y)
    assert_allclose(other.loo_decision_function_, model.loo_decision_function_, atol=1e-12)


@kinds
@heights
def test_left_out_values_of_the_evidence_average_refits(kind, height, problem, oracle):
    task = problem(kind, n_sources=2)
    model = task.Estimator(task.source, selection="evidence", store_loo=True, **constant(height))
    path = model.fit(task.X, task.y).path_
    expected, ones = 0.0, np.ones(len(task.X))
    for P, gamma, alpha in zip(path.posterior, path.gammas, path.alphas, strict=True):
        y = residual(task, alpha)
        refits = oracle.left_out(task.X, y, ones, len(y) * gamma, k_of(height))
        expected += P * (task.Y - y + refits)
    assert_allclose(left_out_values(model, task), expected, atol=1e-9)


def test_left_out_values_take_a_whole_row_of_a_weighted_class(problem, oracle):
    task = problem("binary")
    weights = np.where(task.y == 1, 2.5, 0.5)
    model = task.Estimator(
        task.source,
        alpha=0.5,
        gamma=0.2,
        class_weight={0: 0.5, 1: 2.5},
        intercept_scaling=0.7,
        store_loo=True,
    ).fit(task.X, task.y)
    y = residual(task, np.full((1, 1), 0.5))
    refits = oracle.left_out(task.X, y, weights, weights.sum() * 0.2, 0.7, unit=weights)
    assert_allclose(columns(model.loo_decision_function_), task.Y - y + refits, atol=1e-10)


@kinds
@pytest.mark.parametrize("n_sources", [1, 2])
def test_loo_alpha_is_the_least_squares_solution(kind, n_sources, problem):
    task = problem(kind, n_sources=n_sources)
    model = task.Estimator(task.source, selection="loo", gamma=0.4, store_loo=True)
    model.fit(task.X, task.y, sample_weight=task.counts)

    def left_out(alpha):
        held = clone(model).set_params(alpha=alpha)
        return left_out_values(held.fit(task.X, task.y, task.counts), task)

    root, zero = np.sqrt(task.counts)[:, None], left_out(0.0)
    for j in range(task.W.shape[0]):
        D = [left_out(np.eye(n_sources)[k])[:, j] - zero[:, j] for k in range(n_sources)]
        c = task.Y[:, j] - zero[:, j]
        D = np.reshape(D, (n_sources, -1)).T
        best = np.linalg.lstsq(root * D, root[:, 0] * c, rcond=None)[0]
        assert_allclose(model.alpha_[j], best, rtol=1e-8)


@kinds
@pytest.mark.parametrize("alphas", [None, [0.5, -1.0]])
def test_loo_without_a_scorer_has_the_least_squared_left_out_error(kind, alphas, problem):
    task = problem(kind, n_sources=2)
    gammas = [0.01, 0.1, 1.0]
    model = task.Estimator(task.source, selection="loo", gammas=gammas, alphas=alphas)
    model.fit(task.X, task.y, sample_weight=task.counts)
    scores = []
    for gamma in gammas:
        row = []
        for alpha in alphas or ["auto"]:
            held = clone(model).set_params(gamma=gamma, alpha=alpha, store_loo=True)
            values = left_out_values(held.fit(task.X, task.y, sample_weight=task.counts), task)
            error = np.average((task.Y - values) ** 2, axis=0, weights=task.counts)
            row.append(-error.mean())
        scores.append(row)
    assert_allclose(model.path_.loo_score, scores, rtol=1e-8)
    best = np.max(scores, axis=1).argmax()
    assert model.gamma_ == gammas[best]
    assert_allclose(model.path_.gammas, gammas)
    assert_allclose(model.path_.alphas[best], model.alpha_)
    if alphas:
        assert_allclose(model.alpha_, alphas[np.argmax(scores[best])])


@kinds
@heights
def test_loo_gains_nothing_by_the_sum_of_two_sources(kind, height, problem):
    task = problem(kind, n_sources=2)
    model = task.Estimator(task.source, selection="loo", gamma=0.3, **constant(height))
    model.fit(task.X, task.y)
    (W, b), (V, c) = task.source
    more = clone(model).set_params(source=[*task.source, (W + V, b + c)]).fit(task.X, task.y)
    assert_allclose(more.coef_, model.coef_, atol=1e-8)
    assert np.abs(more.alpha_).max() < 1e3


@pytest.mark.parametrize(
    ("kind", "scoring"),
    [
        ("binary", "accuracy"),
        ("binary", "roc_auc"),
        ("classes", "balanced_accuracy"),
        ("target", "r2"),
        ("targets", "neg_mean_absolute_error"),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_loo_grid_equals_one_fit_for_each_cell(kind, scoring, weighted, problem):
    task = problem(kind, n=20)
    weights = task.counts if weighted else None
    alphas, gammas = [0.0, 0.5, 2.0], [0.01, 0.1, 1.0]
    model = task.Estimator(
        task.source, selection="loo", scoring=scoring, alphas=alphas, gammas=gammas
    ).fit(task.X, task.y, sample_weight=weights)

    class LeftOut(task.Estimator):
        """Whose decision values at the training rows are the left-out ones."""

        def _decisions(self, X, method):
            return columns(self.loo_decision_function_)

    expected = np.empty((3, 3))
    for i, gamma in enumerate(gammas):
        for j, alpha in enumerate(alphas):
            cell = LeftOut(task.source, alpha=alpha, gamma=gamma, store_loo=True)
            cell.fit(task.X, task.y, sample_weight=weights)
            scorer = get_scorer(scoring)
            expected[i, j] = scorer(cell, task.X, task.y, sample_weight=weights)
    assert_allclose(model.path_.loo_score, expected, atol=1e-12)
    row, column = np.unravel_index(expected.argmax(), expected.shape)
    assert model.gamma_ == gammas[row]
    assert_allclose(model.alpha_, alphas[column])


# ---------------------------------------------------------------- evidence


def profiled(y, V, fixed, centred, oracle):
    """Restricted log-likelihood of y ~ N(fixed effects, τ²V) at the best τ², by contrasts."""
    z, C = oracle.contrasts(y, fixed, V, centred)
    scale = z @ np.linalg.solve(C, z) / len(z)
    return multivariate_normal(cov=scale * C).logpdf(z)


def evidence_oracle(task, gamma, height, oracle):
    """log evidence and α of y ~ N(Sα, τ²K), averaged over λ where there are several sources.

    Sources of norm 1 have α = ᾱ1 + δ with δ ~ N(0, τ²γλI).
    """
    K, lambdas = oracle.kernel(task.X, task.counts, k_of(height), gamma), LAMBDAS
    if task.W.shape[1] < 2:
        lambdas = [0.0]
    log_likelihood = np.zeros(len(lambdas))
    alphas = np.zeros((len(lambdas), *task.W.shape[:2]))
    for j in range(len(task.W)):
        y, S = (np.repeat(v, task.counts, axis=0) for v in (task.Y[:, j], task.S[:, j]))
        if height == np.inf:
            y, S = y - y.mean(), S - S.mean(axis=0)
        size = np.linalg.norm(S, axis=0)
        S = S / size
        common = S.sum(axis=1, keepdims=True)[:, : S.shape[1]]
        for i, lam in enumerate(lambdas):
            V = K + gamma * lam * S @ S.T
            log_likelihood[i] += profiled(y, V, common, height == np.inf, oracle)
            if S.shape[1]:
                G, c = np.linalg.inv(V), common[:, 0]
                mean = c @ G @ y / (c @ G @ c)
                alphas[i, j] = (mean + gamma * lam * S.T @ G @ (y - mean * c)) / size
    share = softmax(log_likelihood)
    return logsumexp(log_likelihood), np.tensordot(share, alphas, axes=1)


@kinds
@shapes
@heights
@n_sources
def test_evidence_is_the_restricted_likelihood(kind, shape, height, n_sources, problem, oracle):
    task = problem(kind, *shape, n_sources=n_sources)
    gammas = np.array([0.01, 0.2, 3.0])
    model = task.Estimator(
        task.source, selection="evidence", gammas=gammas, **constant(height)
    ).fit(task.X, task.y, sample_weight=task.counts)
    expected = [evidence_oracle(task, gamma, height, oracle) for gamma in gammas]
    # the same up to what does not depend on γ
    difference = model.path_.log_evidence - [log_evidence for log_evidence, _ in expected]
    assert_allclose(difference, difference[0], atol=1e-7)
    assert_allclose(model.path_.alphas, [alpha for _, alpha in expected], rtol=1e-6)


@kinds
@heights
def test_evidence_at_a_given_alpha_is_the_profiled_likelihood(kind, height, problem, oracle):
    task = problem(kind, n_sources=2)
    gammas, alpha = np.array([0.01, 0.2, 3.0]), np.array([0.5, -1.0])
    model = task.Estimator(
        task.source, alpha=alpha, selection="evidence", gammas=gammas, **constant(height)
    ).fit(task.X, task.y, sample_weight=task.counts)
    expected, none = np.zeros(3), np.zeros((task.counts.sum(), 0))
    for y in residual(task, np.tile(alpha, (len(task.W), 1))).T:
        for i, gamma in enumerate(gammas):
            K = oracle.kernel(task.X, task.counts, k_of(height), gamma)
            expected[i] += profiled(np.repeat(y, task.counts), K, none, height == np.inf, oracle)
    difference = model.path_.log_evidence - expected
    assert_allclose(difference, difference[0], atol=1e-8)
    assert_allclose(model.alpha_, np.tile(alpha, (len(task.W), 1)))


@kinds
def test_gamma_is_averaged_over_its_posterior(kind, problem):
    task = problem(kind)
    model = task.Estimator(task.source, selection="evidence", intercept_scaling=np.inf)
    path = model.fit(task.X, task.y).path_
    assert_allclose(path.posterior.sum(), 1)
    centre = np.sum((task.X - task.X.mean(axis=0)) ** 2) / len(task.X) ** 2
    log_posterior = path.log_evidence - np.log(path.gammas / centre) ** 2 / 2
    assert_allclose(path.posterior, np.exp(log_softmax(log_posterior)), rtol=1e-8)
    assert_allclose(model.gamma_, path.posterior @ path.gammas)
    assert_allclose(model.alpha_, np.tensordot(path.posterior, path.alphas, axes=1))
    assert_allclose(np.log(path.gammas[[0, -1]] / centre), [-5, 5])

    fits = [
        clone(model).set_params(alpha=alpha, gamma=gamma).fit(task.X, task.y).coef_
        for alpha, gamma in zip(path.alphas, path.gammas, strict=True)
    ]
    assert_allclose(model.coef_, np.tensordot(path.posterior, fits, axes=1), atol=1e-10)


# ---------------------------------------------------------------- generative


def mean_of_pairs(products, s):
    """Mean over pairs i ≠ j of rows of weights s."""
    shares = np.outer(s, s) * (1 - np.eye(len(s)))
    return np.sum(shares * products) / shares.sum() if shares.any() else 0.0


def log_normal_posterior(sqnorm, noise, dimension, centre):
    T = centre * np.exp(np.linspace(-6, 6, 61))
    log_P = -dimension / 2 * (np.log(T + noise) + sqnorm / (T + noise))
    P = np.exp(log_softmax(log_P - np.log(T / centre) ** 2 / 2))
    return P @ (T / (T + noise)), P @ T


def dimension(A, s):
    """(mean ‖Aᵢ‖²)² over the mean of ⟨Aᵢ, Aⱼ⟩² over pairs; all of them where that is zero."""
    gram = A @ A.T
    across = mean_of_pairs(gram**2, s)
    ratio = np.average(np.diag(gram), weights=s) ** 2 / across if across else np.inf
    return np.clip(ratio, 1, A.shape[1])


def shrunken_mean(X, height, s=None):
    """m, and the four numbers that decide how far x̄ is shrunk."""
    s = np.ones(len(X)) if s is None else s
    mean = np.average(X, axis=0, weights=s)
    if not height:
        return np.zeros_like(mean), None
    if np.isinf(height):
        return mean, None
    trace = np.average(np.sum(X**2, axis=1), weights=s)
    noise = (trace - mean_of_pairs(X @ X.T, s)) * np.sum(s**2) / s.sum() ** 2
    moments = mean @ mean, noise, dimension(X, s), 0.7 * trace / X.shape[1]
    return log_normal_posterior(*moments)[0] * mean, moments


def shift_oracle(X, y, c, W, m, s=None):
    """Every step of the generative rule for one output, on explicit rows of weights s."""
    s = np.ones(len(X)) if s is None else s
    (N, p), n = X.shape, s.sum()
    Q = np.linalg.qr(W.T)[0]
    P = np.eye(p) - Q @ Q.T
    Z = y[:, None] * (X - m)
    d = s * c @ Z / n
    R = Z @ P
    r = s * c @ R / n
    groups = [y > 0, y < 0] if len(np.unique(np.abs(y))) == 1 else [np.full(N, True)]
    scatter = sum(np.sum((R[g] - R[g].mean(axis=0)) ** 2) for g in groups)
    free = N - len(groups)
    v = scatter / free if free else np.sum(R**2) / N
    v *= np.sum((s * c) ** 2) / n**2
    trace = np.average(np.sum((X - m) ** 2, axis=1), weights=s)
    moments = r @ r, v, dimension((X - m) @ P, s), 0.7 * trace / p * (s * c @ y**2 / n)

    return d, r, source_oracle(d, y, c, X - m, W, s), moments


def source_oracle(d, y, c, X, W, s):
    """α of v = W̃ᵀα, clamped at two standard errors."""
    n, size = s.sum(), np.linalg.norm(W, axis=1)
    U = W.T / size
    Z = y[:, None] * (X @ U)

    def error(z):
        squares = np.sum((s * c * (z - s * c @ z / n)) ** 2)
        return np.sqrt(squares / (n**2 - np.sum(s**2)))

    if len(W) == 0:
        return np.zeros(0)
    if len(W) == 1:
        a, least = U[:, 0] @ d, 2 * error(Z[:, 0])
        return (max(a, least) if a > -least else a) / size
    # d ~ N(U(θ̄1 + δ), noise·I), δ ~ N(0, noise·κI), averaged over κ
    noise = np.mean([error(z) ** 2 for z in Z.T])
    log_likelihood, thetas, common = [], [], U.sum(axis=1)
    for kappa in LAMBDAS:
        V = np.eye(len(d)) + kappa * U @ U.T
        N = null_space(common[None])
        log_likelihood.append(multivariate_normal(cov=noise * N.T @ V @ N).logpdf(N.T @ d))
        G = np.linalg.inv(V)
        mean = common @ G @ d / (common @ G @ common)
        thetas.append(mean + kappa * U.T @ G @ (d - mean * common))
    theta = softmax(log_likelihood) @ thetas
    v = U @ theta
    return theta * max(1, 2 * error(Z @ theta) / (v @ v)) / size


def coded(task, counts, s=None):
    """For each output: its codes less their balanced mean, and the balancing weights."""
    Y = np.repeat(task.Y, counts, axis=0)
    if task.Estimator is AlphaTransferRegressor:
        return Y - Y.mean(axis=0), np.ones_like(Y)
    share = np.average(Y > 0, axis=0, weights=s)
    return np.sign(Y), np.where(Y > 0, 0.5 / share, 0.5 / (1 - share))


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


# ---------------------------------------------------------------- blend


def best_log_loss(values, labels):
    """Least cross-entropy of softmax(βf) over β, for Platt's smoothed targets."""
    F = np.column_stack([0 * values, values]) if values.shape[1] == 1 else values
    n_classes = F.shape[1]
    counts = np.bincount(labels)[labels, None]
    targets = (np.eye(n_classes)[labels] * counts + 1) / (counts + n_classes)

    def loss(log_beta):
        return -np.sum(targets * log_softmax(np.exp(log_beta) * F, axis=1))

    # from a correlation that is noise, 1/√n, on
    size = np.sqrt(np.mean((F - F.mean(axis=1, keepdims=True)) ** 2))
    bounds = np.log(np.array([len(F) ** -0.5, 1e3]) / size)
    return minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-9}).fun


@pytest.mark.parametrize("n", [10, 24])
@kinds
@heights
def test_blend_weighs_the_two_rules_by_left_out_predictions_of_a_sample(
    kind, height, n, problem, sample, estimate
):
    task = problem(kind, n=n)
    counts = task.counts if n <= 10 else np.ones(n, dtype=int)
    model = task.Estimator(task.source, store_loo=True, **constant(height))
    model.fit(task.X, task.y, sample_weight=counts)
    first, second = (
        clone(model).set_params(selection=name).fit(task.X, task.y, sample_weight=counts)
        for name in ("evidence", "generative")
    )
    classifier = task.Estimator is AlphaTransferClassifier
    f = estimate(first, task) if n > 10 else left_out_values(first, task)
    index = np.repeat(sample(n), counts[sample(n)])
    f, g = f[index], left_out_values(second, task)[index]
    kappa = np.linalg.norm(f) / np.linalg.norm(g) if classifier else 1.0
    shares = np.linspace(0, 1, 21)
    losses = []
    for t in shares:
        values = (1 - t) * f + t * kappa * g
        if classifier:
            losses.append(best_log_loss(values, task.y[index]))
        else:
            errors = np.sum((task.Y[index] - values) ** 2, axis=0)
            losses.append(len(values) / 2 * np.log(errors).sum())
    P = np.exp(log_softmax(-np.array(losses)))
    assert_allclose(model.path_.share_posterior, P, atol=1e-7)
    assert_allclose(model.path_.share, P @ shares, atol=1e-7)
    assert_allclose(model.path_.shares, shares)
    for name in ("gammas", "log_evidence", "posterior", "alphas"):
        assert_allclose(model.path_[name], first.path_[name])
    assert_allclose(model.path_.generative.rho, second.path_.generative.rho)

    t = model.path_.share
    for name in ("coef_", "alpha_", "intercept_", "loo_decision_function_"):
        common = task.common if name in ("intercept_", "loo_decision_function_") else 0.0
        a, b, mixed = (getattr(part, name) - common for part in (first, second, model))
        assert_allclose(mixed, (1 - t) * a + t * kappa * b, atol=1e-10)
    assert model.gamma_ == first.gamma_


@pytest.mark.parametrize("width", [0.0, *np.geomspace(0.05, 2, 16)])
@pytest.mark.parametrize("n_points", [1, 2, 28])
def test_quadrature_is_exact_for_polynomials_and_no_larger_than_it_need_be(n_points, width):
    rng = np.random.default_rng(0)
    x = -3 + width * rng.normal(size=n_points)
    P = softmax(rng.normal(size=n_points))
    nodes, weights = quadrature(x, P)
    k = len(nodes)
    assert k <= n_points
    for degree in range(2 * k):
        assert_allclose(weights @ nodes**degree, P @ x**degree, rtol=1e-9)
    # of e^x, all derivatives of which are e^x, what is left is the stated part of the largest
    error = P @ np.exp(x) - weights @ np.exp(nodes)
    assert -1e-14 <= error <= QUADRATURE_ERROR * np.exp(x.max())
    assert left(x, P, nodes) <= QUADRATURE_ERROR
    if k > 1:  # and of one node less
        assert left(x, P, moments_nodes(x, P, k - 1)) > QUADRATURE_ERROR


def left(x, P, nodes):
    """What a quadrature leaves of the derivative of degree 2k."""
    polynomial = np.prod([np.subtract.outer(x, node) for node in nodes], axis=0)
    return P @ polynomial**2 / factorial(2 * len(nodes))


def moments_nodes(x, P, k):
    """Zeros of the polynomial of degree k that is orthogonal to all below it."""
    shift = P @ x
    powers = (x - shift) ** np.arange(2 * k)[:, None] @ P
    hankel = powers[np.add.outer(np.arange(k), np.arange(k))]
    return np.roots(np.append(1.0, -np.linalg.solve(hankel, powers[k:])[::-1])) + shift


# ---------------------------------------------------------------- theory


@pytest.mark.parametrize("kind", ["binary", "classes"])
@shapes
@pytest.mark.parametrize("n_sources", [1, 2])
def test_theory_picks_the_best_predicted_accuracy(kind, shape, n_sources, problem):
    task = problem(kind, *shape, n_sources=n_sources)
    gammas = np.geomspace(0.01, 10, 5)
    model = task.Estimator(task.source, selection="theory", gammas=gammas, fit_intercept=False).fit(
        task.X, task.y
    )
    (n, p), (y, c) = task.X.shape, coded(task, np.ones(len(task.X), dtype=int))
    scores, alphas = np.zeros(5), np.zeros((5, *task.W.shape[:2]))
    for j, W in enumerate(task.W):
        _, r, alpha, moments = shift_oracle(task.X, y[:, j], c[:, j], W, np.zeros(p))
        energy = log_normal_posterior(*moments)[1]
        mean = alpha @ W + np.sqrt(energy) * r / np.linalg.norm(r)
        variance = (np.mean(np.sum(task.X**2, axis=1)) - mean @ mean) / p
        assert variance > 0
        scaled = mean / np.sqrt(variance)
        for i, gamma in enumerate(gammas):
            law = target_asymptotics(
                scaled, np.sqrt(variance) * alpha @ W, n_samples=n, gamma=gamma / variance
            )
            alphas[i, j] = law.optimal_alpha * alpha
            scores[i] += law.accuracy(law.optimal_alpha) / len(task.W)
    assert_allclose(model.path_.predicted_score, scores, rtol=1e-8)
    assert_allclose(model.path_.gammas, gammas)
    assert_allclose(model.path_.alphas, alphas, rtol=1e-6)
    assert model.gamma_ == gammas[scores.argmax()]
    assert_allclose(model.alpha_, alphas[scores.argmax()], rtol=1e-6)


@pytest.mark.parametrize("kind", ["target", "targets"])
@shapes
def test_theory_picks_the_least_predicted_risk(kind, shape, problem):
    task = problem(kind, *shape)
    gammas = np.geomspace(0.01, 10, 5)
    model = task.Estimator(task.source, selection="theory", gammas=gammas, fit_intercept=False).fit(
        task.X, task.y
    )
    (n, p), (y, c) = task.X.shape, coded(task, np.ones(len(task.X), dtype=int))
    variance, scores, alphas = np.mean(task.X**2), np.zeros(5), np.zeros((5, *task.W.shape[:2]))
    for j, W in enumerate(task.W):
        _, r, alpha, moments = shift_oracle(task.X, y[:, j], c[:, j], W, np.zeros(p))
        energy = log_normal_posterior(*moments)[1]
        coef = (alpha @ W + np.sqrt(energy) * r / np.linalg.norm(r)) / variance
        target = np.var(task.Y[:, j])
        for i, gamma in enumerate(gammas):
            law = regression_asymptotics(
                coef,
                alpha @ W,
                n_samples=n,
                gamma=gamma,
                noise=np.sqrt(max(target - variance * coef @ coef, 0)),
                covariance=variance * np.eye(p),
            )
            alphas[i, j] = law.optimal_alpha * alpha
            scores[i] -= law.risk(law.optimal_alpha) / target / len(task.W)
    assert_allclose(model.path_.predicted_score, scores, rtol=1e-8)
    assert_allclose(model.path_.gammas, gammas)
    assert_allclose(model.path_.alphas, alphas, rtol=1e-6)
    assert model.gamma_ == gammas[scores.argmax()]
    assert_allclose(model.alpha_, alphas[scores.argmax()], rtol=1e-6)


@kinds
def test_theory_counts_rows_by_their_weights(kind, problem):
    """Of weights w for all, the rows' moments are the same, and the n of the law is w times n."""
    task = problem(kind)
    weight, gammas = 0.1, np.geomspace(0.01, 10, 5)
    model = task.Estimator(task.source, selection="theory", gammas=gammas, fit_intercept=False)
    model.fit(task.X, task.y, sample_weight=np.full(len(task.X), weight))
    n, p, classifier = weight * len(task.X), task.X.shape[1], kind in ("binary", "classes")
    y, c = coded(task, np.ones(len(task.X), dtype=int))
    scores = np.zeros(5)
    for j, W in enumerate(task.W):
        _, r, alpha, moments = shift_oracle(task.X, y[:, j], c[:, j], W, np.zeros(p))
        energy = log_normal_posterior(*moments)[1]
        mean = alpha @ W + np.sqrt(energy) * r / np.linalg.norm(r)
        trace, target = np.mean(np.sum(task.X**2, axis=1)), np.var(task.Y[:, j])
        variance = (trace - (mean @ mean if classifier else 0)) / p
        for i, gamma in enumerate(gammas):
            options = {"n_samples": n, "gamma": gamma, "covariance": np.full(p, variance)}
            if classifier:
                law = target_asymptotics(mean, alpha @ W, **options)
                scores[i] += law.accuracy(law.optimal_alpha)
            else:
                noise = np.sqrt(max(target - mean @ mean / variance, 0))
                law = regression_asymptotics(mean / variance, alpha @ W, noise=noise, **options)
                scores[i] -= law.risk(law.optimal_alpha) / target
    assert_allclose(model.path_.predicted_score, scores / len(task.W), rtol=1e-8)


def test_theory_leaves_a_thousandth_of_the_energy_to_rows_that_do_not_vary():
    y, gammas = np.array([1, -1, -1, 1]), np.geomspace(0.01, 10, 5)
    model = AlphaTransferClassifier(
        np.array([2.0]), selection="theory", gammas=gammas, fit_intercept=False
    )
    path = model.fit(3.0 * y[:, None], y).path_
    # the source counts as 1.5 times what it is, which is the mean, 3
    options = {"mean_sqnorm": 1e3, "alignment": 9.0, "source_gram": 9 * 9e-3, "ratio": 0.25}
    laws = [isotropic_asymptotics(gamma=gamma / 9e-3, **options) for gamma in gammas]
    assert_allclose(path.alphas[:, 0, 0], [1.5 * law.optimal_alpha for law in laws])


@kinds
def test_theory_holds_a_given_alpha(kind, problem):
    task = problem(kind)
    model = task.Estimator(task.source, alpha=0.7, selection="theory").fit(task.X, task.y)
    held = clone(model).set_params(gamma=model.gamma_, selection="evidence").fit(task.X, task.y)
    assert_allclose(model.coef_, held.coef_, atol=1e-12)


# ---------------------------------------------------------------- cross-validation


@pytest.mark.parametrize(
    ("kind", "scoring"),
    [
        ("binary", None),
        ("binary", "roc_auc"),
        ("classes", "balanced_accuracy"),
        ("target", None),
        ("targets", "neg_mean_squared_error"),
    ],
)
@heights
def test_cv_equals_a_grid_search(kind, scoring, height, problem):
    task = problem(kind, n=24)
    alphas, gammas = [-0.5, 0.5, 2.0], [0.01, 0.1, 1.0]
    cv = KFold(3, shuffle=True, random_state=0)
    model = task.Estimator(
        task.source,
        selection="cv",
        alphas=alphas,
        gammas=gammas,
        cv=cv,
        scoring=scoring,
        **constant(height),
    ).fit(task.X, task.y)
    search = GridSearchCV(
        task.Estimator(task.source, **constant(height)),
        {"gamma": gammas, "alpha": alphas},
        cv=cv,
        scoring=scoring,
        refit=False,
    ).fit(task.X, task.y)
    expected = np.empty((3, 3))
    scores = search.cv_results_["mean_test_score"]
    for cell, score in zip(search.cv_results_["params"], scores, strict=True):
        expected[gammas.index(cell["gamma"]), alphas.index(cell["alpha"])] = score
    assert_allclose(model.path_.cv_score, expected, atol=1e-12)

    row, column = np.unravel_index(model.path_.cv_score.argmax(), expected.shape)
    assert model.gamma_ == gammas[row]
    assert_allclose(model.alpha_, alphas[column])
    refit = clone(model).set_params(alpha=alphas[column], gamma=gammas[row], selection="blend")
    assert_allclose(model.coef_, refit.fit(task.X, task.y).coef_, atol=1e-12)


@kinds
def test_cv_scores_weighted_rows(kind, problem):
    task = problem(kind, n=24)
    weights, folds = task.counts, list(KFold(3).split(task.X))
    model = task.Estimator(
        task.source, selection="cv", alphas=[0.5], gammas=[0.1], cv=folds, intercept_scaling=0.7
    ).fit(task.X, task.y, sample_weight=weights)
    held = clone(model).set_params(alpha=0.5, gamma=0.1, selection="blend")
    scores = []
    for train, test in folds:
        part = clone(held).fit(task.X[train], task.y[train], sample_weight=weights[train])
        scores.append(part.score(task.X[test], task.y[test], sample_weight=weights[test]))
    assert_allclose(model.path_.cv_score, [[np.mean(scores)]])
    given = clone(model).set_params(alpha=0.5, gammas=[0.01, 0.1], alphas=None)
    path = given.fit(task.X, task.y, sample_weight=weights).path_
    assert_allclose(path.gammas, [0.01, 0.1])
    assert_allclose(path.cv_score[1:], [[np.mean(scores)]])
    assert_allclose(path.alphas, np.full((2, 1, *task.W.shape[:2]), 0.5))


@kinds
def test_cv_without_a_grid_tries_multiples_of_the_least_squares_alpha(kind, problem):
    task = problem(kind, n=24)
    cv = KFold(3)
    model = task.Estimator(
        task.source, selection="cv", gammas=[0.1, 1.0], cv=cv, intercept_scaling=0.7
    ).fit(task.X, task.y)
    expected = np.zeros((2, 6))
    for i, gamma in enumerate([0.1, 1.0]):
        own = clone(model).set_params(selection="evidence", gamma=gamma)
        for train, test in cv.split(task.X):
            alpha = clone(own).fit(task.X[train], task.y[train]).alpha_
            for j, multiple in enumerate([0, 0.25, 0.5, 1, 2, 4]):
                part = clone(own).set_params(alpha=multiple * alpha)
                part.fit(task.X[train], task.y[train])
                expected[i, j] += part.score(task.X[test], task.y[test]) / 3
    assert_allclose(model.path_.cv_score, expected, atol=1e-10)


# ---------------------------------------------------------------- what is given


@pytest.mark.parametrize("selection", RULES)
@kinds
def test_a_given_gamma_is_kept(kind, selection, problem):
    task = problem(kind)
    model = task.Estimator(task.source, gamma=0.25, selection=selection, cv=2)
    assert model.fit(task.X, task.y).gamma_ == 0.25


@pytest.mark.parametrize("selection", ["blend", "generative"])
@pytest.mark.parametrize("given", [{"alpha": 0.7}, {"gamma": 0.2}])
@kinds
def test_the_closed_forms_leave_what_is_given_to_the_evidence(kind, selection, given, problem):
    task = problem(kind)
    model = task.Estimator(task.source, selection=selection, **given).fit(task.X, task.y)
    evidence = clone(model).set_params(selection="evidence").fit(task.X, task.y)
    assert_allclose(model.coef_, evidence.coef_, atol=0)
    assert model.gamma_ == evidence.gamma_
