"""Which files a benchmark runs, what changes their hash, and which tables are older than that."""

import json

import pytest

from benchmarks import _code, _stale
from benchmarks._code import benchmark_files, digest, imported_files, module_of
from benchmarks.readme import RESULTS


def names(module):
    return {"/".join(path.parts[-3:]) for path in imported_files(module)}


def test_imported_files_of_a_benchmark():
    found = "\n".join(names("benchmarks.linear.digits"))
    for part in ("linear/digits.py", "_comparison.py", "_peers.py", "sklearn_alpha/linear_model/"):
        assert part in found
    assert "neural_network" not in found  # from the package comes one name, not all of them
    assert "sklearn_alpha/linear_model/" in "\n".join(names("benchmarks.networks.vision"))
    assert "linear_model" not in "\n".join(names("benchmarks.linear.theory_figures"))
    assert names("numpy") == set()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes modules of a package that takes the place of the two real ones."""
    monkeypatch.setattr(_code, "ROOTS", {"package": tmp_path / "package"})

    def write(**modules):
        for name, text in {"__init__": "", **modules}.items():
            path = tmp_path / "package" / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        for function in (digest, _code._imports, _code._tree, _code._hash):
            function.cache_clear()
        return digest("package.run")

    yield write
    for function in (digest, _code._imports, _code._tree, _code._hash):
        function.cache_clear()


RUN = '"""Doc."""\nfrom package import f\n\ndef run(x):\n    """Doc."""\n    return f(x)\n'
EXPORTS = "from package.a import f\nfrom .b import g\n"
A = "def f(x):\n    if x < 0:\n        raise ValueError('negative')\n    return x + 1\n"


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"run": RUN.replace("Doc.", "Another text.") + "# a comment\n"}, True),
        ({"a": A.replace("negative", "below 0")}, True),
        ({"a": "# a comment\n\n" + A.replace("    return", "    # why\n    return")}, True),
        ({"b": "def g():\n    return 2\n"}, True),  # nothing of it is imported
        ({"run": RUN.replace("from package import", "from package.a import")}, True),
        ({"a": "f = c = 0\n", "__init__": EXPORTS.replace("package.a", ".c"), "c": A}, True),
        ({"a": "from package import _docstrings\n" + A, "_docstrings": "TEXT = ''\n"}, True),
        ({"a": A.replace("x + 1", "x + 2")}, False),
        ({"a": A.replace("x < 0", "x < 1")}, False),
        ({"run": RUN.replace("return f(x)", "from package.b import g\n    return f(x)")}, False),
    ],
)
def test_hash_follows_what_is_computed(package, changed, same):
    modules = {"__init__": EXPORTS, "run": RUN, "a": A, "b": "def g():\n    return 1\n"}
    before = package(**modules)
    assert before != package(run="")
    assert (package(**modules | changed) == before) == same


def test_a_registry_in_a_package_leads_to_its_modules(package):
    modules = {"__init__": EXPORTS + "RULES = [f, g]\n", "a": A, "b": "def g():\n    return 1\n"}
    modules["run"] = "from package import RULES\n"
    before = package(**modules)
    assert package(**modules | {"b": "def g():\n    return 2\n"}) != before


def test_every_benchmark_has_a_hash():
    assert all(len(digest(module_of(name))) == 16 for name in benchmark_files())


def test_list_of_older_tables_is_up_to_date():
    text = _stale.PAGE.read_text("utf-8")
    older = _stale.older_tables(RESULTS)
    assert text == _stale.with_list(text, older), "run `python -m benchmarks --stale`"


def test_a_table_is_older_once_its_code_has_changed(tmp_path):
    folder = tmp_path / "digits"
    folder.mkdir()
    meta = {"command": "python -m benchmarks digits --n 10"}
    for source, older in ((digest("benchmarks.linear.digits"), []), ("0" * 16, ["digits"])):
        (folder / "meta.json").write_text(json.dumps(meta | {"source": source}))
        assert _stale.older_tables(tmp_path) == older
    text = f"a\n{_stale.BEGIN}\nLINKS\n{_stale.END}\nb"
    link = "[digits](../benchmarks/results/digits/table.md)."
    assert _stale.with_list(text, ["digits"]) == text.replace("LINKS", link)
    assert _stale.with_list(text, []) == text.replace("LINKS", "None.")
