"""`python -m sklearn_alpha` prints versions without importing the packages."""

import importlib.metadata
import subprocess
import sys

import numpy

import sklearn_alpha
from sklearn_alpha.__main__ import packages, versions


def run(*arguments):
    """Output of a new process, and the modules that it imported."""
    command = [sys.executable, "-X", "importtime", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return result.stdout, {line.split("|")[-1].strip() for line in result.stderr.splitlines()}


def test_versions_are_printed_and_no_package_is_imported_for_it():
    printed, imported = run("-m", "sklearn_alpha")
    lines = dict(line.split(maxsplit=1) for line in printed.splitlines())
    assert lines["sklearn_alpha"] == sklearn_alpha.__version__
    assert lines["numpy"] == numpy.__version__
    assert lines["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert "torch" in lines
    _, before = run("-c", "import sklearn.linear_model")
    assert "sklearn_alpha" in imported - before
    assert not (imported - before) & {"torch", "matplotlib", "dask", "pandas", "onnx", "skops"}


def test_what_the_package_needs_comes_first_and_tools_are_left_out():
    names = packages()
    assert {*names[:3]} == {"numpy", "scipy", "scikit-learn"}
    assert {"torch", "dask", "matplotlib", "joblib"} <= {*names[3:]}
    assert not {"pytest", "sphinx", "ruff", "sklearn-alpha"} & {*names}


def test_a_package_that_is_not_there(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    monkeypatch.setattr(importlib.metadata, "requires", missing)
    found = dict(versions())
    assert found["sklearn_alpha"] == sklearn_alpha.__version__
    assert found["scikit-learn"] == found["skops"] == "not installed"
