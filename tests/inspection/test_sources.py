"""The shares of the sources and the adapter against a direct computation."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.datasets import make_domain_transfer
from sklearn_alpha.inspection import SourceContributionDisplay


@pytest.fixture(scope="module")
def data():
    return make_domain_transfer(n_sources=3, beta=[0.8, 0.4, 0.0], random_state=0)


@pytest.fixture(scope="module")
def model(data):
    return AlphaTransferClassifier(list(data.source_mean)).fit(data.X_target, data.y_target)


def shares(model, X):
    """cov(fₖ, f)/var(f) one part at a time."""
    found = []
    for c, alphas in enumerate(model.alpha_):
        W, b, w = model.source_coef_[c], model.source_intercept_[c], np.atleast_2d(model.coef_)[c]
        parts = [alpha * (X @ w_k + b_k) for alpha, w_k, b_k in zip(alphas, W, b)]
        parts.append(X @ (w - alphas @ W))
        found.append([np.cov(part, X @ w)[0, 1] / np.var(X @ w, ddof=1) for part in parts])
    return np.array(found)


@pytest.mark.parametrize("to_rows", [np.asarray, csr_array])
def test_bars_are_the_contributions(model, data, to_rows):
    display = SourceContributionDisplay.from_estimator(model, to_rows(data.X_test))
    np.testing.assert_allclose(display.shares, shares(model, data.X_test))
    np.testing.assert_allclose(display.shares.sum(axis=1), 1)
    (bars,) = display.bars_
    np.testing.assert_array_equal([bar.get_width() for bar in bars], display.shares[0])
    labels = [text.get_text() for text in display.texts_]
    assert labels == [f"α = {alpha:.3g}" for alpha in model.alpha_[0]]
    # the related source counts more than the unrelated one
    assert display.shares[0, 0] > display.shares[0, 2]


def test_scale_of_a_source_does_not_matter(data):
    scaled = [w * scale for w, scale in zip(data.source_mean, (1e-3, 1, 1e3))]
    found = [
        SourceContributionDisplay.from_estimator(
            AlphaTransferClassifier(sources).fit(data.X_target, data.y_target), data.X_test
        ).shares
        for sources in (list(data.source_mean), scaled)
    ]
    np.testing.assert_allclose(*found, rtol=1e-6)


def test_several_outputs():
    X, y = load_digits(n_class=3, return_X_y=True)
    source = LogisticRegression(max_iter=500).fit(X[:200] / 16, y[:200])
    model = AlphaTransferClassifier(source).fit(X[200:230] / 16, y[200:230])
    display = SourceContributionDisplay.from_estimator(model, X[230:] / 16, source_names=["first"])
    np.testing.assert_allclose(display.shares, shares(model, X[230:] / 16))
    assert [bars.get_label() for bars in display.bars_] == ["0", "1", "2"]
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["first", "adapter"]


def test_regression_of_one_column():
    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(30, 5)), rng.normal(size=5)
    model = AlphaTransferRegressor([w, rng.normal(size=5)]).fit(X, X @ w)
    display = SourceContributionDisplay.from_estimator(model, X)
    np.testing.assert_allclose(display.shares, [[1, 0, 0]], atol=1e-2)
    assert display.output_names == ["output 0"]


def test_axes_are_used_as_given(model, data):
    ax = plt.subplots()[1]
    display = SourceContributionDisplay.from_estimator(model, data.X_test, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert display.plot(ax, bar_kw={"color": "black"}).bars_[0][0].get_facecolor() == (0, 0, 0, 1)


def test_bad_input(model, data):
    show = SourceContributionDisplay.from_estimator
    with pytest.raises(TypeError, match="not LogisticRegression"):
        show(LogisticRegression(), data.X_test)
    with pytest.raises(ValueError, match=r"source_names has 1 entries; pass 3\."):
        show(model, data.X_test, source_names=["one"])
    with pytest.raises(ValueError, match=r"output_names has 2 entries; pass 1"):
        show(model, data.X_test, output_names=["one", "two"])
    with pytest.raises(ValueError, match="constant; pass rows that differ"):
        show(model, data.X_test[[0, 0]])
    assert not plt.get_fignums()
