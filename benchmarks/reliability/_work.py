"""Threads beside one another, and many fits one after the other."""

import gc
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.reliability._outcomes import ANSWERED, WRONG, counted
from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor

N_THREADS, N_FITS, ROUNDS = 8, 200, 8
GROWTH = 1.0  # MiB that all the fits may add


def problem(seed, n=300, p=30):
    """Rows, labels and a source."""
    rng = np.random.default_rng(seed)
    X, w = rng.normal(size=(n, p)), rng.normal(size=p)
    return X, (X @ w + rng.normal(size=n) > 0).astype(int), w + rng.normal(size=p)


def fitted(Estimator, seed):
    """Decisions of a fit of its own."""
    X, y, source = problem(seed)
    return Estimator(source).fit(X, y).predict(X)


def streamed(Estimator, seed):
    """Decisions of a stream of its own."""
    X, y, source = problem(seed)
    model = Estimator(source)
    classes = {"classes": [0, 1]} if Estimator is AlphaTransferClassifier else {}
    for start in range(0, len(X), 100):
        model.partial_fit(X[start : start + 100], y[start : start + 100], **classes)
    return model.predict(X)


def threads(network):
    """Work that is shared out to threads gives what it gives in turn."""
    for Estimator in (AlphaTransferClassifier, AlphaTransferRegressor):
        for case, work in (("fit", fitted), ("partial_fit", streamed)):
            yield compared(
                f"{Estimator.__name__}: {case}", lambda seed, E=Estimator, w=work: w(E, seed)
            )
        X, y, source = problem(0)
        model = pickle.loads(
            pickle.dumps(Estimator(source).partial_fit(X, y, **classes(Estimator)))
        )
        yield compared(
            f"{Estimator.__name__}: predictions of one stream that is not solved yet",
            lambda seed, model=model: model.predict(problem(seed)[0]),
        )
    if network is not None:
        X, y, _ = network.rows(0)
        yield compared("AlphaLoRANetClassifier: fit", network.fitted)
        kept = pickle.loads(pickle.dumps(network.net(0).fit(X, y)))
        yield compared(
            "AlphaLoRANetClassifier: predictions of one unpickled net",
            lambda seed: kept.predict_proba(network.rows(seed)[0]),
        )


def classes(Estimator):
    """What `partial_fit` of a classifier needs."""
    return {"classes": [0, 1]} if Estimator is AlphaTransferClassifier else {}


def compared(case, work):
    """Results of threads that start together, beside those of one thread."""
    barrier = threading.Barrier(N_THREADS)

    def run(seed):
        barrier.wait()
        return work(seed)

    outcomes = []
    for turn in range(ROUNDS):
        seeds = range(N_THREADS * turn, N_THREADS * (turn + 1))
        with ThreadPoolExecutor(N_THREADS) as pool:
            together = list(pool.map(run, seeds))
        alike = map(np.array_equal, together, map(work, seeds))
        outcomes += [(ANSWERED, "") if same else (WRONG, "another answer") for same in alike]
    return counted(f"{N_THREADS} threads, beside one", case, outcomes)


def memory(network):
    """What many fits add to the memory of the process."""
    kinds = {
        "AlphaTransferClassifier": lambda: fitted(AlphaTransferClassifier, 0),
        "AlphaTransferRegressor": lambda: fitted(AlphaTransferRegressor, 0),
    }
    if network is not None:
        kinds["AlphaLoRANetClassifier"] = lambda: network.fitted(0)
    for case, fit in kinds.items():
        for _ in range(N_FITS // 4):  # allocators keep what they need
            fit()
        before = resident()
        for _ in range(N_FITS):
            fit()
        grown = resident() - before
        result = (ANSWERED, "") if grown <= GROWTH else (WRONG, f"{grown:.1f} MiB more")
        yield counted(f"memory after fits, at most {GROWTH:g} MiB more", case, [result] * N_FITS)


def resident():
    """MiB of this process that are in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
