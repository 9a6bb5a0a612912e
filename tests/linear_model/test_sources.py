"""What a source may be: accepted forms, alignment by label, and errors that say what to pass."""

import pickle
import re

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_wine
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.linear_model._alignment import align_sources
from sklearn_alpha.linear_model._data.validation import check_range
from sklearn_alpha.linear_model._sources import read_sources


@pytest.fixture
def binary(problem):
    return problem("binary", n=20, p=4)


@pytest.fixture
def classes(problem):
    """Three classes, named by strings."""
    task = problem("classes", n=24, p=4)
    task.y = np.array(["ape", "bee", "cat"])[task.y]
    return task


@pytest.fixture
def target(problem):
    return problem("target", n=20, p=4)


def without_common(rows):
    """Rows of more than two classes, less their mean."""
    return rows - rows.mean(axis=0)


# ---------------------------------------------------------------- accepted forms


def as_fitted(coef, intercept):
    model = LinearRegression()
    model.coef_, model.intercept_ = coef, intercept
    return model


def as_logistic(coef, intercept):
    model = LogisticRegression()
    model.coef_, model.intercept_ = coef[None], np.atleast_1d(intercept)
    model.classes_ = np.array([0, 1])
    return model


FORMS = {
    "row": lambda w, b: (w, b),
    "matrix": lambda w, b: (w[None], b),
    "matrix and vector": lambda w, b: (w[None], np.array([b])),
    "lists in a pair": lambda w, b: (w.tolist(), [b]),
    "float32": lambda w, b: (w.astype(np.float32).astype(np.float64), b),
    "list of one": lambda w, b: [(w, b)],
    "sparse coefficients": lambda w, b: (sparse.csr_matrix(w), b),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("task_name", ["binary", "target"])
def test_every_form_gives_the_same_source(form, task_name, request):
    task = request.getfixturevalue(task_name)
    w, b = np.array([1.0, -2.0, 0.5, 3.0]), 0.25
    model = task.Estimator(FORMS[form](w, b)).fit(task.X, task.y)
    assert_array_equal(model.source_coef_, w[None, None])
    assert_array_equal(model.source_intercept_, [[b]])


@pytest.mark.parametrize("source", [np.arange(4.0), np.arange(4.0)[None], [np.arange(4)]])
def test_an_array_alone_has_no_intercept(source, target):
    model = AlphaTransferRegressor(source).fit(target.X, target.y)
    assert_array_equal(model.source_coef_, np.arange(4.0)[None, None])
    assert_array_equal(model.source_intercept_, [[0.0]])


@pytest.mark.parametrize(
    "wrap", [lambda s: s, FrozenEstimator, lambda s: [FrozenEstimator(FrozenEstimator(s))]]
)
@pytest.mark.parametrize(("task_name", "build"), [("binary", as_logistic), ("target", as_fitted)])
def test_a_fitted_estimator_equals_its_coefficients(wrap, task_name, build, request):
    task = request.getfixturevalue(task_name)
    w, b = np.array([1.0, -2.0, 0.5, 3.0]), 0.25
    # without probabilities and units an array has an unknown scale, which the evidence ignores
    model = task.Estimator(wrap(build(w, b)), selection="evidence").fit(task.X, task.y)
    plain = task.Estimator((w, b), selection="evidence").fit(task.X, task.y)
    assert_array_equal(model.source_coef_, plain.source_coef_)
    assert_array_equal(model.source_intercept_, plain.source_intercept_)
    assert_array_equal(model.coef_, plain.coef_)


def test_a_fitted_search_is_its_best_estimator(binary):
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2).fit(binary.X, binary.y)
    model = AlphaTransferClassifier(search).fit(binary.X, binary.y)
    assert_array_equal(model.source_coef_[0], search.best_estimator_.coef_)


def test_an_estimator_without_intercept(target):
    source = as_fitted(np.arange(4.0), 0.0)
    del source.intercept_
    model = AlphaTransferRegressor(FrozenEstimator(source)).fit(target.X, target.y)
    assert_array_equal(model.source_coef_, np.arange(4.0)[None, None])
    assert_array_equal(model.source_intercept_, [[0.0]])


def test_a_sparsified_estimator(binary):
    fitted = SGDClassifier(random_state=0).fit(binary.X, binary.y)
    dense = fitted.coef_.copy()
    model = AlphaTransferClassifier(FrozenEstimator(fitted.sparsify())).fit(binary.X, binary.y)
    assert_array_equal(model.source_coef_[0], dense)


