"""Indicators of several labels: as if each label were fitted alone."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import __version__, config_context
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.utils import get_tags
from sklearn.utils.fixes import parse_version

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.linear_model._labelwise import log_label_probabilities
from sklearn_alpha.linear_model._rules import RULES
from tests.linear_model.helpers import selected

N_LABELS = 3


def labelled(n=40, p=6, seed=0):
    """Rows, an indicator of three labels, and weights and intercepts of a source."""
    rng = np.random.default_rng(seed)
    X, W, b = rng.normal(size=(n, p)) + 0.3, rng.normal(size=(N_LABELS, p)), rng.normal(size=3)
    return X, (X @ W.T + rng.normal(size=(n, N_LABELS)) > 0.5).astype(int), W, b


def sources():
    """What a source of labels may be, and the source of each label alone."""
    X, y, W, b = labelled(seed=1)
    several = OneVsRestClassifier(LogisticRegression()).fit(X, y)
    each = MultiOutputClassifier(LogisticRegression(C=0.1)).fit(X, y)
    ridge = RidgeClassifier().fit(X, y)
    own = AlphaTransferClassifier((W, b)).fit(X, y)
    pairs = [(w, c) for w, c in zip(W, b, strict=True)]
    return {
        "none": (None, [None] * 3),
        "array": (W, list(W)),
        "sparse": (sparse.csr_matrix(W), list(W)),
        "pair": ((W, b), pairs),
        "one intercept": ((W, 0.5), [(w, 0.5) for w in W]),
        "one-vs-rest": (several, several.estimators_),
        "frozen": (FrozenEstimator(several), several.estimators_),
        "multi-output": (each, each.estimators_),
        "ridge": (ridge, list(zip(ridge.coef_, ridge.intercept_, strict=True))),
        "our own": (own, own.estimators_),
        "a list": ([several, (W, b)], [list(s) for s in zip(several.estimators_, pairs)]),
    }


def alone(sources, X, y, **parameters):
    return [
        AlphaTransferClassifier(source, **parameters).fit(X, y[:, k])
        for k, source in enumerate(sources)
    ]


@pytest.mark.parametrize("name", sources())
def test_each_label_is_fitted_alone(name):
    source, each = sources()[name]
    X, y, *_ = labelled()
    model = AlphaTransferClassifier(source, store_loo=True).fit(X, y)
    parts = alone(each, X, y, store_loo=True)
    for attribute in ("coef_", "intercept_", "alpha_", "source_coef_", "source_intercept_"):
        expected = np.concatenate([getattr(part, attribute) for part in parts])
        assert_array_equal(getattr(model, attribute), expected, err_msg=attribute)
    for attribute in ("gamma_", "inverse_temperature_", "best_score_"):
        expected = [getattr(part, attribute) for part in parts]
        assert_array_equal(getattr(model, attribute), expected, err_msg=attribute)
    left_out = np.column_stack([part.loo_decision_function_ for part in parts])
    assert_array_equal(model.loo_decision_function_, left_out)
    F = np.column_stack([part.decision_function(X) for part in parts])
    P = np.column_stack([part.predict_proba(X)[:, 1] for part in parts])
    log_P = np.column_stack([part.predict_log_proba(X)[:, 1] for part in parts])
    assert_allclose(model.decision_function(X), F, atol=1e-12)
    assert_allclose(model.predict_proba(X), P, atol=1e-12)
    assert_allclose(model.predict_log_proba(X), log_P, atol=1e-10)
    assert_array_equal(model.predict(X), np.column_stack([part.predict(X) for part in parts]))
    assert_array_equal(model.classes_, [0, 1, 2])
    assert model.score(X, y) == accuracy_score(y, model.predict(X))
    reports = [{**one, "output": k} for k, part in enumerate(parts) for one in part.source_report_]
    assert len(model.source_report_) == len(reports)
    for one, expected in zip(model.source_report_, reports, strict=True):
        assert dict(one) == pytest.approx(expected, nan_ok=True)
    assert ("alpha" in repr(model.source_report_)) == (source is not None)


@pytest.mark.parametrize("selection", RULES)
@pytest.mark.parametrize(
    "parameters", [{}, {"alpha": [0.5, 1.0, 2.0]}, {"class_weight": "balanced"}]
)
def test_rules_weights_and_given_alphas(selection, parameters):
    X, y, W, b = labelled()
    weight = np.arange(40) % 3
    model = AlphaTransferClassifier((W, b), **selected(selection, 2), **parameters)
    model.fit(X, y, sample_weight=weight)
    for k in range(N_LABELS):
        part = clone(model).set_params(source=(W[k], b[k]))
        if "alpha" in parameters:
            part.set_params(alpha=parameters["alpha"][k])
        part.fit(X, y[:, k], sample_weight=weight)
        assert_array_equal(model.coef_[k], part.coef_[0])
        assert_array_equal(model.alpha_[k], part.alpha_[0])


@pytest.mark.parametrize("convert", [sparse.csr_matrix, sparse.csc_array, pd.DataFrame, list])
def test_forms_of_the_indicator(convert):
    X, y, W, _ = labelled()
    model = AlphaTransferClassifier(W).fit(X, y)
    other = AlphaTransferClassifier(W).fit(
        X, convert(y.tolist()) if convert is list else convert(y)
    )
    assert_array_equal(other.coef_, model.coef_)
    for dtype in (bool, float):
        assert_array_equal(clone(model).fit(X, y.astype(dtype)).predict(X), model.predict(X))


@pytest.mark.parametrize("value", [0, 1])
def test_a_label_that_all_rows_share(value):
    X, y, *_ = labelled()
    y[:, 1] = value
    model = AlphaTransferClassifier().fit(X, y)
    named = AlphaTransferClassifier(classes=[0, 1]).fit(X, y[:, 1])
    assert_array_equal(model.coef_[1], named.coef_[0])
    assert np.isfinite(model.predict_proba(X)).all()


def test_searches_clones_and_files():
    X, y, W, _ = labelled()
    several = OneVsRestClassifier(LogisticRegression()).fit(X, y)
    grid = {"selection": ["anchored", "evidence"]}
    search = GridSearchCV(AlphaTransferClassifier(several), grid, cv=3, error_score="raise")
    search.fit(X, y)
    assert search.predict_proba(X).shape == (40, 3)
    assert cross_val_predict(AlphaTransferClassifier(W), X, y, cv=3).shape == (40, 3)
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert_array_equal(again.predict_proba(X), search.predict_proba(X))
    plain = search.best_estimator_.to_sklearn()
    assert_array_equal(plain.predict(X), search.predict(X))
    assert_allclose(plain.decision_function(X), search.decision_function(X))
    assert get_tags(AlphaTransferClassifier()).classifier_tags.multi_label


@pytest.mark.parametrize("selection", ["anchored", "loo"])
def test_the_path_over_alpha_scores_all_labels(selection):
    X, y, W, _ = labelled()
    model = AlphaTransferClassifier(W, selection=selection).fit(X, y)
    path = model.alpha_path(X, y, alphas=[0.0, 1.0])
    M = np.column_stack([X, np.ones(40)])
    for alpha, score in zip(path.alphas, path.scores, strict=True):
        ends = [M @ (part._w0[0] + alpha * part._w1[0, 0]) for part in model.estimators_]
        assert score == accuracy_score(y, (np.column_stack(ends) > 0).astype(int))


@pytest.mark.skipif(
    parse_version(__version__) < parse_version("1.8"), reason="scikit-learn 1.8 knows the devices"
)
def test_arrays_of_other_libraries():
    xp = pytest.importorskip("array_api_strict")
    X, y, W, _ = labelled()
    model = AlphaTransferClassifier(W).fit(X, y)
    with config_context(array_api_dispatch=True):
        there = clone(model).fit(xp.asarray(X), xp.asarray(y))
        for method in ("predict", "decision_function", "predict_proba", "predict_log_proba"):
            found = getattr(there, method)(xp.asarray(X))
            assert found.__array_namespace__() == xp
            assert_allclose(np.asarray(found), getattr(model, method)(X), atol=1e-9)


def test_one_label_after_several_and_back():
    X, y, W, _ = labelled()
    model = AlphaTransferClassifier(W, store_loo=True).fit(X, y)
    model.set_params(source=W[0]).fit(X, y[:, 0])
    once = AlphaTransferClassifier(W[0], store_loo=True).fit(X, y[:, 0])
    assert vars(model).keys() == vars(once).keys()
    assert_array_equal(model.predict_proba(X), once.predict_proba(X))
    stream = AlphaTransferClassifier(W).fit(X, y).set_params(source=W[0])
    stream.partial_fit(X, y[:, 0], classes=[0, 1])
    assert stream.predict_proba(X).shape == (40, 2)
    stream.set_params(source=W).fit(X, y)
    assert_array_equal(stream.coef_, AlphaTransferClassifier(W).fit(X, y).coef_)


X, Y, W, B = labelled()
BAD = {
    "classes": ({"classes": [0, 1]}, Y, "leave out classes"),
    "numbers of classes": ({}, Y + np.eye(40, 3, dtype=int), "no indicator of labels"),
    "a row too few": ({"source": W[:2]}, Y, r"2 row\(s\) of coefficients and y 3 labels"),
    "softmax": (
        {"source": LogisticRegression().fit(X, np.arange(40) % 3)},
        Y,
        "tells classes apart",
    ),
    "columns": ({"source": W[:, :4]}, Y, "X has 6 features"),
    "alpha": ({"source": W, "alpha": [1.0, 2.0]}, Y, r"\(n_outputs, n_sources\) = \(3, 1\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(name):
    parameters, y, message = BAD[name]
    model = AlphaTransferClassifier(**parameters)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert vars(model) == before


def test_what_labels_do_not_have():
    model = AlphaTransferClassifier(W).fit(X, Y)
    with pytest.raises(ValueError, match="call it on each of estimators_"):
        model.predict_set(X)
    assert model.estimators_[0].predict_set(X)[1].shape == (40, 2, 1)
    with pytest.raises(ValueError, match="1d array"):
        AlphaTransferClassifier(W).partial_fit(X, Y, classes=[0, 1])
    # several numbers are no labels
    assert AlphaTransferRegressor(W).fit(X, Y).predict(X).shape == (40, 3)


def test_probabilities_do_not_overflow():
    values = np.array([[-1e4, 0.0, 1e4]])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert_allclose(log_label_probabilities(values, 1.0), [[-1e4, -np.log(2), 0]])
