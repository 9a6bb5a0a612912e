"""Accuracy, risk and the best α of a rescaled source, predicted by random matrix theory."""

from sklearn_alpha.theory._isotropic import isotropic_asymptotics, ridge_source_asymptotics
from sklearn_alpha.theory._margin import MarginAsymptotics
from sklearn_alpha.theory._regression import RegressionAsymptotics, regression_asymptotics
from sklearn_alpha.theory._target import target_asymptotics

__all__ = [
    "MarginAsymptotics",
    "RegressionAsymptotics",
    "isotropic_asymptotics",
    "regression_asymptotics",
    "ridge_source_asymptotics",
    "target_asymptotics",
]
