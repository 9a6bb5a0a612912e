from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Self, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import sparray, spmatrix
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.utils import Bunch

__all__ = ["AlphaTransferClassifier", "AlphaTransferRegressor", "register_onnx"]

_Rows: TypeAlias = ArrayLike | spmatrix | sparray
_Floats: TypeAlias = NDArray[np.float64]
_Coefficients: TypeAlias = ArrayLike | tuple[ArrayLike, ArrayLike]
_Source: TypeAlias = _Coefficients | BaseEstimator
_Selection: TypeAlias = Literal[
    "anchored", "blend", "evidence", "generative", "loo", "theory", "cv"
]
_Solver: TypeAlias = Literal["auto", "primal", "dual", "krylov"]
_Folds: TypeAlias = int | Iterable[tuple[ArrayLike, ArrayLike]] | BaseEstimator
_Scoring: TypeAlias = str | Callable[..., float]
_Request: TypeAlias = bool | str | None

class _AlphaTransfer(BaseEstimator):
    source: _Source | list[_Source] | None
    alpha: Literal["auto"] | ArrayLike
    gamma: Literal["auto"] | float
    selection: _Selection
    gammas: ArrayLike | None
    alphas: ArrayLike | None
    cv: _Folds | None
    scoring: _Scoring | None
    fit_intercept: bool
    intercept_scaling: Literal["auto"] | float
    solver: _Solver
    store_loo: bool

    coef_: _Floats
    alpha_: _Floats
    gamma_: float
    source_coef_: _Floats
    source_intercept_: _Floats
    loo_decision_function_: _Floats
    best_score_: float
    path_: Bunch
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    def fit(self, X: _Rows, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self: ...
    def predict(self, X: _Rows) -> NDArray[Any]: ...
    def alpha_path(
        self,
        X: _Rows,
        y: ArrayLike,
        *,
        alphas: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Bunch: ...
    @property
    def source_report_(self) -> list[Bunch]: ...
    def __add__(self, other: Self) -> Self: ...
    def score(self, X: _Rows, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float: ...
    def set_fit_request(self, *, sample_weight: _Request = ...) -> Self: ...
    def set_score_request(self, *, sample_weight: _Request = ...) -> Self: ...

class AlphaTransferClassifier(ClassifierMixin, _AlphaTransfer):
    class_weight: Mapping[Any, float] | Literal["balanced"] | None
    classes: Literal["target"] | ArrayLike | None

    intercept_: _Floats
    classes_: NDArray[Any]
    estimators_: list[Self]
    inverse_temperature_: float

    def __init__(
        self,
        source: _Source | list[_Source] | None = None,
        *,
        alpha: Literal["auto"] | ArrayLike = "auto",
        gamma: Literal["auto"] | float = "auto",
        selection: _Selection = "anchored",
        gammas: ArrayLike | None = None,
        alphas: ArrayLike | None = None,
        cv: _Folds | None = None,
        scoring: _Scoring | None = None,
        fit_intercept: bool = True,
        intercept_scaling: Literal["auto"] | float = "auto",
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        classes: Literal["target"] | ArrayLike | None = None,
        solver: _Solver = "auto",
        store_loo: bool = False,
    ) -> None: ...
    def partial_fit(
        self,
        X: _Rows,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self: ...
    def decision_function(self, X: _Rows) -> _Floats: ...
    def predict_proba(self, X: _Rows) -> _Floats: ...
    def predict_log_proba(self, X: _Rows) -> _Floats: ...
    def predict_set(
        self, X: _Rows, confidence_level: ArrayLike = 0.9
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]: ...
    def to_sklearn(self) -> RidgeClassifier: ...
    def set_partial_fit_request(
        self, *, classes: _Request = ..., sample_weight: _Request = ...
    ) -> Self: ...

class AlphaTransferRegressor(RegressorMixin, _AlphaTransfer):
    intercept_: float | _Floats

    def __init__(
        self,
        source: _Source | list[_Source] | None = None,
        *,
        alpha: Literal["auto"] | ArrayLike = "auto",
        gamma: Literal["auto"] | float = "auto",
        selection: _Selection = "anchored",
        gammas: ArrayLike | None = None,
        alphas: ArrayLike | None = None,
        cv: _Folds | None = None,
        scoring: _Scoring | None = None,
        fit_intercept: bool = True,
        intercept_scaling: Literal["auto"] | float = ...,
        solver: _Solver = "auto",
        store_loo: bool = False,
    ) -> None: ...
    def partial_fit(
        self, X: _Rows, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self: ...
    @overload
    def predict(self, X: _Rows, return_std: Literal[False] = False) -> _Floats: ...
    @overload
    def predict(self, X: _Rows, return_std: Literal[True]) -> tuple[_Floats, _Floats]: ...
    def predict_interval(
        self, X: _Rows, confidence_level: ArrayLike = 0.9
    ) -> tuple[_Floats, _Floats]: ...
    def to_sklearn(self) -> Ridge: ...
    def set_predict_request(self, *, return_std: _Request = ...) -> Self: ...
    def set_partial_fit_request(self, *, sample_weight: _Request = ...) -> Self: ...

def register_onnx() -> None: ...
