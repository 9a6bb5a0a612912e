"""The table of reliability at a small size: it runs, and nothing in it is wrong."""

import os

import numpy as np
import pandas as pd
import pytest

from benchmarks.__main__ import main
from benchmarks.reliability import _rows, _saves, _work, _workers
from benchmarks.reliability._outcomes import ANSWERED, REFUSED, WRONG, counted, outcome


@pytest.fixture
def small(monkeypatch):
    """Less of everything."""
    monkeypatch.setattr(_work, "ROUNDS", 1)
    monkeypatch.setattr(_work, "N_FITS", 4)
    monkeypatch.setattr(_work, "GROWTH", 50.0)
    monkeypatch.setattr(_workers, "N_KILLS", 1)
    monkeypatch.setattr(_saves, "N_DAMAGES", 2)
    monkeypatch.setattr(_saves, "N_LIMITS", 4)
    for name in ("FORMS", "VALUES"):
        some = list(getattr(_rows, name).items())[::4]
        monkeypatch.setattr(_rows, name, dict(some))


@pytest.mark.skipif(os.name != "posix", reason="processes are forked and killed by signals")
@pytest.mark.usefixtures("clean_cache", "small")
def test_table(tmp_path, capsys):
    main(["reliability", "--kills", "5", "--out", str(tmp_path)])
    table = pd.read_csv(tmp_path / "reliability" / "results.csv")
    assert not table.wrong.any(), table[table.wrong > 0].to_string()
    assert (table.tried == table.refused + table.answered).all()
    killed = table[table.case.str.startswith("killed at a random moment")]
    assert list(killed.answered) == [5]
    assert "0 wrong." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("X has NaN; leave it out"), REFUSED),
        (ValueError(""), WRONG),  # it says nothing
        (IndexError("too many indices for an array"), WRONG),
        (None, ANSWERED),
    ],
)
def test_outcomes(error, expected):
    def work():
        if error is not None:
            raise error
        return 1

    assert outcome(work, lambda found: found == 1)[0] == expected
    assert outcome(lambda: 2, lambda found: found == 1) == (WRONG, "another answer")
    row = counted("rows", "one NaN", [outcome(work, lambda found: True)] * 3)
    assert row["tried"] == row[expected] == 3


def test_a_wrong_answer_is_noticed(monkeypatch):
    answers = _rows.answers
    monkeypatch.setattr(
        _rows, "answers", lambda E, X, *args, **o: answers(E, X, *args, **o) + X.dtype.itemsize
    )
    y = _rows.data()[1]
    Estimator = _rows.ESTIMATORS[0]
    assert _rows.one_form(Estimator, np.copy, "fit", y) == (ANSWERED, "")
    single = _rows.one_form(Estimator, _rows.FORMS["float32"], "fit", y)
    assert single == (WRONG, "another answer")
