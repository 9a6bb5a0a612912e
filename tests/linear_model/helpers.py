"""What tests of both estimators share: kinds of problems, options, and comparisons."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from sklearn_alpha.linear_model._rules import RULES

KINDS = ("binary", "classes", "target", "targets")
SHAPES = [(13, 6), (8, 14), (9, 9)]

kinds = pytest.mark.parametrize("kind", KINDS)
shapes = pytest.mark.parametrize("shape", SHAPES)
selections = pytest.mark.parametrize("selection", RULES)
containers = pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix, sparse.csc_array])
heights = pytest.mark.parametrize(
    "parameters",
    [{"fit_intercept": False}, {"intercept_scaling": 0.7}, {"intercept_scaling": np.inf}, {}],
    ids=["none", "0.7", "inf", "default"],
)


def decisions(model, X):
    return getattr(model, "decision_function", model.predict)(X)


def halves(n):
    """Two folds with rows of every class in the training part."""
    rows = np.arange(n)
    return [(rows[: n - 2], rows[n - 2 :]), (rows[2:], rows[:2])]


def sets_of_values(n_outputs, n=50, n_sets=3, seed=0):
    """Decision values of sets of different sizes and sharpness, labels and weights."""
    rng = np.random.default_rng(seed)
    n_classes = max(n_outputs, 2)
    y = np.arange(n) % n_classes
    values = rng.normal(size=(n_sets, n, n_outputs))
    if n_outputs == 1:
        values[:, :, 0] += np.where(y, 1, -1)
    else:
        values[:, np.arange(n), y] += 1
    values *= np.geomspace(0.01, 30, n_sets)[:, None, None]
    return values, y, rng.uniform(0.3, 3, size=n)


def temperature(values, labels, weights):
    """β of left-out values (n_rows, n_outputs), by SciPy's search for the maximum over log β."""
    n_outputs = values.shape[1]
    Y = np.where(labels[:, None] == np.arange(max(n_outputs, 2)), 1.0, -1.0)
    Y = Y[:, 1:] if n_outputs == 1 else Y - Y.mean(axis=1, keepdims=True)
    F = np.hstack([np.zeros_like(values), values]) if n_outputs == 1 else values
    inner = [weights @ (a * b).sum(axis=1) for a, b in ((Y, Y), (Y, values), (values, values))]
    slope = max(inner[1], 0.1 * np.sqrt(inner[0] * inner[2])) / inner[2]
    centre = np.log(slope * (2 if n_outputs == 1 else np.sqrt(n_outputs / 2)))

    def loss(x):
        own = log_softmax(np.exp(x) * F, axis=1)[np.arange(len(labels)), labels]
        return -weights @ own + ((x - centre) / 0.35) ** 2 / 2

    grid = centre + np.linspace(-5, 5, 401)
    x = grid[np.argmin([loss(at) for at in grid])]
    options = {"method": "bounded", "options": {"xatol": 1e-12}}
    return np.exp(minimize_scalar(loss, bounds=(x - 0.03, x + 0.03), **options).x)


def selected(selection, folds):
    """Parameters of a selection, with the folds of "cv", which no other reads."""
    return {"selection": selection, **({"cv": folds} if selection == "cv" else {})}


def in_one(parts, shape):
    """The residuals that `leave_one_out` gives for some γ and rows at a time."""
    found = np.full(shape, np.nan)
    for which, at, residuals in parts:
        found[which, at] = residuals
    return found


def assert_same_model(first, second, X, atol=1e-8):
    assert_allclose(decisions(first, X), decisions(second, X), rtol=0, atol=atol)
    assert_allclose(first.intercept_, second.intercept_, rtol=0, atol=atol)
