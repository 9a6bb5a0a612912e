import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed_figures():
    """Each test leaves no figure behind."""
    import matplotlib.pyplot as plt

    yield
    plt.close("all")
