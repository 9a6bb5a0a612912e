"""What both estimators share: parameters of any kind of number, scorers, folds, tags."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils import get_tags

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from tests.linear_model.helpers import kinds, selected


@kinds
@pytest.mark.parametrize("container", [sparse.csc_matrix, sparse.coo_array, sparse.lil_matrix])
def test_sparse_rows_of_any_format(kind, container, problem):
    task = problem(kind)
    dense = task.Estimator(task.source, selection="evidence").fit(task.X, task.y)
    model = clone(dense).fit(container(task.X), task.y)
    assert_allclose(model.coef_, dense.coef_, atol=1e-10)
    assert_allclose(model.predict(container(task.X)), dense.predict(task.X), atol=1e-9)


@kinds
def test_rows_to_predict_of_any_dtype(kind, problem):
    task = problem(kind)
    model = task.Estimator(task.source).fit(task.X, task.y)
    X = task.X > 0
    expected = model.predict(X.astype(float))
    for dtype in (bool, np.int8, object):
        assert_allclose(model.predict(X.astype(dtype)), expected)


@kinds
@pytest.mark.parametrize(
    ("given", "same"),
    [
        ({"alpha": 1, "gamma": 2}, {"alpha": 1.0, "gamma": 2.0}),
        ({"gammas": [1, 2, 4]}, {"gammas": [1.0, 2.0, 4.0]}),
        ({"gammas": [1, 4], "alphas": [0, 1]}, {"gammas": [1.0, 4.0], "alphas": [0.0, 1.0]}),
    ],
)
def test_whole_numbers_are_numbers(kind, given, same, problem):
    task = problem(kind, 20)
    selection = "loo" if "alphas" in given else "evidence"
    one, two = (
        task.Estimator(task.source, selection=selection, **options).fit(task.X, task.y)
        for options in (given, same)
    )
    for name in ("alpha_", "gamma_", "coef_", "intercept_"):
        assert_allclose(getattr(one, name), getattr(two, name), rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("bad", [[], [[1.0, 2.0]], [np.nan, 1.0], [1.0, np.inf], 1.0])
@pytest.mark.parametrize("name", ["alphas", "gammas"])
def test_bad_grids(name, bad, problem):
    task = problem("target")
    model = task.Estimator(task.source, selection="loo").set_params(**{name: np.array(bad)})
    with pytest.raises(ValueError, match=rf"^{name} must be a 1-D array of .*finite numbers\.$"):
        model.fit(task.X, task.y)


@pytest.mark.parametrize("bad", [[0.0, 1.0], [-1.0]])
def test_gammas_are_positive(bad, problem):
    task = problem("target")
    with pytest.raises(ValueError, match="positive"):
        task.Estimator(gammas=bad).fit(task.X, task.y)


@kinds
def test_what_is_out_of_range_is_named(kind, problem):
    task = problem(kind)
    X = task.X.copy()
    X[3, 2] = -1e31
    with pytest.raises(ValueError, match=r"^the largest entry of X is "):
        task.Estimator().fit(X, task.y)
    if kind.startswith("target"):
        with pytest.raises(ValueError, match=r"^the largest entry of y is "):
            task.Estimator().fit(task.X, 1e31 * task.y)


@pytest.mark.parametrize("kind", ["binary", "classes"])
def test_class_weights_are_weights_of_rows(kind, problem):
    task = problem(kind, 20)
    weights = np.array([2.0, 0.5, 1.0])[: len(np.unique(task.y))]
    model = task.Estimator(
        task.source, selection="evidence", class_weight=dict(enumerate(weights))
    ).fit(task.X, task.y, task.counts)
    whole = clone(model).set_params(class_weight=None)
    whole.fit(task.X, task.y, task.counts * weights[task.y])
    for name in ("alpha_", "gamma_", "coef_", "intercept_"):
        assert_allclose(getattr(model, name), getattr(whole, name), rtol=1e-8, err_msg=name)


@pytest.mark.parametrize("kind", ["classes", "target"])
def test_folds_of_a_number_are_those_of_scikit_learn(kind, problem):
    """Stratified for classes, which lie one after the other here."""
    task = problem(kind, 24)
    order = np.argsort(task.y)
    X, y = task.X[order], task.y[order]
    model = task.Estimator(task.source, selection="cv", cv=3, gammas=[0.1, 1.0], alphas=[0.0, 1.0])
    splitter = StratifiedKFold(3) if kind == "classes" else KFold(3)
    given = clone(model).set_params(cv=list(splitter.split(X, y)))
    scores = model.fit(X, y).path_.cv_score
    assert_array_equal(scores, given.fit(X, y).path_.cv_score)


@pytest.mark.parametrize("selection", ["loo", "cv"])
def test_scorers_get_the_weights_that_they_can_take(selection, problem):
    """Those that are named get weights, where there are any but ones; a function gets none."""
    task = problem("target", 20)
    grid = {"alphas": [0.0, 0.7], "gammas": [0.1, 1.0], **selected(selection, KFold(4))}

    def path(scoring, weights=None):
        model = AlphaTransferRegressor(task.source, scoring=scoring, **grid)
        return model.fit(task.X, task.y, weights).path_[f"{selection}_score"]

    def error(model, X, y):
        return -np.abs(model.predict(X) - y).mean()

    def most(model, X, y):
        return -np.abs(model.predict(X) - y).max()

    named = "neg_mean_absolute_error"
    assert_allclose(path(most), path("neg_max_error"))
    assert_allclose(path(error), path(named))
    assert_allclose(path(error, task.counts), path(get_scorer(named), task.counts))
    assert np.abs(path(error, task.counts) - path(named, task.counts)).max() > 1e-3


@kinds
def test_left_out_values_of_an_earlier_fit_are_gone(kind, problem):
    task = problem(kind)
    model = task.Estimator(task.source, store_loo=True).fit(task.X, task.y)
    assert len(model.loo_decision_function_) == 12
    model.set_params(store_loo=False).fit(task.X, task.y)
    assert not hasattr(model, "loo_decision_function_")


@pytest.mark.parametrize("kind", ["target", "targets"])
def test_alpha_may_be_given_for_each_target(kind, problem):
    """In a list, where there is one source: as if each were fitted alone."""
    task = problem(kind)
    alphas = [0.5, -2.0][: task.Y.shape[1]]
    model = task.Estimator(task.source, alpha=alphas, gamma=0.3).fit(task.X, task.y)
    assert_allclose(model.alpha_, np.reshape(alphas, (-1, 1)))
    for j, alpha in enumerate(alphas):
        alone = AlphaTransferRegressor((task.W[j, 0], task.b[j, 0]), alpha=alpha, gamma=0.3)
        alone.fit(task.X, task.Y[:, j])
        assert_allclose(np.atleast_2d(model.coef_)[j], alone.coef_)
        assert_allclose(np.atleast_1d(model.intercept_)[j], alone.intercept_)


def test_alphas_of_a_path_where_alpha_is_zero(problem):
    task = problem("target")
    model = AlphaTransferRegressor(task.source, alpha=0.0).fit(task.X, task.y)
    assert_allclose(model.alpha_path(task.X, task.y).alphas, np.linspace(-1, 3, 81))


@pytest.mark.parametrize("Estimator", [AlphaTransferClassifier, AlphaTransferRegressor])
def test_tags(Estimator):
    tags = get_tags(Estimator())
    assert tags.input_tags.sparse
    assert tags.array_api_support