def test_our_own_estimators_are_sources(classes):
    first = AlphaTransferClassifier(gamma=1.0).fit(classes.X, classes.y)
    second = AlphaTransferClassifier(FrozenEstimator(first)).fit(classes.X, classes.y)
    assert_allclose(second.source_coef_[:, 0], without_common(first.coef_))


def test_one_intercept_serves_all_rows(problem):
    task = problem("targets", n=20, p=4)
    model = AlphaTransferRegressor((np.eye(2, 4), 0.5)).fit(task.X, task.y)
    assert_array_equal(model.source_intercept_, np.full((2, 1), 0.5))


@pytest.mark.parametrize("empty", [None, []])
def test_no_source(empty, binary):
    model = AlphaTransferClassifier(empty).fit(binary.X, binary.y)
    assert model.alpha_.shape == (1, 0)
    assert model.source_coef_.shape == (1, 0, 4)
    assert_array_equal(model.coef_, AlphaTransferClassifier().fit(binary.X, binary.y).coef_)


def test_several_sources_of_different_forms(binary):
    w = np.array([1.0, -2.0, 0.5, 3.0])
    v = np.array([1.0, 1.0, 0.0, -1.0])
    sources = [w, (2 * w, 1.0), FrozenEstimator(as_logistic(v, 0.5))]
    model = AlphaTransferClassifier(sources).fit(binary.X, binary.y)
    assert_array_equal(model.source_coef_, [[w, 2 * w, v]])
    assert_array_equal(model.source_intercept_, [[0, 1, 0.5]])


# ---------------------------------------------------------------- classes, by label


def trained(task, order=None, **parameters):
    """A source trained on the task's own rows."""
    model = LogisticRegression(**parameters).fit(task.X, task.y)
    if order is not None:
        model.classes_ = model.classes_[order]
        model.coef_, model.intercept_ = model.coef_[order], model.intercept_[order]
    return model


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 0, 2]])
def test_rows_follow_the_target_classes(order, classes):
    source, permuted = trained(classes), trained(classes, order)
    model = AlphaTransferClassifier(FrozenEstimator(permuted)).fit(classes.X, classes.y)
    assert_array_equal(model.classes_, ["ape", "bee", "cat"])
    assert_allclose(model.source_coef_[:, 0], without_common(source.coef_))
    assert_allclose(model.source_intercept_[:, 0], without_common(source.intercept_))


def test_a_class_that_the_source_has_beyond_the_target(problem):
    task = problem("classes", n=24, p=4)
    source = LogisticRegression().fit(task.X, task.y)
    extra = LogisticRegression().fit(np.r_[task.X, task.X[:2]], np.r_[task.y, 3, 3])
    extra.coef_[:3], extra.intercept_[:3] = source.coef_, source.intercept_
    model = AlphaTransferClassifier(extra, classes="target").fit(task.X, task.y)
    assert_allclose(model.source_coef_[:, 0], without_common(source.coef_))
    model = AlphaTransferClassifier(extra).fit(task.X, task.y)
    assert_array_equal(model.classes_, [0, 1, 2, 3])
    assert_allclose(model.source_coef_[:, 0], without_common(extra.coef_))
    assert (model.predict_proba(task.X) > 0).all()


def test_a_class_that_the_source_never_saw_starts_from_zero(classes):
    source = trained(classes)
    y = np.where(classes.y == "bee", "dog", classes.y)
    model = AlphaTransferClassifier(source, classes="target")
    with pytest.warns(UserWarning, match=re.escape("never saw the classes ['dog']")):
        model.fit(classes.X, y)
    assert_array_equal(model.classes_, ["ape", "cat", "dog"])
    expected = [*without_common(source.coef_[[0, 2]]), np.zeros(4)]
    assert_allclose(model.source_coef_[:, 0], expected)
    assert_array_equal(model.source_intercept_[2], [0])


def test_two_of_the_source_classes(classes):
    source, keep = trained(classes), classes.y != "bee"
    model = AlphaTransferClassifier(source, classes="target")
    model.fit(classes.X[keep], classes.y[keep])
    w = (source.coef_[2] - source.coef_[0]) / 2
    assert_allclose(model.source_coef_, w[None, None])
    assert_allclose(model.source_intercept_, (source.intercept_[[[2]]] - source.intercept_[0]) / 2)


def test_two_classes_in_the_order_that_both_sort(binary):
    names = np.array(["no", "yes"])[binary.y]
    source = LogisticRegression().fit(binary.X, names)
    model = AlphaTransferClassifier(FrozenEstimator(source)).fit(binary.X, names)
    assert_array_equal(model.source_coef_[0], source.coef_)
    assert_array_equal(model.source_intercept_[0], source.intercept_)


