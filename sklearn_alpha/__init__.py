"""Transfer learning by rescaling: a frozen source, times α, plus a small trained adapter."""

from sklearn_alpha.linear_model import AlphaTransferClassifier, AlphaTransferRegressor

# Imported when they are first asked for: they bring torch along, which takes seconds.
_NETWORKS = ["AlphaLoRANetClassifier", "AlphaLoRANetRegressor"]

__all__ = [
    "AlphaLoRANetClassifier",
    "AlphaLoRANetRegressor",
    "AlphaTransferClassifier",
    "AlphaTransferRegressor",
]
__version__ = "0.1.0.dev0"


def __getattr__(name):
    if name in _NETWORKS:
        from sklearn_alpha import neural_network

        return getattr(neural_network, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return [*globals(), *_NETWORKS]
