"""The model card of a saved net, read by the hub's own parser."""

import json
import os
import re
import shutil

import numpy as np
import pytest
from huggingface_hub import ModelCard
from sklearn.frozen import FrozenEstimator
from transformers import BertForSequenceClassification

from sklearn_alpha import AlphaLoRANetClassifier, __version__
from sklearn_alpha.neural_network._folders import CARD_IS_OURS
from tests.neural_network.conftest import make_module, make_numbers, make_texts

X, Y = make_texts(40)
NUMBERS, CODES = make_numbers(40)
OPTIONS = {"max_epochs": 1, "rank": 3, "random_state": 0, "callbacks__linear_probe": None}
HELD_OUT = {"early_stopping": True, "validation_fraction": 0.25}


def saved(net, folder):
    net.save(folder)
    return ModelCard.load(folder / "README.md")


@pytest.fixture
def no_network(monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *args: pytest.fail("a call of the network"))


@pytest.fixture(scope="module")
def net(tiny_bert):
    return AlphaLoRANetClassifier(tiny_bert, **OPTIONS, **HELD_OUT).fit(X, Y)


def test_metadata(net, tmp_path, no_network):
    data = saved(net, tmp_path).data
    assert data.library_name == "sklearn-alpha"
    assert data.pipeline_tag == "text-classification"
    assert data.tags == ["sklearn-alpha", "alpha-lora", "lora"]
    assert data.metrics == ["accuracy"]
    assert data.base_model is None  # a local folder
    assert data.license is None


def test_what_it_says(net, tmp_path, tiny_bert):
    text = saved(net, tmp_path).text
    assert '["bad", "good"]' in text
    assert f"sklearn_alpha {__version__}" in text
    assert "rank 3 on 4 layers" in text
    assert f"{net.n_trainable_parameters_:,}" in text
    found = net.validation_
    assert f"| {found['accuracy']:.3f} | {found['log_loss']:.3f} |" in text
    assert "Of the 10 rows that were held out" in text
    assert tiny_bert not in text  # paths are private


def test_no_metrics_without_rows_that_were_held_out(tiny_bert, tmp_path):
    card = saved(AlphaLoRANetClassifier(tiny_bert, **OPTIONS).fit(X, Y), tmp_path)
    assert card.data.metrics is None
    assert "Metrics" not in card.text


def test_its_instructions_work(net, tmp_path, monkeypatch):
    """Every Python block runs, in its order, from the folder of the net."""
    text = saved(net, tmp_path / "net").text
    monkeypatch.chdir(tmp_path)
    names = {"folder": "net", "X": X}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)
    labels = [row["label"] for row in names["classify"](list(X))]
    assert labels == net.predict(X).tolist()


@pytest.fixture
def base_of_the_hub(tiny_bert, monkeypatch):
    """The tiny BERT under an id of the hub, as its cache would give it."""

    def load(kind, name, **options):
        return kind.from_pretrained(tiny_bert if name == "owner/tiny" else name, **options)

    monkeypatch.setattr("sklearn_alpha.neural_network._loading._from_pretrained", load)
    return "owner/tiny"


def test_a_base_model_of_the_hub(base_of_the_hub, tmp_path, no_network):
    net = AlphaLoRANetClassifier(base_of_the_hub, **OPTIONS).fit(X, Y)
    card = saved(net, tmp_path / "net")
    assert card.data.base_model == "owner/tiny"
    assert "AutoPeftModelForSequenceClassification" in card.text
    second = AlphaLoRANetClassifier(FrozenEstimator(net), **OPTIONS).fit(X, Y)
    assert saved(second, tmp_path / "second").data.base_model is None  # no weights of the hub


@pytest.mark.parametrize("where", ["config", "tokenizer", "card", "damaged card"])
def test_licence_of_the_base(tiny_bert, tmp_path, where, no_network):
    base = shutil.copytree(tiny_bert, tmp_path / "base")
    if "card" in where:
        licence = "license: apache-2.0" if where == "card" else "license: [a: b"
        (base / "README.md").write_text(f"---\n{licence}\n---\n\n# A model\n")
    else:
        file = base / {"config": "config.json", "tokenizer": "tokenizer_config.json"}[where]
        file.write_text(json.dumps({**json.loads(file.read_text()), "license": "apache-2.0"}))
    card = saved(AlphaLoRANetClassifier(base, **OPTIONS).fit(X, Y), tmp_path / "net")
    expected = None if where == "damaged card" else "apache-2.0"
    assert card.data.license == expected
    assert ("`apache-2.0`" in card.text) == (expected is not None)


