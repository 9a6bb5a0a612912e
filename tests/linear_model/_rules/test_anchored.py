"""The anchored rule against dense covariances of repeated rows, and one refit for each row."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.linalg import null_space
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, softmax
from scipy.stats import Covariance, multivariate_normal
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.linear_model._calibration import calibrate
from sklearn_alpha.linear_model._rules.anchored import (
    ALPHA_KAPPAS,
    ALPHA_PRIOR,
    CENTRES,
    KAPPA_PRIOR,
    KAPPAS,
    WIDTH,
)
from sklearn_alpha.linear_model._source_odds import GRID, KNOWN, UNKNOWN
from tests.linear_model.helpers import decisions

# random sources are at times reversed
pytestmark = pytest.mark.filterwarnings("ignore:The labels contradict the source")

TO_ROUNDING = {"xatol": 1e-10, "fatol": 1e-14, "maxiter": 4000}
HELD = "held"  # the default: rows are centred, and the intercept is drawn to zero
HEIGHTS = {"default": HELD, "inf": np.inf, "0.7": 0.7, "none": 0.0}
SHAPES = [(13, 6), (8, 14)]

classifiers = pytest.mark.parametrize("kind", ["binary", "classes"])
regressors = pytest.mark.parametrize("kind", ["target", "targets"])
kinds = pytest.mark.parametrize("kind", ["binary", "classes", "target", "targets"])
shapes = pytest.mark.parametrize("shape", SHAPES)
heights = pytest.mark.parametrize("height", HEIGHTS.values(), ids=HEIGHTS)
n_sources = pytest.mark.parametrize("n_sources", [0, 1, 2, 3])
scales = pytest.mark.parametrize("fitted", [False, True], ids=["array", "estimator"])


def options(height):
    if height == HELD:
        return {}
    return {"intercept_scaling": height} if height else {"fit_intercept": False}


def as_estimators(task):
    """The sources as fitted estimators, whose scale is known."""
    n_outputs = len(task.W)
    sources = []
    for w, b in task.source or []:
        if task.Estimator is AlphaTransferRegressor:
            one = LinearRegression()
            one.coef_, one.intercept_ = (w[0], b[0]) if n_outputs == 1 else (w, b)
        else:
            one = LogisticRegression()
            one.coef_, one.intercept_ = w, b
            one.classes_ = np.arange(max(n_outputs, 2))
        sources.append(one)
    return sources or None


def fit(task, height, fitted=True, **parameters):
    source = as_estimators(task) if fitted else task.source
    model = task.Estimator(source, store_loo=True, **options(height), **parameters)
    return model.fit(task.X, task.y, sample_weight=task.counts)


class Dense:
    """Ridge of rows of whole weights, by explicit matrices.

    v ~ N(0, τ²V) with V = XXᵀ/(nγ) + I + κ11ᵀ over the repeated rows, X centred; or, with a
    constant column of height k in X, V = XXᵀ/(nγ) + I.
    """

    def __init__(self, X, counts, height, classifies):
        self.classifies = classifies
        self.counts, self.height = counts, height
        self.centred = height in (HELD, np.inf)
        self.mean = np.average(X, axis=0, weights=counts) * self.centred
        column = 1.0 if self.centred else height
        self.features = X - self.mean
        self.design = np.column_stack([self.features, np.full(len(X), column)])
        self.n = counts.sum()
        self.kappas = KAPPAS if height == HELD else np.zeros(1)
        self.kappa_prior = KAPPA_PRIOR if height == HELD else np.ones(1)
        self.centre = np.sum(counts[:, None] * self.features**2) / self.n**2

    def repeated(self, values):
        return np.repeat(values, self.counts, axis=0)

    def covariance(self, gamma, kappa):
        M = self.repeated(self.features if self.centred else self.design)
        return M @ M.T / (self.n * gamma) + np.eye(self.n) + kappa

    def log_likelihood(self, columns, V):
        """Log density of columns (n, m), independent and of one τ², at the best τ²."""
        if self.height == np.inf:  # of what is orthogonal to a free intercept
            N = null_space(np.ones((1, self.n)))
            columns, V = N.T @ columns, N.T @ V @ N
        scale = np.sum(columns * np.linalg.solve(V, columns)) / columns.size
        density = multivariate_normal(cov=Covariance.from_cholesky(np.linalg.cholesky(scale * V)))
        return sum(density.logpdf(column) for column in columns.T)

    def log_prior(self, gammas):
        """(n_kappas, n_gammas)."""
        of_gamma = -((np.log(gammas / self.centre / CENTRES[self.classifies]) / WIDTH) ** 2) / 2
        return np.log(self.kappa_prior)[:, None] + of_gamma

    def shrinkage(self, joint):
        """s = E[1/(1 + nκ)], of a posterior (n_kappas, n_gammas)."""
        return joint.sum(axis=1) @ (1 / (1 + self.n * KAPPAS)) if self.height == HELD else 0.0

    def ridge(self, v, weights, gamma, s):
        """a (m, p) and b (m,) of v (n_rows, m): nγ penalises a, and n s/(1 − s) penalises b."""
        penalty = np.full(self.design.shape[1], self.n * gamma)
        if self.centred:
            penalty[-1] = self.n * s / (1 - s)
        D = self.design[:, : -1 if self.height == 0 else None]
        gram = D.T @ (weights[:, None] * D) + np.diag(penalty[: D.shape[1]])
        w = np.linalg.solve(gram, D.T @ (weights[:, None] * v)).T
        if self.height == 0:
            return w, np.zeros(len(w))
        return w[:, :-1], w[:, -1] * (1.0 if self.centred else self.height)

    def average(self, v, gammas, P, s):
        """The mean of a and b over γ; v (n_gammas, n_rows, m)."""
        fits = [self.ridge(*both, s) for both in zip(v, [self.counts] * len(P), gammas)]
        a = np.tensordot(P, [a for a, _ in fits], axes=1)
        return a, np.tensordot(P, [b for _, b in fits], axes=1)

    def left_out(self, v, gammas, P, s):
        """X a and b where one repetition of each row is taken away; γ, s and x̄ stay."""
        linear, constant = np.zeros(v.shape[1:]), np.zeros(v.shape[1:])
        for i in range(len(self.features)):
            rest = self.counts - (np.arange(len(self.counts)) == i)
            for of_gamma, gamma, p in zip(v, gammas, P):
                a, b = self.ridge(of_gamma, rest, gamma, s)
                linear[i] += p * (self.features[i] @ a.T)
                constant[i] += p * b
        return linear, constant


def joint_posterior(log_posterior):
    return np.exp(log_posterior - logsumexp(log_posterior))


# ---------------------------------------------------------------- classification


def odds_oracle(task, dense, fitted):
    """αF̃ and α, with sources that are neither parallel nor zero."""
    labels = task.y
    S, n_sources = task.S, task.S.shape[2]
    if n_sources == 0:
        return np.zeros(S.shape[:2]), np.zeros((S.shape[1], 0))
    scale = np.ones(n_sources)
    if not fitted:
        scale = 2 / np.sqrt(np.average((S**2).mean(axis=1), axis=0, weights=task.counts))

    def loss(F):
        F = np.column_stack([-F / 2, F / 2]) if F.shape[1] == 1 else F
        return -task.counts @ log_softmax(F, axis=1)[np.arange(len(labels)), labels]

    share = np.full(n_sources, 1 / n_sources)
    if n_sources > 1:

        def objective(share):
            return loss(S @ (scale * share)) + np.sum((n_sources * share - 1) ** 2) / 2

        share = minimize(objective, share).x
        share = minimize(objective, share, method="Nelder-Mead", options=TO_ROUNDING).x
    prior = KNOWN if fitted else UNKNOWN
    P = softmax([np.log(p) - loss(a * (S @ (scale * share))) for a, p in zip(GRID, prior)])
    signs = [P * (GRID > 0), P * (GRID < 0)]
    # the geometric mean of those of one sign
    means = [p.sum() * np.exp(p[p > 0] @ np.log(abs(GRID[p > 0])) / p.sum()) for p in signs]
    alpha = (means[0] - means[1]) * scale * share
    return S @ alpha, np.tile(alpha, (S.shape[1], 1))


def classification_oracle(task, height, gammas, fitted):
    dense = Dense(task.X, task.counts, height, True)
    F, alpha = odds_oracle(task, dense, fitted)
    n_outputs = F.shape[1]
    T = 2 * softmax(F, axis=1) - 2 / n_outputs if n_outputs > 1 else np.tanh(F / 2)
    k = np.sqrt(n_outputs / 2) if n_outputs > 1 else 2.0
    y = np.column_stack([task.Y - T, T])
    # codes of C classes sum to zero: C − 1 contrasts of them are free
    contrasts = null_space(np.ones((1, n_outputs))) if n_outputs > 1 else np.ones((1, 1))
    columns = dense.repeated(y[:, :n_outputs] @ contrasts)
    log_evidence = np.array(
        [
            [dense.log_likelihood(columns, dense.covariance(gamma, kappa)) for gamma in gammas]
            for kappa in dense.kappas
        ]
    )
    joint = joint_posterior(log_evidence + dense.log_prior(gammas))
    P, s = joint.sum(axis=0), dense.shrinkage(joint)
    same = np.broadcast_to(y, (len(P), *y.shape))

    linear, constant = dense.left_out(same, gammas, P, s)
    if not dense.centred:  # the constant column is one of the features
        linear, constant = linear + constant, 0 * constant
    parts = [k * linear[:, :n_outputs], k * linear[:, n_outputs:], k * constant[:, :n_outputs]]
    beta, t, theta = calibrate(F, *parts, task.y, task.counts.astype(float))

    def combined(F, residual, of_T, offset):
        return F + t * (residual + theta * of_T) + offset

    a, b = (k * part for part in dense.average(same, gammas, P, s))
    coef = combined(np.einsum("ckp,ck->cp", task.W, alpha), a[:n_outputs], a[n_outputs:], 0.0)
    b_source = np.einsum("ck,ck->c", task.b, alpha)
    if dense.centred:
        intercept = b_source + b[:n_outputs]
        intercept -= t * (a[:n_outputs] + theta * a[n_outputs:]) @ dense.mean
    else:
        intercept = combined(b_source, b[:n_outputs], b[n_outputs:], 0.0)
    log_prior = np.log(dense.kappa_prior)[:, None]
    return SimpleNamespace(
        alpha=alpha,
        log_evidence=logsumexp(log_evidence + log_prior, axis=0),
        posterior=P,
        beta=beta,
        t=t,
        theta=theta,
        coef=coef,
        intercept=intercept + task.common,
        left_out=combined(F, *parts) + task.common,
    )


def assert_of_oracle(model, task, expected):
    P, log_evidence = model.path_.posterior, model.path_.log_evidence
    assert_allclose(P, expected.posterior, atol=1e-7)
    seen = P > 1e-10
    difference = (log_evidence - expected.log_evidence)[seen]
    assert_allclose(difference, difference[0], atol=1e-6)
    assert_allclose(model.alpha_, expected.alpha, rtol=1e-6, atol=1e-7)
    assert_allclose(model.coef_.reshape(expected.coef.shape), expected.coef, atol=1e-6)
    assert_allclose(np.reshape(model.intercept_, -1), expected.intercept, atol=1e-6)
    left_out = model.loo_decision_function_.reshape(expected.left_out.shape)
    assert_allclose(left_out, expected.left_out, atol=1e-6)


@classifiers
@shapes
@heights
@n_sources
@scales
def test_classifier_is_that_of_dense_matrices(kind, shape, height, n_sources, fitted, problem):
    task = problem(kind, *shape, n_sources=n_sources)
    model = fit(task, height, fitted)
    expected = classification_oracle(task, height, model.path_.gammas, fitted or not n_sources)
    assert_of_oracle(model, task, expected)
    assert_allclose(
        [model.inverse_temperature_, model.path_.trust, model.path_.theta],
        [expected.beta, expected.t, expected.theta],
        rtol=1e-5,
        atol=1e-7,
    )


# ---------------------------------------------------------------- regression


def regression_oracle(task, height, gammas, fitted):
    n_outputs, n_sources = task.W.shape[:2]
    if height == HELD and not (fitted and n_sources):
        height = np.inf  # no source has the target's units, to draw the intercept to
    dense = Dense(task.X, task.counts, height, False)
    kappas, prior = (ALPHA_KAPPAS, ALPHA_PRIOR) if n_sources else (np.zeros(1), np.ones(1))
    anchor = 1 / max(n_sources, 1)
    if not fitted and n_sources:
        anchor, prior = 0.0, np.full(len(kappas), 1 / len(kappas))
    mean_S = np.einsum("i,ick->ck", task.counts, task.S) / dense.n * dense.centred
    moved = task.S - mean_S
    variance = np.einsum("i,ick->ck", task.counts, moved**2) / dense.n
    residual = task.Y - anchor * task.S.sum(axis=2)

    log_evidence = np.zeros((len(kappas), len(dense.kappas), len(gammas)))
    alphas = np.zeros((len(kappas), len(gammas), n_outputs, n_sources))
    for g, gamma in enumerate(gammas):
        for c in range(n_outputs):
            U = dense.repeated(moved[:, c] / np.sqrt(variance[c]))
            v = dense.repeated(residual[:, c])
            for i, kappa_of_alpha in enumerate(kappas):
                for j, kappa in enumerate(dense.kappas):
                    V = dense.covariance(gamma, kappa) + kappa_of_alpha * U @ U.T
                    log_evidence[i, j, g] += dense.log_likelihood(v[:, None], V)
                # the posterior mean of α: U is orthogonal to 1 where κ is held
                V = dense.covariance(gamma, 0.0) + kappa_of_alpha * U @ U.T
                centred = v - v.mean() * dense.centred
                move = kappa_of_alpha * U.T @ np.linalg.solve(V, centred)
                alphas[i, g, c] = anchor + move / np.sqrt(variance[c])
    log_joint = log_evidence + np.log(prior)[:, None, None]
    joint = joint_posterior(log_joint + dense.log_prior(gammas))
    P, s = joint.sum(axis=(0, 1)), dense.shrinkage(joint.sum(axis=0))
    alphas = np.einsum("kg,kgco->gco", joint.sum(axis=1) / P, alphas)

    # y − s·anchor less what α moves of s − s̄, at each γ
    v = residual - np.einsum("ick,gck->gic", moved, alphas - anchor)
    alpha = np.tensordot(P, alphas, axes=1)
    a, b = dense.average(v, gammas, P, s)
    linear, constant = dense.left_out(v, gammas, P, s)
    offset = np.tensordot(P, task.Y - v, axes=1)
    b_source = np.einsum("ck,ck->c", task.b, alpha)
    shift = np.einsum("ck,ck->c", mean_S, alpha - anchor)
    log_prior = np.log(dense.kappa_prior)[:, None]
    return SimpleNamespace(
        alpha=alpha,
        alphas=alphas,
        log_evidence=logsumexp(log_joint + log_prior, axis=(0, 1)),
        posterior=P,
        coef=np.einsum("ckp,ck->cp", task.W, alpha) + a,
        intercept=b_source - shift + b - a @ dense.mean,
        left_out=offset + linear + constant,
    )


@regressors
@shapes
@heights
@n_sources
@scales
def test_regressor_is_that_of_dense_matrices(kind, shape, height, n_sources, fitted, problem):
    task = problem(kind, *shape, n_sources=n_sources)
    task.Y = task.Y + task.S.sum(axis=2) / 2
    task.y = task.Y if kind == "targets" else task.Y[:, 0]
    gammas = np.geomspace(1e-2, 10, 5)
    model = fit(task, height, fitted, gammas=gammas)
    expected = regression_oracle(task, height, gammas, fitted)
    assert_of_oracle(model, task, expected)
    assert_allclose(model.path_.alphas, expected.alphas, rtol=1e-6, atol=1e-7)


# ---------------------------------------------------------------- other ways to the same answer


def assert_same(model, other, X, atol=1e-8):
    assert_allclose(other.coef_, model.coef_, atol=atol)
    assert_allclose(other.intercept_, model.intercept_, atol=atol)
    assert_allclose(other.alpha_, model.alpha_, atol=atol)
    if hasattr(model, "predict_proba"):
        assert_allclose(other.predict_proba(X), model.predict_proba(X), atol=atol)
        assert_allclose(other.path_.trust, model.path_.trust, atol=atol)


@kinds
@pytest.mark.parametrize("shape", [*SHAPES, (9, 9)])
@heights
@scales
@pytest.mark.parametrize("solver", ["primal", "dual", "krylov"])
def test_every_form_of_the_resolvent_gives_one_answer(kind, shape, height, fitted, solver, problem):
    task = problem(kind, *shape, n_sources=2)
    model = fit(task, height, fitted)
    task.X = sparse.csr_array(task.X)
    # so few rows are solved for whole, with as many probes as there are rows
    other = fit(task, height, fitted, solver=solver)
    atol = 1e-4 if solver == "krylov" else 1e-8
    assert_allclose(other.path_.posterior, model.path_.posterior, atol=atol)
    assert_allclose(other.alpha_, model.alpha_, atol=atol)
    # "krylov" centres the rest of the rows again where a row is left out and b is held
    if solver != "krylov" or height != HELD or task.Estimator is AlphaTransferRegressor:
        assert_same(model, other, task.X, atol)


@kinds
@heights
@scales
def test_weights_are_repeated_rows(kind, height, fitted, problem):
    task = problem(kind, n_sources=2)
    model = fit(task, height, fitted)
    index = np.repeat(np.arange(len(task.X)), task.counts)
    rows = SimpleNamespace(**{**vars(task), "X": task.X[index], "y": task.y[index]})
    rows.counts = np.ones(len(index))
    repeated = fit(rows, height, fitted)
    assert_same(model, repeated, task.X)
    assert_allclose(repeated.loo_decision_function_, model.loo_decision_function_[index], atol=1e-8)


@regressors
@shapes
@heights
@n_sources
@scales
def test_a_stream_is_all_its_rows(kind, shape, height, n_sources, fitted, problem):
    task = problem(kind, *shape, n_sources=n_sources)
    model = fit(task, height, fitted)
    stream = clone(model)
    for chunk in np.array_split(np.arange(len(task.X)), 3):
        stream.partial_fit(task.X[chunk], task.y[chunk], sample_weight=task.counts[chunk])
    assert_same(model, stream, task.X)
    assert_allclose(stream.path_.posterior, model.path_.posterior, atol=1e-8)


@kinds
@heights
@scales
def test_left_out_values_of_a_sample_are_those_of_all_rows(kind, height, fitted, sample, problem):
    """Of more rows than the sample has, they are averaged over a few γ's."""
    task = problem(kind, 24, 6, n_sources=2)
    model = fit(task, height, fitted)
    whole = classification_oracle if kind in ("binary", "classes") else regression_oracle
    expected = whole(task, height, model.path_.gammas, fitted)
    left_out = model.loo_decision_function_.reshape(24, -1)
    if kind in ("target", "targets"):
        assert_allclose(left_out, expected.left_out, atol=1e-6)
        return
    # β, t and θ are of ten of the rows
    assert_allclose(model.path_.posterior, expected.posterior, atol=1e-7)
    assert model.path_.trust > 0
    assert 0 <= model.path_.theta <= 1


