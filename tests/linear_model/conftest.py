"""Problems of every kind, and brute-force oracles: explicit repeated rows, one refit per row."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.linalg import null_space
from sklearn.base import clone
from sklearn.linear_model import Ridge

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.linear_model import _target
from sklearn_alpha.linear_model._data import sample as rows_of_least_keys
from sklearn_alpha.linear_model._rules.evidence import quadrature


def codes(y):
    """±1 codes: one column for two classes, else one for each, less their mean over the classes."""
    member = np.asarray(y)[:, None] == np.unique(y)
    values = np.where(member[:, 1:] if member.shape[1] == 2 else member, 1.0, -1.0)
    return values - common_code(values.shape[1])


def common_code(n_outputs):
    """What the codes ±1 of all classes share."""
    return 2 / n_outputs - 1 if n_outputs > 2 else 0.0


def make_problem(kind, n=12, p=7, n_sources=1, seed=0):
    """A problem with unequal classes, a mean away from zero, and sources with intercepts.

    `kind` is "binary", "classes" (three), "target" or "targets" (two of them). `common` is what
    the estimator adds to the decision values of every class, whose codes and sources have mean 0.
    """
    rng = np.random.default_rng([seed, n, p, n_sources])
    X = rng.normal(size=(n, p)) + 0.5
    n_outputs = {"binary": 1, "classes": 3, "target": 1, "targets": 2}[kind]
    if kind in ("binary", "classes"):
        Estimator = AlphaTransferClassifier
        y = rng.permutation(np.arange(n) % 5 % (2 if kind == "binary" else 3))
        X += rng.normal(size=(3, p))[y] / 2
        Y = codes(y)
    else:
        Estimator = AlphaTransferRegressor
        Y = X @ rng.normal(size=(p, n_outputs)) + rng.normal(size=(n, n_outputs)) + 1
        y = Y[:, 0] if kind == "target" else Y
    W = rng.normal(size=(n_outputs, n_sources, p))
    b = rng.normal(size=(n_outputs, n_sources))
    common = 0.0
    if kind == "classes":
        W, b, common = W - W.mean(axis=0), b - b.mean(axis=0), common_code(n_outputs)
    source = [(W[:, k], b[:, k]) for k in range(n_sources)]
    counts = rng.integers(1, 4, size=n)
    S = np.einsum("ip,ckp->ick", X, W) + b
    return SimpleNamespace(
        X=X,
        y=y,
        Y=Y,
        S=S,
        W=W,
        b=b,
        common=common,
        source=source or None,
        counts=counts,
        Estimator=Estimator,
    )


def explicit(X, counts, height):
    """M: rows repeated, with the constant column k beside them, or centred where k is infinite."""
    X = np.repeat(X, counts, axis=0)
    if np.isinf(height):
        return X - X.mean(axis=0)
    return np.column_stack([X, np.full(len(X), height)]) if height else X


def kernel(X, counts, height, gamma):
    """MMᵀ/n + γI over the repeated rows."""
    M = explicit(X, counts, height)
    return M @ M.T / len(M) + gamma * np.eye(len(M))


def ridge(X, Y, weights, n_gamma, height):
    """a (n_outputs, p) and b (n_outputs,) of scikit-learn's Ridge with alpha = n·γ."""
    Y = Y.reshape(len(Y), -1)
    if np.isinf(height):
        model = Ridge(alpha=n_gamma, solver="svd").fit(X, Y, sample_weight=weights)
        return model.coef_.reshape(Y.shape[1], -1), np.reshape(model.intercept_, -1)
    augmented = np.column_stack([X, np.full(len(X), height)])
    model = Ridge(alpha=n_gamma, fit_intercept=False, solver="svd")
    coef = model.fit(augmented, Y, sample_weight=weights).coef_.reshape(Y.shape[1], -1)
    return coef[:, :-1], coef[:, -1] * height


def left_out(X, Y, weights, n_gamma, height, unit=None):
    """Prediction of ridge at each row with one repetition of the row taken away; n·γ is held."""
    Y = Y.reshape(len(Y), -1)
    values = np.empty_like(Y)
    unit = np.minimum(weights, 1) if unit is None else unit
    for i in range(len(X)):
        rest = weights.astype(float)
        rest[i] -= unit[i]
        keep = rest > 0
        a, b = ridge(X[keep], Y[keep], rest[keep], n_gamma, height)
        values[i] = X[i] @ a.T + b
    return values


def contrasts(y, S, K, centred):
    """(Nᵀy, NᵀKN) with N an orthonormal basis of what S, and a free intercept, do not span."""
    design = np.column_stack([S, np.ones((len(y), int(centred)))])
    N = null_space(design.T) if design.shape[1] else np.eye(len(y))
    return N.T @ y, N.T @ K @ N


@pytest.fixture(scope="session")
def problem():
    return make_problem


@pytest.fixture(scope="session")
def oracle():
    return SimpleNamespace(
        codes=codes,
        explicit=explicit,
        kernel=kernel,
        ridge=ridge,
        left_out=left_out,
        contrasts=contrasts,
    )


@pytest.fixture
def sample(monkeypatch):
    """Estimates read ten rows at most: a function of X that says which."""
    for module in (_target, rows_of_least_keys):
        monkeypatch.setattr(module, "SIZE", 10)
    return lambda X: np.argsort(rows_of_least_keys.row_keys(X))[: 10 if len(X) > 10 else None]


@pytest.fixture
def estimate():
    """The left-out values of a fit by evidence, as of a sample: averaged over a few γ's."""

    def average(model, task):
        x, weights = quadrature(np.log(model.path_.gammas), model.path_.posterior)
        held = clone(model).set_params(selection="evidence", store_loo=True)
        fits = (held.set_params(gamma=gamma).fit(task.X, task.y) for gamma in np.exp(x))
        values = sum(w * fit.loo_decision_function_ for w, fit in zip(weights, fits, strict=True))
        return values.reshape(len(values), -1) - task.common

    return average