def test_a_two_class_source_whose_classes_are_not_sorted(binary):
    source = trained(binary)
    swapped = trained(binary)
    swapped.classes_ = swapped.classes_[::-1]
    swapped.coef_, swapped.intercept_ = -swapped.coef_, -swapped.intercept_
    model = AlphaTransferClassifier(FrozenEstimator(swapped)).fit(binary.X, binary.y)
    assert_array_equal(model.source_coef_[0], source.coef_)
    assert_array_equal(model.source_intercept_[0], source.intercept_)


def test_classes_of_another_dtype_are_the_same_labels(problem):
    task = problem("classes", n=24, p=4)
    source = LogisticRegression().fit(task.X, task.y.astype(float))
    model = AlphaTransferClassifier(FrozenEstimator(source)).fit(task.X, task.y)
    assert_allclose(model.source_coef_[:, 0], without_common(source.coef_))


def test_rows_of_an_array_follow_the_sorted_classes(classes):
    W = np.arange(12.0).reshape(3, 4)
    model = AlphaTransferClassifier(W).fit(classes.X, classes.y)
    assert_allclose(model.source_coef_[:, 0], without_common(W))


def test_what_the_rows_of_all_classes_share_counts_for_nothing(classes):
    W, b = np.random.default_rng(0).normal(size=(3, 4)), np.array([0.1, 0.2, 0.3])
    model = AlphaTransferClassifier((W, b)).fit(classes.X, classes.y)
    moved = AlphaTransferClassifier((W + np.arange(4), b - 2)).fit(classes.X, classes.y)
    assert_allclose(moved.coef_, model.coef_)
    assert_allclose(moved.intercept_, model.intercept_)


# ---------------------------------------------------------------- errors that say what to pass


class Coefficients(BaseEstimator):
    """A fitted linear estimator of any kind."""

    def __init__(self, coef, intercept=0.0, classes=None):
        self.coef_, self.intercept_ = np.asarray(coef), np.asarray(intercept)
        if classes is not None:
            self.classes_ = np.asarray(classes)

    def get_params(self, deep=True):
        return {}


NUMBERS = np.arange(20.0).reshape(5, 4) % 7
LABELS = np.array([0, 1, 0, 1, 1])

