"""GLUE tasks: what stands in a file comes out of the loader, and nothing else is accepted."""

import numpy as np
import pytest

from sklearn_alpha.datasets import load_glue_task

# File content, then texts and class numbers.
FILES = {
    "RTE": (
        'index\tsentence1\tsentence2\tlabel\n0\tA "b.\tC\tnot_entailment\n1\tD\tnull\tentailment\n',
        [('A "b.', "C"), ("D", "null")],
        [1, 0],
    ),
    "SST-2": ("sentence\tlabel\nNA\t1\nso \x85 so\t0\n", ["NA", "so \x85 so"], [1, 0]),
    "CoLA": ("x\t1\t\tHe ran.\nx\t0\t*\tRan he.\n", ["He ran.", "Ran he."], [1, 0]),
    "QQP": (
        "question1\tquestion2\tlabel\r\nWho?\tWhat?\t0\r\n",
        [("Who?", "What?")],
        [0],
    ),
    "MNLI": (
        "premise\thypothesis\tlabel\nA\tB\tneutral\nA\tC\tcontradiction\nA\tA\tentailment\n",
        [("A", "B"), ("A", "C"), ("A", "A")],
        [1, 2, 0],
    ),
}


def write(folder, text, name="train.tsv"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, "utf-8", newline="")


@pytest.mark.parametrize("name", FILES)
def test_texts_and_labels_are_those_of_the_file(name, tmp_path):
    text, data, target = FILES[name]
    write(tmp_path / "glue" / name, text)
    task = load_glue_task(name, data_home=tmp_path)
    assert task.data == data
    np.testing.assert_array_equal(task.target, target)
    assert all(label in task.DESCR for label in task.target_names)
    assert task.filename == str(tmp_path / "glue" / name / "train.tsv")


def test_folders_that_are_searched(tmp_path, monkeypatch):
    monkeypatch.setenv("SKLEARN_ALPHA_DATA", str(tmp_path))
    write(tmp_path / "QQP", FILES["QQP"][0], "subset_dev.tsv")
    assert load_glue_task("QQP", split="dev").data == FILES["QQP"][1]
    with pytest.raises(OSError, match=r"No train.tsv or subset_train.tsv of QQP in .*GLUE|glue"):
        load_glue_task("QQP")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sentence\ttag\nA\t1\n", "it has no column label"),
        ("sentence\tlabel\nA\t1\nB\n", "line 3 has 1 columns, not 2"),
        ("sentence\tlabel\nA\t2\n", "line 2 has the label '2'"),
    ],
)
def test_damaged_files(text, message, tmp_path):
    write(tmp_path / "SST-2", text)
    with pytest.raises(ValueError, match=message):
        load_glue_task("SST-2", data_home=tmp_path)


def test_other_names_and_splits():
    with pytest.raises(ValueError, match="'name' parameter"):
        load_glue_task("WNLI")
    with pytest.raises(ValueError, match="'split' parameter"):
        load_glue_task("RTE", split="test")


@pytest.mark.parametrize(
    ("name", "n_train", "n_dev"),
    [("RTE", 2490, 277), ("SST-2", 67349, 872), ("CoLA", 8551, 1043), ("QQP", 8999, 1000)],
)
def test_real_files(real, name, n_train, n_dev):
    for split, n in (("train", n_train), ("dev", n_dev)):
        task = real(load_glue_task, name, split=split)
        assert len(task.data) == len(task.target) == n
        assert set(task.target) == set(range(len(task.target_names)))
