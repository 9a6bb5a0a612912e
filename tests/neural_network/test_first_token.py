"""The last layer for the first token alone: the same numbers, and only where nobody reads more."""

import copy
import pickle
import threading

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    CamembertConfig,
    DistilBertConfig,
    ElectraConfig,
    MPNetConfig,
    RobertaConfig,
    XLMRobertaConfig,
)

from sklearn_alpha import AlphaLoRANetClassifier
from sklearn_alpha.neural_network import _first_token
from sklearn_alpha.neural_network._first_token import add_hook, only_first_token, remove_hook
from tests.neural_network.conftest import make_texts, tiny_config

SIZES = {
    "vocab_size": 30,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
}
READ_FIRST = {
    "bert": tiny_config(),
    "roberta": RobertaConfig(**SIZES, pad_token_id=1),
    "xlm-roberta": XLMRobertaConfig(**SIZES, pad_token_id=1),
    "camembert": CamembertConfig(**SIZES, pad_token_id=1),
    "electra": ElectraConfig(**SIZES, embedding_size=8),
}
# Built otherwise: all tokens are computed, and the logits are right.
OTHERS = {
    "distilbert": DistilBertConfig(vocab_size=30, dim=16, n_layers=2, n_heads=2, hidden_dim=16),
    "mpnet": MPNetConfig(**SIZES, pad_token_id=1),
}


def random_model(config):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoModelForSequenceClassification.from_config(config).eval()


def some_tokens(n=5, length=9):
    """Rows of which all but the first are padded."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, 20, (n, length), generator=generator)
    lengths = torch.tensor([length, 2, 4, 7, 3])
    return {
        "input_ids": ids,
        "attention_mask": (torch.arange(length) < lengths[:, None]).long(),
    }


def watched(network):
    """Tokens that each module is given or gives, by its name."""
    seen = {}
    for name, module in network.named_modules():
        module.register_forward_hook(
            lambda module, args, output, name=name: seen.__setitem__(
                name, output.shape[1] if torch.is_tensor(output) and output.ndim == 3 else None
            )
        )
    return seen


@pytest.mark.parametrize("name", READ_FIRST)
def test_same_logits_and_gradients(name):
    model, tokens = random_model(READ_FIRST[name]), some_tokens()
    cut = copy.deepcopy(model)
    add_hook(cut)
    pull = torch.linspace(-1, 1, 10).view(5, 2)
    expected = model(**tokens).logits
    with only_first_token():
        seen = watched(cut)
        logits = cut(**tokens).logits
    (expected * pull).sum().backward()
    (logits * pull).sum().backward()
    assert_close(logits, expected, rtol=1e-5, atol=1e-6)
    for one, other in zip(cut.parameters(), model.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None)
        if one.grad is not None:
            assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-6)
    layers = [seen[key] for key in seen if key.endswith(("layer.0.output", "layer.1.output"))]
    assert layers == [9, 1]


@pytest.mark.parametrize("name", OTHERS)
def test_other_architectures_are_left(name):
    model, tokens = random_model(OTHERS[name]), some_tokens()
    expected = model(**tokens).logits
    add_hook(model)
    assert not any(m._forward_pre_hooks for m in model.modules())
    with only_first_token():
        assert torch.equal(model(**tokens).logits, expected)


class Mean(nn.Module):
    """A pooler that reads all tokens."""

    def forward(self, states):
        return states.mean(dim=1)


class Last(nn.Module):
    """A pooler that reads the last one."""

    def forward(self, states):
        return states[:, -1]


@pytest.mark.parametrize("pooler", [Mean, Last])
@pytest.mark.parametrize("zero", [False, True])
def test_a_head_that_reads_more_is_left(pooler, zero):
    """Also one whose weights are zero, so that its logits do not tell."""
    model = random_model(tiny_config())
    model.bert.pooler = pooler()
    if zero:
        nn.init.zeros_(model.classifier.weight)
    add_hook(model)
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_layers_computed_again_for_their_gradient_are_left():
    model = random_model(tiny_config())
    for layer in model.bert.encoder.layer:  # as transformers' switches of several names do
        layer.gradient_checkpointing = True
    add_hook(model)
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_a_network_by_itself_answers_for_all_tokens():
    model = random_model(tiny_config())
    add_hook(model)
    for inside in (False, True):  # and another thread's predictions do not change that
        found = []
        run = threading.Thread(target=lambda found=found: found.append(model.bert(**some_tokens())))
        if inside:
            with only_first_token():
                run.start()
                run.join()
        else:
            run.start()
            run.join()
        assert found[0].last_hidden_state.shape == (5, 9, 16)


def test_the_net_uses_it_and_its_merged_model_does_not(tiny_bert):
    X, y = make_texts(24)
    options = {"rank": 2, "max_epochs": 2, "batch_size": 8, "lr": 0.01, "random_state": 0}
    net = AlphaLoRANetClassifier(tiny_bert, target_modules="all-linear", **options).fit(X, y)
    model = net.merged_model()
    seen = watched(net.module_)
    logits = net.decision_function(["a very good film"])
    names = [f"network.base_model.model.bert.encoder.layer.{i}.output" for i in (0, 1)]
    assert [seen[name] for name in names] == [6, 1]
    assert not any(m._forward_pre_hooks for m in model.modules())
    assert b"_first_token" not in pickle.dumps(model)
    tokens = AutoTokenizer.from_pretrained(tiny_bert)("a very good film", return_tensors="pt")
    with only_first_token(), torch.no_grad():
        states = model(**tokens, output_hidden_states=True)
    assert states.hidden_states[-1].shape[1] == 6
    no, yes = states.logits.numpy()[0]
    np.testing.assert_allclose(yes - no, logits, rtol=1e-4, atol=1e-5)


def test_training_is_that_of_all_tokens(tiny_bert, monkeypatch):
    """Without dropout the same numbers; adapters on all layers, those after attention too."""
    X, y = make_texts(24)
    options = {"rank": 2, "max_epochs": 2, "batch_size": 8, "lr": 0.01, "random_state": 0}
    # the weights of a random network's probe would magnify rounding
    options |= {"target_modules": "all-linear", "alpha_lr": 0.01, "callbacks__linear_probe": None}
    net = AlphaLoRANetClassifier(tiny_bert, **options).fit(X, y)
    monkeypatch.setattr(_first_token, "_others_are_not_read", lambda network, output: False)
    plain = AlphaLoRANetClassifier(tiny_bert, **options).fit(X, y)
    assert not any(m._forward_pre_hooks for m in plain.module_.modules())
    np.testing.assert_allclose(net.decision_function(X), plain.decision_function(X), atol=1e-3)
    for name, alpha in plain.alpha_.items():
        np.testing.assert_allclose(net.alpha_[name], alpha, atol=1e-4)


def test_remove_hook_leaves_others():
    model = random_model(tiny_config())
    add_hook(model)
    output = model.bert.encoder.layer[-1].attention.output
    output.register_forward_pre_hook(print)
    remove_hook(model)
    assert list(output._forward_pre_hooks.values()) == [print]