BAD = {
    "unfitted": (LogisticRegression(), "fit it first"),
    "unfitted, frozen": (FrozenEstimator(LogisticRegression()), "fit it first"),
    "un-fitted by clone": (
        clone(LogisticRegression().fit(NUMBERS, LABELS)),
        "has no coef_: fit it first",
    ),
    "pipeline": (
        make_pipeline(StandardScaler(), LogisticRegression()).fit(NUMBERS, LABELS),
        r"call from_pipeline\(pipeline\).*pipeline\[:-1\]\.transform\(X\)",
    ),
    "frozen pipeline": (
        FrozenEstimator(make_pipeline(StandardScaler(), LogisticRegression())),
        r"call from_pipeline\(pipeline\)",
    ),
    "unfitted search": (GridSearchCV(LogisticRegression(), {"C": [1]}), "has not been fitted"),
    "wrong width": (np.ones(3), r"shape \(1, 3\) but X has 4 features.*same fitted steps"),
    "wrong width, fitted": (
        LogisticRegression().fit(NUMBERS[:, :3], LABELS),
        "X has 4 features",
    ),
    "too many axes": (np.ones((1, 1, 4)), r"shape \(1, 1, 4\)"),
    "NaN": (np.array([1.0, np.nan, 0, 0]), "NaN or infinity; refit it"),
    "infinite intercept": ((np.ones(4), np.inf), "NaN or infinity; refit it"),
    "text for an intercept": ((np.ones(4), "b"), "does not hold numbers"),
    "overflow": (np.full(4, -1e101), r"the largest entry of source is 1\.0e\+101.*rescale it"),
    "list of numbers": ([1.0, 2.0, 3.0, 4.0], "a list means several sources.*NumPy array"),
    "a number": (2.0, "NumPy array"),
    "strings": (np.array(["a", "b", "c", "d"]), "does not hold numbers"),
    "a class": (LogisticRegression, "is a type; pass a NumPy array"),
    "a dict": ({"coef": 1}, "is a dict; pass a NumPy array"),
    "a triple": ((np.ones(4), 0.0, 1.0), r"pair \(coefficients, intercept\)"),
    "too many intercepts": ((np.ones(4), [1.0, 2.0]), "2 intercepts for 1 row"),
    "too many rows": (np.ones((3, 4)), r"3 row\(s\).*needs 1.*\(n_outputs, n_features\)"),
    "a nested list": ([[1.0, 2.0, 3.0, 4.0]], "nested list.*NumPy array"),
    "coefficients and intercept in a list": (
        [np.ones((1, 4)), np.ones(1)],
        r"pass one source's as a tuple, \(coef, intercept\)",
    ),
    "transposed": (np.ones((4, 1)), r"or pass coef\.T"),
    "text": ("logistic", "is the text 'logistic'; pass a fitted linear estimator"),
    "second of a list": ([np.ones(4), np.ones(3)], r"source\[1\] has coefficients of shape"),
    "kernel machine": (SVC().fit(NUMBERS, LABELS), "linear"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_source_says_what_to_pass(name, binary):
    source, message = BAD[name]
    with pytest.raises(ValueError, match=message) as error:
        AlphaTransferClassifier(source).fit(binary.X, binary.y)
    number = {"list of numbers": "[0]", "second of a list": "[1]"}.get(name, "")
    assert re.search(rf"^(the largest entry of )?source{re.escape(number)}[ ,]", str(error.value))


@pytest.mark.parametrize("limit", [1e30, 1e100])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix])
def test_range_is_that_of_the_largest_entry(limit, sign, convert):
    """From 1/limit to limit; what is smaller beside it, and zeros alone, are no matter."""
    least = 1 / limit
    for largest in (0.0, least, 2 * least, 1.0, limit):
        check_range("X", convert([[0.0, sign * largest], [0.0, -sign * largest / 4]]), limit)
    check_range("X", np.empty((3, 0)), limit)
    for largest in (np.nextafter(least, 0), np.nextafter(limit, np.inf)):
        with pytest.raises(ValueError, match=re.escape(f"largest entry of X is {largest:.1e},")):
            check_range("X", convert([[0.0, sign * largest], [0.0, -sign * largest / 4]]), limit)


def test_range_of_rows_is_narrower_than_that_of_coefficients():
    sources = read_sources(np.full(4, 1e99), classifier=True)
    W, *_ = align_sources(sources, n_outputs=1, n_features=4)
    assert_array_equal(W, np.full((1, 1, 4), 1e99))
    check_range("X", np.array([1e30]))
    with pytest.raises(ValueError, match="largest entry of X"):
        check_range("X", np.array([1.1e30]))


def test_an_unfitted_source_is_a_not_fitted_error(binary):
    with pytest.raises(NotFittedError, match="fit it first"):
        AlphaTransferClassifier(LogisticRegression()).fit(binary.X, binary.y)


def test_a_regressor_for_classes(binary):
    source = Ridge().fit(binary.X, binary.y)
    with pytest.raises(ValueError, match=r"^source, a Ridge, .*; pass a fitted classifier"):
        AlphaTransferClassifier(source).fit(binary.X, binary.y)


# of the class that the rows add
@pytest.mark.filterwarnings("ignore:source never saw")
def test_a_binary_source_for_three_classes(classes):
    """Its log odds are shared by the rows of its classes, and the new class has a row of zeros."""
    known = classes.y != "cat"
    source = LogisticRegression().fit(classes.X[known], classes.y[known])
    model = AlphaTransferClassifier(source).fit(classes.X, classes.y)
    half = source.coef_[0] / 2
    expected = dict.fromkeys(model.classes_, 0 * half)
    expected |= dict(zip(source.classes_, (-half, half), strict=True))
    assert_allclose(model.source_coef_[:, 0], [expected[label] for label in model.classes_])


def test_an_array_of_one_row_for_three_classes(classes):
    with pytest.raises(ValueError, match=r"needs 3, one for each of its classes.*pass an array"):
        AlphaTransferClassifier(np.ones(4)).fit(classes.X, classes.y)


def test_disjoint_labels(binary, classes):
    with pytest.raises(ValueError, match=r"^source knows .*none of the target's.*; name the t"):
        AlphaTransferClassifier(trained(classes)).fit(binary.X, binary.y)


def test_binary_labels_of_which_one_differs(binary):
    source = LogisticRegression().fit(binary.X, binary.y + 1)
    with pytest.raises(ValueError, match="pass the coefficients as an array"):
        AlphaTransferClassifier(source, classes="target").fit(binary.X, binary.y)


