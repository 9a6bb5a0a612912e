"""Scikit-learn's own models in place of fitted estimators; `_onnx` has the export to ONNX."""

import numpy as np
from sklearn.base import is_classifier
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.utils.validation import check_is_fitted

from sklearn_alpha.linear_model._data.array_api import to_host


def to_sklearn(estimator):
    """Scikit-learn's own fitted model with the same coefficients."""
    check_is_fitted(estimator)
    if is_classifier(estimator):
        model, y = RidgeClassifier(), estimator.classes_
    else:
        model, y = Ridge(), np.zeros(2)
    # fit sets what scikit-learn needs beside the coefficients
    model.fit(np.zeros((len(y), estimator.n_features_in_)), y)
    coef, intercept = np.array(to_host(estimator.coef_)), np.array(to_host(estimator.intercept_))
    model.coef_, model.intercept_ = coef, intercept[()]
    if hasattr(estimator, "feature_names_in_"):
        model.feature_names_in_ = estimator.feature_names_in_.copy()
    return model
