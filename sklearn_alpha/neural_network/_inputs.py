"""Check X and y: texts, pairs of texts, or numbers, and labels."""

from collections.abc import Iterator

import numpy as np
from sklearn.utils import assert_all_finite
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    column_or_1d,
    validate_data,
)
from skorch.dataset import Dataset

NUMBERS, TEXT = "numbers", "text"


def read_inputs(estimator, X, *, reset, allow_empty=False):
    """The kind of X and its columns.

    Parameters
    ----------
    estimator : estimator
        Gets `n_features_in_` and column names if X holds numbers and `reset` is true.
    X : array-like, Series, DataFrame or iterator
        Texts, pairs of texts in two columns or tuples, or numbers.
    reset : bool
        Whether the estimator is being fitted on X.
    allow_empty : bool, default=False
        Whether a text may be empty.

    Returns
    -------
    kind : {"text", "numbers"}
    columns : list of list of str, or ndarray of float32
        One list for each text of a row, one or two; or the numbers.
    """
    if isinstance(X, str):
        raise ValueError("X is one text; pass a list of texts.")
    if hasattr(X, "to_pylist"):  # pyarrow's, which datasets returns
        columns = getattr(X, "columns", None)
        X = X.to_pylist() if columns is None else list(zip(*(c.to_pylist() for c in columns)))
    if isinstance(X, Iterator):
        X = list(X)
    if type(X) in (dict, set):  # not the sparse arrays that are dictionaries
        raise ValueError(f"X is a {type(X).__name__}; pass a list of texts.")
    if isinstance(X, list | tuple) and not X:
        raise ValueError("X has no rows; pass at least one.")
    if not _is_text(X):
        X = validate_data(estimator, X, reset=reset, dtype=np.float32, allow_nd=True)
        return NUMBERS, X
    if getattr(X, "ndim", 1) == 2 or hasattr(X, "columns"):
        rows = np.asarray(X, dtype=object)
        if rows.shape[1] > 2:
            raise ValueError(
                f"X has {rows.shape[1]} columns of text; pass one column, or two for pairs."
            )
        return TEXT, [_check_texts(column, allow_empty) for column in rows.T]
    rows = list(X)
    if not isinstance(rows[0], tuple | list):
        return TEXT, [_check_texts(rows, allow_empty)]
    widths = {len(row) if isinstance(row, tuple | list) else 1 for row in rows}
    if len(widths) > 1 or not widths <= {1, 2}:
        raise ValueError(
            f"the rows of X hold {', '.join(map(str, sorted(widths)))} texts; pass one text in "
            "every row, or two in every row."
        )
    return TEXT, [_check_texts(column, allow_empty) for column in zip(*rows)]


def _is_text(X):
    """Whether the first entry of X that is not missing is text."""
    if hasattr(X, "columns"):  # a DataFrame, of pandas or polars
        X = np.asarray(X, dtype=object)
    if hasattr(X, "dtype"):
        if getattr(X.dtype, "kind", "O") in "biufc":
            return False
        X = np.asarray(X, dtype=object).ravel().tolist()
    elif not isinstance(X, list | tuple) and hasattr(X, "__len__") and hasattr(X, "__getitem__"):
        X = list(X)  # a Series of another library
    if not isinstance(X, list | tuple):
        return False
    flat = (entry for row in X for entry in (row if isinstance(row, list | tuple) else (row,)))
    return any(isinstance(entry, str | bytes) for entry in flat)


def _check_texts(column, allow_empty):
    """One column of texts, none of them missing."""
    column = list(column)
    for i, text in enumerate(column):
        if not isinstance(text, str):
            raise ValueError(
                f"row {i} of X is {text!r}, not a text; drop the row or replace it by a text."
            )
        if not (allow_empty or text.strip()):
            raise ValueError(
                f"row {i} of X is an empty text; drop the row or replace it by a text."
            )
    return [str(text) for text in column]


def read_dataset(dataset):
    """X and y of a torch dataset of (row, label)."""
    if isinstance(dataset, Dataset):
        return dataset.X, dataset.y
    rows, labels = zip(*(dataset[i] for i in range(len(dataset))))
    rows = list(rows) if isinstance(rows[0], str | tuple | list) else np.stack(rows)
    return rows, np.array([y.item() if hasattr(y, "item") else y for y in labels])


def encode_labels(y, classes):
    """Places of labels in the sorted classes."""
    strange = np.setdiff1d(y, classes)
    if len(strange):
        raise ValueError(
            f"y has the labels {strange.tolist()}, which are not among the classes "
            f"{classes.tolist()}; name all classes in the first fit."
        )
    return np.searchsorted(classes, y)


def _check_no_missing(y):
    """Raise an error for None or NaN among labels, which NumPy may turn into words."""
    if y is None or getattr(getattr(y, "dtype", None), "kind", "O") != "O":
        return
    for i, label in enumerate(np.asarray(y, dtype=object).ravel().tolist()):
        if label is None or (isinstance(label, float) and label != label):
            raise ValueError(
                f"row {i} of y is {label!r}, not a label; drop the row, or give it a label."
            )


def weighted_rows(sample_weight, n_rows):
    """Rows of positive weight, and their weights; all rows have weight 1 if none are passed."""
    weights = _check_sample_weight(
        sample_weight, np.empty((n_rows, 1)), dtype=np.float64, ensure_non_negative=True
    )
    rows = np.flatnonzero(weights)
    if not len(rows):
        raise ValueError("no row has a positive weight; pass at least one.")
    return rows, weights[rows]


def read_targets(y, sample_weight, n_rows, *, classes, class_weight):
    """The classes, and the rows of positive weight with their class numbers and weights.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
    sample_weight : array-like of shape (n_rows,) or None
    n_rows : int
    classes : ndarray or None
        All labels, sorted; None takes those of the rows of positive weight.
    class_weight : dict, "balanced" or None

    Returns
    -------
    classes : ndarray
    rows : ndarray of int
        Rows of positive weight.
    codes : ndarray of int
        Their places in `classes`.
    weights : ndarray of float32
        Their weights, of mean 1.
    factors : ndarray of float
        What `class_weight` multiplies the weights of each class by.
    """
    _check_no_missing(y)
    y = column_or_1d(y, warn=True)
    check_consistent_length(np.empty(n_rows), y)
    if y.dtype.kind == "f":
        assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    rows, weights = weighted_rows(sample_weight, n_rows)
    y = y[rows]
    seen = np.unique(y)
    classes = seen if classes is None else classes
    if len(classes) < 2:
        raise ValueError(
            f"y has rows of {len(classes)} class(es) with positive weight; pass rows of at least 2 "
            "classes."
        )
    codes = encode_labels(y, classes)
    factors = np.ones(len(classes))
    if class_weight == "balanced":
        counts = np.bincount(codes, weights=weights, minlength=len(classes))
        factors[counts > 0] = weights.sum() / (len(seen) * counts[counts > 0])
    elif class_weight is not None:
        factors = compute_class_weight(class_weight, classes=classes, y=y)
    weights = weights * factors[codes]
    return classes, rows, codes, (weights / weights.mean()).astype(np.float32), factors