@kinds
@scales
@pytest.mark.parametrize("factor", [1.0, 1e-3])
def test_a_source_that_is_listed_twice_counts_once(kind, fitted, factor, problem):
    """An array of another size too: its scale is unknown."""
    task = problem(kind, n_sources=1)
    model = fit(task, HELD, fitted)
    factor = 1.0 if fitted else factor
    ((w, b),) = task.source
    task.source = [(w, b), (factor * w, factor * b)]
    twice = fit(task, HELD, fitted)
    assert_allclose(twice.coef_, model.coef_, atol=1e-8)
    assert_allclose(twice.intercept_, model.intercept_, atol=1e-8)


@kinds
@n_sources
@scales
def test_rotated_features_give_the_same_values(kind, n_sources, fitted, problem):
    task = problem(kind, n_sources=n_sources)
    model = fit(task, HELD, fitted)
    Q = np.linalg.qr(np.random.default_rng(0).normal(size=(7, 7)))[0]
    rotated = SimpleNamespace(**{**vars(task), "X": task.X @ Q, "W": task.W @ Q})
    rotated.source = [(w @ Q, b) for w, b in task.source or []] or None
    other = fit(rotated, HELD, fitted)
    assert_allclose(other.coef_, model.coef_ @ Q, atol=1e-8)
    assert_allclose(other.intercept_, model.intercept_, atol=1e-8)


