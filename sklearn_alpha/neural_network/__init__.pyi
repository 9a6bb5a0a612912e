from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from peft import PeftModel
from sklearn.base import BaseEstimator
from skorch import NeuralNetClassifier, NeuralNetRegressor

__all__ = [
    "AlphaLoRANetClassifier",
    "AlphaLoRANetRegressor",
    "add_alpha",
    "alpha_param_groups",
    "export_dora",
    "get_alpha",
    "load_alpha",
]

_Path: TypeAlias = str | PathLike[str]
_Rows: TypeAlias = ArrayLike | Sequence[str] | Sequence[tuple[str, str]]
_Alphas: TypeAlias = Mapping[str, ArrayLike | torch.Tensor]

# What skorch calls in training is skorch's, and in its classes.
class AlphaLoRANetClassifier(NeuralNetClassifier):
    model: _Path | torch.nn.Module | BaseEstimator
    rank: int
    lora_alpha: float | None
    lora_dropout: float
    target_modules: str | list[str]
    alpha: Literal["learn"] | float | _Alphas
    alpha_init: Literal["auto"] | float | _Alphas
    alpha_every: int
    alpha_lr: float
    alpha_split: float
    max_length: int | None
    stride: int | None
    tokenizer: Any
    class_weight: Mapping[Any, float] | Literal["balanced"] | None
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    precision: Literal["float32", "bfloat16"]
    accelerator: Mapping[str, Any] | None
    random_state: int | np.random.RandomState | None

    history_: Any
    starts_at_probe_: bool
    trained_share_: float
    source_alpha_: NDArray[np.float64]
    n_labels_: int | None
    validation_: dict[str, Any] | None
    module_: torch.nn.Module
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    tokenizer_: Any
    prefixes_: ClassVar[list[str]]

    def __init__(
        self,
        model: _Path | torch.nn.Module | BaseEstimator,
        *,
        rank: int = 8,
        lora_alpha: float | None = None,
        lora_dropout: float = 0.0,
        target_modules: str | list[str] = "auto",
        alpha: Literal["learn"] | float | _Alphas = "learn",
        alpha_init: Literal["auto"] | float | _Alphas = "auto",
        alpha_every: int = 1,
        alpha_lr: float = 0.001,
        alpha_split: float = 0.0,
        lr: float = 0.001,
        max_epochs: int = 10,
        batch_size: int = 16,
        max_length: int | None = None,
        stride: int | None = None,
        tokenizer: Any = None,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 3,
        device: str = "cpu",
        precision: Literal["float32", "bfloat16"] = "float32",
        accelerator: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        criterion: Any = ...,
        optimizer: Any = ...,
        train_split: Any = None,
        **kwargs: Any,
    ) -> None: ...
    @property
    def classes_(self) -> NDArray[Any]: ...
    @property
    def alpha_(self) -> dict[str, NDArray[np.float32]]: ...
    @property
    def n_trainable_parameters_(self) -> int: ...
    @property
    def inverse_temperature_(self) -> float: ...
    @property
    def thresholds_(self) -> NDArray[np.float64]: ...
    def fit(self, X: _Rows, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self: ...
    def partial_fit(
        self,
        X: _Rows,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self: ...
    def decision_function(self, X: _Rows) -> NDArray[np.float32]: ...
    def predict(self, X: _Rows) -> NDArray[Any]: ...
    def predict_proba(self, X: _Rows) -> NDArray[np.float64]: ...
    def predict_log_proba(self, X: _Rows) -> NDArray[np.float64]: ...
    def predict_set(
        self, X: _Rows, confidence_level: float | ArrayLike = 0.9
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]: ...
    def set_params(self, **params: Any) -> Self: ...
    def set_score_request(self, *, sample_weight: bool | str | None = ...) -> Self: ...
    def merged_model(self) -> torch.nn.Module: ...
    def save(self, folder: _Path) -> None: ...
    @classmethod
    def load(cls, folder: _Path, *, model: _Path | torch.nn.Module | None = None) -> Self: ...
    def export_dora(self, folder: _Path) -> None: ...
    def export_onnx(self, file: _Path) -> None: ...

class AlphaLoRANetRegressor(NeuralNetRegressor):
    model: _Path | torch.nn.Module | BaseEstimator
    rank: int
    lora_alpha: float | None
    lora_dropout: float
    target_modules: str | list[str]
    alpha: Literal["learn"] | float | _Alphas
    alpha_init: Literal["auto"] | float | _Alphas
    alpha_every: int
    alpha_lr: float
    alpha_split: float
    max_length: int | None
    stride: int | None
    tokenizer: Any
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    precision: Literal["float32", "bfloat16"]
    accelerator: Mapping[str, Any] | None
    random_state: int | np.random.RandomState | None

    history_: Any
    starts_at_probe_: bool
    trained_share_: float
    target_mean_: NDArray[np.float64]
    target_scale_: NDArray[np.float64]
    validation_: dict[str, Any] | None
    module_: torch.nn.Module
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    tokenizer_: Any
    prefixes_: ClassVar[list[str]]

    def __init__(
        self,
        model: _Path | torch.nn.Module | BaseEstimator,
        *,
        rank: int = 8,
        lora_alpha: float | None = None,
        lora_dropout: float = 0.0,
        target_modules: str | list[str] = "auto",
        alpha: Literal["learn"] | float | _Alphas = "learn",
        alpha_init: Literal["auto"] | float | _Alphas = "auto",
        alpha_every: int = 1,
        alpha_lr: float = 0.001,
        alpha_split: float = 0.0,
        lr: float = 0.001,
        max_epochs: int = 10,
        batch_size: int = 16,
        max_length: int | None = None,
        stride: int | None = None,
        tokenizer: Any = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 3,
        device: str = "cpu",
        precision: Literal["float32", "bfloat16"] = "float32",
        accelerator: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        criterion: Any = ...,
        optimizer: Any = ...,
        train_split: Any = None,
        **kwargs: Any,
    ) -> None: ...
    @property
    def alpha_(self) -> dict[str, NDArray[np.float32]]: ...
    @property
    def n_trainable_parameters_(self) -> int: ...
    def fit(self, X: _Rows, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self: ...
    def partial_fit(
        self, X: _Rows, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self: ...
    def predict(self, X: _Rows) -> NDArray[np.float64]: ...
    def predict_interval(
        self, X: _Rows, confidence_level: float | ArrayLike = 0.9
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
    def set_params(self, **params: Any) -> Self: ...
    def set_score_request(self, *, sample_weight: bool | str | None = ...) -> Self: ...
    def merged_model(self) -> torch.nn.Module: ...
    def save(self, folder: _Path) -> None: ...
    @classmethod
    def load(cls, folder: _Path, *, model: _Path | torch.nn.Module | None = None) -> Self: ...
    def export_dora(self, folder: _Path) -> None: ...
    def export_onnx(self, file: _Path) -> None: ...

def add_alpha(
    peft_model: PeftModel,
    alpha: float | _Alphas = 1.0,
    *,
    scale_bias: bool = False,
    adapter_name: str = "default",
) -> PeftModel: ...
def alpha_param_groups(peft_model: PeftModel, weight_decay: float) -> list[dict[str, Any]]: ...
def get_alpha(
    peft_model: PeftModel, *, adapter_name: str = "default"
) -> dict[str, torch.Tensor]: ...
def load_alpha(
    model: torch.nn.Module,
    folder: _Path,
    *,
    adapter_name: str = "default",
    is_trainable: bool = False,
) -> PeftModel: ...
def export_dora(peft_model: PeftModel, folder: _Path, *, adapter_name: str = "default") -> None: ...
