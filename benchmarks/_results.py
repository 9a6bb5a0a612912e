"""Write down what a benchmark found, in one form for all: numbers, table, code and versions."""

import json
import platform
import shlex
from importlib import metadata
from pathlib import Path

import threadpoolctl

from benchmarks._code import digest, module_of
from benchmarks._tables import page

# How a run was carried out changes nothing in its result, so it is not part of the configuration.
RUN_OPTIONS = ("out", "n_jobs", "backend", "resume", "command")
PACKAGES = ("numpy", "scipy", "scikit-learn", "joblib", "pandas", "sklearn-alpha")


def publish(frame, name, args, *, caption, tables, **config):
    """Print the tables of a benchmark and write ``<args.out>/<name>/``.

    The folder gets `results.csv`, `table.md`, which is what is printed, and `meta.json`: the
    command, its options, the hash of the code that it ran, and versions.

    Parameters
    ----------
    frame : pandas.DataFrame
        Results, one observation per row.
    name : str
        Name of the folder.
    args : argparse.Namespace
        Options of the run, with `out` and `command`.
    caption, tables
        As :func:`benchmarks._tables.page` takes them.
    **config : JSON values
        What was run, beside the options.

    Returns
    -------
    pathlib.Path
        The folder.
    """
    folder = Path(args.out) / name
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(frame, folder / "results.csv")
    config = {k: v for k, v in vars(args).items() if k not in RUN_OPTIONS} | config
    meta = {
        "command": args.command,
        "config": config,
        "source": digest(module_of(shlex.split(args.command)[3])),
        "versions": versions(),
    }
    text = json.dumps(meta, indent=2, ensure_ascii=False, default=str)
    (folder / "meta.json").write_text(text + "\n", "utf-8")
    text = page(name, caption, tables)
    (folder / "table.md").write_text(text, "utf-8")
    print(text, f"Written to {folder}", sep="\n")
    return folder


def write_csv(frame, path):
    """Write a frame; the same numbers make the same file, compressed or not."""
    # Without a date in it.
    compression = {"method": "gzip", "mtime": 0} if path.suffix == ".gz" else None
    form = {"index": False, "float_format": "%.6g", "lineterminator": "\n"}
    frame.to_csv(path, **form, compression=compression)


def versions():
    """Versions of everything that computes."""
    blas = {
        f"{library['internal_api']} {library['version']}"
        for library in threadpoolctl.threadpool_info()
        if library["user_api"] == "blas"
    }
    return {
        "python": platform.python_version(),
        **{package: metadata.version(package) for package in PACKAGES},
        "blas": sorted(blas),
    }
