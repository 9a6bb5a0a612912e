"""The benchmarks of networks, on tiny random models: they run, resume, and see no scored label."""

import json
import sys
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from benchmarks import _names
from benchmarks.__main__ import main
from benchmarks._data import amazon, files
from benchmarks._data import glue as glue_data
from benchmarks.networks import (
    _reviews,
    alpha_rules,
    amazon_text,
    glue,
    network_sources,
    rank,
    vision,
)
from benchmarks.speed import _steps, memory, overhead
from tests.neural_network.conftest import make_texts

SMALL = ["--epochs", "1", "--methods", "lora", "alpha", "head"]


@pytest.fixture
def short_pretraining(clean_cache, monkeypatch):
    """Digits learned in two epochs."""
    vision.load_task.cache_clear()
    monkeypatch.setattr(vision, "pretrain", partial(vision.pretrain, epochs=2))
    yield
    vision.load_task.cache_clear()


@pytest.fixture
def texts(tiny_minilm, monkeypatch):
    """Reviews in the words of a tiny vocabulary; the first of a target are copies."""

    def fetch(domain, **options):
        data, labels = make_texts(80, seed=len(domain))
        data[:4] = ["good film"] * 4
        groups = np.unique(data, return_inverse=True)[1]
        target = (labels == "good") * 1
        return Bunch(data=np.array(data, dtype=object), target=target, groups=groups)

    kept = (_reviews.reviews, _reviews.source_net, network_sources.source)
    for function in kept:
        function.cache_clear()
    monkeypatch.setattr(amazon, "fetch_amazon_text", fetch)
    yield
    for function in kept:
        function.cache_clear()


