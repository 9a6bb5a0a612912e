"""Fitted sources stay fitted: clones, searches, and pipelines of texts."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    GammaRegressor,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    TweedieRegressor,
)
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor

SOURCES = {
    "binary": LogisticRegression,
    "classes": LogisticRegression,
    "target": Ridge,
    "targets": Ridge,
}
kinds = pytest.mark.parametrize("kind", SOURCES)


def fitted_on(task, kind):
    return SOURCES[kind]().fit(task.X, task.y)


@kinds
@pytest.mark.parametrize("wrap", [lambda s: s, FrozenEstimator, lambda s: [s, s]])
def test_a_clone_keeps_the_source_and_forgets_the_fit(kind, wrap, problem):
    task = problem(kind, n=20)
    source = wrap(fitted_on(task, kind))
    model = task.Estimator(source, store_loo=True, gammas=[0.1, 1.0]).fit(task.X, task.y)
    copied = clone(model)
    assert copied.source is source
    assert copied.get_params(deep=False).keys() == model.get_params(deep=False).keys()
    assert copied.store_loo
    assert copied.gammas == [0.1, 1.0]
    assert copied.gammas is not model.gammas
    assert not hasattr(copied, "coef_")
    assert_array_equal(copied.fit(task.X, task.y).coef_, model.coef_)


@kinds
def test_an_unfitted_source_is_an_error_in_a_clone_too(kind, problem):
    task = problem(kind, n=20)
    model = clone(task.Estimator(SOURCES[kind]()))
    with pytest.raises(NotFittedError, match="fit it first"):
        model.fit(task.X, task.y)


@kinds
def test_cross_validation_with_a_fitted_source(kind, problem):
    task = problem(kind, n=30)
    source = fitted_on(task, kind)
    model = task.Estimator(source)
    frozen = task.Estimator(FrozenEstimator(source))
    expected = cross_val_predict(frozen, task.X, task.y, cv=3)
    assert_array_equal(cross_val_predict(model, task.X, task.y, cv=3), expected)
    assert np.isfinite(cross_val_score(model, task.X, task.y, cv=3, error_score="raise")).all()


@kinds
def test_a_search_over_frozen_sources(kind, problem):
    """The candidates of a grid are cloned one by one, so that they have to be frozen."""
    task = problem(kind, n=30)
    source = FrozenEstimator(fitted_on(task, kind))
    other = FrozenEstimator(SOURCES[kind]().fit(task.X + 1, task.y))
    grid = {"source": [other, source, None], "solver": ["primal", "dual"]}
    search = GridSearchCV(task.Estimator(), grid, cv=3, error_score="raise").fit(task.X, task.y)
    again = task.Estimator(**search.best_params_).fit(task.X, task.y)
    assert_allclose(search.best_estimator_.coef_, again.coef_)


def test_a_search_is_a_source(problem):
    task = problem("binary", n=30)
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3)
    with pytest.raises(NotFittedError, match="fit it first"):
        AlphaTransferClassifier(search).fit(task.X, task.y)
    search.fit(task.X, task.y)
    model = AlphaTransferClassifier(search).fit(task.X, task.y)
    best = AlphaTransferClassifier(search.best_estimator_).fit(task.X, task.y)
    assert_array_equal(model.coef_, best.coef_)


# ---------------------------------------------------------------- pipelines

FILMS = ["a good film", "a bad film", "the plot is good", "the plot is bad", "good", "bad"] * 4
LAMPS = ["a good lamp", "a bad lamp", "the light is good", "the light is bad", "bad lamp"] * 2
OF_FILMS = np.array(["yes", "no"] * 12)
OF_LAMPS = np.array(["yes", "no", "yes", "no", "no"] * 2)


@pytest.fixture
def films():
    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(FILMS, OF_FILMS)


def test_a_pipeline_of_raw_texts(films):
    model = AlphaTransferClassifier.from_pipeline(films, store_loo=True)
    assert model[-1].store_loo
    assert model[-1].source is films[-1]
    model.fit(LAMPS, OF_LAMPS)
    assert_array_equal(model.predict(["a good chair", "a bad chair"]), ["yes", "no"])
    X = films[:-1].transform(LAMPS)
    expected = AlphaTransferClassifier(films[-1]).fit(X, OF_LAMPS)
    assert_allclose(model.predict_proba(LAMPS), expected.predict_proba(X))
    # the vocabulary is the source's: words that it does not know say nothing
    assert_allclose(model.predict_proba(["good"]), model.predict_proba(["good chair"]))
    assert "lamp" not in films[0].vocabulary_


def test_a_pipeline_is_searched_and_cloned_with_its_source(films):
    model = AlphaTransferClassifier.from_pipeline(films)
    grid = {"alphatransferclassifier__selection": ["anchored", "evidence"]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(LAMPS, OF_LAMPS)
    assert_array_equal(search.predict(["good", "bad"]), ["yes", "no"])
    copied = clone(model).fit(LAMPS, OF_LAMPS)
    expected = model.fit(LAMPS, OF_LAMPS).predict_proba(LAMPS)
    assert_allclose(copied.predict_proba(LAMPS), expected)
    assert_array_equal(films.predict(FILMS), OF_FILMS)  # the source is as it was


def test_a_pipeline_of_numbers(problem):
    task = problem("target", n=20)
    source = make_pipeline(StandardScaler(), Ridge()).fit(5 * task.X + 1, task.y)
    model = AlphaTransferRegressor.from_pipeline(source).fit(task.X, task.y)
    mean, scale = source[0].mean_, source[0].scale_
    expected = AlphaTransferRegressor(source[-1]).fit((task.X - mean) / scale, task.y)
    assert_allclose(model.predict(task.X), expected.predict((task.X - mean) / scale))


def test_a_pipeline_of_one_step(problem):
    task = problem("binary", n=20)
    source = make_pipeline(LogisticRegression()).fit(task.X, task.y)
    model = AlphaTransferClassifier.from_pipeline(source).fit(task.X, task.y)
    expected = AlphaTransferClassifier(source[-1]).fit(task.X, task.y)
    assert_array_equal(model[-1].coef_, expected.coef_)


def test_a_pipeline_that_was_not_fitted():
    with pytest.raises(NotFittedError):
        AlphaTransferClassifier.from_pipeline(
            make_pipeline(TfidfVectorizer(), LogisticRegression())
        )


def test_a_pipeline_as_the_source_says_what_to_call(films):
    X = films[:-1].transform(LAMPS)
    with pytest.raises(ValueError, match=r"from_pipeline\(pipeline\)"):
        AlphaTransferClassifier(films).fit(X, OF_LAMPS)


def test_a_pipeline_as_the_source_says_so_before_it_reads_texts(films):
    with pytest.raises(ValueError, match=r"from_pipeline\(pipeline\)"):
        AlphaTransferClassifier(films).fit(LAMPS, OF_LAMPS)
    with pytest.raises(ValueError, match=r"from_pipeline\(pipeline\)"):
        AlphaTransferClassifier([films]).partial_fit(LAMPS, OF_LAMPS, classes=["no", "yes"])
    with pytest.raises(ValueError, match=r"^source\[1\] is a Pipeline"):
        AlphaTransferClassifier([films[-1], films]).fit(LAMPS, OF_LAMPS)


def same_as(films, pipeline):
    expected = AlphaTransferClassifier.from_pipeline(films).fit(LAMPS, OF_LAMPS)
    found = AlphaTransferClassifier.from_pipeline(pipeline).fit(LAMPS, OF_LAMPS)
    assert_allclose(found.predict_proba(LAMPS), expected.predict_proba(LAMPS))
    return found


@pytest.mark.parametrize("wrap", [FrozenEstimator, lambda p: p], ids=["frozen", "plain"])
def test_a_pipeline_behind_a_search(films, wrap):
    search = GridSearchCV(clone(films), {"logisticregression__C": [1.0]}, cv=2)
    with pytest.raises(NotFittedError):
        AlphaTransferClassifier.from_pipeline(search)
    same_as(films, wrap(search.fit(FILMS, OF_FILMS)))


def test_a_pipeline_with_steps_that_do_nothing(films):
    steps = [films.steps[0], ("nothing", "passthrough"), ("none", None), films.steps[1]]
    same_as(films, Pipeline(steps))


def test_pipelines_in_a_pipeline(films):
    inner = make_pipeline(MaxAbsScaler(), make_pipeline(MaxAbsScaler(), LogisticRegression()))
    nested = make_pipeline(TfidfVectorizer(), inner).fit(FILMS, OF_FILMS)
    flat = make_pipeline(TfidfVectorizer(), MaxAbsScaler(), MaxAbsScaler(), LogisticRegression())
    found = same_as(flat.fit(FILMS, OF_FILMS), nested)
    assert len(found) == 4


def test_an_estimator_that_is_no_pipeline(films):
    with pytest.raises(ValueError, match=r"not a LogisticRegression; .*Classifier\(estimator\)"):
        AlphaTransferClassifier.from_pipeline(films[-1])


# ---------------------------------------------------------------- not linear, or not in this form


@pytest.mark.parametrize(
    "source",
    [
        PoissonRegressor(),
        GammaRegressor(),
        TweedieRegressor(power=1.5),
        TweedieRegressor(power=0, link="log"),
    ],
    ids=str,
)
def test_a_regressor_with_a_log_link_is_refused(source, problem):
    task = problem("target", n=20)
    source = clone(source).fit(task.X, np.abs(task.y) + 1)
    with pytest.raises(ValueError, match=r"predicts exp\(X coef \+ intercept\)"):
        AlphaTransferRegressor(source).fit(task.X, task.y)


@pytest.mark.parametrize("link", ["auto", "identity"])
def test_a_regressor_with_the_identity_link_is_linear(link, problem):
    task = problem("target", n=20)
    source = TweedieRegressor(power=0, link=link).fit(task.X, task.y)
    model = AlphaTransferRegressor(source).fit(task.X, task.y)
    assert_array_equal(model.source_coef_[0, 0], source.coef_)


def test_a_model_of_several_linear_ones_says_what_to_pass(problem):
    task = problem("classes", n=60)
    source = OneVsRestClassifier(LogisticRegression()).fit(task.X, task.y)
    with pytest.raises(ValueError, match=r"\(coef, intercept, classes\)"):
        AlphaTransferClassifier(source).fit(task.X, task.y)
    parts = source.estimators_
    triple = (
        np.vstack([part.coef_ for part in parts]),
        np.concatenate([part.intercept_ for part in parts]),
        source.classes_,
    )
    assert AlphaTransferClassifier(triple).fit(task.X, task.y).score(task.X, task.y) > 0.5


def test_a_tuple_of_estimators_says_that_several_are_a_list(problem):
    task = problem("binary", n=20)
    source = fitted_on(task, "binary")
    with pytest.raises(ValueError, match="Several sources are a list"):
        AlphaTransferClassifier((source, source)).fit(task.X, task.y)


def test_a_triple_that_names_a_class_twice(problem):
    task = problem("classes", n=60)
    coef, names = np.ones((3, task.X.shape[1])), [0, 1, 1]
    with pytest.raises(ValueError, match=r"names a class twice, \[0, 1, 1\]; name each once"):
        AlphaTransferClassifier((coef, np.zeros(3), names)).fit(task.X, task.y)


# ---------------------------------------------------------------- errors change nothing


@kinds
@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("wrong", ["source", "rows", "labels", "weights"])
def test_an_error_leaves_everything_as_it_was(kind, fitted, wrong, problem):
    task = problem(kind, n=20)
    source = fitted_on(task, kind)
    model = task.Estimator(source)
    if fitted:
        model.fit(task.X, task.y)
    X, y, weights = task.X, task.y, np.ones(20)
    if wrong == "source":
        model.set_params(source=np.ones((5, 5)))
    elif wrong == "rows":
        X = np.where(np.arange(7) == 0, np.nan, X)
    elif wrong == "labels":
        y = y[:-1]
    else:
        weights[0] = -1
    before, coef = dict(vars(model)), source.coef_.copy()
    with pytest.raises(ValueError):
        model.fit(X, y, sample_weight=weights)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is before[name] for name in before)
    assert_array_equal(source.coef_, coef)


@kinds
def test_a_search_over_sources_that_it_un_fits_says_what_to_do(kind, problem):
    task = problem(kind, n=30)
    grid = {"source": [fitted_on(task, kind)]}
    search = GridSearchCV(task.Estimator(), grid, cv=3, error_score="raise")
    with pytest.raises(NotFittedError, match=r"search un-fits the sources .* FrozenEstimator"):
        search.fit(task.X, task.y)
