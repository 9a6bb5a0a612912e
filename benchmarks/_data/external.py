"""Four collections of data that were made by others, as transfers with n labelled target rows."""

from collections.abc import Callable
from functools import lru_cache, partial
from itertools import permutations
from typing import NamedTuple

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from benchmarks._data import MissingData
from benchmarks._data.amazon import PAIRS, amazon_texts
from benchmarks._data.files import read_local
from sklearn_alpha.datasets import fetch_office_caltech, fetch_school, fetch_spoken_digits

LARGE = 60  # pupils of the schools that are targets
PHOTOS = ("amazon", "caltech", "dslr", "webcam")


class Problem(NamedTuple):
    """A fitted source with its rows, and the rows of a target."""

    source: object
    X_source: np.ndarray
    y_source: np.ndarray
    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray | None = None  # equal numbers for copies


class Collection(NamedTuple):
    """Transfers of one kind.

    `tasks` lists their names, `load` returns the `Problem` of one, `sizes` are the numbers of
    labelled target rows, and `unit` says whether these are rows or rows of a class.
    """

    tasks: Callable
    load: Callable
    sizes: tuple
    unit: str
    regression: bool = False


def draw(collection, problem, n, seed):
    """Indices of the labelled target rows, and of the scored ones: all others but copies."""
    rng, y = np.random.default_rng(seed), problem.y
    if collection.unit == "rows":
        own = rng.choice(len(y), n, replace=False)
    else:
        classes = [np.flatnonzero(y == label) for label in np.unique(y)]
        own = np.concatenate([rng.choice(rows, min(n, len(rows)), False) for rows in classes])
    groups = np.arange(len(y)) if problem.groups is None else problem.groups
    return own, np.flatnonzero(~np.isin(groups, groups[own]))


@lru_cache(maxsize=1)
def _school():
    return _read(partial(fetch_school, download_if_missing=False), fetch_school, "School")


def _schools():
    return [str(task) for task in np.flatnonzero(np.bincount(_school().task) >= LARGE)]


@lru_cache(maxsize=2)  # cells come task by task
def _load_school(task):
    """Pupils of one school; the source is ridge on those of all others."""
    school = _school()
    X, y, own = school.data[:, :-1], school.target, school.task == int(task)
    source = Ridge(10).fit(X[~own], y[~own])
    return Problem(source, X[~own], y[~own], X[own], y[own])


@lru_cache(maxsize=4)
def _photos(domain):
    local = partial(fetch_office_caltech, domain, download_if_missing=False)
    photos = _read(local, partial(fetch_office_caltech, domain), "Office-Caltech")
    return StandardScaler().fit_transform(photos.data), photos.target


def pairs(domains):
    """Names of the transfers between pairs of domains."""
    return [f"{source} → {target}" for source, target in domains]


@lru_cache(maxsize=2)
def load_photos(task, C=1e-3):
    """Pictures of two domains, each standardised without labels."""
    domains = [_photos(domain) for domain in task.split(" → ")]
    source = LogisticRegression(C=C, max_iter=1000).fit(*domains[0])
    return Problem(source, *domains[0], *domains[1])


@lru_cache(maxsize=1)
def _spoken():
    return _read(fetch_spoken_digits, fetch_spoken_digits, "the spoken digits")


def _speakers():
    return np.unique(_spoken().speaker).tolist()


@lru_cache(maxsize=2)
def _load_speaker(task):
    """Digits of one speaker, standardised as those of the others, who are the source."""
    spoken = _spoken()
    own = spoken.speaker == task
    scaler = StandardScaler().fit(spoken.data[~own])
    X, y = scaler.transform(spoken.data), spoken.target
    source = LogisticRegression(C=1e-2, max_iter=1000).fit(X[~own], y[~own])
    return Problem(source, X[~own], y[~own], X[own], y[own])


@lru_cache(maxsize=2)
def _load_reviews(task):
    """TF-IDF of the reviews of two domains, of which the vectorizer sees the texts of both."""
    (texts_source, y_source, _), (texts, y, groups) = map(amazon_texts, task.split(" → "))
    vectorizer = TfidfVectorizer(min_df=2, sublinear_tf=True).fit([*texts_source, *texts])
    X_source, X = vectorizer.transform(texts_source), vectorizer.transform(texts)
    source = LogisticRegression(C=10, max_iter=1000).fit(X_source, y_source)
    return Problem(source, X_source, y_source, X, y, groups)


def _read(local, fetch, name):
    found = read_local(local)
    if found is not None:
        return found
    try:
        return fetch()
    except (OSError, ImportError) as error:
        raise MissingData(
            f"The data of {name} are not on this machine ({error}); set SKLEARN_ALPHA_DATA to a "
            "folder that holds them."
        ) from error


_PHOTO_TASKS = partial(pairs, tuple(permutations(PHOTOS, 2)))
COLLECTIONS = {
    "School": Collection(_schools, _load_school, (5, 10, 30), "rows", regression=True),
    "Office-Caltech": Collection(_PHOTO_TASKS, load_photos, (1, 3, 8), "a class"),
    "Office-Caltech, random": Collection(_PHOTO_TASKS, load_photos, (10, 20, 50), "rows"),
    "Spoken digits": Collection(_speakers, _load_speaker, (1, 3, 10), "a class"),
    "Amazon reviews": Collection(partial(pairs, PAIRS), _load_reviews, (20, 50, 200), "rows"),
}
