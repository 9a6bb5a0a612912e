"""What fitted estimators do with rows: predictions, scores, and scores along α."""

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import Bunch
from sklearn.utils._array_api import get_namespace
from sklearn.utils.validation import check_is_fitted

from sklearn_alpha.linear_model._calibration import log_probabilities, logits
from sklearn_alpha.linear_model._data import is_dask
from sklearn_alpha.linear_model._data.array_api import decision_values, is_foreign, like, to_host
from sklearn_alpha.linear_model._data.validation import check_rows_like
from sklearn_alpha.linear_model._distributed import lazy_on_dask, score_of_dask
from sklearn_alpha.linear_model._labelwise import label_probabilities, log_label_probabilities
from sklearn_alpha.linear_model._parameters import path_of_alphas
from sklearn_alpha.linear_model._scoring import accuracy_path


class LinearPredictionMixin:
    """Decision values of a linear model, and its scores."""

    def _decisions(self, X, method):
        """X @ coefᵀ + intercept, (n_samples, n_outputs)."""
        check_is_fitted(self)
        self._solve_postponed()
        return self._decisions_of(check_rows_like(self, X, self.coef_, method))

    def _decisions_of(self, X):
        coef = self.coef_[None, :] if self.coef_.ndim == 1 else self.coef_
        return decision_values(X, coef, self.intercept_)

    @lazy_on_dask
    def predict(self, X):
        """The class of the largest decision value, or the numbers X coefᵀ + intercept.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray, or lazy Dask array, of shape (n_samples,) or (n_samples, n_outputs)
        """
        return self._predicted(self._decisions(X, "predict"))

    def alpha_path(self, X, y, *, alphas=None, sample_weight=None):
        """Score on (X, y) of w(α, γ) as α varies, at the fitted γ.

        ::

            w(α, γ) = α w̃ + Q(γ) X₀ᵀ(y₀ − αX₀w̃)/n        on the rows (X₀, y₀) seen in `fit`

        is linear in α, so that no α needs a refit. A classifier of the selection "anchored" keeps
        its adapter as α varies, and the path is that of α w̃ + a.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to score on.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.
        alphas : array-like of shape (n_alphas,) or (n_alphas, n_sources), default=None
            α's, the same for every output; a 1-D array is also the same for every source. None is
            81 values from −1 to 3 times the largest fitted one.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the score.

        Returns
        -------
        path : Bunch
            `alphas` as used, `scores` of shape (n_alphas,) (accuracy or R²), and `gamma`.

        Raises
        ------
        ValueError
            Where there is no source, or `alphas` has another shape.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_alpha import AlphaTransferRegressor
        >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        >>> model = AlphaTransferRegressor(np.array([1.0, 2.0]), selection="evidence")
        >>> model = model.fit(X, [2.0, 4.0, 6.0])
        >>> model.alpha_path(X, [2.0, 4.0, 6.0], alphas=[0, 1, 2]).scores.round(2)
        array([0.58, 0.9 , 1.  ])
        """
        check_is_fitted(self)
        self._solve_postponed()
        alphas = path_of_alphas(alphas, to_host(self.alpha_))
        X = check_rows_like(self, X, self.coef_, "alpha_path")
        line = [self._w0, *(self._w1[:, k, :] for k in range(self._w1.shape[1]))]
        f0, *f1 = (to_host(decision_values(X, w[:, :-1], w[:, -1])) for w in line)
        f1 = sum(f1)[..., None] if alphas.ndim == 1 else np.stack(f1, axis=-1)
        scores = self._score_path(f0, f1, alphas, to_host(y), to_host(sample_weight))
        return Bunch(alphas=alphas, scores=scores, gamma=self.gamma_)

    def _score_path(self, f0, f1, alphas, y, sample_weight):
        """Score of the decision values f0 + f1 α for each α."""
        values = (f0 + f1 @ np.atleast_1d(alpha) for alpha in alphas)
        return np.array([self._score_decisions(F, y, sample_weight) for F in values])

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
        if is_dask(X):
            check_is_fitted(self)
            return score_of_dask(self, X, y, sample_weight)
        metric = accuracy_score if is_classifier(self) else r2_score
        return metric(y, self.predict(X), sample_weight=sample_weight)


class ClassPredictionMixin:
    """Classes and probabilities from decision values."""

    @property
    def _has_labels(self):
        """Whether each row has several labels, and each of them a decision value."""
        return "estimators_" in vars(self)

    @lazy_on_dask
    def decision_function(self, X):
        """Decision values f(x) = X coefᵀ + intercept.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)

        Returns
        -------
        decision : ndarray, or lazy Dask array, of shape (n_samples,) or (n_samples, n_classes)
            Or (n_samples, n_labels).
            Log odds divided by β under "anchored", and in units of the codes ±1 elsewhere; positive
            for `classes_[1]` where there are two classes.
        """
        values = self._decisions(X, "decision_function")
        return values[:, 0] if values.shape[1] == 1 else values

    @lazy_on_dask
    def predict_proba(self, X):
        """P(class | x) = softmax(βf(x)), with β fitted to the leave-one-out decision values.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)

        Returns
        -------
        P : ndarray, or lazy Dask array, of shape (n_samples, n_classes)
            In the order of `classes_`. If y is an indicator, the probability of each label, of
            shape (n_samples, n_labels).
        """
        values = self._decisions(X, "predict_proba")
        if self._has_labels:
            return label_probabilities(values, like(values, self.inverse_temperature_))
        xp, _ = get_namespace(values)
        return xp.exp(log_probabilities(values, self.inverse_temperature_))

    @lazy_on_dask
    def predict_log_proba(self, X):
        """Logarithm of `predict_proba`.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)

        Returns
        -------
        log_P : ndarray, or lazy Dask array, of shape (n_samples, n_classes)
        """
        values = self._decisions(X, "predict_log_proba")
        if self._has_labels:
            return log_label_probabilities(values, like(values, self.inverse_temperature_))
        return log_probabilities(values, self.inverse_temperature_)

    def _predicted(self, values):
        if self._has_labels:
            xp, _ = get_namespace(values)
            return xp.astype(values > 0, xp.int64)
        F = logits(values)
        xp, _ = get_namespace(F)
        best = xp.argmax(F, axis=1)
        if is_foreign(self.classes_):
            return xp.take(self.classes_, best, axis=0)
        return self.classes_[to_host(best)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _score_path(self, f0, f1, alphas, y, sample_weight):
        if f0.shape[1] > 1 or alphas.ndim > 1:
            return super()._score_path(f0, f1, alphas, y, sample_weight)
        classes = to_host(self.classes_)
        return accuracy_path(f0[:, 0], f1[:, 0, 0], alphas, classes, y, sample_weight)

    def _score_decisions(self, values, y, sample_weight):
        if self._has_labels:
            return accuracy_score(y, self._predicted(values), sample_weight=sample_weight)
        predicted = to_host(self.classes_)[np.argmax(logits(values), axis=1)]
        return accuracy_score(y, predicted, sample_weight=sample_weight)
