"""Logistic regression with an offset, and its cross-validation."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.model_selection import KFold

PENALTIES = np.logspace(-2, 2, 5)


def class_logits(classifier, X):
    """Logits of a fitted linear classifier, of shape (n_rows, n_classes)."""
    values = classifier.decision_function(X)
    return np.column_stack([-values / 2, values / 2]) if values.ndim == 1 else values


def log_loss(logits, labels):
    """Mean log loss of logits, for labels 0 to n_classes - 1."""
    return -np.mean(log_softmax(logits, axis=1)[np.arange(len(labels)), labels])


def span_of_rows(X, own):
    """Coordinates of all rows in an orthonormal basis of the span of the rows `own`, and a one.

    A penalised fit on the rows `own` is the same in these coordinates, which are fewer than the
    features where rows are few.
    """
    gram = X @ X[own].T
    gram = np.asarray(gram.todense() if hasattr(gram, "todense") else gram)
    values, vectors = np.linalg.eigh(gram[own])
    kept = values > 1e-10 * values[-1]
    Z = gram @ vectors[:, kept] / np.sqrt(values[kept])
    return np.column_stack([Z, np.ones(len(Z))])


def fit(Z, labels, offset, C):
    """B = argmin C Σᵢ ℓ(offsetᵢ + zᵢᵀB, labelᵢ) + ½‖B‖², with the softmax log loss ℓ."""
    Y = np.eye(offset.shape[1])[labels]

    def objective(b):
        B = b.reshape(Z.shape[1], -1)
        logits = offset + Z @ B
        value = C * len(Y) * log_loss(logits, labels) + np.sum(B**2) / 2
        return value, (C * Z.T @ (softmax(logits, axis=1) - Y) + B).ravel()

    start = np.zeros(Z.shape[1] * offset.shape[1])
    return minimize(objective, start, jac=True, method="L-BFGS-B").x.reshape(Z.shape[1], -1)


def left_out(Z, labels, offset, C, seed):
    """Part zᵢᵀB of the logits of each row, from fits of which it is left out."""
    result = np.empty_like(offset)
    for train, test in folds(len(Z), seed):
        result[test] = Z[test] @ fit(Z[train], labels[train], offset[train], C)
    return result


def folds(n, seed):
    """Five random folds; some classes have one row, so they are not stratified."""
    return KFold(5, shuffle=True, random_state=seed).split(np.empty(n))


def penalties(Z):
    """Values of C, in units of the inverse mean squared norm of the rows."""
    return PENALTIES / np.mean(np.sum(Z[:, :-1] ** 2, axis=1))
