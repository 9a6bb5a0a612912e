"""The temperature of several sets of decision values, against a search by SciPy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp

from sklearn_alpha.linear_model._calibration import (
    below_own,
    calibrate,
    inverse_temperature,
    log_probabilities,
    smoothed_targets,
    temperature_of_moments,
)
from sklearn_alpha.linear_model._calibration import losses as losses_below
from tests.linear_model.helpers import sets_of_values


def losses(values, targets, weights):
    """Negative log-likelihood of one set, a function of β."""
    F = np.column_stack([0 * values, values]) if values.shape[1] == 1 else values
    return lambda beta: -weights @ (targets * log_softmax(beta * F, axis=1)).sum(axis=1)


@pytest.mark.parametrize("start", [1e-3, 0.2, 1.0, 50.0])
@pytest.mark.parametrize("n_outputs", [1, 2, 3, 5])
def test_temperature_and_loss_of_each_set(n_outputs, start):
    values, y, weights = sets_of_values(n_outputs)
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
    values, y, weights = sets_of_values(3)
    targets = smoothed_targets(y, weights, 3)
    beta, loss, size = inverse_temperature(values, targets, weights)
    again = inverse_temperature(far * values, targets, weights)
    assert_allclose(again[0], beta / far, rtol=1e-9)
    assert_allclose(again[1], loss, rtol=1e-12)
    assert_allclose(again[2], size * far, rtol=1e-12)


def test_one_far_row_leaves_the_others_their_part():
    values, y, weights = sets_of_values(3, n_sets=1)
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


# ---------------------------------------------------------------- the anchored rule


def parts(n_classes, n, size=1.0, seed=0):
    """F and adapters that tell the classes to different degrees, labels, weights, a prior."""
    rng = np.random.default_rng([seed, n_classes, n])
    n_outputs = 1 if n_classes == 2 else n_classes
    y = rng.permutation(np.arange(n) % n_classes)
    codes = 2 * np.eye(n_classes)[y]
    codes = codes[:, 1:] - 1 if n_classes == 2 else codes - 2 / n_classes
    F, *adapters = (
        size * (noise * rng.normal(size=(n, n_outputs)) + signal * codes)
        for noise, signal in ((1.0, 0.7), (1.0, 0.3), (0.5, 0.2), (0.5, 0.0))
    )
    weights, log_prior = rng.uniform(0.3, 3, size=n), np.log([0.5, 0.3, 0.2])
    return (
        np.array([F, F, 0.5 * F]),
        np.array(adapters),
        y,
        weights,
        np.minimum(weights, 1),
        log_prior,
    )


def integrals(F, adapters, y, weights, unit, log_prior):
    """E log β, P(γ)E[t | γ] and P(γ) by sums over a fine grid, and the errors of the first two.

    log β ~ N(0, .25²) and log t ~ N(log .4, .8²), each far enough. The errors are
    the standard deviations of log β, and of t where γ is right and zero where it is not.
    """
    z_beta, z_t = np.linspace(-8, 8, 81), np.linspace(-6, 6, 121)
    log_beta, log_t = 0.25 * z_beta, np.log(0.4) + 0.8 * z_t
    own = np.arange(len(y)), y
    log_P = np.empty((len(adapters), len(z_t), len(z_beta)))
    for g, adapter in enumerate(adapters):
        for j, t in enumerate(np.exp(log_t)):
            f = F[g] + t * adapter
            f = np.column_stack([0 * f, f]) if f.shape[1] == 1 else f
            of_beta = np.exp(log_beta)[:, None, None] * f
            likelihood = (of_beta[:, *own] - logsumexp(of_beta, axis=2)) @ weights
            log_P[g, j] = log_prior[g] + likelihood - z_beta**2 / 2 - z_t[j] ** 2 / 2
    P = np.exp(log_P - log_P.max())
    P /= P.sum()
    of_beta, of_t, of_adapter = P.sum(axis=(0, 1)), P.sum(axis=2), P.sum(axis=(1, 2))
    mean, t, t2 = of_beta @ log_beta, of_t @ np.exp(log_t), of_t @ np.exp(2 * log_t)
    return (mean, t, of_adapter), (np.sqrt(of_beta @ (log_beta - mean) ** 2), np.sqrt(t2 - t**2))


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("n", [4, 30, 300])
@pytest.mark.parametrize("size", [0.3, 1.0, 3.0])
def test_calibration_is_the_posterior_mean(n_classes, n, size):
    """The grid's step is up to two standard deviations, and an error of a fifth of one is left."""
    given = parts(n_classes, n, size)
    beta, t, P, *_ = calibrate(*given)
    (log_beta, mean_t, posterior), (beta_error, t_error) = integrals(*given)
    assert abs(np.log(beta) - log_beta) <= 0.2 * beta_error
    assert (np.abs(t - mean_t) <= 0.2 * t_error + 1e-6).all()
    assert_allclose(P, posterior, atol=0.02)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_values_that_say_nothing_leave_the_priors(n_classes):
    F, adapters, y, weights, unit, log_prior = parts(n_classes, 20, 0.0)
    beta, t, P, *_ = calibrate(F, adapters, y, weights, unit, log_prior)
    assert_allclose(beta, 1)
    assert_allclose(P, np.exp(log_prior))
    # the mean of a log-normal
    assert_allclose(t, P * 0.4 * np.exp(0.8**2 / 2), rtol=0.02)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_an_adapter_that_is_listed_twice_shares_its_posterior(n_classes):
    F, adapters, y, weights, unit, log_prior = parts(n_classes, 40)
    beta, t, P, *_ = calibrate(F, adapters, y, weights, unit, log_prior)
    twice, half = adapters[[0, 0, 1, 2]], np.log([0.5, 0.5, 1.0, 1.0])
    again = calibrate(F[[0, 0, 1, 2]], twice, y, weights, unit, log_prior[[0, 0, 1, 2]] + half)
    share = np.array([0.5, 0.5, 1.0, 1.0])
    assert_allclose(again[0], beta, rtol=1e-10)
    assert_allclose(again[1], share * t[[0, 0, 1, 2]], rtol=1e-10)
    assert_allclose(again[2], share * P[[0, 0, 1, 2]], rtol=1e-10)


