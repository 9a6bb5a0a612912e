"""Intervals and sets that contain a new target with a given probability.

With the conformity scores s₁ … sₙ of rows that were left out, and a confidence level 1 − δ,

    q = the ⌈(1 − δ)(n + 1)⌉-th smallest of s₁ … sₙ
    C(x) = {y: s(x, y) ≤ q}

is the jackknife. If scores of left-out and of new rows have the same distribution, which holds up
to the change of the fit by one row, C(x) contains a new row's target with probability 1 − δ.

    s(x, y) = |y − f(x)|       of numbers
    s(x, y) = 1 − P(y | x)     of classes: the sets with the fewest classes on average
"""

import numpy as np
from sklearn.utils._array_api import get_namespace
from sklearn.utils.validation import check_is_fitted

from sklearn_alpha.linear_model._calibration import log_probabilities
from sklearn_alpha.linear_model._data import is_dask
from sklearn_alpha.linear_model._data.array_api import like

N_SCORES = 300  # rows of a regressor, at most, that are left out for their residuals


class IntervalMixin:
    """Prediction intervals of a regressor."""

    def predict_interval(self, X, confidence_level=0.9):
        """Predictions, and intervals that contain the target with a given probability.

        ::

            C(x) = [f(x) − q, f(x) + q],    q = the ⌈(1 − δ)(n + 1)⌉-th smallest of |yᵢ − f₋ᵢ(xᵢ)|

        at the confidence level 1 − δ. f₋ᵢ is the fit without row i, at the same α and n·γ. This is
        the jackknife: its intervals are centred on f(x), and all have the same length. Where there
        are more than 300 rows, 300 of them are left out, and `n` is 300. Each target has intervals
        of its own.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        confidence_level : float or array-like of shape (n_levels,), default=0.9
            Between 0 and 1. n rows allow levels up to n/(n + 1).

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            As of `predict`.
        intervals : ndarray of shape (n_samples, 2, n_levels) or (n_samples, n_outputs, 2, n_levels)
            The lower and the upper ends.

        Raises
        ------
        ValueError
            If there are too few rows for the level, or the fit kept no rows: after `partial_fit`,
            or a fit of a Dask collection.

        Notes
        -----
        Names and shapes are those of MAPIE 1.x.

        α and γ have been chosen with row i, so that left-out residuals are slightly too small. With
        a few dozen rows and an array as the source, the coverage is therefore slightly below the
        level. What the jackknife+ adds, the change of f(x) by one row, is small beside that.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_alpha import AlphaTransferRegressor
        >>> rng = np.random.default_rng(0)
        >>> X, w = rng.normal(size=(2000, 5)), np.arange(5.0)
        >>> y = X @ w + rng.normal(size=2000)
        >>> model = AlphaTransferRegressor(w).fit(X[:300], y[:300])
        >>> predicted, intervals = model.predict_interval(X[300:], confidence_level=[0.5, 0.9])
        >>> intervals.shape
        (1700, 2, 2)
        >>> inside = (intervals[:, 0] <= y[300:, None]) & (y[300:, None] <= intervals[:, 1])
        >>> inside.mean(axis=0).round(1)
        array([0.5, 0.9])
        """
        q = quantiles(self, X, "predict_interval", confidence_level)
        y = self.predict(X)
        xp, _ = get_namespace(y)
        q, y_of = like(y, q if y.ndim > 1 else q[0]), y[..., None]
        return y, xp.stack([y_of - q, y_of + q], axis=-2)


