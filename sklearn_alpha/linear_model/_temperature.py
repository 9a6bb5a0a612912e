"""The temperature β of the probabilities softmax(βf), from left-out values, under a prior."""

import numpy as np
from scipy.special import softmax

from sklearn_alpha.linear_model._calibration import below_own, logits, losses
from sklearn_alpha.linear_model._labels import codes

WIDTH = 0.35  # of the prior of log β


def left_out_temperature(values, labels, weights):
    """The β that left-out decision values ask for, by the maximum of

    ::

        log P(labels | β) − (log β − log kb)²/(2·0.35²),    b = ⟨y, f⟩/⟨f, f⟩

    The slope b brings the values f to the size of the codes y, and k, which is 2 for one column and
    √(C/2) for C columns, brings codes to log odds. A correlation of y and f below 0.1 counts as 0.1
    to keep β positive.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_outputs)
    labels : ndarray of shape (n_rows,)
    weights : ndarray of shape (n_rows,)
    """
    n_outputs = values.shape[1]
    Y, _ = codes(labels, max(n_outputs, 2))
    unit = np.abs(values).max() or 1.0
    f = values / unit
    yy, yf, ff = (np.einsum("i,ic,ic->", weights, *two) for two in ((Y, Y), (Y, f), (f, f)))
    b = max(yf, 0.1 * np.sqrt(yy * ff)) / ff if ff > 0 else 1.0
    centre = np.log(b * (2.0 if n_outputs == 1 else np.sqrt(n_outputs / 2)))
    below = below_own(logits(f), labels)

    def loss(x):
        return losses(np.exp(x) * below, weights) + ((x - centre) / WIDTH) ** 2 / 2

    step = 0.5
    grid = centre + step * np.arange(-16, 17)
    x = grid[np.argmin([loss(at) for at in grid])]
    # Newton's steps in log β, kept between a negative and a positive slope
    low, high = x - step, x + step
    for _ in range(60):
        P, z = softmax(np.exp(x) * below, axis=0), np.exp(x) * below
        mean = (P * z).sum(axis=0)
        variance = (P * z**2).sum(axis=0) - mean**2
        slope = weights @ mean + (x - centre) / WIDTH**2
        curvature = weights @ (mean + variance) + 1 / WIDTH**2
        low, high = (x, high) if slope < 0 else (low, x)
        moved = x - slope / curvature if curvature > 0 else np.inf
        moved = moved if low < moved < high else (low + high) / 2
        if abs(moved - x) < 1e-12:
            break
        x = moved
    return float(np.exp(x) / unit)
