"""The name by which pickles of version 0.1.0.dev0 know the estimator."""

from sklearn_alpha.neural_network._estimator import AlphaLoRANetClassifier

__all__ = ["AlphaLoRANetClassifier"]
