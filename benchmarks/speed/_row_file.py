"""Rows of a simulated problem in a file, and their chunks as memory maps."""

import shutil
import sys

import numpy as np


def add_file_arguments(parser, rows):
    """Add the sizes and the place of the file."""
    parser.add_argument("--rows", type=int, default=rows)
    parser.add_argument("--features", type=int, default=400)
    parser.add_argument("--chunk", type=int, default=20_000, help="rows of a chunk")
    parser.add_argument("--folder", help="where the file is written; the system's, by default")


def check_space(folder, size):
    """Stop where a file of `size` bytes would fill the disk."""
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


def read_source(path):
    """Coefficients of the source."""
    return np.load(f"{path}.source.npy")


def chunks(path, n, p, chunk):
    """Functions that map one chunk each, X and y: none of them stays in memory."""
    for start in range(0, n, chunk):
        rows = min(chunk, n - start)
        yield lambda start=start, rows=rows: (
            np.memmap(path, np.float32, "r", 4 * start * p, (rows, p)),
            np.memmap(f"{path}.labels", np.int8, "r", start, (rows,)),
        )
