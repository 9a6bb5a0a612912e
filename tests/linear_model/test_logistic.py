"""The logistic adapter against SciPy's search, a step of Newton's method, and refits."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit, log_softmax
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from sklearn_alpha import AlphaTransferClassifier
from sklearn_alpha.linear_model._data.rows import Rows
from sklearn_alpha.linear_model._logistic import ETA, TAU, LogisticRows


def data(n, p, n_classes, seed=0):
    rng = np.random.default_rng([seed, n, p, n_classes])
    means = rng.normal(size=(n_classes, p))
    labels = np.arange(n) % n_classes
    X = means[labels] + rng.normal(size=(n, p))
    return X, rng.normal(size=(n, n_classes)), labels, rng.integers(1, 4, size=n).astype(float)


def fit(X, F, labels, weights, **options):
    return LogisticRows(Rows(X, weights, 0.0, np.ones(len(weights))), **options).fit(F, labels)


shapes = pytest.mark.parametrize(("n", "p"), [(25, 4), (9, 30), (12, 12), (1, 3)])
many = pytest.mark.parametrize("n_classes", [2, 3, 6])


@shapes
@many
@pytest.mark.parametrize("has_intercept", [True, False])
def test_the_fit_is_the_maximum(n, p, n_classes, has_intercept):
    X, F, labels, weights = data(n, p, n_classes)
    size = np.sqrt(np.average(np.sum(X**2, axis=1), weights=weights))
    Z = np.column_stack([TAU * X / size, np.full(n, ETA * has_intercept)])

    def objective(B):
        log_P = log_softmax(F + Z @ B.reshape(p + 1, n_classes), axis=1)
        return -weights @ log_P[np.arange(n), labels] + B @ B / 2

    found = fit(X, F, labels, weights, has_intercept=has_intercept)
    B = minimize(objective, np.zeros((p + 1) * n_classes)).x.reshape(p + 1, n_classes)
    assert_allclose(found.coef, TAU / size * B[:-1].T, atol=1e-4)
    assert_allclose(found.intercept, ETA * has_intercept * B[-1], atol=1e-4)


@shapes
@many
def test_rotations_zeros_and_sparse_rows_move_nothing(n, p, n_classes):
    """Of rows that are few beside their features, the fit is in their span."""
    X, *rest = data(n, p, n_classes)
    expected = fit(X, *rest)
    Q = np.linalg.qr(np.random.default_rng(0).normal(size=(p, p)))[0]
    wide = np.column_stack([X, np.zeros((n, 40))])
    for other, back in (
        (X @ Q, lambda coef: coef @ Q.T),
        (wide, lambda coef: coef[:, :p]),
        (sparse.csr_array(wide), lambda coef: coef[:, :p]),
    ):
        found = fit(other, *rest)
        assert_allclose(back(found.coef), expected.coef, atol=1e-9)
        assert_allclose(found.intercept, expected.intercept, atol=1e-9)
        assert_allclose(found.left_out, expected.left_out, atol=1e-9)


@shapes
@many
def test_weights_are_repeated_rows(n, p, n_classes):
    X, F, labels, weights = data(n, p, n_classes)
    index = np.repeat(np.arange(n), weights.astype(int))
    found = fit(X, F, labels, weights)
    repeated = fit(X[index], F[index], labels[index], np.ones(len(index)))
    assert_allclose(repeated.coef, found.coef, atol=1e-9)
    assert_allclose(repeated.left_out, found.left_out[index], atol=1e-9)


@pytest.mark.parametrize(("n", "p"), [(25, 4), (9, 30)])
def test_a_row_of_two_classes_is_left_out_by_a_newton_step(n, p):
    """With one column of log odds f, of which the two columns are ±f/2."""
    X, F, labels, _ = data(n, p, 2)
    found = fit(X, F, labels, np.ones(n))
    size = np.sqrt(np.mean(np.sum(X**2, axis=1)))
    Z = np.column_stack([TAU * X / size, np.full(n, ETA)])
    # the difference of the two columns has the penalty ‖B‖²/4
    B = np.append(size / TAU * np.diff(found.coef, axis=0), np.diff(found.intercept) / ETA)
    P = expit(F[:, 1] - F[:, 0] + Z @ B)
    for i in range(n):
        rest = np.arange(n) != i
        H = Z.T @ np.diag(rest * P * (1 - P)) @ Z + np.eye(p + 1) / 2
        slope = Z[rest].T @ (P - labels)[rest] + B / 2
        left_out = Z[i] @ (B - np.linalg.solve(H, slope))
        assert_allclose(np.diff(found.left_out[i])[0], left_out, atol=1e-8)


@pytest.mark.parametrize(("n", "p"), [(60, 4), (30, 10), (20, 40)])
@many
def test_left_out_values_are_near_those_of_refits(n, p, n_classes):
    X, F, labels, _ = data(n, p, n_classes)
    found = fit(X, F, labels, np.ones(n))
    size = np.sqrt(np.mean(np.sum(X**2, axis=1)))
    refits = np.empty_like(F)
    for i in range(n):
        rest = np.arange(n) != i
        own = np.sqrt(np.mean(np.sum(X[rest] ** 2, axis=1)))
        # τ is in units of all rows
        one = fit(X[rest] * own / size, F[rest], labels[rest], np.ones(n - 1))
        refits[i] = one.coef @ X[i] * own / size + one.intercept
    fitted = X @ found.coef.T + found.intercept
    error = np.sqrt(np.mean((found.left_out - refits) ** 2))
    assert error < 0.35 * np.sqrt(np.mean((fitted - refits) ** 2))


@many
@pytest.mark.parametrize("size", [1e-150, 1.0, 1e150])
@pytest.mark.parametrize("odds", [0.0, 1.0, 1e8])
@pytest.mark.parametrize("weight", [1e-30, 1.0, 1e30])
def test_numbers_of_any_size_give_finite_fits(n_classes, size, odds, weight):
    X, F, labels, weights = data(20, 3, n_classes)
    found = fit(size * X, odds * F, labels, weight * weights)
    assert np.isfinite(found.left_out).all()
    assert np.isfinite(X @ (size * found.coef).T).all()


def test_a_class_between_two_others_is_predicted():
    """A ridge fit of codes gives the second class of iris .8 of its accuracy."""
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    scores = []
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(150)
        own, scored = order[:100], order[100:]
        for model in (AlphaTransferClassifier(), AlphaTransferClassifier(selection="evidence")):
            scores.append(model.fit(X[own], y[own]).score(X[scored], y[scored]))
    default, ridge = np.reshape(scores, (5, 2)).mean(axis=0)
    assert default >= 0.93
    assert default >= ridge + 0.08


@pytest.mark.parametrize("n", [150, 600])
def test_many_rows_of_many_classes_are_fitted_as_by_logistic_regression(n):
    """Beside a source, no worse than logistic regression on the target alone."""
    rng = np.random.default_rng(0)
    means = 1.5 * rng.normal(size=(8, 8))
    moved = means + 0.5 * rng.normal(size=means.shape)

    def rows(m, means):
        y = rng.integers(8, size=m)
        return means[y] + rng.normal(size=(m, 8)), y

    source = LogisticRegression().fit(*rows(500, means))
    (X, y), (X_test, y_test) = rows(n, moved), rows(2000, moved)
    options = {
        "scoring": "neg_log_loss",
        "use_legacy_attributes": False,
        "l1_ratios": (0,),
        "max_iter": 2000,
    }
    alone = LogisticRegressionCV(**options).fit(X, y)
    model = AlphaTransferClassifier(source).fit(X, y)
    losses = [log_loss(y_test, one.predict_proba(X_test)) for one in (model, alone, source)]
    assert losses[0] <= min(losses[1:]) + 0.01
    assert model.score(X_test, y_test) >= alone.score(X_test, y_test) - 0.005
