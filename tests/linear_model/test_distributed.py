"""Dask collections against rows in memory, on one machine and on a cluster, and bad chunks."""

import os
import pickle
import signal
import sys
from importlib import import_module

import cloudpickle
import dask
import dask.array as da
import dask.dataframe as dd
import joblib
import numpy as np
import pandas as pd
import pytest
from dask import delayed
from dask.distributed import Client, LocalCluster
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from sklearn_alpha import AlphaTransferClassifier

# random sources are at times reversed
pytestmark = pytest.mark.filterwarnings("ignore:The labels contradict the source")

LEARNED = ("coef_", "intercept_", "alpha_", "gamma_", "source_coef_", "source_intercept_")
METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")

kinds = pytest.mark.parametrize("kind", ["binary", "classes", "target", "targets"])


@pytest.fixture
def alone():
    """Without a cluster, one task after the other."""
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def client():
    """Two worker processes."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


def in_array(values, rows=9, columns=-1):
    return da.from_array(values, chunks=(rows, columns)[: values.ndim])


def in_frame(values, rows=9):
    index = pd.RangeIndex(len(values))
    if values.ndim == 1:
        return dd.from_pandas(pd.Series(values, index), chunksize=rows)
    names = [f"x{j}" for j in range(values.shape[1])]
    return dd.from_pandas(pd.DataFrame(values, index, names), chunksize=rows)


def without_sizes(array):
    """The same array, of chunks whose sizes Dask does not know."""
    return in_frame(array).to_dask_array()


LAYOUTS = {
    "arrays": (in_array, in_array, in_array),
    "blocks of columns": (
        lambda X: in_array(X, 9, 4),
        lambda y: in_array(y, 5, 1),
        lambda w: in_array(w, 7),
    ),
    "one chunk": (lambda X: in_array(X, -1), in_array, np.asarray),
    "y in memory": (in_array, np.asarray, list),
    "unknown sizes": (without_sizes, without_sizes, without_sizes),
    "half known": (without_sizes, in_array, in_array),
    "frames": (in_frame, in_frame, in_frame),
    "a frame and arrays": (in_frame, in_array, in_frame),
    "an array and frames": (in_array, in_frame, in_frame),
}


def assert_same(one, two, rtol=1e-8):
    for name in LEARNED:
        expected = getattr(two, name)
        atol = rtol * np.abs(expected).max(initial=0)
        assert_allclose(getattr(one, name), expected, rtol=0, atol=atol, err_msg=name)
    if hasattr(two, "classes_"):
        assert_array_equal(one.classes_, two.classes_)


@pytest.mark.usefixtures("alone")
@kinds
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("selection", ["anchored", "evidence"])
def test_chunks_are_one_fit(kind, layout, weighted, selection, problem):
    task = problem(kind, 60, n_sources=2)
    weights = task.counts * (np.arange(60) % 7 > 0) if weighted else None
    model = task.Estimator(task.source, selection=selection)
    whole = clone(model).fit(task.X, task.y, sample_weight=weights)
    of_X, of_y, of_weights = LAYOUTS[layout]
    given = of_weights(weights) if weighted else None
    fitted = clone(model).fit(of_X(task.X), of_y(task.y), sample_weight=given)
    assert_same(fitted, whole)
    if layout.endswith("frames"):
        return
    stream = clone(model)
    for rows in np.split(np.arange(60), [9, 31]):
        first = {"classes": np.unique(task.y)} if hasattr(whole, "classes_") else {}
        part = weights[rows] if weighted else None
        stream.partial_fit(task.X[rows], task.y[rows], sample_weight=part, **first)
    assert_same(fitted, stream)


@kinds
def test_threads_are_the_default(kind, problem):
    task = problem(kind, 60)
    model = task.Estimator(task.source)
    fitted = clone(model).fit(in_array(task.X, 2), in_array(task.y, 2))
    assert_same(fitted, clone(model).fit(task.X, task.y))


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("kind", ["binary", "classes"])
@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.0, 1: 0.5}])
@pytest.mark.parametrize("weighted", [False, True])
def test_class_weights(kind, class_weight, weighted, problem):
    task = problem(kind, 60)
    weights = task.counts * (np.arange(60) % 7 > 0) if weighted else None
    model = task.Estimator(task.source, class_weight=class_weight)
    whole = clone(model).fit(task.X, task.y, sample_weight=weights)
    given = in_array(weights) if weighted else None
    assert_same(clone(model).fit(in_array(task.X), in_array(task.y), given), whole)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("rows", [9, 60])
def test_a_class_without_weight_is_none(rows, problem):
    task = problem("classes", 60)
    weights = (task.y != 1).astype(float)
    model = AlphaTransferClassifier(class_weight="balanced")
    whole = clone(model).fit(task.X, task.y, weights)
    fitted = clone(model).fit(in_array(task.X, rows), in_array(task.y), weights)
    assert_same(fitted, whole)
    assert fitted.classes_.tolist() == [0, 2]


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    "labels", [np.array(["dog", "ant", "cat"]), np.array([True, False]), np.array([7, -3, 0, 4])]
)
def test_no_chunk_needs_all_classes(labels, problem):
    """Sorted by class, as files often are."""
    X = problem("target", 60).X
    y = np.repeat(labels, 60 // len(labels))
    whole = AlphaTransferClassifier().fit(X, y)
    fitted = AlphaTransferClassifier().fit(in_array(X, 4), in_array(y, 4))
    assert_same(fitted, whole)
    assert_array_equal(fitted.predict(in_array(X)).compute(), whole.predict(X))
    assert fitted.classes_.dtype == whole.classes_.dtype
    frames = in_frame(X), in_frame(y)
    assert_array_equal(AlphaTransferClassifier().fit(*frames).classes_, whole.classes_)


@pytest.mark.usefixtures("alone")
@kinds
def test_chunks_without_rows_count_nothing(kind, problem):
    task = problem(kind, 60)
    kept = (np.arange(60) < 20) | (np.arange(60) > 50)
    weights = kept.astype(float)
    model = task.Estimator(task.source)
    whole = clone(model).fit(task.X[kept], task.y[kept])
    X, y = in_array(task.X), in_array(task.y)
    assert_same(clone(model).fit(X[kept], y[kept]), whole)
    assert_same(clone(model).fit(X, y, in_array(weights)), whole)
    frame = in_frame(task.X)
    frame["kept"] = in_frame(kept)
    frame = frame[frame.kept].drop(columns="kept")
    fitted = clone(model).fit(frame, without_sizes(task.y)[without_sizes(kept)])
    assert_same(fitted, whole)
    assert_allclose(fitted.predict(frame).compute(), whole.predict(task.X[kept]))


@pytest.mark.usefixtures("alone")
@kinds
def test_sparse_chunks_and_single_precision(kind, problem):
    task = problem(kind, 60)
    X = np.round(4 * task.X * (task.X > 0))
    whole = task.Estimator(task.source).fit(X, task.y)
    for chunks in (in_array(X).map_blocks(sparse.csr_matrix), in_array(X.astype(np.float32))):
        fitted = task.Estimator(task.source).fit(chunks, in_array(task.y))
        assert_same(fitted, whole)
        assert_allclose(fitted.predict(chunks).compute(), whole.predict(X))


# ---------------------------------------------------------------- lazy outputs


@pytest.mark.usefixtures("alone")
@kinds
@pytest.mark.parametrize("convert", [in_array, without_sizes, in_frame])
def test_outputs_are_lazy_and_those_of_rows(kind, convert, problem):
    task = problem(kind, 40)
    X = convert(task.X)
    model = task.Estimator(task.source).fit(X, convert(task.y))
    rows = X.compute()
    for name in METHODS:
        if not hasattr(model, name):
            continue
        values, expected = getattr(model, name)(X), getattr(model, name)(rows)
        assert isinstance(values, da.Array)
        assert (values.dtype, values.shape[1:]) == (expected.dtype, expected.shape[1:])
        assert values._meta.shape == (0,) * expected.ndim
        assert values.npartitions == X.npartitions
        assert_allclose(values.compute(), expected, rtol=1e-12)
        if convert is in_array:
            assert values.chunks[0] == X.chunks[0]
            assert_allclose(values[3:20].sum(axis=0).compute(), expected[3:20].sum(axis=0))


@pytest.mark.usefixtures("alone")
@kinds
def test_a_stream_that_is_not_solved_yet_predicts(kind, problem):
    task = problem(kind, 40)
    model, again = (task.Estimator(task.source) for _ in range(2))
    for stream in (model, again):
        first = {"classes": np.unique(task.y)} if hasattr(model, "decision_function") else {}
        stream.partial_fit(task.X, task.y, **first)
    X = in_array(task.X)
    assert_array_equal(model.predict(X).compute(), again.predict(task.X))
    again.partial_fit(task.X[:9], task.y[:9])
    assert_allclose(again.score(X, in_array(task.y)), again.score(task.X, task.y))


@pytest.mark.usefixtures("alone")
def test_nothing_is_read_before_it_is_asked_for(problem):
    task, reads = problem("binary", 40), []

    def read(start):
        reads.append(start)
        return np.column_stack([task.X, task.y])[start : start + 10]

    rows = da.concatenate(
        [da.from_delayed(delayed(read)(start), (10, 8), float) for start in range(0, 40, 10)]
    )
    X, y = rows[:, :7], rows[:, 7]
    model = AlphaTransferClassifier(task.source).fit(X, y)
    assert sorted(reads) == [0, 10, 20, 30]  # once each, though X and y share them
    values = [getattr(model, name)(X) for name in METHODS]
    assert len(reads) == 4
    values[0][12:15].compute()
    assert reads[4:] == [10]
    model.score(X, y)
    assert len(reads) == 9


@pytest.mark.usefixtures("alone")
def test_a_frame_is_read_once_and_no_other_column(problem):
    task, reads = problem("binary", 40), []

    def read(start, columns=None):
        reads.append(columns)
        frame = pd.DataFrame(task.X).add_prefix("x").assign(y=task.y, other="text")
        return frame[start : start + 10][columns or list(frame)]

    frame = dd.from_map(read, range(0, 40, 10), meta=read(0)[:0])
    reads.clear()
    names = ["x3", "x1", "x5"]
    model = AlphaTransferClassifier().fit(frame[names], frame.y)
    whole = AlphaTransferClassifier().fit(task.X[:, [3, 1, 5]], task.y)
    assert_same(model, whole)
    assert model.feature_names_in_.tolist() == names
    in_chunks = [columns for columns in reads if columns]
    assert len(in_chunks) == len(reads)
    assert all(set(columns) == {*names, "y"} for columns in in_chunks)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[names[::-1]])
    with pytest.raises(ValueError, match="feature names"):
        model.predict_proba(frame[["x3", "x1", "x4"]])


@pytest.mark.usefixtures("alone")
@kinds
@pytest.mark.parametrize("convert", [in_array, without_sizes, in_frame])
def test_scores(kind, convert, problem):
    task = problem(kind, 60)
    model = task.Estimator(task.source).fit(task.X, task.y)
    X, y, weights = task.X + 0.3, convert(task.y), task.counts
    if convert is in_frame:
        model = model.fit(in_frame(task.X).compute(), task.y)
    chunks, rows = convert(X), convert(X).compute()
    assert_allclose(model.score(chunks, y), model.score(rows, task.y), rtol=1e-12)
    weighted = model.score(rows, task.y, weights)
    assert_allclose(model.score(chunks, y, convert(weights)), weighted, rtol=1e-12)
    constant = np.ones_like(task.y)
    assert_allclose(model.score(chunks, convert(constant)), model.score(rows, constant))


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("kind", ["target", "targets"])
def test_scores_of_small_and_of_constant_targets(kind, problem):
    task = problem(kind, 40)
    model = task.Estimator(task.source).fit(task.X, task.y / 100)
    X, y = in_array(task.X), task.y / 100
    assert_allclose(model.score(X, in_array(y)), model.score(task.X, y), rtol=1e-10)
    X, y = 0 * task.X, model.predict(0 * task.X)  # which is predicted without an error
    assert model.score(in_array(X), in_array(y)) == model.score(X, y) == 1


@pytest.mark.usefixtures("alone")
@kinds
def test_what_is_fitted_is_an_ordinary_estimator(kind, problem):
    task = problem(kind, 40)
    model = task.Estimator(task.source).fit(in_array(task.X), in_array(task.y))
    assert {*LEARNED, "path_"} <= {*vars(model)}
    data = pickle.dumps(model)
    assert b"dask" not in data
    assert_array_equal(pickle.loads(data).predict(task.X), model.predict(task.X))
    assert len(model.alpha_path(task.X, task.y).scores) == 81
    assert not hasattr(model, "loo_decision_function_")
    again = clone(model).fit(task.X, task.y)  # as if it had never seen a chunk
    assert_same(model.fit(task.X, task.y), again)


@pytest.mark.usefixtures("alone")
@kinds
def test_a_fit_goes_on_and_adds_up(kind, problem):
    task = problem(kind, 60)
    model = task.Estimator(task.source)
    X, y = in_array(task.X), in_array(task.y)
    whole = clone(model).fit(task.X, task.y)
    one, two = clone(model).fit(X[:36], y[:36]), clone(model).fit(X[36:], y[36:])
    assert_same(one + two, whole)
    assert_same(one.partial_fit(task.X[36:], task.y[36:]), whole)
    assert_same(one.fit(X, y), whole)  # anew


@pytest.mark.usefixtures("alone")
def test_a_second_fit_may_have_other_classes(problem):
    task = problem("classes", 40)
    model = AlphaTransferClassifier().fit(in_array(task.X), in_array(task.y))
    for y in (task.y % 2 + 5, task.y + 1):
        again = AlphaTransferClassifier().fit(task.X, y)
        assert_same(model.fit(in_array(task.X), in_array(y)), again)


@pytest.mark.usefixtures("alone")
def test_a_second_fit_may_have_other_columns_and_another_source(problem):
    task = problem("targets", 40)
    model = task.Estimator(task.source)
    model.fit(in_array(task.X), in_array(task.y))
    model.set_params(source=np.ones((2, 3)))
    again = clone(model).fit(task.X[:, :3], task.y)
    assert_same(model.fit(in_array(task.X[:, :3]), in_array(task.y)), again)


# ---------------------------------------------------------------- the graph


def keeping(graphs):
    """A scheduler that keeps the graphs it is sent."""

    def get(graph, keys, **options):
        graphs.append(dict(getattr(graph, "__dask_graph__", lambda: graph)()))
        return dask.get(graphs[-1], keys)

    return get


def draw(seed, n, p):
    return np.random.default_rng(seed).normal(size=(n, p))


def drawn(n_chunks, n_rows, p=7):
    chunks = [delayed(draw)(seed, n_rows, p) for seed in range(n_chunks)]
    X = da.concatenate([da.from_delayed(chunk, (n_rows, p), float) for chunk in chunks])
    return X, X[:, 0] > 0


def graph_of_fit(n_chunks, n_rows):
    graphs = []
    with dask.config.set(scheduler=keeping(graphs)):
        AlphaTransferClassifier(np.ones(7)).fit(*drawn(n_chunks, n_rows))
    (graph,) = graphs
    return graph


def test_tasks_per_chunk_are_constant():
    few, some, many = (len(graph_of_fit(n_chunks, 4)) for n_chunks in (16, 64, 256))
    assert (many - some) / 192 == pytest.approx((some - few) / 48, rel=0.05)


def test_no_row_is_in_the_graph():
    # task by task: a pickle of the whole repeats names or not, as their random order has it
    few, many = (
        sum(len(cloudpickle.dumps(task)) for task in dict(graph_of_fit(8, n_rows)).items())
        for n_rows in (10, 10_000)
    )
    assert few == pytest.approx(many, rel=0.01)


@pytest.mark.usefixtures("alone")
def test_predictions_send_neither_moments_nor_sources():
    X, y = drawn(4, 200, p=100)
    sources = [*np.random.default_rng(0).normal(size=(50, 100))]  # one array is pickled once
    model = AlphaTransferClassifier(sources).fit(X, y)
    graphs = []
    with dask.config.set(scheduler=keeping(graphs)):
        model.predict(X).compute()
    (graph,) = graphs
    assert len(cloudpickle.dumps(graph)) < 20_000 < len(pickle.dumps(model._sums))


# ---------------------------------------------------------------- a cluster


def on_cluster(task, marker=None):
    """Ten rows a chunk; who reads the middle ones first, if there is a marker, does not survive it.

    The reader is sent by value: workers need not import the tests.
    """
    rows = np.column_stack([task.X, task.y])
    p = task.X.shape[1]

    def read(start):
        if marker is not None and start == 30 and not os.path.exists(marker):
            with open(marker, "w"):
                pass
            os.kill(os.getpid(), signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
        return rows[start : start + 10]

    chunks = [
        da.from_delayed(delayed(read)(i), (10, rows.shape[1]), float) for i in range(0, 60, 10)
    ]
    chunks = da.concatenate(chunks)
    return chunks[:, :p], chunks[:, p:] if task.y.ndim == 2 else chunks[:, p]


@kinds
def test_a_cluster_is_one_machine(kind, client, problem):
    task = problem(kind, 60)
    X, y = on_cluster(task)
    whole = task.Estimator(task.source).fit(task.X, task.y)
    model = task.Estimator(task.source).fit(X, y)
    assert_same(model, whole)
    assert_allclose(model.predict(X).compute(), whole.predict(task.X))
    assert_allclose(model.score(X, y), whole.score(task.X, task.y))
    assert_same(model.fit(X.persist(), y.persist()), whole)


@pytest.mark.parametrize("kind", ["classes"])
def test_a_killed_worker_loses_nothing(kind, client, problem, tmp_path):
    task, marker = problem(kind, 60), tmp_path / "killed"
    before = {*client.run(os.getpid).values()}
    whole = task.Estimator(task.source).fit(task.X, task.y)
    model = task.Estimator(task.source).fit(*on_cluster(task, str(marker)))
    assert marker.exists()
    assert_same(model, whole)
    client.wait_for_workers(2, timeout=60)
    assert before != {*client.run(os.getpid).values()}


def test_a_bad_chunk_is_named_on_a_cluster(client, problem):
    task = problem("binary", 60)
    task.X[42, 3] = np.nan
    X, y = on_cluster(task)
    model = AlphaTransferClassifier(task.source)
    with pytest.raises(ValueError, match=r"^chunk 5 \(X.partitions\[4\]\): Input X contains NaN"):
        model.fit(X, y)
    assert not hasattr(model, "n_features_in_")


def test_grid_search_on_a_cluster(client, problem):
    task = problem("binary", 60)
    search = GridSearchCV(AlphaTransferClassifier(task.source), {"gamma": [0.01, 1.0, "auto"]})
    here = clone(search).fit(task.X, task.y)
    with joblib.parallel_config("dask"):
        there = clone(search).fit(task.X, task.y)
    assert_allclose(there.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"])
    assert_array_equal(there.best_estimator_.coef_, here.best_estimator_.coef_)


# ---------------------------------------------------------------- bad input


def with_chunk(array, number, spoil):
    """The array with one of its chunks, counted from 1, spoiled, behind Dask's back."""

    def block(rows, block_id):
        return spoil(rows.copy()) if block_id[0] == number - 1 else rows

    return array.map_blocks(block, dtype=array.dtype, meta=array._meta)


