"""Rates are chosen where they should be, cells are appended whole, and WiSE-FT interpolates."""

import numpy as np
import pandas as pd
import pytest

from benchmarks._names import ALONE, ALPHA_LORA
from benchmarks.networks import _wise_ft
from benchmarks.networks._appended import append_cells
from benchmarks.networks._sweeps import _compare, at_best, by_other_groups
from benchmarks.networks._training import train
from tests.neural_network.conftest import make_module, make_numbers


def frame_of(rows):
    frame = pd.DataFrame(rows, columns=["target", "method", "rate", "log_loss", "choice_log_loss"])
    return frame.assign(accuracy=-frame.log_loss, choice_accuracy=-frame.choice_log_loss)


@pytest.mark.parametrize("measure", ["accuracy", "log_loss"])
def test_best_rate_is_that_of_rows_which_choose(measure):
    frame = frame_of(
        [
            ("a", ALONE, np.nan, 0.9, np.nan),
            ("a", "LoRA", 0.1, 0.1, 0.8),
            ("a", "LoRA", 0.2, 0.7, 0.5),
            ("b", "LoRA", 0.1, 0.2, 0.3),
            ("b", "LoRA", 0.2, 0.1, 0.7),
        ]
    )
    best = at_best(frame, ["target"], measure)
    assert best.rate.dropna().tolist() == [0.2, 0.1]
    assert best.method.tolist() == [ALONE, "LoRA", "LoRA"]
    everywhere = at_best(frame.assign(all=0), ["all"], measure)
    assert everywhere.rate.dropna().tolist() == [0.1, 0.1]


def test_a_target_does_not_choose_its_own_rate():
    losses = {"a": (0.1, 0.9), "b": (0.6, 0.4), "c": (0.8, 0.5)}
    rows = [
        (target, "LoRA", rate, loss, np.nan)
        for target, pair in losses.items()
        for rate, loss in zip((1.0, 2.0), pair)
    ]
    frame = by_other_groups(frame_of(rows), "target")
    own = frame.set_index(["target", "rate"]).choice_log_loss
    np.testing.assert_allclose(own["a", 1.0], 0.7)
    np.testing.assert_allclose(own["b", 2.0], 0.7)
    for measure in ("accuracy", "log_loss"):
        chosen = at_best(frame, ["target"], measure).set_index("target").rate
        assert chosen["a"] == 2.0  # although 1 is best there
    frame.loc[frame.target == "a", "log_loss"] = 0.0
    again = by_other_groups(frame, "target").set_index(["target", "rate"]).choice_log_loss
    np.testing.assert_allclose(again["a"], own["a"])


def test_difference_is_that_of_alpha_lora():
    rows = [
        {"n": 5, "seed": seed, "method": method, "rate": 1.0, "accuracy": base + gain}
        | {"log_loss": 1 - base, "seconds": 1.0}
        for seed, base in enumerate((0.5, 0.9, 0.6))
        for method, gain in ((ALPHA_LORA, 0.02), ("LoRA", 0.0))
    ]
    frame = pd.DataFrame(rows)
    found = _compare({"accuracy": frame, "log_loss": frame}, ["n"], "seed")
    row = found.set_index("method").loc["LoRA"]
    ends = [row[f"accuracy_alpha_less{end}"] for end in ("_low", "", "_high")]
    np.testing.assert_allclose(np.array(ends, dtype=float), 0.02)
    np.testing.assert_allclose([row.accuracy, row.log_loss], [2 / 3, 1 / 3])
    assert row.accuracy_rate == row.log_loss_rate == "1"
    np.testing.assert_allclose(row.log_loss_alpha_less, 0.0)


def score(place, size):
    """Two rows, and a third column that a row of the first cell lacks."""
    CALLS.append(place)
    rows = [{"method": "x", "loss": place / 3}, {"method": "y, z", "loss": place + 0.25}]
    return rows if place else rows[0] | {"method": "first"}


CALLS = []
CELLS = [{"place": place, "size": 1} for place in range(3)]


@pytest.fixture
def file(tmp_path):
    CALLS.clear()
    return tmp_path / "new" / "draws.csv"


def run(file, cells=CELLS, **options):
    frame = append_cells(file, score, cells, ["method", "loss"], **options)
    return list(zip(frame.place, frame.method, frame.loss))


WHOLE = [(0, "first", 0.0)] + [
    row for place in (1, 2) for row in ((place, "x", place / 3), (place, "y, z", place + 0.25))
]


def test_a_rerun_evaluates_what_is_missing(file):
    assert run(file, CELLS[1:]) == WHOLE[1:]
    assert run(file) == WHOLE  # in the order of the cells
    assert CALLS == [1, 2, 0]
    assert run(file) == WHOLE
    assert CALLS == [1, 2, 0]
    assert run(file, resume=False) == WHOLE
    assert CALLS == [1, 2, 0, 0, 1, 2]


@pytest.mark.parametrize("cut", [2, 40, 70])
def test_a_cell_that_was_being_written_is_evaluated_again(file, cut):
    run(file)
    file.write_bytes(file.read_bytes()[:-cut])
    assert run(file) == WHOLE
    assert CALLS == [0, 1, 2, 2]


def test_no_cell_starts_after_the_minutes(file):
    assert run(file, minutes=1e-9) == []
    assert CALLS == []


def test_wise_ft_goes_from_the_source_to_the_fine_tuned_network():
    X, y = make_numbers(60)
    options = {"lr": 0.05, "seed": 0, "batch_size": 8}
    tuned = train("full", make_module(), X, y, max_epochs=3, **options)
    source = train("full", make_module(), X, y, max_epochs=0, **options)
    P, P_source = tuned.predict_proba(X), source.predict_proba(X)
    assert np.abs(P - P_source).max() > 0.1
    ends = _wise_ft._weights(source), _wise_ft._weights(tuned)
    for share, expected in ((0.0, P_source), (1.0, P)):
        _wise_ft._set_weights(tuned, *ends, share)
        np.testing.assert_allclose(tuned.predict_proba(X), expected, rtol=1e-5, atol=1e-6)


def test_rows_of_wise_ft():
    X, y = make_numbers(80)
    rows = _wise_ft.score_full(
        make_module(), X[:40], y[:40], X[40:], y[40:], lr=0.05, seed=0, max_epochs=2, batch_size=8
    )
    full, half, held_out = rows
    assert full["method"] == "full fine-tuning"
    assert full["seconds"] == half["seconds"] < held_out["seconds"]
    assert full["log_loss"] != half["log_loss"]
