"""The name by which pickles of version 0.1.0.dev0 know the callback."""

from sklearn_alpha.neural_network._start import LinearProbe

__all__ = ["LinearProbe"]
