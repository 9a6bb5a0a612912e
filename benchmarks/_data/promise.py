"""Transfers on which the default should be no worse than the source and the target alone."""

from collections.abc import Mapping
from functools import lru_cache, partial
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from benchmarks._data.amazon import DOMAINS, PAIRS, amazon_features
from benchmarks._data.embeddings import embeddings
from benchmarks._data.external import COLLECTIONS, Collection, Problem, load_photos, pairs

N_FEATURES, N_SOURCE, N_TARGET = 20, 1000, 1000  # of the Gaussian data
SPREAD, SHIFT = 0.5, 0.25  # standard deviations of the class means, and of their move
ODDS = 5  # of the most frequent class to the rarest, under label shift


class Row(NamedTuple):
    """A collection, the figures asked for each size, and how often each draw is repeated.

    A figure is a number, or "source" for that of the source alone.
    """

    collection: Collection
    asked: Mapping = MappingProxyType({})
    repeats: int = 1


@lru_cache(maxsize=2)  # cells come task by task
def _load_amazon(task):
    """The 400 features of two domains, each standardised without labels."""
    (X_source, y_source), (X, y) = map(amazon_features, task.split(" → "))
    source = LogisticRegression(C=1e-3).fit(X_source, y_source)
    return Problem(source, X_source, y_source, X, y)


@lru_cache(maxsize=2)
def _load_states(domain):
    """MiniLM's mean states of the reviews of a domain; the source saw those of the others."""
    parts = [embeddings(other)[:2] for other in DOMAINS if other != domain]
    X_source, y_source = map(np.concatenate, zip(*parts))
    source = LogisticRegression(C=3e-3, max_iter=1000).fit(X_source, y_source)
    return Problem(source, X_source, y_source, *embeddings(domain))


@lru_cache(maxsize=1)
def _load_digits(task):
    """The source saw the first 900 digits of scikit-learn, the target is the rest."""
    X, y = load_digits(return_X_y=True)
    X = X / 16
    source = LogisticRegression(max_iter=1000).fit(X[:900], y[:900])
    return Problem(source, X[:900], y[:900], X[900:], y[900:])


@lru_cache(maxsize=2)
def _load_iris(task):
    """The source saw 40 random flowers, the target is the rest."""
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    source, target = np.split(np.random.default_rng(int(task)).permutation(len(y)), [40])
    return Problem(
        LogisticRegression().fit(X[source], y[source]), X[source], y[source], X[target], y[target]
    )


@lru_cache(maxsize=2)
def load_gaussian(kind, n_classes, task):
    """Gaussian classes, whose means move a little from the source to the target.

    x = m_c + z with m_c ~ N(0, .25 I) in 20 dimensions, and m_c + .25 z in the target. The
    coefficients of the source are negated for the kind "reversed", and replaced by random ones of
    the same norm for "useless". For "label shift" the classes of the target have geometric shares
    from 5 to 1, in a random order; all others are balanced.
    """
    rng = np.random.default_rng([int(task), n_classes])
    means = SPREAD * rng.normal(size=(n_classes, N_FEATURES))
    X_source, y_source = _gaussian(rng, means, np.ones(n_classes), N_SOURCE)
    source = LogisticRegression().fit(X_source, y_source)
    if kind == "reversed":
        source.coef_, source.intercept_ = -source.coef_, -source.intercept_
    elif kind == "useless":
        coef = rng.normal(size=source.coef_.shape)
        norms = [np.linalg.norm(W, axis=1, keepdims=True) for W in (source.coef_, coef)]
        source.coef_ = coef * norms[0] / norms[1]
    odds = np.geomspace(ODDS, 1, n_classes) if kind == "label shift" else np.ones(n_classes)
    moved = means + SHIFT * rng.normal(size=means.shape)
    target = _gaussian(rng, moved, rng.permutation(odds), N_TARGET)
    return Problem(source, X_source, y_source, *target)


def _gaussian(rng, means, odds, n):
    y = rng.choice(len(odds), n, p=odds / odds.sum())
    return means[y] + rng.normal(size=(n, means.shape[1])), y


def _gaussian_rows():
    for kind in ("reversed", "useless", "label shift"):
        for n_classes in (2, 4, 10):
            load = partial(load_gaussian, kind, n_classes)
            yield (
                f"Gaussian, {kind}, {n_classes} classes",
                Row(Collection(TASKS, load, (8, 20, 60), "rows")),
            )


TASKS = partial(list, "01234")
ONE_TASK = partial(list, "0")
PHOTOS = COLLECTIONS["Office-Caltech"]
ROWS = {
    "School": Row(COLLECTIONS["School"], {"mse": (114, 109, 105.5)}),
    "Amazon features": Row(
        Collection(partial(pairs, PAIRS), _load_amazon, (10,), "rows"), {"accuracy": (0.782,)}
    ),
    "Spoken digits": Row(COLLECTIONS["Spoken digits"], {"log_loss": (0.100, 0.080, 0.055)}),
    "Office-Caltech": Row(PHOTOS, {"accuracy": (0.44, 0.50, 0.62), "log_loss": (1.80, 1.72, 1.55)}),
    "Office-Caltech, random": Row(
        Collection(PHOTOS.tasks, partial(load_photos, C=1e-2), (10, 20, 50), "rows"),
        {"accuracy": (0.46, 0.48, 0.55)},
    ),
    "MiniLM states of reviews": Row(
        Collection(partial(list, DOMAINS), _load_states, (20,), "rows"),
        {"log_loss": ("source",)},
        repeats=4,
    ),
    "scikit-learn digits": Row(
        Collection(ONE_TASK, _load_digits, (6, 12, 20, 30, 60, 120), "rows"),
        {"accuracy": (0.933,) * 6},
        repeats=4,
    ),
    "Iris": Row(Collection(TASKS, _load_iris, (50,), "rows"), {"accuracy": (0.93,)}, repeats=4),
    **dict(_gaussian_rows()),
}
