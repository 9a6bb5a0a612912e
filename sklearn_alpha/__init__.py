"""Transfer learning by rescaling: a frozen source, times α, plus a small trained adapter."""

from sklearn_alpha.linear_model import AlphaTransferClassifier, AlphaTransferRegressor

__all__ = ["AlphaLoRANetClassifier", "AlphaTransferClassifier", "AlphaTransferRegressor"]
__version__ = "0.1.0.dev0"


def __getattr__(name):
    # Imported when it is first asked for: it brings torch along, which takes seconds.
    if name == "AlphaLoRANetClassifier":
        from sklearn_alpha.neural_network import AlphaLoRANetClassifier

        return AlphaLoRANetClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return [*globals(), "AlphaLoRANetClassifier"]
