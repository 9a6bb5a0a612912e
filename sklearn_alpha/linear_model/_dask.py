"""Dask arrays and dataframes: the moments of each chunk where it lies, added up by a tree.

    Σ sᵢ zᵢzᵢᵀ = ((M₁ + … + M₈) + (M₉ + … + M₁₆) + …) + …,    M of a chunk's z = [x − o, 1, y]

A chunk becomes (p + 1 + n_outputs)² numbers on the worker that reads it, such squares alone travel,
and one of them comes to the client, where α and γ are chosen as in `partial_fit`. y has a column
for each label that a chunk holds, and a sum of chunks one for each label of any, so that classes
need no pass of their own: "balanced" weights alone count labels before.
"""

import copy
import operator
from collections import Counter
from functools import reduce

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from sklearn_alpha.linear_model._lazy import is_dask
from sklearn_alpha.linear_model._partial import codes, naming_chunk, reads_moments
from sklearn_alpha.linear_model._source import check_range
from sklearn_alpha.linear_model._stream import Sums

try:
    import dask.array as da
    from dask import delayed
    from dask.utils import is_dataframe_like, is_series_like
except ImportError as error:
    raise ImportError(
        "Dask collections need Dask's arrays: pip install 'sklearn-alpha[dask]'"
    ) from error

FAN_IN = 8  # squares that are added by one task
# What no chunk needs of an estimator, and may be large or stay where it is.
LEFT_HERE = ("_sums", "path_", "loo_decision_function_", "source_coef_", "source_intercept_")
LEFT_HERE += ("_w0", "_w1")


def fit(model, X, y, sample_weight):
    """Set the fitted attributes of an estimator from the moments of all chunks."""
    if not reads_moments(model):
        raise ValueError(
            f"selection={model.selection!r} needs rows, and of a Dask collection second moments "
            "alone are kept; use selection='evidence', or fit on rows in memory, X.compute()."
        )
    model._given_gammas()
    X, y, sample_weight = alike(X, y, sample_weight)
    validate_data(model, one_row(X), skip_check_array=True)
    model.__dict__.pop("_sums", None)
    model._forget()

    reader = light(model)
    if is_classifier(model) and isinstance(model.class_weight, str):
        counts = over_chunks(count, reader, y, sample_weight) or {}
        n = sum(counts.values())
        reader.class_weight = {label: n / (len(counts) * counts[label]) for label in counts}
    part = over_chunks(moments, reader, X, y, sample_weight)
    if part is None:
        raise ValueError("no chunk has rows of positive weight; pass rows.")
    sums = part.sums
    if is_classifier(model):
        model.classes_, n_classes = part.classes, len(part.classes)
        if n_classes < 2:
            raise ValueError(
                f"y has rows of {n_classes} class(es) with positive weight; "
                "pass rows of at least 2 classes."
            )
        compute_class_weight(reader.class_weight, classes=model.classes_, y=model.classes_)
        sums = sums.with_targets(codes(np.arange(n_classes), n_classes)[0])
    else:
        model._target_ndim = y.ndim
    model._sums = sums
    model._solve()


def lazy_values(model, method, X):
    """What a method of X gives, as a Dask array that is computed when it is asked for."""
    X, model = whole_rows(X), light(model)
    example = getattr(model, method)(one_row(X))  # which checks the columns, too
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


def score(model, X, y, sample_weight):
    """Accuracy, or R² averaged over the targets."""
    X, y, sample_weight = alike(X, y, sample_weight)
    of_chunk = right_and_all if is_classifier(model) else residuals
    whole = over_chunks(of_chunk, light(model), X, y, sample_weight)
    if whole is None:
        raise ValueError("no chunk has rows of positive weight; pass rows to score.")
    if is_classifier(model):
        return float(whole[0] / whole[1])
    p = len(whole.origin)
    left = whole.total[p + 1 :, p + 1 :].diagonal() / whole.n
    spread = whole.covariance[:p, :p].diagonal()
    constant = spread <= 0  # where scikit-learn's R² is 1 or 0
    return float(np.mean(np.where(constant, left == 0, 1 - left / np.where(constant, 1, spread))))


# ---------------------------------------------------------------- one chunk


