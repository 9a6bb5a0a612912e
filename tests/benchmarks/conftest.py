"""The tiny transformer of the network tests, and a place for what benchmarks keep."""

from functools import partial

import pytest

from benchmarks import _amazon_nets, _nets, _runner, alpha_rules, amazon_text, glue, rank, vision
from benchmarks._amazon_nets import reviews, source_net
from tests.neural_network.conftest import tiny_bert  # noqa: F401  (a fixture)


@pytest.fixture
def clean_cache(tmp_path, monkeypatch):
    """No cell, net or text of another run."""
    monkeypatch.setattr(_runner, "CACHE", tmp_path / "cache")
    kept = (reviews, source_net, glue.load, vision.load_task)
    for function in kept:
        function.cache_clear()
    yield
    for function in kept:
        function.cache_clear()


@pytest.fixture
def short_pretraining(clean_cache, monkeypatch):
    """Digits learned in two epochs."""
    monkeypatch.setattr(vision, "pretrain", partial(vision.pretrain, epochs=2))


@pytest.fixture
def tiny_minilm(tiny_bert, clean_cache, monkeypatch):  # noqa: F811
    """A tiny random BERT in MiniLM's place."""
    for module in (_nets, _amazon_nets, alpha_rules, amazon_text, glue, rank):
        monkeypatch.setattr(module, "minilm_path", lambda: tiny_bert)
    return tiny_bert
