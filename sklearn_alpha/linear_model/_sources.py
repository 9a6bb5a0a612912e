"""What a source may be, and how it is brought into the target's coordinates.

A source is an array of coefficients, a pair (coefficients, intercept), or a fitted linear
estimator; a list holds several. All become W̃ (n_outputs, n_sources, n_features) and b̃ (n_outputs,
n_sources), with one row for each output of the target.
"""

import warnings

import numpy as np
from scipy.sparse import issparse
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_alpha.linear_model._data.array_api import to_host
from sklearn_alpha.linear_model._data.validation import check_range


def align_sources(source, *, n_outputs, n_features, classes=None, feature_names=None):
    """W̃ and b̃ of one source, of a list of sources, or of none.

    Parameters
    ----------
    source : None, ndarray, tuple, estimator, or list of these
    n_outputs, n_features : int
        Of the target.
    classes : ndarray or None
        The target's classes; None in regression.
    feature_names : ndarray or None
        The target's column names, where it has any.

    Returns
    -------
    W : ndarray of shape (n_outputs, n_sources, n_features)
    b : ndarray of shape (n_outputs, n_sources)
    log_odds : ndarray of shape (n_sources,)
        What brings decision values to log odds, of a classifier with probabilities; 1 for a
        regressor; nan for any other source, whose scale is unknown.
    """
    sources = [] if source is None else source if isinstance(source, list) else [source]
    W = np.zeros((n_outputs, len(sources), n_features))
    b = np.zeros((n_outputs, len(sources)))
    log_odds = np.full(len(sources), np.nan)
    for k, one in enumerate(map(to_host, sources)):
        name = "source" if len(sources) == 1 else f"source[{k}]"
        if np.isscalar(one):
            raise ValueError(
                f"{name} is a number: a list means several sources; pass one source's "
                "coefficients as a NumPy array."
            )
        seen = np.ones(n_outputs, dtype=bool)
        if isinstance(one, np.ndarray | tuple):
            coef, intercept = one if isinstance(one, tuple) and len(one) == 2 else (one, 0.0)
            coef, intercept = _check_coefficients(coef, intercept, name, n_features)
        else:
            estimator = _check_estimator(one, name, feature_names, classifier=classes is not None)
            coef, intercept = _check_coefficients(
                estimator.coef_, getattr(estimator, "intercept_", 0.0), name, n_features
            )
            if classes is not None:
                coef, intercept = _by_label(coef, intercept, estimator, classes, name)
                seen = np.isin(classes, to_host(estimator.classes_))
            log_odds[k] = scale_of_log_odds(estimator, classes)
        if len(coef) != n_outputs:
            raise ValueError(
                f"{name} has {len(coef)} row(s) of coefficients but the target needs {n_outputs}"
                + (
                    f", one for each of its classes {classes}"
                    if n_outputs > 1 and classes is not None
                    else ""
                )
                + "; pass an array of shape (n_outputs, n_features)."
            )
        if classes is not None and n_outputs > 1:
            # what the rows of all classes share moves no prediction
            coef = np.where(seen[:, None], coef - coef[seen].mean(axis=0), coef)
            intercept = np.where(seen, intercept - intercept[seen].mean(), intercept)
        W[:, k], b[:, k] = coef, intercept
    return W, b, log_odds


def scale_of_log_odds(estimator, classes):
    """What brings the aligned decision values of a source to log odds, or nan; 1 in regression."""
    if classes is None:
        return 1.0
    if not hasattr(estimator, "predict_proba"):
        return np.nan
    scale = float(getattr(estimator, "inverse_temperature_", 1.0))
    # of a head with a row per class, `_by_label` gives two classes half the difference
    return scale * (2.0 if len(classes) == 2 and len(estimator.classes_) > 2 else 1.0)


def _check_coefficients(coef, intercept, name, n_features):
    """Finite coefficients (rows, n_features) and intercepts (rows,)."""
    coef, intercept = to_host(coef), to_host(intercept)
    coef = coef.toarray() if issparse(coef) else coef
    try:
        coef = np.atleast_2d(np.asarray(coef, dtype=np.float64))
        intercept = np.asarray(intercept, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} does not hold numbers; pass coefficients, or a pair (coefficients, intercept)."
        ) from None
    if coef.ndim != 2 or coef.shape[1] != n_features:
        raise ValueError(
            f"{name} has coefficients of shape {coef.shape} but X has {n_features} features; "
            "transform source and target rows by the same fitted steps."
        )
    if not np.isfinite(coef).all() or not np.isfinite(intercept).all():
        raise ValueError(f"{name} contains NaN or infinity; refit it on finite data.")
    check_range(name, coef, limit=1e100)
    if len(intercept) not in (1, len(coef)):
        raise ValueError(
            f"{name} has {len(intercept)} intercepts for {len(coef)} row(s) of coefficients; "
            "pass one for each row."
        )
    return coef, np.broadcast_to(intercept, len(coef))


