"""Which inputs are Dask's, told without importing it, and what is done chunk by chunk then."""

import sys
from functools import wraps

from sklearn.utils.validation import check_is_fitted


def is_dask(X):
    """Whether X is a Dask collection; where there is one, Dask has been imported."""
    dask = sys.modules.get("dask.base")
    return dask is not None and dask.is_dask_collection(X)


def fit_chunks(estimator, X, y, sample_weight):
    """Fit an estimator to a Dask array or dataframe, and give it back."""
    from sklearn_alpha.linear_model._dask import fit

    fit(estimator, X, y, sample_weight)
    return estimator


def chunkwise(method):
    """Make a method of X give a lazy Dask array where X is a Dask array or dataframe."""

    @wraps(method)
    def values(self, X):
        if not is_dask(X):
            return method(self, X)
        check_is_fitted(self)
        from sklearn_alpha.linear_model._dask import lazy_values

        return lazy_values(self, method.__name__, X)

    return values


class ChunkwiseScore:
    """The score of scikit-learn's mixins, of Dask collections without bringing their rows here."""

    def score(self, X, y, sample_weight=None):
        """Accuracy of classes, or R² of numbers, averaged over the targets.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True classes or targets; a Dask collection or not, if X is one.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        if not is_dask(X):
            return super().score(X, y, sample_weight)
        check_is_fitted(self)
        from sklearn_alpha.linear_model._dask import score

        return score(self, X, y, sample_weight)
