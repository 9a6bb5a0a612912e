"""One label for each row: codes are class numbers (n_rows,), logits those of a softmax."""

import torch
from scipy.special import log_softmax

from sklearn_alpha.neural_network import _class_probe
from sklearn_alpha.neural_network._held_out import check_shares
from sklearn_alpha.neural_network._inputs import encode_labels, read_targets
from sklearn_alpha.neural_network._validation import own_log_probability, validated_classes

KIND = "classes"  # in the record of a saved net
PROBE = _class_probe
PROBLEM_TYPE = "single_label_classification"  # of transformers
IS_STRATIFIED = True
CRITERION = torch.nn.CrossEntropyLoss


def labels(net):
    """What the outputs of the head stand for."""
    return net.classes_inferred_


def read(net, y, sample_weight, n_rows, classes):
    """Rows of positive weight, their class numbers and weights; sets what is known of classes."""
    known, seen, codes, weights, net.class_factors_ = read_targets(
        y, sample_weight, n_rows, classes=classes, class_weight=net.class_weight
    )
    net.classes_inferred_ = known
    return seen, codes, weights


def codes_of(net, y):
    """Class numbers of labels."""
    return encode_labels(y, net.classes_inferred_)


def check_held_out(net, shares, codes):
    """Raise an error unless every class can be on both sides of every split."""
    check_shares(shares, codes, net.classes_inferred_)


def row_factors(net, codes):
    """What `class_weight` multiplies the weight of each row by."""
    return net.class_factors_[codes]


def log_likelihood(logits, codes, weights):
    """Σ_i log p(y_i | x_i)."""
    return weights @ own_log_probability(logits, codes)


validated = validated_classes


def log_probabilities(logits):
    """log softmax."""
    return log_softmax(logits, axis=1)


def predictions(net, logits):
    """The class of the largest logit."""
    return net.classes_[logits.argmax(axis=1)]


def decisions(logits):
    """Logits; of two classes the second's minus the first's."""
    return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits
