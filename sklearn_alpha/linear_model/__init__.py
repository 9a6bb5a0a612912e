"""Linear transfer: a frozen source, rescaled, plus a ridge-penalised adapter."""

from sklearn_alpha.linear_model._classifier import AlphaTransferClassifier
from sklearn_alpha.linear_model._onnx import register_onnx
from sklearn_alpha.linear_model._regressor import AlphaTransferRegressor

__all__ = ["AlphaTransferClassifier", "AlphaTransferRegressor", "register_onnx"]