def test_the_adapter_that_is_right_has_the_posterior():
    F, adapters, y, weights, unit, log_prior = parts(3, 2000)
    _, t, P, *_ = calibrate(0 * F, adapters, y, weights, unit, log_prior)
    # its signal is .4 of its noise, of the others .3 and none
    assert_allclose(P, [0, 1, 0], atol=1e-6)
    assert_allclose(t[[0, 2]], 0, atol=1e-6)


def assert_same_calibration(one, other, rtol=1e-8):
    for first, second in zip(one, other, strict=True):
        assert_allclose(second, first, rtol=rtol)


def test_an_output_of_two_classes_is_their_difference():
    """One column of log odds, or a column for each class: the same likelihood."""
    F, adapters, *rest = parts(2, 40)
    both = [np.concatenate([-value / 2, value / 2], axis=-1) for value in (F, adapters)]
    assert_same_calibration(calibrate(F, adapters, *rest), calibrate(*both, *rest))


def test_what_all_classes_share_moves_no_calibration():
    F, adapters, *rest = parts(3, 40)
    common = np.arange(160.0).reshape(4, 40, 1)
    moved = calibrate(F + common[:1], adapters + common[1:], *rest)
    assert_same_calibration(calibrate(F, adapters, *rest), moved)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_weights_of_rows_are_repetitions(n_classes):
    F, adapters, y, weights, _, log_prior = parts(n_classes, 40)
    counts = np.ceil(weights).astype(int)
    index, ones = np.repeat(np.arange(40), counts), np.ones(counts.sum())
    repeated = calibrate(F[:, index], adapters[:, index], y[index], ones, ones, log_prior)
    weighted = calibrate(F, adapters, y, counts.astype(float), np.ones(40), log_prior)
    each = {name: getattr(weighted, name)[:, index] for name in weighted._fields[3:]}
    assert_same_calibration(weighted._replace(**each), repeated, rtol=1e-10)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("n", [10, 60])
def test_what_is_without_a_row_is_the_posterior_of_the_others(n_classes, n):
    F, adapters, y, weights, unit, log_prior = parts(n_classes, n)
    found = calibrate(F, adapters, y, weights, unit, log_prior)
    for i in range(n):
        rest = weights - unit * (np.arange(n) == i)
        (_, t, posterior), (_, t_error) = integrals(F, adapters, y, rest, unit, log_prior)
        assert (np.abs(found.trust_without[:, i] - t) <= 0.25 * t_error + 1e-6).all()
        assert_allclose(found.posterior_without[:, i], posterior, atol=0.03)


def test_adapters_of_different_size_have_peaks_of_their_own():
    """Those of 1000 rows are narrower than the step of a grid that has all of them."""
    F, adapters, y, weights, unit, _ = parts(3, 1000)
    sizes = np.array([1.0, 0.1, 7.0])[:, None, None]
    wide = np.full(3, -np.log(3))
    found = calibrate(F[[0, 0, 0]], sizes * adapters[0], y, weights, unit, wide)
    (_, t, posterior), (_, t_error) = integrals(
        F[[0, 0, 0]], sizes * adapters[0], y, weights, unit, wide
    )
    assert (np.abs(found.trust - t) <= 0.2 * t_error + 1e-6).all()
    assert_allclose(found.posterior, posterior, atol=0.02)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("n", [2, 3, 50])
@pytest.mark.parametrize("size", [1e-100, 1e-10, 1e10, 1e100])
def test_values_of_any_size_end_with_finite_numbers(n_classes, n, size):
    beta, t, P, *_ = calibrate(*parts(n_classes, n, size))
    assert np.isfinite([beta, *t]).all()
    assert beta > 0
    assert (t >= 0).all()
    assert t.sum() > 0
    assert_allclose(P.sum(), 1)


def test_rows_that_are_told_apart_for_certain_leave_beta_finite():
    y = np.arange(40) % 2
    F = np.where(y, 1e3, -1e3)[:, None]
    beta, *_ = calibrate(F[None], F[None], y, np.ones(40), np.ones(40), np.zeros(1))
    assert_allclose(beta, 1, atol=1e-6)  # every β is as good


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_losses_are_those_of_scipy(n_outputs):
    values, y, weights = sets_of_values(n_outputs)
    below = below_own(values[2], y)
    expected = losses(values[2], np.eye(max(n_outputs, 2))[y], weights)(1.0)
    assert_allclose(losses_below(below, weights), expected, rtol=1e-12)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_losses_of_values_whose_exponentials_overflow(n_outputs):
    below = np.full((n_outputs, 2), [1e4, -1e4])
    expected = [1e4 + np.log(n_outputs), -1e4 + np.log(n_outputs) if n_outputs > 1 else 0.0]
    assert_allclose([losses_below(below, np.eye(2)[i]) for i in range(2)], expected, rtol=1e-12)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_differences_to_the_own_class_of_several_sets_at_once(n_outputs):
    values, y, _ = sets_of_values(n_outputs)
    together = below_own(values, y)
    for k, own in enumerate(values):
        assert_allclose(together[:, k], below_own(own, y))
