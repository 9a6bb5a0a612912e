"""Rows that are not plain arrays of moderate float64 numbers, given to both linear estimators."""

import tempfile
import warnings

import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.reliability._outcomes import counted, outcome
from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor

N, P, NEW = 60, 8, 15


def data():
    """X of small whole numbers, which every dtype holds, labels, targets, new rows, a source."""
    rng = np.random.default_rng(0)
    X = rng.integers(-9, 10, size=(N + NEW, P)).astype(float)
    w = rng.normal(size=P)
    target = X @ w + 3 * rng.normal(size=N + NEW)
    return X[:N], (target > 0)[:N].astype(int), target[:N], X[N:], w + rng.normal(size=P)


def long_indices(X):
    """Sparse rows whose indices have 64 bits."""
    X = sparse.csr_matrix(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def in_disorder(X):
    """Sparse rows that store their zeros, the last column first."""
    n, p = X.shape
    columns = np.tile(np.arange(p)[::-1], n)
    return sparse.csr_matrix((X[:, ::-1].ravel(), columns, np.arange(0, n * p + 1, p)), (n, p))


def read_only(X):
    """An array that cannot be written to."""
    X = X.copy()
    X.setflags(write=False)
    return X


def mapped(X):
    """An array in a file, read only."""
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file.name, X)
        return np.load(file.name, mmap_mode="r")


def with_entry(value):
    """Change one entry."""

    def change(X):
        X = X.copy()
        X[(3,) * X.ndim] = value
        return X

    return change


def times(factor):
    """Change the unit."""
    return lambda X: X * factor


# The same numbers in another form: the answer is that of float64, or the form is refused.
FORMS = {
    **{
        name: lambda X, name=name: X.astype(name)
        for name in ("float32", "float16", "longdouble", "int8", "int64", ">f8", "object")
    },
    "read-only": read_only,
    "memory-mapped": mapped,
    "Fortran order": np.asfortranarray,
    "every second column of a wider array": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "rows in reverse, a negative stride": lambda X: X[::-1].copy()[::-1],
    "list of lists": lambda X: X.tolist(),
    "DataFrame": lambda X: pd.DataFrame(X, columns=list("abcdefgh")),
    "sparse csr": sparse.csr_matrix,
    "sparse csc array": sparse.csc_array,
    "sparse coo": sparse.coo_matrix,
    "sparse, 64-bit indices": long_indices,
    "sparse, unsorted with stored zeros": in_disorder,
    "complex": lambda X: X.astype(complex),
    "text": lambda X: X.astype(str),
}
VALUES = {
    "one NaN": with_entry(np.nan),
    "one ∞": with_entry(np.inf),
    "one −∞": with_entry(-np.inf),
    "one denormal number": with_entry(5e-324),
    "× 1e-310, denormal": times(1e-310),
    **{f"× {factor:.0e}": times(factor) for factor in (1e150, 1e-150, 1e100, 1e-100, 1e25, 1e-25)},
}
ESTIMATORS = (AlphaTransferClassifier, AlphaTransferRegressor)


