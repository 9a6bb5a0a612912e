"""The choice by theory against a search over its predictions."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

from sklearn_alpha import AlphaTransferClassifier
from sklearn_alpha.theory import (
    isotropic_asymptotics,
    regression_asymptotics,
    target_asymptotics,
)
from tests.linear_model._rules.oracles import (
    coded,
    kinds,
    log_normal_posterior,
    shapes,
    shift_oracle,
)


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
