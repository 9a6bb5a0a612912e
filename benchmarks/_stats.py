"""Intervals for the mean of paired differences."""

import numpy as np
from scipy.stats import norm, t

FEW = 8  # draws, below which all resampled means lie too near to each other


def paired_interval(difference, *, level=0.95, n_resamples=4000, seed=0):
    """Mean of paired differences with its interval: the bootstrap's, or Student's of few draws.

    The bootstrap interval is the percentile one at the level that is exact for normal data [1]_:
    with 10 or 20 draws the plain percentiles are too narrow by a factor of
    ``sqrt((n - 1) / n) * z / t``. No percentile goes beyond the draws themselves, so with fewer
    than 8 of them it is Student's interval.

    Parameters
    ----------
    difference : array-like of shape (n_draws,)
        Difference of two methods on the same draws.
    level : float, default=0.95
        Coverage.
    n_resamples : int, default=4000
        Resamples of the draws.
    seed : int, default=0
        Seed of the resampling.

    Returns
    -------
    mean, low, high : float

    References
    ----------
    .. [1] T. Hesterberg, "What Teachers Should Know About the Bootstrap", The American
       Statistician 69(4), 2015, section 4.3 (the expanded percentile interval).
    """
    difference = np.asarray(difference, dtype=float)
    n, mean = len(difference), float(difference.mean())
    if n < 2:
        return mean, np.nan, np.nan
    quantile = t.ppf((1 - level) / 2, n - 1)
    if n < FEW:
        half = -float(quantile * difference.std(ddof=1) / np.sqrt(n))
        return mean, mean - half, mean + half
    rng = np.random.default_rng(seed)
    means = difference[rng.integers(n, size=(n_resamples, n))].mean(axis=1)
    tail = norm.cdf(np.sqrt(n / (n - 1)) * quantile)
    low, high = np.quantile(means, [tail, 1 - tail])
    return mean, float(low), float(high)
