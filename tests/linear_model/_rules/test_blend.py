"""The blend against shares weighed by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.base import clone

from sklearn_alpha import AlphaTransferClassifier
from tests.linear_model._rules.oracles import constant, heights, kinds, left_out_values


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
    model = task.Estimator(task.source, selection="blend", store_loo=True, **constant(height))
    model.fit(task.X, task.y, sample_weight=counts)
    first, second = (
        clone(model).set_params(selection=name).fit(task.X, task.y, sample_weight=counts)
        for name in ("evidence", "generative")
    )
    classifier = task.Estimator is AlphaTransferClassifier
    f = estimate(first, task) if n > 10 else left_out_values(first, task)
    index = np.repeat(sample(task.X), counts[sample(task.X)])
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
