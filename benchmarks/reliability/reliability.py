"""Unusual rows, bad chunks, threads, many fits, killed workers and saves, and damaged folders.

Each line of the table says how many tries ended how. Refused: a ValueError that says why (of a
save, an OSError), and the estimator or the folder as before. Answered: the answer of the plain
case, which is a float64 array, the same work in one thread, a stream of the same chunks, or the
net that was saved. Wrong: anything else, such as another error, another answer, or numbers that are
not finite. Where a worker is killed, Dask's own `KilledWorker` counts as refused.
"""

import os
from importlib.util import find_spec

from benchmarks._results import publish
from benchmarks._runner import run_cells
from benchmarks.reliability import _rows, _work, _workers

ROWS = {"forms": _rows.forms, "values": _rows.values, "stream": _rows.stream}
WORK = {"threads": _work.threads, "memory": _work.memory}


def add_arguments(parser):
    """Add the number of kills."""
    parser.add_argument("--kills", type=int, default=1000, help="saves that are killed")
    parser.add_argument("--no-networks", action="store_true", help="the linear half alone")


def main(args):
    """Try everything and write the table."""
    cells = [{"part": part} for part in ROWS]
    if os.name == "posix":
        cells += [{"part": part, "networks": not args.no_networks} for part in WORK]
        if find_spec("distributed"):
            cells += [{"part": "workers"}]
        if not args.no_networks:
            cells += [{"part": "killed", "n_kills": args.kills}, {"part": "full"}]
            cells += [{"part": "damaged"}, {"part": "shared_state"}]
    cells = [{"networks": False, "n_kills": 0} | cell for cell in cells]
    frame = run_cells("reliability", tries, cells, n_jobs=args.n_jobs, resume=args.resume)
    frame = frame.drop(columns=["networks", "n_kills"])
    n, wrong = frame.tried.sum(), frame.wrong.sum()
    caption = (
        f"{n} tries: {frame.refused.sum()} refused, {frame.answered.sum()} answered, {wrong} wrong."
    )
    publish(frame, "reliability", args, caption=caption, tables=tables(frame))


def tries(part, networks, n_kills):
    """The rows of one part."""
    if part in ROWS:
        return list(ROWS[part]())
    if part == "workers":
        return list(_workers.killed())
    if part in WORK:
        return list(WORK[part](import_networks() if networks else None))
    saves = import_networks()
    return list(saves.killed(n_kills) if part == "killed" else getattr(saves, part)())


def import_networks():
    """The module that needs torch."""
    import torch

    from benchmarks.reliability import _saves

    torch.set_num_threads(1)
    return _saves


def tables(frame):
    """A table for each part."""
    frame = frame.fillna({"note": ""})
    shown = ["case", "tried", "refused", "answered", "wrong", "note"]
    return {
        what: group[shown].astype(str) if group.note.any() else group[shown[:-1]].astype(str)
        for what, group in frame.groupby("what", sort=False)
    }
