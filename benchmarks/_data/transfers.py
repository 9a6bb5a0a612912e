"""A source and a target, and which target rows are labelled and which are scored."""

from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split


class Transfer(NamedTuple):
    """A source and a target with the same features and the same classes.

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
    """Indices of `n` labelled target rows, and of the target rows to score on.

    All other rows are scored, except copies of a labelled row.
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


def draw_rows(y, n, seed):
    """Indices of `n` rows with the same shares of the classes as `y`; all rows for None."""
    rows = np.arange(len(y))
    if n is None or n >= len(y):
        return rows
    return train_test_split(rows, train_size=n, stratify=y, random_state=seed)[0]
