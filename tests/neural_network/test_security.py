"""Files of strangers: nothing in them is run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from sklearn_alpha import AlphaLoRANetClassifier

TEXTS, LABELS = ["good film", "bad film", "good book", "bad book"] * 2, [1, 0] * 4


class Attack:
    """What a pickle can do: make a file when it is read."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.fixture
def folder(tiny_bert, tmp_path):
    return Path(shutil.copytree(tiny_bert, tmp_path / "model"))


def fit(folder):
    return AlphaLoRANetClassifier(str(folder), max_epochs=1, random_state=0).fit(TEXTS, LABELS)


def test_a_pickle_in_the_place_of_weights(folder, tmp_path):
    trace = tmp_path / "trace"
    (folder / "model.safetensors").unlink()
    torch.save({"bert.embeddings": Attack(trace)}, folder / "pytorch_model.bin")
    with pytest.raises(Exception, match=r"(?i)weights.only|could not be loaded"):
        fit(folder)
    assert not trace.exists()
    torch.load(folder / "pytorch_model.bin", weights_only=False)
    assert trace.exists()  # the attack works where it is let


def custom_code(folder, trace, **changes):
    record = json.loads((folder / "config.json").read_text())
    record["auto_map"] = {
        "AutoConfig": "custom.Config",
        "AutoModelForSequenceClassification": "custom.Model",
    }
    (folder / "config.json").write_text(json.dumps({**record, **changes}))
    (folder / "custom.py").write_text(f"open({str(trace)!r}, 'w')\n")


def test_code_beside_a_model_of_transformers_is_ignored(folder, tmp_path):
    custom_code(folder, tmp_path / "trace")
    assert np.isfinite(fit(folder).predict_proba(TEXTS)).all()
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("answer", [None, "y"])
def test_a_model_that_is_code_is_refused(folder, tmp_path, monkeypatch, answer):
    """Also where transformers would ask, and a user would say yes."""
    if answer:
        monkeypatch.setattr("builtins.input", lambda *args: answer)
    custom_code(folder, tmp_path / "trace", model_type="stranger")
    with pytest.raises(OSError, match="could not be loaded"):
        fit(folder)
    assert not (tmp_path / "trace").exists()
