"""The labels of a source's head: which of its rows stands for which class of the target.

Labels are compared by name. A head has no names if they are transformers' own (LABEL_0, ...); its
rows are then in the order of the sorted classes. Integers 0, 1, ... are places, unless one of
them is a name. The outputs of a regression have no labels: `Outputs` stands for them.
"""

import re

import numpy as np
from torch import nn


class Outputs:
    """What a head of a regression has in place of labels: the number of its outputs.

    Parameters
    ----------
    n_outputs : int
    """

    def __init__(self, n_outputs):
        self.n_outputs = n_outputs

    def __len__(self):
        return self.n_outputs


def labels_of(config):
    """Labels of a transformers model, in the order of its outputs, or `Outputs`."""
    if config.problem_type == "regression":
        return Outputs(config.num_labels)
    return [config.id2label.get(code, f"LABEL_{code}") for code in range(config.num_labels)]


def set_labels(config, classes):
    """Give a transformers model the names of the classes, or transformers' own for `Outputs`."""
    is_regression = isinstance(classes, Outputs)
    names = (f"LABEL_{i}" for i in range(len(classes))) if is_regression else map(str, classes)
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
        named = have_names(labels) and not isinstance(labels, Outputs)
        fits = isinstance(classes, Outputs) and not named and len(labels) == len(classes)
        return list(range(len(labels))) if fits else None
    names, wanted = ([str(label).casefold() for label in found] for found in (labels, classes))
    if len(set(names)) == len(names) and set(wanted) <= set(names):
        return [names.index(name) for name in wanted]
    places = classes.dtype.kind in "biu" and np.array_equal(classes, np.arange(len(classes)))
    by_place = (places or not have_names(labels)) and not set(names) & set(wanted)
    return list(range(len(names))) if by_place and len(names) == len(wanted) else None


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