def _check_estimator(source, name, feature_names, *, classifier):
    """The fitted linear estimator behind a source."""
    while isinstance(source, FrozenEstimator):
        source = source.estimator
    if isinstance(source, Pipeline):
        raise ValueError(
            f"{name} is a Pipeline: pass its last step, FrozenEstimator(pipeline[-1]), and fit on "
            "rows that its other steps have transformed, pipeline[:-1].transform(X)."
        )
    if not hasattr(source, "coef_"):
        if isinstance(source, type) or not hasattr(source, "get_params"):
            raise ValueError(
                f"{name} is a {type(source).__name__}; pass a NumPy array of coefficients, a pair "
                "(coefficients, intercept), a fitted linear estimator, or a list of these."
            )
        if isinstance(source, BaseSearchCV):
            raise ValueError(f"{name} is a search; fit it and pass its best_estimator_.")
        if _is_fitted(source):
            raise ValueError(
                f"{name}, a {type(source).__name__}, has no coef_; pass an estimator that is "
                "linear in the features of X."
            )
        raise NotFittedError(
            f"{name}, a {type(source).__name__}, has no coef_: fit it first, and pass "
            "FrozenEstimator(fitted) because clone(), which grid searches and cross-validation "
            "call, un-fits any other estimator."
        )
    if classifier and not hasattr(source, "classes_"):
        raise ValueError(
            f"{name}, a {type(source).__name__}, has no classes_; pass a fitted classifier, or its "
            "coefficients as an array."
        )
    names = getattr(source, "feature_names_in_", None)
    if names is not None and feature_names is not None and list(names) != list(feature_names):
        raise ValueError(
            f"{name} was fitted on other columns, or on the same in another order, than X; "
            "reorder X with X[source.feature_names_in_]."
        )
    return source


def _is_fitted(estimator):
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


def _by_label(coef, intercept, estimator, classes, name):
    """Rows of a source classifier in the order of the target's classes, aligned by label."""
    source_classes = to_host(estimator.classes_)
    binary = len(classes) == 2
    where = {label: row for row, label in enumerate(source_classes.tolist())}
    unseen = [label for label in classes.tolist() if label not in where]
    if len(unseen) == len(classes):
        raise ValueError(
            f"{name} knows the classes {source_classes} and none of the target's {classes}; name "
            "the target's classes as the source does, or pass its coefficients as an array."
        )
    if len(source_classes) == 2:
        if not binary:
            raise ValueError(
                f"{name} is binary but the target has the classes {classes}; pass a source that "
                "was fitted on those classes, or an array with one row for each."
            )
        if unseen:
            raise ValueError(
                f"{name} tells {source_classes[0]!r} from {source_classes[1]!r}, the target "
                f"{classes[0]!r} from {classes[1]!r}; pass the coefficients as an array if they "
                "are meant to carry over."
            )
        sign = 1 if source_classes[1] == classes[1] else -1
        return sign * coef, sign * intercept
    # support vector machines have a row for each *pair* of classes
    if hasattr(estimator, "dual_coef_") or len(coef) != len(source_classes):
        raise ValueError(
            f"{name} has {len(coef)} rows of coefficients for {len(source_classes)} classes; pass "
            "a source with one row for each class (one-vs-rest or multinomial)."
        )
    if unseen:
        warnings.warn(
            f"{name} never saw the classes {unseen}: their rows start from zero.",
            UserWarning,
            stacklevel=2,
        )
    rows = np.zeros((len(classes), coef.shape[1] + 1))
    for row, label in enumerate(classes.tolist()):
        if label in where:
            rows[row] = np.append(coef[where[label]], intercept[where[label]])
    if binary:
        # what ±1 codes are to one-hot codes: half the difference
        rows = (rows[1:] - rows[:1]) / 2
    return rows[:, :-1], rows[:, -1]


# ---------------------------------------------------------------- sizes and directions


def source_scale(W, b):
    """The size of each source (n_outputs, n_sources), a power of two: no square overflows.

    Parameters
    ----------
    W : ndarray of shape (n_outputs, n_sources, n_features)
    b : ndarray of shape (n_outputs, n_sources)
    """
    size = np.maximum(np.abs(W).max(axis=2, initial=0), np.abs(b))
    return np.exp2(np.frexp(np.where(size > np.finfo(np.float64).tiny, size, 1.0))[1])


def unit_combinations(inner):
    """T with TᵀAT of unit diagonal, of the inner products A of columns, as `unit_columns` of them.

    Of two columns only their cosine is known, to rounding.
    """
    size = np.sqrt(np.maximum(inner.diagonal(), 0))
    return group(size, lambda k, first: inner[k, first] >= (1 - 1e-12) * size[k] * size[first])


def unit_columns(columns):
    """T with columns @ T of norm one: none for a zero column, one for those that are parallel."""
    size = np.linalg.norm(columns, axis=0)
    return group(
        size,
        lambda k, first: (
            np.linalg.norm(columns[:, k] / size[k] - columns[:, first] / size[first]) <= 1e-7
        ),
    )


def group(size, parallel):
    """T with one column for all that are parallel to the first of them."""
    groups = []
    for k in np.flatnonzero(size > np.finfo(np.float64).tiny):
        for members in groups:
            if parallel(k, members[0]):
                members.append(k)
                break
        else:
            groups.append([k])
    T = np.zeros((len(size), len(groups)))
    for column, members in enumerate(groups):
        T[members, column] = 1 / (len(members) * size[members])
    return T