@regressors
@heights
def test_alpha_is_drawn_to_one_source_in_the_units_of_the_target(kind, height, problem):
    """A target that is the source and noise beside few rows: α is 1 and b is 0."""
    task = problem(kind, 6, 14)
    noise = np.random.default_rng(0).normal(size=task.Y.shape)
    task.Y = task.S[:, :, 0] + noise
    task.y = task.Y if kind == "targets" else task.Y[:, 0]
    model = fit(task, height)
    assert_allclose(model.alpha_, 1, atol=0.3)


@classifiers
@heights
@scales
def test_the_order_of_rows_moves_nothing(kind, height, fitted, problem):
    task = problem(kind, n_sources=2)
    model = fit(task, height, fitted)
    order = np.random.default_rng(0).permutation(len(task.X))
    moved = SimpleNamespace(**vars(task))
    moved.X, moved.y, moved.counts = task.X[order], task.y[order], task.counts[order]
    assert_same(model, fit(moved, height, fitted), task.X, atol=1e-9)


# ---------------------------------------------------------------- extreme rows and sources


def finite(model):
    numbers = [model.coef_, model.intercept_, model.alpha_, model.gamma_]
    numbers.append(getattr(model, "inverse_temperature_", 1.0))
    return all(np.isfinite(number).all() for number in map(np.asarray, numbers))


