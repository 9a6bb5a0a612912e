"""Arrays nobody would send: fit says no with a ValueError, or all that it gives is finite."""

import faulthandler
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from numpy.testing import assert_allclose
from scipy import sparse

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.linear_model._rules import RULES
from tests.linear_model.helpers import selected

bounded = settings(
    deadline=None, max_examples=30, derandomize=True, suppress_health_check=list(HealthCheck)
)
scales = st.sampled_from([0.0, 1e-12, 1e-6, 1.0, 1e6, 1e12])


@st.composite
def rows(draw):
    """X of any rank with constant columns, repeated rows and columns of very different scales."""
    n, p = draw(st.integers(2, 8)), draw(st.integers(1, 8))
    rank = draw(st.integers(0, min(n, p)))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    X = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, p))
    for column in range(p):
        X[:, column] *= draw(scales)
        X[:, column] += draw(st.sampled_from([0.0, 0.0, 1.0, 1e6]))
    if draw(st.booleans()):
        X[n // 2 :] = X[0]
    return X


@st.composite
def sources(draw, n_outputs, n_features):
    """None, or up to three sources that may be zero, huge, tiny, or multiples of one another."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    found = []
    w, b = rng.normal(size=(n_outputs, n_features)), rng.normal(size=n_outputs)
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.booleans()):
            w, b = rng.normal(size=(n_outputs, n_features)), rng.normal(size=n_outputs)
        scale = draw(st.sampled_from([0.0, 1e-100, 1e-12, 1.0, -1.0, 1e12, 1e100]))
        found.append((scale * w, scale * b))
    return found or None


@st.composite
def targets(draw, n):
    """Labels of two or three classes, or numbers of any scale, one column or two."""
    kind = draw(st.sampled_from(["binary", "classes", "target", "targets"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    if kind in ("binary", "classes"):
        n_classes = 2 if kind == "binary" or n < 3 else 3
        y = np.r_[np.arange(n_classes), rng.integers(0, n_classes, size=n - n_classes)]
        return rng.permutation(y), 1 if n_classes == 2 else 3, AlphaTransferClassifier
    n_outputs = 1 if kind == "target" else 2
    y = rng.normal(size=(n, n_outputs)) * draw(scales) + draw(st.sampled_from([0.0, 1.0, 1e6]))
    return y if n_outputs > 1 else y[:, 0], n_outputs, AlphaTransferRegressor


@st.composite
def problems(draw):
    X = draw(rows())
    y, n_outputs, Estimator = draw(targets(len(X)))
    parameters = {
        "source": draw(sources(n_outputs, X.shape[1])),
        **draw(
            st.sampled_from(
                [{}, {"fit_intercept": False}, {"intercept_scaling": np.inf}]
                + [{"intercept_scaling": 1.0}]
            )
        ),
        "solver": draw(st.sampled_from(["auto", "primal", "dual"])),
        "store_loo": True,
    }
    weights = np.random.default_rng(len(X)).integers(1, 4, size=len(X))
    return Estimator, parameters, X, y, draw(st.sampled_from([None, weights]))


@pytest.fixture(autouse=True)
def _never_hangs():
    """Ends the run with a traceback where a fit does not come back."""
    faulthandler.dump_traceback_later(300, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def assert_finite(model, X):
    for name in ("coef_", "intercept_", "alpha_", "source_coef_", "source_intercept_"):
        assert np.isfinite(getattr(model, name)).all(), name
    assert np.isfinite(model.loo_decision_function_).all()
    assert model.gamma_ > 0
    if isinstance(model, AlphaTransferClassifier):
        P = model.predict_proba(X)
        assert_allclose(P.sum(axis=1), 1)
        assert np.isfinite(model.decision_function(X)).all()
        assert np.isin(model.predict(X), model.classes_).all()
    else:
        assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("selection", RULES)
@bounded
@given(problem=problems(), container=st.sampled_from([np.asarray, sparse.csr_matrix]))
def test_finite_or_an_error(selection, problem, container):
    Estimator, parameters, X, y, weights = problem
    folds = [(np.arange(len(X)), np.arange(len(X)))]
    model = Estimator(**selected(selection, folds), **parameters)
    try:
        model.fit(container(X), y, sample_weight=weights)
    except ValueError:
        assert not hasattr(model, "coef_")
        return
    assert_finite(model, X)


@pytest.mark.parametrize("selection", RULES)
@bounded
@given(
    seed=st.integers(0, 2**16),
    n=st.integers(3, 12),
    p=st.integers(1, 12),
    power=st.integers(-40, 40),
    height=st.sampled_from(["auto", np.inf]),
)
def test_units_of_the_features_move_nothing(selection, seed, n, p, power, height):
    # a power of two, which no rounding touches
    rng, c = np.random.default_rng(seed), 2.0**power
    X, w, y = rng.normal(size=(n, p)), rng.normal(size=p), np.arange(n) % 2
    parameters = selected(selection, [(np.arange(n), np.arange(n))])
    parameters["intercept_scaling"] = height
    model = AlphaTransferClassifier((w, 0.5), **parameters).fit(X, y)
    scaled = AlphaTransferClassifier((w / c, 0.5), **parameters).fit(c * X, y)
    new = rng.normal(size=(5, p))
    size = np.abs(model.decision_function(new)).max()
    assert_allclose(
        scaled.decision_function(c * new), model.decision_function(new), rtol=0, atol=1e-8 * size
    )


@pytest.mark.parametrize("selection", RULES)
@bounded
@given(seed=st.integers(0, 2**16), n=st.integers(3, 10), p=st.integers(1, 10))
def test_leave_one_out_does_not_see_its_row(selection, seed, n, p):
    """At given α and γ, no change of yᵢ moves the left-out value of row i."""
    rng = np.random.default_rng(seed)
    X, w, y = rng.normal(size=(n, p)), rng.normal(size=p), rng.normal(size=n)
    model = AlphaTransferRegressor(
        w,
        **selected(selection, [(np.arange(n), np.arange(n))]),
        alpha=0.7,
        gamma=0.1,
        store_loo=True,
    )
    before = model.fit(X, y).loo_decision_function_[0]
    y[0] += 10
    assert_allclose(model.fit(X, y).loo_decision_function_[0], before, atol=1e-8)


def outrageous(rng):
    """An array that has no business in a fit, and a y to go with it."""
    n, p = rng.integers(1, 7, size=2)
    X = rng.choice(
        [0, 1, -1, 1e-320, 1e-160, 1e-12, 1e12, 1e100, 1e150, 1e160, 1e308, np.nan, np.inf],
        size=(n, p),
        p=[0.2, 0.2, 0.1, *[0.05] * 8, 0.05, 0.05],
    )
    if rng.random() < 0.5:
        X = np.nan_to_num(X, nan=0.0, posinf=0.0)
    y = rng.choice([0.0, 1.0, 1e-300, 1e12, 1e150, 1e308], size=n)
    return X, y


@pytest.mark.parametrize("selection", RULES)
@pytest.mark.parametrize("Estimator", [AlphaTransferClassifier, AlphaTransferRegressor])
def test_fuzz(Estimator, selection):
    """Even where squares overflow: an error that is one, or finite attributes."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        X, y = outrageous(rng)
        y = y > 0.5 if Estimator is AlphaTransferClassifier else y
        source = rng.choice([0, 1e-200, 1.0, 1e200], size=X.shape[1])
        folds = [(np.arange(len(X)),) * 2]
        model = Estimator(source, **selected(selection, folds), store_loo=True)
        try:
            model.fit(X, y)
        except ValueError:
            assert not hasattr(model, "coef_")
        else:
            assert np.isfinite(model.coef_).all()
            assert np.isfinite(model.intercept_).all()
            assert np.isfinite(model.alpha_).all()
            assert np.isfinite(model.loo_decision_function_).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("Estimator", [AlphaTransferClassifier, AlphaTransferRegressor])
@pytest.mark.parametrize("factor", [1e-310, 1e-150, 1e-100, 1e100, 1e150, 1e308])
def test_weights_beyond_the_range(Estimator, factor, dtype):
    """Single-precision rows gave non-finite coefficients, denormal weights a fit without end."""
    rng = np.random.default_rng(0)
    X, w, weight = rng.normal(size=(30, 4)).astype(dtype), rng.normal(size=4), np.ones(30)
    y = X @ w > 0 if Estimator is AlphaTransferClassifier else X @ w
    message = "the largest entry of sample_weight is .*; rescale it to about 1"
    model = Estimator(w)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, sample_weight=factor * weight)
    assert not hasattr(model, "coef_")
    classes = {"classes": [False, True]} if Estimator is AlphaTransferClassifier else {}
    model.partial_fit(X, y, **classes)
    before = model.coef_.copy()
    with pytest.raises(ValueError, match=f"chunk 2: {message}"):
        model.partial_fit(X, y, sample_weight=factor * weight)
    assert_allclose(model.coef_, before, rtol=0)


