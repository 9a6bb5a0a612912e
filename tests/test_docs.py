"""Every Python block in the documents runs, and every relative link has a target."""

import ast
import doctest
import importlib
import importlib.util
import inspect
import itertools
import re
from pathlib import Path

import pytest

from benchmarks.__main__ import available

ROOT = Path(__file__).parents[1]
GENERATED = {"_build", "auto_examples", "benchmarks", "generated"}  # by the build of the site
DOCS = [
    path
    for path in sorted((ROOT / "docs").rglob("*.md"))
    if not GENERATED & set(path.relative_to(ROOT / "docs").parts[:-1])
]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*/table.md"))
MODULES = [
    importlib.import_module(f"sklearn_alpha.{name}")
    for name in ("datasets", "inspection", "linear_model", "neural_network", "theory")
]
PUBLIC = {name: getattr(module, name) for module in MODULES for name in module.__all__}
TEXTS = ("README", "CHANGELOG", "CONTRIBUTING", "RELEASING", "SECURITY")
PAGES = [*(ROOT / f"{name}.md" for name in TEXTS), *DOCS]


def names(paths):
    return [path.relative_to(ROOT).as_posix() for path in paths]


@pytest.mark.parametrize("path", DOCS, ids=names(DOCS))
def test_examples(path):
    # The examples of one page are one session.
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    text = path.read_text("utf-8")
    session = doctest.DocTestParser().get_doctest(text, {}, path.name, str(path), 0)
    failures = []
    doctest.DocTestRunner(optionflags=flags, verbose=False).run(session, out=failures.append)
    assert not failures, "".join(failures)


@pytest.mark.parametrize("path", DOCS, ids=names(DOCS))
def test_python_blocks_are_sessions(path):
    # A block without prompts would not run.
    blocks = re.findall(
        r"^```python\n(.*?)^```$", path.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    assert all(block.startswith(">>> ") and block.endswith("\n\n") for block in blocks)


def anchors(page):
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=names(PAGES))
def test_links(path):
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        page = path.parent / name if name else path
        assert page.exists(), link
        assert not anchor or anchor in anchors(page), link


@pytest.fixture(autouse=True)
def no_figure_is_left():
    """Close the figures that documents and examples draw."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def test_index_is_complete():
    index = (ROOT / "docs" / "api.md").read_text("utf-8")
    blocks = re.findall(r"^   :toctree: generated\n\n((?:   \w+\n)+)", index, re.MULTILINE)
    listed = [name for block in blocks for name in block.split()]
    assert sorted(listed) == sorted(PUBLIC)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_reference_has_all_sections(name):
    public = PUBLIC[name]
    sections = set(re.findall(r"^([A-Z][\w ]+)\n-+$", inspect.getdoc(public), re.MULTILINE))
    assert "Examples" in sections
    if inspect.isclass(public):
        assert "Attributes" in sections
    elif inspect.signature(public).parameters:
        assert "Parameters" in sections
    if inspect.isfunction(public) and name != "get_alpha":  # which accepts every model
        assert "Raises" in sections
    if not name.startswith(("load_", "fetch_")):
        assert "References" in sections
        assert "::" in inspect.getdoc(public)  # the formula


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_shared_parts_of_docstrings_are_filled_in(name):
    members = vars(PUBLIC[name]).values() if inspect.isclass(PUBLIC[name]) else ()
    for documented in (PUBLIC[name], *members):
        assert not re.search(r"^ *\{\w+\}$", inspect.getdoc(documented) or "", re.MULTILINE)


@pytest.mark.parametrize("path", EXAMPLES, ids=names(EXAMPLES))
def test_gallery(path):
    # The examples run when the site is built. This test only reads them.
    text = path.read_text("utf-8")
    title, line, *_ = ast.get_docstring(ast.parse(text)).splitlines()
    assert line == "=" * len(title)
    assert "plt.show()" in text
    assert not re.search(r"\bfetch_|load_glue|https?:", text)  # they must run offline


def test_gallery_is_large_enough():
    assert len(EXAMPLES) >= 10


@pytest.mark.parametrize("path", RESULTS, ids=names(RESULTS))
def test_pages_of_results_hold_the_tables(path):
    file = ROOT / "docs" / "_ext" / "benchmark_pages.py"
    spec = importlib.util.spec_from_file_location("benchmark_pages", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = module.page(path.parent).splitlines()
    rows = [line for line in path.read_text("utf-8").splitlines() if line.startswith("|")]
    assert rows
    assert [line for line in page if line.startswith("|")] == rows
    levels = [len(line.split()[0]) for line in page if re.match("#+ ", line)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_benchmarks_are_described():
    page = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)) == set(available())
