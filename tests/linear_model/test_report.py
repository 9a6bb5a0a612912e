"""What a fit says of its sources: shares, gains over the source alone, and words."""

import pickle

import numpy as np
import pytest
import skops.io
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, r2_score

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.datasets import make_domain_transfer
from sklearn_alpha.linear_model._calibration import logits
from sklearn_alpha.linear_model._report import SourceReport, word
from sklearn_alpha.linear_model._rules import RULES
from tests.linear_model.helpers import KINDS

# random sources are at times reversed
pytestmark = pytest.mark.filterwarnings("ignore:The labels contradict the source")


def array_of(report, name, shape):
    return np.reshape([one[name] for one in report], shape)


def columns(values):
    return np.reshape(values, (len(values), -1))


def fitted(kind, problem, n_sources=2, **params):
    task = problem(kind, n=24, n_sources=n_sources)
    model = task.Estimator(task.source, store_loo=True, **params)
    return task, model.fit(task.X, task.y, sample_weight=task.counts)


# ---------------------------------------------------------------- the numbers


@pytest.mark.parametrize("selection", ["anchored", "evidence", "loo"])
@pytest.mark.parametrize("kind", KINDS)
def test_shares_are_covariances_with_the_decision_values(kind, selection, problem):
    task, model = fitted(kind, problem, selection=selection)
    index = np.repeat(np.arange(len(task.X)), task.counts)
    f = columns(
        model.decision_function(task.X) if hasattr(model, "classes_") else model.predict(task.X)
    )
    parts = task.S * model.alpha_
    for c in range(f.shape[1]):
        for k in range(2):
            (_, both), (_, variance) = np.cov(parts[index, c, k], f[index, c])
            share = array_of(model.source_report_, "share", model.alpha_.shape)[c, k]
            assert share == pytest.approx(both / variance, rel=1e-9)
    assert_allclose(array_of(model.source_report_, "alpha", model.alpha_.shape), model.alpha_)


@pytest.mark.parametrize("kind", KINDS)
def test_gains_compare_left_out_values_with_the_source_alone(kind, problem):
    task, model = fitted(kind, problem)
    index = np.repeat(np.arange(len(task.X)), task.counts)
    left_out, Y = columns(model.loo_decision_function_)[index], columns(task.y)[index]
    for one in model.source_report_:
        S = task.S[index, :, one.source]
        if kind in ("binary", "classes"):
            right = logits(left_out).argmax(axis=1) == Y[:, 0]
            gain = right * 1.0 - (logits(S).argmax(axis=1) == Y[:, 0])
        else:
            c = one.output
            gain = (Y[:, c] - S[:, c]) ** 2 - (Y[:, c] - left_out[:, c]) ** 2
        assert one.gain == pytest.approx(gain.mean())
        assert one.standard_error == pytest.approx(gain.std(ddof=1) / np.sqrt(len(gain)))


