from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "MarginAsymptotics",
    "RegressionAsymptotics",
    "isotropic_asymptotics",
    "regression_asymptotics",
    "ridge_source_asymptotics",
    "target_asymptotics",
]

# A number if α is a number, an array of the same shape if α is an array.
_Values = np.float64 | NDArray[np.float64]

@dataclass(frozen=True, eq=False)
class MarginAsymptotics:
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    delta: float
    kappa: float

    def accuracy(self, alpha: ArrayLike) -> _Values: ...
    def margin_mean(self, alpha: ArrayLike) -> _Values: ...
    def margin_variance(self, alpha: ArrayLike) -> _Values: ...
    def margin_second_moment(self, alpha: ArrayLike) -> _Values: ...
    def risk(self, alpha: ArrayLike) -> _Values: ...
    @property
    def optimal_alpha(self) -> float | NDArray[np.float64]: ...
    @property
    def worst_alpha(self) -> float | NDArray[np.float64]: ...

@dataclass(frozen=True, eq=False)
class RegressionAsymptotics:
    spread: NDArray[np.float64]
    noise_risk: float
    delta: float
    kappa: float

    def risk(self, alpha: ArrayLike) -> _Values: ...
    @property
    def optimal_alpha(self) -> float | NDArray[np.float64]: ...

def isotropic_asymptotics(
    *,
    mean_sqnorm: float,
    alignment: ArrayLike,
    source_gram: ArrayLike,
    ratio: float,
    gamma: float,
) -> MarginAsymptotics: ...
def ridge_source_asymptotics(
    *,
    n_source: int,
    n_target: int,
    n_features: int,
    source_mean_norm: float,
    orthogonal_norm: float,
    beta: float,
    gamma_source: float,
    gamma_target: float,
) -> MarginAsymptotics: ...
def target_asymptotics(
    mean: ArrayLike,
    source: ArrayLike,
    *,
    n_samples: int,
    gamma: float,
    covariance: ArrayLike | None = None,
) -> MarginAsymptotics: ...
def regression_asymptotics(
    coef: ArrayLike,
    source: ArrayLike,
    *,
    n_samples: int,
    gamma: float,
    noise: ArrayLike,
    covariance: ArrayLike | None = None,
) -> RegressionAsymptotics: ...
