"""Chunks against one fit, sums against their parts, and bad chunks."""

import pickle
import warnings

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.special import softmax
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.linear_model._labels import codes
from tests.linear_model.helpers import kinds

# random sources are at times reversed
pytestmark = pytest.mark.filterwarnings("ignore:The labels contradict the source")

HEIGHTS = [0.0, 0.7, "auto", np.inf]
LEARNED = ("coef_", "intercept_", "alpha_", "gamma_", "source_coef_", "source_intercept_")


def options(height):
    return {"intercept_scaling": height} if height else {"fit_intercept": False}


def first_call(task):
    is_classifier = task.Estimator is AlphaTransferClassifier
    return {"classes": np.unique(task.y)} if is_classifier else {}


def stream(model, task, chunks, weights=None, convert=np.asarray):
    for rows in chunks:
        part = {} if weights is None else {"sample_weight": weights[rows]}
        model.partial_fit(convert(task.X[rows]), task.y[rows], **first_call(task), **part)
    return model


def assert_same(one, two, rtol=1e-8):
    for name in LEARNED:
        expected = getattr(two, name)
        atol = rtol * np.abs(expected).max(initial=0)
        assert_allclose(getattr(one, name), expected, rtol=0, atol=atol, err_msg=name)
    # of the log evidence only differences count
    for name in ("gammas", "posterior", "alphas"):
        assert_allclose(one.path_[name], two.path_[name], rtol=1e-6, atol=1e-8, err_msg=name)


