"""Fitting in chunks: second moments are added up, and solved for when a result is first read."""

import copy
import warnings

import numpy as np

from sklearn_alpha.linear_model._data import is_dask
from sklearn_alpha.linear_model._data.array_api import is_foreign
from sklearn_alpha.linear_model._data.moments import SecondMoments
from sklearn_alpha.linear_model._data.validation import check_chunk, check_range, naming_chunk
from sklearn_alpha.linear_model._parameters import grid_of_gammas, warn_of_ignored
from sklearn_alpha.linear_model._sources import refuse_pipelines

SOLVED = ("coef_", "intercept_", "alpha_", "gamma_", "source_coef_", "source_intercept_", "path_")
SOLVED += ("inverse_temperature_", "_w0", "_w1")
OF_ROWS = ("_conformity", "_report", "_posterior", "estimators_")


class SolvedOnRead:
    """A fitted attribute that `partial_fit` does not compute: reading it solves the problem.

    As with `functools.cached_property`, a value that the estimator has is found without it.
    """

    def __set_name__(self, owner, name):
        self._name = name

    def __get__(self, estimator, owner=None):
        if estimator is None:
            return self
        estimator._solve_postponed()
        try:
            return vars(estimator)[self._name]
        except KeyError:
            raise AttributeError(
                f"{type(estimator).__name__!r} object has no attribute {self._name!r}"
            ) from None


def forget_solution(estimator):
    """Remove what was solved for, and what was said of single rows."""
    for name in (*SOLVED, "loo_decision_function_", "best_score_", *OF_ROWS):
        vars(estimator).pop(name, None)


def chunk_number(estimator):
    """The number of the chunk that is being added, from 1."""
    return 1 if estimator._sums is None else estimator._sums.n_chunks + 1


def read_chunk(estimator, X, y, sample_weight):
    """The checked rows of positive weight of the chunk that is being added."""
    if is_dask(X):
        raise ValueError(
            "X is a Dask collection, and partial_fit takes chunks in memory; pass it to fit, "
            "and add what is fitted there to this stream, a + b."
        )
    with naming_chunk(chunk_number(estimator)):
        if is_foreign(X):
            raise ValueError("partial_fit adds up NumPy's arrays; move the chunk to the host.")
        if np.shape(X)[:1] == (0,):
            raise ValueError("there are no rows in it; leave it out.")
        refuse_pipelines(estimator.source)
        X, y, weight = check_chunk(estimator, X, y, sample_weight, reset=estimator._sums is None)
        if not len(weight):
            raise ValueError("all its weights are zero; leave it out.")
    return X, y, weight


def add_chunk(estimator, X, Y, weight, unit=None):
    """Add a chunk of coded targets, and forget the solution without it.

    With one repetition of each row, `unit`, a sample of the rows is kept beside their moments.
    """
    sums, number = estimator._sums, chunk_number(estimator)
    with naming_chunk(number):
        check_range("y", Y)
    if sums is None:
        warn_of_ignored(estimator)
        with warnings.catch_warnings():  # they come once, with the solution
            warnings.simplefilter("ignore", UserWarning)
            estimator._aligned(estimator._read_sources(), X.shape[1], Y.shape[1])
        grid_of_gammas(estimator.gamma, estimator.gammas)
        estimator._sums = SecondMoments.of(X, Y, weight, unit=unit)
    elif Y.shape[1] != len(sums.mean_Y):
        raise ValueError(
            f"chunk {number}: y has {Y.shape[1]} column(s) but earlier chunks have "
            f"{len(sums.mean_Y)}; a stream has the same targets throughout."
        )
    else:
        estimator._sums = sums + SecondMoments.of(X, Y, weight, sums.origin, unit)
    forget_solution(estimator)


def add_estimators(one, two):
    """The estimator of the rows of both, from the sum of their moments."""
    if one._sums is None or two._sums is None:
        raise ValueError("a + b adds up streams; fit both with partial_fit first.")
    for name in ("n_features_in_", "feature_names_in_", "classes_", "_target_ndim"):
        values = [getattr(estimator, name, None) for estimator in (one, two)]
        if not np.array_equal(*values):
            raise ValueError(
                f"a + b: {name.strip('_')} is {values[0]} in a and {values[1]} in b; add up "
                "streams of the same features and targets."
            )
    if one._sums.total.shape != two._sums.total.shape:
        raise ValueError(
            f"a + b: a has {len(one._sums.mean_Y)} target(s) and b {len(two._sums.mean_Y)}; "
            "add up streams of the same targets."
        )
    both = copy.copy(one)
    both._sums = one._sums + two._sums
    forget_solution(both)
    return both
