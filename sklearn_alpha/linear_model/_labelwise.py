"""Several labels for each row: one binary problem for each, as if it were fitted alone.

P(label k | x) = 1/(1 + exp(−βₖfₖ(x)))
"""

from dataclasses import replace

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._array_api import get_namespace
from sklearn.utils.multiclass import type_of_target

from sklearn_alpha.linear_model._data.array_api import to_host
from sklearn_alpha.linear_model._data.validation import check_rows
from sklearn_alpha.linear_model._incremental import forget_solution
from sklearn_alpha.linear_model._parameters import given_alpha
from sklearn_alpha.linear_model._report import SourceReport
from sklearn_alpha.linear_model._sources import as_list, fitted_behind, read_sources

STACKED = ("coef_", "intercept_", "alpha_", "source_coef_", "source_intercept_", "_w0", "_w1")
COLLECTED = ("gamma_", "inverse_temperature_", "best_score_")


def fit_labels(estimator, X, y, sample_weight):
    """Fit one classifier for each column of an indicator y (n_samples, n_labels).

    It sets `estimators_`, and arrays with a row or an entry for each label; there is no `path_`.
    """
    if estimator.classes is not None:
        raise ValueError(
            "y is an indicator of labels, whose classes are 0 and 1; leave out classes."
        )
    _, Y, _ = check_rows(estimator, X, y, sample_weight)
    kind = type_of_target(Y)
    if kind != "multilabel-indicator":
        raise ValueError(
            f"y has {Y.shape[1]} columns but is no indicator of labels ({kind}); pass zeros and "
            "ones, or one column."
        )
    Y = Y.astype(np.int64)
    sources = sources_of_labels(estimator, Y.shape[1])
    alphas = given_alpha(estimator.alpha, (Y.shape[1], len(sources[0])))
    parts = []
    for k, own in enumerate(sources):
        part = type(estimator)(**{**estimator.get_params(deep=False), "source": own})
        part.set_params(classes=[0, 1], alpha="auto" if alphas is None else alphas[k])
        part._fit_rows(X, Y[:, k], sample_weight)
        parts.append(part)
    forget_solution(estimator)
    vars(estimator).pop("_sums", None)
    estimator.estimators_, estimator.classes_ = parts, np.arange(Y.shape[1])
    for name in STACKED:
        values = [to_host(getattr(part, name)) for part in parts]
        setattr(estimator, name, np.concatenate(values))
    for name in COLLECTED:
        setattr(estimator, name, np.array([getattr(part, name) for part in parts]))
    if estimator.store_loo:
        left_out = [to_host(part.loo_decision_function_) for part in parts]
        estimator.loo_decision_function_ = np.column_stack(left_out)
    estimator._to_library_of(X)


def sources_of_labels(estimator, n_labels):
    """The sources of each label, as the binary problem of that label takes them."""
    names = getattr(estimator, "feature_names_in_", None)
    found = [[] for _ in range(n_labels)]
    for source in as_list(estimator.source):
        behind = fitted_behind(source)
        rows = getattr(behind, "estimators_", None)
        if rows is None and hasattr(behind, "predict_proba"):
            raise ValueError(
                f"the source, a {type(behind).__name__}, tells classes apart and y has labels; "
                "pass a classifier of the labels, such as OneVsRestClassifier."
            )
        if rows is None:
            (read,) = read_sources(source, names, classifier=True)
            rows = [
                replace(read, coef=read.coef[[k]], intercept=read.intercept[[k]], classes=None)
                for k in range(len(read.coef))
            ]
        if len(rows) != n_labels:
            raise ValueError(
                f"the source has {len(rows)} row(s) of coefficients and y {n_labels} labels; pass "
                "coefficients of shape (n_labels, n_features), or a classifier of these labels."
            )
        for own, row in zip(found, rows, strict=True):
            own.append(row)
    return found


def report_of_labels(estimators):
    """The reports of all labels as one, whose outputs are the numbers of the labels."""
    return SourceReport(
        Bunch(**{**one, "output": k})
        for k, part in enumerate(estimators)
        for one in part.source_report_
    )


def label_probabilities(values, beta):
    """1/(1 + exp(−βf)), (n_rows, n_labels), which no exponential overflows."""
    xp, _ = get_namespace(values)
    return (1 + xp.tanh(beta * values / 2)) / 2


def log_label_probabilities(values, beta):
    """Its logarithm, −log(1 + exp(−βf))."""
    xp, _ = get_namespace(values)
    z = beta * values
    return xp.minimum(z, xp.zeros_like(z)) - xp.log1p(xp.exp(-xp.abs(z)))
