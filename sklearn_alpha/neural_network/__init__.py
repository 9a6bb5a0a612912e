"""α-LoRA: a frozen network whose rows are rescaled, plus low-rank adapters."""

try:
    from sklearn_alpha.neural_network._dora import export_dora
    from sklearn_alpha.neural_network._estimator import AlphaLoRANetClassifier
    from sklearn_alpha.neural_network._param_groups import alpha_param_groups
    from sklearn_alpha.neural_network._peft import add_alpha, get_alpha, load_alpha
    from sklearn_alpha.neural_network._regressor import AlphaLoRANetRegressor
except ModuleNotFoundError as error:
    raise ImportError(
        f"sklearn_alpha.neural_network needs {error.name}: pip install 'sklearn-alpha[net]'."
    ) from error

__all__ = [
    "AlphaLoRANetClassifier",
    "AlphaLoRANetRegressor",
    "add_alpha",
    "alpha_param_groups",
    "export_dora",
    "get_alpha",
    "load_alpha",
]
