"""A fit of millions of rows that come in chunks from a memory-mapped file, within O(p²) memory.

The file is written first, in single precision, and deleted at the end. One BLAS thread.
`partial_fit` takes turns, chunk by chunk, with the bare product `X.T @ X` of the same chunk: in
single precision, as in the file, and in double, in which moments must be summed to keep their
digits. CPU time counts. The peak is the largest resident set of a separate process that only reads
the stream and solves. On the first rows the stream is compared with `fit`.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import threadpoolctl

from benchmarks._results import publish
from benchmarks.speed._peak import peak, run_script
from benchmarks.speed._row_file import (
    add_file_arguments,
    check_space,
    chunks,
    read_source,
    write,
)
from sklearn_alpha import AlphaTransferClassifier

OURS, SOLUTION = "partial_fit", "the solution, once"
SINGLE, DOUBLE = "X.T @ X, single precision", "X.T @ X, double precision"
PEAK, DISTANCE = "peak of the process, MB", "distance from fit"
COMPARED = 50_000
READ_AND_SOLVE = """
import sys
import numpy as np
from benchmarks.speed._peak import peak
from sklearn_alpha import AlphaTransferClassifier

path, n, p, chunk = sys.argv[1], *map(int, sys.argv[2:])
source = np.load(path + ".source.npy")
model = AlphaTransferClassifier(source)
for start in range(0, n, chunk):
    rows = min(chunk, n - start)
    X = np.memmap(path, np.float32, "r", 4 * start * p, (rows, p))
    y = np.memmap(path + ".labels", np.int8, "r", start, (rows,))
    model.partial_fit(X, y, classes=[0, 1])
model.coef_
print(peak())
"""


def add_arguments(parser):
    """Add the sizes and the place of the file."""
    add_file_arguments(parser, rows=5_000_000)


def main(args):
    """Write the file, read it, and write down what it took."""
    peak()  # fails before any work where the peak cannot be read
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        check_space(folder, 4 * args.rows * args.features)
        path = Path(folder, "rows")
        write(path, args.rows, args.features, args.chunk)
        with threadpoolctl.threadpool_limits(1):
            frame = measure(path, args.rows, args.features, args.chunk)
    del args.folder  # a place on this machine
    values = frame.set_index("what").value
    caption = (
        f"{args.rows} rows of {args.features} features in chunks of {args.chunk}. Peak of a "
        f"process that only reads the stream: {values[PEAK]:.0f} MB. Distance from `fit` on the "
        f"first rows: {values[DISTANCE]:.1e} of the largest weight."
    )
    publish(frame, "stream", args, caption=caption, tables={"": table(frame)})


def measure(path, n, p, chunk):
    """Seconds of each way over the whole file, the peak, and the distance from `fit`."""
    model = AlphaTransferClassifier(read_source(path))
    sums = {SINGLE: np.zeros((p, p), np.float32), DOUBLE: np.zeros((p, p))}

    def fit(X, y):
        model.partial_fit(X, y, classes=[0, 1])

    def single(X, y):
        sums[SINGLE] += X.T @ X

    def double(X, y):
        X = X.astype(np.float64)
        sums[DOUBLE] += X.T @ X

    runs = [(OURS, fit), (SINGLE, single), (DOUBLE, double)]
    seconds = dict.fromkeys([OURS, SINGLE, DOUBLE], 0.0)
    for load in chunks(path, n, p, chunk):
        for name, run in runs:
            start = time.process_time()
            run(*load())
            seconds[name] += time.process_time() - start
        runs = runs[1:] + runs[:1]  # the first to read a chunk reads from the disk
    start = time.process_time()
    model.coef_  # noqa: B018
    seconds[SOLUTION] = time.process_time() - start

    bytes_held = run_script(READ_AND_SOLVE, path, n, p, chunk)
    rows = [{"what": name, "seconds": s, "rows/s": n / s} for name, s in seconds.items()]
    rows.append({"what": PEAK, "value": bytes_held / 1e6})
    rows.append({"what": DISTANCE, "value": distance(path, min(n, COMPARED), p)})
    return pd.DataFrame(rows)


def distance(path, n, p):
    """Largest difference of a coefficient from `fit`'s, over the largest coefficient."""
    (load,) = chunks(path, n, p, n)
    X, y = load()
    model = AlphaTransferClassifier(read_source(path))
    whole = model.fit(X.astype(np.float64), y).coef_  # otherwise in the precision of X
    stream = AlphaTransferClassifier(model.source)
    for part in np.array_split(np.arange(n), 7):
        stream.partial_fit(X[part], y[part], classes=[0, 1])
    return np.abs(stream.coef_ - whole).max() / np.abs(whole).max()


def table(frame):
    """Seconds, and the speed relative to the bare products."""
    timed = frame[frame.seconds.notna()]
    seconds = timed.set_index("what").seconds
    lines = pd.DataFrame(
        {
            "": timed.what,
            "CPU s": timed.seconds.map("{:.3g}".format),
            "million rows/s": (timed["rows/s"] / 1e6).map("{:.3g}".format),
            "× the speed in single": (seconds[SINGLE] / timed.seconds).map("{:.2f}".format),
            "× the speed in double": (seconds[DOUBLE] / timed.seconds).map("{:.2f}".format),
        }
    )
    lines.loc[lines[""] == SOLUTION, lines.columns[2:]] = ""
    return lines
