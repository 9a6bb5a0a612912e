"""The benchmarks' data: the Amazon reviews wherever they lie, and transfers made of them."""

from functools import partial
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sklearn_alpha.datasets import fetch_amazon_review, fetch_amazon_text

DOMAINS = ("books", "dvd", "electronics", "kitchen")
PAIRS = tuple(permutations(DOMAINS, 2))
# A folder beside the repository that may hold the data, for machines without a network.
SHARED = Path(__file__).parents[2] / "shared" / "data"


class MissingData(Exception):
    """The data of a benchmark, or a package that makes them, is not there."""


class Transfer(NamedTuple):
    """A source and a target with the same features and the same two classes.

    `groups` numbers the target's rows by content where copies occur, so that :func:`split` can
    keep them together; `stratify` says whether training rows keep the share of the classes.
    """

    X_source: np.ndarray
    y_source: np.ndarray
    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray | None = None
    stratify: bool = False


def split(transfer, n, seed):
    """Return the indices of `n` labelled target rows and of the target rows to score on.

    All other rows are scored, but for copies of a training row: whether copies are kept apart
    therefore changes no training set.
    """
    train, test = train_test_split(
        np.arange(len(transfer.y)),
        train_size=n,
        random_state=seed,
        stratify=transfer.y if transfer.stratify else None,
    )
    if transfer.groups is not None:
        test = test[~np.isin(transfer.groups[test], transfer.groups[train])]
    return train, test


def some(y, n, seed):
    """Numbers of n of the rows, in the classes' shares; None is all."""
    rows = np.arange(len(y))
    if n is None or n >= len(y):
        return rows
    return train_test_split(rows, train_size=n, stratify=y, random_state=seed)[0]


def amazon_features(domain):
    """Return the 400 features of a domain, z-scored over all its rows, and y = 1 - 2 label."""
    reviews = _fetch(fetch_amazon_review, domain)
    return StandardScaler().fit_transform(reviews.data), 1.0 - 2.0 * reviews.target


def amazon_texts(domain):
    """Return the reviews of a domain, titles apart from the texts."""
    return _fetch(partial(fetch_amazon_text, titles=False), domain)


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
            "on data that scikit-learn brings along."
        ) from error
