"""Validation rows: their loss is on the scale of the training loss."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import predefined_split
from torch import nn

from sklearn_alpha import AlphaLoRANetClassifier
from tests.neural_network.conftest import make_module, make_numbers

X, Y = make_numbers(60, n_classes=3)
KEPT = np.flatnonzero((Y != 2) | (np.arange(60) % 3 == 0))  # classes of different sizes
X, Y = X[KEPT], Y[KEPT]
WEIGHTS = np.random.default_rng(0).uniform(0.1, 5, size=len(Y))
# Nothing moves, so that the training loss of each step is that of the network at the end.
STILL = {"rank": 2, "batch_size": 8, "lr": 0.0, "alpha_lr": 0.0, "max_epochs": 2}
STILL |= {"random_state": 0, "callbacks__linear_probe": None, "callbacks__anchor": None}


def net(**options):
    return AlphaLoRANetClassifier(make_module(n_out=3), **{**STILL, **options})


def losses(fitted, rows):
    logits = torch.cat(list(fitted.forward_iter(X[rows])))
    return nn.functional.cross_entropy(logits, torch.tensor(Y[rows]), reduction="none").numpy()


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 1.0, 1: 5.0, 2: 0.2}])
def test_losses_of_the_same_rows_are_equal(class_weight):
    split = predefined_split(Dataset(X.astype(np.float32), Y))
    fitted = net(class_weight=class_weight, train_split=split).fit(X, Y)
    for row in fitted.history_:
        assert_allclose(row["train_loss"], row["valid_loss"], rtol=1e-6)


@pytest.mark.parametrize("alpha_split", [0.0, 0.2])
def test_both_losses_are_weighted_means(alpha_split):
    split = ValidSplit(4, stratified=True)
    fitted = net(train_split=split, alpha_split=alpha_split).fit(X, Y, sample_weight=WEIGHTS)
    _, valid = ValidSplit(4, stratified=True)(Dataset(X, Y), Y)
    parts = {"valid": valid.indices}
    if not alpha_split:  # else some rows are those of α
        parts["train"] = np.setdiff1d(np.arange(len(Y)), valid.indices)
    for name, rows in parts.items():
        expected = np.average(losses(fitted, rows), weights=WEIGHTS[rows])
        assert_allclose(fitted.history_[-1, f"{name}_loss"], expected, rtol=1e-5)


def test_weights_of_the_rows_that_are_trained_on_have_mean_one():
    fitted = net(train_split=ValidSplit(4)).fit(X, Y, sample_weight=WEIGHTS)
    rows = fitted.get_dataset(X, Y)
    rows.weights = WEIGHTS.astype(np.float32)
    for part in fitted.get_split_datasets(rows, Y):
        assert_allclose(np.mean([part[i][2] for i in range(len(part))]), 1, rtol=1e-5)