@kinds
@pytest.mark.parametrize("height", HEIGHTS)
@pytest.mark.parametrize("shape", [(40, 6), (15, 20)])
@pytest.mark.parametrize("n_sources", [0, 1, 2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("selection", ["anchored", "evidence"])
def test_any_chunking_is_one_fit(
    kind, height, shape, n_sources, weighted, convert, selection, problem
):
    task = problem(kind, *shape, n_sources=n_sources)
    task.X += 5  # the origin is not the mean of later chunks
    weights = task.counts * (np.arange(len(task.X)) % 7 > 0) if weighted else None
    model = task.Estimator(task.source, selection=selection, **options(height))
    whole = clone(model).fit(task.X, task.y, sample_weight=weights)
    n = len(task.X)
    for chunks in ([slice(0, n)], np.split(np.arange(n), [3, 4, n // 2]), [slice(9, n), slice(9)]):
        assert_same(stream(clone(model), task, chunks, weights, convert), whole)


@kinds
@pytest.mark.parametrize(
    "given", [{"alpha": 0.7}, {"gamma": 0.2}, {"alpha": 0.7, "gamma": 0.2}, {"gammas": [0.1, 1.0]}]
)
def test_what_is_given_is_kept(kind, given, problem):
    task = problem(kind, 40)
    model = task.Estimator(task.source, **given)
    whole = clone(model).fit(task.X, task.y)
    assert_same(stream(model, task, np.split(np.arange(40), 4)), whole)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("discrete", [False, True])
def test_a_sample_of_many_rows_depends_on_no_order(n_classes, discrete):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, size=(4000, 5)) - 0.0 if discrete else rng.normal(size=(1500, 5))
    W = rng.normal(size=(n_classes, 5))
    y = (X @ W.T + rng.gumbel(size=(len(X), n_classes))).argmax(axis=1)
    weights, order = rng.integers(0, 3, size=len(X)), rng.permutation(len(X))
    model = AlphaTransferClassifier(W if n_classes > 2 else W[1] - W[0])
    whole = clone(model).fit(X, y, weights)
    for convert in (np.asarray, sparse.csr_matrix):
        mixed = clone(model).fit(convert(X[order]), y[order], weights[order])
        assert_same(mixed, whole)
        assert_allclose(mixed.inverse_temperature_, whole.inverse_temperature_, rtol=1e-8)
    repeated = np.repeat(order, weights[order])
    chunks = clone(model)
    for rows in np.array_split(repeated, 7):
        chunks.partial_fit(X[rows], y[rows], classes=range(n_classes))
    assert_same(chunks, whole)
    assert_allclose(chunks.inverse_temperature_, whole.inverse_temperature_, rtol=1e-8)
    assert_same(clone(model).fit(X[repeated], y[repeated]), whole)


def test_class_weights(problem):
    task = problem("classes", 40)
    model = task.Estimator(task.source, class_weight={0: 2.0, 2: 0.5})
    whole = clone(model).fit(task.X, task.y)
    assert_same(stream(model, task, np.split(np.arange(40), 4)), whole)


def test_no_source_is_ridge(problem):
    task = problem("target", 40)
    model = task.Estimator(gamma=0.1)
    stream(model, task, np.split(np.arange(40), 5))
    ridge = Ridge(alpha=4.0).fit(task.X, task.y)
    assert_allclose(model.coef_, ridge.coef_)
    assert_allclose(model.intercept_, ridge.intercept_)


def test_a_source_is_aligned_by_label_and_warns_once(problem):
    task = problem("classes", 40)
    fitted = LogisticRegression().fit(task.X, (task.y + 1) % 3)
    fitted.classes_ = np.array([2, 0, 7])
    whole = task.Estimator(FrozenEstimator(fitted), selection="evidence")
    model = clone(whole)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stream(model, task, np.split(np.arange(40), 4))
    with pytest.warns(UserWarning, match=r"^source never saw the classes \[1\]") as caught:
        assert model.coef_.shape == (3, 7)
    assert len(caught) == 1
    with pytest.warns(UserWarning, match="never saw"):
        whole.fit(task.X, task.y)
    assert_same(model, whole)


def test_a_source_of_other_columns_is_found_in_the_first_chunk(problem):
    task = problem("target")
    X = pd.DataFrame(task.X, columns=list("abcdefg"))
    source = FrozenEstimator(Ridge().fit(X, task.y))
    assert task.Estimator(source).partial_fit(X, task.y).coef_.shape == (7,)
    with pytest.raises(ValueError, match="reorder X"):
        task.Estimator(source).partial_fit(X.rename(columns={"a": "z"}), task.y)


@kinds
def test_rows_of_weight_zero_count_for_nothing(kind, problem):
    task = problem(kind, 40)
    weights = task.counts.astype(np.uint8)  # whose square roots are in half precision
    whole = task.Estimator(task.source, selection="evidence").fit(task.X, task.y, weights)
    more = np.r_[task.y, np.full_like(task.y[:3], 9)]
    X = np.r_[task.X, np.full((3, 7), 1e9)]
    model = task.Estimator(task.source, selection="evidence")
    model.partial_fit(X, more, **first_call(task), sample_weight=np.r_[weights, 0, 0, 0])
    assert_same(model, whole)


@kinds
def test_predictions_of_a_stream(kind, problem):
    task = problem(kind, 40)
    model = stream(task.Estimator(task.source, selection="evidence"), task, [slice(0, 40)])
    whole = clone(model).fit(task.X, task.y)
    assert_allclose(model.predict(task.X), whole.predict(task.X))
    alphas = [0.0, 0.5, 1.0]
    paths = (fitted.alpha_path(task.X, task.y, alphas=alphas).scores for fitted in (model, whole))
    assert_allclose(next(paths), next(paths))
    assert not hasattr(model, "loo_decision_function_")


@pytest.mark.parametrize("kind", ["binary", "classes"])
@pytest.mark.parametrize("height", HEIGHTS)
def test_temperature_is_that_of_the_rows(kind, height, problem):
    """Linear discriminant analysis of the fitted values, each less its own share of its code."""
    task = problem(kind, 60, n_sources=1)
    model = task.Estimator(task.source, gamma=0.3, **options(height))
    stream(model, task, np.split(np.arange(60), 4))
    whole = clone(model).fit(task.X, task.y)
    F = whole.decision_function(task.X).reshape(60, -1) - task.common
    k = np.sqrt(np.mean(task.X**2)) if height == "auto" else height
    M = np.column_stack([task.X, np.full(60, k)]) if k not in (0, np.inf) else task.X
    M = M - M.mean(axis=0) if k == np.inf else M
    h = np.trace(M @ np.linalg.inv(M.T @ M / 60 + 0.3 * np.eye(M.shape[1])) @ M.T) / 60**2
    h += (k == np.inf) / 60
    own = task.Y > 0
    held = (F - h * np.where(own, 1.0, -1.0)) / (1 - h)
    difference = [f[o].mean() - f[~o].mean() for f, o in zip(held.T, own.T, strict=True)]
    within = [
        (o.mean() * f[o].var() + (~o).mean() * f[~o].var())
        for f, o in zip(held.T, own.T, strict=True)
    ]
    expected = {"binary": 1, "classes": 2 / 3}[kind] * np.mean(difference) / np.mean(within)
    assert_allclose(model.inverse_temperature_, expected, rtol=1e-8)
    values = model.decision_function(task.X)
    values = np.column_stack([0 * values, values]) if kind == "binary" else values
    P = softmax(expected * values, axis=1)
    assert_allclose(model.predict_proba(task.X), P, rtol=1e-7)


@pytest.mark.parametrize("kind", ["binary", "classes"])
@pytest.mark.parametrize(
    ("bound", "noise", "alpha", "gamma"), [(60**-0.5, 0.1, -3.0, 10.0), (1e3, 0.0, 0.0, 1e-9)]
)
def test_bounds_of_the_temperature(kind, bound, noise, alpha, gamma, problem):
    """In units of the logits' root mean square: of wrong decision values, and of perfect ones."""
    task = problem(kind, 60, p=3 if kind == "classes" else 1)
    code = (task.Y > 0).astype(float)
    task.X = code + np.linspace(-noise, noise, 60)[:, None]
    model = task.Estimator((np.eye(code.shape[1]), 0.3), alpha=alpha, gamma=gamma)
    stream(model, task, np.split(np.arange(60), 3))
    F = model.decision_function(task.X).reshape(60, -1)
    F = np.column_stack([0 * F, F]) if kind == "binary" else F
    size = np.sqrt(np.mean((F - F.mean(axis=1, keepdims=True)) ** 2))
    assert_allclose(model.inverse_temperature_, bound / size, rtol=1e-8)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_codes_are_plus_and_minus_one_less_what_they_share(n_classes):
    labels = np.arange(10) % n_classes
    values, common = codes(labels, n_classes)
    own = np.equal.outer(labels, np.arange(n_classes))
    assert_allclose(values + common, np.where(own[:, n_classes == 2 :], 1.0, -1.0))
    assert n_classes == 2 or np.abs(values.sum(axis=1)).max() < 1e-12


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_temperature_agrees_with_that_of_left_out_rows_where_margins_are_normal(n_classes):
    rng = np.random.default_rng(1)
    y = np.arange(6000) % n_classes
    X = rng.normal(size=(6000, 20)) + np.eye(n_classes, 20)[y]
    whole = AlphaTransferClassifier(selection="evidence").fit(X, y)
    model = clone(whole).partial_fit(X, y, classes=range(n_classes))
    assert_allclose(model.inverse_temperature_, whole.inverse_temperature_, rtol=0.05)


def test_rows_of_zeros(problem):
    """Then the constant column has height one, of whatever sort the rows are."""
    task = problem("binary", 12)
    task.X[:] = 0
    model = task.Estimator(selection="evidence", gamma=0.5, intercept_scaling="auto")
    expected = codes(task.y, 2)[0].mean(axis=0) / (1 + 0.5)
    assert_allclose(clone(model).fit(task.X, task.y).intercept_, expected)
    assert_allclose(stream(model, task, [slice(0, 5), slice(5, 12)]).intercept_, expected)


# ---------------------------------------------------------------- state


@kinds
def test_streams_add_up(kind, problem):
    task = problem(kind, 60)
    model = task.Estimator(task.source, selection="evidence")
    parts = [stream(clone(model), task, [rows]) for rows in np.split(np.arange(60), [10, 35])]
    whole = clone(model).fit(task.X, task.y)
    a, b, c = parts
    before = a.coef_.copy()
    for both in ((a + b) + c, c + (b + a)):
        assert_same(both, whole)
    assert_allclose(a.coef_, before, rtol=0)
    # a sum goes on like any stream
    more = stream(a + b, task, [np.arange(35, 60)])
    assert_same(more, whole)


@kinds
def test_a_pickled_stream_goes_on(kind, problem):
    task = problem(kind, 60)
    chunks = np.split(np.arange(60), 6)
    model = task.Estimator(task.source)
    uninterrupted = stream(clone(model), task, chunks)
    for chunk in chunks:  # killed after each
        model = pickle.loads(pickle.dumps(stream(model, task, [chunk])))
    assert_allclose(model.coef_, uninterrupted.coef_, rtol=0)
    assert_same(pickle.loads(pickle.dumps(model)), uninterrupted)


def test_the_state_does_not_grow(problem):
    task = problem("binary", 40)
    model = task.Estimator(task.source)
    sizes = [len(pickle.dumps(stream(model, task, [slice(0, 40)] * k)._sums)) for k in (1, 20)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.01)
    model.predict(task.X)
    assert len(pickle.dumps(model._sums)) == sizes[1]


def test_coefficients_are_solved_for_when_asked(problem):
    task = problem("target", 40)
    model = stream(task.Estimator(task.source), task, [slice(0, 20)])
    assert "coef_" not in vars(model)
    first = model.coef_
    assert model.coef_ is first
    stream(model, task, [slice(20, 40)])
    assert np.abs(model.coef_ - first).max() > 1e-3


@pytest.mark.parametrize(
    ("rounded", "dtypes"),
    [
        (lambda X: np.round(X * 8), [np.float32, np.float64, int, np.float32]),
        (lambda X: np.array(X > 0), [bool, np.uint8, np.float16, np.float64]),
    ],
)
def test_single_precision_integers_and_truth_values_mix(rounded, dtypes, problem):
    task = problem("target", 40)
    task.X = rounded(task.X)
    model = task.Estimator(task.source)
    for rows, dtype in zip(np.split(np.arange(40), 4), dtypes, strict=True):
        model.partial_fit(task.X[rows].astype(dtype), task.y[rows])
    assert_same(model, stream(clone(model), task, [slice(0, 40)]), rtol=1e-12)


@kinds
def test_fit_and_streams_forget_each_other(kind, problem):
    task = problem(kind, 40)
    model = stream(task.Estimator(task.source), task, [slice(0, 20)]).fit(task.X, task.y)
    assert_allclose(model.coef_, clone(model).fit(task.X, task.y).coef_, rtol=0)
    model.partial_fit(task.X[20:], task.y[20:])  # classes as in fit
    assert not hasattr(model, "loo_decision_function_")
    assert_same(model, stream(clone(model), task, [slice(20, 40)]))


def test_a_stream_after_fit_may_have_other_classes(problem):
    task = problem("binary", 40)
    model = task.Estimator().fit(task.X, task.y)
    model.partial_fit(task.X, task.y + 1, classes=[1, 2])
    assert model.classes_.tolist() == [1, 2]


# ---------------------------------------------------------------- bad input


def test_selections_that_need_rows_say_so(problem):
    task = problem("target")
    for selection in ("generative", "loo", "theory", "cv"):
        model = task.Estimator(task.source, selection=selection)
        assert not hasattr(model, "partial_fit")
        with pytest.raises(AttributeError) as error:
            model.partial_fit(task.X, task.y)
        assert "needs rows" in str(error.value.__cause__)
        assert "selection='evidence'" in str(error.value.__cause__)
    assert hasattr(task.Estimator(task.source, selection="generative", alpha=1.0), "partial_fit")


def nan(X, y):
    X[2, 1] = np.nan
    return X, y


BAD = {
    "width": (lambda X, y: (X[:, :-1], y), r"chunk 3: X has 6 features"),
    "nan": (nan, r"chunk 3: Input X contains NaN"),
    "empty": (lambda X, y: (X[:0], y[:0]), r"chunk 3: there are no rows in it; leave it out"),
    "lengths": (lambda X, y: (X, y[:-1]), r"chunk 3: Found input variables with inconsistent"),
    "text": (lambda X, y: (X.astype(str).astype(object) + "x", y), r"chunk 3: could not convert"),
    "mixed": (lambda X, y: (np.full(X.shape, {}, dtype=object), y), r"chunk 3: .*float"),
    "range": (lambda X, y: (X * 1e200, y), r"chunk 3: the largest entry of X is"),
}


@kinds
@pytest.mark.parametrize("name", BAD)
def test_a_bad_chunk_is_named_and_changes_nothing(kind, name, problem):
    task = problem(kind, 40)
    chunks = [np.arange(20), np.arange(20, 30)]
    model = stream(task.Estimator(task.source), task, chunks)
    before = vars(model).copy()
    spoil, message = BAD[name]
    X, y = spoil(task.X[30:].copy(), task.y[30:])
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, y)
    assert vars(model) == before
    whole = stream(task.Estimator(task.source), task, [*chunks, np.arange(30, 40)])
    assert_same(stream(model, task, [np.arange(30, 40)]), whole)


@pytest.mark.parametrize(
    ("factor", "message"), [(np.nan, "Input y contains NaN"), (1e200, "the largest entry of y is")]
)
def test_bad_targets_are_named(factor, message, problem):
    task = problem("target")
    model = task.Estimator().partial_fit(task.X, task.y)
    with pytest.raises(ValueError, match=f"chunk 2: {message}"):
        model.partial_fit(task.X, factor * task.y)


def test_bad_weights_are_named(problem):
    task = problem("target")
    model = task.Estimator(task.source)
    for weights, message in ((-1.0, "chunk 1: Negative"), (0.0, "chunk 1: .*zero")):
        with pytest.raises(ValueError, match=message):
            model.partial_fit(task.X, task.y, sample_weight=np.full(12, weights))
        assert not hasattr(model, "n_features_in_")


def test_unknown_classes(problem):
    task = problem("binary")
    model = task.Estimator(task.source)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        model.partial_fit(task.X, task.y)
    with pytest.raises(ValueError, match="pass at least 2"):
        model.partial_fit(task.X, task.y, classes=[0])
    with pytest.raises(ValueError, match=r"chunk 1: y has the labels \[1\].*name all of them"):
        model.partial_fit(task.X, task.y, classes=[0, 2])
    model.partial_fit(task.X, task.y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"chunk 2: y has the labels \[7\]"):
        model.partial_fit(task.X, np.full(12, 7))
    with pytest.raises(ValueError, match="not the same as on last call"):
        model.partial_fit(task.X, task.y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="pass a dict of weights"):
        task.Estimator(class_weight="balanced").partial_fit(task.X, task.y, classes=[0, 1])


def test_another_number_of_targets(problem):
    one, two = problem("target"), problem("targets")
    model = one.Estimator().partial_fit(one.X, one.y)
    with pytest.raises(ValueError, match=r"chunk 2: y has 2 column\(s\) but earlier chunks have 1"):
        model.partial_fit(two.X, two.y)


def test_a_bad_source_is_found_in_the_first_chunk(problem):
    task = problem("target")
    with pytest.raises(ValueError, match="7 features"):
        task.Estimator(np.ones(3)).partial_fit(task.X, task.y)


def test_streams_of_different_data_do_not_add_up(problem):
    one, wide = problem("binary"), problem("binary", p=8)
    a = stream(one.Estimator(), one, [slice(0, 12)])
    with pytest.raises(ValueError, match="fit both with partial_fit first"):
        a + one.Estimator().fit(one.X, one.y)
    with pytest.raises(ValueError, match="n_features_in is 7 in a and 8 in b"):
        a + stream(wide.Estimator(), wide, [slice(0, 12)])
    other = one.Estimator().partial_fit(one.X, one.y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="classes is"):
        a + other
    with pytest.raises(TypeError):
        a + AlphaTransferRegressor().partial_fit(one.X, one.y)
    parts = [
        one.Estimator().partial_fit(pd.DataFrame(one.X, columns=list(names)), one.y, classes=[0, 1])
        for names in ("abcdefg", "gabcdef")
    ]
    with pytest.raises(ValueError, match=r"feature_names_in is .* in a and .* in b"):
        parts[0] + parts[1]
    rows, columns = (
        AlphaTransferRegressor().partial_fit(one.X, y) for y in (one.y, one.y[:, None])
    )
    with pytest.raises(ValueError, match="target_ndim is 1 in a and 2 in b"):
        rows + columns


@settings(deadline=None, max_examples=40, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**16),
    cuts=st.lists(st.integers(1, 29), max_size=6, unique=True),
    shift=st.sampled_from([0.0, 1.0, 1e3]),
    scale=st.sampled_from([1e-6, 1.0, 1e6]),
    height=st.sampled_from(HEIGHTS),
    rank=st.integers(1, 5),
)
def test_chunks_of_any_data(seed, cuts, shift, scale, height, rank):
    rng = np.random.default_rng(seed)
    X = scale * (rng.normal(size=(30, rank)) @ rng.normal(size=(rank, 5)) + shift)
    y, w = rng.normal(size=30) + shift, rng.normal(size=5)
    height = scale * height if height == 0.7 else height  # of the size of a feature
    model = AlphaTransferRegressor(w, selection="evidence", **options(height))
    whole = clone(model).fit(X, y)
    for rows in np.split(np.arange(30), sorted(cuts)):
        model.partial_fit(X[rows], y[rows])
    size = np.abs(whole.predict(X)).max()
    assert_allclose(model.predict(X), whole.predict(X), rtol=0, atol=1e-8 * size)
