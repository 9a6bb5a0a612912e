"""Cost of a linear fit, against scikit-learn on the same data and against its own sizes.

One process, one BLAS thread. The methods of a size take turns, each time in another order, and the
median of their CPU times counts. Every fit chooses α and γ, the default over its own three γ's and
the evidence over 28. The default has left-out values of at most 1000 rows, also by `partial_fit` of
all rows in one chunk, and `store_loo` those of all. The published way is one p×p inverse for each
of 81 α's at a single γ. `peak` is the largest memory of a fit, X included, in units of X, as
tracemalloc measures it. The caption gives a model of the default's cost,

    t = c₀ + c₁npm + c₂m³ + c₃ min(n, 1000) m² + c₄npk,    m = min(n, p), k = outputs (1 + sources)

with c ≥ 0 by least squares on the relative error over all sizes measured.
"""

import time
import tracemalloc
from importlib.util import find_spec

import numpy as np
from scipy.optimize import nnls
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier, RidgeClassifierCV
from sklearn.model_selection import GridSearchCV

from benchmarks._figures import BLACK, BLUE, GREEN, ORANGE, RED, save, subplots
from benchmarks._results import publish
from benchmarks._runner import run_cells
from benchmarks._tables import number
from sklearn_alpha import AlphaTransferClassifier

DEFAULT, EVIDENCE, RIDGE = "default", "evidence", "RidgeClassifier, one alpha"
STORED = "default, store_loo"
MOMENTS = "default by partial_fit"
RIDGE_CV, PUBLISHED = "RidgeClassifierCV, 28 alphas", "published way, 81 α's"
SEARCH, PATH, ADAPT = "GridSearchCV, 4 α × 7 γ", "alpha_path, 10,000 α's", "RegularTransferLC"
SIZES = [(100, 400), (100, 2000), (2000, 400), (5000, 2000), (20000, 400)]
EVERYWHERE = [DEFAULT, EVIDENCE, MOMENTS, RIDGE]
BASE = {"n": 2000, "p": 400, "classes": 2, "sources": 1, "gammas": 28}
SWEEPS = {
    "n": [50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000],
    "p": [25, 50, 100, 200, 400, 800, 1600],
    "classes": [2, 4, 8, 16, 32],
    "sources": [0, 1, 2, 4, 8, 16],
    "gammas": [7, 14, 28, 56, 112, 224],
}
LABELS = {"n": "rows n", "p": "features p", "classes": "classes"}
LABELS |= {"sources": "sources", "gammas": "γ's"}


def add_arguments(parser):
    """Add the number of turns."""
    parser.add_argument("--repeats", type=int, default=7, help="turns of each method")


def main(args):
    """Time everything, write it down and draw it."""
    if not find_spec("adapt"):
        print(f"{ADAPT} is left out: adapt is not installed here (`pip install adapt`).")
    frame = run_cells("speed-linear", clock, cells(args.repeats), resume=args.resume)
    folder = publish(
        frame.drop(columns=["methods", "repeats"]),
        "speed-linear",
        args,
        caption=cost_model(frame),
        tables={"": table(frame)},
    )
    draw(frame, folder / "figure.png")


def cells(repeats):
    """One cell for each size, and for each point of the sweeps."""
    found = []
    for n, p in SIZES:
        methods = [*EVERYWHERE, STORED]
        methods += [PUBLISHED] if n <= 2000 else []  # the others take many minutes
        if (n, p) == (2000, 400):
            methods += [RIDGE_CV, SEARCH, PATH]
            methods += [ADAPT] if find_spec("adapt") else []
        found.append(BASE | {"part": "sizes", "n": n, "p": p, "methods": methods})
    for name, values in SWEEPS.items():
        for value in values:
            found.append(BASE | {"part": name, name: value, "methods": EVERYWHERE})
    return [cell | {"repeats": repeats} for cell in found]


