"""The most memory that a process has held, for the benchmarks that watch it."""

from pathlib import Path

from benchmarks._data import MissingData


def peak():
    """Bytes of this process's largest resident set.

    Linux's own mark: `ru_maxrss` of a child would start with its parent's.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        raise MissingData(
            "Peaks of memory are read from /proc/self/status; run this benchmark on Linux."
        )
    return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
