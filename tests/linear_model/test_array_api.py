"""Arrays of other libraries: the same fit as NumPy's, where they lie, and X is not converted."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import __version__, config_context
from sklearn.base import clone
from sklearn.utils._array_api import (
    _convert_to_numpy,
    get_namespace_and_device,
)
from sklearn.utils._testing import _array_api_for_tests
from sklearn.utils.estimator_checks import check_array_api_input
from sklearn.utils.fixes import parse_version

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.linear_model._data import array_api
from sklearn_alpha.linear_model._data.array_api import ArrayAPIRows, make_rows
from sklearn_alpha.linear_model._data.rows import Rows
from sklearn_alpha.linear_model._rules import RULES
from tests.linear_model.helpers import halves, kinds, selected

pytestmark = pytest.mark.skipif(
    parse_version(__version__) < parse_version("1.8"), reason="scikit-learn 1.8 knows the devices"
)
libraries = pytest.mark.parametrize(
    ("library", "device", "dtype"),
    [
        ("array_api_strict", "CPU_DEVICE", "float64"),
        ("array_api_strict", "device1", "float32"),
        ("torch", "cpu", "float64"),
        ("torch", "cpu", "float32"),
        ("torch", "cuda", "float32"),
        ("cupy", None, "float32"),
    ],
)


@pytest.fixture
def put(library, device, dtype):
    """A function that puts NumPy's arrays on the device, floating-point ones in that precision."""
    xp, place = _array_api_for_tests(library, device_name=device, dtype_name=dtype)

    def put(array):
        array = np.asarray(array)
        array = array.astype(dtype) if array.dtype.kind == "f" else array
        return xp.asarray(array, device=place)

    return put


def host(array):
    return _convert_to_numpy(array, get_namespace_and_device(array)[0])


@libraries
@kinds
@pytest.mark.parametrize(
    ("selection", "shape"),
    [(name, (14, 6)) for name in RULES] + [("blend", (9, 15)), ("loo", (9, 15))],
)
def test_everything_is_as_from_numpy_and_lies_where_X_does(
    kind, selection, shape, dtype, put, problem
):
    task = problem(kind, *shape, n_sources=2)
    model = task.Estimator(task.source, **selected(selection, halves(shape[0])), store_loo=True)
    X, tolerance = task.X.astype(dtype), 1e-10 if dtype == "float64" else 2e-4
    y = task.y if task.y.dtype.kind == "i" else task.y.astype(dtype)
    with config_context(array_api_dispatch=True):
        there = clone(model).fit(put(X), put(y), sample_weight=put(task.counts.astype(dtype)))
        model.fit(X, y, sample_weight=task.counts)
        place = get_namespace_and_device(put(X))
        found = {
            name: (getattr(there, name), getattr(model, name))
            for name in vars(model)
            if isinstance(getattr(model, name), np.ndarray)
        }
        for method in ("predict", "decision_function", "predict_proba", "predict_log_proba"):
            if hasattr(model, method):
                found[method] = getattr(there, method)(put(X)), getattr(model, method)(X)
        assert len(found) >= 8
        for name, (value, expected) in found.items():
            assert get_namespace_and_device(value) == place, name
            assert host(value).dtype == expected.dtype, name
            assert_allclose(host(value), expected, rtol=tolerance, atol=tolerance, err_msg=name)
        path, own = (one.alpha_path(X, y) for one, X, y in ((there, put(X), put(y)), (model, X, y)))
        assert_allclose(path.alphas, own.alphas, rtol=tolerance)
        assert path.scores.shape == own.scores.shape
        if dtype == "float64" and kind in ("target", "targets"):
            assert_allclose(path.scores, own.scores, rtol=1e-8)


@libraries
@kinds
@pytest.mark.parametrize("height", [0.0, 0.7, np.inf, "shrunk"])
@pytest.mark.parametrize("solver", ["primal", "dual"])
def test_products_are_those_of_numpy(kind, height, solver, dtype, put, problem):
    task = problem(kind, 11, 5)
    weights, X = task.counts.astype(float), (task.X + 20).astype(dtype)
    columns, some = np.linspace(-1, 1, 22).reshape(11, 2), np.array([7, 0, 3])
    with config_context(array_api_dispatch=True):
        there = make_rows(put(X), weights, height, np.ones(11))
        here = Rows(X.astype(float), weights, height, np.ones(11))
        assert type(there) is ArrayAPIRows
        for name in ("offset", "sqnorms", "mean", "trace", "height"):
            assert_allclose(getattr(there, name), getattr(here, name), rtol=1e-5, atol=1e-9)
        tolerance = {"rtol": 1e-10 if dtype == "float64" else 1e-3, "atol": 1e-3}
        if dtype == "float64":
            tolerance["atol"] = 1e-12
        pairs = [
            (rows.kernel(), *rows.moments(columns, 0 < rows.height < np.inf)[:2])
            + (rows.dot(columns[:5]), rows.rdot(columns), rows.dot(columns[:5, 0]))
            + (rows.take(some), rows.part(some).dot(columns[:5]))
            for rows in (there, here)
        ]
        for one, other in zip(*pairs, strict=True):
            assert isinstance(one, np.ndarray)
            assert_allclose(one, other, **tolerance)


