"""Modes of the modules, and optimizers: a step of training and a prediction in its middle."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback
from skorch.dataset import ValidSplit
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


class Explodes(Callback):
    """Makes a parameter infinite in one epoch, or in none."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_batch_end(self, net, training=False, **kwargs):
        if training and len(net.history) == self.epoch:
            next(p for p in net.module_.parameters() if p.requires_grad).data.fill_(np.inf)


def same_state(a, b):
    a, b = a.module_.state_dict(), b.module_.state_dict()
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("epoch", [1, 3])
@pytest.mark.parametrize("accelerator", [None, {"cpu": True}])
def test_a_fit_that_diverges_returns_to_the_best_epoch(epoch, accelerator):
    X, y = make_numbers()
    options = {"rank": 2, "lr": 0.01, "random_state": 0, "callbacks__lr_decay": None}
    options |= {"callbacks__anchor": None}
    net = AlphaLoRANetClassifier(
        make_module(), **options, callbacks=[Explodes(epoch)], accelerator=accelerator
    )
    with pytest.warns(ConvergenceWarning, match=rf"diverged in epoch {epoch}: .* lower lr=0\.01"):
        net.fit(X, y)
    assert len(net.history) == epoch
    # the training loss falls here, so that the best epoch is the last before
    before = {"lr": 0.0, "alpha_lr": 0.0, "max_epochs": 1} if epoch == 1 else {"max_epochs": 2}
    expected = AlphaLoRANetClassifier(make_module(), **{**options, **before}).fit(X, y)
    assert same_state(net, expected)
    net.set_params(callbacks=[]).partial_fit(X, y)  # the optimizers are new
    assert np.isfinite(net.predict_proba(X)).all()


def test_a_step_size_that_is_too_large():
    X, y = make_numbers()
    options = {"rank": 2, "random_state": 0, "optimizer": torch.optim.SGD}
    options |= {"callbacks__anchor": None}
    net = AlphaLoRANetClassifier(make_module(), lr=3e38, **options)
    with pytest.warns(ConvergenceWarning, match="training diverged in epoch 1"):
        net.fit(X, y)
    assert net.score(X, y) > 0.9  # at the linear probe
    assert len(net.history) == 1


def test_the_best_epoch_is_that_of_the_validation_loss():
    X, y = make_numbers(60)
    y = np.where(np.random.default_rng(0).random(60) < 0.4, 1 - y, y)
    options = {"rank": 2, "lr": 0.1, "random_state": 0, "train_split": ValidSplit(3)}
    plain = AlphaLoRANetClassifier(make_module(), max_epochs=10, **options).fit(X, y)
    best = 1 + int(np.argmin(plain.history[:, "valid_loss"]))
    assert best < 10
    net = AlphaLoRANetClassifier(make_module(), **options, callbacks=[Explodes(10)])
    with pytest.warns(ConvergenceWarning, match=f"in its state of epoch {best};"):
        net.fit(X, y)
    logits = torch.cat(list(net.forward_iter(net.get_split_datasets(net.get_dataset(X, y), y)[1])))
    assert logits.isfinite().all()


def test_a_loss_that_is_not_finite_is_divergence_too():
    class Log(nn.CrossEntropyLoss):
        def forward(self, logits, codes):
            return super().forward(logits, codes) + np.inf

    net = AlphaLoRANetClassifier(make_module(), rank=2, random_state=0, criterion=Log)
    with pytest.warns(ConvergenceWarning, match=r"epoch 1: .* in its state before training"):
        net.fit(*make_numbers())


def test_predictions_that_mean_nothing_are_announced():
    X, y = make_numbers()
    net = AlphaLoRANetClassifier(nn.Sequential(nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 2)))
    net.set_params(max_epochs=1, random_state=0).fit(X, y)
    with torch.no_grad():
        net.module_.network.base_model.model[0].base_layer.weight.fill_(1e20)
    X[:3] = 3e38
    with pytest.warns(RuntimeWarning, match="logits of 3 of 40 rows are not finite"):
        net.predict_proba(X)


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
