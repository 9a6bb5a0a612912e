"""The linear probe of classes, see `_start.py`.

α_v, a, b and β are those of `AlphaTransferClassifier`: of its default rule if the head knows the
classes by their names, so that few rows leave it as it is, and of "blend" otherwise. β comes from
left-out rows, so that the network still gets a gradient from rows that the probe fits perfectly.
"""

import warnings

import numpy as np
from scipy.special import log_softmax
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from sklearn_alpha.linear_model import AlphaTransferClassifier
from sklearn_alpha.neural_network._base_model import weights_of


def fit(network, head, Z, codes, weights, **options):
    """The classifier on the inputs of the head, or None if a class has no row.

    Parameters
    ----------
    network : Adapted
    head : Linear
    Z : ndarray of shape (n_rows, n_features)
    codes : ndarray of int of shape (n_rows,)
    weights : ndarray of shape (n_rows,)
    **options
        Of the classifier.
    """
    if set(codes) != set(range(head.out_features)):
        return None
    has_bias = head.bias is not None
    if network.knows_classes:
        model = AlphaTransferClassifier(as_logistic(head), fit_intercept=has_bias, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it speaks of the linear model's α and X
            return model.fit(Z, codes, sample_weight=weights)
    source = None
    if not network.head_is_new:
        v, b = weights_of(head)
        # two logits make one decision value
        source = (v, b) if len(v) > 2 else ((v[1] - v[0]) / 2, (b[1] - b[0]) / 2)
    # The intercept is not penalised, because hidden states may lie far from zero.
    return AlphaTransferClassifier(
        source, selection="blend", fit_intercept=has_bias, intercept_scaling=np.inf, **options
    ).fit(Z, codes, sample_weight=weights)


def as_logistic(head):
    """The head as the fitted classifier that it is: its log odds have a scale of their own."""
    v, b = weights_of(head)
    model = LogisticRegression()
    model.classes_ = np.arange(len(v))
    model.coef_, model.intercept_ = (v, b) if len(v) > 2 else (v[1:] - v[:1], b[1:] - b[:1])
    model.n_features_in_ = v.shape[1]
    return FrozenEstimator(model)


def left_out_losses(found):
    """ℓ (n_rows,): log loss of each row, left out."""
    logits = found.model.inverse_temperature_ * found.model.loo_decision_function_
    if logits.ndim == 1:
        logits = np.column_stack([np.zeros_like(logits), logits])
    log_p = log_softmax(logits, axis=1)
    return -log_p[np.arange(len(log_p)), found.codes]


def weights(model):
    """Weights (n_classes, n_features) and biases (n_classes,) of the logits βf."""
    beta = model.inverse_temperature_
    v, b = beta * model.coef_, beta * model.intercept_
    return (v, b) if len(v) > 1 else (np.vstack([-v, v]) / 2, np.append(-b, b) / 2)