@libraries
@pytest.mark.parametrize("shape", [(40, 30), (12, 60)])
def test_X_never_comes_to_the_host(shape, put, problem, monkeypatch, sample):
    """What does is no larger than the smaller Gram matrix, six columns, or the rows left out."""
    task = problem("binary", *shape)
    sizes = []

    def watched(array, xp):
        sizes.append(np.prod(array.shape))
        return _convert_to_numpy(array, xp)

    monkeypatch.setattr(array_api, "_convert_to_numpy", watched)
    with config_context(array_api_dispatch=True):
        X = put(task.X)
        model = AlphaTransferClassifier(task.W[0, 0]).fit(X, put(task.y))
        model.predict_proba(X)
    assert max(sizes) <= max((min(shape) + 1) ** 2, 6 * max(shape)) < np.prod(shape)


@libraries
@pytest.mark.parametrize("labels", [np.array(["no", "yes"]), np.array([2.0, 5.0])])
def test_labels_of_any_kind(labels, put, problem):
    task = problem("binary")
    y = labels[task.y]
    with config_context(array_api_dispatch=True):
        there = y if y.dtype.kind == "U" else put(y)
        model = AlphaTransferClassifier(task.source).fit(put(task.X), there)
        predicted = model.predict(put(task.X))
        predicted = host(predicted)
    expected = AlphaTransferClassifier(task.source).fit(task.X, y).predict(task.X)
    assert_array_equal(predicted, expected)


@libraries
@kinds
def test_a_row_of_weight_zero_is_absent(kind, put, problem):
    task = problem(kind, n=16)
    weights = np.where(np.arange(16) >= 4, 1.0, 0.0)
    with config_context(array_api_dispatch=True):
        model = task.Estimator(task.source, store_loo=True)
        model.fit(put(task.X), put(task.y), sample_weight=put(weights))
        absent = clone(model).fit(put(task.X[4:]), put(task.y[4:]))
        assert_allclose(host(model.coef_), host(absent.coef_), rtol=1e-4, atol=1e-6)
        loo = host(model.loo_decision_function_)
        assert_allclose(loo[4:], host(absent.loo_decision_function_), rtol=1e-4, atol=1e-5)


@libraries
def test_a_source_may_be_of_the_library(put, problem):
    task = problem("classes")
    with config_context(array_api_dispatch=True):
        source = AlphaTransferClassifier().fit(put(task.X), put(task.y))
        for given in (source, (source.coef_, source.intercept_), source.coef_):
            model = AlphaTransferClassifier(given).fit(put(task.X[1:]), put(task.y[1:]))
            assert_allclose(
                host(model.source_coef_)[:, 0],
                host(source.coef_) - host(source.coef_).mean(axis=0),
                atol=1e-6,
            )


@libraries
def test_another_place_is_an_error_in_one_sentence(library, device, dtype, put, problem):
    task = problem("binary")
    with config_context(array_api_dispatch=True):
        model = AlphaTransferClassifier(task.source).fit(put(task.X), put(task.y))
        with pytest.raises(ValueError, match=r"predict\(\) must use the same namespace and device"):
            model.predict(task.X)
        with pytest.raises(ValueError, match=r"_path\(\) must use the same namespace and device"):
            model.alpha_path(sparse.csr_array(task.X), task.y)
        with pytest.raises(ValueError, match=r"chunk 1: partial_fit adds up NumPy's arrays; move"):
            AlphaTransferClassifier().partial_fit(put(task.X), put(task.y), classes=[0, 1])
        for size in (1e35, -1e35):
            huge = task.X.copy()
            huge[0, 0] = size
            with pytest.raises(ValueError, match=r"largest entry of X is 1.0e\+35"):
                AlphaTransferClassifier().fit(put(huge), put(task.y))


@libraries
@pytest.mark.parametrize("Estimator", [AlphaTransferClassifier, AlphaTransferRegressor])
def test_scikit_learn_checks_with_weights(Estimator, library, device, dtype):
    check_array_api_input(
        Estimator.__name__,
        Estimator(),
        library,
        device_name=device,
        dtype_name=dtype,
        check_sample_weight=True,
    )
