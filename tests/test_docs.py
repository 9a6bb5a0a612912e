"""Every Python block in the documents runs, every relative link leads somewhere."""

import doctest
import re
from pathlib import Path

import pytest

import sklearn_alpha
import sklearn_alpha.datasets
import sklearn_alpha.linear_model
import sklearn_alpha.neural_network
import sklearn_alpha.theory
from benchmarks.__main__ import available

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS]


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
    # A block without prompts would not be run.
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


def test_index_is_complete():
    modules = [
        sklearn_alpha,
        sklearn_alpha.datasets,
        sklearn_alpha.neural_network,
        sklearn_alpha.theory,
    ]
    public = {name for module in modules for name in module.__all__}
    index = (ROOT / "docs" / "api.md").read_text("utf-8")
    assert set(re.findall(r"^\| \[`(\w+)`\]", index, re.MULTILINE)) == public


def test_benchmarks_are_described():
    page = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)) == set(available())
