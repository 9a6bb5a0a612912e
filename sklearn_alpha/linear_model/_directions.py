"""The size of each source, and sources of unit size, of which parallel ones are one."""

import numpy as np


def source_scale(W, b):
    """The size of each source (n_outputs, n_sources), a power of two: no square overflows.

    Parameters
    ----------
    W : ndarray of shape (n_outputs, n_sources, n_features)
    b : ndarray of shape (n_outputs, n_sources)
    """
    size = np.maximum(np.abs(W).max(axis=2, initial=0), np.abs(b))
    return np.exp2(np.frexp(np.where(size > np.finfo(np.float64).tiny, size, 1.0))[1])


def unit_combinations(inner):
    """T with TᵀAT of unit diagonal, of the inner products A of columns, as `unit_columns` of them.

    Of two columns only their cosine is known, to rounding.
    """
    size = np.sqrt(np.maximum(inner.diagonal(), 0))
    return group(size, lambda k, first: inner[k, first] >= (1 - 1e-12) * size[k] * size[first])


def unit_columns(columns):
    """T with columns @ T of norm one: none for a zero column, one for those that are parallel."""
    size = np.linalg.norm(columns, axis=0)
    return group(
        size,
        lambda k, first: (
            np.linalg.norm(columns[:, k] / size[k] - columns[:, first] / size[first]) <= 1e-7
        ),
    )


def group(size, parallel):
    """T with one column for all that are parallel to the first of them."""
    groups = []
    for k in np.flatnonzero(size > np.finfo(np.float64).tiny):
        for members in groups:
            if parallel(k, members[0]):
                members.append(k)
                break
        else:
            groups.append([k])
    T = np.zeros((len(size), len(groups)))
    for column, members in enumerate(groups):
        T[members, column] = 1 / (len(members) * size[members])
    return T
