"""The two estimators: special cases, invariances, weights, scikit-learn's habits."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from tests.linear_model.helpers import (
    KINDS,
    SHAPES,
    assert_same_model,
    containers,
    decisions,
    halves,
    heights,
    kinds,
    selected,
    selections,
    shapes,
)

# ---------------------------------------------------------------- special cases of (α, γ)


@kinds
@shapes
@containers
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_alpha_zero_is_ridge(kind, shape, container, fit_intercept, problem):
    task = problem(kind, *shape)
    model = task.Estimator(
        task.source, alpha=0, gamma=0.3, intercept_scaling=np.inf, fit_intercept=fit_intercept
    ).fit(container(task.X), task.y, sample_weight=task.counts)
    ridge = Ridge(alpha=task.counts.sum() * 0.3, fit_intercept=fit_intercept, solver="svd")
    ridge.fit(task.X, task.Y, sample_weight=task.counts)
    assert_allclose(np.atleast_2d(model.coef_), np.atleast_2d(ridge.coef_), atol=1e-10)
    intercept = np.ravel(model.intercept_) - task.common
    assert_allclose(intercept, np.ravel(ridge.intercept_) + 0 * intercept, atol=1e-10)


@pytest.mark.parametrize("kind", ["binary", "classes"])
def test_no_source_is_ridge_classifier(kind, problem):
    task = problem(kind)
    model = AlphaTransferClassifier(gamma=0.3, intercept_scaling=np.inf)
    model.fit(task.X, task.y)
    ridge = RidgeClassifier(alpha=len(task.X) * 0.3, solver="svd").fit(task.X, task.y)
    assert_allclose(model.decision_function(task.X), ridge.decision_function(task.X), atol=1e-10)
    assert_array_equal(model.predict(task.X), ridge.predict(task.X))


@kinds
@shapes
def test_alpha_one_is_ridge_on_what_the_source_leaves(kind, shape, problem):
    task = problem(kind, *shape)
    model = task.Estimator(task.source, alpha=1, gamma=0.3, intercept_scaling=np.inf)
    model.fit(task.X, task.y)
    rest = Ridge(alpha=len(task.X) * 0.3, solver="svd").fit(task.X, task.Y - task.S[:, :, 0])
    assert_allclose(np.atleast_2d(model.coef_), task.W[:, 0] + rest.coef_, atol=1e-10)
    expected = task.b[:, 0] + rest.intercept_ + task.common
    assert_allclose(np.ravel(model.intercept_), expected, atol=1e-10)


@kinds
@shapes
def test_a_finite_height_is_one_more_feature(kind, shape, problem):
    task, k = problem(kind, *shape, n_sources=0), 0.7
    model = task.Estimator(gamma=0.3, intercept_scaling=k).fit(task.X, task.y)
    ridge = Ridge(alpha=len(task.X) * 0.3, fit_intercept=False, solver="svd")
    coef = np.atleast_2d(
        ridge.fit(np.column_stack([task.X, np.full(len(task.X), k)]), task.Y).coef_
    )
    assert_allclose(np.atleast_2d(model.coef_), coef[:, :-1], atol=1e-10)
    assert_allclose(np.ravel(model.intercept_), k * coef[:, -1] + task.common, atol=1e-10)


@kinds
@containers
def test_auto_height_is_the_root_mean_square(kind, container, problem):
    """Of a classifier whose rule puts the intercept under γ; a regressor leaves it free."""
    task = problem(kind)
    X = np.repeat(task.X, task.counts, axis=0)
    model = task.Estimator(task.source, selection="evidence", intercept_scaling="auto")
    model.fit(container(task.X), task.y, sample_weight=task.counts)
    height = np.sqrt(np.mean(X**2)) if hasattr(model, "predict_proba") else np.inf
    held = clone(model).set_params(intercept_scaling=height)
    held.fit(container(task.X), task.y, sample_weight=task.counts)
    assert_same_model(model, held, task.X)


def test_defaults_of_the_intercept(problem):
    task = problem("binary")
    model = AlphaTransferClassifier(gamma=1.0).fit(task.X, task.y)
    auto = AlphaTransferClassifier(gamma=1.0, intercept_scaling="auto").fit(task.X, task.y)
    assert model.intercept_ == auto.intercept_
    task = problem("target")
    model = AlphaTransferRegressor(gamma=1.0).fit(task.X, task.y)
    free = AlphaTransferRegressor(gamma=1.0, intercept_scaling=np.inf).fit(task.X, task.y)
    assert model.intercept_ == free.intercept_


@kinds
@pytest.mark.parametrize("n_sources", [1, 2])
def test_alpha_may_be_given_for_each_output_and_source(kind, n_sources, problem):
    task = problem(kind, n_sources=n_sources)
    alpha = np.random.default_rng(0).normal(size=task.W.shape[:2])
    model = task.Estimator(task.source, alpha=alpha, gamma=0.3).fit(task.X, task.y)
    assert_array_equal(model.alpha_, alpha)
    combined = np.einsum("ckp,ck->cp", task.W, alpha), np.sum(task.b * alpha, axis=1)
    if kind != "classes":  # where the combination would lose its mean over the classes
        single = task.Estimator(combined, alpha=1, gamma=0.3).fit(task.X, task.y)
        assert_same_model(model, single, task.X)


def test_alpha_of_another_shape_says_what_to_pass(problem):
    task = problem("classes", n_sources=2)
    with pytest.raises(ValueError, match=r"one for each of the 2 source.*= \(3, 2\)"):
        AlphaTransferClassifier(task.source, alpha=[1, 2, 3, 4]).fit(task.X, task.y)


# ---------------------------------------------------------------- storage and solver


@kinds
@pytest.mark.parametrize("shape", SHAPES[:2])
@selections
@pytest.mark.parametrize("height", [0.0, "auto", np.inf])
def test_dense_equals_sparse_and_primal_equals_dual(kind, shape, selection, height, problem):
    task = problem(kind, *shape, n_sources=2)
    parameters = {"intercept_scaling": height} if height else {"fit_intercept": False}
    if selection == "cv":
        parameters |= {"cv": halves(len(task.X)), "gammas": [0.01, 0.1, 1.0]}
    model = task.Estimator(task.source, selection=selection, store_loo=True, **parameters)
    model.fit(task.X, task.y)
    for solver, container in (
        ("primal", np.asarray),
        ("dual", np.asarray),
        ("auto", sparse.csr_matrix),
        ("auto", sparse.csc_array),
    ):
        other = clone(model).set_params(solver=solver).fit(container(task.X), task.y)
        assert_same_model(other, model, task.X)
        assert_allclose(
            other.loo_decision_function_, model.loo_decision_function_, rtol=0, atol=1e-8
        )
        assert_allclose(
            decisions(model, container(task.X)), decisions(model, task.X), rtol=0, atol=1e-12
        )


# ---------------------------------------------------------------- the source's scale and number


@kinds
@selections
@pytest.mark.parametrize("factor", [1e-9, 1e-3, 1e3, 1e9])
def test_the_scale_of_the_source_moves_nothing(kind, selection, factor, problem):
    task = problem(kind, n_sources=2)
    model = task.Estimator(task.source, **selected(selection, halves(12))).fit(task.X, task.y)
    scaled = clone(model).set_params(source=[(factor * w, factor * b) for w, b in task.source])
    scaled.fit(task.X, task.y)
    assert_same_model(scaled, model, task.X)
    assert_allclose(scaled.alpha_ * factor, model.alpha_, rtol=1e-7)


@kinds
@selections
@pytest.mark.parametrize("n_sources", [1, 2])
@pytest.mark.parametrize("factor", [1.0, 1e-6])
def test_a_source_listed_twice_moves_nothing(kind, selection, n_sources, factor, problem):
    task = problem(kind, n_sources=n_sources)
    model = task.Estimator(task.source, **selected(selection, halves(12))).fit(task.X, task.y)
    w, b = task.source[0]
    doubled = clone(model).set_params(source=[*task.source, (factor * w, factor * b)])
    assert_same_model(doubled.fit(task.X, task.y), model, task.X)


@kinds
@selections
def test_the_order_of_sources_moves_nothing(kind, selection, problem):
    task = problem(kind, n_sources=3)
    model = task.Estimator(task.source, **selected(selection, halves(12))).fit(task.X, task.y)
    other = clone(model).set_params(source=task.source[::-1]).fit(task.X, task.y)
    assert_same_model(other, model, task.X)
    assert_allclose(other.alpha_[:, ::-1], model.alpha_, rtol=1e-6)


@kinds
@selections
def test_a_list_of_one_is_the_source(kind, selection, problem):
    task = problem(kind)
    model = task.Estimator(task.source, **selected(selection, halves(12))).fit(task.X, task.y)
    single = clone(model).set_params(source=task.source[0]).fit(task.X, task.y)
    assert_array_equal(single.coef_, model.coef_)
    assert_array_equal(single.alpha_, model.alpha_)


@kinds
@selections
def test_a_zero_source_is_no_source(kind, selection, problem):
    task = problem(kind)
    model = task.Estimator(0 * task.W[:, 0], **selected(selection, halves(12)))
    none = clone(model).set_params(source=None)
    assert_same_model(model.fit(task.X, task.y), none.fit(task.X, task.y), task.X)
    assert np.isfinite(model.alpha_).all()


@kinds
@selections
def test_units_of_the_features_move_nothing(kind, selection, problem):
    task = problem(kind)
    model = task.Estimator(task.source, **selected(selection, halves(12))).fit(task.X, task.y)
    scaled = clone(model).set_params(source=[(w / 1e3, b) for w, b in task.source])
    scaled.fit(task.X * 1e3, task.y)
    assert_allclose(decisions(scaled, task.X * 1e3), decisions(model, task.X), rtol=0, atol=1e-8)


@pytest.mark.parametrize("kind", ["target", "targets"])
@selections
def test_units_of_the_target_scale_the_prediction(kind, selection, problem):
    task = problem(kind)
    model = task.Estimator(task.source, **selected(selection, halves(12))).fit(task.X, task.y)
    scaled = clone(model).fit(task.X, task.y * 1e3)
    assert_allclose(scaled.predict(task.X) / 1e3, model.predict(task.X), rtol=0, atol=1e-8)


# ---------------------------------------------------------------- weights


@pytest.mark.parametrize(
    ("kind", "class_weight"),
    [
        ("binary", None),
        ("binary", "balanced"),
        ("classes", {0: 1, 1: 2.5, 2: 0.5}),
        ("target", None),
        ("targets", None),
    ],
)
@selections
@heights
def test_a_weight_is_a_number_of_repetitions(kind, class_weight, selection, parameters, problem):
    task = problem(kind, n_sources=2)
    model = task.Estimator(task.source, selection=selection, store_loo=True, **parameters)
    if class_weight is not None:
        model.set_params(class_weight=class_weight)
    index = np.repeat(np.arange(12), task.counts)
    repeated, weighted = clone(model), clone(model)
    if selection == "cv":
        weighted.set_params(cv=halves(12), gammas=[0.01, 0.1, 1.0])
        repeated.set_params(
            gammas=[0.01, 0.1, 1.0],
            cv=[[np.flatnonzero(np.isin(index, part)) for part in fold] for fold in halves(12)],
        )
    weighted.fit(sparse.csr_matrix(task.X), task.y, sample_weight=task.counts)
    repeated.fit(task.X[index], task.y[index])
    assert_same_model(weighted, repeated, task.X)
    assert_allclose(
        weighted.loo_decision_function_[index], repeated.loo_decision_function_, rtol=0, atol=1e-8
    )
    if hasattr(model, "predict_proba"):
        assert_allclose(
            weighted.predict_proba(task.X), repeated.predict_proba(task.X), rtol=0, atol=1e-8
        )


@kinds
@selections
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_a_row_of_weight_zero_is_absent(kind, selection, container, problem):
    task = problem(kind, n=16)
    weights = task.counts * (np.arange(16) >= 4)
    model = task.Estimator(task.source, selection=selection, store_loo=True)
    if selection == "cv":
        model.set_params(cv=[(np.arange(10), np.arange(10, 16)), (np.arange(6, 16), np.arange(6))])
    absent = clone(model)
    if selection == "cv":
        absent.set_params(cv=[(np.arange(6), np.arange(6, 12)), (np.arange(2, 12), np.arange(2))])
    model.fit(container(task.X), task.y, sample_weight=weights)
    absent.fit(container(task.X[4:]), task.y[4:], sample_weight=weights[4:])
    assert_same_model(model, absent, task.X)
    loo = model.loo_decision_function_
    assert_allclose(loo[4:], absent.loo_decision_function_, rtol=0, atol=1e-8)
    # no row of weight zero was in the fit to be left out of it
    assert_allclose(loo[:4], decisions(model, task.X[:4]), rtol=0, atol=1e-12)


def test_a_class_of_weight_zero_is_absent(problem):
    task = problem("classes")
    model = AlphaTransferClassifier().fit(task.X, task.y, sample_weight=task.y != 2)
    assert_array_equal(model.classes_, [0, 1])
    with pytest.raises(ValueError, match="pass rows of at least 2 classes"):
        model.fit(task.X, task.y, sample_weight=task.y == 2)


def test_all_weights_zero(problem):
    for kind in KINDS:
        task = problem(kind)
        with pytest.raises(ValueError, match=r"(?i)weight"):
            task.Estimator().fit(task.X, task.y, sample_weight=np.zeros(12))


@pytest.mark.parametrize("weight", [-1.0, np.nan])
def test_bad_weights(weight, problem):
    task = problem("binary")
    with pytest.raises(ValueError, match=r"(?i)negative|nan"):
        AlphaTransferClassifier().fit(task.X, task.y, sample_weight=np.r_[weight, np.ones(11)])


# ---------------------------------------------------------------- scikit-learn's habits


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_feature_names(frame, problem):
    task = problem("binary", p=3)
    table = frame(dict(zip("abc", task.X.T, strict=True)))
    source = FrozenEstimator(LogisticRegression().fit(table, task.y))
    model = AlphaTransferClassifier(source).fit(table, task.y)
    assert_array_equal(model.feature_names_in_, ["a", "b", "c"])
    assert_array_equal(
        model.predict(table), AlphaTransferClassifier(source).fit(task.X, task.y).predict(task.X)
    )
    with pytest.raises(ValueError, match="feature names"):
        model.predict(table[["b", "a", "c"]])


def test_pipeline_with_set_output(problem):
    task = problem("classes", n=20)
    X = pd.DataFrame(task.X).add_prefix("x")
    scaler = StandardScaler().set_output(transform="pandas").fit(X)
    source = FrozenEstimator(LogisticRegression().fit(scaler.transform(X), task.y))
    pipeline = make_pipeline(StandardScaler(), AlphaTransferClassifier(source))
    pipeline.set_output(transform="pandas").fit(X, task.y)
    assert_array_equal(pipeline[-1].feature_names_in_, X.columns)
    expected = AlphaTransferClassifier(source).fit(scaler.transform(X), task.y)
    assert_allclose(pipeline.predict_proba(X), expected.predict_proba(scaler.transform(X)))


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.7"),
    reason="scikit-learn 1.6 asks Pipeline.score for a request that it cannot be given",
)
def test_sample_weight_is_routed(problem):
    task = problem("binary", n=24)
    with sklearn.config_context(enable_metadata_routing=True):
        model = AlphaTransferClassifier(task.source).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
        search = GridSearchCV(
            pipeline, {"alphatransferclassifier__alpha": [0.0, 1.0]}, cv=3, error_score="raise"
        )
        search.fit(task.X, task.y, sample_weight=task.counts)
        plain = clone(search).fit(task.X, task.y)
    X = StandardScaler().fit_transform(task.X)
    direct = AlphaTransferClassifier(task.source, alpha=search.best_estimator_[-1].alpha)
    direct.fit(X, task.y, sample_weight=task.counts)
    assert_allclose(search.best_estimator_[-1].coef_, direct.coef_)
    assert np.abs(plain.best_estimator_[-1].coef_ - direct.coef_).max() > 1e-3


@pytest.mark.parametrize("Estimator", [AlphaTransferClassifier, AlphaTransferRegressor])
def test_html_repr_links_to_the_documentation(Estimator):
    html = Estimator(np.ones(3))._repr_html_()
    name = f"sklearn_alpha.linear_model.{Estimator.__name__}.html"
    assert f"https://sklearn-alpha.readthedocs.io/en/stable/generated/{name}" in html


def test_text_pipeline():
    good, bad = ["good fine nice", "fine good", "nice read"], ["poor dull", "dull bad poor", "bad"]
    texts, y = (good + bad) * 3, ["+"] * 3 + ["-"] * 3
    y = y * 3
    tfidf = TfidfVectorizer().fit(texts)
    source = FrozenEstimator(LogisticRegression().fit(tfidf.transform(texts), y))
    model = make_pipeline(FrozenEstimator(tfidf), AlphaTransferClassifier(source)).fit(texts, y)
    assert_array_equal(model.predict(["fine good read", "poor bad"]), ["+", "-"])
    dense = AlphaTransferClassifier(source).fit(tfidf.transform(texts).toarray(), y)
    assert_allclose(model[-1].coef_, dense.coef_, atol=1e-10)


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        {"X": np.full((12, 7), np.nan)},
        {"X": np.ones((12, 3))},
        {"y": np.zeros(12)},
        {"y": np.full(12, np.nan)},
        {"y": np.zeros(5)},
        {"sample_weight": -np.ones(12)},
        {"source": np.ones(3)},
        {"source": LogisticRegression()},
        {"alpha": [1.0, 2.0, 3.0]},
        {"alpha": np.nan},
        {"gamma": -1.0},
        {"gamma": np.nan},
        {"gammas": [1.0, -1.0], "selection": "loo"},
        {"alphas": [np.inf], "selection": "loo"},
        {"selection": "best"},
        {"scoring": "best", "selection": "cv"},
        {"cv": 1000, "selection": "cv"},
        {"intercept_scaling": 0.0},
        {"intercept_scaling": np.nan},
        {"solver": "svd"},
        {"class_weight": {"a": 1}},
    ],
    ids=lambda change: ",".join(change),
)
def test_an_error_leaves_the_estimator_as_it_was(fitted, change, problem):
    task = problem("binary")
    data = {"X": task.X, "y": task.y, "sample_weight": None}
    model = AlphaTransferClassifier(task.source)
    if fitted:
        model.fit(task.X, task.y)
    parameters = {name: value for name, value in change.items() if name not in data}
    model.set_params(**parameters)
    before = dict(model.__dict__)
    with pytest.raises(ValueError):
        model.fit(**{**data, **{name: change[name] for name in data if name in change}})
    assert model.__dict__.keys() == before.keys()
    assert all(model.__dict__[name] is before[name] for name in before)
    if fitted:
        assert_array_equal(model.set_params(source=task.source).predict(task.X).shape, (12,))


@kinds
@selections
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_inputs_are_not_modified(kind, selection, container, problem):
    task = problem(kind)
    X, y, weights = container(task.X.copy()), task.y.copy(), task.counts.astype(float)
    W, b = task.W[:, 0].copy(), task.b[:, 0].copy()
    kept = [array.copy() for array in (X, y, weights, W, b)]
    for array in (X if isinstance(X, np.ndarray) else X.data, y, weights, W, b):
        array.flags.writeable = False
    model = task.Estimator((W, b), **selected(selection, halves(12)))
    decisions(model.fit(X, y, sample_weight=weights), X)
    for before, after in zip(kept, (X, y, weights, W, b), strict=True):
        assert abs(after - before).max() == 0
    assert not np.shares_memory(model.source_coef_, W)


@kinds
@pytest.mark.parametrize("dtype", [np.int64, bool])
def test_other_dtypes(kind, dtype, problem):
    task = problem(kind)
    X = (10 * task.X).astype(dtype)
    model = task.Estimator(task.source).fit(X, task.y)
    double = task.Estimator(task.source).fit(X.astype(np.float64), task.y)
    assert_array_equal(model.coef_, double.coef_)
    assert model.coef_.dtype == np.float64


@kinds
@selections
def test_single_precision_is_read_in_double_and_comes_back_single(kind, selection, problem):
    task = problem(kind, n_sources=2)
    X = task.X.astype(np.float32)
    model = task.Estimator(task.source, **selected(selection, halves(12)), store_loo=True)
    double = clone(model).fit(X.astype(np.float64), task.y)
    model.fit(X, task.y)
    for name in ("coef_", "intercept_", "alpha_", "source_coef_", "loo_decision_function_"):
        assert getattr(model, name).dtype == np.float32, name
        assert_allclose(getattr(model, name), getattr(double, name), rtol=1e-6, atol=1e-6)
    assert decisions(model, X).dtype == np.float32
    assert_allclose(decisions(model, X), decisions(double, X), rtol=1e-5, atol=1e-5)


@kinds
@selections
def test_fitting_again_is_fitting_once(kind, selection, problem):
    task, other = problem(kind), problem(kind, n=15, p=4)
    model = task.Estimator(task.source, **selected(selection, 2)).fit(task.X, task.y)
    again = clone(model).set_params(source=other.source).fit(other.X, other.y)
    again.set_params(source=task.source).fit(task.X, task.y)
    assert_array_equal(again.coef_, model.coef_)
    assert again.__dict__.keys() == model.__dict__.keys()
