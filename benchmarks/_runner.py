"""Evaluate a grid of cells, in parallel; an interrupted run continues where it stopped."""

import hashlib
import json
import os
import tempfile
from contextlib import contextmanager, nullcontext
from pathlib import Path

import joblib
import pandas as pd
import threadpoolctl
from tqdm import tqdm

from benchmarks._code import FOLDER, digest
from benchmarks._data import MissingData

CACHE = FOLDER / "cache"


def add_run_arguments(parser):
    """Add the options that every benchmark shares."""
    run = parser.add_argument_group("how to run")
    run.add_argument("--out", type=Path, default=FOLDER / "results", help="folder of the results")
    run.add_argument("--n-jobs", type=int, default=1, help="cells computed at a time")
    run.add_argument("--backend", choices=("loky", "dask"), default="loky", help="joblib's backend")
    run.add_argument(
        "--fresh",
        dest="resume",
        action="store_false",
        help="compute every cell instead of resuming an earlier run",
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


def run_cells(name, function, cells, *, out=None, n_jobs=None, resume=True):
    """Evaluate ``function(**cell)`` for every cell, keeping each as soon as it is finished.

    Parameters
    ----------
    name : str
        Name of the benchmark: the folder of its kept cells.
    function : callable
        Importable function that returns a dict, or a list of dicts, of JSON values. A change in
        the code that its module runs makes kept cells invalid.
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
    what = [function.__module__, function.__qualname__, digest(function.__module__), cell]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]


def _run_cell(function, cell, path):
    # Matrices are small: cells side by side use the cores better than one cell's linear algebra.
    with threadpoolctl.threadpool_limits(1):
        rows = function(**cell)
    text = json.dumps([rows] if isinstance(rows, dict) else rows, default=lambda x: x.item())
    # The worker writes to a name of its own and renames the file: a run that is killed at any
    # moment leaves only whole cells.
    handle, draft = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
