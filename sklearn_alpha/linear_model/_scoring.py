"""Scores of decision values: by any scorer of scikit-learn, and for every α of a path."""

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import check_scoring, r2_score
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import _check_sample_weight

from sklearn_alpha.linear_model._calibration import logits


class DecisionClassifier(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose X are decision values."""

    def __init__(self, classes):
        self.classes = classes

    @property
    def classes_(self):
        return self.classes

    def decision_function(self, X):
        return X.ravel() if X.shape[1] == 1 else X

    def predict(self, X):
        return self.classes[np.argmax(logits(X), axis=1)]

    def predict_proba(self, X):
        """softmax(2f): for values fitted to ±1 codes, (1 + f)/2 near f = 0."""
        return softmax(2 * logits(X), axis=1)


class DecisionRegressor(RegressorMixin, BaseEstimator):
    """A fitted regressor whose X are predictions."""

    def predict(self, X):
        return X.ravel() if X.shape[1] == 1 else X


def candidate_score(scoring, y, sample_weight, classes=None):
    """The function `score(values, index)` of decision values and the numbers of their rows.

    Parameters
    ----------
    scoring : str, callable or None
        None is accuracy, or R² where there are no classes.
    y, sample_weight : ndarray
        Of all rows. A scorer that is a function gets no weights.
    classes : ndarray or None
    """
    if scoring is None and classes is not None:
        labels = np.searchsorted(classes, y)

        def accuracy(values, index):
            # without the checks of a scorer: it is called for every cell of a grid
            correct = logits(values).argmax(axis=1) == labels[index]
            return np.average(correct, weights=sample_weight[index])

        return accuracy
    if scoring is None:
        return lambda values, index: r2_score(y[index], values, sample_weight=sample_weight[index])
    model = DecisionRegressor() if classes is None else DecisionClassifier(classes)
    scorer = check_scoring(model, scoring=scoring)
    weighted = not callable(scoring) and not (sample_weight == 1).all()

    def score(values, index=slice(None)):
        weights = {"sample_weight": sample_weight[index]} if weighted else {}
        return scorer(model, values, y[index], **weights)

    return score


def accuracy_path(f0, f1, alphas, classes, y, sample_weight):
    """Accuracy of f0 + αf1 (n_rows,) of two classes for each α.

    Each row changes sides at one α: sorting these gives every score.
    """
    y = column_or_1d(y)
    check_consistent_length(f0, y)
    weight = _check_sample_weight(sample_weight, f0, dtype=np.float64)
    moves = f1 != 0
    before = np.where(moves, f1 < 0, f0 > 0).astype(int)  # the class at α → −∞
    right = classes[before] == y
    gain = weight * (classes[1 - before] == y) - weight * right
    crossing = -f0[moves] / f1[moves]
    order = np.argsort(crossing)
    gains = np.append(0.0, np.cumsum(gain[moves][order]))
    return (weight @ right + gains[np.searchsorted(crossing[order], alphas)]) / weight.sum()
