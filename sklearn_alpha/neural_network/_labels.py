"""The labels of a source's head: which of its rows stands for which class of the target.

Labels are compared by name. A head has no names if they are transformers' own (LABEL_0, ...); its
rows are then in the order of the sorted classes. Integers 0, 1, ... are places, unless one of
them is a name.
"""

import re

import numpy as np
from torch import nn


def labels_of(config):
    """Labels of a transformers model, in the order of its outputs."""
    return [config.id2label.get(code, f"LABEL_{code}") for code in range(config.num_labels)]


def set_labels(config, classes):
    """Give a transformers model the names of the classes."""
    labels = dict(enumerate(map(str, classes)))
    config.id2label = labels
    config.label2id = {label: code for code, label in labels.items()}


def have_names(labels):
    """Whether labels are not transformers' own."""
    return not all(re.fullmatch(r"LABEL_\d+", str(label)) for label in labels)


def aligned_rows(labels, classes):
    """The row of a head for each class, or None if some class has none.

    Parameters
    ----------
    labels : list
        Of the rows of the head.
    classes : ndarray
        Labels of the target, sorted.

    Returns
    -------
    rows : list of int, or None
    """
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
