"""What a run writes, and the form of its tables."""

import argparse
import json

import numpy as np
import pandas as pd

from benchmarks._code import digest
from benchmarks._results import publish
from benchmarks._tables import compared, interval, number, page


def test_written_results(tmp_path, capsys):
    frame = pd.DataFrame({"n": [20, 40], "accuracy": [0.75, 1 / 3]})
    args = argparse.Namespace(
        command="python -m benchmarks digits --n 20 40", n=[20, 40], n_jobs=2, out=tmp_path
    )
    tables = {"Means": {"a": frame.map("{:.2f}".format)}}
    folder = publish(frame, "x", args, caption="Two sizes.", tables=tables, device="cpu")
    assert folder == tmp_path / "x"
    assert (folder / "results.csv").read_text() == "n,accuracy\n20,0.75\n40,0.333333\n"
    table = (folder / "table.md").read_text("utf-8")
    assert table == (
        "# x\n\nTwo sizes.\n\n## Means\n\n### a\n\n"
        "| n     | accuracy   |\n|:------|:-----------|\n| 20.00 | 0.75       |\n"
        "| 40.00 | 0.33       |\n"
    )
    assert table in capsys.readouterr().out
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["command"] == args.command
    assert meta["config"] == {"n": [20, 40], "device": "cpu"}
    assert meta["source"] == digest("benchmarks.linear.digits")
    assert {"python", "numpy", "scipy", "scikit-learn", "sklearn-alpha", "blas"} <= {
        *meta["versions"]
    }


def test_numbers():
    assert number(np.nan) == number(None) == ""
    assert compared(0.5, np.nan, np.nan, np.nan, digits=2) == "0.50"
    assert compared(0.5, 0.1, np.nan, np.nan, unit=100) == "50.0 (+10.0)"
    assert compared(0.5, -0.1, -0.2, 0.1, digits=2) == "0.50 (-0.10 [-0.20, +0.10])"


def test_an_interval_has_no_negative_zero():
    assert interval(-1e-9, -2e-9, 0.04) == "+0.0 [+0.0, +0.0]"
    assert interval(-0.06, -0.1, 1) == "-0.1 [-0.1, +1.0]"


def test_a_text_is_a_table_as_it_is():
    assert page("t", "c", {"": "| a |"}) == "# t\n\nc\n\n| a |\n"
