"""Shared by the displays: docstrings, the import of matplotlib, axes and checks."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_alpha._docstrings import REFERENCES, shared

AX = """\
ax : matplotlib Axes, default=None
    None creates a figure."""

PLOT_RETURNS = """\
Returns
-------
display : object
    The display itself, with the artists as attributes."""

NO_MATPLOTLIB = """\
ImportError
    If matplotlib is missing (extra ``plot``)."""

documented = shared(
    references=REFERENCES, ax=AX, plot_returns=PLOT_RETURNS, no_matplotlib=NO_MATPLOTLIB
)


def pyplot(display):
    """matplotlib.pyplot, imported only when a display is drawn."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{type(display).__name__}.plot needs matplotlib: pip install 'sklearn-alpha[plot]'"
        ) from error
    return plt


def subplots(display, ax, *, n_panels=1, **options):
    """The axes to draw on: new ones, or those given, at most one for each panel."""
    plt = pyplot(display)
    if ax is None:
        return plt.subplots(1, n_panels, layout="constrained", squeeze=False, **options)[1][0]
    axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    if len(axes) > n_panels:
        raise ValueError(
            f"ax holds {len(axes)} axes, but the display has {n_panels} panel(s); pass at most "
            f"{n_panels}, or None."
        )
    return axes


def check_transfer(display, estimator):
    """Raise unless `estimator` is a fitted linear estimator of this package with a source."""
    if not hasattr(estimator, "alpha_path"):
        raise TypeError(
            f"{display.__name__} shows an AlphaTransferClassifier or AlphaTransferRegressor, not "
            f"{type(estimator).__name__}; for a Pipeline pass its last step, and X transformed by "
            "the other steps."
        )
    check_is_fitted(estimator)
    if not estimator.alpha_.shape[1]:
        raise ValueError(f"{display.__name__} needs a source; fit with source=... first.")


def check_names(kind, names, n, default):
    """`names` as strings, or `default`; there must be n of them."""
    names = default if names is None else [str(name) for name in names]
    if len(names) != n:
        raise ValueError(f"{kind} has {len(names)} entries; pass {n}.")
    return names