EXTREME_ROWS = {
    "one row": lambda X: X[:1],
    "two rows": lambda X: X[:2],
    "the same row": lambda X: np.ones_like(X),
    "zeros": np.zeros_like,
    "a feature without variance": lambda X: np.where(np.arange(X.shape[1]) == 0, 7.0, X),
    "1e15": lambda X: 1e15 * X,
    "1e-15": lambda X: 1e-15 * X,
}
EXTREME_SOURCES = {
    "as it is": lambda W, b: (W, b),
    "constant": lambda W, b: (0 * W, b),
    "zero": lambda W, b: (0 * W, 0 * b),
    "1e6": lambda W, b: (1e6 * W, 1e6 * b),
}


@kinds
@pytest.mark.parametrize("rows", EXTREME_ROWS)
@pytest.mark.parametrize("source", EXTREME_SOURCES)
# an extreme source has extreme log odds
@pytest.mark.filterwarnings("ignore:The log odds of the source")
def test_extreme_rows_and_sources_give_finite_numbers(kind, rows, source, problem):
    task = problem(kind, 10, 6)
    task.W, task.b = EXTREME_SOURCES[source](task.W, task.b)
    task.source = [(task.W[:, 0], task.b[:, 0])]
    task.X = EXTREME_ROWS[rows](task.X)
    n = len(task.X)
    y, counts = task.y[:n], task.counts[:n]
    for sources in (as_estimators(task), task.source):
        model = task.Estimator(sources)
        if task.Estimator is AlphaTransferClassifier:
            n_classes = 2 if kind == "binary" else 3
            if n == 1:
                continue  # one row shows one class
            y = np.arange(n) % n_classes
            model.set_params(classes=range(n_classes))
        model.fit(task.X, y, sample_weight=counts)
        assert finite(model)
        assert np.isfinite(decisions(model, task.X)).all()


