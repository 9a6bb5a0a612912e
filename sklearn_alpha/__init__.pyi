from sklearn_alpha.linear_model import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.neural_network import AlphaLoRANetClassifier, AlphaLoRANetRegressor

__all__ = [
    "AlphaLoRANetClassifier",
    "AlphaLoRANetRegressor",
    "AlphaTransferClassifier",
    "AlphaTransferRegressor",
]
__version__: str

def __dir__() -> list[str]: ...
