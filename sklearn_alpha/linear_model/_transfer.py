"""Where files of version 0.1 look for the estimators."""

from sklearn_alpha.linear_model._classifier import AlphaTransferClassifier
from sklearn_alpha.linear_model._regressor import AlphaTransferRegressor

__all__ = ["AlphaTransferClassifier", "AlphaTransferRegressor"]
