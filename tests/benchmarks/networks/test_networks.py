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
from benchmarks.networks import _digit_transfers as digit_transfers
from benchmarks.networks import _glue_methods as glue_methods
from benchmarks.networks import _review_methods as review_methods
from benchmarks.networks import _reviews, alpha_rules, amazon_text, glue
from benchmarks.networks._adapters import PLAIN_LORA
from benchmarks.speed import _steps, memory, overhead
from tests.neural_network.conftest import make_texts

SMALL = ["--epochs", "1", "--methods", "plain-lora", "alpha"]
RATES = ["--rates", "0.001", "0.01"]


@pytest.fixture
def short_pretraining(clean_cache, monkeypatch):
    """Digits learned in two epochs."""
    digit_transfers.load_task.cache_clear()
    short = partial(digit_transfers.pretrain, epochs=2)
    monkeypatch.setattr(digit_transfers, "pretrain", short)
    yield
    digit_transfers.load_task.cache_clear()


@pytest.fixture
def texts(tiny_minilm, monkeypatch):
    """Reviews in the words of a tiny vocabulary; the first of a target are copies."""

    def fetch(domain, **options):
        data, labels = make_texts(80, seed=len(domain))
        data[:4] = ["good film"] * 4
        groups = np.unique(data, return_inverse=True)[1]
        target = (labels == "good") * 1
        return Bunch(data=np.array(data, dtype=object), target=target, groups=groups)

    kept = (_reviews.reviews, _reviews.source_net, _reviews.source_model)
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


AMAZON = ["amazon-text", "--n", "20", "--n-source", "30", "--n-scored", "20", "--tokens", "16"]
AMAZON += ["--epochs", "1", "--targets", "books", "kitchen"]


@pytest.mark.usefixtures("texts")
def test_amazon_text(tmp_path, monkeypatch, capsys):
    def setfit(model, X, y, X_scored, y_scored, **options):
        return {"accuracy": 0.5, "log_loss": 0.7, "seconds": 1.0}

    for module in (amazon_text, review_methods):
        monkeypatch.setitem(module.RATES, "full", [1e-4, 1e-3])
    monkeypatch.setattr(review_methods, "score_setfit", setfit)
    monkeypatch.setattr(amazon_text, "version", lambda: "1.2.0")
    methods = ["--methods", "plain-lora", "alpha", "full", "setfit"]
    main([*AMAZON, "--draws", "2", *methods, "--out", str(tmp_path)])
    names = [_names.ALONE, "averaged sources", review_methods.CLOSED_FORM, "SetFit"]
    names += [PLAIN_LORA, _names.ALPHA_LORA, "full fine-tuning"]
    check(tmp_path / "amazon-text", [*names, "WiSE-FT, λ = ½", "WiSE-FT, λ by held-out rows"])
    assert len(list((tmp_path / "cache" / "nets").iterdir())) == 4  # a source is trained once
    for figure in ("figure", "seconds"):
        assert (tmp_path / "amazon-text" / f"{figure}.png").stat().st_size > 10_000
    assert (
        "SetFit 1.2.0: 40 batches of 8 pairs."
        in (tmp_path / "amazon-text" / "table.md").read_text()
    )


@pytest.mark.usefixtures("texts")
def test_amazon_text_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    trained = []

    def count(way, *args, **options):
        trained.append(way)
        return _reviews.train(way, *args, **options)

    monkeypatch.setattr(review_methods, "train", count)
    argv = [*AMAZON, "--methods", "alpha", "--out", str(tmp_path)]
    main([*argv, "--draws", "1"])
    assert len(trained) == 10  # two targets, five rates
    assert "SetFit is not installed." in (tmp_path / "amazon-text" / "table.md").read_text()
    main([*argv, "--draws", "2"])
    assert len(trained) == 20
    assert "books 2, kitchen 2" in (tmp_path / "amazon-text" / "table.md").read_text()


@pytest.mark.usefixtures("texts")
def test_amazon_text_needs_a_draw_of_two_targets(tmp_path):
    with pytest.raises(SystemExit, match="finish a draw of at least two of them"):
        main([*AMAZON, "--minutes", "1e-9", "--out", str(tmp_path)])


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
    texts, _, own, scored = _reviews.draw("books", 20, 0, 30, None)
    known = {*texts[own], *_reviews.source_rows("dvd", 30)[0]}
    assert not known & {*texts[scored]}
    assert len(own) == 20