def test_a_net_of_numbers(tmp_path):
    net = AlphaLoRANetClassifier(make_module(), **OPTIONS, **HELD_OUT).fit(NUMBERS, CODES)
    card = saved(net, tmp_path)
    assert card.data.pipeline_tag is None
    assert "[0, 1]" in card.text
    assert "load(folder, model=module)" in card.text
    assert "transformers" not in card.text


@pytest.mark.parametrize("labels", [("a\n---\nlicense: mit", "`|x|`"), ("```", "<b>"), ("ß", '"')])
def test_labels_of_any_kind(tmp_path, labels):
    y = np.array(labels)[CODES]
    net = AlphaLoRANetClassifier(make_module(), **OPTIONS).fit(NUMBERS, y)
    card = saved(net, tmp_path)
    assert card.data.license is None
    (block,) = re.findall(r"^```json\n(.*?)\n^```$", card.text, re.DOTALL | re.MULTILINE)
    assert json.loads(block) == sorted(labels)


def test_a_card_of_ones_own_stays(net, tmp_path):
    ours = saved(net, tmp_path).content
    again = AlphaLoRANetClassifier.load(tmp_path)
    again.early_stopping = False
    again.partial_fit(X, Y).save(tmp_path)
    card = tmp_path / "README.md"
    assert "Metrics" not in card.read_text()  # it is that of the new net
    changed = ours.replace(CARD_IS_OURS, "") + "\nMore."
    card.write_text(changed)
    net.save(tmp_path)
    assert card.read_text() == changed
    assert not list(tmp_path.rglob(".README.md"))


def test_the_card_is_not_read(net, tmp_path):
    net.save(tmp_path)
    for content in (b"", b"\xff\xfe", b"---\nlicense: [\n"):
        (tmp_path / "README.md").write_bytes(content)
        AlphaLoRANetClassifier.load(tmp_path)


def test_a_folder_of_only_what_belongs_there(net, tmp_path):
    """It can be uploaded as it is."""
    net.save(tmp_path)
    net.save(tmp_path)
    names = {path.name.partition("-")[0] for path in tmp_path.iterdir()}
    assert names == {"README.md", "alpha_lora.json", "net"}


def test_a_source_of_ones_own_is_in_the_folder(tiny_bert, tmp_path):
    model = BertForSequenceClassification.from_pretrained(tiny_bert)
    net = AlphaLoRANetClassifier(model, tokenizer=tiny_bert, **OPTIONS).fit(X, Y)
    card = saved(net, tmp_path)
    assert card.data.base_model is None
    assert {path.name.partition("-")[0] for path in tmp_path.iterdir() if path.is_dir()} == {
        "base",
        "net",
    }


# ---------------------------------------------------------------- the hub


def test_a_folder_that_was_uploaded(net, tmp_path, monkeypatch):
    """The hub's cache holds links to files."""
    net.save(tmp_path / "files")
    shutil.copytree(tmp_path / "files", tmp_path / "cache", copy_function=os.symlink)
    (tmp_path / "cache" / ".gitattributes").write_text("*.safetensors filter=lfs")
    asked = []

    def download(name):
        asked.append(name)
        return str(tmp_path / "cache")

    monkeypatch.setattr("sklearn_alpha.neural_network._hub.snapshot_download", download)
    loaded = AlphaLoRANetClassifier.load("owner/name-1.0")
    assert asked == ["owner/name-1.0"]
    np.testing.assert_array_equal(loaded.predict_proba(X), net.predict_proba(X))


def test_a_folder_comes_before_the_hub(net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sklearn_alpha.neural_network._hub.snapshot_download", pytest.fail)
    net.save("owner/name")
    assert AlphaLoRANetClassifier.load("owner/name").classes_.tolist() == ["bad", "good"]
    for path in ("no-such-folder", "./no/folder", tmp_path / "no" / "folder", "a/b/c"):
        with pytest.raises(ValueError, match="holds no net; pass a folder that `save` wrote"):
            AlphaLoRANetClassifier.load(path)


def test_a_repository_that_cannot_be_reached(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match=r"no folder 'no/such', and the .*; pass another path or id"):
        AlphaLoRANetClassifier.load("no/such")
