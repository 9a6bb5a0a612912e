"""Dask arrays and dataframes: sums over their chunks, and arrays of what their chunks give.

A sum is computed where the chunks lie and added up by a tree; nothing else travels.
"""

import operator
from functools import reduce

import numpy as np

from sklearn_alpha.linear_model._data import is_dask
from sklearn_alpha.linear_model._data.validation import naming_chunk

try:
    import dask.array as da
    from dask import delayed
    from dask.utils import is_dataframe_like, is_series_like
except ImportError as error:
    raise ImportError(
        "Dask collections need Dask's arrays: pip install 'sklearn-alpha[dask]'"
    ) from error

FAN_IN = 8  # number of sums that one task adds


def map_chunks(model, method, X):
    """What a method of a model gives for X, as a Dask array that is computed when asked for."""
    X = whole_rows(X)
    example = getattr(model, method)(one_row(X))  # it checks the columns, too
    rows = zipped(X)
    return rows.map_blocks(
        values_of_chunk,
        delayed(model),
        method=method,
        empty=example[:0],
        dtype=example.dtype,
        meta=example[:0],
        chunks=(rows.chunks[0], *((size,) for size in example.shape[1:])),
        new_axis=[1] if example.ndim == 2 else None,
    )


def values_of_chunk(rows, model, method, empty):
    (X,) = rows
    return getattr(model, method)(X) if X.shape[0] else empty


def sum_over_chunks(of_chunk, model, *collections):
    """The sum of ``of_chunk(model, number, *rows)`` over chunks, numbered from 1; None of none.

    The last collection are weights, or None.
    """
    nothing = np.empty(0, object)
    parts = zipped(*collections).map_blocks(
        named, of_chunk=of_chunk, model=delayed(model), dtype=object, meta=nothing
    )
    options = {"dtype": object, "meta": nothing, "concatenate": False, "split_every": FAN_IN}
    whole = da.reduction(parts, chunk=same, aggregate=add, axis=0, **options)
    return whole.to_delayed().item().compute()


def named(rows, of_chunk, model, block_id):
    """One chunk's share of the sum; None of a chunk without rows or without weight."""
    *of_rows, weight = rows
    if not any(part.shape[0] for part in of_rows) or (weight is not None and not np.any(weight)):
        return None
    with naming_chunk(f"{block_id[0] + 1} (X.partitions[{block_id[0]}])"):
        return of_chunk(model, block_id[0] + 1, *rows)


def add(parts, axis, keepdims):
    parts = [part for part in parts if part is not None]
    return reduce(operator.add, parts) if parts else None


def zipped(*collections):
    """A Dask array whose chunks are tuples of that chunk's rows of every collection."""
    if all(is_frame(rows) for rows in collections if is_dask(rows)):
        # one expression of all frames reads what they share once, and no other column
        first, *rest = collections
        return first.map_partitions(
            together, *rest, meta=np.empty(0), align_dataframes=False, enforce_metadata=False
        )
    pairs = []
    for letter, rows in zip("abc", collections):
        if is_frame(rows):  # an array of frames
            meta = np.empty((0, 0)[: rows.ndim])
            rows = rows.map_partitions(same, meta=meta, enforce_metadata=False)
        pairs += [rows, f"i{letter}"[: rows.ndim] if is_dask(rows) else None]
    meta = np.empty(0)
    return da.blockwise(together, "i", *pairs, dtype=object, meta=meta, align_arrays=False)


def together(*rows):
    """The rows; Dask gives those with columns as a list of one block."""
    return tuple(part[0] if isinstance(part, list) else part for part in rows)


def same(rows, axis=None, keepdims=None):
    return rows


def same_chunks(X, y, sample_weight):
    """X, y and the weights in the same chunks of rows, all columns together."""
    X = whole_rows(X)
    if y is None:
        raise ValueError("y is missing; pass the classes or targets of the rows of X.")
    return X, chunked_like(X, "y", y), chunked_like(X, "sample_weight", sample_weight)


def whole_rows(X):
    """X with all columns in each chunk."""
    if is_dataframe_like(X):
        return X
    if not isinstance(X, da.Array):
        raise ValueError(
            f"X is a Dask {type(X).__name__}; pass a Dask array or dataframe, such as "
            "dask.array.from_delayed makes."
        )
    if X.ndim != 2 or np.isnan(X.shape[1]):
        raise ValueError(
            f"X is a Dask array of shape {X.shape}; pass one of shape (n_samples, n_features) with "
            "a known number of features."
        )
    return X.rechunk({1: -1})


def chunked_like(X, name, rows):
    """y or weights in the chunks of X; None and numbers are themselves."""
    if not is_dask(rows):
        if rows is None or np.ndim(rows) == 0:
            return rows
        if not has_sizes(X):
            raise ValueError(
                f"{name} is in memory and X has chunks of unknown size, so that its rows cannot be "
                f"dealt to them; pass {name} as a Dask collection, too."
            )
        rows = da.from_array(np.asarray(rows), chunks=-1)
    elif not is_frame(rows) and not isinstance(rows, da.Array):
        raise ValueError(f"{name} is a Dask {type(rows).__name__}; pass a Dask array or series.")
    if isinstance(rows, da.Array) and rows.ndim == 2:
        rows = rows.rechunk({1: -1})
    if has_sizes(X) and has_sizes(rows):
        if len(X) != len(rows):
            raise ValueError(f"X has {len(X)} rows but {name} has {len(rows)}; pass as many.")
        return rows.rechunk({0: X.chunks[0]})
    if X.npartitions != rows.npartitions:
        raise ValueError(
            f"X has {X.npartitions} chunks and {name} {rows.npartitions}, of unknown sizes, so "
            "that their rows cannot be paired; cut both in the same places, or call "
            "compute_chunk_sizes() on both."
        )
    return rows


def is_frame(rows):
    return is_dataframe_like(rows) or is_series_like(rows)


def has_sizes(rows):
    return isinstance(rows, da.Array) and not np.isnan(rows.shape[0])


def one_row(X):
    """A row of zeros with the columns of X."""
    if is_dataframe_like(X):
        columns = X._meta.columns
        return type(X._meta)(np.zeros((1, len(columns))), columns=columns)
    return np.zeros((1, X.shape[1]))
