"""A worker of a Dask cluster that is killed during a fit."""

import logging
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor, TimeoutError

import numpy as np

from benchmarks.reliability._outcomes import ANSWERED, REFUSED, WRONG, counted
from benchmarks.reliability._work import classes, problem
from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor

N_CHUNKS, PAUSE = 20, 0.02  # and seconds that a chunk takes to read
N_KILLS = 5  # for each estimator
LIMIT = 120  # seconds that a fit may take


def killed():
    """A fit whose worker dies gives the answer of a stream, or one error of Dask."""
    for Estimator in (AlphaTransferClassifier, AlphaTransferRegressor):
        case = f"{Estimator.__name__}: one of two workers killed at a random moment"
        moments = np.random.default_rng(0).random(N_KILLS)
        outcomes = [one_kill(Estimator, moment) for moment in moments]
        yield counted("fit of a Dask array", case, outcomes)


def one_kill(Estimator, moment):
    """Outcome and note of a fit on a cluster of its own; `moment` is a share of its time."""
    from distributed import Client, KilledWorker, LocalCluster

    options = {"threads_per_worker": 1, "dashboard_address": ":0"}
    quiet = logging.CRITICAL  # a death is reported otherwise
    X, expected = problem(0)[0], streamed(Estimator)
    with LocalCluster(2, silence_logs=quiet, **options) as cluster, Client(cluster) as client:
        for _ in range(2):  # in the first one the workers import what they need
            start = time.perf_counter()
            fitted(Estimator)
            seconds = time.perf_counter() - start
        pid = min(client.run(os.getpid).values())
        with ThreadPoolExecutor(1) as pool:
            fit = pool.submit(fitted, Estimator)
            time.sleep(moment * seconds)
            os.kill(pid, signal.SIGKILL)
            try:
                found = fit.result(LIMIT)
            except KilledWorker:
                return REFUSED, ""
            except TimeoutError:
                client.close()  # which ends the fit
                return WRONG, "no end"
            except Exception as error:
                return WRONG, f"{type(error).__name__}: {error}".split("\n")[0][:120]
    same = np.allclose(found(X), expected(X), rtol=1e-8, atol=1e-8)
    return (ANSWERED, "") if same else (WRONG, "another answer")


def fitted(Estimator):
    """Decisions of a fit of a Dask array whose chunks take time."""
    import dask.array as da

    X, y, source = problem(0)
    rows = len(X) // N_CHUNKS
    X = da.from_array(X, (rows, -1)).map_blocks(after_pause, dtype=X.dtype)
    return decisions(Estimator(source).fit(X, da.from_array(y, rows)))


def streamed(Estimator):
    """Decisions of a stream of the same chunks, in this process."""
    X, y, source = problem(0)
    model = Estimator(source)
    for rows in np.array_split(np.arange(len(X)), N_CHUNKS):
        model.partial_fit(X[rows], y[rows], **classes(Estimator))
    return decisions(model)


def decisions(model):
    """What a model says of rows."""
    return getattr(model, "decision_function", model.predict)


def after_pause(rows):
    """The rows, later."""
    time.sleep(PAUSE)
    return rows
