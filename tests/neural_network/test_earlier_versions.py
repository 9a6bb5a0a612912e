"""Nets of earlier versions load and predict what they predicted there."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from sklearn_alpha import AlphaLoRANetClassifier
from tests.neural_network.conftest import make_module

FILES = sorted(Path(__file__).parent.glob("files/*.pickle"))


@pytest.fixture(params=FILES, ids=[file.stem for file in FILES])
def kept(request):
    return pickle.loads(request.param.read_bytes())


def check(net, kept):
    """It predicts the same, is kept again, and trains on."""
    np.testing.assert_allclose(net.predict_proba(kept["X"]), kept["P"], atol=1e-6)
    again = pickle.loads(pickle.dumps(net))
    np.testing.assert_allclose(again.predict_proba(kept["X"]), kept["P"], atol=1e-6)
    net.partial_fit(kept["X"], net.predict(kept["X"]), classes=net.classes_)


def test_pickles(kept):
    check(pickle.loads(kept["pickle"]), kept)


def test_folders(kept, tmp_path):
    for name, content in kept["files"].items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    check(AlphaLoRANetClassifier.load(tmp_path, model=make_module()), kept)


def test_there_is_a_file():
    assert FILES