class SetMixin:
    """Prediction sets of a classifier."""

    def predict_set(self, X, confidence_level=0.9):
        """Predictions, and sets of classes that contain the true one with a given probability.

        ::

            C(x) = {c: 1 − P(c | x) ≤ q},   q = the ⌈(1 − δ)(n + 1)⌉-th smallest of 1 − P₋ᵢ(yᵢ | xᵢ)

        at the confidence level 1 − δ. P₋ᵢ is the probability of a row's own class from its
        leave-one-out decision value. If the probabilities are right, no sets of this coverage have
        fewer classes on average (least ambiguous sets, LAC). Sets are empty where no class is as
        probable as the level asks for, which happens if errors are rarer than δ.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        confidence_level : float or array-like of shape (n_levels,), default=0.9
            Between 0 and 1. n rows allow levels up to n/(n + 1). Of more than 1000 rows 1000 are
            left out, and n is 1000.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            As of `predict`.
        sets : ndarray of shape (n_samples, n_classes, n_levels), bool
            Whether a class, in the order of `classes_`, is in the set of a row.

        Raises
        ------
        ValueError
            If there are too few rows for the level, or the fit kept no rows: after `partial_fit`,
            or a fit of a Dask collection.

        Notes
        -----
        Names and shapes are those of MAPIE 1.x, and so is the default score.

        Examples
        --------
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn_alpha import AlphaTransferClassifier
        >>> from sklearn_alpha.datasets import make_domain_transfer
        >>> data = make_domain_transfer(n_target=100, random_state=0)
        >>> source = LogisticRegression(C=0.01).fit(data.X_source, data.y_source)
        >>> model = AlphaTransferClassifier(source).fit(data.X_target, data.y_target)
        >>> y, sets = model.predict_set(data.X_test)
        >>> sets.shape[1:]
        (2, 1)
        >>> own = model.classes_ == data.y_test[:, None]
        >>> float(sets[own].mean().round(1))
        0.9
        """
        if self._has_labels:
            raise ValueError("predict_set is for one label; call it on each of estimators_.")
        q = quantiles(self, X, "predict_set", confidence_level)[0]
        scores = 1 - self.predict_proba(X)
        xp, _ = get_namespace(scores)
        return self.predict(X), xp.stack([scores <= float(level) for level in q], axis=-1)


def residual_rows(problem, solution):
    """Numbers of the rows that a regressor leaves out for its residuals, and its predictions there.

    They are exact, but for a quadrature over γ where there are more rows than are left out.
    """
    n_rows = problem.rows.n_rows
    if n_rows <= N_SCORES:
        index = np.arange(n_rows)
        return index, solution.left_out(index)
    index = np.sort(np.random.default_rng(0).choice(n_rows, N_SCORES, replace=False))
    return index, (solution.estimate or solution.left_out)(index)


def class_scores(values, beta, labels):
    """1 − P₋ᵢ(y | x), (n_rows, 1), of left-out decision values."""
    P = np.exp(log_probabilities(values, beta))
    return 1 - P[np.arange(len(labels)), labels][:, None]


def quantiles(estimator, X, method, confidence_level):
    """q of the scores that `fit` has kept, (n_outputs, n_levels)."""
    if is_dask(X):
        raise ValueError(f"{method} takes rows in memory; call it on the chunks of X.")
    check_is_fitted(estimator)
    if "_conformity" not in vars(estimator):
        raise ValueError(
            f"{method} needs left-out rows, and partial_fit and Dask collections keep "
            "none; fit on rows in memory."
        )
    levels = levels_of(confidence_level)
    weights, scores = estimator._conformity
    return np.stack([upper_quantile(s, weights, levels, method) for s in scores.T])


def levels_of(confidence_level):
    """Levels between 0 and 1, (n_levels,)."""
    levels = np.atleast_1d(np.asarray(confidence_level, dtype=float))
    if levels.ndim != 1 or not ((levels > 0) & (levels < 1)).all():
        raise ValueError(
            f"confidence_level is {confidence_level}; pass a number between 0 and 1, or a list of "
            "such numbers."
        )
    return levels


def upper_quantile(scores, weights, levels, method):
    """The ⌈level·(n + 1)⌉-th smallest score for each level, a row of weight w counted w times."""
    n = weights.sum()
    ranks = levels * (n + 1)
    if (ranks > n * (1 + 1e-12)).any():
        needed = np.ceil(levels.max() / (1 - levels.max()) - 1e-9)
        raise ValueError(
            f"confidence_level={levels.max():g} needs {needed:.0f} "
            f"labelled rows, and {method} has the scores of {n:g}; pass more rows or a level of "
            f"at most {n / (n + 1):.2g}."
        )
    order = np.argsort(scores)
    counted = np.cumsum(weights[order])
    at = np.searchsorted(counted, ranks * (1 - 1e-12))
    return scores[order][np.minimum(at, len(scores) - 1)]