class Part:
    """Moments of some chunks, the number of the first, and a column of y for each of `classes`."""

    def __init__(self, number, sums, classes):
        self.number, self.sums, self.classes = number, sums, classes

    def __add__(self, other):
        parts, classes = (self, other), None
        if self.classes is not None:
            kinds = [part.classes.dtype.kind in "OUS" for part in parts]
            if kinds[0] != kinds[1]:
                raise ValueError(
                    f"chunk {other.number}: y has the labels {other.classes}, and "
                    f"{self.classes} in chunk {self.number}; pass either numbers or text."
                )
            classes = np.unique(np.concatenate([part.classes for part in parts]))
        elif len(self.sums.mean_Y) != len(other.sums.mean_Y):
            raise ValueError(
                f"chunk {other.number}: y has {len(other.sums.mean_Y)} column(s), and "
                f"{len(self.sums.mean_Y)} in chunk {self.number}; pass the same targets throughout."
            )
        one, two = (part.over(classes) for part in parts)
        return Part(self.number, one + two, classes)

    def over(self, classes):
        """The sums with a column for each of all classes."""
        if classes is None or len(classes) == len(self.classes):
            return self.sums
        return self.sums.with_targets((self.classes[:, None] == classes).astype(np.float64))


def moments(model, number, X, y, weight):
    """The `Part` of one chunk."""
    X, y, weight = model._rows(X, y, weight, reset=False)
    if not is_classifier(model):
        Y = y.astype(np.float64).reshape(len(y), -1)
        check_range("y", Y)
        return Part(number, Sums.of(X, Y, weight), None)
    if y.dtype.kind in "fO":
        check_classification_targets(y)
    classes, labels = np.unique(y, return_inverse=True)
    if model.class_weight is not None:
        of_class = [model.class_weight.get(label, 1.0) for label in classes.tolist()]
        weight = weight * np.array(of_class)[labels]
    return Part(number, Sums.of(X, np.eye(len(classes))[labels], weight), classes)


def right_and_all(model, number, X, y, weight):
    """The weight of rows whose class is predicted, and of all."""
    X, y, weight = model._rows(X, y, weight, reset=False)
    accuracy = model._score_decisions(model._decisions_of(X), y, weight)
    return weight.sum() * np.array([accuracy, 1.0])


def residuals(model, number, X, y, weight):
    """`Sums` of targets, and of what is left of them."""
    X, y, weight = model._rows(X, y, weight, reset=False)
    Y = y.astype(np.float64).reshape(len(y), -1)
    return Sums.of(Y, Y - model._decisions_of(X), weight)


def count(model, number, y, weight):
    """The positive weights of the labels of one chunk."""
    y = column_or_1d(y)
    weight = _check_sample_weight(weight, y, dtype=np.float64)
    classes, labels = np.unique(y, return_inverse=True)
    counts = np.bincount(labels, weights=weight, minlength=len(classes))
    return +Counter(dict(zip(classes.tolist(), counts.tolist(), strict=True)))


# ---------------------------------------------------------------- all chunks


def over_chunks(of_chunk, model, *collections):
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
    """A Dask array of which each chunk is a tuple: that chunk's rows of every collection."""
    if all(is_frame(rows) for rows in collections if is_dask(rows)):
        # one expression of all frames: what they share is read once, and no other column
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
    """The rows; those with columns come as a list of their one block of columns."""
    return tuple(part[0] if isinstance(part, list) else part for part in rows)


def same(rows, axis=None, keepdims=None):
    return rows


def alike(X, y, sample_weight):
    """X, y and the weights in the same chunks of rows, all columns together."""
    X = whole_rows(X)
    if y is None:
        raise ValueError("y is missing; pass the classes or targets of the rows of X.")
    return X, cut_like(X, "y", y), cut_like(X, "sample_weight", sample_weight)


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


def cut_like(X, name, rows):
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


def light(model):
    """A copy of an estimator that can check rows and predict, and holds little else."""
    if "_sums" in model.__dict__:
        model.coef_  # noqa: B018  (solved for once, here)
    model = copy.copy(model)
    for name in LEFT_HERE:
        model.__dict__.pop(name, None)
    model.__dict__.update(source=None, cv=None, scoring=None)
    return model