@pytest.mark.parametrize("selection", RULES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_best_score_is_that_of_left_out_values(kind, selection, problem):
    if selection == "theory" and kind == "classes":
        pytest.skip("the theory is about two classes")
    task, model = fitted(kind, problem, n_sources=1, selection=selection)
    left_out = columns(model.loo_decision_function_)
    if kind in ("binary", "classes"):
        labels = logits(left_out).argmax(axis=1)
        expected = accuracy_score(task.y, labels, sample_weight=task.counts)
    else:
        expected = r2_score(task.y, left_out, sample_weight=task.counts)
    assert model.best_score_ == pytest.approx(expected)


def test_a_stream_has_shares_and_no_gains(problem):
    for kind in KINDS:
        task = problem(kind, n=24, n_sources=2)
        given = {"classes": np.unique(task.y)} if kind in ("binary", "classes") else {}
        stream = task.Estimator(task.source).fit(task.X, task.y)
        stream.partial_fit(task.X, task.y, **given)
        whole = task.Estimator(task.source).fit(task.X, task.y)
        shape = whole.alpha_.shape
        one, two = (array_of(m.source_report_, "share", shape) for m in (stream, whole))
        assert_allclose(one, two, rtol=1e-6, atol=1e-9)
        assert np.isnan(array_of(stream.source_report_, "gain", shape)).all()
        assert not hasattr(stream, "best_score_")


# ---------------------------------------------------------------- the words


@pytest.mark.parametrize(
    ("alpha", "share", "total", "expected"),
    [
        (1.0, 0.8, 1.0, "used"),
        (0.5, 0.4, 1.0, "used"),
        (0.5, 0.8, 0.5, "rescaled"),
        (1.3, 0.8, 1.3, "rescaled"),
        (-1.0, 0.8, -1.0, "reversed"),
        (1.0, 0.04, 1.0, "ignored"),
        (-1.0, 0.04, -1.0, "ignored"),
        (0.0, 0.0, 0.0, "ignored"),
    ],
)
def test_words(alpha, share, total, expected):
    assert word(alpha, share, total) == expected


def test_words_of_sources_of_each_kind():
    data = make_domain_transfer(n_target=200, random_state=0)
    source = LogisticRegression(C=0.01).fit(data.X_source, data.y_source)
    noise = np.random.default_rng(1).normal(size=source.coef_.shape)

    def words(source):
        model = AlphaTransferClassifier(source).fit(data.X_target, data.y_target)
        return [one.use for one in model.source_report_]

    assert words(source) == ["used"]
    with pytest.warns(UserWarning, match="alpha_ reverses it"):
        assert words((-source.coef_, -source.intercept_)) == ["reversed"]
    assert words([source, noise])[1] == "ignored"

    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(60, 8)), np.arange(8.0)
    y = X @ w + rng.normal(size=60)
    source = Ridge(1e-6).fit(X, X @ w)
    one = AlphaTransferRegressor(source).fit(X, y).source_report_
    half = AlphaTransferRegressor(w / 2).fit(X, y).source_report_
    assert (one[0].use, half[0].use) == ("used", "rescaled")


# ---------------------------------------------------------------- how it prints, and files


def test_the_report_prints_as_a_table():
    data = make_domain_transfer(n_target=100, random_state=0)
    y = np.where(data.y_target > 0, "good", "bad")
    source = LogisticRegression(C=0.01).fit(
        data.X_source, np.where(data.y_source > 0, "good", "bad")
    )
    model = AlphaTransferClassifier(source).fit(data.X_target, y)
    head, row = repr(model.source_report_).splitlines()
    assert head.split() == ["output", "source", "alpha", "share", "gain", "use"]
    assert row.split()[:2] == ["good", "0"]
    assert row.endswith("used")
    html = model.source_report_._repr_html_()
    assert html.startswith("<table><tr><td>output</td>")
    assert html.count("<tr>") == 2
    stream = AlphaTransferClassifier(source).partial_fit(data.X_target, y, classes=["bad", "good"])
    assert "±" not in repr(stream.source_report_)


def test_without_a_source_there_is_nothing_to_say(problem):
    for kind in KINDS:
        _, model = fitted(kind, problem, n_sources=0)
        assert model.source_report_ == []
        assert repr(model.source_report_) == "no source"
        assert model.source_report_._repr_html_() == "no source"


def test_names_of_classes_are_escaped(problem):
    task = problem("classes")
    names = np.array(["<b>", "&", "c"])
    model = AlphaTransferClassifier(task.source).fit(task.X, names[task.y])
    assert "&lt;b&gt;" in model.source_report_._repr_html_()
    assert "<b>" not in model.source_report_._repr_html_()


def test_it_is_absent_before_a_fit_and_in_older_files(problem):
    task = problem("target")
    model = AlphaTransferRegressor(task.source)
    assert not hasattr(model, "source_report_")
    model.fit(task.X, task.y)
    del model._report
    with pytest.raises(AttributeError, match="fit it again"):
        _ = model.source_report_


def test_files_keep_the_report(problem, tmp_path):
    _, model = fitted("classes", problem)
    report = model.source_report_
    assert isinstance(report, SourceReport)
    assert repr(pickle.loads(pickle.dumps(report))) == repr(report)
    assert repr(pickle.loads(pickle.dumps(model)).source_report_) == repr(report)
    file = tmp_path / "model.skops"
    skops.io.dump(model, file)
    again = skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file))
    assert repr(again.source_report_) == repr(report)


def test_one_row(problem):
    task = problem("target", n=1)
    model = AlphaTransferRegressor(Ridge().fit(task.X, task.y)).fit(task.X, task.y)
    assert np.isnan(model.best_score_)
    assert np.isnan(model.source_report_[0].standard_error)
