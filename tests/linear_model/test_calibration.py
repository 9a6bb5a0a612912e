"""The temperature of several sets of decision values, against a search by SciPy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from sklearn_alpha.linear_model._calibration import (
    LOG_WIDTHS,
    THETAS,
    below_own,
    calibrate,
    inverse_temperature,
    log_probabilities,
    smoothed_targets,
    temperature_of_moments,
)
from sklearn_alpha.linear_model._calibration import losses as losses_below


def problem(n_outputs, n=50, n_sets=3, seed=0):
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


def losses(values, targets, weights):
    """Negative log-likelihood of one set, a function of β."""
    F = np.column_stack([0 * values, values]) if values.shape[1] == 1 else values
    return lambda beta: -weights @ (targets * log_softmax(beta * F, axis=1)).sum(axis=1)


@pytest.mark.parametrize("start", [1e-3, 0.2, 1.0, 50.0])
@pytest.mark.parametrize("n_outputs", [1, 2, 3, 5])
def test_temperature_and_loss_of_each_set(n_outputs, start):
    values, y, weights = problem(n_outputs)
    targets = smoothed_targets(y, weights, max(n_outputs, 2))
    beta, loss, size = inverse_temperature(values, targets, weights, start)
    for k, own in enumerate(values):
        of = losses(own, targets, weights)
        scale = 1 / np.geomspace(0.01, 30, 3)[k]
        best = minimize_scalar(
            of, bounds=(0.01 * scale, 50 * scale), method="bounded", options={"xatol": 1e-9}
        )
        assert_allclose(beta[k], best.x, rtol=1e-4)
        assert_allclose(loss[k], of(beta[k]), rtol=1e-12)
        F = np.column_stack([0 * own, own]) if n_outputs == 1 else own
        F = F - F.mean(axis=1, keepdims=True)
        assert_allclose(size[k], np.sqrt(np.average((F**2).mean(axis=1), weights=weights)))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_targets_are_platts(n_classes):
    labels, weights = np.array([0, 1, 1, 0, 1]), np.array([1.0, 2.0, 0.5, 1.0, 1.0])
    found = smoothed_targets(labels, weights, n_classes)  # the last of three classes has no row
    for row, label in zip(found, labels):
        count = weights[labels == label].sum()
        expected = np.full(n_classes, 1 / (count + n_classes))
        expected[label] = (count + 1) / (count + n_classes)
        assert_allclose(row, expected)


def test_values_that_say_nothing_are_a_tie():
    """No rows are told apart: whatever β is within its bounds, the loss is log 2 a row."""
    targets = smoothed_targets(np.arange(16) % 2, np.ones(16), 2)
    beta, loss, size = inverse_temperature(np.zeros((1, 16, 1)), targets, np.ones(16))
    assert size == 1
    assert 16**-0.5 <= beta[0] <= 1e3
    assert_allclose(loss, 16 * np.log(2))


def test_values_that_are_against_the_labels_have_the_floor():
    y = np.arange(100) % 2
    values = np.where(y, -1.0, 1.0)[None, :, None]
    targets = smoothed_targets(y, np.ones(100), 2)
    beta, *_, size = inverse_temperature(values, targets, np.ones(100))
    assert_allclose(beta * size, 0.1, rtol=1e-5)


@pytest.mark.parametrize("far", [1e8, 1e-8])
def test_the_unit_of_the_values_moves_beta_alone(far):
    values, y, weights = problem(3)
    targets = smoothed_targets(y, weights, 3)
    beta, loss, size = inverse_temperature(values, targets, weights)
    again = inverse_temperature(far * values, targets, weights)
    assert_allclose(again[0], beta / far, rtol=1e-9)
    assert_allclose(again[1], loss, rtol=1e-12)
    assert_allclose(again[2], size * far, rtol=1e-12)


def test_one_far_row_leaves_the_others_their_part():
    values, y, weights = problem(3, n_sets=1)
    values[0, 0] = 1e5, -1e5, 0
    targets = smoothed_targets(y, weights, 3)
    beta, loss, _ = inverse_temperature(values, targets, weights)
    assert_allclose(loss, losses(values[0], targets, weights)(beta[0]), rtol=1e-12)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_log_probabilities_are_those_of_scipy(n_outputs):
    values = np.random.default_rng(0).normal(size=(6, n_outputs)) * np.geomspace(1, 1e5, 6)[:, None]
    F = np.column_stack([0 * values, values]) if n_outputs == 1 else values
    assert_allclose(log_probabilities(values, 0.3), log_softmax(0.3 * F, axis=1), rtol=1e-12)


@pytest.mark.parametrize(("size", "unit"), [(2.0, 2.0), (0.0, 1.0)])
@pytest.mark.parametrize(("difference", "scaled"), [(-1.0, 25**-0.5), (1.0, 1e3)])
def test_temperature_of_moments_keeps_within_its_bounds(difference, scaled, size, unit):
    beta = temperature_of_moments(difference, 1e-9, size, n=25, n_outputs=1, leverage=0.1)
    assert_allclose(beta, scaled / unit)


# ---------------------------------------------------------------- the parts of the anchored rule


def parts(n_classes, n, size, seed=0):
    """F, residual, of_T and offset that tell the classes to different degrees, labels, weights."""
    rng = np.random.default_rng([seed, n_classes, n])
    n_outputs = 1 if n_classes == 2 else n_classes
    y = rng.permutation(np.arange(n) % n_classes)
    codes = 2 * np.eye(n_classes)[y]
    codes = codes[:, 1:] - 1 if n_classes == 2 else codes - 2 / n_classes
    found = [
        size * (noise * rng.normal(size=(n, n_outputs)) + signal * codes)
        for noise, signal in ((1.0, 0.7), (0.5, 0.2), (0.5, 0.3), (0.1, 0.05))
    ]
    return found, y, rng.uniform(0.3, 3, size=n)


def joint_posterior(values, y, weights, log_beta, log_t):
    """P(θ, t, β), by the log loss of every combination."""
    F, residual, of_T, offset = values
    P = np.empty((len(THETAS), len(log_t), len(log_beta)))
    for i, theta in enumerate(THETAS):
        for j, t in enumerate(np.exp(log_t)):
            f = F + t * (residual + theta * of_T) + offset
            f = np.column_stack([0 * f, f]) if f.shape[1] == 1 else f
            for k, beta in enumerate(np.exp(log_beta)):
                P[i, j, k] = weights @ log_softmax(beta * f, axis=1)[np.arange(len(y)), y]
    P -= (log_t[:, None] / LOG_WIDTHS[1]) ** 2 / 2 + (log_beta / LOG_WIDTHS[0]) ** 2 / 2
    P = np.exp(P - P.max())
    return P / P.sum()


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("n", [4, 30, 300])
@pytest.mark.parametrize("size", [0.3, 1.0, 3.0])
def test_calibration_is_the_posterior_mean(n_classes, n, size):
    values, y, weights = parts(n_classes, n, size)
    beta, t, theta = calibrate(*values, y, weights)
    grid = np.linspace(-3.5, 3.5, 71)
    P = joint_posterior(values, y, weights, grid, grid)
    mean_t = P.sum(axis=(0, 2)) @ np.exp(grid)
    # a step is up to two standard deviations, and four rows leave a posterior with corners
    error = 0.05 if n == 4 else 0.02
    assert_allclose(np.log(beta), P.sum(axis=(0, 1)) @ grid, atol=error)
    assert_allclose(t, mean_t, rtol=error)
    mean = np.einsum("ijk,i,j->", P, THETAS, np.exp(grid)) / mean_t
    assert_allclose(theta, mean, atol=error)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_values_that_say_nothing_leave_the_priors(n_classes):
    (F, *_), y, weights = parts(n_classes, 20, 0.0)
    beta, t, theta = calibrate(F, F, F, F, y, weights)
    assert_allclose(beta, 1)
    assert_allclose(t, np.exp(LOG_WIDTHS[1] ** 2 / 2), rtol=0.01)  # the mean of a log-normal
    assert_allclose(theta, 0.5)


def test_an_output_of_two_classes_is_their_difference():
    """One column of log odds, or a column for each class: the same likelihood."""
    values, y, weights = parts(2, 40, 1.0)
    both = [np.hstack([-value / 2, value / 2]) for value in values]
    assert_allclose(calibrate(*both, y, weights), calibrate(*values, y, weights), rtol=1e-8)


def test_what_all_classes_share_moves_no_calibration():
    values, y, weights = parts(3, 40, 1.0)
    moved = [value + row for value, row in zip(values, np.arange(160.0).reshape(4, 40, 1))]
    assert_allclose(calibrate(*moved, y, weights), calibrate(*values, y, weights), rtol=1e-8)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_weights_of_rows_are_repetitions(n_classes):
    values, y, weights = parts(n_classes, 40, 1.0)
    counts = np.ceil(weights).astype(int)
    repeated = [np.repeat(value, counts, axis=0) for value in values]
    again = calibrate(*repeated, np.repeat(y, counts), np.ones(counts.sum()))
    assert_allclose(calibrate(*values, y, counts.astype(float)), again, rtol=1e-10)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("n", [2, 3, 50])
@pytest.mark.parametrize("size", [1e-100, 1e-10, 1e10, 1e100])
def test_values_of_any_size_end_with_finite_numbers(n_classes, n, size):
    values, y, weights = parts(n_classes, n, size)
    beta, t, theta = calibrate(*values, y, weights)
    assert np.isfinite([beta, t]).all()
    assert beta > 0
    assert t > 0
    assert 0 <= theta <= 1 + 1e-12


def test_rows_that_are_told_apart_for_certain_leave_beta_finite():
    y = np.arange(40) % 2
    F = np.where(y, 1e3, -1e3)[:, None]
    beta, *_ = calibrate(F, F, F, 0 * F, y, np.ones(40))
    assert_allclose(beta, 1, atol=1e-6)  # every β is as good


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_losses_are_those_of_scipy(n_outputs):
    values, y, weights = problem(n_outputs)
    below = below_own(values[2], y)
    expected = losses(values[2], np.eye(max(n_outputs, 2))[y], weights)(1.0)
    assert_allclose(losses_below(below, weights), expected, rtol=1e-12)
