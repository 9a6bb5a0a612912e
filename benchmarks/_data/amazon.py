"""The Amazon reviews, read from this machine or downloaded."""

from functools import partial
from itertools import permutations

from sklearn.preprocessing import StandardScaler

from benchmarks._data import MissingData
from benchmarks._data.files import read_local
from sklearn_alpha.datasets import fetch_amazon_review, fetch_amazon_text

DOMAINS = ("books", "dvd", "electronics", "kitchen")
PAIRS = tuple(permutations(DOMAINS, 2))


def amazon_features(domain):
    """The 400 features of a domain, z-scored over all its rows, and y = 1 - 2 label."""
    reviews = _fetch(fetch_amazon_review, domain)
    return StandardScaler().fit_transform(reviews.data), 1.0 - 2.0 * reviews.target


def amazon_texts(domain):
    """Texts "title. text" of a domain, labels 0 and 1, and numbers that are equal for copies."""
    reviews = _fetch(fetch_amazon_text, domain)
    return reviews.data, reviews.target, reviews.groups


def _fetch(fetch, domain):
    found = read_local(partial(fetch, domain, download_if_missing=False))
    if found is not None:
        return found
    try:
        return fetch(domain)
    except (OSError, ImportError) as error:
        why = "could not be downloaded" if isinstance(error, OSError) else f"{error}"
        raise MissingData(
            f"The Amazon reviews are not on this machine ({why}): set SKLEARN_ALPHA_DATA to a "
            "folder that holds them, or run `python -m benchmarks digits`, the same comparison "
            "on data that scikit-learn includes."
        ) from error
