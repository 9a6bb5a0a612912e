"""What a source may be: it is read as a linear model, with the names of its classes.

A source is an array of coefficients, a pair (coefficients, intercept), a triple with the classes,
a fitted linear estimator, a `torch.nn.Linear`, or a classifier of transformers that ends with
one; a list holds several.
"""

import re
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_alpha.linear_model._data.array_api import to_host
from sklearn_alpha.linear_model._data.validation import check_range


@dataclass(frozen=True)
class LinearSource:
    """s(x) = x coefᵀ + intercept.

    Attributes
    ----------
    name : str
        What messages call it.
    coef : ndarray of shape (n_rows, n_features)
    intercept : ndarray of shape (n_rows,)
    classes : ndarray or None
        Of a classifier: two classes for one row, else one for each row. None where rows follow the
        outputs of the target.
    log_odds : float
        What brings decision values to log odds, or predictions to the units of the target; nan
        where their scale is unknown.
    has_intercept : bool
        Whether the intercept is known; an array of coefficients has none, which is taken for zero
        unless a rule knows better.
    """

    name: str
    coef: np.ndarray
    intercept: np.ndarray
    classes: np.ndarray | None
    log_odds: float
    has_intercept: bool = True


def read_sources(source, feature_names=None, *, classifier):
    """The `LinearSource` of one source, of each of a list, or of none.

    Parameters
    ----------
    source : None, ndarray, tuple, estimator, or list of these
    feature_names : ndarray or None
        The target's column names, where it has any.
    classifier : bool
        Whether the target has classes.

    Returns
    -------
    sources : list of LinearSource
    """
    return [_read(to_host(one), name, feature_names, classifier) for name, one in _by_name(source)]


def _by_name(source):
    """What messages call a source, and the source, of one or of each in a list."""
    sources = as_list(source)
    names = ["source"] if len(sources) == 1 else [f"source[{k}]" for k in range(len(sources))]
    return zip(names, sources, strict=True)


def as_list(source):
    """A list of sources, from one, several or none."""
    sources = [] if source is None else source if isinstance(source, list) else [source]
    _check_list(sources)
    return sources


def _check_list(sources):
    """Refuse a list that is one source, written in a form that means several."""
    if any(isinstance(one, list) for one in sources):
        raise ValueError(
            "source is a nested list: a list means several sources; pass one source's "
            "coefficients as a NumPy array."
        )
    if len(sources) == 2 and all(isinstance(one, np.ndarray) for one in sources):
        W, b = sources
        if W.ndim == 2 and b.shape == (len(W),) and W.shape[1] != len(b):
            raise ValueError(
                "source is a list of coefficients and intercepts: a list means several sources; "
                "pass one source's as a tuple, (coef, intercept)."
            )


def _read(source, name, feature_names, classifier):
    if isinstance(source, LinearSource):  # one label of several
        return replace(source, name=name)
    if isinstance(source, str):
        raise ValueError(
            f"{name} is the text {source!r}; pass a fitted linear estimator, or an array of "
            "coefficients."
        )
    if np.isscalar(source):
        raise ValueError(
            f"{name} is a number: a list means several sources; pass one source's "
            "coefficients as a NumPy array."
        )
    layer, classes = _layer(source, name)
    if layer is not None:
        bias = 0.0 if layer.bias is None else _detached(layer.bias)
        coef, intercept = _check_coefficients(_detached(layer.weight), bias, name)
        if classes is not None:
            _check_kind(source, name, classifier)
            _check_rows(coef, classes, name)
        return LinearSource(name, coef, intercept, classes, 1.0)
    if isinstance(source, np.ndarray | tuple) or issparse(source):
        parts = source if isinstance(source, tuple) and len(source) in (2, 3) else (source,)
        coef, intercept = _check_coefficients(parts[0], *parts[1:2] or (0.0,), name)
        classes = None
        if len(parts) == 3:
            classes = np.asarray(parts[2])
            if classes.ndim != 1:
                raise ValueError(
                    f"{name} is a triple whose last part is no array of classes; pass a pair "
                    "(coefficients, intercept), or (coefficients, intercept, classes)."
                )
            if len(set(classes.tolist())) < len(classes):
                raise ValueError(f"{name} names a class twice, {classes.tolist()}; name each once.")
            _check_rows(coef, classes, name)
        return LinearSource(name, coef, intercept, classes, np.nan, len(parts) > 1)
    estimator = _check_estimator(source, name, feature_names, classifier=classifier)
    coef, intercept = _check_coefficients(
        estimator.coef_, getattr(estimator, "intercept_", 0.0), name
    )
    if not classifier:
        return LinearSource(name, coef, intercept, None, 1.0)
    classes = to_host(estimator.classes_)
    _check_rows(coef, classes, name, pairs=hasattr(estimator, "dual_coef_"))
    scale = np.nan
    if hasattr(estimator, "predict_proba"):
        scale = float(getattr(estimator, "inverse_temperature_", 1.0))
    return LinearSource(name, coef, intercept, classes, scale)


