"""Predictions of a fitted net, from its logits."""

import numpy as np
from scipy.special import softmax

from sklearn_alpha.linear_model._conformal import levels_of, upper_quantile
from sklearn_alpha.neural_network._validation import found_by_held_out


class PredictionMixin:
    """The methods of a classifier that predict."""

    def decision_function(self, X):
        """Logits, of classes or of labels; of two classes the second's minus the first's.

        Parameters
        ----------
        X : array-like
            As in `fit`.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        return self._task.decisions(self._logits(X))

    def predict_proba(self, X):
        """P(class | x) = softmax(β logits), or P(label | x) = 1/(1 + exp(−β logit)).

        The second is for an indicator of labels as y, whose probabilities do not sum to one. β is
        `inverse_temperature_`, which rows that were held out choose, and 1 without such rows.

        Parameters
        ----------
        X : array-like
            As in `fit`.

        Returns
        -------
        P : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        return np.exp(self._task.log_probabilities(self._scaled_logits(X)))

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
        return self._task.log_probabilities(self._scaled_logits(X))

    def predict(self, X):
        """Class of the largest logit, or labels whose probability is at least their threshold.

        Parameters
        ----------
        X : array-like
            As in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
        """
        return self._task.predictions(self, self._logits(X))

    def predict_set(self, X, confidence_level=0.9):
        """Predictions, and sets of classes that contain the true one with a given probability.

        ::

            C(x) = {c: 1 − P(c | x) ≤ q},   q = the ⌈(1 − δ)(n + 1)⌉-th smallest of 1 − P(yᵢ | xᵢ)

        at the confidence level 1 − δ, over the n rows that were held out. These are the least
        ambiguous sets of `AlphaTransferClassifier.predict_set`. A set is empty where no class is as
        probable as the level asks for.

        Parameters
        ----------
        X : array-like
            As in `fit`.
        confidence_level : float or array-like of shape (n_levels,), default=0.9
            Between 0 and 1. n rows allow levels up to n/(n + 1).

        Returns
        -------
        y : ndarray of shape (n_samples,)
            As of `predict`.
        sets : ndarray of shape (n_samples, n_classes, n_levels), bool
            Whether a class, in the order of `classes_`, is in the set of a row.

        Raises
        ------
        ValueError
            If no rows were held out, or too few for the level, or if rows have several labels.

        Notes
        -----
        A row counts with its `sample_weight`. The same rows choose the temperature, and with
        `early_stopping` the epoch, so that with a few dozen of them the coverage is slightly below
        the level.
        """
        levels = levels_of(confidence_level)
        if self.n_labels_:
            raise ValueError(
                "predict_set is for one label in each row; predict_proba has the probability of "
                "each of several labels."
            )
        logits = self._scaled_logits(X)
        found = found_by_held_out(self, "predict_set")
        q = upper_quantile(found["scores"], found["weights"], levels, "predict_set")
        sets = 1 - softmax(logits, axis=1)[..., None] <= q
        return self.classes_[logits.argmax(axis=1)], sets

    @property
    def inverse_temperature_(self):
        """β of the probabilities softmax(β logits), 1 if no rows were held out."""
        return 1.0 if self.validation_ is None else self.validation_["inverse_temperature"]

    def _scaled_logits(self, X):
        return self.inverse_temperature_ * self._logits(X).astype(np.float64)
