"""The Amazon reviews, read from this machine or downloaded."""

from itertools import permutations
from pathlib import Path

from sklearn.preprocessing import StandardScaler

from benchmarks._data import MissingData
from sklearn_alpha.datasets import fetch_amazon_review, fetch_amazon_text

DOMAINS = ("books", "dvd", "electronics", "kitchen")
PAIRS = tuple(permutations(DOMAINS, 2))
# A folder beside the repository that may hold the data, for machines without a network.
SHARED = Path(__file__).parents[3] / "shared" / "data"


def amazon_features(domain):
    """The 400 features of a domain, z-scored over all its rows, and y = 1 - 2 label."""
    reviews = _fetch(fetch_amazon_review, domain)
    return StandardScaler().fit_transform(reviews.data), 1.0 - 2.0 * reviews.target


def amazon_texts(domain):
    """Texts "title. text" of a domain, labels 0 and 1, and numbers that are equal for copies."""
    reviews = _fetch(fetch_amazon_text, domain)
    return reviews.data, reviews.target, reviews.groups


def _fetch(fetch, domain):
    for home in (None, SHARED):
        try:
            return fetch(domain, data_home=home, download_if_missing=False)
        except OSError:
            continue
    try:
        return fetch(domain)
    except (OSError, ImportError) as error:
        why = "could not be downloaded" if isinstance(error, OSError) else f"{error}"
        raise MissingData(
            f"The Amazon reviews are not on this machine ({why}): set SKLEARN_ALPHA_DATA to a "
            "folder that holds them, or run `python -m benchmarks digits`, the same comparison "
            "on data that scikit-learn includes."
        ) from error
