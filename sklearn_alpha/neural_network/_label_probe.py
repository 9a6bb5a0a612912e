"""The linear probe of several labels, see `_start.py`: that of two classes for each label."""

import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from sklearn_alpha.linear_model import AlphaTransferClassifier
from sklearn_alpha.neural_network._base_model import weights_of


def fit(network, head, Z, codes, weights, **options):
    """The classifier on the inputs of the head, or None if a label is on all rows or on none.

    Parameters
    ----------
    network : Adapted
    head : Linear
    Z : ndarray of shape (n_rows, n_features)
    codes : ndarray of shape (n_rows, n_labels)
        0 or 1.
    weights : ndarray of shape (n_rows,)
    **options
        Of the classifier.
    """
    if (codes.min(axis=0) == codes.max(axis=0)).any():
        return None
    options |= {"fit_intercept": head.bias is not None}
    if network.knows_classes:
        model = AlphaTransferClassifier(as_logistic(head), **options)
    else:
        # The intercept is not penalised, because hidden states may lie far from zero.
        source = None if network.head_is_new else weights_of(head)
        options |= {"selection": "blend", "intercept_scaling": np.inf}
        model = AlphaTransferClassifier(source, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it speaks of the linear model's α and X
        return model.fit(Z, codes.astype(int), sample_weight=weights)


def as_logistic(head):
    """The head as the fitted classifier of labels that it is: its log odds have a scale."""
    v, b = weights_of(head)
    model = OneVsRestClassifier(LogisticRegression())
    model.classes_ = np.arange(len(v))
    model.estimators_ = [LogisticRegression() for _ in v]
    for k, part in enumerate(model.estimators_):
        part.classes_, part.n_features_in_ = np.array([0, 1]), v.shape[1]
        part.coef_, part.intercept_ = v[[k]], b[[k]]
    return model


def left_out_losses(found):
    """ℓ (n_rows,): log loss of each row, left out, summed over the labels."""
    logits = found.model.inverse_temperature_ * found.model.loo_decision_function_
    return np.logaddexp(0, np.where(found.codes == 1, -logits, logits)).sum(axis=1)


def weights(model):
    """Weights (n_labels, n_features) and biases (n_labels,) of the logits βf."""
    beta = model.inverse_temperature_
    return beta[:, None] * model.coef_, beta * model.intercept_
