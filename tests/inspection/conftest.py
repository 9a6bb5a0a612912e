import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed_figures():
    """Close the figures of each test."""
    import matplotlib.pyplot as plt

    yield
    plt.close("all")
