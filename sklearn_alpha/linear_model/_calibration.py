"""Probabilities from leave-one-out decision values.

P(class c | f) = softmax(βf)_c with one β > 0, here the maximum of the likelihood of the left-out
rows against Platt's smoothed targets, (N_c + 1)/(N_c + C) for a row's own class and 1/(N_c + C) for
the others; `_temperature` has that under a prior. A scale alone keeps the order of the classes, so
`predict` and `predict_proba` agree.

The anchored rule finds β together with its trust t in the adapter, under priors: `calibrate`.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import softmax
from sklearn.utils import gen_batches
from sklearn.utils._array_api import get_namespace

from sklearn_alpha.linear_model._data.rows import CACHE
from sklearn_alpha.linear_model._solution import posterior


def logits(values):
    """Decision values (..., n_outputs) with one column for each class: one output becomes two."""
    if values.shape[-1] > 1:
        return values
    xp, _ = get_namespace(values)
    return xp.concat([xp.zeros_like(values), values], axis=-1)


def smoothed_targets(labels, weights, n_classes):
    """Platt's targets, (n_rows, n_classes), for labels 0..n_classes-1."""
    counts = np.bincount(labels, weights=weights, minlength=n_classes)[labels, None]
    return (np.eye(n_classes)[labels] * counts + 1) / (counts + n_classes)


def inverse_temperature(values, targets, weights, start=2.0):
    """β and the negative log-likelihood there, for each of several sets of decision values.

    Parameters
    ----------
    values : ndarray of shape (n_sets, n_rows, n_outputs)
    targets : ndarray of shape (n_rows, n_classes)
        As of `smoothed_targets`.
    weights : ndarray of shape (n_rows,)
    start : float
        A guess of β, in units of 1/(root mean square of the values).

    Returns
    -------
    beta, loss : ndarray of shape (n_sets,)
    size : ndarray of shape (n_sets,)
        The root mean square.
    """
    # Classes come first, so that sums over them are fast. Of two classes, ±f/2, one is enough.
    two = values.shape[-1] == 1
    if two:
        F, targets = values[None, :, :, 0] / 2, targets[:, 1:] - targets[:, :1]
    else:
        F = np.array(np.moveaxis(values, -1, 0), order="C")
        F -= F.mean(axis=0)
    size = np.sqrt(np.einsum("cti,cti,i->t", F, F, weights) / (weights.sum() * len(F)))
    size[size == 0] = 1
    F /= size[:, None]
    pull = np.einsum("cti,ic->t", F, weights[:, None] * targets)
    top = np.abs(F[0]) if two else F.max(axis=0)
    below = -2 * top[None] if two else F - top  # no exponential of it overflows

    def mean_and_variance(beta):
        """Of the logits under softmax(βF): f tanh βf is the mean of ±f."""
        if two:
            mean = top * np.tanh(beta * top)
            return mean, top**2 - mean**2
        E = np.exp(beta * below)
        total = E.sum(axis=0)
        E *= F
        mean = E.sum(axis=0) / total
        E *= F
        return mean, E.sum(axis=0) / total - mean**2

    # The loss is convex in β: Newton's steps are kept between a negative and a positive slope.
    # The least β is the noise of a correlation over n rows, so that not all probabilities tie.
    low, high = np.full(len(size), weights.sum() ** -0.5), np.full(len(size), 1e3)
    beta = np.clip(np.full(len(size), start), low, high)
    for _ in range(60):
        mean, variance = mean_and_variance(beta[:, None])
        slope, curvature = mean @ weights - pull, variance @ weights
        low, high = np.where(slope < 0, beta, low), np.where(slope > 0, beta, high)
        step = beta - slope / np.maximum(curvature, np.finfo(np.float64).tiny)
        step = np.where((step > low) & (step < high), step, np.sqrt(low * high))
        converged = np.abs(step - beta) <= 1e-6 * beta  # the error is about its square
        beta = step
        if converged.all():
            break
    total = np.exp(beta[:, None] * below).sum(axis=0) + two  # plus 1 for the larger of two classes
    loss = (np.log(total) + beta[:, None] * top) @ weights - beta * pull
    return beta / size, loss, size


