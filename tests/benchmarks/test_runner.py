"""Cells are computed once, whole or not at all, whatever interrupts the run."""

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from benchmarks import _runner
from benchmarks._data import MissingData
from benchmarks._runner import parallel_backend, run_cells
from benchmarks.linear import digits

CELLS = [{"i": i} for i in range(6)]


class Squares:
    """A cell function that counts its calls and stops where told."""

    def __init__(self, stop=None):
        self.__name__ = self.__qualname__ = "squares"
        self.calls, self.stop = [], stop or {}

    def __call__(self, i):
        self.calls.append(i)
        if i in self.stop:
            raise self.stop[i]
        return {"square": i * i}


def test_rows_follow_the_cells(tmp_path):
    frame = run_cells("squares", Squares(), CELLS[::-1], out=tmp_path)
    assert frame.to_dict("list") == {"i": [5, 4, 3, 2, 1, 0], "square": [25, 16, 9, 4, 1, 0]}


def test_several_rows_per_cell_and_numpy_scalars(tmp_path):
    def rows(i):
        value = pd.Series([i]).sum()  # a NumPy integer
        return [{"k": k, "value": value} for k in "ab"]

    frame = run_cells("rows", rows, CELLS[:2], out=tmp_path)
    assert frame.to_dict("list") == {"i": [0, 0, 1, 1], "k": list("abab"), "value": [0, 0, 1, 1]}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("no")], ids=repr)
def test_resume_after_an_interruption(tmp_path, error):
    interrupted, resumed = Squares({4: error}), Squares()
    with pytest.raises(type(error)):
        run_cells("squares", interrupted, CELLS, out=tmp_path)
    frame = run_cells("squares", resumed, CELLS, out=tmp_path)
    assert resumed.calls == [4, 5]
    assert frame.square.tolist() == [0, 1, 4, 9, 16, 25]


def test_nothing_is_reused_when_told_so_or_by_other_code(tmp_path, monkeypatch):
    run_cells("squares", Squares(), CELLS, out=tmp_path)
    fresh, renewed = Squares(), Squares()
    run_cells("squares", fresh, CELLS, out=tmp_path, resume=False)
    monkeypatch.setattr(_runner, "digest", lambda module: "another")
    run_cells("squares", renewed, CELLS, out=tmp_path)
    assert len(fresh.calls) == len(renewed.calls) == len(CELLS)


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        run_cells("squares", Squares(), CELLS[:1], out=tmp_path)
    assert list((tmp_path / "squares").iterdir()) == []


def test_a_killed_run_leaves_whole_cells_only(tmp_path):
    script = (
        "import sys, time\n"
        "from benchmarks._runner import run_cells\n"
        "def slow(i):\n"
        "    time.sleep(0.02)\n"
        "    return [{'value': i}] * 1000\n"
        "frame = run_cells('slow', slow, [{'i': i} for i in range(60)], out=sys.argv[1])\n"
        "print(len(frame))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("slow/*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
    process.wait()
    kept = list(tmp_path.glob("slow/*.json"))
    assert 3 <= len(kept) < 60
    assert all(len(json.loads(path.read_text())) == 1000 for path in kept)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["60000"]
    assert "slow (slow)" in done.stderr  # the progress bar


DIGITS = [{"source": "6-8", "target": "5-9", "n": 10, "seed": seed} for seed in range(3)]


def test_two_workers_change_nothing(tmp_path):
    one = run_cells("digits", digits.score, DIGITS, out=tmp_path / "one", n_jobs=1)
    two = run_cells("digits", digits.score, DIGITS, out=tmp_path / "two", n_jobs=2)
    pd.testing.assert_frame_equal(one, two)


def test_dask_changes_nothing(tmp_path):
    one = run_cells("digits", digits.score, DIGITS, out=tmp_path / "one")
    with parallel_backend("dask", 2):
        two = run_cells("digits", digits.score, DIGITS, out=tmp_path / "two")
    pd.testing.assert_frame_equal(one, two)


def test_without_dask_the_backend_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(MissingData, match=r"pip install 'sklearn-alpha\[dask\]'"),
        parallel_backend("dask", 2),
    ):
        pass
