"""The last layer for the first token alone: the same numbers, and only where nobody reads more."""

import copy
import pickle
import threading
from functools import partial

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForSequenceClassification,
    BertForTokenClassification,
    CamembertConfig,
    DebertaConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    LongformerConfig,
    MPNetConfig,
    RobertaConfig,
    XLMRobertaConfig,
)
from transformers.modeling_outputs import SequenceClassifierOutput

from sklearn_alpha import AlphaLoRANetClassifier
from sklearn_alpha.neural_network import _attention, _first_token
from sklearn_alpha.neural_network._attention import attention_with_dropout, dropout_attention
from sklearn_alpha.neural_network._first_token import (
    MARK,
    MODEL_TYPES,
    add_hook,
    only_first_token,
    remove_hook,
)
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
    "deberta": DebertaConfig(**SIZES, relative_attention=True, pos_att_type=["c2p", "p2c"]),
    "deberta-v2": DebertaV2Config(**SIZES, relative_attention=True, pos_att_type=["c2p", "p2c"]),
}
# They read more, or are built otherwise: all tokens are computed.
OTHERS = {
    "longformer": LongformerConfig(**SIZES, attention_window=4, pad_token_id=1),
    "in chunks": tiny_config(chunk_size_feed_forward=3),
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
    assert (name == "in chunks") == (model.config.model_type in MODEL_TYPES)
    expected = model(**tokens).logits
    add_hook(model)
    assert not any(m._forward_pre_hooks for m in model.modules())
    with only_first_token():
        assert torch.equal(model(**tokens).logits, expected)


class Mean(nn.Module):
    """A pooler that reads all tokens."""

    def forward(self, states):
        return states.mean(dim=1)


class Last(BertForSequenceClassification):
    """A head that reads the last token."""

    def forward(self, input_ids, attention_mask):
        states = self.bert(input_ids, attention_mask=attention_mask).last_hidden_state
        places = attention_mask.sum(dim=1) - 1
        return SequenceClassifierOutput(
            logits=self.classifier(states[torch.arange(len(states)), places])
        )


@pytest.mark.parametrize("kind", ["pooler", "model", "task"])
def test_what_a_user_has_built_is_left(kind):
    model = random_model(tiny_config())
    if kind == "pooler":
        model.bert.pooler = Mean()
    elif kind == "model":
        model = Last(tiny_config()).eval()
    else:
        model = BertForTokenClassification(tiny_config()).eval()
    tokens = some_tokens()
    expected = model(**tokens).logits
    add_hook(model)
    assert not any(m._forward_pre_hooks for m in model.modules())
    with only_first_token():
        assert torch.equal(model(**tokens).logits, expected)


class Checkpointing(Callback):
    """Turns on, at the start of a fit, that layers are computed again for their gradient."""

    def on_train_begin(self, net, **kwargs):
        for layer in net.module_.network.get_base_model().bert.encoder.layer:
            layer.gradient_checkpointing = True
            layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)


def test_layers_computed_again_for_their_gradient_are_computed_as_before(tiny_bert):
    X, y = make_texts(24)
    options = {"rank": 2, "max_epochs": 1, "batch_size": 8, "lr": 0.01, "random_state": 0}
    options |= {"callbacks__linear_probe": None}
    net = AlphaLoRANetClassifier(tiny_bert, **options, callbacks=[Checkpointing()]).fit(X, y)
    plain = AlphaLoRANetClassifier(tiny_bert, **options).fit(X, y)
    np.testing.assert_allclose(net.decision_function(X), plain.decision_function(X), atol=1e-4)


def test_a_network_by_itself_answers_for_all_tokens():
    model = random_model(tiny_config())
    add_hook(model)
    found = [model.bert(**some_tokens())]
    other = threading.Thread(target=lambda: found.append(model.bert(**some_tokens())))
    with only_first_token():  # in another thread
        other.start()
        other.join()
    assert [states.last_hidden_state.shape for states in found] == 2 * [(5, 9, 16)]


def test_the_net_uses_it_and_its_merged_model_does_not(tiny_bert):
    X, y = make_texts(24)
    options = {"rank": 2, "max_epochs": 2, "batch_size": 8, "lr": 0.01, "random_state": 0}
    net = AlphaLoRANetClassifier(tiny_bert, target_modules="all-linear", **options).fit(X, y)
    model = net.merged_model()
    seen = watched(net.module_)
    logits = net.decision_function(["a very good film"])
    names = [f"network.base_model.model.bert.encoder.layer.{i}.output" for i in (0, 1)]
    assert [seen[name] for name in names] == [6, 1]
    assert not any(m._forward_pre_hooks or MARK in vars(m) for m in model.modules())
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
    monkeypatch.setattr(_first_token, "MODEL_TYPES", ())
    plain = AlphaLoRANetClassifier(tiny_bert, **options).fit(X, y)
    assert not any(m._forward_pre_hooks for m in plain.module_.modules())
    np.testing.assert_allclose(net.decision_function(X), plain.decision_function(X), atol=1e-3)
    for name, alpha in plain.alpha_.items():
        np.testing.assert_allclose(net.alpha_[name], alpha, atol=1e-4)


def test_attention_has_one_query_there(tiny_bert, monkeypatch):
    """With D = 1 − p a step's logits and gradients are those without dropout."""
    monkeypatch.setattr(_attention, "draw_kept", lambda shape, p: torch.full(shape, 1 - p))
    queries = []
    monkeypatch.setattr(
        _attention,
        "dropout_attention",
        lambda Q, *others: queries.append(Q.shape[2]) or dropout_attention(Q, *others),
    )
    model = BertForSequenceClassification(tiny_config())
    model.config.attention_probs_dropout_prob = 0.25
    for layer in model.bert.encoder.layer:
        layer.attention.self.dropout.p = 0.25
    tokens, pull = some_tokens(), torch.linspace(-1, 1, 10).view(5, 2)
    plain = copy.deepcopy(model).eval()
    add_hook(model)
    model.get_base_model, seen = lambda: model, []
    with attention_with_dropout(model, torch.device("cpu")), only_first_token():
        for layer in model.bert.encoder.layer:
            layer.attention.self.query.register_forward_pre_hook(
                lambda module, states: seen.append(states[0].shape[1])
            )
        model.eval()(**tokens)
        logits = model.train()(**tokens).logits
    assert seen == [9, 9, 9, 1]
    assert queries == [9, 1]
    last = model.bert.encoder.layer[-1].attention.self.query
    assert len(last._forward_pre_hooks) == 1
    assert not last._forward_hooks
    expected = plain(**tokens).logits
    assert_close(logits, expected, rtol=1e-5, atol=1e-6)
    (logits * pull).sum().backward()
    (expected * pull).sum().backward()
    for one, other in zip(model.parameters(), plain.parameters(), strict=True):
        assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-6)


def test_remove_hook_leaves_others():
    model = random_model(tiny_config())
    add_hook(model)
    output = model.bert.encoder.layer[-1].attention.output
    output.register_forward_pre_hook(print)
    remove_hook(model)
    assert list(output._forward_pre_hooks.values()) == [print]
    assert not any(MARK in vars(m) for m in model.modules())
