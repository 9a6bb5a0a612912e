"""Several labels for each row: codes are indicators (n_rows, n_labels), one logit for each label.

    P(label k | x) = 1 / (1 + exp(−β f_k(x))),    label k is predicted if P ≥ c_k

Rows that are held out choose β and the thresholds c_k; without such rows β = 1 and c_k = ½.
"""

import numpy as np
import torch
from scipy.sparse import issparse
from scipy.special import expit, log_expit
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length

from sklearn_alpha.neural_network import _label_probe
from sklearn_alpha.neural_network._held_out import check_random_shares
from sklearn_alpha.neural_network._inputs import weighted_rows
from sklearn_alpha.neural_network._labels import LABELS, Outputs
from sklearn_alpha.neural_network._sources import refuse_several
from sklearn_alpha.neural_network._validation import inverse_temperature

KIND = "labels"  # in the record of a saved net
PROBE = _label_probe
PROBLEM_TYPE = "multi_label_classification"  # of transformers
IS_STRATIFIED = False
CRITERION = torch.nn.BCEWithLogitsLoss


def labels(net):
    """What the outputs of the head stand for."""
    return Outputs(net.n_labels_, LABELS)


def read(net, y, sample_weight, n_rows, classes):
    """Rows of positive weight, their indicators and weights of mean 1."""
    Y = indicator(y)
    if classes is not None and not np.array_equal(classes, np.arange(Y.shape[1])):
        raise ValueError("y is an indicator of labels; leave out classes.")
    if net.class_weight is not None:
        raise ValueError("class_weight is for one label in each row; leave it at None.")
    refuse_several(net.model, "an indicator of labels")
    check_consistent_length(np.empty(n_rows), Y)
    rows, weights = weighted_rows(sample_weight, n_rows)
    net.n_labels_ = Y.shape[1]
    net.classes_inferred_ = np.arange(Y.shape[1])
    return rows, Y[rows], (weights / weights.mean()).astype(np.float32)


def indicator(y):
    """y as zeros and ones in float32."""
    y = y.toarray() if issparse(y) else np.asarray(y)
    kind = type_of_target(y)
    if kind != "multilabel-indicator" or not np.isin(y, (0, 1)).all():
        raise ValueError(
            f"y has {y.shape[1]} columns but is no indicator of labels ({kind}); pass zeros "
            "and ones, or one column. For several classes in each column, "
            "sklearn.multioutput.MultiOutputClassifier fits one net for each."
        )
    return y.astype(np.float32)


def codes_of(net, y):
    """Indicators of validation rows, or of a dataset."""
    Y = indicator(y)
    if Y.shape[1] != net.n_labels_:
        raise ValueError(
            f"y has {Y.shape[1]} columns but had {net.n_labels_} in the first fit; pass one for "
            "each label."
        )
    return Y


def check_held_out(net, shares, codes):
    """Raise an error unless rows are on both sides of every split."""
    check_random_shares(shares, len(codes))


def row_factors(net, codes):
    """Labels have no weights."""
    return np.ones(len(codes))


def as_pairs(logits, codes):
    """Each label of each row as a row of two classes: logits (n, 2) and class numbers (n,)."""
    f = logits.ravel()
    return np.column_stack([np.zeros_like(f), f]), codes.ravel().astype(int)


def log_likelihood(logits, codes, weights):
    """Σ_i Σ_k log p(y_ik | x_i)."""
    return weights @ log_expit(np.where(codes == 1, logits, -logits)).sum(axis=1)


def validated(net, logits, codes, weights):
    """What the held-out rows say."""
    repeats = np.repeat(weights, codes.shape[1])
    beta = net.processes_.agree(inverse_temperature(*as_pairs(logits, codes), repeats))
    P = expit(beta * logits)
    thresholds = [best_threshold(p, y, weights) for p, y in zip(P.T, codes.T)]
    right = ((np.array(thresholds) <= P) == codes).all(axis=1)
    loss = -log_expit(beta * np.where(codes == 1, logits, -logits)).mean(axis=1)
    return {
        "n_rows": len(codes),
        "accuracy": float(np.average(right, weights=weights)),
        "log_loss": float(np.average(loss, weights=weights)),
        "inverse_temperature": beta,
        "thresholds": np.array(thresholds),
    }


def best_threshold(p, y, weights):
    """c with the largest F₁ of {p ≥ c}, between two p; of equally good ones that next to ½.

    ::

        F₁ = 2 Σ ỹ 1[p ≥ c] / (Σ 1[p ≥ c] + Σ ỹ),    ỹ = (y + p) / 2

    Half of ỹ is the calibrated probability p, because the F₁ of few labels alone is noisy. If no
    row has the label, c is ½.
    """
    if not y.any():
        return 0.5
    levels = np.unique(np.concatenate([[0.0, 1.0], p]))
    candidates = np.append((levels[1:] + levels[:-1]) / 2, 0.5)
    said = p[:, None] >= candidates
    mixed = weights * (y + p) / 2
    F1 = 2 * (mixed @ said) / (weights @ said + mixed.sum())
    best = candidates[F1.max() * (1 - 1e-9) <= F1]
    return float(best[np.argmin(abs(best - 0.5))])


def log_probabilities(logits):
    """log 1/(1 + exp(−f))."""
    return log_expit(logits)


def predictions(net, logits):
    """Indicators of the labels whose probability is at least their threshold."""
    P = expit(net.inverse_temperature_ * logits.astype(np.float64))
    return (net.thresholds_ <= P).astype(int)


def decisions(logits):
    """Logits of the labels."""
    return logits
