"""Rows: how those of each library are read, and the sums of them that a fit needs."""

import sys


def is_dask(X):
    """Whether X is a Dask collection; where there is one, Dask has been imported."""
    dask = sys.modules.get("dask.base")
    return dask is not None and dask.is_dask_collection(X)
