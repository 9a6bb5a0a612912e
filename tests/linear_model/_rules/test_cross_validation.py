"""Cross-validation against scikit-learn's grid search."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold

from tests.linear_model._rules.oracles import constant, heights, kinds


@pytest.mark.parametrize(
    ("kind", "scoring"),
    [
        ("binary", None),
        ("binary", "roc_auc"),
        ("classes", "balanced_accuracy"),
        ("target", None),
        ("targets", "neg_mean_squared_error"),
    ],
)
@heights
def test_cv_equals_a_grid_search(kind, scoring, height, problem):
    task = problem(kind, n=24)
    alphas, gammas = [-0.5, 0.5, 2.0], [0.01, 0.1, 1.0]
    cv = KFold(3, shuffle=True, random_state=0)
    model = task.Estimator(
        task.source,
        selection="cv",
        alphas=alphas,
        gammas=gammas,
        cv=cv,
        scoring=scoring,
        **constant(height),
    ).fit(task.X, task.y)
    search = GridSearchCV(
        task.Estimator(task.source, **constant(height)),
        {"gamma": gammas, "alpha": alphas},
        cv=cv,
        scoring=scoring,
        refit=False,
    ).fit(task.X, task.y)
    expected = np.empty((3, 3))
    scores = search.cv_results_["mean_test_score"]
    for cell, score in zip(search.cv_results_["params"], scores, strict=True):
        expected[gammas.index(cell["gamma"]), alphas.index(cell["alpha"])] = score
    assert_allclose(model.path_.cv_score, expected, atol=1e-12)

    row, column = np.unravel_index(model.path_.cv_score.argmax(), expected.shape)
    assert model.gamma_ == gammas[row]
    assert_allclose(model.alpha_, alphas[column])
    refit = clone(model).set_params(alpha=alphas[column], gamma=gammas[row], selection="blend")
    assert_allclose(model.coef_, refit.fit(task.X, task.y).coef_, atol=1e-12)


@kinds
def test_cv_scores_weighted_rows(kind, problem):
    task = problem(kind, n=24)
    weights, folds = task.counts, list(KFold(3).split(task.X))
    model = task.Estimator(
        task.source, selection="cv", alphas=[0.5], gammas=[0.1], cv=folds, intercept_scaling=0.7
    ).fit(task.X, task.y, sample_weight=weights)
    held = clone(model).set_params(alpha=0.5, gamma=0.1, selection="blend")
    scores = []
    for train, test in folds:
        part = clone(held).fit(task.X[train], task.y[train], sample_weight=weights[train])
        scores.append(part.score(task.X[test], task.y[test], sample_weight=weights[test]))
    assert_allclose(model.path_.cv_score, [[np.mean(scores)]])
    given = clone(model).set_params(alpha=0.5, gammas=[0.01, 0.1], alphas=None)
    path = given.fit(task.X, task.y, sample_weight=weights).path_
    assert_allclose(path.gammas, [0.01, 0.1])
    assert_allclose(path.cv_score[1:], [[np.mean(scores)]])
    assert_allclose(path.alphas, np.full((2, 1, *task.W.shape[:2]), 0.5))


@kinds
def test_cv_without_a_grid_tries_multiples_of_the_least_squares_alpha(kind, problem):
    task = problem(kind, n=24)
    cv = KFold(3)
    model = task.Estimator(
        task.source, selection="cv", gammas=[0.1, 1.0], cv=cv, intercept_scaling=0.7
    ).fit(task.X, task.y)
    expected = np.zeros((2, 6))
    for i, gamma in enumerate([0.1, 1.0]):
        own = clone(model).set_params(selection="evidence", gamma=gamma)
        for train, test in cv.split(task.X):
            alpha = clone(own).fit(task.X[train], task.y[train]).alpha_
            for j, multiple in enumerate([0, 0.25, 0.5, 1, 2, 4]):
                part = clone(own).set_params(alpha=multiple * alpha)
                part.fit(task.X[train], task.y[train])
                expected[i, j] += part.score(task.X[test], task.y[test]) / 3
    assert_allclose(model.path_.cv_score, expected, atol=1e-10)
