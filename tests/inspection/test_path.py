"""The curves and marks of the display are the values of the estimator."""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.datasets import make_domain_transfer
from sklearn_alpha.inspection import AlphaPathDisplay


@pytest.fixture(scope="module")
def data():
    return make_domain_transfer(n_target=40, n_features=50, random_state=0)


@pytest.fixture(scope="module")
def source(data):
    return LogisticRegression(C=0.01).fit(data.X_source, data.y_source)


@pytest.fixture
def model(data, source):
    return AlphaTransferClassifier(FrozenEstimator(source)).fit(data.X_target, data.y_target)


def drawn(line):
    return np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)


@pytest.mark.parametrize("to_rows", [np.asarray, csr_array])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("alphas", [None, [0.5, -1.0, 2.0]])
def test_scores_are_those_of_alpha_path(model, source, data, to_rows, weighted, alphas):
    X, y = to_rows(data.X_test), data.y_test
    weight = np.arange(len(y)) % 3 if weighted else None
    display = AlphaPathDisplay.from_estimator(model, X, y, alphas=alphas, sample_weight=weight)
    path = model.alpha_path(X, y, alphas=alphas, sample_weight=weight)
    np.testing.assert_array_equal(drawn(display.line_), (path.alphas, path.scores))
    marks = {name: drawn(line)[1][0] for name, line in display.references_.items()}
    ends = model.alpha_path(X, y, alphas=[0, 1], sample_weight=weight).scores
    assert marks == {
        "source alone": pytest.approx(source.score(X, y, sample_weight=weight)),
        "adapter alone": pytest.approx(ends[0]),
        "α = 1": pytest.approx(ends[1]),
    }
    at, height = drawn(display.chosen_)
    np.testing.assert_array_equal(at, model.alpha_.ravel())
    np.testing.assert_allclose(height, model.score(X, y, sample_weight=weight))


def test_the_adapter_follows_alpha_under_other_rules(data, source):
    model = AlphaTransferClassifier(source, selection="evidence")
    model.fit(data.X_target, data.y_target)
    display = AlphaPathDisplay.from_estimator(model, data.X_test, data.y_test)
    assert list(display.references_) == ["source alone", "target alone", "fine-tuning"]
    given = AlphaTransferClassifier(alpha=0.0, source=source, gamma=model.gamma_)
    given.fit(data.X_target, data.y_target)
    assert display.target_alone_score == given.score(data.X_test, data.y_test)


@pytest.mark.parametrize("selection", ["blend", "evidence"])
def test_evidence_is_that_of_the_path(data, source, selection):
    model = AlphaTransferClassifier(source, selection=selection)
    model.fit(data.X_target, data.y_target)
    display = AlphaPathDisplay.from_estimator(model, data.X_test, data.y_test)
    path = model.path_
    gammas, evidence = drawn(display.gamma_lines_["evidence"])
    np.testing.assert_array_equal(gammas, path.gammas)
    np.testing.assert_allclose(np.log(evidence), path.log_evidence - path.log_evidence.max())
    _, posterior = drawn(display.gamma_lines_["posterior"])
    np.testing.assert_allclose(posterior / posterior.sum(), path.posterior)
    np.testing.assert_array_equal(drawn(display.gamma_lines_["chosen"])[0], model.gamma_)


@pytest.mark.parametrize(
    ("selection", "key", "name"),
    [
        ("loo", "loo_score", "leave-one-out score"),
        ("cv", "cv_score", "cross-validation score"),
        ("theory", "predicted_score", "predicted score"),
    ],
)
def test_scores_of_the_rules_over_gamma(data, source, selection, key, name):
    model = AlphaTransferClassifier(source, selection=selection)
    model.fit(data.X_target, data.y_target)
    display = AlphaPathDisplay.from_estimator(model, data.X_test, data.y_test)
    gammas, scores = drawn(display.gamma_lines_[name])
    np.testing.assert_array_equal(gammas, model.path_.gammas)
    best = model.path_[key].reshape(len(gammas), -1).max(axis=1)
    np.testing.assert_array_equal(scores, best)
    # the chosen γ has the best score
    assert gammas[scores.argmax()] == pytest.approx(model.gamma_)
    # one pair (α, γ) was chosen, so the model lies on its path
    at = model.alpha_path(data.X_test, data.y_test, alphas=model.alpha_[0]).scores
    assert display.chosen_score == pytest.approx(at[0])