@pytest.mark.usefixtures("texts")
def test_averaged_weights_of_one_source_are_its_own(monkeypatch):
    nets = {"n_source": 30, "tokens": 16, "precision": "float32"}
    monkeypatch.setattr(_reviews, "DOMAINS", ("books", "dvd"))
    net, averaged = _reviews.source_net("dvd", **nets), _reviews.averaged_net("books", **nets)
    X = _reviews.source_rows("kitchen", 20)[0]
    P = net.predict_proba(X)
    np.testing.assert_allclose(averaged.predict_proba(X), P, rtol=1e-4, atol=1e-5)
    Z, source = _reviews.states_and_source(net, X)
    np.testing.assert_allclose(source.predict_proba(Z), P, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("tasks")
def test_glue(tmp_path, capsys):
    main(
        ["glue", "--tasks", "SST-2", "RTE", "--n", "40", "--seeds", "2", "--tokens", "16", *SMALL]
        + [*RATES, "--out", str(tmp_path)]
    )
    check(tmp_path / "glue", [glue_methods.SHARES, PLAIN_LORA, _names.ALPHA_LORA])


@pytest.mark.usefixtures("tasks")
def test_glue_in_the_papers_setup(tmp_path, tiny_bert):
    main(
        ["glue", "--preset", "paper", "--model", tiny_bert, "--tasks", "SST-2", "--seeds", "1"]
        + ["--tokens", "16", "--epochs", "2", "--out", str(tmp_path)]
    )
    meta = json.loads((tmp_path / "glue" / "meta.json").read_text())
    assert meta["config"]["methods"] == ["lora", "alpha", "held-1", "held-10", "held-20"]
    assert meta["config"]["rates"] == [1e-4]


def test_all_weights_have_smaller_rates():
    assert glue.rates_of("alpha", [3e-4, 1e-2]) == [3e-4, 1e-2]
    assert glue.rates_of("full", [3e-4, 1e-2]) == [1e-5, 3e-4]


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

    monkeypatch.setattr(glue_methods, "score_net", record)
    load = glue_data.load
    cell = {"task": "SST-2", "seed": 0, "way": "alpha", "lr": 1e-3, "n": 40, "n_scored": None}
    cell |= {"model": "MiniLM", "tokens": 16, "hub": False, "on": "cpu", "epochs": 2}
    cell |= {"precision": "float32", "preset": "small"}
    glue_methods.score_way(**cell)

    def flipped(task, split, hub):
        X, y = load(task, split, hub)
        return X, 1 - y if split == "dev" else y

    monkeypatch.setattr(glue_data, "load", flipped)
    glue_methods.score_way(**cell)
    np.testing.assert_array_equal(*kept)


@pytest.mark.usefixtures("short_pretraining")
def test_vision(tmp_path, capsys):
    main(
        ["vision", "--networks", "perceptron", "--tasks", "rotated", "new classes", "--n", "60"]
        + ["--draws", "2", *SMALL, *RATES, "--out", str(tmp_path)]
    )
    names = [_names.ALONE, digit_transfers.TARGET_ALONE, PLAIN_LORA, _names.ALPHA_LORA]
    check(tmp_path / "vision", names)
    assert (tmp_path / "vision" / "figure.png").stat().st_size > 10_000


@pytest.mark.usefixtures("short_pretraining")
def test_images_that_choose_a_rate_are_not_scored(monkeypatch):
    seen = []

    def record(net, X, y, *classes):
        seen.append({row.tobytes() for row in X})
        return {"accuracy": 0.0, "log_loss": 0.0}

    monkeypatch.setattr(digit_transfers, "score_net", record)
    monkeypatch.setattr(digit_transfers, "score", record)
    cell = {"network": "perceptron", "task": "rotated", "n": 60, "lr": 0.01, "epochs": 1}
    for seed in range(2):
        digit_transfers.score_way(seed=seed, way="alpha", **cell)
    choice, scored = seen[0] | seen[2], seen[1] | seen[3]
    assert min(map(len, seen)) > 400
    assert not scored & choice


def test_shifts():
    image = np.arange(64, dtype=np.float32)[None]
    rng = np.random.default_rng(0)
    rotated = image
    for _ in range(4):
        rotated = digit_transfers.shift(rotated, "rotated", rng)
    np.testing.assert_array_equal(rotated, image)
    many = np.zeros((4000, 64), dtype=np.float32) + 0.5
    for task, mean, deviation in (("inverted", -0.5, 0.3), ("noisy", 0.5, 1.0)):
        shifted = digit_transfers.shift(many, task, rng)
        np.testing.assert_allclose(shifted.mean(), mean, atol=4 * deviation / 506)
        np.testing.assert_allclose(shifted.std(), deviation, rtol=0.02)


@pytest.mark.usefixtures("short_pretraining")
def test_rank(tmp_path, capsys):
    main(["rank", "--ranks", "1", "4", "--draws", "2", *SMALL, *RATES, "--out", str(tmp_path)])
    check(tmp_path / "rank", [PLAIN_LORA, _names.ALPHA_LORA])


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
