"""Displays as in scikit-learn: `from_estimator` computes, `plot` draws (extra `plot`)."""

from sklearn_alpha.inspection._layers import AlphaLayersDisplay
from sklearn_alpha.inspection._path import AlphaPathDisplay
from sklearn_alpha.inspection._sources import SourceContributionDisplay

__all__ = ["AlphaLayersDisplay", "AlphaPathDisplay", "SourceContributionDisplay"]