def decision_moments(sums, coef, intercept):
    """Moments of fitted decision values, from the `SecondMoments` of rows and ±1 codes.

    Returns
    -------
    moments : dict
        `difference`, `within` and `size`, as of `temperature_of_moments`.
    """
    covariance, p = sums.covariance, len(sums.origin)
    weights = np.hstack([coef, np.zeros((len(coef), len(covariance) - p))])
    with_y = (weights @ covariance)[:, p:].diagonal()
    spread = np.einsum("ci,ij,cj->c", weights, covariance, weights)
    codes_spread = np.maximum(covariance[p:, p:].diagonal(), np.finfo(np.float64).tiny)
    means = coef @ sums.mean + intercept
    return {
        "difference": (2 * with_y / codes_spread).mean(),
        "within": (spread - with_y**2 / codes_spread).mean(),
        # of one output the logits are ±f/2
        "size": np.sqrt((spread + means**2).mean()) / (2 if len(coef) == 1 else 1),
    }


def temperature_of_moments(difference, within, size, n, n_outputs, leverage):
    """β from moments of the fitted decision values, where there are no left-out ones.

    If the values of a class are normal around its mean, with the same variance for all classes, the
    log odds are linear in f. With left-out values f − hy, at a leverage h that all rows share,

        β = c Δ'/V',      Δ' = (Δ − 2h)/(1 − h),     V' = V/(1 − h)²

    c is 1 for one output, which is the log odds, and 1 − 1/C for C outputs, whose sum is zero.

    Parameters
    ----------
    difference, within : float
        Δ, the mean of a class less that of the others, and V, the variance within a class: of the
        fitted values, averaged over the outputs.
    size : float
        Root mean square of the logits, which bounds β as in :func:`inverse_temperature`.
    n, n_outputs : float, int
    leverage : float
        h.
    """
    kept = max(1 - leverage, np.finfo(np.float64).eps)
    within = max(within / kept**2, np.finfo(np.float64).tiny)
    share = 1 if n_outputs == 1 else 1 - 1 / n_outputs
    beta = share * (difference - 2 * leverage) / kept / within
    size = size or 1.0
    return float(np.clip(beta, n**-0.5 / size, 1e3 / size))


def log_probabilities(values, beta):
    """log softmax(βf), (n_rows, n_classes)."""
    xp, _ = get_namespace(values)
    F = beta * logits(values)
    F = F - xp.max(F, axis=1, keepdims=True)
    return F - xp.log(xp.sum(xp.exp(F), axis=1, keepdims=True))


# Of log β and log t: centres and widths of the normal priors, and where they are looked for first.
CENTRES, WIDTHS, REACH = np.log([1.0, 0.4]), np.array([0.25, 0.8]), np.array([1.0, 2.4])
N_VALUES = 7
LARGEST = 700.0  # value whose exponential is finite


class Calibration(NamedTuple):
    """Posterior means of β and of t, and the posterior of the adapters.

    Attributes
    ----------
    beta : float
        The exponential of the mean of log β.
    trust : ndarray of shape (n_adapters,)
        The posterior of each adapter times the mean of its t.
    posterior : ndarray of shape (n_adapters,)
    trust_without, posterior_without : ndarray of shape (n_adapters, n_rows)
        The same without one repetition of each row.
    """

    beta: float
    trust: np.ndarray
    posterior: np.ndarray
    trust_without: np.ndarray
    posterior_without: np.ndarray


def calibrate(F, adapters, labels, weights, unit, log_prior):
    """Posterior means of β, and of the trust t in each adapter, from left-out values.

    ::

        P(class | x) = softmax(β(F + t adapter))

    One pair of F and an adapter is right, with the same β for all.

    Each adapter has a grid of log β and log t of its own. It moves until its best point is inside,
    and is narrowed until its step is below their standard deviations.

    Parameters
    ----------
    F, adapters : ndarray of shape (n_adapters, n_rows, n_outputs)
        What the source says, and what the target's rows add to it.
    labels : ndarray of shape (n_rows,)
    weights, unit : ndarray of shape (n_rows,)
        The weight of a row, and that of one repetition.
    log_prior : ndarray of shape (n_adapters,)

    Returns
    -------
    calibration : Calibration
    """
    fixed, moving = (below_own(values, labels)[:, None] for values in (F, adapters))
    grid, of_rows, log_P = settled_grid(fixed, moving, weights, log_prior)
    t, P = np.exp(grid[1]), posterior(log_P)
    of_adapter = P.sum(axis=0)
    # without a row, its likelihood is taken out
    log_without = np.multiply(of_rows, unit, out=of_rows)
    log_without += log_P[..., None]
    log_without -= log_without.max(axis=(0, 1, 2))
    without = np.exp(log_without, out=log_without).sum(axis=0)
    without /= without.sum(axis=(0, 1))
    return Calibration(
        beta=float(np.exp(np.sum(P.sum(axis=1) * grid[0]))),
        trust=np.sum(of_adapter * t, axis=0),
        posterior=of_adapter.sum(axis=0),
        trust_without=np.einsum("tai,ta->ai", without, t),
        posterior_without=without.sum(axis=0),
    )