def nan(rows):
    rows[1, 2] = np.nan
    return rows


BAD_X = {
    "width": (lambda X: X[:, :-1], "X has 6 features, but .* is expecting 7 features"),
    "nan": (nan, "Input X contains NaN"),
    "text": (lambda X: X.astype(str).astype(object) + "x", "could not convert string to float"),
    "mixed": (lambda X: np.full(X.shape, {}, dtype=object), "float"),
    "complex": (lambda X: X + 1j, "Complex data not supported"),
    "range": (lambda X: X * 1e200, "the largest entry of X"),
    "rows": (lambda X: X[:-1], "inconsistent numbers of samples"),
    "none": (lambda X: X[:0], "Found array with 0 sample"),
}


@pytest.mark.usefixtures("alone")
@kinds
@pytest.mark.parametrize("name", BAD_X)
@pytest.mark.parametrize("number", [1, 5])
def test_a_bad_chunk_is_named_and_changes_nothing(kind, name, number, problem):
    task = problem(kind, 40)
    X, y = in_array(task.X, 4), in_array(task.y, 4)
    model = task.Estimator(task.source).fit(X, y)
    before = vars(model).copy()
    spoil, message = BAD_X[name]
    with pytest.raises(
        ValueError, match=rf"^chunk {number} \(X.partitions\[{number - 1}\]\): "
    ) as e:
        model.fit(with_chunk(X, number, spoil), y)
    assert pytest.raises(ValueError, match=message).matches(e.value)
    assert vars(model) == before


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("kind", "spoil", "message"),
    [
        ("target", lambda y: y * np.nan, r"chunk 3 .*: Input y contains NaN"),
        ("target", lambda y: y * 1e200, r"chunk 3 .*: the largest entry of y"),
        ("targets", lambda y: y[:, [0, 1, 1]], r"chunk 3: y has 3 column\(s\), and 2 in chunk 1"),
        ("binary", lambda y: y + 0.5, r"chunk 3 .*: Unknown label type"),
        ("binary", lambda y: (y + 0.5).astype(object), r"chunk 3 .*: Unknown label type"),
        (
            "binary",
            lambda y: y.astype(str),
            r"chunk 3: y has the labels .* in chunk 1; pass either",
        ),
        ("binary", lambda y: y[:, None] + [[0, 1]], r"chunk 3 .*: y should be a 1d array"),
    ],
)
def test_bad_targets_are_named(kind, spoil, message, problem):
    task = problem(kind, 40)
    X, y = in_array(task.X, 4), in_array(task.y, 4)
    for options in ({}, {"class_weight": "balanced"} if kind == "binary" else {}):
        with pytest.raises(ValueError, match=message):
            task.Estimator(**options).fit(X, with_chunk(y, 3, spoil))


