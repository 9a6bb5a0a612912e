"""Where files of version 0.1 look for the moments of a stream."""

from sklearn_alpha.linear_model._data.moments import SecondMoments as Sums

__all__ = ["Sums"]