def settled_grid(fixed, moving, weights, log_prior):
    """The grid, once its best point is inside and its step is below the standard deviations.

    Parameters
    ----------
    fixed, moving : ndarray of shape (n_outputs, 1, n_adapters, n_rows)
        F and the adapters, as of `below_own`.

    Returns
    -------
    grid : ndarray of shape (2, N_VALUES, n_adapters)
        log β and log t.
    of_rows : ndarray of shape (N_VALUES, N_VALUES, n_adapters, n_rows)
        Losses.
    log_P : ndarray of shape (N_VALUES, N_VALUES, n_adapters)
        The log posterior of the cells around the points, but for a constant.
    """
    centre, half = (np.tile(start[:, None], len(log_prior)) for start in (CENTRES, REACH))
    of_rows = np.empty((N_VALUES, N_VALUES, *fixed.shape[2:]))
    for _ in range(1000):  # a few are enough, unless values are of another size by far
        grid = centre[:, None] + half[:, None] * np.linspace(-1, 1, N_VALUES)[:, None]
        write_losses(grid, fixed, moving, of_rows)
        of_beta, of_t = ((grid - CENTRES[:, None, None]) / WIDTHS[:, None, None]) ** 2 / 2
        loss = of_rows @ weights + of_beta[:, None] + of_t - log_prior
        best = np.array(
            np.unravel_index(loss.reshape(-1, len(log_prior)).argmin(axis=0), [N_VALUES] * 2)
        )
        at_edge = (best == 0) | (best == N_VALUES - 1)
        P = softmax(-loss, axis=(0, 1))
        of_each = np.stack([P.sum(axis=1), P.sum(axis=0)])
        mean = np.sum(of_each * grid, axis=1)
        spread = np.sqrt(np.sum(of_each * (grid - mean[:, None]) ** 2, axis=1))
        step = 2 * half / (N_VALUES - 1)
        fine = spread >= step / 2
        if (fine & ~at_edge).all():
            break
        edge = np.take_along_axis(grid, best[:, None], axis=1)[:, 0]
        moves = at_edge.any(axis=0)
        centre = np.where(moves, np.where(at_edge, edge, centre), mean)
        half = np.where(moves | fine, half, np.maximum(4 * spread, 1.5 * step))
    return grid, of_rows, np.log(half).sum(axis=0) - loss


def write_losses(grid, fixed, moving, of_rows):
    """Write the losses on a grid into `of_rows`, in blocks that stay in the processor's cache."""
    beta, t = np.exp(grid)
    parts = list(gen_batches(N_VALUES, max(CACHE // fixed.size, 1)))
    for at, one in enumerate(t):
        values = fixed + one[:, None] * moving
        for part in parts:
            scaled = np.multiply(beta[part, :, None], values, order="C")
            of_rows[part, at] = row_losses(scaled, scaled)


def below_own(values, labels):
    """Decision values (..., n_rows, n_outputs) less that of each row's own class.

    One column of two classes becomes that of the other class. Classes come first and rows last, so
    that sums over classes are fast: (n_outputs, ..., n_rows).
    """
    if values.shape[-1] == 1:
        return np.where(labels == 1, -1.0, 1.0) * values[None, ..., 0]
    own = values[..., np.arange(len(labels)), labels]
    return np.ascontiguousarray(np.moveaxis(values, -1, 0)) - own


def losses(below, weights):
    """Σ weights · log Σ exp over the classes, of values less that of each row's own class."""
    return row_losses(below) @ weights


def row_losses(below, out=None):
    """log Σ exp over the classes, of values less that of each row's own class, for each row.

    Parameters
    ----------
    below : ndarray of shape (n_outputs, ..., n_rows)
        As of `below_own`.
    out : ndarray of the same shape or None
        Where to write the exponentials.
    """
    two, top = len(below) == 1, 0.0
    if below.max(initial=0.0) > LARGEST:  # exponentials could overflow
        if two:
            return np.logaddexp(0.0, below[0])
        top = below.max(axis=0)
        below = np.subtract(below, top, out=out)
    E = np.exp(below, out=out)
    # of two classes the own one has the value zero
    return np.log1p(E[0]) if two else top + np.log(E.sum(axis=0))
