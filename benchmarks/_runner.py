"""Run a grid of cells once (in parallel, interruptible, resumable) and write down what came out."""

import argparse
import hashlib
import json
import os
import platform
import tempfile
from contextlib import contextmanager, nullcontext
from importlib import import_module, metadata
from pathlib import Path

import joblib
import pandas as pd
import threadpoolctl
from tqdm import tqdm

import sklearn_alpha
from benchmarks._data import MissingData

RESULTS = Path(__file__).parent / "results"
CACHE = Path(__file__).parent / "cache"

# How a run was carried out changes nothing in its result, so it is no part of the configuration.
RUN_OPTIONS = ("out", "n_jobs", "backend", "resume", "command")


def add_run_arguments(parser):
    """Add the options that every benchmark shares."""
    run = parser.add_argument_group("how to run")
    run.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    run.add_argument("--n-jobs", type=int, default=1, help="cells computed at a time")
    run.add_argument("--backend", choices=("loky", "dask"), default="loky", help="joblib's backend")
    run.add_argument(
        "--fresh",
        dest="resume",
        action="store_false",
        help="compute every cell anew instead of resuming an earlier run",
    )


@contextmanager
def parallel_backend(backend, n_jobs):
    """Make joblib use `backend` with `n_jobs` workers; for dask, on a local cluster."""
    client = nullcontext() if backend == "loky" else _dask_client(n_jobs)
    with client, joblib.parallel_config(backend, n_jobs=n_jobs):
        yield


def _dask_client(n_jobs):
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingData(
            "--backend dask needs Dask: pip install 'sklearn-alpha[dask]', or use --backend loky."
        ) from error

    return Client(n_workers=n_jobs, threads_per_worker=1, dashboard_address=":0")


def version(tag, *packages):
    """Stamp a cell function with a version; cells computed under another one are not reused.

    Parameters
    ----------
    tag : int
        Raised by hand when the function's meaning changes.
    *packages : str
        Packages that decide the outcome: a change in their source is a new version.
    """

    def stamp(function):
        function.version = "-".join([str(tag), *map(source_digest, packages)])
        return function

    return stamp


def source_digest(package):
    """Short hash of the Python source of a package."""
    files = sorted(Path(import_module(package).__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def run_cells(name, function, cells, *, out=None, n_jobs=None, resume=True):
    """Evaluate ``function(**cell)`` for every cell, keeping each as soon as it is finished.

    Parameters
    ----------
    name : str
        Name of the benchmark: the folder of its kept cells.
    function : callable
        Importable function that returns a dict, or a list of dicts, of JSON values. The
        attribute `version`, if it has one (see :func:`version`), is part of a cell's key.
    cells : list of dict
        Keyword arguments, JSON values as well.
    out : path-like, optional
        Folder in which ``<name>/`` keeps the cells; ``benchmarks/cache`` by default.
    n_jobs : int, optional
        As in joblib: None is 1 unless a `joblib.parallel_config` says otherwise.
    resume : bool, default=True
        Reuse the cells kept by an earlier, perhaps interrupted, run.

    Returns
    -------
    pandas.DataFrame
        One row per dict returned, in the order of `cells`, the cell's arguments first.
    """
    folder = Path(CACHE if out is None else out) / name
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{_key(function, cell)}.json" for cell in cells]
    todo = [(c, p) for c, p in zip(cells, paths) if not (resume and p.exists())]
    finished = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
        joblib.delayed(_run_cell)(function, cell, path) for cell, path in todo
    )
    label = f"{name} ({function.__name__})"
    with tqdm(total=len(cells), initial=len(cells) - len(todo), desc=label, unit="cell") as bar:
        for _ in finished:
            bar.update()
    return pd.DataFrame(
        [cell | row for cell, path in zip(cells, paths) for row in json.loads(path.read_text())]
    )


def _key(function, cell):
    what = [function.__module__, function.__qualname__, getattr(function, "version", ""), cell]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]


def _run_cell(function, cell, path):
    # Matrices are small: cells side by side use the cores better than one cell's linear algebra.
    with threadpoolctl.threadpool_limits(1):
        rows = function(**cell)
    text = json.dumps([rows] if isinstance(rows, dict) else rows, default=lambda x: x.item())
    # The worker itself writes, under a name of its own, and renames: a run that is killed at any
    # moment leaves whole cells only.
    handle, draft = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def write_results(frame, name, *, out=RESULTS, config, table=None):
    """Write ``<out>/<name>/`` with `results.csv`, `meta.json` and `table.md`.

    Parameters
    ----------
    frame : pandas.DataFrame
        Tidy results, one observation per row.
    name : str
        Name of the folder.
    out : path-like
        Folder of all results.
    config : dict or argparse.Namespace
        What was run; options that only say how it was run are dropped, `command` is kept apart.
    table : str, optional
        The results in Markdown.

    Returns
    -------
    pathlib.Path
        The folder.
    """
    folder = Path(out) / name
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / "results.csv", index=False, float_format="%.6g", lineterminator="\n")
    config = dict(vars(config) if isinstance(config, argparse.Namespace) else config)
    meta = {
        "command": config.get("command", f"python -m benchmarks {name}"),
        "config": {key: value for key, value in config.items() if key not in RUN_OPTIONS},
        "versions": versions(),
    }
    text = json.dumps(meta, indent=2, ensure_ascii=False, default=str)
    (folder / "meta.json").write_text(text + "\n", "utf-8")
    if table is not None:
        (folder / "table.md").write_text(table.rstrip() + "\n", "utf-8")
    return folder


def versions():
    """Versions of everything that computes."""
    installed = {
        package: metadata.version(package)
        for package in ("numpy", "scipy", "scikit-learn", "joblib", "pandas")
    }
    blas = {
        f"{library['internal_api']} {library['version']}"
        for library in threadpoolctl.threadpool_info()
        if library["user_api"] == "blas"
    }
    return {
        "python": platform.python_version(),
        **installed,
        "sklearn_alpha": sklearn_alpha.__version__,
        "sklearn_alpha source": source_digest("sklearn_alpha"),
        "blas": sorted(blas),
    }
