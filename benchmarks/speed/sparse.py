"""A fit of large sparse text by a Krylov space, against one Ridge fit, and against a dense one.

The rows resemble TF-IDF: words are drawn by Zipf's law in one of twenty topics, counts are
log-scaled, weighted by their rarity and normalised. Labels follow a sparse truth, and the source is
a noisy copy of it. One BLAS thread; methods take turns, and the median of their CPU times counts.
`Ridge(solver="sparse_cg")` solves for the γ that was chosen, at its default tolerance.
The peak is that of a separate process, without what it held before it read X, in units of X.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import threadpoolctl
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.preprocessing import normalize

from benchmarks._results import publish
from benchmarks._tables import number
from benchmarks.speed._peak import peak, run_script
from sklearn_alpha import AlphaTransferClassifier

BLEND, EVIDENCE, RIDGE = "default", "evidence", 'Ridge(solver="sparse_cg")'
TOPICS = 20
READ_AND_FIT = """
import sys
import numpy as np
from scipy import sparse
from sklearn.linear_model import Ridge
from benchmarks.speed._peak import peak
from sklearn_alpha import AlphaTransferClassifier

folder, n, p, gamma = sys.argv[1], *map(int, sys.argv[2:4]), float(sys.argv[4])
before = peak()
read = lambda name: np.load(f"{folder}/{name}.npy")
X = sparse.csr_matrix(tuple(map(read, ("data", "indices", "indptr"))), shape=(n, p))
size = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
if gamma:
    Ridge(n * gamma, solver="sparse_cg").fit(X, read("y"))
else:
    AlphaTransferClassifier(read("source"), solver="krylov").fit(X, read("y"))
print((peak() - before) / size)
"""


def add_arguments(parser):
    """Add the sizes and the number of turns."""
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--features", type=int, default=200_000)
    parser.add_argument("--words", type=int, default=100, help="non-zeros of a row, about")
    parser.add_argument("--middle", type=int, default=2000, help="rows of the dense comparison")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each method")


def main(args):
    """Compare, time, read the peaks, and write it down."""
    peak()  # fails before any work where the peak cannot be read
    with threadpoolctl.threadpool_limits(1):
        frame = pd.concat(
            [
                agreement(args.middle, 4 * args.middle, args.words),
                cost(args.rows, args.features, args.words, args.repeats),
            ],
            ignore_index=True,
        )
    caption = "Agreement of the Krylov space with a dense fit, and the cost of a fit of many rows."
    publish(frame, "sparse", args, caption=caption, tables=tables(frame))


def problem(n, p, words, seed=0):
    """Rows, labels and a source."""
    rng = np.random.default_rng(seed)
    rank = np.cumsum(1 / np.arange(10.0, 10 + p))
    drawn = np.searchsorted(rank, rank[-1] * rng.random((n, 4 * words // 3)))
    own = rng.random(drawn.shape) < 0.3  # words of the topic: the same ranks in another order
    move = rng.integers(p, size=TOPICS)[rng.integers(TOPICS, size=n)]
    drawn = np.where(own, (drawn + move[:, None]) % p, drawn)
    X = sparse.csr_matrix(
        (
            np.ones(drawn.size),
            drawn.ravel().astype(np.int32),
            np.arange(0, drawn.size + 1, drawn.shape[1], dtype=np.int32),
        ),
        shape=(n, p),
    )
    X.sum_duplicates()
    rarity = 1 + np.log((1 + n) / (1 + np.bincount(X.indices, minlength=p)))
    X.data = (1 + np.log(X.data)) * rarity[X.indices]
    normalize(X, copy=False)
    truth = rng.normal(size=p) * (rng.random(p) < 0.05)
    scores = X @ truth
    y = scores + 0.5 * scores.std() * rng.normal(size=n) > scores.mean()
    return X, y.astype(int), truth + rng.normal(size=p) * (truth != 0)


def agreement(n, p, words):
    """Differences of α and of the predictions from those of a dense reduction."""
    X, y, source = problem(n, p, words)
    rows = []
    for name, options in ((BLEND, {}), (EVIDENCE, {"selection": "evidence"})):
        dense, krylov = (
            AlphaTransferClassifier(source, solver=solver, **options).fit(X, y)
            for solver in ("dual", "krylov")
        )
        values = [model.decision_function(X) for model in (dense, krylov)]
        rows.append(
            {
                "part": "agreement",
                "method": name,
                "n": n,
                "p": p,
                "alpha": dense.alpha_.item(),
                "alpha_difference": (krylov.alpha_ / dense.alpha_ - 1).item(),
                "correlation": np.corrcoef(values)[0, 1],
            }
        )
    return pd.DataFrame(rows)


def cost(n, p, words, repeats):
    """Seconds of each method, and the peaks of two of them."""
    X, y, source = problem(n, p, words)
    model = AlphaTransferClassifier(source, solver="krylov", selection="evidence").fit(X, y)
    gamma = model.gamma_
    runs = {
        BLEND: AlphaTransferClassifier(source, solver="krylov"),
        EVIDENCE: model,
        RIDGE: Ridge(n * gamma, solver="sparse_cg"),
    }
    seconds = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.process_time()
            run.fit(X, y)
            seconds[name].append(time.process_time() - start)
    with tempfile.TemporaryDirectory() as folder:
        arrays = {"data": X.data, "indices": X.indices, "indptr": X.indptr}
        for name, array in (arrays | {"y": y, "source": source}).items():
            np.save(Path(folder, name), array)
        gammas = {BLEND: 0, RIDGE: gamma}
        peaks = {k: run_script(READ_AND_FIT, folder, n, p, g) for k, g in gammas.items()}
    return pd.DataFrame(
        {
            "part": "cost",
            "method": name,
            "n": n,
            "p": p,
            "nonzeros": X.nnz / n,
            "seconds": np.median(times),
            "peak": peaks.get(name),
        }
        for name, times in seconds.items()
    )


def tables(frame):
    """Both parts."""
    agreed, cost = frame[frame.part == "agreement"], frame[frame.part == "cost"]
    ridge = cost.seconds[cost.method == RIDGE].item()
    near = pd.DataFrame(
        {
            "n × p": agreed.n.astype(str) + " × " + agreed.p.astype(str),
            "selection": agreed.method,
            "α, dense": agreed.alpha.map("{:.3f}".format),
            "α of Krylov, difference": agreed.alpha_difference.map("{:+.2%}".format),
            "1 − correlation of predictions": (1 - agreed.correlation).map("{:.1e}".format),
        }
    )
    took = pd.DataFrame(
        {
            "n × p": cost.n.astype(str) + " × " + cost.p.astype(str),
            "method": cost.method,
            "CPU s": cost.seconds.map("{:.2f}".format),
            "× Ridge": (cost.seconds / ridge).map("{:.1f}".format),
            "peak, × X": [number(value, ".2f") for value in cost.peak],
        }
    )
    return {"Agreement": near, "Cost": took}
