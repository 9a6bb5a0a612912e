"""Benchmarks of time and memory at small sizes: they run, and leave nothing behind."""

import json
import sys
from itertools import product

import pandas as pd
import pytest

from benchmarks.__main__ import main
from benchmarks.speed import speed_linear


@pytest.mark.usefixtures("clean_cache")
def test_speed_linear(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(speed_linear, "SIZES", [(30, 8), (2000, 400)])
    monkeypatch.setattr(speed_linear, "SWEEPS", {"n": [30, 500], "gammas": [2]})
    monkeypatch.setattr(speed_linear, "BASE", speed_linear.BASE | {"n": 40, "p": 6})
    real = speed_linear.problem

    def small(n, p, classes, sources):
        return real(min(n, 40), min(p, 6), classes, sources)

    monkeypatch.setattr(speed_linear, "problem", small)
    main(["speed-linear", "--repeats", "1", "--out", str(tmp_path)])
    out = capsys.readouterr().out
    for method in ("default", "published way", "GridSearchCV", "alpha_path"):
        assert method in out
    assert "CPU time of the default, ns: " in out
    names = {path.name for path in (tmp_path / "speed-linear").iterdir()}
    assert names == {"results.csv", "meta.json", "table.md", "figure.png"}


def test_cost_model_finds_the_coefficients_of_costs_that_follow_it():
    sizes = product([50, 200, 3000], [20, 100, 500], [2, 5], [0, 3])
    frame = pd.DataFrame(sizes, columns=["n", "p", "classes", "sources"])
    m, outputs = frame[["n", "p"]].min(axis=1), frame.classes.where(frame.classes > 2, 1)
    frame["seconds"] = 2e-3 + 3e-10 * frame.n * frame.p * m + 4e-10 * m**3
    frame["seconds"] += 5e-10 * frame.n.clip(upper=1000) * m**2
    frame["seconds"] += 6e-10 * frame.n * frame.p * outputs * (1 + frame.sources)
    text = speed_linear.cost_model(frame.assign(method=speed_linear.DEFAULT))
    for term in (
        "2e+06 · 1 ",
        "0.3 · n p min",
        "0.4 · min(n, p)³",
        "0.5 · min(n, 1000)",
        "0.6 · n p",
    ):
        assert term in text
    assert text.endswith("Median relative error 0%.")


def test_array_api(tmp_path, capsys, monkeypatch):
    torch = pytest.importorskip("torch")
    for name in ("cuda", "xpu"):
        monkeypatch.setattr(getattr(torch, name), "is_available", lambda: False)
    main(["array-api", "--out", str(tmp_path)])
    assert capsys.readouterr().out.startswith("Nothing was run: there is no GPU; --cpu runs ")
    assert not any(tmp_path.iterdir())
    options = ["--cpu", "--rows", "60", "--features", "5", "--repeats", "1"]
    main(["array-api", *options, "--out", str(tmp_path)])
    table = pd.read_csv(tmp_path / "array-api" / "results.csv").set_index("what")
    assert list(table["× double"] > 0) == [True] * 4
    assert "60 × 5, cpu" in capsys.readouterr().out


def test_stream(tmp_path, capsys):
    sizes = ["--rows", "3000", "--features", "6", "--chunk", "700", "--folder", str(tmp_path)]
    main(["stream", *sizes, "--out", str(tmp_path / "results")])
    assert "partial_fit" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"results"}  # the rows are gone
    config = json.loads((tmp_path / "results" / "stream" / "meta.json").read_text())["config"]
    assert config == {"rows": 3000, "features": 6, "chunk": 700}
    table = pd.read_csv(tmp_path / "results" / "stream" / "results.csv").set_index("what")
    assert table.value["distance from fit"] < 1e-10


def test_sparse(tmp_path, capsys):
    sizes = ["--rows", "300", "--features", "500", "--words", "20", "--middle", "60"]
    main(["sparse", *sizes, "--repeats", "1", "--out", str(tmp_path)])
    assert "sparse_cg" in capsys.readouterr().out
    results = pd.read_csv(tmp_path / "sparse" / "results.csv")
    assert (results.correlation.dropna() > 0.99).all()
    assert results.peak.count() == 2


def test_stream_without_space(tmp_path):
    with pytest.raises(SystemExit, match=r"GB are needed and .* GB free; choose another --folder"):
        main(["stream", "--rows", str(10**12), "--folder", str(tmp_path)])
    assert not any(tmp_path.iterdir())


def test_cluster(tmp_path, capsys):
    sizes = ["--rows", "3000", "--features", "6", "--chunk", "700", "--folder", str(tmp_path)]
    sizes += ["--workers", "1", "--rounds", "1"]
    main(["cluster", *sizes, "--out", str(tmp_path / "results")])
    assert "a Dask array, a cluster" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"results"}  # the rows are gone
    folder = tmp_path / "results" / "cluster"
    assert "folder" not in json.loads((folder / "meta.json").read_text())["config"]
    table = pd.read_csv(folder / "results.csv").set_index("what")
    assert table.value["distance of the coefficients"] < 1e-10
    assert len(table.value["peak of the scheduler's process, MB"]) == 3


def test_cluster_without_dask(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SystemExit, match=r"pip install 'sklearn-alpha\[dask\]'"):
        main(["cluster", "--rows", "10", "--features", "2", "--folder", str(tmp_path)])
    assert not any(tmp_path.iterdir())
