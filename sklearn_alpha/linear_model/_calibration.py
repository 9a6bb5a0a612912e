"""Probabilities from leave-one-out decision values.

P(class c | f) = softmax(βf)_c with one β > 0, the maximum of the likelihood of the left-out rows
against Platt's smoothed targets, (N_c + 1)/(N_c + C) for a row's own class and 1/(N_c + C) for the
others. A scale alone keeps the order of the classes, so `predict` and `predict_proba` agree.
"""

import numpy as np
from scipy.special import log_softmax


def logits(values):
    """Decision values (..., n_outputs) with one column for each class: one output becomes two."""
    if values.shape[-1] > 1:
        return values
    return np.concatenate([np.zeros_like(values), values], axis=-1)


def smoothed_targets(labels, weights, n_classes):
    """Platt's targets, (n_rows, n_classes), for labels 0..n_classes-1."""
    counts = np.bincount(labels, weights=weights, minlength=n_classes)[labels, None]
    return (np.eye(n_classes)[labels] * counts + 1) / (counts + n_classes)


def inverse_temperature(values, targets, weights, start=1.0):
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
    # classes first: sums over them are sums of whole arrays
    F = np.ascontiguousarray(np.moveaxis(logits(values), -1, 0))
    F -= F.mean(axis=0)
    size = np.sqrt(np.einsum("cti,cti,i->t", F, F, weights) / (weights.sum() * len(F)))
    size[size == 0] = 1
    F /= size[:, None]
    pull = np.einsum("cti,ic->t", F, weights[:, None] * targets)
    top = F.max(axis=0)
    below = F - top  # no exponential of it overflows

    # The loss is convex in β: Newton's steps, kept between a slope below and a slope above zero.
    # The least β is the noise of a correlation over n rows, so that probabilities never all tie.
    low, high = np.full(len(size), weights.sum() ** -0.5), np.full(len(size), 1e3)
    beta = np.clip(np.full(len(size), start), low, high)
    for _ in range(60):
        E = np.exp(beta[:, None] * below)
        total = E.sum(axis=0)
        E *= F
        mean = E.sum(axis=0) / total
        E *= F
        slope = mean @ weights - pull
        curvature = (E.sum(axis=0) / total - mean**2) @ weights
        low, high = np.where(slope < 0, beta, low), np.where(slope > 0, beta, high)
        step = beta - slope / np.maximum(curvature, np.finfo(np.float64).tiny)
        step = np.where((step > low) & (step < high), step, np.sqrt(low * high))
        converged = np.abs(step - beta) <= 1e-12 * beta
        beta = step
        if converged.all():
            break
    total = np.exp(beta[:, None] * below).sum(axis=0)
    loss = (np.log(total) + beta[:, None] * top) @ weights - beta * pull
    return beta / size, loss, size


def log_probabilities(values, beta):
    """log softmax(βf), (n_rows, n_classes)."""
    return log_softmax(beta * logits(values), axis=-1)
