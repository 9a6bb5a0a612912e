"""Probabilities from leave-one-out decision values.

P(class c | f) = softmax(βf)_c with one β > 0, the maximum of the likelihood of the left-out rows
against Platt's smoothed targets, (N_c + 1)/(N_c + C) for a row's own class and 1/(N_c + C) for the
others. A scale alone keeps the order of the classes, so `predict` and `predict_proba` agree.
"""

import numpy as np
from scipy.special import log_softmax, logsumexp, softmax


def logits(values):
    """Decision values (..., n_outputs) with one column for each class: one output becomes two."""
    if values.shape[-1] > 1:
        return values
    return np.concatenate([np.zeros_like(values), values], axis=-1)


def smoothed_targets(labels, weights, n_classes):
    """Platt's targets, (n_rows, n_classes), for labels 0..n_classes-1."""
    counts = np.bincount(labels, weights=weights, minlength=n_classes)[labels, None]
    return (np.eye(n_classes)[labels] * counts + 1) / (counts + n_classes)


def inverse_temperature(values, labels, weights):
    """β and the negative log-likelihood there, for each of several sets of decision values.

    Parameters
    ----------
    values : ndarray of shape (n_sets, n_rows, n_outputs)
    labels : ndarray of shape (n_rows,)
        Class numbers.
    weights : ndarray of shape (n_rows,)

    Returns
    -------
    beta, loss : ndarray of shape (n_sets,)
    """
    F = logits(values)
    F = F - F.mean(axis=-1, keepdims=True)
    targets = smoothed_targets(labels, weights, F.shape[-1])
    size = np.sqrt(np.einsum("tic,i->t", F**2, weights) / (weights.sum() * F.shape[-1]))
    size[size == 0] = 1
    F = F / size[:, None, None]
    pull = np.einsum("tic,ic,i->t", F, targets, weights)

    # The loss is convex in β: Newton's steps, kept between a slope below and a slope above zero.
    # The least β is the noise of a correlation over n rows, so that probabilities never all tie.
    low, high = np.full(len(F), weights.sum() ** -0.5), np.full(len(F), 1e3)
    beta = np.maximum(np.ones(len(F)), low)
    for _ in range(60):
        P = softmax(beta[:, None, None] * F, axis=-1)
        mean = (P * F).sum(axis=-1)
        slope = mean @ weights - pull
        curvature = ((P * F**2).sum(axis=-1) - mean**2) @ weights
        low, high = np.where(slope < 0, beta, low), np.where(slope > 0, beta, high)
        step = beta - slope / np.maximum(curvature, np.finfo(np.float64).tiny)
        step = np.where((step > low) & (step < high), step, np.sqrt(low * high))
        converged = np.abs(step - beta) <= 1e-12 * beta
        beta = step
        if converged.all():
            break
    loss = logsumexp(beta[:, None, None] * F, axis=-1) @ weights - beta * pull
    return beta / size, loss


def log_probabilities(values, beta):
    """log softmax(βf), (n_rows, n_classes)."""
    return log_softmax(beta * logits(values), axis=-1)
