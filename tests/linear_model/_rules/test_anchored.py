"""The anchored rule against dense matrices of repeated rows, and one refit for each row."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.linalg import null_space
from scipy.special import logsumexp, softmax
from scipy.stats import Covariance, multivariate_normal
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.linear_model._calibration import calibrate
from sklearn_alpha.linear_model._resolvents import krylov
from sklearn_alpha.linear_model._rules.anchored_regression import (
    ALPHA_KAPPAS,
    ALPHA_PRIOR,
    CENTRE,
    CENTRES,
    KAPPA_PRIOR,
    KAPPAS,
    WIDTH,
)
from tests.linear_model._rules.odds import log_loss, odds_oracle
from tests.linear_model.helpers import decisions

# random sources are at times reversed
pytestmark = [
    pytest.mark.filterwarnings("ignore:The labels contradict the source"),
    pytest.mark.filterwarnings("ignore:The source's predictions on the rows"),
]

HELD = "held"  # the default: rows of a regression are centred, and its intercept is drawn to zero
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

    def __init__(self, X, counts, height):
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
        of_gamma = -((np.log(gammas / self.centre / CENTRE) / WIDTH) ** 2) / 2
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


class ShrunkRidge:
    """Â_γ of rows of weights s, of which one unit is left out: by explicit matrices.

    Rows are z = x − ρx̄, ρ = 1 − tr Cov/((m − 1)‖x̄‖²) with m = n²/Σ s u, or z = [x, k] under a
    constant column of height k; of an infinite height the intercept is free.
    """

    def __init__(self, X, weights, unit, height):
        self.weights, self.unit, self.n = weights, unit, weights.sum()
        self.height, self.is_free = height, height == np.inf
        self.offset = np.zeros(X.shape[1])
        if height == HELD:
            self.offset = shrunk_mean(X, weights, unit)
        self.Z = X - self.offset
        if height != HELD and height and not self.is_free:
            self.Z = np.column_stack([X, np.full(len(X), height)])
        # without the constant column, of the centred rows where b is free
        D = X - self.offset - np.average(X, axis=0, weights=weights) * self.is_free
        values = np.linalg.eigvalsh(D.T @ (weights[:, None] * D) / self.n)
        self.c, self.gamma_centre = np.sum(values**2) / np.sum(values), np.sum(values) / self.n

    def scale(self, n_outputs, gamma):
        return (2 if n_outputs == 1 else np.sqrt(n_outputs / 2)) * (1 + gamma / self.c)

    def fit(self, v, gamma, weights):
        """w (m, p) and b (m,) of argmin Σ s (v − zw − b)² + nγ‖w‖², n that of all rows."""
        Z = self.Z
        mean_Z, mean_v = np.zeros(Z.shape[1]), np.zeros(v.shape[1])
        if self.is_free:
            mean_Z, mean_v = (np.average(a, axis=0, weights=weights) for a in (Z, v))
        M, root = Z - mean_Z, np.sqrt(weights)[:, None]
        # ridge is least squares with √(nγ) I below the rows
        rows = np.vstack([root * M, np.sqrt(self.n * gamma) * np.eye(Z.shape[1])])
        targets = np.vstack([root * (v - mean_v), np.zeros((Z.shape[1], v.shape[1]))])
        w = np.linalg.lstsq(rows, targets, rcond=None)[0].T
        return w, mean_v - w @ mean_Z

    def adapter(self, v, gamma):
        """a (m, p) and b (m,), of rows as they are."""
        p = len(self.offset)
        w, b = self.fit(v, gamma, self.weights)
        a = w[:, :p]
        b = b - a @ self.offset
        if w.shape[1] > p:
            b = b + w[:, p] * self.height
        scale = self.scale(v.shape[1], gamma)
        return scale * a, scale * b

    def left_out(self, v, gamma):
        values = np.empty_like(v)
        for i in range(len(v)):
            w, b = self.fit(v, gamma, self.weights - self.unit * (np.arange(len(v)) == i))
            values[i] = w @ self.Z[i] + b
        return self.scale(v.shape[1], gamma) * values


def shrunk_mean(X, weights, unit):
    """ρx̄."""
    mean = np.average(X, axis=0, weights=weights)
    variance = np.average(np.sum((X - mean) ** 2, axis=1), weights=weights)
    m = weights.sum() ** 2 / (weights @ unit)
    return max(1 - variance / ((m - 1) * (mean @ mean)), 0.0) * mean


def logistic_oracle(X, F, labels, weights, unit, constant):
    """Coefficients and intercepts of z = (5 x/rms, 1), and its values at rows left out of it.

    By Newton's method with the whole matrix of second derivatives. A row is left out by one step of
    that method, in which each class has C/(C − 1) times its own curvature.
    """
    n_classes, Y = F.shape[1], np.eye(F.shape[1])[labels]
    scale = 5 / np.sqrt(np.average(np.sum(X**2, axis=1), weights=weights))
    Z = np.column_stack([scale * X, np.full(len(X), constant)])

    def loss(B):
        return log_loss(F + Z @ B, labels, weights) + np.sum(B**2) / 2

    B = np.zeros((Z.shape[1], n_classes))
    for _ in range(60):
        P = softmax(F + Z @ B, axis=1)
        W = np.einsum("ic,cd->icd", P, np.eye(n_classes)) - np.einsum("ic,id->icd", P, P)
        H = np.einsum("i,ia,icd,ib->acbd", weights, Z, W, Z).reshape(B.size, B.size)
        slope = Z.T @ (weights[:, None] * (P - Y)) + B
        step = np.linalg.solve(H + np.eye(B.size), slope.ravel()).reshape(B.shape)
        while loss(B - step) > loss(B) and np.abs(step).max() > 1e-9:
            step = step / 2
        B = B - step
    P, left_out = softmax(F + Z @ B, axis=1), Z @ B
    for i in range(len(Z)):
        for c in range(n_classes):
            w = n_classes / (n_classes - 1) * P[:, c] * (1 - P[:, c])
            rest = weights - unit * (np.arange(len(Z)) == i)
            H = Z.T @ np.diag(rest * w) @ Z + np.eye(Z.shape[1])
            left_out[i, c] -= unit[i] * (Y[i, c] - P[i, c]) * (Z[i] @ np.linalg.solve(H, Z[i]))
    return scale * B[:-1].T, constant * B[-1], left_out


def classification_oracle(
    task, height, gammas=None, fitted=True, of_class=None, sample=slice(None)
):
    """The whole rule; `of_class` is the weight of each row's class, and γ's may be given.

    α, b, L, the logistic regression and what left-out rows decide are of a sample of the rows, the
    ridge fits of all.
    """
    of_class = np.ones(len(task.y)) if of_class is None else of_class
    weights, unit = task.counts * of_class, np.minimum(task.counts, 1) * of_class
    dense = ShrunkRidge(task.X, weights, unit, height)
    gamma_unit = dense.gamma_centre
    gammas = gamma_unit * np.array([1 / 36, 1, 36]) if gammas is None else gammas
    log_prior = -(np.log(gammas / (10 * gamma_unit)) ** 2) / 2
    log_prior -= logsumexp(log_prior)
    labels, n_outputs = task.y[sample], task.Y.shape[1]
    if n_outputs > 1:
        log_prior = np.append(np.log(0.98) + log_prior, np.log(0.02))
    offset = dense.offset
    if height == np.inf:
        offset = np.average(task.X, axis=0, weights=weights)

    # with the sources and without
    sets, n_sources = [], task.S.shape[2]
    has_both = n_sources and len(np.unique(labels)) == max(n_outputs, 2)
    for S in [task.S, task.S[:, :, :0]] if has_both else [task.S]:
        odds = odds_oracle(S[sample], labels, weights[sample], fitted, shifts=height == HELD)
        F = S @ odds.alpha + odds.shift
        # L, the least-squares fit of T on F and a constant, over the rows
        T = 2 * softmax(F, axis=1) - 2 / n_outputs if n_outputs > 1 else np.tanh(F / 2)
        design, root = np.column_stack([F, np.ones(len(F))]), np.sqrt(weights[sample])[:, None]
        L = design @ np.linalg.lstsq(root * design[sample], root * T[sample], rcond=1e-10)[0]
        fits = [
            (*dense.adapter(task.Y - L / 2, g), dense.left_out(task.Y - L / 2, g)) for g in gammas
        ]
        if n_outputs > 1:
            rows = task.X - offset
            of_rows = (labels, weights[sample], unit[sample], float(height != 0))
            a, b, known = logistic_oracle(rows[sample], F[sample], *of_rows)
            left_out = rows @ a.T + b
            left_out[sample] = known
            fits.append((a, b - a @ offset, left_out))
        sets.append((odds, F, fits))
    prior = np.log([0.85, 0.15] if has_both else [1.0])
    adapters = np.array([[values for *_, values in fits] for *_, fits in sets])
    n_pairs, shape = adapters.shape[0] * adapters.shape[1], adapters.shape
    found = calibrate(
        np.concatenate([[F[sample]] * shape[1] for _, F, _ in sets]),
        adapters[:, :, sample].reshape(n_pairs, -1, n_outputs),
        labels,
        weights[sample],
        unit[sample],
        (prior[:, None] + log_prior).ravel(),
    )
    t, P = found.trust.reshape(shape[:2]), found.posterior.reshape(shape[:2])

    odds, share = sets[0][0], P.sum(axis=1)
    alpha = share[0] * odds.alpha
    shift = sum(p * of.shift for p, (of, *_) in zip(share, sets))
    a, b = (
        sum(t[i, j] * fit[k] for i, (*_, fits) in enumerate(sets) for j, fit in enumerate(fits))
        for k in (0, 1)
    )
    of_gamma = P[:, : len(gammas)].sum(axis=0)
    every_F = np.array([F for _, F, _ in sets])
    left_out = np.tensordot(share, every_F, axes=1) + np.tensordot(t, adapters, axes=2)
    t_without = found.trust_without.reshape(*shape[:2], -1)
    P_without = found.posterior_without.reshape(*shape[:2], -1).sum(axis=1)
    left_out[sample] = np.einsum("ki,kic->ic", P_without, every_F[:, sample]) + np.einsum(
        "kji,kjic->ic", t_without, adapters[:, :, sample]
    )
    return SimpleNamespace(
        alpha=np.tile(alpha, (n_outputs, 1)),
        gammas=gammas,
        beta=found.beta,
        trust=t,
        adapter_posterior=P,
        posterior=of_gamma / of_gamma.sum(),
        coef=np.einsum("ckp,k->cp", task.W, alpha) + a,
        intercept=task.b @ alpha + shift + b + task.common,
        left_out=left_out + task.common,
    )


def assert_classifier(model, expected, atol=1e-6):
    for found, right in (
        (model.path_.gammas, expected.gammas),
        (model.path_.posterior, expected.posterior),
        (model.path_.trust, expected.trust),
        (model.path_.adapter_posterior, expected.adapter_posterior),
        (model.inverse_temperature_, expected.beta),
        (model.alpha_, expected.alpha),
        (model.coef_.reshape(expected.coef.shape), expected.coef),
        (np.reshape(model.intercept_, -1), expected.intercept),
        (model.loo_decision_function_.reshape(expected.left_out.shape), expected.left_out),
        (model.gamma_, expected.posterior @ expected.gammas),
    ):
        assert_allclose(found, right, rtol=1e-6, atol=atol)


@classifiers
@shapes
@heights
@n_sources
@scales
def test_classifier_is_that_of_dense_matrices(kind, shape, height, n_sources, fitted, problem):
    task = problem(kind, *shape, n_sources=n_sources)
    model = fit(task, height, fitted)
    assert_classifier(model, classification_oracle(task, height, fitted=fitted))


@classifiers
@shapes
@heights
@pytest.mark.parametrize("solver", ["primal", "dual", "krylov"])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_every_form_is_that_of_dense_matrices(
    kind, shape, height, solver, container, problem, monkeypatch
):
    """In the Krylov form, so few rows are left out one at a time, beside the same centre."""
    monkeypatch.setattr(krylov, "TOLERANCE", 1e-9)
    task = problem(kind, *shape, n_sources=2)
    expected = classification_oracle(task, height)
    rows = SimpleNamespace(**{**vars(task), "X": container(task.X)})
    assert_classifier(fit(rows, height, solver=solver), expected)


@shapes
@pytest.mark.parametrize("n_sources", [1, 2])
@pytest.mark.parametrize("shown", [5, 4, 1], ids=["every class", "four of five", "one of five"])
def test_five_classes_of_which_rows_show_some(shape, n_sources, shown):
    rng = np.random.default_rng([*shape, n_sources])
    (n, p), n_classes = shape, 5
    X, y = rng.normal(size=shape) + 0.5, np.arange(n) % shown
    W, b = rng.normal(size=(n_classes, n_sources, p)), rng.normal(size=(n_classes, n_sources))
    W, b = W - W.mean(axis=0), b - b.mean(axis=0)
    task = SimpleNamespace(
        X=X,
        y=y,
        Y=2 * np.eye(n_classes)[y] - 2 / n_classes,
        S=np.einsum("ip,ckp->ick", X, W) + b,
        W=W,
        b=b,
        common=2 / n_classes - 1,
        source=[(W[:, k], b[:, k]) for k in range(n_sources)],
        counts=rng.integers(1, 4, size=n),
        Estimator=AlphaTransferClassifier,
    )
    assert_classifier(fit(task, HELD), classification_oracle(task, HELD))


@classifiers
@shapes
@heights
@pytest.mark.parametrize("class_weight", ["balanced", {0: 0.3, 1: 2.0, 2: 0.9}])
def test_class_weights_are_weights_of_rows(kind, shape, height, class_weight, problem):
    task = problem(kind, *shape, n_sources=2)
    if class_weight == "balanced":
        counts = np.bincount(task.y, weights=task.counts)
        of_class = counts.sum() / (len(counts) * counts)
    else:
        class_weight = {c: class_weight[c] for c in np.unique(task.y).tolist()}
        of_class = np.array(list(class_weight.values()))
    model = fit(task, height, class_weight=class_weight)
    assert_classifier(model, classification_oracle(task, height, of_class=of_class[task.y]))


@classifiers
@shapes
@heights
@pytest.mark.parametrize("gammas", [[0.3], [5.0, 0.01, 0.1, 1.0]])
def test_gammas_of_the_caller_are_under_the_same_prior(kind, shape, height, gammas, problem):
    task = problem(kind, *shape, n_sources=1)
    model = fit(task, height, gammas=gammas)
    assert_classifier(model, classification_oracle(task, height, model.path_.gammas))
    assert_allclose(np.sort(model.path_.gammas), np.sort(gammas))


# ---------------------------------------------------------------- regression


def regression_oracle(task, height, gammas, fitted):
    n_outputs, n_sources = task.W.shape[:2]
    if height == HELD and not (fitted and n_sources):
        height = np.inf  # no source has the target's units, to draw the intercept to
    dense = Dense(task.X, task.counts, height)
    centres, kappas, prior = CENTRES, ALPHA_KAPPAS, ALPHA_PRIOR
    if not n_sources:
        centres, kappas, prior = np.ones(1), np.zeros(1), np.ones(1)
    elif not fitted:
        kappas = kappas[centres == 1]
        centres, prior = 0 * kappas, np.full(len(kappas), 1 / len(kappas))
    anchor = centres[0] / max(n_sources, 1)
    mean_S = np.einsum("i,ick->ck", task.counts, task.S) / dense.n * dense.centred
    moved = task.S - mean_S
    variance = np.einsum("i,ick->ck", task.counts, moved**2) / dense.n
    residual = task.Y - anchor * task.S.sum(axis=2)

    log_evidence = np.zeros((len(kappas), len(dense.kappas), len(gammas)))
    alphas = np.zeros((len(kappas), len(gammas), n_outputs, n_sources))
    for g, gamma in enumerate(gammas):
        for c in range(n_outputs):
            U = dense.repeated(moved[:, c] / np.sqrt(variance[c]))
            for i, (centre, kappa_of_alpha) in enumerate(zip(centres, kappas)):
                centre = centre / max(n_sources, 1)
                move = (anchor - centre) * moved[:, c].sum(axis=1)
                v = dense.repeated(residual[:, c] + move)
                for j, kappa in enumerate(dense.kappas):
                    V = dense.covariance(gamma, kappa) + kappa_of_alpha * U @ U.T
                    log_evidence[i, j, g] += dense.log_likelihood(v[:, None], V)
                # the posterior mean of α: U is orthogonal to 1 where κ is held
                V = dense.covariance(gamma, 0.0) + kappa_of_alpha * U @ U.T
                centred = v - v.mean() * dense.centred
                move = kappa_of_alpha * U.T @ np.linalg.solve(V, centred)
                alphas[i, g, c] = centre + move / np.sqrt(variance[c])
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


def assert_regressor(model, expected):
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
    assert_regressor(model, expected)
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
def test_every_form_of_the_resolvent_gives_one_answer(
    kind, shape, height, fitted, solver, problem, monkeypatch
):
    monkeypatch.setattr(krylov, "TOLERANCE", 1e-9)
    task = problem(kind, *shape, n_sources=2)
    model = fit(task, height, fitted)
    task.X = sparse.csr_array(task.X)
    # so few rows are solved for whole, with as many probes as there are rows
    other = fit(task, height, fitted, solver=solver)
    atol = 1e-6 if solver == "krylov" else 1e-8
    assert_allclose(other.path_.posterior, model.path_.posterior, atol=atol)
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
    """Of more rows than the sample has, those of numbers are averaged over a few γ's."""
    task = problem(kind, 24, 6, n_sources=2)
    model = fit(task, height, fitted)
    if kind in ("target", "targets"):
        expected = regression_oracle(task, height, model.path_.gammas, fitted)
        left_out = model.loo_decision_function_.reshape(24, -1)
        assert_allclose(left_out, expected.left_out, atol=1e-6)
        return
    expected = classification_oracle(task, height, None, fitted, sample=sample(task.X))
    assert_classifier(model, expected)


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


