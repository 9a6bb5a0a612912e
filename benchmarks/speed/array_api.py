"""A fit of an array on a GPU, against a fit on the CPU and against the device's own X.T @ X.

PyTorch's X in single precision is fitted on its device, under scikit-learn's Array API dispatch,
and as a NumPy array on the host. The product is timed on the device in single precision, in which X
is stored, and in double, in which a fit sums it. Medians of wall time, after a first turn that does
not count. Without a GPU nothing runs, unless --cpu asks for PyTorch's arrays in the host's memory.
"""

import sys
import time

import numpy as np
import pandas as pd
from sklearn import config_context

from benchmarks._results import publish
from sklearn_alpha import AlphaTransferClassifier

FIT, FIT_HOST = "fit, PyTorch's X", "fit, NumPy's X"
SINGLE, DOUBLE = "X.T @ X, single precision", "X.T @ X, double precision"


def add_arguments(parser):
    """Add the size and the device."""
    parser.add_argument("--rows", type=int, help="100,000 on a GPU, else 5,000")
    parser.add_argument("--features", type=int, help="4,096 on a GPU, else 400")
    parser.add_argument("--repeats", type=int, default=3, help="turns that count")
    parser.add_argument("--cpu", action="store_true", help="PyTorch's arrays in the host's memory")


def main(args):
    """Time everything and write it down."""
    try:
        import torch
    except ImportError:
        sys.exit("This benchmark needs PyTorch: `pip install torch`.")
    device = next((name for name in ("cuda", "xpu") if getattr(torch, name).is_available()), None)
    if device is None and not args.cpu:
        print(
            "Nothing was run: there is no GPU; --cpu runs a smaller size on PyTorch's CPU arrays."
        )
        return
    device = "cpu" if args.cpu else device
    args.rows = args.rows or (5_000 if args.cpu else 100_000)
    args.features = args.features or (400 if args.cpu else 4_096)
    args.device = device if args.cpu else torch.get_device_module(device).get_device_name()
    frame = measure(torch, device, args.rows, args.features, args.repeats)
    frame["× double"] = frame.seconds / frame.seconds[DOUBLE]
    shown = frame.map("{:.3g}".format).reset_index()
    caption = f"{args.rows} × {args.features}, {args.device}."
    publish(frame.reset_index(), "array-api", args, caption=caption, tables={"": shown})


def measure(torch, device, n, p, repeats):
    """Median seconds of everything, in turns."""
    rng = np.random.default_rng(0)
    X, w = rng.standard_normal((n, p), dtype=np.float32), rng.normal(size=p) / np.sqrt(p)
    y = (X @ w + rng.normal(size=n) > 0).astype(int)
    model = AlphaTransferClassifier(w + rng.normal(size=p) / np.sqrt(p))
    there, labels = torch.asarray(X, device=device), torch.asarray(y, device=device)

    def fit():
        with config_context(array_api_dispatch=True):
            assert model.fit(there, labels).coef_.device == there.device

    runs = {
        FIT: fit,
        FIT_HOST: lambda: model.fit(X, y),
        SINGLE: lambda: (there.T @ there).sum().item(),
        DOUBLE: lambda: (there.double().T @ there.double()).sum().item(),
    }
    seconds = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    return pd.DataFrame({"seconds": medians}).rename_axis("what")
