"""Cells whose rows are appended to a csv as they come; a rerun evaluates those that it lacks."""

import os
import time
from pathlib import Path

import joblib
import pandas as pd
import threadpoolctl
from tqdm import tqdm

from benchmarks._runner import _key


def append_cells(path, function, cells, columns, *, resume=True, minutes=None):
    """Evaluate ``function(**cell)`` for every cell that the file does not have yet.

    Parameters
    ----------
    path : path-like
        The csv. A row has the key of its cell, the cell's arguments and `columns`. The key covers
        the code that the function runs, so rows of other code are dropped.
    function : callable
        Importable function that returns a dict, or a list of dicts, with keys in `columns`.
    cells : list of dict
        Keyword arguments of equal names.
    columns : list of str
        What the rows hold beside the cell.
    resume : bool, default=True
        Keep the rows that the file has.
    minutes : float, optional
        No cell starts later than this; by default all cells are evaluated.

    Returns
    -------
    frame : pandas.DataFrame
        Rows of the cells that are finished, in the order of `cells`.
    """
    path, deadline = Path(path), time.monotonic() + 60 * (minutes or float("inf"))
    keys = {_key(function, cell): cell for cell in cells}
    header = ["key", *cells[0], *columns]
    kept = _whole_rows(path) if resume and path.exists() else pd.DataFrame(columns=header)
    kept = kept[kept.key.isin(keys)].reindex(columns=header)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    kept.to_csv(draft, index=False, lineterminator="\n")
    draft.replace(path)
    todo = [(name, cell) for name, cell in keys.items() if name not in set(kept.key)]
    finished = joblib.Parallel(return_as="generator_unordered", pre_dispatch="n_jobs")(
        joblib.delayed(_evaluate)(function, name, cell)
        for name, cell in todo
        if time.monotonic() < deadline
    )
    with (
        open(path, "a", encoding="utf-8", newline="") as file,
        tqdm(total=len(keys), initial=len(keys) - len(todo), desc=path.parent.name) as bar,
    ):
        for rows in finished:
            frame = pd.DataFrame(rows).reindex(columns=header)
            file.write(frame.to_csv(index=False, header=False, lineterminator="\n"))
            file.flush()
            os.fsync(file.fileno())
            bar.update()
    order = {name: place for place, name in enumerate(keys)}
    return _whole_rows(path).sort_values("key", key=lambda k: k.map(order), kind="stable")


def _whole_rows(path):
    """The rows of the file, without those of a cell that was being written when a run ended."""
    text = path.read_text("utf-8")
    end = text.rfind("\n") + 1
    frame = pd.read_csv(path, nrows=text.count("\n") - 1)
    if end < len(text):
        cut = text[end:].split(",")[0]
        last = frame.key.iloc[-1] if len(frame) else ""
        # the cut row may belong to the cell of the row before it
        frame = frame[~frame.key.isin({cut, last if last.startswith(cut) else cut})]
    return frame


def _evaluate(function, name, cell):
    with threadpoolctl.threadpool_limits(1):
        rows = function(**cell)
    rows = [rows] if isinstance(rows, dict) else rows
    return [{"key": name} | cell | row for row in rows]
