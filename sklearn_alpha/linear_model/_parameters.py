"""What parameters may be, and those that are grids, arrays or folds, as the rules want them."""

import warnings
from numbers import Real

import numpy as np
from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import Interval, StrOptions


def parameter_constraints(rules, solvers):
    """What scikit-learn's validation lets pass, for both estimators."""
    return {
        "source": "no_validation",
        "alpha": [StrOptions({"auto"}), Real, "array-like"],
        "gamma": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "selection": [StrOptions(set(rules))],
        "gammas": ["array-like", None],
        "alphas": ["array-like", None],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [StrOptions({"auto"}), Interval(Real, 0, None, closed="right")],
        "solver": [StrOptions({"auto", *solvers})],
        "store_loo": ["boolean"],
    }


READ_BY = {"cv": ("cv",), "scoring": ("loo", "cv"), "alphas": ("loo", "cv")}


def warn_of_ignored(estimator):
    """Warn of parameters that were given and that the selection does not read."""
    for name, rules in READ_BY.items():
        if estimator.selection not in rules and getattr(estimator, name) is not None:
            warnings.warn(
                f"{name} is ignored under selection={estimator.selection!r}; it is read by "
                f"selection={' and '.join(map(repr, rules))}.",
                UserWarning,
                stacklevel=2,
            )


def given_alpha(alpha, shape):
    """The α's asked for, (n_outputs, n_sources); None where they are to be chosen."""
    if isinstance(alpha, str):
        return None
    alpha = np.asarray(alpha, dtype=np.float64)
    if not shape[1] and alpha.size:
        warnings.warn(
            f"alpha={alpha} is ignored, because there is no source for it to rescale; pass source.",
            UserWarning,
            stacklevel=2,
        )
    if not np.isfinite(alpha).all():
        raise ValueError("alpha contains NaN or infinity; pass finite numbers or 'auto'.")
    if alpha.ndim == 1 and shape[1] == 1 and len(alpha) == shape[0]:
        alpha = alpha[:, None]
    try:
        return np.array(np.broadcast_to(alpha, shape))
    except ValueError:
        raise ValueError(
            f"alpha has shape {alpha.shape}; pass a number, one for each of the {shape[1]} "
            f"source(s), or an array of shape (n_outputs, n_sources) = {shape}."
        ) from None


def grid_of_gammas(gamma, gammas):
    """The γ that is given, or the grid; None for a grid around the centre."""
    if gamma != "auto":
        return np.array([gamma], dtype=np.float64)
    if gammas is None:
        return None
    gammas = np.asarray(gammas, dtype=np.float64)
    if gammas.ndim != 1 or not len(gammas) or not (np.isfinite(gammas) & (gammas > 0)).all():
        raise ValueError("gammas must be a 1-D array of positive finite numbers.")
    return gammas


def grid_of_alphas(alphas):
    """The grid of the rules that score candidates; None where they choose their own."""
    if alphas is None:
        return None
    alphas = np.asarray(alphas, dtype=np.float64)
    if alphas.ndim != 1 or not len(alphas) or not np.isfinite(alphas).all():
        raise ValueError("alphas must be a 1-D array of finite numbers.")
    return alphas


def path_of_alphas(alphas, fitted):
    """The α's of a path, (n_alphas,) or (n_alphas, n_sources), beside the fitted ones."""
    n_sources, largest = fitted.shape[1], np.abs(fitted).max(initial=0)
    if not n_sources:
        raise ValueError("alpha_path needs a source; fit with source=... first.")
    if alphas is None:
        return np.linspace(-1, 3, 81) * (largest or 1.0)
    alphas = np.asarray(alphas, dtype=np.float64)
    if alphas.ndim not in (1, 2) or (alphas.ndim == 2 and alphas.shape[1] != n_sources):
        raise ValueError(
            f"alphas has shape {alphas.shape}; pass (n_alphas,) or (n_alphas, {n_sources})."
        )
    return alphas


def folds_of_seen(folds, seen):
    """Train and test rows, numbered among the rows that are seen."""
    number = np.cumsum(seen) - 1
    folds = [tuple(number[part[seen[part]]] for part in fold) for fold in folds]
    return [fold for fold in folds if all(map(len, fold))]
