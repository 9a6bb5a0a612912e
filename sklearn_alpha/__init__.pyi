from sklearn_alpha.linear_model import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.neural_network import AlphaLoRANetClassifier

__all__ = ["AlphaLoRANetClassifier", "AlphaTransferClassifier", "AlphaTransferRegressor"]
__version__: str

def __dir__() -> list[str]: ...