@classifiers
@shapes
@pytest.mark.parametrize("solver", ["primal", "dual", "krylov"])
def test_an_infinite_gamma_has_a_limit(kind, shape, solver, problem):
    # the scale of the adapter, 1 + γ/c, does not bring rounding to size
    task = problem(kind, *shape)
    fits = [
        task.Estimator(as_estimators(task), gammas=[gamma], solver=solver).fit(task.X, task.y)
        for gamma in (1e7, 1e10, 1e100)
    ]
    assert_same(fits[1], fits[0], task.X, atol=1e-4)
    assert_same(fits[1], fits[2], task.X)


@kinds
def test_features_of_small_variance_under_large_weights(kind, problem):
    # n is the sum of the weights, with which rounding does not grow
    task = problem(kind, 40, 6)
    task.X[:, :3] *= 1e-4
    primal, dual = (
        task.Estimator(as_estimators(task), solver=solver).fit(
            task.X, task.y, sample_weight=np.full(40, 1e8)
        )
        for solver in ("primal", "dual")
    )
    assert_allclose(decisions(primal, task.X), decisions(dual, task.X), atol=1e-4)


@pytest.mark.parametrize("p", [1, 3, 40])
@pytest.mark.parametrize(("height", "expected"), [("auto", 0.507), (np.inf, 0.591)])
@pytest.mark.parametrize("solver", ["primal", "dual", "krylov"])
def test_equal_rows_give_no_adapter(p, height, expected, solver):
    # less their mean they are rounding, of which a fit would have coefficients of 1e15
    X, y = np.tile(np.random.default_rng(1).normal(size=p), (7, 1)), np.array([0, 1, 1, 0, 1, 1, 1])
    model = AlphaTransferClassifier(solver=solver, intercept_scaling=height)
    stream = clone(model).partial_fit(X[:3], y[:3], classes=[0, 1])
    sparse_stream = clone(model).partial_fit(sparse.csr_array(X[:3]), y[:3], classes=[0, 1])
    for found in (
        clone(model).fit(X, y),
        clone(model).fit(np.asfortranarray(X), y),
        clone(model).fit(sparse.csr_array(X), y),
        stream.partial_fit(X[3:], y[3:]),
        sparse_stream.partial_fit(sparse.csr_array(X[3:]), y[3:]),
    ):
        assert_allclose(found.coef_, 0, atol=1e-6)
        assert_allclose(found.predict_proba(X[:1])[0, 1], expected, atol=1e-3)


