"""Rows that validate: their losses are those of training, as means over rows of mean weight 1."""

import numpy as np
from torch.utils.data import Subset

from sklearn_alpha.neural_network._texts import EncodedRows, is_encoded


def validation_rows(net, valid):
    """Encoded rows of a dataset. Those that the user brings get the class weights of `fit`."""
    if is_encoded(valid):
        return valid
    rows = net.get_dataset(valid)
    return EncodedRows(rows.inputs, rows.codes, net.class_factors_[rows.codes])


def of_mean_one(dataset):
    """The same rows with weights of mean 1: then the mean of weighted losses is a weighted mean."""
    rows, index = flat(dataset)
    mean = rows.weights[index].mean(dtype=np.float64)
    if mean == 1:
        return dataset
    weights = (rows.weights / mean).astype(np.float32)
    return Subset(EncodedRows(rows.inputs, rows.codes, weights), index.tolist())


def flat(dataset):
    """Encoded rows, and the numbers of those that a (nested) subset holds."""
    index = np.arange(len(dataset))
    while isinstance(dataset, Subset):
        index = np.asarray(dataset.indices)[index]
        dataset = dataset.dataset
    return dataset, index
