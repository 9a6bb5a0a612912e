"""Accuracy, risk and the best α of a rescaled source, predicted by random matrix theory."""

from ._isotropic import isotropic_asymptotics, ridge_source_asymptotics
from ._margin import MarginAsymptotics
from ._regression import RegressionAsymptotics, regression_asymptotics
from ._target import target_asymptotics

__all__ = [
    "MarginAsymptotics",
    "RegressionAsymptotics",
    "isotropic_asymptotics",
    "regression_asymptotics",
    "ridge_source_asymptotics",
    "target_asymptotics",
]
