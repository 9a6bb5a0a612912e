"""Transfer learning by rescaling: a frozen source, times α, plus a small trained adapter."""

from sklearn_alpha.linear_model import AlphaTransferClassifier, AlphaTransferRegressor

__all__ = ["AlphaTransferClassifier", "AlphaTransferRegressor"]
__version__ = "0.1.0.dev0"