@pytest.mark.parametrize("way", ["fit", "partial_fit"])
@pytest.mark.parametrize("weight", [0, -1, np.nan, np.inf])
def test_weights_of_classes_are_positive(weight, way):
    """A zero gave a fit without end."""
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    model = AlphaTransferClassifier(np.ones(3), class_weight={0: weight, 1: 1})
    options = {} if way == "fit" else {"classes": [0, 1]}
    with pytest.raises(ValueError, match=r"class_weight gives class 0 .*; pass positive"):
        getattr(model, way)(X, y, **options)
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize("weights", [{0: 1e-310, 1: 1e-310}, {0: 1e300, 1: 1}])
def test_weights_of_classes_beyond_the_range(weights):
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    with pytest.raises(ValueError, match=r"sample_weight times class_weight is .*; rescale"):
        AlphaTransferClassifier(np.ones(3), class_weight=weights).fit(X, y)


@pytest.mark.parametrize("selection", RULES)
@pytest.mark.parametrize("weight", [1e-10, 1e-17, 1e-100, 1e-310])
def test_a_class_of_little_weight(selection, weight):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), np.arange(20) % 2
    model = AlphaTransferClassifier(rng.normal(size=3), **selected(selection, 2), store_loo=True)
    assert_finite(model.fit(X, y, sample_weight=np.where(y == 1, weight, 1.0)), X)


@pytest.mark.parametrize("Estimator", [AlphaTransferClassifier, AlphaTransferRegressor])
def test_threads_read_a_stream_that_is_not_solved(Estimator):
    """None of them sees a part of the solution."""
    rng, before = np.random.default_rng(0), sys.getswitchinterval()
    X, y, w = rng.normal(size=(60, 5)), np.arange(60) % 2, rng.normal(size=5)
    options = {"classes": [0, 1]} if Estimator is AlphaTransferClassifier else {}
    expected = Estimator(w).partial_fit(X, y, **options).predict(X)
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            model, barrier = Estimator(w).partial_fit(X, y, **options), threading.Barrier(4)

            def read(_, model=model, barrier=barrier):
                barrier.wait()
                return model.predict(X)

            with ThreadPoolExecutor(4) as pool:
                for found in pool.map(read, range(4)):
                    assert_allclose(found, expected, rtol=0)
    finally:
        sys.setswitchinterval(before)
