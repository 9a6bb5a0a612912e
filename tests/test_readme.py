"""The README's examples run as they stand there."""

import re
from pathlib import Path

import numpy as np

from benchmarks.readme import filled

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def run(block):
    namespace = {}
    exec(compile(block, str(README), "exec"), namespace)
    return namespace


def test_there_are_two():
    assert len(BLOCKS) == 2


def test_text_example(capsys, monkeypatch, amazon_text_home):
    monkeypatch.setenv("SKLEARN_ALPHA_DATA", str(amazon_text_home))
    result = run(BLOCKS[0])
    model, source, X, y, rest = (result[name] for name in ("model", "source", "X", "y", "rest"))
    assert model.score(X[rest], y[rest]) > source.score(X[rest], y[rest])
    assert str(model.alpha_) in capsys.readouterr().out


def test_theory_example(capsys):
    theory = run(BLOCKS[1])["theory"]
    # Whatever the draw of the source, its best α beats fine-tuning and the target alone.
    assert np.all(theory.accuracy(theory.optimal_alpha) >= theory.accuracy([0, 1]))
    assert f"{theory.optimal_alpha}" in capsys.readouterr().out


def test_commands_are_those_of_the_makefile():
    makefile = (README.parent / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    for target in re.findall(r"`make (\w+)", README.read_text("utf-8")):
        assert target in targets


def test_results_are_those_of_the_files():
    # `python -m benchmarks readme` writes them
    text = README.read_text("utf-8")
    assert filled(text) == text