@pytest.mark.usefixtures("alone")
def test_bad_weights_are_named(problem):
    task = problem("binary", 40)
    X, y, weights = in_array(task.X), in_array(task.y), np.ones(40)
    weights[12] = -1
    for options in ({}, {"class_weight": "balanced"}):
        with pytest.raises(ValueError, match=r"chunk 2 .*: Negative values"):
            AlphaTransferClassifier(**options).fit(X, y, in_array(weights))
    with pytest.raises(ValueError, match="no chunk has rows of positive weight"):
        AlphaTransferClassifier().fit(X, y, 0 * in_array(weights))


@pytest.mark.usefixtures("alone")
def test_what_does_not_fit_together_is_said_before_anything_is_read(problem):
    task = problem("binary", 40)
    X, y = in_array(task.X), in_array(task.y)
    unread = X.map_blocks(lambda rows: 1 / 0, dtype=float, meta=X._meta)
    model = AlphaTransferClassifier(task.source)
    bad = [
        (unread, None, "y is missing"),
        (unread, y[:-1], "X has 40 rows but y has 39; pass as many"),
        (unread, task.y[:-1], "X has 40 rows but y has 39; pass as many"),
        (unread, without_sizes(task.y[:-10]), "X has 5 chunks and y 4, of unknown sizes"),
        (without_sizes(task.X), task.y, "y is in memory and X has chunks of unknown size"),
        (in_frame(task.X), task.y, "y is in memory and X has chunks of unknown size"),
        (unread, delayed(task.y), "y is a Dask Delayed.*; pass a Dask array or series"),
        (delayed(task.X), y, "X is a Dask Delayed.*; pass a Dask array or dataframe"),
        (unread[:, 0], y, "pass one of shape"),
        (without_sizes(task.X).T, y, "a known number of features"),
    ]
    for rows, targets, message in bad:
        with pytest.raises(ValueError, match=message):
            model.fit(rows, targets)
        assert not hasattr(model, "n_features_in_")
    for selection in ("generative", "loo", "theory", "cv"):
        with pytest.raises(ValueError, match=r"needs rows.*selection='evidence'.*X.compute\(\)"):
            AlphaTransferClassifier(selection=selection).fit(unread, y)
    with pytest.raises(ValueError, match="1-D array of positive"):
        AlphaTransferClassifier(gammas=[-1.0]).fit(unread, y)


