"""The labels of a source's head: which of its rows stands for which class of the target.

Labels are compared by name. A head has no names if they are transformers' own (LABEL_0, ...); its
rows are then in the order of the sorted classes. Integers 0, 1, ... are places, unless one of
them is a name. The outputs of a regression, and the columns of an indicator of several labels, have
places only: `Outputs` stands for them.
"""

import re

import numpy as np
from skorch import NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from sklearn_alpha.neural_network._base_model import linear_layers

NUMBERS, LABELS = "numbers", "labels"  # kinds of `Outputs`


class Outputs:
    """What a head without classes has in place of their names: the number of its outputs.

    Parameters
    ----------
    n_outputs : int
    kind : {"numbers", "labels"}
        Of a regression, or of several labels in each row.
    """

    def __init__(self, n_outputs, kind):
        self.n_outputs, self.kind = n_outputs, kind

    def __len__(self):
        return self.n_outputs


def labels_of(config, classes):
    """Labels of a transformers model, in the order of its outputs, or `Outputs`.

    The labels of a model of several labels in each row have names too. They are places if those of
    the target, `classes`, are.
    """
    if config.problem_type == "regression":
        return Outputs(config.num_labels, NUMBERS)
    if config.problem_type == "multi_label_classification" and isinstance(classes, Outputs):
        return Outputs(config.num_labels, LABELS)
    return [config.id2label.get(code, f"LABEL_{code}") for code in range(config.num_labels)]


def labels_of_skorch(net):
    """Labels of a fitted net of skorch's own, or None if it does not say what its outputs are."""
    if isinstance(net, NeuralNetRegressor):
        return Outputs(list(linear_layers(net.module_).values())[-1].out_features, NUMBERS)
    if not isinstance(net, NeuralNetClassifier):
        return None
    if isinstance(net.criterion_, nn.NLLLoss):
        raise ValueError(
            "model is a NeuralNetClassifier with NLLLoss, whose module returns probabilities; "
            "pass one whose module returns logits, with CrossEntropyLoss."
        )
    return net.classes_.tolist()


def set_labels(config, classes):
    """Give a transformers model the names of the classes, or transformers' own for `Outputs`."""
    no_names = isinstance(classes, Outputs)
    names = (f"LABEL_{i}" for i in range(len(classes))) if no_names else map(str, classes)
    labels = dict(enumerate(names))
    config.id2label = labels
    config.label2id = {label: code for code, label in labels.items()}


def have_names(labels):
    """Whether labels are not transformers' own."""
    return isinstance(labels, Outputs) or not all(
        re.fullmatch(r"LABEL_\d+", str(label)) for label in labels
    )


def aligned_rows(labels, classes):
    """The row of a head for each class, or None if some class has none.

    Parameters
    ----------
    labels : list or Outputs
        Of the rows of the head.
    classes : ndarray or Outputs
        Labels of the target, sorted.

    Returns
    -------
    rows : list of int, or None
    """
    if isinstance(labels, Outputs) or isinstance(classes, Outputs):
        fits = len(labels) == len(classes) and share_a_head(labels, classes)
        return list(range(len(labels))) if fits else None
    names, wanted = ([str(label).casefold() for label in found] for found in (labels, classes))
    if len(set(names)) == len(names) and set(wanted) <= set(names):
        return [names.index(name) for name in wanted]
    places = classes.dtype.kind in "biu" and np.array_equal(classes, np.arange(len(classes)))
    by_place = (places or not have_names(labels)) and not set(names) & set(wanted)
    return list(range(len(names))) if by_place and len(names) == len(wanted) else None


def share_a_head(labels, classes):
    """Whether a head of these labels may predict such a target, if one of the two has `Outputs`.

    Names of classes are not numbers, but may be those of several labels in each row.
    """
    if not isinstance(classes, Outputs):
        return False
    if isinstance(labels, Outputs):
        return labels.kind == classes.kind
    return classes.kind == LABELS or not have_names(labels)


def knows(labels, classes):
    """Whether a trained head of these labels predicts such a target in its units."""
    return have_names(labels) and isinstance(labels, Outputs) == isinstance(classes, Outputs)


def take_rows(network, name, rows):
    """Keep these rows of a linear layer, in this order."""
    layer = network.get_submodule(name)
    if rows == list(range(layer.out_features)):
        return
    fewer = nn.Linear(layer.in_features, len(rows), layer.bias is not None)
    fewer.load_state_dict({name: value[rows] for name, value in layer.state_dict().items()})
    network.set_submodule(name, fewer)
    if hasattr(network, "num_labels"):
        network.num_labels = network.config.num_labels = len(rows)
