"""Attention with dropout: the formula and its gradient, in parts; what is left to PyTorch."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close
from transformers import AutoTokenizer, BertForSequenceClassification
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from sklearn_alpha.neural_network import _attention
from sklearn_alpha.neural_network._attention import NAME, attention, dropout_attention
from tests.neural_network.conftest import make_texts

N, HEADS, LENGTH, WIDTH = 5, 2, 7, 3
P = 0.25


@pytest.fixture
def qkv():
    generator = torch.Generator().manual_seed(0)
    shape = (N, LENGTH, HEADS, WIDTH)
    return [torch.randn(shape, generator=generator).transpose(1, 2) for _ in range(3)]


@pytest.fixture
def kept(monkeypatch):
    """D, fixed: the parts get it in turn."""
    D = (torch.arange(N * HEADS * LENGTH * LENGTH).view(N, HEADS, LENGTH, LENGTH) % 5 > 0).float()
    left = list(D)

    def draw(shape, p):
        assert shape[1:] == D.shape[1:]
        assert p == P
        return torch.stack([left.pop(0) for _ in range(shape[0])])

    monkeypatch.setattr(_attention, "draw_kept", draw)
    return D


def padded(n):
    """A mask of which the last keys of each sequence are hidden, of no sequence all."""
    lengths = LENGTH - torch.arange(n) % 4
    seen = torch.arange(LENGTH) < lengths[:, None]
    return seen[:, None, None, :].expand(n, 1, LENGTH, LENGTH)


MASKS = {
    "none": None,
    "padded": padded(N),
    "one for all": padded(3)[2:],
    "of each head": (torch.arange(HEADS * LENGTH**2).view(1, HEADS, LENGTH, LENGTH) % 3 > 0),
}


def written_out(Q, K, V, M, D, s):
    S = s * Q @ K.transpose(2, 3)
    if M is not None:
        S = S.masked_fill(~M, -np.inf)
    return (D * torch.softmax(S, dim=3)) @ V / (1 - P)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("at_once", [1, 2 * HEADS * LENGTH**2, 2**20])
def test_it_is_the_formula_and_its_gradient(mask, at_once, qkv, kept, monkeypatch):
    monkeypatch.setattr(_attention, "AT_ONCE", at_once)
    M, pull = MASKS[mask], torch.linspace(-1, 1, WIDTH)
    found, expected = ([t.clone().requires_grad_() for t in qkv] for _ in range(2))
    before = None if M is None else M.clone()
    O = dropout_attention(*found, M, 0.4, P)
    exact = written_out(*expected, M, kept, 0.4)
    assert_close(O, exact)
    (O * pull).sum().backward()
    (exact * pull).sum().backward()
    for one, other in zip(found, expected, strict=True):
        assert_close(one.grad, other.grad)
    assert M is None or torch.equal(M, before)


def test_a_query_does_not_see_what_follows_where_that_is_meant(qkv, kept):
    found, _ = attention(Module(), *qkv, None, dropout=P)
    seen = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()
    expected = written_out(*qkv, seen, kept, WIDTH**-0.5)
    assert_close(found.transpose(1, 2), expected)


class Module(torch.nn.Module):
    num_key_value_groups = 1


class Grouped(torch.nn.Module):
    """A key and value for two heads."""

    num_key_value_groups = 2


# Options; `queries` says which of Q are left.
CASES = {
    "no dropout": {"dropout": 0.0},
    "nothing kept": {"dropout": 1.0},
    "causal, fewer queries": {
        "attention_mask": None,
        "queries": (slice(None), slice(None), slice(3)),
    },
    "a mask that is added": {"attention_mask": torch.zeros(N, 1, LENGTH, LENGTH)},
    "a mask without heads": {"attention_mask": torch.ones(LENGTH, LENGTH, dtype=torch.bool)},
    "a bias of positions": {"position_bias": torch.ones(1, HEADS, LENGTH, LENGTH)},
    "double precision": {"dtype": torch.float64},
    "heads in groups": {"module": Grouped()},
    "one sequence of queries": {"queries": slice(1)},
}


@pytest.mark.parametrize("case", CASES)
def test_anything_else_is_pytorchs(case, qkv, monkeypatch):
    monkeypatch.delattr(_attention, "dropout_attention")
    options = {"attention_mask": padded(N), "dropout": P, **CASES[case]}
    dtype, module = options.pop("dtype", torch.float32), options.pop("module", Module())
    Q, K, V = (t.to(dtype) for t in qkv)
    Q = Q[options.pop("queries", slice(None))]
    if isinstance(module, Grouped):
        K, V = K[:, :1], V[:, :1]
    results = []
    for function in (attention, sdpa_attention_forward):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            results.append(function(module, Q, K, V, scaling=None, **options)[0])
    assert torch.equal(*results)


def test_a_cache_and_a_cap_are_transformers(qkv, monkeypatch):
    monkeypatch.delattr(_attention, "dropout_attention")
    asked = []
    monkeypatch.setattr(_attention, "sdpa_attention_forward", lambda *a, **k: asked.append(k))
    attention(Module(), *qkv, padded(N), dropout=P, cache=object())
    attention(Module(), *qkv, padded(N), dropout=P, softcap=30.0)
    assert [list(kwargs) for kwargs in asked] == [["cache"], ["softcap"]]


def test_autocast_is_pytorchs(qkv, monkeypatch):
    monkeypatch.delattr(_attention, "dropout_attention")
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = attention(Module(), *qkv, padded(N), dropout=P)
    assert found.dtype == torch.bfloat16


@pytest.mark.parametrize("alike", [False, True])
def test_a_model_computes_what_it_does_by_itself(alike, tiny_bert, monkeypatch):
    """With D = 1 − p it is attention without dropout; texts alike in length need no mask."""
    monkeypatch.setattr(_attention, "draw_kept", lambda shape, p: torch.full(shape, 1 - p))
    model = BertForSequenceClassification.from_pretrained(tiny_bert, attention_probs_dropout_prob=P)
    texts = ["the good film", "a bad book"] if alike else list(make_texts(6)[0])
    tokens = AutoTokenizer.from_pretrained(tiny_bert)(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = model.eval()(**tokens).logits
        model.set_attn_implementation(NAME)
        calls = []
        monkeypatch.setattr(
            _attention,
            "dropout_attention",
            lambda *arguments: calls.append(arguments) or dropout_attention(*arguments),
        )
        found = model.train()(**tokens).logits
    assert_close(found, expected)
    assert len(calls) == model.config.num_hidden_layers
