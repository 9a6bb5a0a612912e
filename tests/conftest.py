import os

# scikit-learn checks array-API input only with it, and reads it when it is imported.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

from pathlib import Path

import pytest

from sklearn_alpha.datasets import fetch_amazon_review, fetch_amazon_text


@pytest.fixture(scope="session")
def amazon_data_home():
    """The folder of the real Amazon Review files; tests that need them are skipped without."""
    homes = [Path(__file__).parents[2] / "shared" / "data"]
    if "SKLEARN_ALPHA_DATA" in os.environ:
        homes.insert(0, Path(os.environ["SKLEARN_ALPHA_DATA"]))
    for home in homes:
        try:
            fetch_amazon_review("books", data_home=home, download_if_missing=False)
        except OSError:
            continue
        return home
    pytest.skip(
        "Amazon Review files not found: put them in ../shared/data or set SKLEARN_ALPHA_DATA"
    )


@pytest.fixture
def amazon_text_home(amazon_data_home):
    try:
        fetch_amazon_text("books", data_home=amazon_data_home, download_if_missing=False)
    except OSError as error:
        pytest.skip(f"Amazon Review texts not found: {error}")
    return amazon_data_home
