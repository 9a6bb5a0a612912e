"""A fitted estimator whose X are decision values, so that any scorer can score them."""

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from sklearn_alpha.linear_model._calibration import logits


class IdentityClassifier(ClassifierMixin, BaseEstimator):
    """Takes decision values for X."""

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


class IdentityRegressor(RegressorMixin, BaseEstimator):
    """Takes predictions for X."""

    def predict(self, X):
        return X.ravel() if X.shape[1] == 1 else X