@pytest.mark.parametrize("solver", ["primal", "dual", "krylov"])
@pytest.mark.parametrize("n", [1, 14])
@pytest.mark.parametrize("equal", ["all", "what the source reads"])
def test_rows_of_which_the_source_says_the_same_leave_alpha_at_its_prior(n, equal, solver):
    # less their mean its values are rounding, of which a fit would have an α of 1e12
    rng, source = np.random.default_rng(0), LinearRegression()
    X, y = rng.normal(size=(n, 4)) + 3, rng.normal(size=n)
    source.coef_, source.intercept_ = np.array([0.3, -2.7, 1.1, 0.0]), 0.5
    X[:, : 4 if equal == "all" else 3] = X[0, : 4 if equal == "all" else 3]
    alpha = 0.977 + 0.009 - 0.004
    model = AlphaTransferRegressor(source, solver=solver)
    chunks = clone(model).partial_fit(X[: n // 2 + 1], y[: n // 2 + 1])
    for found in (
        clone(model).fit(X, y),
        clone(model).fit(sparse.csr_array(X), y),
        chunks.partial_fit(X[n // 2 :], y[n // 2 :]),
    ):
        assert_allclose(found.alpha_, alpha, rtol=1e-9)
        assert_allclose(found.coef_[:3], alpha * source.coef_[:3], rtol=1e-3)


def test_an_array_that_says_the_same_of_all_rows_counts_for_nothing():
    # less their mean its values are rounding, which no scale brings to log odds
    rng = np.random.default_rng(1)
    X, y = np.column_stack([rng.normal(size=(35, 3)), np.full(35, 0.3)]), np.arange(35) % 2
    model = AlphaTransferClassifier(np.array([0.0, 0.0, 0.0, 1.7])).fit(X, y)
    assert_allclose(model.alpha_, 0)
    assert_allclose(model.coef_, AlphaTransferClassifier().fit(X, y).coef_, rtol=1e-6)


def test_opposed_sources_that_cancel_keep_their_scale():
    # log odds of zero tell nothing of the usual scale
    X, y = np.ones((6, 2)), np.arange(6) % 2
    one = LogisticRegression().fit(np.eye(2), [0, 1])
    other = clone(one).fit(np.eye(2), [1, 0])
    one.intercept_, other.intercept_ = np.array([0.7]), np.array([-0.7])
    model = AlphaTransferClassifier([one, other]).fit(X, y)
    assert np.abs(model.alpha_).max() < 1
    assert_allclose(model.predict_proba([[0.0, 1.0]]), 0.5)
