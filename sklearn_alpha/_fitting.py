"""Shared by the `fit` methods of the estimators."""

from contextlib import contextmanager


@contextmanager
def all_or_nothing(estimator):
    """Restore the attributes of the estimator if an exception leaves the block."""
    before = estimator.__dict__.copy()
    try:
        yield
    except BaseException:
        estimator.__dict__.clear()
        estimator.__dict__.update(before)
        raise