def answers(Estimator, X, y, new, source, weight=None, *, way="fit", **options):
    """Decisions on new rows, and probabilities where there are any."""
    model = Estimator(source, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        classes = {"classes": [0, 1]} if Estimator is AlphaTransferClassifier else {}
        if way == "fit":
            model.fit(X, y, sample_weight=weight)
        else:
            model.partial_fit(X, y, sample_weight=weight, **classes)
        if Estimator is AlphaTransferRegressor:
            return model.predict(new)
        return np.append(model.decision_function(new), model.predict_proba(new)[:, 1])


def forms():
    """The forms of X, in `fit` and `partial_fit`, and in the predictions."""
    _, labels, targets, _, _ = data()
    for case, change in FORMS.items():
        yield counted(
            "another form of X",
            case,
            [
                one_form(Estimator, change, way, y)
                for Estimator, y in zip(ESTIMATORS, (labels, targets))
                for way in ("fit", "partial_fit")
            ],
        )


def one_form(Estimator, change, way, y):
    """What becomes of rows in another form."""
    X, _, _, new, source = data()
    expected = answers(Estimator, X, y, new, source, way=way)
    return outcome(
        lambda: answers(Estimator, change(X), y, change(new), source, way=way),
        lambda found: is_close(found, expected, 1e-4),
    )


def is_close(found, expected, tolerance):
    """Whether values differ by rounding, relative to the largest."""
    size = np.abs(expected).max()
    return np.allclose(found, expected, rtol=tolerance, atol=tolerance * size)


def values():
    """Values beyond the usual, in each argument."""
    _, labels, targets, _, _ = data()
    for place in ("X", "y", "source", "sample_weight", "new rows"):
        for case, change in VALUES.items():
            yield counted(
                f"{place}: unusual values",
                case,
                [
                    one_value(Estimator, place, change, dtype, way, y)
                    for Estimator, y in zip(ESTIMATORS, (labels, targets))
                    if place != "y" or Estimator is AlphaTransferRegressor
                    for dtype in (np.float64, np.float32)
                    for way in ("fit", "partial_fit")
                ],
            )


def one_value(Estimator, place, change, dtype, way, y):
    """What becomes of one argument that was changed, the rows in a dtype."""
    X, _, _, new, source = data()
    given = {"X": X, "y": y, "source": source, "sample_weight": np.ones(N), "new rows": new}
    with np.errstate(all="ignore"):
        given[place] = change(given[place])
        single = [given[name].astype(dtype) for name in ("X", "new rows")]
    y, source, weight = (given[name] for name in ("y", "source", "sample_weight"))

    def run(rows):
        return answers(Estimator, rows[0], y, rows[1], source, weight, way=way)

    def is_right(found):
        if not np.isfinite(found).all():
            return False
        double = run([array.astype(np.float64) for array in single])
        return is_close(found, double, 1e-3)

    return outcome(lambda: run(single), is_right)


def stream():
    """A bad chunk in the middle of a stream: refused, and the model is as if it had not come."""
    X, labels, targets, new, source = data()
    bad = {
        "a NaN": (with_entry(np.nan)(X[:20]), labels[:20]),
        "values of 1e200": (1e200 * X[:20], labels[:20]),
        "another number of columns": (X[:20, :5], labels[:20]),
        "an unknown label, or text": (X[:20], np.array(["a", "b"] * 10)),
        "no rows": (X[:0], labels[:0]),
        "fewer labels than rows": (X[:20], labels[:7]),
        "negative weights": (X[:20], labels[:20], -np.ones(20)),
    }
    for case, chunk in bad.items():
        found = []
        for Estimator, y in zip(ESTIMATORS, (labels, targets)):
            for is_solved in (False, True):
                found.append(bad_chunk(Estimator, X, y, new, source, chunk, is_solved))
        yield counted("stream with a bad chunk in the middle", case, found)


def bad_chunk(Estimator, X, y, new, source, chunk, is_solved):
    """Whether a bad chunk was refused and changed nothing."""
    classes = {"classes": [0, 1]} if Estimator is AlphaTransferClassifier else {}
    streams = [Estimator(source), Estimator(source)]
    for model in streams:
        model.partial_fit(X[:30], y[:30], **classes)
        if is_solved:
            model.predict(new)
    result = outcome(lambda: streams[0].partial_fit(*chunk), lambda model: False)
    if result[0] == "wrong":
        return result
    for part in (slice(0, 0), slice(30, N)):
        if part.stop:
            for model in streams:
                model.partial_fit(X[part], y[part])
        one, two = (model.predict(new) for model in streams)
        if not np.array_equal(one, two) or not np.array_equal(*(m.coef_ for m in streams)):
            return "wrong", "the model has changed"
    return result
