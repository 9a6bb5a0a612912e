"""Modes of the modules, and optimizers: a step of training and a prediction in its middle."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn
from transformers import AutoTokenizer, BertForSequenceClassification

from sklearn_alpha import AlphaLoRANetClassifier
from tests.neural_network.conftest import make_module, make_numbers, make_texts

TEXTS, LABELS = make_texts(24)


class Watch(Callback):
    """The modules' modes after each step; after every other step it changes the mode."""

    def __init__(self):
        self.modes = []

    def on_batch_end(self, net, training=False, **kwargs):
        if not training or not net.fitting_:
            return
        self.modes.append({m.training for m in net.module_.modules()})
        if len(self.modes) % 2:
            net.module_.eval()


def dropping_bert(folder, dropout=0.1):
    """The tiny BERT with dropout on attention."""
    network = BertForSequenceClassification.from_pretrained(
        folder, attention_probs_dropout_prob=dropout
    )
    return network.train()


def fitted(model, folder, **options):
    options = {"max_epochs": 2, "batch_size": 8, "random_state": 0, **options}
    net = AlphaLoRANetClassifier(
        model, tokenizer=AutoTokenizer.from_pretrained(folder), rank=2, lr=0.01, **options
    )
    return net.fit(TEXTS, LABELS)


def test_all_modules_have_one_mode(tiny_bert):
    """A step trains, dropout included, also after a prediction in its middle."""
    watch = Watch()
    net = fitted(dropping_bert(tiny_bert), tiny_bert, callbacks=[watch])
    assert len(watch.modes) == 6
    assert all(modes == {True} for modes in watch.modes)
    once = net.decision_function(TEXTS)
    assert {m.training for m in net.module_.modules()} == {False}
    np.testing.assert_array_equal(net.decision_function(TEXTS), once)


def test_mode_changed_by_hand():
    """Where the wrapped network was set aside by hand, the next change of mode reaches it."""
    X, y = make_numbers()
    module = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2))
    net = AlphaLoRANetClassifier(module, rank=2, max_epochs=1, random_state=0).fit(X, y)
    net.predict(X)
    net.module_.network.train()
    first = net.decision_function(X)
    np.testing.assert_array_equal(net.decision_function(X), first)


@pytest.mark.parametrize("other", ["foreach", None])
def test_fused_optimizers(other):
    """The same steps as PyTorch's plain ones; another way of PyTorch's is the user's choice."""
    X, y = make_numbers()
    options = {"rank": 2, "max_epochs": 3, "batch_size": 8, "lr": 0.01, "random_state": 0}
    asked = (
        {} if other is None else {f"optimizer__{other}": True, f"alpha_optimizer__{other}": True}
    )
    plain = {"optimizer__fused": False, "alpha_optimizer__fused": False}
    net = AlphaLoRANetClassifier(make_module(), **options, **asked).fit(X, y)
    for optimizer in (net.optimizer_, net.alpha_optimizer_):
        assert optimizer.defaults["fused"] == (other is None)
    expected = AlphaLoRANetClassifier(make_module(), **options, **plain).fit(X, y)
    np.testing.assert_allclose(
        net.decision_function(X), expected.decision_function(X), rtol=1e-4, atol=1e-5
    )


def test_another_optimizer_is_as_it_comes():
    X, y = make_numbers()
    options = {"optimizer": torch.optim.SGD, "rank": 2, "max_epochs": 1, "random_state": 0}
    net = AlphaLoRANetClassifier(make_module(), **options).fit(X, y)
    assert not net.optimizer_.defaults["fused"]