@pytest.mark.usefixtures("alone")
def test_weights_that_do_not_fit_are_named(problem):
    task = problem("binary", 40)
    X, y = in_array(task.X), in_array(task.y)
    for rows, weights, message in (
        (X, in_array(np.ones(39)), "^X has 40 rows but sample_weight has 39; pass as many"),
        (X, np.ones(39), "^X has 40 rows but sample_weight has 39; pass as many"),
        (X, delayed(np.ones(40)), "^sample_weight is a Dask Delayed"),
        (without_sizes(task.X), np.ones(40), "^sample_weight is in memory and X has chunks"),
        (X, without_sizes(np.ones(30)), "^X has 5 chunks and sample_weight 4, of unknown"),
    ):
        with pytest.raises(ValueError, match=message):
            AlphaTransferClassifier().fit(rows, y if rows is X else without_sizes(task.y), weights)


@pytest.mark.usefixtures("alone")
@kinds
def test_a_number_is_the_weight_of_every_row(kind, problem):
    task = problem(kind, 40)
    model = task.Estimator(task.source)
    whole = clone(model).fit(task.X, task.y, np.full(40, 3.0))
    for convert in (in_array, in_frame, without_sizes):
        X, y = convert(task.X), convert(task.y)
        fitted = clone(model).fit(X, y, 3.0)
        assert_same(fitted, whole)
        assert_allclose(fitted.score(X, y, 3.0), fitted.score(X, y))


