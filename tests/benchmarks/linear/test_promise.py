"""The promise is judged by the better of source alone and target alone, on paired draws."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.__main__ import main
from benchmarks._code import imported_files
from benchmarks._data import promise as promise_data
from benchmarks._data.external import Collection
from benchmarks._data.promise import Row, load_gaussian
from benchmarks._names import ALONE
from benchmarks.linear import _promise_cells, promise
from benchmarks.linear._alternatives import OURS
from benchmarks.linear._baselines import TARGET_ALONE, confidence_bins, logistic
from tests.benchmarks.linear.test_external import make_regression


def made(data="Office-Caltech", n=1, **scores):
    """Three draws of a task; each score lists source alone, target alone and ours."""
    return pd.DataFrame(
        [
            {"data": data, "task": "a", "n": n, "seed": seed, "method": method}
            | {measure: values[i] for measure, values in scores.items()}
            for seed in range(3)
            for i, method in enumerate((ALONE, TARGET_ALONE, OURS))
        ]
    )


@pytest.mark.parametrize(
    ("scores", "data", "word"),
    [
        ({"accuracy": (0.7, 0.6, 0.696), "log_loss": (0.9, 0.5, 0.509)}, "Iris", "kept"),
        ({"accuracy": (0.7, 0.6, 0.694), "log_loss": (0.9, 0.5, 0.5)}, "Iris", "**broken**"),
        ({"accuracy": (0.7, 0.6, 0.7), "log_loss": (0.9, 0.5, 0.511)}, "Iris", "**broken**"),
        ({"mse": (100, 150, 100.4)}, "School", "kept"),
        ({"mse": (150, 100, 100.6)}, "School", "**broken**"),
    ],
)
def test_promise_is_kept_up_to_the_margin(scores, data, word):
    n = {"Iris": 50, "School": 5}[data]
    assert promise.verdicts(promise.summarise(made(data, n, **scores))).promise.tolist() == [word]


def test_differences_are_from_the_better_method_and_figures_are_judged():
    summary = promise.summarise(made(accuracy=(0.4, 0.5, 0.43), log_loss=(1.9, 2.0, 1.7)))
    rows = summary.set_index("measure")
    assert rows.best.tolist() == ["target", "source"]
    np.testing.assert_allclose(rows.from_source, [0.03, -0.2])
    np.testing.assert_allclose(rows.from_best, [-0.07, -0.2])
    asked = promise.verdicts(summary).asked[0]
    assert asked == "accuracy ≥ 44.0: **missed**; log loss ≤ 1.800: reached"
    same = made("MiniLM states of reviews", 20, accuracy=(1, 1, 1), log_loss=(0.4, 1, 0.4))
    assert promise.verdicts(promise.summarise(same)).asked[0] == "log loss ≤ 0.400: reached"


def test_every_asked_figure_has_a_size():
    for row in promise_data.ROWS.values():
        for figures in row.asked.values():
            assert len(figures) == len(row.collection.sizes)


def test_cells_of_the_baselines_know_no_rule():
    paths = {path.as_posix() for path in imported_files(_promise_cells.__name__)}
    assert not any("sklearn_alpha/linear_model" in path for path in paths)


def test_gaussian_sources():
    kinds = {kind: load_gaussian(kind, 4, "0") for kind in ("reversed", "useless", "label shift")}
    scores = {kind: p.source.score(p.X, p.y) for kind, p in kinds.items()}
    assert scores["reversed"] < 0.1 < scores["useless"] < 0.6 < scores["label shift"]
    norms = [np.linalg.norm(kinds[kind].source.coef_) for kind in ("reversed", "useless")]
    assert norms[0] == pytest.approx(norms[1])
    shares = np.sort(np.bincount(kinds["label shift"].y))
    assert 3 < shares[-1] / shares[0] < 8


def test_bins_and_a_target_with_one_class():
    P = np.array([[0.9, 0.1], [0.95, 0.05], [0.4, 0.6]])
    count, correct, confidence = confidence_bins(P, np.array([0, 1, 1]))
    assert count.sum() == 3
    assert correct.sum() == 2
    assert confidence.sum() == pytest.approx(0.9 + 0.95 + 0.6)
    assert logistic(np.eye(3), np.ones(3)).predict_proba(np.eye(3)).tolist() == [[1.0]] * 3


@pytest.mark.usefixtures("clean_cache")
def test_command(tmp_path, monkeypatch, capsys):
    numbers = Collection(lambda: ["a", "b"], lambda task: make_regression(), (5,), "rows", True)
    classes = promise_data.ROWS["Gaussian, label shift, 2 classes"].collection
    rows = {
        "School": Row(numbers, {"mse": (114,)}),
        "Gaussian": Row(classes._replace(tasks=lambda: ["0"], sizes=(8, 20)), repeats=2),
    }
    for module in (promise, promise_data, _promise_cells):
        monkeypatch.setattr(module, "ROWS", rows)
    main(["promise", "--draws", "1", "--only", *rows, "--out", str(tmp_path)])
    out = capsys.readouterr().out
    for text in ("School", "Gaussian", "20 rows", "kept", "asked", "Calibration error", "best"):
        assert text in out
    assert (tmp_path / "promise" / "figure.png").stat().st_size > 10_000
