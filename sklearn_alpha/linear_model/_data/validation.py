"""Checks of rows and targets, in memory and in chunks."""

from contextlib import contextmanager

import numpy as np
from scipy.sparse import issparse
from sklearn.base import is_classifier, is_regressor
from sklearn.utils import gen_batches
from sklearn.utils._array_api import get_namespace, get_namespace_and_device
from sklearn.utils.validation import _check_sample_weight, validate_data

from sklearn_alpha.linear_model._data.array_api import floats, is_foreign, to_host
from sklearn_alpha.linear_model._data.rows import CACHE


def check_rows(estimator, X, y, sample_weight):
    """Rows in their library; targets and weights as NumPy's arrays."""
    y, sample_weight = to_host(y), to_host(sample_weight)
    checks = {**target_checks(estimator), "multi_output": is_regressor(estimator) or has_columns(y)}
    X, y = validate_data(estimator, X, y, accept_sparse="csr", dtype=floats(X), **checks)
    y = y.toarray() if issparse(y) else y
    weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
    if not weight.any():  # scikit-learn 1.6 lets this pass
        raise ValueError("All weights are zero; pass rows of positive weight.")
    check_range("sample_weight", weight)
    return X, y, weight


def check_chunk(estimator, X, y, sample_weight, *, reset):
    """A chunk's rows of positive weight."""
    X, y = validate_data(
        estimator,
        X,
        y,
        reset=reset,
        accept_sparse="csr",
        dtype=[np.float64, np.float32],
        **target_checks(estimator),
    )
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    check_range("X", X)
    check_range("sample_weight", weight)
    seen = weight > 0
    return (X, y, weight) if seen.all() else (X[seen], y[seen], weight[seen])


def check_rows_like(estimator, X, coef, method):
    """Rows for a method, of the library and on the device of the coefficients."""
    if is_foreign(X) or is_foreign(coef):
        there, here = (get_namespace_and_device(array) for array in (X, coef))
        if there[0] != here[0] or there[2] != here[2]:
            raise ValueError(
                f"X of {type(estimator).__name__}.{method}() must use the same namespace and "
                f"device as that of fit, {here[0].__name__} on {here[2]}; it is of "
                f"{there[0].__name__} on {there[2]}."
            )
    return validate_data(estimator, X, accept_sparse="csr", reset=False, dtype=floats(X))


def target_checks(estimator):
    """Options of `validate_data` for y."""
    return {} if is_classifier(estimator) else {"multi_output": True, "y_numeric": True}


def has_columns(y):
    """Whether y has several columns."""
    shape = y.shape if hasattr(y, "shape") else np.asarray(y, dtype=object).shape
    return len(shape) == 2 and shape[1] > 1


def columns_of(y):
    """Numeric targets as (n_rows, n_outputs)."""
    return y.astype(np.float64).reshape(len(y), -1)


@contextmanager
def naming_chunk(number):
    """Put the number of the chunk before the message of an error."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ValueError(f"chunk {number}: {error}") from error


def check_range(name, values, limit=1e30):
    """Refuse values whose fourth powers would overflow or vanish."""
    values = values.data if issparse(values) else values
    if is_foreign(values):
        xp, _ = get_namespace(values)
        largest = float(xp.max(xp.stack([xp.max(values), -xp.min(values)])))
    else:
        # blocks of rows stay in the processor's cache for the second look
        step = max(CACHE // max(values[:1].size, 1), 1)
        blocks = (values[rows] for rows in gen_batches(max(len(values), 1), step))
        largest = max(max(X.max(initial=0), -X.min(initial=0)) for X in blocks)
    if largest and not 1 / limit <= largest <= limit:
        raise ValueError(
            f"the largest entry of {name} is {largest:.1e}, and powers of it leave the range of "
            "floating-point numbers; rescale it to about 1."
        )
