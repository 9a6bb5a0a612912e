"""Files and other processes: what comes back predicts as what was written."""

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn.base import is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.linear_model._rules import RULES
from tests.linear_model.helpers import KINDS, selected

# random sources are at times reversed
pytestmark = pytest.mark.filterwarnings("ignore:The labels contradict the source")

FILES = sorted(Path(__file__).parent.glob("files/*.skops"))
METHODS = ("predict", "decision_function", "predict_proba", "predict_log_proba")


def same_predictions(one, two, X):
    methods = [name for name in METHODS if hasattr(one, name)]
    assert len(methods) == (4 if is_classifier(one) else 1)
    for name in methods:
        assert_array_equal(getattr(one, name)(X), getattr(two, name)(X), err_msg=name)


def stream(model, task):
    given = {"classes": np.unique(task.y)} if is_classifier(model) else {}
    return model.partial_fit(task.X, task.y, **given)


@pytest.fixture(params=KINDS)
def task(request, problem):
    return problem(request.param)


@pytest.fixture(params=["fit", "partial_fit"])
def model(request, task):
    model = task.Estimator(task.source)
    return model.fit(task.X, task.y) if request.param == "fit" else stream(model, task)


# ---------------------------------------------------------------- joblib, pickle, skops


def by_pickle(model, file):
    file.write_bytes(pickle.dumps(model))
    return pickle.loads(file.read_bytes())


def by_joblib(model, file):
    joblib.dump(model, file)
    return joblib.load(file)


def by_skops(model, file):
    skops.io.dump(model, file)
    untrusted = skops.io.get_untrusted_types(file=file)
    assert {name.partition(".")[0] for name in untrusted} == {"sklearn_alpha"}
    return skops.io.load(file, trusted=untrusted)


WAYS = [by_pickle, by_joblib, by_skops]


@pytest.mark.parametrize("way", WAYS)
def test_a_file_gives_the_same_predictions(way, model, task, tmp_path):
    again = way(model, tmp_path / "model")
    same_predictions(model, again, task.X)
    assert repr(again) == repr(model)
    assert_array_equal(again.alpha_, model.alpha_)
    assert isinstance(again.path_, Bunch)
    assert again.path_.keys() == model.path_.keys()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("selection", RULES)
def test_a_file_of_every_selection(way, selection, problem, tmp_path):
    task = problem("binary")
    model = AlphaTransferClassifier(task.source, **selected(selection, 2)).fit(task.X, task.y)
    again = way(model, tmp_path / "model")
    same_predictions(model, again, task.X)
    assert_array_equal(
        again.alpha_path(task.X, task.y).scores, model.alpha_path(task.X, task.y).scores
    )


@pytest.mark.parametrize("way", WAYS)
def test_a_file_of_a_pipeline_with_an_estimator_for_a_source(way, problem, tmp_path):
    task = problem("classes")
    source = FrozenEstimator(LogisticRegression().fit(task.X, task.y))
    model = make_pipeline(StandardScaler(), AlphaTransferClassifier(source))
    model.fit(task.X, task.y)
    same_predictions(model, way(model, tmp_path / "model"), task.X)


@pytest.mark.parametrize("way", WAYS)
def test_a_stream_goes_on_from_a_file(way, task, tmp_path):
    model = stream(task.Estimator(task.source), task)
    again = way(model, tmp_path / "model")
    same_predictions(stream(model, task), stream(again, task), task.X)


@pytest.mark.parametrize("way", WAYS)
def test_a_file_of_what_is_not_fitted(way, task, tmp_path):
    model = task.Estimator(task.source, gammas=[0.1, 1.0])
    again = way(model, tmp_path / "model")
    same_predictions(model.fit(task.X, task.y), again.fit(task.X, task.y), task.X)


def test_inner_dictionaries_of_a_path_come_back_as_they_were(problem):
    task = problem("binary")
    path = task.Estimator(task.source, selection="generative").fit(task.X, task.y).path_
    again = copy.deepcopy(task.Estimator(task.source, selection="generative")).fit(task.X, task.y)
    again = pickle.loads(pickle.dumps(again)).path_
    assert isinstance(again.generative, Bunch)
    assert_array_equal(again.generative.rho, path.generative.rho)


def test_another_process_predicts_the_same(task, model, tmp_path):
    expected = {name: getattr(model, name)(task.X) for name in METHODS if hasattr(model, name)}
    joblib.dump((model, task.X, expected), tmp_path / "model.joblib")
    program = (
        "import joblib, numpy as np, sys\n"
        "model, X, expected = joblib.load(sys.argv[1])\n"
        "for name, values in expected.items():\n"
        "    np.testing.assert_array_equal(getattr(model, name)(X), values)\n"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "model.joblib"], check=True)


# ---------------------------------------------------------------- versions


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_files_of_earlier_versions_load(file):
    untrusted = skops.io.get_untrusted_types(file=file)
    # the first of them kept `path_` as scikit-learn's Bunch
    assert {name.partition(".")[0] for name in untrusted} <= {"sklearn_alpha", "sklearn"}
    kept = skops.io.load(file, trusted=untrusted)
    models, X, predicted = kept["models"], kept["X"], kept["predicted"]
    assert set(models) == {*predicted, "unfitted"}
    for name, values in predicted.items():
        model = models[name]
        again = getattr(model, "predict_proba", model.predict)(X)
        assert_allclose(again, values, rtol=1e-9, atol=1e-12, err_msg=name)
        assert repr(model)
    unfitted = models["unfitted"]
    assert unfitted.selection == "evidence"
    assert unfitted.fit(X, X.sum(axis=1)).score(X, X.sum(axis=1)) > 0.99


