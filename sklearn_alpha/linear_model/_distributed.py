"""Dask arrays and dataframes: fits from sums over chunks, lazy predictions, and scores.

    Σ sᵢ zᵢzᵢᵀ = ((M₁ + … + M₈) + (M₉ + … + M₁₆) + …) + …,    M of a chunk's z = [x − o, 1, y]

A chunk becomes (p + 1 + n_outputs)² numbers on the worker that reads it. Only these travel, and
one such matrix comes to the client, where α and γ are chosen as in `partial_fit`. y has a column
for each label that a chunk holds, and a sum of chunks one for each label of any, so that the labels
need no pass of their own: only "balanced" weights count them first.
"""

import copy
from collections import Counter
from functools import wraps

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from sklearn_alpha.linear_model._data import is_dask
from sklearn_alpha.linear_model._data.moments import SecondMoments
from sklearn_alpha.linear_model._data.validation import check_chunk, check_range, columns_of
from sklearn_alpha.linear_model._labels import class_weights, some_class_weights

# Attributes that no chunk needs, and that may be large.
NOT_SENT = ("_sums", "path_", "loo_decision_function_", "source_coef_", "source_intercept_")
NOT_SENT += ("_w0", "_w1", "_posterior")


def lazy_on_dask(method):
    """Make a method of X give a lazy Dask array where X is a Dask array or dataframe."""

    @wraps(method)
    def values(self, X):
        if not is_dask(X):
            return method(self, X)
        check_is_fitted(self)
        from sklearn_alpha.linear_model._data.dask import map_chunks

        return map_chunks(without_rows(self), method.__name__, X)

    return values


def moments_of_dask(estimator, X, y, sample_weight):
    """The second moments of a Dask collection, and its classes (None of numbers).

    The targets of a classifier are one column for each class, 0 or 1.
    """
    from sklearn_alpha.linear_model._data import dask

    X, y, sample_weight = dask.same_chunks(X, y, sample_weight)
    validate_data(estimator, dask.one_row(X), skip_check_array=True)
    reader = without_rows(estimator)
    if is_classifier(estimator) and isinstance(estimator.class_weight, str):
        counts = dask.sum_over_chunks(count_labels, reader, y, sample_weight) or {}
        weights = class_weights("balanced", None, np.array(list(counts.values())))
        reader.class_weight = dict(zip(counts, weights.tolist(), strict=True))
    part = dask.sum_over_chunks(moments_of_chunk, reader, X, y, sample_weight)
    if part is None:
        raise ValueError("no chunk has rows of positive weight; pass rows.")
    if is_classifier(estimator):
        class_weights(reader.class_weight, part.classes)  # checks the labels that it names
    return part.sums, part.classes


def score_of_dask(estimator, X, y, sample_weight):
    """Accuracy, or R² averaged over the targets."""
    from sklearn_alpha.linear_model._data import dask

    X, y, sample_weight = dask.same_chunks(X, y, sample_weight)
    of_chunk = accuracy_of_chunk if is_classifier(estimator) else residuals_of_chunk
    whole = dask.sum_over_chunks(of_chunk, without_rows(estimator), X, y, sample_weight)
    if whole is None:
        raise ValueError("no chunk has rows of positive weight; pass rows to score.")
    if is_classifier(estimator):
        return float(whole[0] / whole[1])
    p = len(whole.origin)
    left = whole.total[p + 1 :, p + 1 :].diagonal() / whole.n
    spread = whole.covariance[:p, :p].diagonal()
    constant = spread <= 0  # scikit-learn's R² is 1 or 0 here
    return float(np.mean(np.where(constant, left == 0, 1 - left / np.where(constant, 1, spread))))


def without_rows(estimator):
    """A copy of an estimator that can check rows and predict, and holds little else."""
    estimator._solve_postponed()
    light = copy.copy(estimator)
    for name in NOT_SENT:
        vars(light).pop(name, None)
    light.source = light.cv = light.scoring = None
    return light


# ---------------------------------------------------------------- one chunk


class ChunkMoments:
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
        return ChunkMoments(self.number, one + two, classes)

    def over(self, classes):
        """The sums with a column for each of all classes."""
        if classes is None or len(classes) == len(self.classes):
            return self.sums
        return self.sums.with_targets((self.classes[:, None] == classes).astype(np.float64))


def moments_of_chunk(estimator, number, X, y, weight):
    """The `ChunkMoments` of one chunk."""
    X, y, weight = check_chunk(estimator, X, y, weight, reset=False)
    if not is_classifier(estimator):
        Y = columns_of(y)
        check_range("y", Y)
        return ChunkMoments(number, SecondMoments.of(X, Y, weight), None)
    if y.dtype.kind in "fO":
        check_classification_targets(y)
    classes, labels = np.unique(y, return_inverse=True)
    of_class = some_class_weights(estimator.class_weight, classes)[labels]
    member, unit = np.eye(len(classes))[labels], np.minimum(weight, 1) * of_class
    sums = SecondMoments.of(X, member, weight * of_class, unit=unit)
    return ChunkMoments(number, sums, classes)


def accuracy_of_chunk(estimator, number, X, y, weight):
    """The weight of rows whose class is predicted, and of all."""
    X, y, weight = check_chunk(estimator, X, y, weight, reset=False)
    accuracy = estimator._score_decisions(estimator._decisions_of(X), y, weight)
    return weight.sum() * np.array([accuracy, 1.0])


def residuals_of_chunk(estimator, number, X, y, weight):
    """`SecondMoments` of targets, and of what is left of them."""
    X, y, weight = check_chunk(estimator, X, y, weight, reset=False)
    Y = columns_of(y)
    return SecondMoments.of(Y, Y - estimator._decisions_of(X), weight)


def count_labels(estimator, number, y, weight):
    """The positive weights of the labels of one chunk."""
    y = column_or_1d(y)
    weight = _check_sample_weight(weight, y, dtype=np.float64)
    classes, labels = np.unique(y, return_inverse=True)
    counts = np.bincount(labels, weights=weight, minlength=len(classes))
    return +Counter(dict(zip(classes.tolist(), counts.tolist(), strict=True)))
