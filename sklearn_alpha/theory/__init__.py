"""What random matrix theory predicts for a rescaled source: accuracy, risk and the best α."""

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
