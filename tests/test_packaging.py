"""What holds the project together: versions, extras, imports, and no trace of a machine."""

import importlib
import importlib.metadata
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import sklearn_alpha

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
ROOMS = ("datasets", "inspection", "linear_model", "neural_network", "theory")
MODULES = ["sklearn_alpha", *(f"sklearn_alpha.{room}" for room in ROOMS)]


def canonical(requirement):
    """Name of the package that a requirement asks for."""
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-").replace(".", "-")


def with_extras(extra):
    """Packages of an extra, those of the extras it names included."""
    packages = set()
    for requirement in EXTRAS[extra]:
        if inner := re.fullmatch(r"sklearn-alpha\[([\w,-]+)\]", requirement):
            packages |= {p for name in inner[1].split(",") for p in with_extras(name)}
        else:
            packages.add(canonical(requirement))
    return packages


def pins():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def tracked_files():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: there is no list of tracked files")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_version_is_that_of_the_metadata():
    assert importlib.metadata.version("sklearn-alpha") == sklearn_alpha.__version__
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {sklearn_alpha.__version__}\n" in citation


@pytest.mark.parametrize("name", MODULES)
def test_public_names_exist(name):
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, public) for public in module.__all__)


def test_hard_dependencies():
    assert {*map(canonical, PROJECT["dependencies"])} == {"numpy", "scipy", "scikit-learn"}


def test_extras():
    # The Makefile takes an environment made for the tests as one made for the benchmarks, and that
    # as one made for the demonstration.
    assert with_extras("demo") <= with_extras("bench")
    assert with_extras("bench") | with_extras("lint") <= with_extras("test")
    assert with_extras("all") == {p for extra in EXTRAS for p in with_extras(extra)}


def test_constraints_pin_every_extra():
    pinned = {*map(canonical, pins())}
    assert with_extras("all") | {*map(canonical, PROJECT["dependencies"])} <= pinned


def test_commits_are_checked_by_the_pinned_linter():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    assert set(re.findall(r"ruff==([\w.]+)", hooks)) == {pins()["ruff"]}


def test_named_extras_exist():
    sources = [*(ROOT / "sklearn_alpha").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    sources += [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "Makefile"]
    named = {
        extra
        for path in sources
        for asked in re.findall(r"(?:sklearn-alpha|\.)\[([a-z,]+)\]", path.read_text("utf-8"))
        for extra in asked.split(",")
    }
    assert {"data", "demo", "bench", "net", "test"} <= named <= set(EXTRAS)


def test_changelog_has_a_place_for_the_next_change():
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_no_path_of_a_machine():
    folders = "|".join(("home", "root", "Users", "tmp", "work", "mnt", "opt"))
    path = re.compile(
        rf"(?<![\w.~/:$>)}}-])/(?:{folders})/\w|[A-Z]:\\(?:{folders})\\", re.IGNORECASE
    )
    found = []
    for file in tracked_files():
        try:
            text = file.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{file.relative_to(ROOT)}: {match[0]}" for match in path.finditer(text)]
    assert not found


def test_no_data_is_tracked():
    # Results are kept, and Table 1 of the paper; data are not.
    data = {".mat", ".npz", ".npy", ".jsonl", ".tsv", ".review", ".zip", ".tar", ".safetensors"}
    assert not [file for file in tracked_files() if file.suffix in data]


def test_nothing_reads_a_pickle_or_runs_the_code_of_a_model():
    # What SECURITY.md promises.
    unsafe = re.compile(
        r"pickle\.loads?\b|joblib\.load|torch\.load|allow_pickle|trust_remote_code=(?!False)"
    )
    sources = sorted((ROOT / "sklearn_alpha").rglob("*.py"))
    assert not [source for source in sources if unsafe.search(source.read_text("utf-8"))]