@kinds
@pytest.mark.parametrize("size", [1e-20, 1e-8, 1e8])
def test_weights_of_any_size_give_finite_numbers(kind, size, problem):
    task = problem(kind)
    model = task.Estimator(as_estimators(task))
    assert finite(model.fit(task.X, task.y, sample_weight=np.full(12, size)))
    weights = np.ones(12)
    weights[0] = 1e12
    assert finite(model.fit(task.X, task.y, sample_weight=weights))


@pytest.mark.parametrize("kind", ["binary", "classes"])
def test_rows_that_the_source_tells_apart_for_certain(kind, problem):
    task = problem(kind, 30, 6)
    task.W, task.b = 3 * task.W, 0 * task.b
    S = np.einsum("ip,ckp->ic", task.X, task.W)
    task.y = np.argmax(S, axis=1) if kind == "classes" else (S[:, 0] > 0).astype(int)
    task.source = [(task.W[:, 0], task.b[:, 0])]
    model = task.Estimator(as_estimators(task)).fit(task.X, task.y)
    assert finite(model)
    assert model.score(task.X, task.y) == 1


# ---------------------------------------------------------------- corners


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("p", [3, 30])
def test_a_target_that_is_the_source(seed, p):
    """No residual is left but rounding."""
    rng = np.random.default_rng(seed)
    X, source = rng.normal(size=(4, p)), LinearRegression()
    source.coef_, source.intercept_ = rng.normal(size=p), 0.5
    model = AlphaTransferRegressor(source).fit(X, source.predict(X))
    assert_allclose(model.coef_, source.coef_, atol=1e-6)
    assert_allclose(model.intercept_, 0.5, atol=1e-6)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_of_one_class_and_a_source_of_several(n_classes, class_weight):
    rng = np.random.default_rng(0)
    source = LogisticRegression().fit(rng.normal(size=(30, 5)), np.arange(30) % n_classes)
    model = AlphaTransferClassifier(source, class_weight=class_weight)
    model.fit(rng.normal(size=(3, 5)), [1, 1, 1])
    assert np.isfinite(model.predict_proba(rng.normal(size=(9, 5)))).all()


@pytest.mark.parametrize("n", [3, 8])
def test_the_level_of_numbers_beside_an_array(n):
    """The intercept of a pair is not drawn to zero: 13 times the error of a free one at n = 3."""
    errors = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        w, X = rng.normal(size=5), rng.normal(size=(n, 5)) + 0.5
        moved = w + 0.4 * rng.normal(size=5)
        y = X @ moved + 5 + rng.normal(size=n)
        test = rng.normal(size=(200, 5)) + 0.5
        for options in ({}, {"intercept_scaling": np.inf}):
            model = AlphaTransferRegressor((w, 5.0), **options).fit(X, y)
            errors.append(np.mean((model.predict(test) - test @ moved - 5) ** 2))
    held, free = np.mean(np.reshape(errors, (-1, 2)), axis=0)
    assert held <= 1.5 * free