@pytest.fixture
def tasks(tiny_minilm, tmp_path, monkeypatch):
    """A small SST-2 and RTE."""
    for split, seed, n in (("train", 0, 60), ("dev", 1, 20)):
        data, labels = make_texts(n, seed=seed)
        for name in ("SST-2", "RTE"):
            folder = tmp_path / "glue" / name
            folder.mkdir(parents=True, exist_ok=True)
            if name == "SST-2":
                lines = [
                    "sentence\tlabel",
                    *(f"{t}\t{int(y == 'good')}" for t, y in zip(data, labels)),
                ]
            else:
                names = {"good": "entailment", "bad": "not_entailment"}
                lines = ["sentence1\tsentence2\tlabel"]
                lines += [f"{t}\tgood film\t{names[y]}" for t, y in zip(data, labels)]
            (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    monkeypatch.setenv("SKLEARN_ALPHA_DATA", str(tmp_path))


def check(folder, methods):
    assert {"results.csv", "meta.json", "table.md"} <= {path.name for path in folder.iterdir()}
    table = (folder / "table.md").read_text()
    for method in methods:
        assert f"| {method} " in table
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["config"]["packages"]["torch"]


@pytest.mark.usefixtures("texts")
def test_amazon_text(tmp_path, capsys):
    argv = ["amazon-text", "--n", "20", "--draws", "2", "--n-source", "30", "--n-scored", "20"]
    argv += ["--tokens", "16", *SMALL, "--out", str(tmp_path)]
    main(argv)
    names = [_names.ALONE, _names.LORA, _names.ALPHA_LORA, "head only"]
    names += [f"AlphaTransferClassifier, {f}" for f in amazon_text.FEATURES.values()]
    check(tmp_path / "amazon-text", names)
    assert len(list((tmp_path / "cache" / "nets").iterdir())) == 2  # a source is trained once


@pytest.mark.usefixtures("texts")
def test_network_sources(tmp_path, capsys):
    main(
        ["network-sources", "--targets", "dvd", "--n", "20", "--draws", "2", "--n-source", "30"]
        + ["--n-scored", "20", "--tokens", "16", "--epochs", "1", "--out", str(tmp_path)]
    )
    frame = pd.read_csv(tmp_path / "network-sources" / "results.csv")
    assert len(frame) == 2 * frame.method.nunique() == 18
    assert frame.accuracy.between(0, 1).all()
    kept = frame.trained_share.dropna()
    assert len(kept) == 4
    assert kept.between(0, 1).all()


@pytest.mark.usefixtures("texts")
def test_copies_of_known_texts_are_not_scored():
    texts, _, own, scored = _reviews.draw("dvd", "books", 20, 0, 30, None)
    known = {*texts[own], *_reviews.source_rows("dvd", 30)[0]}
    assert not known & {*texts[scored]}
    assert len(own) == 20


@pytest.mark.usefixtures("tasks")
def test_glue(tmp_path, capsys):
    main(
        ["glue", "--tasks", "SST-2", "RTE", "--n", "40", "--seeds", "2", "--tokens", "16", *SMALL]
        + ["--out", str(tmp_path)]
    )
    check(tmp_path / "glue", [glue.SHARES, _names.LORA, _names.ALPHA_LORA])


@pytest.mark.usefixtures("tasks")
def test_glue_in_the_papers_setup(tmp_path, tiny_bert):
    main(
        ["glue", "--preset", "paper", "--model", tiny_bert, "--tasks", "SST-2", "--seeds", "1"]
        + ["--tokens", "16", "--epochs", "2", "--out", str(tmp_path)]
    )
    meta = json.loads((tmp_path / "glue" / "meta.json").read_text())
    assert meta["config"]["methods"] == ["lora", "alpha", "held-1", "held-10", "held-20"]
    assert meta["config"]["lr"] == [1e-4]


@pytest.mark.usefixtures("tasks")
def test_alpha_rules_of_texts(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(alpha_rules, "TOKENS", 16)
    monkeypatch.setitem(alpha_rules.TEXT, "tasks", ("SST-2",))
    main(
        ["alpha-rules", "--text", "--n", "40", "--draws", "2", "--epochs", "1"]
        + ["--out", str(tmp_path)]
    )
    check(tmp_path / "alpha-rules-text", alpha_rules.OF_TEXT)


@pytest.mark.usefixtures("short_pretraining")
def test_alpha_rules_of_digits(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(alpha_rules.DIGITS, "tasks", ("noisy",))
    main(["alpha-rules", "--n", "80", "--draws", "2", "--epochs", "1"] + ["--out", str(tmp_path)])
    check(tmp_path / "alpha-rules", alpha_rules.RULES)


@pytest.mark.usefixtures("tiny_minilm")
def test_glue_without_files(tmp_path, monkeypatch):
    monkeypatch.setenv("SKLEARN_ALPHA_DATA", str(tmp_path))
    monkeypatch.setattr(files, "SHARED", tmp_path)
    with pytest.raises(SystemExit, match="The files of RTE are not on this machine: set SKLEARN"):
        main(["glue", "--tasks", "RTE", "--out", str(tmp_path)])
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(SystemExit, match="--hub needs datasets"):
        main(["glue", "--tasks", "RTE", "--hub", "--out", str(tmp_path)])


@pytest.mark.usefixtures("tasks")
def test_no_label_of_a_dev_row_is_used(monkeypatch):
    """Whatever the labels of the dev rows, the trained net stays the same."""
    kept = []

    def record(net, X, y):
        kept.append(net.predict_proba(X))
        return {}

    monkeypatch.setattr(glue, "score_net", record)
    load = glue_data.load
    cell = {"task": "SST-2", "seed": 0, "method": "alpha", "lr": [1e-3, 1e-2], "n": 40}
    cell |= {"n_scored": None}
    cell |= {"model": "MiniLM", "tokens": 16, "hub": False, "on": "cpu", "epochs": 1}
    glue.score_method(**cell)

    def flipped(task, split, hub):
        X, y = load(task, split, hub)
        return X, 1 - y if split == "dev" else y

    monkeypatch.setattr(glue_data, "load", flipped)
    glue.score_method(**cell)
    np.testing.assert_array_equal(*kept)


@pytest.mark.usefixtures("short_pretraining")
def test_vision(tmp_path, capsys):
    main(
        ["vision", "--networks", "perceptron", "--tasks", "rotated", "new classes", "--n", "60"]
        + ["--draws", "2", "--lr", "0.01", *SMALL, "--out", str(tmp_path)]
    )
    check(tmp_path / "vision", [_names.ALONE, _names.LORA, _names.ALPHA_LORA, "head only"])
    assert (tmp_path / "vision" / "figure.png").stat().st_size > 10_000


def test_shifts():
    image = np.arange(64, dtype=np.float32)[None]
    rng = np.random.default_rng(0)
    rotated = image
    for _ in range(4):
        rotated = vision.shift(rotated, "rotated", rng)
    np.testing.assert_array_equal(rotated, image)
    many = np.zeros((4000, 64), dtype=np.float32) + 0.5
    for task, mean, deviation in (("inverted", -0.5, 0.3), ("noisy", 0.5, 1.0)):
        shifted = vision.shift(many, task, rng)
        np.testing.assert_allclose(shifted.mean(), mean, atol=4 * deviation / 506)
        np.testing.assert_allclose(shifted.std(), deviation, rtol=0.02)


@pytest.mark.usefixtures("short_pretraining")
def test_rank(tmp_path, capsys):
    main(["rank", "--ranks", "1", "4", "--draws", "2", *SMALL, "--out", str(tmp_path)])
    check(tmp_path / "rank", [_names.ALONE, _names.LORA])


@pytest.mark.usefixtures("tasks")
def test_rank_of_text(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(rank.SST2, "tokens", 16)
    main(["rank", "--text", "--ranks", "2", "--draws", "2", *SMALL, "--out", str(tmp_path)])
    check(tmp_path / "rank-text", [glue.SHARES, _names.LORA])


@pytest.mark.usefixtures("texts", "tasks")
def test_overhead(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(overhead, "MAX_LENGTH", {"SST-2": 16, "reviews": 16})
    main(
        ["overhead", "--layers", "1", "--tokens", "8", "--rounds", "2", "--rows", "32"]
        + ["--out", str(tmp_path)]
    )
    out = capsys.readouterr().out
    for way in (*_steps.WAYS, _steps.REFERENCE, "Trainer, grouped by length"):
        assert f"| {way} " in out
    table = pd.read_csv(tmp_path / "overhead" / "results.csv")
    assert (table.value > 0).all()


@pytest.mark.usefixtures("tiny_minilm")
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT's call
@pytest.mark.parametrize("way", memory.TRAINED)
def test_steps_whose_memory_is_measured(way, monkeypatch):
    for name, value in (("LAYERS", 1), ("TOKENS", 8), ("STEPS", 2)):
        monkeypatch.setattr(memory, name, value)
    memory.train(way)


def test_memory_table():
    rows = [(0, memory.NOTHING, 100.0), (0, memory.REFERENCE, 200.0), (0, memory.SAME_BATCH, 250.0)]
    table = memory.table(pd.DataFrame(rows, columns=["round", "way", "MiB"]))
    assert table["ratio to LoRA"].tolist() == ["0.500", "1.000", "1.250"]
    assert table["above what is loaded, ratio"].tolist() == ["0.000", "1.000", "1.500"]


@pytest.mark.parametrize("name", ["alpha-rules", "amazon-text", "glue", "rank", "vision"])
def test_without_torch_they_say_what_to_install(name, monkeypatch):
    for module in list(sys.modules):
        if module.startswith("benchmarks.networks."):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(SystemExit, match=r"need peft: pip install 'sklearn-alpha\[bench\]'"):
        main([name])
