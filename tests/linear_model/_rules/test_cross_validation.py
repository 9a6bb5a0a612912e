"""Cross-validation against scikit-learn's grid search."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import softmax
from sklearn.base import clone
from sklearn.metrics import log_loss, mean_absolute_error, r2_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, LeaveOneOut

from sklearn_alpha.linear_model._calibration import logits
from tests.linear_model._rules.oracles import columns, constant, heights, kinds
from tests.linear_model.helpers import decisions


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
    refit = task.Estimator(
        task.source, alpha=alphas[column], gamma=gammas[row], selection="blend", **constant(height)
    )
    assert_allclose(model.coef_, refit.fit(task.X, task.y).coef_, atol=1e-12)


@kinds
def test_cv_scores_weighted_rows(kind, problem):
    task = problem(kind, n=24)
    weights, folds = task.counts, list(KFold(3).split(task.X))
    model = task.Estimator(
        task.source, selection="cv", alphas=[0.5], gammas=[0.1], cv=folds, intercept_scaling=0.7
    ).fit(task.X, task.y, sample_weight=weights)
    held = task.Estimator(
        task.source, selection="blend", alpha=0.5, gamma=0.1, intercept_scaling=0.7
    )
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
        own = clone(model).set_params(selection="evidence", gamma=gamma, cv=None)
        for train, test in cv.split(task.X):
            alpha = clone(own).fit(task.X[train], task.y[train]).alpha_
            for j, multiple in enumerate([0, 0.25, 0.5, 1, 2, 4]):
                part = clone(own).set_params(alpha=multiple * alpha)
                part.fit(task.X[train], task.y[train])
                expected[i, j] += part.score(task.X[test], task.y[test]) / 3
    assert_allclose(model.path_.cv_score, expected, atol=1e-10)


SCORES = [
    ("binary", "neg_log_loss", lambda y, F: -log_loss(y, softmax(2 * logits(F), axis=1))),
    ("classes", "neg_log_loss", lambda y, F: -log_loss(y, softmax(2 * logits(F), axis=1))),
    ("binary", "roc_auc", lambda y, F: roc_auc_score(y, F)),
    (
        "classes",
        "roc_auc_ovr",
        lambda y, F: roc_auc_score(y, softmax(2 * F, axis=1), multi_class="ovr"),
    ),
    ("classes", None, lambda y, F: np.mean(F.argmax(axis=1) == y)),
    ("target", None, lambda y, F: r2_score(y, F)),
    ("targets", "neg_mean_absolute_error", lambda y, F: -mean_absolute_error(y, F)),
]
ONE, TWO = LeaveOneOut(), KFold(12)


@pytest.mark.parametrize(
    ("kind", "scoring", "metric", "cv"),
    [
        *((*case, ONE) for case in SCORES),
        # of two rows, numbers have a score and classes at times have none
        *((*case, TWO) for case in SCORES if not case[0].startswith("target")),
    ],
)
def test_folds_too_small_to_be_scored_are_scored_together(kind, scoring, metric, cv, problem):
    task = problem(kind, n=24)
    alphas, gammas = [-0.5, 0.5, 2.0], [0.01, 0.1, 1.0]
    model = task.Estimator(
        task.source,
        selection="cv",
        alphas=alphas,
        gammas=gammas,
        cv=cv,
        scoring=scoring,
        intercept_scaling=0.7,
    ).fit(task.X, task.y)
    expected = np.empty((3, 3))
    for i, gamma in enumerate(gammas):
        for j, alpha in enumerate(alphas):
            held = task.Estimator(task.source, alpha=alpha, gamma=gamma, intercept_scaling=0.7)
            F = np.empty(task.Y.shape)
            for train, test in cv.split(task.X):
                part = clone(held).fit(task.X[train], task.y[train])
                F[test] = columns(decisions(part, task.X[test]))
            expected[i, j] = metric(task.y, F)
    assert_allclose(model.path_.cv_score, expected, atol=1e-10)


def test_two_rows_of_numbers_are_scored_alone(problem):
    task = problem("target", n=24)
    grid = {"alphas": [0.5, 2.0], "gammas": [0.1, 1.0], "cv": KFold(12)}
    model = task.Estimator(task.source, selection="cv", **grid).fit(task.X, task.y)
    given = {"alpha": grid["alphas"], "gamma": grid["gammas"]}
    ridge = task.Estimator(task.source, intercept_scaling=np.inf)
    search = GridSearchCV(ridge, given, cv=KFold(12))
    scores = search.fit(task.X, task.y).cv_results_["mean_test_score"].reshape(2, 2)
    assert_allclose(model.path_.cv_score, scores.T, atol=1e-10)