def _layer(source, name):
    """The `torch.nn.Linear` of a source and the names of its classes; None where it has none."""
    if _is_linear(source):
        return source, None
    names = getattr(getattr(source, "config", None), "id2label", None)
    if names is None:  # no model of transformers
        return None, None
    heads = [getattr(source, head, None) for head in ("classifier", "score")]
    layer = next(filter(_is_linear, heads), None)
    if layer is None:
        raise ValueError(
            f"{name}, a {type(source).__name__}, has no torch.nn.Linear named classifier or score; "
            "pass its last linear layer, and the inputs of that layer as X."
        )
    names = [str(names[number]) for number in sorted(names, key=int)]
    # without names of its own a model calls its classes LABEL_0, LABEL_1, …
    placeholders = any(re.fullmatch(r"LABEL_\d+", label) for label in names)
    return layer, None if placeholders else np.array(names)


def _is_linear(module):
    return hasattr(module, "in_features") and hasattr(module, "weight")


def _detached(tensor):
    return tensor.detach().cpu().double().numpy()


def _check_rows(coef, classes, name, *, pairs=False):
    """Refuse classifiers whose rows are not those of their classes."""
    # support vector machines have a row for each *pair* of classes
    if len(coef) != (1 if len(classes) == 2 else len(classes)) or (pairs and len(classes) > 2):
        if len(coef) == len(classes) == 2:
            return
        if pairs:
            raise ValueError(
                f"{name} has a row of coefficients for each pair of its {len(classes)} classes; "
                "pass a source with one row for each class, such as LinearSVC."
            )
        raise ValueError(
            f"{name} has {len(coef)} rows of coefficients for {len(classes)} classes; pass "
            "a source with one row for each class (one-vs-rest or multinomial)."
        )


def _check_coefficients(coef, intercept, name):
    """Finite coefficients (rows, n_features) and intercepts (rows,)."""
    coef, intercept = to_host(coef), to_host(intercept)
    coef = coef.toarray() if issparse(coef) else coef
    try:
        coef = np.atleast_2d(np.asarray(coef, dtype=np.float64))
        intercept = np.asarray(intercept, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} does not hold numbers; pass coefficients, or a pair (coefficients, "
            "intercept). Several sources are a list."
        ) from None
    if coef.ndim != 2:
        raise ValueError(
            f"{name} has coefficients of shape {coef.shape}; pass an array of shape "
            "(n_outputs, n_features)."
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


def fitted_behind(source):
    """The estimator that is frozen, or the best of a search; anything else as it is."""
    while isinstance(source, FrozenEstimator) or hasattr(source, "best_estimator_"):
        source = source.estimator if isinstance(source, FrozenEstimator) else source.best_estimator_
    return source


def refuse_pipelines(source):
    """Refuse pipelines before rows are read: their steps should have transformed them."""
    for name, one in _by_name(source):
        if isinstance(fitted_behind(one), Pipeline):
            raise ValueError(
                f"{name} is a Pipeline: call from_pipeline(pipeline), which keeps its steps, or "
                "pass its last step, pipeline[-1], and fit on rows that the others have "
                "transformed, pipeline[:-1].transform(X)."
            )


def _check_estimator(source, name, feature_names, *, classifier):
    """The fitted linear estimator behind a source."""
    source = fitted_behind(source)
    if not hasattr(source, "coef_"):
        if isinstance(source, type) or not hasattr(source, "get_params"):
            raise ValueError(
                f"{name} is a {type(source).__name__}; pass a NumPy array of coefficients, a pair "
                "(coefficients, intercept), a fitted linear estimator, or a list of these."
            )
        if isinstance(source, BaseSearchCV):
            raise NotFittedError(f"{name} is a search that has not been fitted; fit it first.")
        if _is_fitted(source):
            raise ValueError(
                f"{name}, a {type(source).__name__}, has no coef_; pass an estimator that is "
                "linear in the features of X, or the coefficients of the linear models that it "
                "holds: (coef, intercept), or (coef, intercept, classes)."
            )
        raise NotFittedError(
            f"{name}, a {type(source).__name__}, has no coef_: fit it first. A search un-fits the "
            "sources of its grid: wrap each in FrozenEstimator there."
        )
    if _predicts_exponentials(source):
        raise ValueError(
            f"{name}, a {type(source).__name__}, predicts exp(X coef + intercept), which is not "
            "linear in X; pass (coef, intercept), and the logarithm of y as the target."
        )
    if is_classifier(source):
        _check_kind(source, name, classifier)
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


def _check_kind(source, name, classifier):
    """Refuse a source of classes where the target is numbers."""
    if not classifier:
        raise ValueError(
            f"{name}, a {type(source).__name__}, is a classifier but the target is numbers; pass a "
            "fitted regressor, or coefficients as an array."
        )


def _predicts_exponentials(estimator):
    if isinstance(estimator, TweedieRegressor):
        return estimator.link == "log" or (estimator.link == "auto" and estimator.power > 0)
    return isinstance(estimator, PoissonRegressor | GammaRegressor)


def _is_fitted(estimator):
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True
