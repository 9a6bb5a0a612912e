"""α as a homogeneous vector (1, α), which has a direction where an entry of α is infinite."""

import numpy as np


def split(alpha, n_sources):
    """Check α and return it as (..., K): its finite entries, and the signs of its infinite ones."""
    alpha = np.asarray(alpha, dtype=np.float64)
    if np.isnan(alpha).any():
        raise ValueError("alpha contains NaN; pass finite values, or ±inf for the source alone.")
    if n_sources == 1:
        alpha = alpha[..., None]
    elif alpha.shape[-1:] != (n_sources,):
        raise ValueError(
            f"alpha has shape {alpha.shape} but there are {n_sources} sources; "
            f"pass an array of shape (..., {n_sources})."
        )
    infinite = np.isinf(alpha)
    return np.where(infinite, 0, alpha), np.where(infinite, np.sign(alpha), 0)


def homogeneous(first, rest):
    """(first, rest) along the last axis: (1, α) for a point, (0, α) for a direction."""
    return np.insert(rest, 0, first, axis=-1)


def join(alpha):
    """A float for one source, the K-vector itself for several."""
    return float(alpha[0]) if alpha.size == 1 else alpha