def test_one_vs_one_rows(problem):
    task = problem("classes", n=40, p=4)
    y = np.arange(40) % 4
    source = SVC(kernel="linear").fit(task.X, y)
    with pytest.raises(ValueError, match="for each pair of its 4 classes"):
        AlphaTransferClassifier(source).fit(task.X, y)


def test_one_vs_one_rows_of_three_classes(problem):
    # three pairs of three classes: the rows are as many as the classes, and still not theirs
    task = problem("classes", n=24, p=4)
    source = SVC(kernel="linear").fit(task.X, task.y)
    with pytest.raises(ValueError, match="for each pair of its 3 classes"):
        AlphaTransferClassifier(source).fit(task.X, task.y)


@pytest.mark.parametrize("columns", [["b", "a", "c", "d"], ["a", "b", "c", "e"]])
def test_columns_in_another_order(columns, binary):
    X = pd.DataFrame(binary.X, columns=list("abcd"))
    source = LogisticRegression().fit(X.set_axis(columns, axis=1), binary.y)
    with pytest.raises(ValueError, match=re.escape("X[source.feature_names_in_]")):
        AlphaTransferClassifier(FrozenEstimator(source)).fit(X, binary.y)
    same = AlphaTransferClassifier(FrozenEstimator(source)).fit(
        X.set_axis(columns, axis=1), binary.y
    )
    assert_array_equal(same.source_coef_[0], source.coef_)


# ---------------------------------------------------------------- clone, files, grid search


@pytest.mark.parametrize("selection", ["blend", "loo"])
def test_clone_keeps_a_frozen_source(selection, classes):
    source = FrozenEstimator(trained(classes))
    model = AlphaTransferClassifier([source, source], selection=selection)
    model.fit(classes.X, classes.y)
    again = clone(model).fit(classes.X, classes.y)
    assert_array_equal(again.coef_, model.coef_)
    assert again.source[0].estimator.coef_ is source.estimator.coef_


def test_pickle(classes):
    model = AlphaTransferClassifier(FrozenEstimator(trained(classes))).fit(classes.X, classes.y)
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.predict_proba(classes.X), model.predict_proba(classes.X))
    assert_array_equal(loaded.fit(classes.X, classes.y).coef_, model.coef_)


def test_joblib(tmp_path, target):
    source = FrozenEstimator(Ridge().fit(target.X, target.y))
    model = AlphaTransferRegressor(source).fit(target.X, target.y)
    joblib.dump(model, tmp_path / "model")
    loaded = joblib.load(tmp_path / "model")
    assert_array_equal(loaded.predict(target.X), model.predict(target.X))
    assert_array_equal(loaded.fit(target.X, target.y).coef_, model.coef_)


@pytest.mark.filterwarnings("ignore:alpha=1.0 is ignored:UserWarning")
def test_grid_search_over_selection_alpha_and_source(classes):
    strong, weak = (FrozenEstimator(trained(classes, C=C)) for C in (100.0, 0.01))
    grid = {
        "selection": ["blend", "evidence", "loo"],
        "alpha": ["auto", 1.0],
        "source": [None, strong, weak, [strong, weak]],
    }
    search = GridSearchCV(AlphaTransferClassifier(), grid, cv=2, error_score="raise")
    search.fit(classes.X, classes.y)
    assert len(search.cv_results_["params"]) == 24
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    refit = AlphaTransferClassifier(**search.best_params_).fit(classes.X, classes.y)
    assert_array_equal(search.best_estimator_.coef_, refit.coef_)


# ---------------------------------------------------------------- what is odd about a source


def test_rows_that_the_sources_steps_have_not_transformed():
    X, y = load_wine(return_X_y=True)
    scaler = StandardScaler().fit(X)
    source = LogisticRegression().fit(scaler.transform(X), y)
    with pytest.warns(UserWarning, match=r"root mean square of [0-9]+\. Transform X by the same"):
        AlphaTransferClassifier(source).fit(X[::6], y[::6])
    AlphaTransferClassifier(source).fit(scaler.transform(X)[::6], y[::6])


def test_a_reversed_source(problem):
    task = problem("binary", n=40, p=3)
    task.X[np.arange(40), 0] += 3 * (2 * task.y - 1)
    source = LogisticRegression().fit(task.X, 1 - task.y)
    with pytest.warns(UserWarning, match="alpha_ reverses it: check that both name the classes"):
        model = AlphaTransferClassifier(source).fit(task.X, task.y)
    assert model.alpha_ < 0
    assert model.score(task.X, task.y) > 0.9