def clock(part, n, p, classes, sources, gammas, methods, repeats):
    """Median CPU seconds of each method, and the memory of those in EVERYWHERE."""
    X, y, W = problem(n, p, classes, sources)
    runs = {name: METHODS[name](X, y, W, gammas) for name in methods}
    seconds, rng = {name: [] for name in methods}, np.random.default_rng(0)
    for turn in range(repeats):
        for name in rng.permutation(methods):  # the method before leaves its caches and memory
            if turn and name in (SEARCH, PUBLISHED, ADAPT):  # minutes; once is enough
                continue
            start = time.process_time()
            runs[name]()
            seconds[name].append(time.process_time() - start)
    return [
        {
            "method": name,
            "seconds": float(np.median(seconds[name])),
            "peak": peak(run) / X.nbytes + 1 if name in EVERYWHERE else None,
        }
        for name, run in runs.items()
    ]


def problem(n, p, classes, sources, seed=0):
    """Rows, labels and related sources, (sources, outputs, p)."""
    rng = np.random.default_rng(seed)
    outputs = 1 if classes == 2 else classes
    X, W = rng.normal(size=(n, p)), rng.normal(size=(outputs, p)) / np.sqrt(p)
    scores = X @ W.T + rng.normal(size=(n, outputs))
    y = scores[:, 0] > 0 if outputs == 1 else scores.argmax(axis=1)
    y[:classes] = np.arange(classes)
    related = W + rng.normal(size=(sources, outputs, p)) / np.sqrt(p)
    return X, y.astype(int), list(related) or None


def peak(run):
    """Bytes that a run holds at most."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def ours(**options):
    """The default, at the γ's that it chooses from."""

    def prepare(X, y, W, gammas):
        model = AlphaTransferClassifier(W, **options)
        return lambda: model.fit(X, y)

    return prepare


def evidence(X, y, W, gammas):
    """The evidence, with a grid of that many γ's."""
    grid = np.sum(X**2) / len(X) ** 2 * np.exp(np.linspace(-5, 5, gammas))
    model = AlphaTransferClassifier(W, selection="evidence", gammas=grid)
    return lambda: model.fit(X, y)


def moments(X, y, W, gammas):
    """A stream of one chunk: the same model."""
    model = AlphaTransferClassifier(W)
    return lambda: clone(model).partial_fit(X, y, classes=np.unique(y)).coef_


def ridge(X, y, W, gammas):
    """scikit-learn's, at one penalty."""
    return lambda: RidgeClassifier(alpha=len(X) / 10, solver="cholesky").fit(X, y)


def ridge_cv(X, y, W, gammas):
    """scikit-learn's, with as many penalties."""
    alphas = np.sum(X**2) / len(X) * np.exp(np.linspace(-5, 5, gammas))
    return lambda: RidgeClassifierCV(alphas=alphas).fit(X, y)


def published(X, y, W, gammas):
    """As in the code published with the paper: the resolvent anew for every α."""
    codes, n = np.where(y > 0, 1.0, -1.0), len(X)

    def run():
        for alpha in np.linspace(-4, 4, 81):
            Q = np.linalg.inv(X.T @ X / n + 0.1 * np.eye(X.shape[1]))
            alpha * W[0][0] + Q @ X.T @ (codes - alpha * X @ W[0][0]) / n

    return run


def search(X, y, W, gammas):
    """Five-fold cross-validation of every cell of a grid, a fit for each."""
    grid = {"alpha": [0.0, 0.5, 1.0, 2.0], "gamma": np.geomspace(1e-3, 10, 7)}
    return lambda: GridSearchCV(AlphaTransferClassifier(W), grid, cv=5).fit(X, y)


def alpha_path(X, y, W, gammas):
    """The accuracy on all rows at each α, after the fit."""
    model, alphas = AlphaTransferClassifier(W).fit(X, y), np.linspace(-1, 3, 10_000)
    return lambda: model.alpha_path(X, y, alphas=alphas)


def adapt(X, y, W, gammas):
    """adapt's closed form at one (α = 1, λ)."""
    from adapt.parameter_based import RegularTransferLC

    source = RidgeClassifier().fit(X, y)
    return lambda: RegularTransferLC(source, lambda_=len(X) / 10, verbose=0).fit(X, y)


