"""The temperature under a prior, against a search by SciPy, and on new rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import log_softmax
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from sklearn_alpha import AlphaTransferClassifier
from sklearn_alpha.linear_model._calibration import log_probabilities
from sklearn_alpha.linear_model._labels import codes
from sklearn_alpha.linear_model._temperature import left_out_temperature
from tests.linear_model.helpers import sets_of_values, temperature


@pytest.mark.parametrize("n_outputs", [1, 3, 10])
@pytest.mark.parametrize("n", [4, 12, 50, 500])
def test_temperature_of_left_out_values(n_outputs, n):
    values, y, weights = sets_of_values(n_outputs, n, n_sets=5)
    for own in values:
        assert_allclose(
            left_out_temperature(own, y, weights), temperature(own, y, weights), rtol=1e-6
        )


@pytest.mark.parametrize("far", [1e-150, 1e-8, 1e8, 1e150])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_the_unit_of_left_out_values_moves_nothing(n_outputs, far):
    values, y, weights = sets_of_values(n_outputs, n_sets=1)
    beta = left_out_temperature(values[0], y, weights)
    assert_allclose(left_out_temperature(far * values[0], y, weights) * far, beta, rtol=1e-9)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_weights_of_left_out_values_are_repetitions(n_outputs):
    values, y, _ = sets_of_values(n_outputs, n_sets=1)
    counts = np.arange(50) % 3 + 1
    index = np.repeat(np.arange(50), counts)
    found = left_out_temperature(values[0][index], y[index], np.ones(len(index)))
    assert_allclose(left_out_temperature(values[0], y, counts), found, rtol=1e-9)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_left_out_values_that_say_nothing_or_the_opposite(n_outputs):
    """β is positive and finite; that of zeros is the size of a code."""
    _, y, weights = sets_of_values(n_outputs, n_sets=1)
    zeros = np.zeros((50, n_outputs))
    size = 2.0 if n_outputs == 1 else np.sqrt(n_outputs / 2)
    assert_allclose(left_out_temperature(zeros, y, weights), size)
    against = -codes(y, max(n_outputs, 2))[0]
    assert 0 < left_out_temperature(against, y, np.ones(50)) < 0.1 * size


def test_few_rows_of_many_classes_are_not_made_flat():
    """Separable values of one row a class keep the scale that codes have in log odds."""
    y = np.arange(10)
    F = codes(y, 10)[0]
    P = np.exp(log_probabilities(F, left_out_temperature(F, y, np.ones(10))))
    assert P[y, y].min() > 0.85  # against Platt's targets it would be .18


@pytest.mark.parametrize("selection", ["evidence", "loo", "generative"])
@pytest.mark.parametrize("n", [40, 80])
def test_probabilities_of_digits_are_near_those_of_the_best_temperature(n, selection):
    """A few rows of each of ten classes, against the temperature that new rows would choose."""
    X, y = load_digits(return_X_y=True)
    X, losses_of = X / 16, []
    source = LogisticRegression(max_iter=500).fit(X[:900], y[:900])
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(np.arange(900, len(X)))
        few, rest = order[:n], order[n:]
        model = AlphaTransferClassifier(source, selection=selection).fit(X[few], y[few])
        rest = rest[np.isin(y[rest], model.classes_)]
        labels, F = np.searchsorted(model.classes_, y[rest]), model.decision_function(X[rest])
        betas = [model.inverse_temperature_, *np.geomspace(0.3, 30, 40)]
        P = [log_softmax(beta * F, axis=1)[np.arange(len(rest)), labels] for beta in betas]
        losses_of.append(-np.mean(P, axis=1))
    own, *others = np.mean(losses_of, axis=0)
    assert own < min(others) + 0.1
