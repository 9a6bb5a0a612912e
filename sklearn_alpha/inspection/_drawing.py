"""What the displays share: matplotlib when it is asked for, axes, checks and sources' outputs."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_alpha.linear_model._data.array_api import decision_values


def pyplot(display):
    """matplotlib.pyplot, imported when a display is drawn."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{type(display).__name__}.plot needs matplotlib: pip install 'sklearn-alpha[plot]'"
        ) from error
    return plt


def subplots(display, ax, *, n_panels=1, **options):
    """The axes to draw on: new ones, or those given, of which there may be fewer than panels."""
    plt = pyplot(display)
    if ax is None:
        return plt.subplots(1, n_panels, layout="constrained", squeeze=False, **options)[1][0]
    axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    if len(axes) > n_panels:
        raise ValueError(
            f"ax holds {len(axes)} axes, and there is something to draw for {n_panels}; pass "
            "fewer, or leave it None."
        )
    return axes


def check_transfer(display, estimator):
    """Refuse what is not one of the linear estimators, fitted, with a source."""
    if not hasattr(estimator, "alpha_path"):
        raise TypeError(
            f"{display.__name__} shows an AlphaTransferClassifier or AlphaTransferRegressor, not "
            f"{type(estimator).__name__}; of a Pipeline pass the last step, and X as its other "
            "steps transform it."
        )
    check_is_fitted(estimator)
    if not estimator.alpha_.shape[1]:
        raise ValueError(f"{display.__name__} needs a source; fit with source=... first.")


def check_names(kind, names, n, default):
    """As many names as there are things to be named."""
    names = default if names is None else [str(name) for name in names]
    if len(names) != n:
        raise ValueError(f"{kind} has {len(names)} entries; pass {n}, one for each.")
    return names


def source_outputs(estimator, X):
    """X w̃ + b̃, (n_rows, n_outputs, n_sources)."""
    W, b = estimator.source_coef_, estimator.source_intercept_
    S = decision_values(X, W.reshape(b.size, W.shape[2]), b.ravel())
    return S.reshape(X.shape[0], *b.shape)
