"""What a newcomer types: the list, a benchmark, its help, a benchmark without its data."""

import subprocess
import sys

import pytest

from benchmarks.__main__ import available, main
from benchmarks._data import MissingData, amazon, embeddings


def test_list_has_one_line_each_and_imports_nothing_heavy():
    script = (
        "import sys; from benchmarks.__main__ import main; main([]);"
        "assert not {'numpy', 'sklearn', 'matplotlib', 'pandas'} & set(sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lines = run.stdout.splitlines()
    names = {"amazon-table", "digits", "demo", "glue", "speed-linear", "readme"}
    assert names <= {*available()}
    for name in available():
        assert sum(line.split()[:1] == [name] for line in lines) == 1
    assert max(map(len, lines)) < 120


def test_unknown_name():
    with pytest.raises(SystemExit, match=r"no benchmark 'amazon'; choose from .*amazon-embeddings"):
        main(["amazon"])


@pytest.mark.parametrize("name", sorted(available()))
def test_help(name, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    assert "--n-jobs" in capsys.readouterr().out


@pytest.fixture
def no_amazon(clean_cache, monkeypatch):
    def fail(domain, **options):
        raise OSError("no network")

    monkeypatch.setattr(amazon, "fetch_amazon_review", fail)
    monkeypatch.setattr(amazon, "fetch_amazon_text", fail)


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


@pytest.mark.usefixtures("clean_cache")
def test_embeddings_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingData, match=r"needs torch: `pip install 'sklearn-alpha\[bench\]'"):
        embeddings.embed(["a text"])


@pytest.mark.usefixtures("no_amazon")
def test_demo_falls_back_to_the_digits(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.linear.digits.N_TRANSFERS", 2)
    main(["demo", "--out", str(tmp_path)])
    out = capsys.readouterr().out
    for method in ("target alone", "source alone", "α = 1", "α chosen"):
        assert method in out
    assert (tmp_path / "demo.png").stat().st_size < 150_000
