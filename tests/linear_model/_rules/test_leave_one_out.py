"""Leave-one-out values against refits, and the choice by them against a fit for each cell."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.metrics import get_scorer

from sklearn_alpha.linear_model._rules import RULES
from tests.linear_model._rules.oracles import (
    columns,
    constant,
    heights,
    k_of,
    kinds,
    left_out_values,
    n_sources,
    residual,
    shapes,
)
from tests.linear_model.helpers import selected


@kinds
@shapes
@heights
@n_sources
def test_left_out_values_are_refits_at_given_alpha_and_gamma(
    kind, shape, height, n_sources, problem, oracle
):
    task = problem(kind, *shape, n_sources=n_sources)
    alpha, gamma = np.random.default_rng(1).normal(size=task.W.shape[:2]), 0.3
    model = task.Estimator(
        task.source, alpha=alpha, gamma=gamma, store_loo=True, **constant(height)
    )
    model.fit(task.X, task.y, sample_weight=task.counts)
    y = residual(task, alpha)
    expected = task.Y - y
    expected += oracle.left_out(task.X, y, task.counts, task.counts.sum() * gamma, k_of(height))
    assert_allclose(left_out_values(model, task), expected, atol=1e-9)


@pytest.mark.parametrize("selection", RULES)
@kinds
def test_every_selection_gives_the_same_left_out_values_at_given_alpha_and_gamma(
    kind, selection, problem
):
    task = problem(kind)
    model = task.Estimator(task.source, alpha=0.8, gamma=0.3, store_loo=True)
    model.fit(task.X, task.y)
    other = clone(model).set_params(**selected(selection, 2)).fit(task.X, task.y)
    assert_allclose(other.loo_decision_function_, model.loo_decision_function_, atol=1e-12)


@kinds
@heights
def test_left_out_values_of_the_evidence_average_refits(kind, height, problem, oracle):
    task = problem(kind, n_sources=2)
    model = task.Estimator(task.source, selection="evidence", store_loo=True, **constant(height))
    path = model.fit(task.X, task.y).path_
    expected, ones = 0.0, np.ones(len(task.X))
    for P, gamma, alpha in zip(path.posterior, path.gammas, path.alphas, strict=True):
        y = residual(task, alpha)
        refits = oracle.left_out(task.X, y, ones, len(y) * gamma, k_of(height))
        expected += P * (task.Y - y + refits)
    assert_allclose(left_out_values(model, task), expected, atol=1e-9)


def test_left_out_values_take_a_whole_row_of_a_weighted_class(problem, oracle):
    task = problem("binary")
    weights = np.where(task.y == 1, 2.5, 0.5)
    model = task.Estimator(
        task.source,
        alpha=0.5,
        gamma=0.2,
        class_weight={0: 0.5, 1: 2.5},
        intercept_scaling=0.7,
        store_loo=True,
    ).fit(task.X, task.y)
    y = residual(task, np.full((1, 1), 0.5))
    refits = oracle.left_out(task.X, y, weights, weights.sum() * 0.2, 0.7, unit=weights)
    assert_allclose(columns(model.loo_decision_function_), task.Y - y + refits, atol=1e-10)


@kinds
@pytest.mark.parametrize("n_sources", [1, 2])
def test_loo_alpha_is_the_least_squares_solution(kind, n_sources, problem):
    task = problem(kind, n_sources=n_sources)
    model = task.Estimator(task.source, selection="loo", gamma=0.4, store_loo=True)
    model.fit(task.X, task.y, sample_weight=task.counts)

    def left_out(alpha):
        held = clone(model).set_params(alpha=alpha)
        return left_out_values(held.fit(task.X, task.y, task.counts), task)

    root, zero = np.sqrt(task.counts)[:, None], left_out(0.0)
    for j in range(task.W.shape[0]):
        D = [left_out(np.eye(n_sources)[k])[:, j] - zero[:, j] for k in range(n_sources)]
        c = task.Y[:, j] - zero[:, j]
        D = np.reshape(D, (n_sources, -1)).T
        best = np.linalg.lstsq(root * D, root[:, 0] * c, rcond=None)[0]
        assert_allclose(model.alpha_[j], best, rtol=1e-8)


@kinds
@pytest.mark.parametrize("alphas", [None, [0.5, -1.0]])
def test_loo_without_a_scorer_has_the_least_squared_left_out_error(kind, alphas, problem):
    task = problem(kind, n_sources=2)
    gammas = [0.01, 0.1, 1.0]
    model = task.Estimator(task.source, selection="loo", gammas=gammas, alphas=alphas)
    model.fit(task.X, task.y, sample_weight=task.counts)
    scores = []
    for gamma in gammas:
        row = []
        for alpha in alphas or ["auto"]:
            held = clone(model).set_params(gamma=gamma, alpha=alpha, store_loo=True)
            values = left_out_values(held.fit(task.X, task.y, sample_weight=task.counts), task)
            error = np.average((task.Y - values) ** 2, axis=0, weights=task.counts)
            row.append(-error.mean())
        scores.append(row)
    assert_allclose(model.path_.loo_score, scores, rtol=1e-8)
    best = np.max(scores, axis=1).argmax()
    assert model.gamma_ == gammas[best]
    assert_allclose(model.path_.gammas, gammas)
    assert_allclose(model.path_.alphas[best], model.alpha_)
    if alphas:
        assert_allclose(model.alpha_, alphas[np.argmax(scores[best])])


@kinds
@heights
def test_loo_gains_nothing_by_the_sum_of_two_sources(kind, height, problem):
    task = problem(kind, n_sources=2)
    model = task.Estimator(task.source, selection="loo", gamma=0.3, **constant(height))
    model.fit(task.X, task.y)
    (W, b), (V, c) = task.source
    more = clone(model).set_params(source=[*task.source, (W + V, b + c)]).fit(task.X, task.y)
    assert_allclose(more.coef_, model.coef_, atol=1e-8)
    assert np.abs(more.alpha_).max() < 1e3


@pytest.mark.parametrize(
    ("kind", "scoring"),
    [
        ("binary", "accuracy"),
        ("binary", "roc_auc"),
        ("classes", "balanced_accuracy"),
        ("target", "r2"),
        ("targets", "neg_mean_absolute_error"),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_loo_grid_equals_one_fit_for_each_cell(kind, scoring, weighted, problem):
    task = problem(kind, n=20)
    weights = task.counts if weighted else None
    alphas, gammas = [0.0, 0.5, 2.0], [0.01, 0.1, 1.0]
    model = task.Estimator(
        task.source, selection="loo", scoring=scoring, alphas=alphas, gammas=gammas
    ).fit(task.X, task.y, sample_weight=weights)

    class LeftOut(task.Estimator):
        """Whose decision values at the training rows are the left-out ones."""

        def _decisions(self, X, method):
            return columns(self.loo_decision_function_)

    expected = np.empty((3, 3))
    for i, gamma in enumerate(gammas):
        for j, alpha in enumerate(alphas):
            cell = LeftOut(task.source, alpha=alpha, gamma=gamma, store_loo=True)
            cell.fit(task.X, task.y, sample_weight=weights)
            scorer = get_scorer(scoring)
            expected[i, j] = scorer(cell, task.X, task.y, sample_weight=weights)
    assert_allclose(model.path_.loo_score, expected, atol=1e-12)
    row, column = np.unravel_index(expected.argmax(), expected.shape)
    assert model.gamma_ == gammas[row]
    assert_allclose(model.alpha_, alphas[column])
