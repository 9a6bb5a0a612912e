"""The largest memory of a process, and scripts in processes of their own."""

import subprocess
import sys
from pathlib import Path

from benchmarks._data import MissingData


def peak():
    """Bytes of this process's largest resident set.

    It is Linux's own record: `ru_maxrss` of a child process would start with its parent's.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        raise MissingData(
            "Peaks of memory are read from /proc/self/status; run this benchmark on Linux."
        )
    return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])


def run_script(script, *arguments):
    """The number that a script prints, run in a new process with these arguments."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
