"""A fit of millions of rows that come in chunks from a memory-mapped file, within O(p²) memory.

The file is written first, in single precision, and deleted at the end. One BLAS thread.
`partial_fit` takes turns, chunk by chunk, with the bare product `X.T @ X` of the same chunk: in
single precision, as it lies in the file, and in double, as moments have to be added up if their
digits are to last. CPU time counts. The peak is the largest resident set of a process of its own
that does nothing else but read the stream and solve. On the first rows the stream is compared with
`fit`.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import threadpoolctl

from benchmarks._peak import peak
from benchmarks._runner import write_results
from sklearn_alpha import AlphaTransferClassifier

OURS, SOLUTION = "partial_fit", "the solution, once"
SINGLE, DOUBLE = "X.T @ X, single precision", "X.T @ X, double precision"
COMPARED = 50_000
WATCHED = """
import sys
import numpy as np
from benchmarks._peak import peak
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
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--features", type=int, default=400)
    parser.add_argument("--chunk", type=int, default=20_000, help="rows of a chunk")
    parser.add_argument("--folder", help="where the file is written; the system's, by default")


def main(args):
    """Write the file, read it, and write down what it took."""
    peak()  # where there is none, it says so before any work
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        check_space(folder, 4 * args.rows * args.features)
        path = Path(folder, "rows")
        write(path, args.rows, args.features, args.chunk)
        with threadpoolctl.threadpool_limits(1):
            frame = measure(path, args.rows, args.features, args.chunk)
    del args.folder  # a place on this machine
    shown = table(frame)
    folder = write_results(frame, "stream", out=args.out, config=args, table=shown)
    print(shown, f"\nWritten to {folder}", sep="\n")


def check_space(folder, size):
    """Stop where a file of that many bytes would fill the disk."""
    free = shutil.disk_usage(folder).free
    if free < 1.1 * size:
        sys.exit(
            f"{size / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB free; choose another "
            "--folder, or fewer --rows."
        )


def write(path, n, p, chunk):
    """Rows of unequal scales and a mean, labels of a noisy line, and a related source."""
    rng = np.random.default_rng(0)
    scales, w = np.geomspace(0.1, 3, p, dtype=np.float32), rng.normal(size=p) / np.sqrt(p)
    np.save(f"{path}.source.npy", w + rng.normal(size=p) / np.sqrt(p))
    with open(path, "wb") as rows, open(f"{path}.labels", "wb") as labels:
        for start in range(0, n, chunk):
            X = rng.standard_normal((min(chunk, n - start), p), dtype=np.float32)
            X = scales * (X + np.float32(0.3))
            (X @ w + rng.normal(size=len(X)) > 0.3).astype(np.int8).tofile(labels)
            X.tofile(rows)


def chunks(path, n, p, chunk):
    """Fresh maps of one chunk after the other: none of them stays in memory."""
    for start in range(0, n, chunk):
        rows = min(chunk, n - start)
        yield lambda start=start, rows=rows: (
            np.memmap(path, np.float32, "r", 4 * start * p, (rows, p)),
            np.memmap(f"{path}.labels", np.int8, "r", start, (rows,)),
        )


def measure(path, n, p, chunk):
    """Seconds of each way over the whole file, the peak, and the distance from `fit`."""
    model = AlphaTransferClassifier(np.load(f"{path}.source.npy"))
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
        runs = runs[1:] + runs[:1]  # whoever reads first reads from the disk
    start = time.process_time()
    model.coef_  # noqa: B018
    seconds[SOLUTION] = time.process_time() - start

    arguments = [str(path), *map(str, (n, p, chunk))]
    watched = subprocess.run(
        [sys.executable, "-c", WATCHED, *arguments], capture_output=True, text=True, check=True
    )
    rows = [{"what": name, "seconds": s, "rows/s": n / s} for name, s in seconds.items()]
    rows.append({"what": "peak of the process, MB", "value": int(watched.stdout) / 1e6})
    rows.append({"what": "distance from fit", "value": distance(path, min(n, COMPARED), p)})
    return pd.DataFrame(rows)


def distance(path, n, p):
    """Largest difference of a coefficient from `fit`'s, over the largest coefficient."""
    (load,) = chunks(path, n, p, n)
    X, y = load()
    model = AlphaTransferClassifier(np.load(f"{path}.source.npy"), selection="evidence")
    whole = model.fit(X.astype(np.float64), y).coef_  # else it comes in the precision of X
    stream = AlphaTransferClassifier(model.source)
    for part in np.array_split(np.arange(n), 7):
        stream.partial_fit(X[part], y[part], classes=[0, 1])
    return np.abs(stream.coef_ - whole).max() / np.abs(whole).max()


def table(frame):
    """Seconds, and the speed beside the bare products."""
    timed, other = frame[frame.seconds.notna()], frame[frame.seconds.isna()]
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
    values = other.set_index("what").value
    return "\n".join(
        [
            lines.to_markdown(index=False, disable_numparse=True),
            "",
            f"Peak of a process that only reads the stream: {values.iloc[0]:.0f} MB.",
            f"Distance from `fit` on the first rows: {values.iloc[1]:.1e} of the largest weight.",
        ]
    )
