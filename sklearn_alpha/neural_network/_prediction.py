"""Predictions of a fitted net, from its logits."""

import numpy as np
from scipy.special import log_softmax, softmax


class PredictionMixin:
    """The methods of a classifier that predict."""

    def decision_function(self, X):
        """Logits; of two classes the second's minus the first's.

        Parameters
        ----------
        X : array-like
            As in `fit`.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict_proba(self, X):
        """P(class | x) = softmax(logits).

        Parameters
        ----------
        X : array-like
            As in `fit`.

        Returns
        -------
        P : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        return softmax(self._logits(X).astype(np.float64), axis=1)

    def predict_log_proba(self, X):
        """Logarithm of `predict_proba`.

        Parameters
        ----------
        X : array-like
            As in `fit`.

        Returns
        -------
        log_P : ndarray of shape (n_samples, n_classes)
        """
        return log_softmax(self._logits(X).astype(np.float64), axis=1)

    def predict(self, X):
        """Class of the largest logit.

        Parameters
        ----------
        X : array-like
            As in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        codes = self._logits(X).argmax(axis=1)
        return self.classes_[codes]
