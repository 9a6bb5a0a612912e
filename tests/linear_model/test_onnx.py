"""ONNX beside scikit-learn: onnxruntime's labels, probabilities and predictions are the model's."""

import sys

import numpy as np
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from skl2onnx import to_onnx
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.linear_model import register_onnx

LABELS = {
    "binary": [[0, 1], [-1, 1], ["no", "yes"], [False, True], [3.0, 7.0]],
    "classes": [[0, 1, 2], [5, 7, 6], ["north", "süd", "west"]],
}
LABELS["objects"] = [np.array(["no", "yes"], dtype=object)]
PRECISIONS = {np.float32: 2e-5, np.float64: 1e-12}


@pytest.fixture(scope="module", autouse=True)
def registered():
    register_onnx()


def run(model, X, dtype=np.float32, **options):
    """What onnxruntime makes of the converted model."""
    X = X.astype(dtype)
    session = onnxruntime.InferenceSession(
        to_onnx(model, X[:1], **options).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"X": X})


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize(
    ("kind", "labels"),
    [(kind, labels) for kind, several in LABELS.items() for labels in several],
    ids=str,
)
def test_labels_and_probabilities(kind, labels, scaled, dtype, problem):
    task = problem("classes" if len(labels) == 3 else "binary")
    y = np.asarray(labels)[task.y]
    model = AlphaTransferClassifier(task.source)
    model = (make_pipeline(StandardScaler(), model) if scaled else model).fit(task.X, y)
    found, P = run(model, task.X, dtype, options={"zipmap": False})
    assert_array_equal(found, model.predict(task.X))
    assert P.dtype == dtype
    assert_allclose(P, model.predict_proba(task.X), rtol=PRECISIONS[dtype], atol=1e-6)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("kind", ["target", "targets", "column"])
def test_predictions(kind, scaled, dtype, problem):
    task = problem("targets" if kind == "targets" else "target")
    y = task.y[:, None] if kind == "column" else task.y
    model = AlphaTransferRegressor(task.source)
    model = (make_pipeline(StandardScaler(), model) if scaled else model).fit(task.X, y)
    (found,) = run(model, task.X, dtype)
    assert found.dtype == dtype
    expected = model.predict(task.X).reshape(len(task.X), -1)
    assert_allclose(found, expected, rtol=PRECISIONS[dtype], atol=PRECISIONS[dtype])


def test_a_pipeline_whose_steps_are_frozen(problem):
    task = problem("classes")
    source = make_pipeline(StandardScaler(), LogisticRegression()).fit(2 * task.X + 1, task.y)
    model = AlphaTransferClassifier.from_pipeline(source).fit(task.X, task.y)
    found, P = run(model, task.X, np.float64, options={"zipmap": False})
    assert_array_equal(found, model.predict(task.X))
    assert_allclose(P, model.predict_proba(task.X), rtol=1e-9)
    found, P = run(FrozenEstimator(model[-1]), model[:-1].transform(task.X))  # a list of dicts
    assert_array_equal(found, model.predict(task.X))
    assert list(P[0]) == model.classes_.tolist()


def test_a_pipeline_of_a_regressor_whose_steps_are_frozen(problem):
    task = problem("target")
    source = make_pipeline(StandardScaler(), Ridge()).fit(2 * task.X + 1, task.y)
    model = AlphaTransferRegressor.from_pipeline(source).fit(task.X, task.y)
    (found,) = run(model, task.X, np.float64)
    assert_allclose(found[:, 0], model.predict(task.X), rtol=1e-9)


def test_a_stream(problem):
    task = problem("classes")
    model = AlphaTransferClassifier(task.source).partial_fit(task.X, task.y, classes=[0, 1, 2])
    found, P = run(model, task.X, np.float64, options={"zipmap": False})
    assert_array_equal(found, model.predict(task.X))
    assert_allclose(P, model.predict_proba(task.X), rtol=1e-12)


def test_the_plain_model_that_scikit_learn_knows(task_of_kinds):
    model = task_of_kinds.model.to_sklearn()
    found, *_ = run(model, task_of_kinds.X)
    expected = model.predict(task_of_kinds.X)
    if found.dtype.kind == "f":
        assert_allclose(found, expected.reshape(found.shape), rtol=2e-5, atol=2e-5)
    else:
        assert_array_equal(found, expected)


@pytest.fixture(params=["binary", "classes", "target", "targets"])
def task_of_kinds(request, problem):
    task = problem(request.param)
    task.model = task.Estimator(task.source).fit(task.X, task.y)
    return task


def test_dictionaries_of_probabilities(problem):
    task = problem("binary")
    y = np.array(["no", "yes"])[task.y]
    model = AlphaTransferClassifier(task.source).fit(task.X, y)
    _, P = run(model, task.X)
    assert set(P[0]) == {"no", "yes"}
    assert_allclose([p["yes"] for p in P], model.predict_proba(task.X)[:, 1], rtol=2e-5)


@pytest.mark.parametrize("zipmap", [True, "columns"])
def test_probabilities_by_the_name_of_the_class(zipmap, problem):
    task = problem("classes")
    model = AlphaTransferClassifier(task.source).fit(task.X, task.y + 5)
    _, *P = run(model, task.X, options={"zipmap": zipmap})
    P = P if zipmap == "columns" else [[p[label] for p in P[0]] for label in (5, 6, 7)]
    assert_allclose(np.transpose(P), model.predict_proba(task.X), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("target_opset", [11, 13, 15])
def test_an_earlier_version_of_the_operators(target_opset, problem):
    for kind in ("classes", "targets"):
        task = problem(kind)
        model = task.Estimator(task.source).fit(task.X, task.y)
        onnx = to_onnx(model, task.X[:1].astype(np.float32), target_opset=target_opset)
        versions = {part.domain: part.version for part in onnx.opset_import}
        assert versions[""] <= target_opset
        found = run(model, task.X, target_opset=target_opset)[0]
        expected = model.predict(task.X)
        assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


def test_numbers_of_classes_for_labels(problem):
    task = problem("classes")
    y = np.array(["x", "y", "z"])[task.y]
    model = AlphaTransferClassifier(task.source).fit(task.X, y)
    found, _ = run(model, task.X, options={"zipmap": False, "nocl": True})
    assert_array_equal(np.array(["x", "y", "z"])[found], model.predict(task.X))


@pytest.mark.parametrize("dtype", [np.int64, np.bool_])
def test_features_that_are_whole_numbers(dtype, problem):
    task = problem("classes")
    X = (task.X > 0).astype(dtype)
    model = AlphaTransferClassifier().fit(X, task.y)
    found, P = run(model, X, dtype, options={"zipmap": False})
    assert_array_equal(found, model.predict(X))
    assert_allclose(P, model.predict_proba(X), rtol=2e-5)


def test_labels_that_onnx_has_not(problem):
    task = problem("binary")
    model = AlphaTransferClassifier(task.source).fit(task.X, task.y)
    model.classes_ = np.array([0.5, 1.5])  # scikit-learn takes them for targets of a regression
    with pytest.raises(ValueError, match=r"whole numbers or strings, not \[0\.5, 1\.5\]"):
        run(model, task.X, options={"zipmap": False})


def test_without_skl2onnx(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"needs skl2onnx: pip install 'sklearn-alpha\[onnx\]'"):
        register_onnx()
