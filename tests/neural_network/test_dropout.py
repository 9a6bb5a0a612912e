"""The closed-form start of networks with dropout, which the probe has not seen."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn
from transformers import BertTokenizerFast

from sklearn_alpha import AlphaLoRANetClassifier
from sklearn_alpha.neural_network import _dropout
from sklearn_alpha.neural_network._texts import EncodedRows

from .conftest import make_module, make_numbers, make_texts
from .test_architectures import CONFIGS, ENCODER, make_model

WIDE = {"hidden_size": 128, "embedding_size": 128, "intermediate_size": 256, "pad_token_id": 0}
DISTILBERT = {"dim": 128, "hidden_dim": 256, "pad_token_id": 0}
STILL = {"max_epochs": 1, "lr": 0.0, "alpha_lr": 0.0, "optimizer__weight_decay": 0.0}
STILL |= {"rank": 2, "random_state": 0, "callbacks__anchor": None}


def random_encoder(name):
    """128 features, dropout of 0.1, and a head of another width, which is replaced."""
    kind, options = ("Bert", ENCODER) if name == "bert" else CONFIGS[name]
    wide = DISTILBERT if name == "distilbert" else WIDE
    return make_model(kind, {**options, **wide, "num_labels": 7})


@pytest.mark.parametrize("name", ["roberta", "electra", "deberta-v2", "distilbert", "bert"])
def test_encoders_whose_features_hardly_vary(tiny_bert, name):
    """The first token is the same in all texts, so that dropout varies its features most."""
    X, y = make_texts(200)
    tokenizer = BertTokenizerFast.from_pretrained(tiny_bert, model_max_length=32)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    net = AlphaLoRANetClassifier(random_encoder(name), tokenizer=tokenizer, lr=3e-3, random_state=0)
    net.fit(X, y)
    # Steps of this size add a little to the loss of the start, which is at most log 2.
    assert net.history_[0, "train_loss"] < np.log(2) + 0.05
    assert net.score(*make_texts(200, seed=1)) > 0.9


def with_dropout(p=0.5, n_out=2):
    """A perceptron whose last hidden layer has dropout."""
    module = make_module(n_out=n_out)
    return nn.Sequential(*module[:-1], nn.Dropout(p), module[-1])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_start_is_a_rescaled_probe(n_classes):
    X, y = make_numbers(60, n_classes=n_classes)
    probe, net = (
        AlphaLoRANetClassifier(with_dropout(p, n_classes), **STILL).fit(X, y) for p in (0.0, 0.5)
    )
    assert probe.starts_at_probe_
    assert net.starts_at_probe_
    ratio = net.decision_function(X) / probe.decision_function(X)
    assert_allclose(ratio, ratio.mean(), rtol=1e-3)
    assert 0.01 < ratio.mean() < 0.99
    assert_array_equal(net.predict(X), probe.predict(X))


def test_the_factor_has_the_least_loss_of_training():
    """At the least loss its derivative is zero; a loss that falls to the end leaves c = 1."""
    X, y = make_numbers(60, n_classes=3)
    weights = np.random.default_rng(0).uniform(0.5, 2, size=60)
    net = AlphaLoRANetClassifier(with_dropout(), **STILL).fit(X, y, sample_weight=weights)
    loss = _dropout.TrainingLoss(
        net, EncodedRows(net._encode("numbers", X.astype("f")), y, weights)
    )
    logits = 20 * loss.logits(5, seed=3).double()
    assert logits.shape == (300, 3)
    c = torch.tensor(_dropout.best_factor(loss, logits), dtype=torch.float64, requires_grad=True)
    losses = nn.CrossEntropyLoss(reduction="none")(c * logits, torch.tensor(np.tile(y, 5)))
    mean = losses @ torch.tensor(np.tile(weights, 5)) / weights.sum() / 5
    assert_allclose(loss(c.detach() * logits), mean.item())
    mean.backward()
    assert 0 < c < 1
    assert abs((c * c.grad).item()) < 1e-3
    sure = nn.functional.one_hot(torch.tensor(np.tile(y, 5))).double()
    assert _dropout.best_factor(loss, sure) == 1


def test_noise_is_dropout():
    X, y = make_numbers(60)
    for p in (0.0, 0.5):
        net = AlphaLoRANetClassifier(with_dropout(p), **STILL).fit(X, y)
        rows = EncodedRows(net._encode("numbers", X.astype("f")), y)
        assert _dropout.TrainingLoss(net, rows).has_noise() == (p > 0)


def test_a_start_that_is_not_used(monkeypatch):
    """The net is then that of a fit without the probe, α included."""
    X, y = make_numbers(60)
    options = {"max_epochs": 2, "rank": 2, "random_state": 0}
    plain = AlphaLoRANetClassifier(with_dropout(), **options, callbacks__linear_probe=None)
    monkeypatch.setattr(_dropout, "best_factor", lambda loss, logits: 100.0)
    net = AlphaLoRANetClassifier(with_dropout(), **options).fit(X, y)
    assert not net.starts_at_probe_
    assert not plain.fit(X, y).starts_at_probe_
    assert_array_equal(net.decision_function(X), plain.decision_function(X))


def test_the_same_seed_gives_the_same_net(tmp_path):
    X, y = make_numbers(60)
    first, second = (
        AlphaLoRANetClassifier(with_dropout(), max_epochs=2, random_state=0).fit(X, y)
        for _ in range(2)
    )
    assert_array_equal(first.decision_function(X), second.decision_function(X))
    assert first.starts_at_probe_
    assert pickle.loads(pickle.dumps(first)).starts_at_probe_
    first.save(tmp_path / "net")
    assert AlphaLoRANetClassifier.load(tmp_path / "net", model=with_dropout()).starts_at_probe_
