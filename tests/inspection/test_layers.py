"""The display shows the quantiles of α by layer, and does not need torch."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

from sklearn_alpha.inspection import AlphaLayersDisplay

NAMES = [f"net.block.{k}.self.{kind}" for k in range(3) for kind in ("query", "value")]


class Net:
    """The attribute of a fitted net that the display reads."""

    def __init__(self, alpha):
        self.alpha_ = alpha


@pytest.fixture
def alphas():
    rng = np.random.default_rng(0)
    return {name: 1 + 0.1 * rng.normal(size=rng.integers(1, 30)) for name in NAMES}


def ends(collection):
    """Start and end of each horizontal line, (n_layers, 2)."""
    return np.array([segment[:, 0] for segment in collection.get_segments()])


@pytest.mark.parametrize("wrap", [dict, Net])
def test_lines_are_quantiles(alphas, wrap):
    display = AlphaLayersDisplay.from_estimator(wrap(alphas))
    values = list(alphas.values())
    np.testing.assert_array_equal(ends(display.ranges_), [(a.min(), a.max()) for a in values])
    np.testing.assert_allclose(
        ends(display.quartiles_), [np.quantile(a, (0.25, 0.75)) for a in values]
    )
    for at, kind in enumerate(("query", "value")):
        np.testing.assert_allclose(
            display.medians_[kind].get_xdata(), [np.median(a) for a in values[at::2]]
        )
        np.testing.assert_array_equal(display.medians_[kind].get_ydata(), np.arange(6)[at::2])


def test_names_lose_what_they_share(alphas):
    labels = AlphaLayersDisplay.from_estimator(alphas).ax_.get_yticklabels()
    assert [label.get_text() for label in labels] == [
        f"{k}.self.{kind}" for k in range(3) for kind in ("query", "value")
    ]


def test_numbered_layers_are_of_one_kind():
    display = AlphaLayersDisplay.from_estimator({"0": [1.0, 2.0], "2": [3.0]})
    assert list(display.medians_) == ["median"]
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["0", "2"]


def test_a_fitted_net():
    torch = pytest.importorskip("torch")
    from sklearn_alpha import AlphaLoRANetClassifier

    layers = torch.nn.Sequential(torch.nn.Linear(2, 6), torch.nn.Tanh(), torch.nn.Linear(6, 2))
    X = np.random.default_rng(0).normal(size=(20, 2))
    net = AlphaLoRANetClassifier(layers, rank=1, max_epochs=2, random_state=0).fit(X, X[:, 0] > 0)
    display = AlphaLayersDisplay.from_estimator(net)
    assert list(display.alphas) == list(net.alpha_)
    for name, alpha in net.alpha_.items():
        np.testing.assert_array_equal(display.alphas[name], alpha)


def test_sources_are_above_the_layers(alphas):
    net = Net(alphas)
    net.source_alpha_ = np.array([0.7, 0.2, 0.1])
    display = AlphaLayersDisplay.from_estimator(net)
    np.testing.assert_array_equal(display.sources_.get_xdata(), net.source_alpha_)
    np.testing.assert_array_equal(display.sources_.get_ydata(), [-3, -2, -1])
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels[:4] == ["source 0", "source 1", "source 2", "0.self.query"]
    assert not hasattr(AlphaLayersDisplay.from_estimator(alphas), "sources_")


def test_axes_are_used_as_given(alphas):
    ax = plt.subplots()[1]
    display = AlphaLayersDisplay.from_estimator(alphas, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert display.plot(ax, line_kw={"linewidth": 9}).quartiles_.get_linewidths() == [9]


def test_bad_input():
    show = AlphaLayersDisplay.from_estimator
    with pytest.raises(TypeError, match="not list; fit it first, or pass get_alpha"):
        show([1.0])
    with pytest.raises(TypeError, match="by layer, not Net"):
        show(Net(np.ones((1, 1))))
    with pytest.raises(ValueError, match="there is no layer with an α"):
        show({})
    with pytest.raises(ValueError, match="layer 'a' must be finite"):
        show({"a": []})
    with pytest.raises(ValueError, match="layer 'a'"):
        show({"a": [np.nan]})
    with pytest.raises(ValueError, match="3 axes, but the display has 1 panel"):
        show({"a": [1.0]}, ax=plt.subplots(1, 3)[1])


def test_neither_torch_nor_matplotlib_is_imported():
    program = (
        "import sys, sklearn_alpha.inspection\n"
        "print(*({'torch', 'matplotlib', 'sklearn_alpha.neural_network'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not result.stdout.strip()
