"""A fit of a Dask array on a cluster of processes, beside `partial_fit` in one process.

The rows are in a file that both map into memory chunk by chunk; it is written first, in single
precision, and deleted at the end. The cluster has workers of one thread, the single process has as
many BLAS threads, and a third way has one thread. They take turns; a round goes from the file to
the coefficients, and wall-clock time counts. On a machine with other work, the CPU time of this
process and the workers is more reliable: that of one thread is the amount of work, and BLAS threads
that wait for each other add to it. The scheduler has a process of its own; its peak is read before
any fit, after a fit of a quarter of the rows, and after the fits of all rows.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import threadpoolctl

from benchmarks._data import MissingData
from benchmarks._results import publish
from benchmarks.speed._peak import peak
from benchmarks.speed._row_file import (
    add_file_arguments,
    check_space,
    chunks,
    read_source,
    write,
)
from sklearn_alpha import AlphaTransferClassifier

ALONE, TOGETHER = "partial_fit, one process", "a Dask array, a cluster"
ONE_THREAD = "partial_fit, one thread"
SCHEDULER, MOVED = "peak of the scheduler's process, MB", "sent between workers, MB"
DISTANCE = "distance of the coefficients"
CLUSTER = """
import sys
from distributed import LocalCluster

n_workers = int(sys.argv[1])
with LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=":0") as cluster:
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""


def add_arguments(parser):
    """Add the sizes, the cores and the place of the file."""
    add_file_arguments(parser, rows=1_000_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="cores of each way")
    parser.add_argument("--rounds", type=int, default=3)


def main(args):
    """Write the file, fit it each way, and write down the costs."""
    peak()  # fails before any work where the peak cannot be read
    sizes = args.rows, args.features, args.chunk
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        check_space(folder, 4 * args.rows * args.features)
        path = Path(folder, "rows")
        with cluster(args.workers) as client, threadpoolctl.threadpool_limits(args.workers):
            write(path, *sizes)
            frame = measure(path, *sizes, rounds=args.rounds, client=client)
    del args.folder  # a place on this machine
    caption = f"{args.rows} rows of {args.features} features. {memory_and_network(frame)}"
    publish(frame, "cluster", args, caption=caption, tables={"": table(frame, args.workers)})


@contextmanager
def cluster(n_workers):
    """A client of a local cluster whose scheduler is in a process of its own."""
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingData("cluster needs Dask: pip install 'sklearn-alpha[dask]'.") from error
    command = [sys.executable, "-c", CLUSTER, str(n_workers)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process, Client(process.stdout.readline().strip()) as client:
        client.wait_for_workers(n_workers)
        yield client


def measure(path, n, p, chunk, *, rounds, client):
    """Seconds of each way and round, and what the cluster held and moved."""
    rows, coef = [held("before any fit", client)], {}
    fit_together(path, n // 4, p, chunk)  # in which workers import what they need
    rows.append(held("a quarter of the rows", client))
    before = moved(client)
    ways = [(ALONE, fit_alone), (TOGETHER, fit_together), (ONE_THREAD, fit_in_one_thread)]
    for turn in range(rounds):
        for what, fit in ways:
            cpu, start = cpu_seconds(client), time.perf_counter()
            coef[what] = fit(path, n, p, chunk).coef_
            seconds = {"value": time.perf_counter() - start, "cpu": cpu_seconds(client) - cpu}
            rows.append({"what": what, "when": turn} | seconds)
        ways.reverse()
    rows.append(held("all rows", client))
    rows.append({"what": MOVED, "value": (moved(client) - before) / rounds})
    apart = np.abs(coef[ALONE] - coef[TOGETHER]).max() / np.abs(coef[ALONE]).max()
    rows.append({"what": DISTANCE, "value": apart})
    return pd.DataFrame(rows)


def fit_alone(path, n, p, chunk):
    """A stream of the chunks."""
    model = AlphaTransferClassifier(read_source(path))
    for load in chunks(path, n, p, chunk):
        model.partial_fit(*load(), classes=[0, 1])
    return model


def fit_in_one_thread(*args):
    """The same, on one core."""
    with threadpoolctl.threadpool_limits(1):
        return fit_alone(*args)


def fit_together(path, n, p, chunk):
    """A Dask array of the chunks."""
    import dask.array as da
    from dask import delayed

    loads = zip(chunks(path, n, p, chunk), range(0, n, chunk), strict=True)
    parts = [(delayed(load)(), min(chunk, n - start)) for load, start in loads]
    X = [da.from_delayed(part[0], (rows, p), np.float32) for part, rows in parts]
    y = [da.from_delayed(part[1], (rows,), np.int8) for part, rows in parts]
    model = AlphaTransferClassifier(read_source(path))
    return model.fit(da.concatenate(X), da.concatenate(y))


def cpu_seconds(client):
    """Of this process and the workers."""
    return time.process_time() + sum(client.run(time.process_time).values())


def held(when, client):
    """Largest resident set of the scheduler's process so far."""
    return {"what": SCHEDULER, "when": when, "value": client.run_on_scheduler(peak) / 1e6}


def moved(client):
    """MB that workers have sent to each other so far."""
    sent = client.run(lambda dask_worker: dask_worker.transfer_outgoing_bytes_total)
    return sum(sent.values()) / 1e6


def table(frame, n_workers):
    """Medians, and their ratio to one process."""
    groups = frame.groupby("what")
    median, cpu = groups.value.median(), groups.cpu.median()
    ways = {
        ALONE: f"{n_workers} BLAS threads",
        TOGETHER: f"{n_workers} workers of one thread",
        ONE_THREAD: "1",
    }
    return pd.DataFrame(
        {
            "": list(ways),
            "cores": list(ways.values()),
            "s, median": [f"{median[what]:.3g}" for what in ways],
            "CPU s": [f"{cpu[what]:.3g}" for what in ways],
            "× one process": [f"{median[what] / median[ALONE]:.2f}" for what in ways],
        }
    )


def memory_and_network(frame):
    """What the cluster held and moved, and the distance of its coefficients, in sentences."""
    values = frame.groupby("what").value.median()
    peaks = frame[frame.what == SCHEDULER].set_index("when").value
    held = ", ".join(f"{value:.0f} MB {when}" for when, value in peaks.items())
    return (
        f"Peak of the scheduler's process: {held}. A fit moves {values[MOVED]:.0f} MB between the "
        f"workers. The cluster's coefficients differ by {values[DISTANCE]:.1e} of the largest "
        "weight from those of the single process."
    )
