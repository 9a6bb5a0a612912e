"""What a newcomer types: the list, a benchmark, a benchmark without its data."""

import json
import subprocess
import sys
from itertools import product

import pandas as pd
import pytest

from benchmarks import _data, _runner, amazon_embeddings, digits, speed_linear
from benchmarks.__main__ import available, main


def test_list_has_one_line_each_and_imports_nothing_heavy():
    script = (
        "import sys; from benchmarks.__main__ import main; main([]);"
        "assert not {'numpy', 'sklearn', 'matplotlib', 'pandas'} & set(sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lines = run.stdout.splitlines()
    names = {"amazon-table", "amazon-figure", "amazon-embeddings", "digits", "demo"}
    assert names <= {*available()}
    for name in available():
        assert sum(line.split()[:1] == [name] for line in lines) == 1
    assert max(map(len, lines)) < 120


def test_unknown_name():
    with pytest.raises(SystemExit, match=r"no benchmark 'amazon'; choose from .*amazon-embeddings"):
        main(["amazon"])


@pytest.mark.parametrize("name", ["amazon-table", "amazon-figure", "amazon-embeddings"])
def test_help(name, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    assert "--n-jobs" in capsys.readouterr().out


@pytest.fixture
def nothing_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(_runner, "CACHE", tmp_path / "cache")
    for module in ("amazon_table", "amazon_embeddings"):
        loader = getattr(sys.modules.get(f"benchmarks.{module}"), "load_transfer", None)
        if hasattr(loader, "cache_clear"):
            loader.cache_clear()
    amazon_embeddings.embeddings.cache_clear()


@pytest.fixture
def no_amazon(nothing_kept, monkeypatch):
    def fail(domain, **options):
        raise OSError("no network")

    monkeypatch.setattr(_data, "fetch_amazon_review", fail)
    monkeypatch.setattr(_data, "fetch_amazon_text", fail)


@pytest.mark.usefixtures("no_amazon")
@pytest.mark.parametrize(
    "argv",
    [
        ["amazon-table"],
        ["amazon-table", "--protocol", "honest"],
        ["amazon-figure"],
        ["amazon-embeddings"],
    ],
    ids=" ".join,
)
def test_without_data_one_sentence_offers_the_digits(argv, tmp_path):
    with pytest.raises(SystemExit) as stop:
        main([*argv, "--out", str(tmp_path)])
    message = stop.value.code
    assert message.startswith("The Amazon reviews are not on this machine")
    assert "python -m benchmarks digits" in message
    assert "\n" not in message
    assert message.count(". ") == 0


@pytest.mark.usefixtures("nothing_kept")
def test_embeddings_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(_data.MissingData, match=r"needs torch: `pip install torch transformers "):
        amazon_embeddings.embed(["a text"])


@pytest.mark.usefixtures("nothing_kept")
def test_digits(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(digits, "N_TRANSFERS", 2)
    main(["digits", "--n", "10", "--draws", "2", "--out", str(tmp_path)])
    assert "chosen: blend" in capsys.readouterr().out
    folder = tmp_path / "digits"
    assert {path.name for path in folder.iterdir()} == {
        "results.csv",
        "summary.csv",
        "draws.csv.gz",
        "meta.json",
        "table.md",
    }
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["command"].startswith("python -m benchmarks digits --n 10 --draws 2")
    assert meta["config"] == {"n": [10], "draws": 2}


@pytest.mark.usefixtures("nothing_kept")
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
    for method in ("default (blend)", "published way", "GridSearchCV", "alpha_path"):
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
    text = speed_linear.cost_model(frame.assign(method=speed_linear.BLEND))
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
    assert capsys.readouterr().out.startswith("Nothing is run: no GPU is here; --cpu runs ")
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


@pytest.mark.usefixtures("no_amazon")
def test_demo_falls_back_to_the_digits(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(digits, "N_TRANSFERS", 2)
    main(["demo", "--out", str(tmp_path)])
    out = capsys.readouterr().out
    for method in ("target alone", "source alone", "α = 1", "α chosen"):
        assert method in out
    assert (tmp_path / "demo.png").stat().st_size < 150_000