METHODS = {DEFAULT: ours(), EVIDENCE: evidence, MOMENTS: moments}
METHODS |= {STORED: ours(store_loo=True)}
METHODS |= {RIDGE: ridge, RIDGE_CV: ridge_cv, PUBLISHED: published}
METHODS |= {SEARCH: search, PATH: alpha_path, ADAPT: adapt}


def table(frame):
    """Milliseconds, the ratio to the ridge fit of the same size, and the memory."""
    part = frame[frame.part == "sizes"].copy()
    key = part.n.astype(str) + " × " + part.p.astype(str)
    of_ridge = part[part.method == RIDGE].set_index(key[part.method == RIDGE]).seconds
    part["n × p"], part["ms"] = key, part.seconds * 1e3
    part["× one ridge fit"] = part.seconds / key.map(of_ridge)
    default = part[part.method == DEFAULT].set_index(key[part.method == DEFAULT]).seconds
    part["× the default fit"] = part.seconds / key.map(default)
    numbers = ["ms", "× one ridge fit", "× the default fit", "peak"]
    part[numbers] = part[numbers].map(lambda value: number(value, ".3g"))
    return part[["n × p", "method", *numbers]]


def cost_model(frame):
    """The coefficients of the default's cost, and its error, in a sentence."""
    part = frame[frame.method == DEFAULT]
    n, p, m = part.n, part.p, np.minimum(part.n, part.p)
    outputs = np.where(part.classes == 2, 1, part.classes)
    sizes = {
        "1": np.ones(len(part)),
        "n p min(n, p)": n * p * m,
        "min(n, p)³": m**3,
        "min(n, 1000) min(n, p)²": np.minimum(n, 1000) * m**2,
        "n p outputs (1 + sources)": n * p * outputs * (1 + part.sources),
    }
    relative = np.column_stack(list(sizes.values())) / part.seconds.to_numpy()[:, None]
    scale = relative.max(axis=0)
    c = nnls(relative / scale, np.ones(len(part)))[0] / scale
    error = np.median(np.abs(relative @ c - 1))
    terms = " + ".join(f"{1e9 * x:.3g} · {name}" for x, name in zip(c, sizes) if x)
    return f"CPU time of the default, ns: {terms}. Median relative error {error:.0%}."


def draw(frame, path):
    """One panel for each sweep, and one for the memory; BASE is marked in each."""
    figure, axes = subplots(2, 3, figsize=(11, 6.2))
    styles = {
        DEFAULT: (BLUE, "o"),
        EVIDENCE: (GREEN, "s"),
        MOMENTS: (RED, "D"),
        RIDGE: (ORANGE, "^"),
    }
    for ax, name in zip(axes.flat, SWEEPS):
        part = frame[frame.part == name]
        for method, (color, marker) in styles.items():
            line = part[part.method == method]
            ax.plot(line[name], 1e3 * line.seconds, color=color, marker=marker, ms=4, label=method)
        ax.axvline(BASE[name], color="0.75", linewidth=1, linestyle=":")
        ax.set(xlabel=LABELS[name], xscale="log", yscale="log")
        if name in ("sources", "gammas", "classes"):
            ax.set(xscale="linear", ylim=(10, None))
        ax.set_title(", ".join(f"{k} = {v}" for k, v in BASE.items() if k != name), fontsize=8)
    for ax in axes[:, 0]:
        ax.set_ylabel("CPU time of a fit, ms")
    ax, part = axes[1, 2], frame[frame.part == "n"]
    for method, (color, marker) in styles.items():
        line = part[(part.method == method) & (part.n >= BASE["p"])]
        ax.plot(line.n, line.peak, color=color, marker=marker, ms=4)
    ax.axhline(2.5, color=BLACK, linewidth=1, linestyle="--")
    ax.text(part.n.max(), 2.53, "2.5", ha="right", fontsize=8)
    ax.set(xlabel=LABELS["n"], xscale="log", ylim=(0, None))
    ax.set_ylabel("peak memory, × the size of X")
    ax.set_title("memory, p = 400", fontsize=8)
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=4, fontsize="small")
    return save(figure, path)