@pytest.mark.usefixtures("alone")
def test_bad_classes_and_sources(problem):
    task = problem("binary", 40)
    X, y = in_array(task.X), in_array(task.y)
    with pytest.raises(ValueError, match=r"y has rows of 1 class\(es\)"):
        AlphaTransferClassifier().fit(X, 0 * y)
    with pytest.raises(ValueError, match="class_weight"):
        AlphaTransferClassifier(class_weight={0: 1.0, 5: 2.0}).fit(X, y)
    with pytest.raises(ValueError, match="7 features"):
        AlphaTransferClassifier(np.ones(3)).fit(X, y)
    source = LogisticRegression().fit(task.X, task.y + 5)
    with pytest.raises(ValueError, match="none of the target's"):
        AlphaTransferClassifier(source).fit(X, y)


@pytest.mark.usefixtures("alone")
def test_bad_rows_to_predict(problem):
    task = problem("binary", 40)
    X, y = in_array(task.X), in_array(task.y)
    with pytest.raises(AttributeError):  # scikit-learn's NotFittedError
        AlphaTransferClassifier().predict(X)
    model = AlphaTransferClassifier().fit(X, y)
    for method in (*METHODS, "score"):
        rest = (y,) if method == "score" else ()
        with pytest.raises(ValueError, match="X has 6 features, but"):
            getattr(model, method)(X[:, :6], *rest)
    with pytest.raises(ValueError, match=r"chunk 3 .*: Input X contains NaN"):
        model.score(with_chunk(X, 3, nan), y)


@pytest.mark.usefixtures("alone")
def test_a_stream_is_of_rows_in_memory(problem):
    task = problem("binary", 40)
    model = AlphaTransferClassifier()
    for convert in (in_array, without_sizes, in_frame):
        with pytest.raises(ValueError, match=r"Dask collection.*pass it to fit"):
            model.partial_fit(convert(task.X), task.y, classes=[0, 1])
    assert not hasattr(model, "n_features_in_")


def test_what_to_install(monkeypatch):
    name = "sklearn_alpha.linear_model._data.dask"
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "dask.array", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-alpha\[dask\]'"):
        import_module(name)