@pytest.mark.parametrize("parameters", [{"gamma": 1.0}, {"selection": "generative"}])
def test_one_panel_where_no_grid_was_searched(data, source, parameters):
    model = AlphaTransferClassifier(source, **parameters).fit(data.X_target, data.y_target)
    display = AlphaPathDisplay.from_estimator(model, data.X_test, data.y_test)
    assert display.gamma_ax_ is None
    assert display.figure_.axes == [display.ax_]
    with pytest.raises(ValueError, match="2 axes, but the display has 1 panel"):
        display.plot(ax=plt.subplots(1, 2)[1])


def test_a_stream_is_drawn_as_well(data, source):
    stream = AlphaTransferClassifier(source)
    stream.partial_fit(data.X_target, data.y_target, classes=[-1, 1])
    display = AlphaPathDisplay.from_estimator(stream, data.X_test, data.y_test)
    assert display.chosen_score == stream.score(data.X_test, data.y_test)
    assert set(display.gamma_lines_) == {"posterior", "chosen"}
    stream.set_params(selection="evidence").partial_fit(data.X_target, data.y_target)
    display = AlphaPathDisplay.from_estimator(stream, data.X_test, data.y_test)
    assert set(display.gamma_lines_) == {"evidence", "posterior", "chosen"}


def test_classes_and_sources():
    X, y = load_digits(return_X_y=True)
    few = np.arange(1000, 1100)
    ten = [LogisticRegression(C=C, max_iter=500).fit(X[:500] / 16, y[:500]) for C in (0.1, 1)]
    model = AlphaTransferClassifier(ten).fit(X[few] / 16, y[few])
    display = AlphaPathDisplay.from_estimator(model, X[1100:] / 16, y[1100:])
    expected = [source.score(X[1100:] / 16, y[1100:]) for source in ten]
    np.testing.assert_allclose(display.source_scores, expected)
    np.testing.assert_array_equal(drawn(display.chosen_)[0], np.sort(model.alpha_, axis=None))
    assert list(display.references_)[:2] == ["source 0 alone", "source 1 alone"]


@pytest.mark.parametrize("n_outputs", [None, 2])
def test_regression(n_outputs):
    rng = np.random.default_rng(0)
    W, X = rng.normal(size=(n_outputs or 1, 8)), rng.normal(size=(60, 8))
    Y = X @ W.T + 0.3 * rng.normal(size=(60, n_outputs or 1)) + 1
    Y = Y if n_outputs else Y[:, 0]
    source = Ridge(10.0).fit(X[:20], Y[:20])
    model = AlphaTransferRegressor(source).fit(X[20:40], Y[20:40])
    display = AlphaPathDisplay.from_estimator(model, X[40:], Y[40:])
    assert display.score_name == display.ax_.get_ylabel() == "R²"
    assert display.source_scores == pytest.approx([source.score(X[40:], Y[40:])])


def test_axes_are_used_as_given(model, data):
    ax, pair = plt.subplots()[1], plt.subplots(2, 1)[1]
    display = AlphaPathDisplay.from_estimator(model, data.X_test, data.y_test, ax=ax)
    assert display.ax_ is ax
    assert display.gamma_ax_ is None
    assert display.plot(ax=pair) is display
    assert (display.ax_, display.gamma_ax_, display.figure_) == (*pair, pair[0].figure)
    assert display.plot(ax, line_kw={"color": "black"}).line_.get_color() == "black"


def test_bad_input(model, data):
    X, y = data.X_test, data.y_test
    pipeline = make_pipeline(StandardScaler(), model).fit(data.X_target, data.y_target)
    with pytest.raises(TypeError, match="not Pipeline; for a Pipeline pass its last step"):
        AlphaPathDisplay.from_estimator(pipeline, X, y)
    without = AlphaTransferClassifier().fit(data.X_target, data.y_target)
    with pytest.raises(ValueError, match=r"needs a source; fit with source=\.\.\. first"):
        AlphaPathDisplay.from_estimator(without, X, y)
    with pytest.raises(ValueError, match="is not fitted yet"):
        AlphaPathDisplay.from_estimator(AlphaTransferClassifier(), X, y)
    with pytest.raises(ValueError, match="2 dimensions; pass a 1-D array"):
        AlphaPathDisplay.from_estimator(model, X, y, alphas=[[1.0]])
    with pytest.raises(ValueError, match="features"):
        AlphaPathDisplay.from_estimator(model, X[:, :3], y)
    assert not plt.get_fignums()


def test_matplotlib_is_asked_for_by_its_extra(model, data, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-alpha\[plot\]'"):
        AlphaPathDisplay.from_estimator(model, data.X_test, data.y_test)