def test_there_is_a_file_to_try():
    assert FILES


def test_a_file_of_a_format_to_come_says_which_version_wrote_it(problem):
    task = problem("target")
    state = task.Estimator(task.source).fit(task.X, task.y).__getstate__()
    state["_written_by"] = (2, "7.0")
    message = r"Regressor was written by sklearn_alpha 7\.0 in format 2, and .* reads 1"
    blank = AlphaTransferRegressor.__new__(AlphaTransferRegressor)
    with pytest.raises(ValueError, match=message):
        blank.__setstate__(state)
    assert not vars(blank)


def test_a_parameter_that_the_writer_did_not_know_has_its_default(problem):
    task = problem("target")
    model = task.Estimator(task.source).fit(task.X, task.y)
    state = model.__getstate__()
    del state["solver"], state["scoring"], state["_written_by"]
    again = AlphaTransferRegressor.__new__(AlphaTransferRegressor)
    again.__setstate__(state)
    assert again.get_params(deep=False).keys() == model.get_params(deep=False).keys()
    assert again.solver == "auto"
    same_predictions(model, again, task.X)
    assert "_written_by" in model.__getstate__()
    assert "_written_by" not in vars(again)


# ---------------------------------------------------------------- plain scikit-learn


def test_to_sklearn_has_the_same_decisions(model, task):
    plain = model.to_sklearn()
    assert type(plain) is (RidgeClassifier if is_classifier(model) else Ridge)
    assert plain.n_features_in_ == model.n_features_in_
    assert plain.coef_.shape == model.coef_.shape
    assert np.shape(plain.intercept_) == np.shape(model.intercept_)
    if not is_classifier(model):
        assert_allclose(plain.predict(task.X), model.predict(task.X), 1e-12)
    else:
        assert_array_equal(plain.classes_, model.classes_)
        assert_array_equal(plain.predict(task.X), model.predict(task.X))
        assert_allclose(plain.decision_function(task.X), model.decision_function(task.X), 1e-12)


def test_to_sklearn_keeps_a_column_of_targets_a_column(problem):
    task = problem("target")
    model = task.Estimator().fit(task.X, task.y[:, None])
    assert_allclose(model.to_sklearn().predict(task.X), model.predict(task.X), 1e-12)
    assert model.to_sklearn().coef_.shape == model.coef_.shape == (1, 7)


def test_to_sklearn_shares_nothing(model, task):
    plain, before = model.to_sklearn(), model.predict(task.X)
    plain.coef_ *= 2
    plain.intercept_ += 1
    assert_array_equal(model.predict(task.X), before)


@pytest.mark.parametrize("way", [by_pickle, by_joblib])
def test_to_sklearn_outlives_this_package(way, model, task, tmp_path):
    plain = model.to_sklearn()
    again = way(plain, tmp_path / "plain")
    assert_array_equal(again.predict(task.X), plain.predict(task.X))


def test_a_file_of_a_plain_model_needs_no_trust(model, task):
    plain = model.to_sklearn()
    kept = skops.io.dumps(plain)
    assert skops.io.get_untrusted_types(data=kept) == []
    assert_array_equal(skops.io.loads(kept).predict(task.X), plain.predict(task.X))


@pytest.mark.parametrize("labels", [["no", "yes"], [3, 7], [False, True], ["a", "b", "c"]])
def test_to_sklearn_knows_labels_and_names(labels, problem):
    task = problem("binary" if len(labels) == 2 else "classes")
    X, y = pd.DataFrame(task.X, columns=list("abcdefg")), np.array(labels)[task.y]
    model = AlphaTransferClassifier().fit(X, y)
    plain = model.to_sklearn()
    assert_array_equal(plain.feature_names_in_, model.feature_names_in_)
    assert_array_equal(plain.predict(X), model.predict(X))
    assert plain.score(X, y) == model.score(X, y)
    with pytest.raises(ValueError, match="feature names"):
        plain.predict(X[list("gfedcba")])


@pytest.mark.parametrize("kind", ["binary", "classes"])
def test_probabilities_are_those_that_to_sklearn_documents(kind, problem):
    task = problem(kind)
    model = task.Estimator(task.source).fit(task.X, task.y)
    f = model.inverse_temperature_ * model.to_sklearn().decision_function(task.X)
    P = softmax(f, axis=1) if f.ndim == 2 else np.column_stack([expit(-f), expit(f)])
    assert_allclose(model.predict_proba(task.X), P, rtol=1e-12)
    logistic = LogisticRegression().fit(task.X, task.y)
    plain = model.to_sklearn()
    logistic.coef_ = model.inverse_temperature_ * plain.coef_
    logistic.intercept_ = model.inverse_temperature_ * plain.intercept_
    assert_allclose(model.predict_proba(task.X), logistic.predict_proba(task.X), rtol=1e-12)


def test_to_sklearn_needs_a_fit():
    with pytest.raises(ValueError, match="not fitted"):
        AlphaTransferClassifier().to_sklearn()
