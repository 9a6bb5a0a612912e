"""What the estimators' `fit` methods share."""

from contextlib import contextmanager


@contextmanager
def all_or_nothing(estimator):
    """Give the estimator back as it was when fitting fails."""
    before = estimator.__dict__.copy()
    try:
        yield
    except BaseException:
        estimator.__dict__.clear()
        estimator.__dict__.update(before)
        raise
