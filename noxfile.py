"""Each check in its own environment: ``nox -l`` lists the checks, ``nox -s tests`` runs one.

`oldest`, `latest` and `prerelease` test other versions of the dependencies; the other sessions use
constraints.txt. Arguments after ``--`` are passed to the tool: ``nox -s tests -- tests/theory``.
"""

import filecmp
import hashlib
import os
import re
import tarfile
import tomllib
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "venv"

PROJECT = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
# The matrices are small, so that waiting BLAS threads cost more than they save.
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
ENVIRONMENT = {**THREADS, "SCIPY_ARRAY_API": "1"}
# The tests that do not need PyTorch.
WITHOUT_NETS = ["tests/linear_model", "tests/theory", "tests/datasets", "tests/test_main.py"]
# A first use of each extra; `build` installs each one alone.
USES = {
    "data": "import pooch, tqdm, sklearn_alpha.datasets",
    "plot": "import matplotlib.pyplot, sklearn_alpha",
    "dask": "import dask.array, dask.dataframe, distributed, sklearn_alpha",
    "net": "from sklearn_alpha import AlphaLoRANetClassifier",
    "onnx": "from sklearn_alpha.linear_model import register_onnx; register_onnx()",
    "demo": "import joblib, matplotlib, ot, pandas, pooch, tabulate, sklearn_alpha",
}
SMOKE = """
import numpy as np
from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.datasets import make_domain_transfer
data = make_domain_transfer(random_state=0)
model = AlphaTransferClassifier(data.X_source.mean(axis=0)).fit(data.X_target, data.y_target)
assert model.predict_proba(data.X_test).shape == (len(data.X_test), 2)
try:
    from sklearn_alpha import AlphaLoRANetClassifier
except ImportError as error:
    assert "pip install 'sklearn-alpha[net]'" in str(error)
else:
    raise AssertionError("torch is installed in an environment without extras")
"""


def pinned(session, *packages):
    session.install("-c", "constraints.txt", *packages)


def pytest(session, *arguments):
    session.run("python", "-m", "pytest", *(session.posargs or arguments), env=ENVIRONMENT)


@nox.session
def lint(session):
    """Formatting and common errors."""
    pinned(session, *EXTRAS["lint"])
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session):
    """mypy on the public names, and the stubs compared with the code."""
    pinned(session, "-e", ".[lint,net]")
    session.run("mypy")
    options = ["--mypy-config-file", "tests/typing/stubtest.ini"]
    options += ["--allowlist", "tests/typing/allowlist.txt"]
    session.run("stubtest", "sklearn_alpha", *options)


@nox.session
def tests(session):
    """All tests, with the versions of constraints.txt."""
    pinned(session, "-e", ".[test]")
    pytest(session, "-n", "2")


@nox.session
def docs(session):
    """Build the site, with warnings as errors."""
    pinned(session, "-e", ".[docs,bench,dask]")
    session.run("sphinx-build", "-W", "-b", "html", "docs", "docs/_build/html", env=ENVIRONMENT)


@nox.session
def bench(session):
    """List the benchmarks; ``nox -s bench -- NAME`` runs one."""
    pinned(session, "-e", ".[bench]")
    session.run("python", "-m", "benchmarks", *session.posargs, env=ENVIRONMENT)


@nox.session
def coverage(session):
    """Lines and branches without a test. Fails below the bound of pyproject.toml."""
    pinned(session, "-e", ".[test]")
    pytest(session, "-n", "2", "--cov", "--cov-report=term", "--cov-report=html")


@nox.session
def mutation(session):
    """Mutation tests of `theory` and `linear_model`."""
    pinned(session, "-e", ".[test,release]")
    session.run("mutmut", "run", *session.posargs, env=ENVIRONMENT)
    session.run("mutmut", "results")


@nox.session
def build(session):
    """Build twice with identical results, and install each extra into an empty environment."""
    pinned(session, "build")
    folder = Path(session.create_tmp()).resolve()
    committed = session.run("git", "log", "-1", "--format=%ct", silent=True, external=True)
    options = {
        "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH", committed.strip()),
        "PIP_CONSTRAINT": str(Path("constraints.txt").resolve()),
    }
    first, second = folder / "first", folder / "second"
    session.run("python", "-m", "build", "--outdir", first, env=options)
    (sdist,), (wheel,) = first.glob("*.tar.gz"), first.glob("*.whl")
    # The second build is from the sdist, in another folder.
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    unpacked = folder / sdist.name.removesuffix(".tar.gz")
    session.run("python", "-m", "build", "--outdir", second, unpacked, env=options)
    for file in (sdist, wheel):
        if not filecmp.cmp(file, second / file.name, shallow=False):
            session.error(f"{file.name} differs when it is built again")
        session.log(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file}")
    for extra in [None, *USES]:
        if session.posargs and extra not in (None, *session.posargs):
            continue
        alone = folder / f"with-{extra}"
        python = alone / "bin" / "python"
        session.run("python", "-m", "venv", "--clear", alone)
        package = f"{wheel}[{extra}]" if extra else f"{wheel}"
        install = ["install", "--quiet", "-c", "constraints.txt", package]
        session.run(python, "-m", "pip", *install, external=True)
        with session.chdir(folder):  # away from the source
            session.run(python, "-c", USES.get(extra, SMOKE), external=True)
            session.run(python, "-m", "sklearn_alpha", external=True, silent=bool(extra))


def oldest_versions(*extras):
    """The lower bounds of pyproject.toml, as pins."""
    requirements = [*PROJECT["dependencies"], *(r for extra in extras for r in EXTRAS[extra])]
    ours = [r for r in requirements if not r.startswith("sklearn-alpha")]
    return [re.sub(r">=([\w.]+).*", r"==\1", requirement) for requirement in ours]


@nox.session(python="3.11")
def oldest(session):
    """All lower bounds of pyproject.toml at once, without PyTorch."""
    tools = [r for r in EXTRAS["test"] if not r.startswith("sklearn-alpha")]
    tools += ["pytest<9"]  # newer versions want a list where scikit-learn 1.6 passes an iterator
    # the newest with NumPy 1, and with column names that scikit-learn 1.6 can read
    tools += ["pyarrow<21", "polars<1.18"]
    session.install(*oldest_versions("data", "plot", "dask", "onnx", "demo"), *tools)
    session.install("--no-deps", "-e", ".")
    pytest(session, *WITHOUT_NETS)


@nox.session
def latest(session):
    """The newest releases, without PyTorch."""
    tools = [r for r in EXTRAS["test"] if not r.startswith("sklearn-alpha")]
    session.install("--upgrade", "-e", ".[dask,demo,onnx]", *tools)
    pytest(session, *WITHOUT_NETS)


@nox.session
def prerelease(session):
    """Pre-releases of NumPy, SciPy and scikit-learn, without PyTorch."""
    tools = [r for r in EXTRAS["test"] if not r.startswith("sklearn-alpha")]
    session.install("-e", ".[dask,demo,onnx]", *tools)
    session.install("--upgrade", "--pre", "numpy", "scipy", "scikit-learn")
    pytest(session, *WITHOUT_NETS)
