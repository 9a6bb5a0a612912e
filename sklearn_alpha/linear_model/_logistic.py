"""Logistic regression of several classes beside a source, and its left-out values.

    B = argmin_B Σᵢ sᵢ ℓ(Fᵢ + zᵢᵀB, yᵢ) + ½‖B‖²,    z = (τ x/rms‖x‖, η),    ℓ = −log softmax

F are the log odds of the source. For a row of the usual norm the prior of zᵀB is N(0, τ² + η²).

A ridge fit of codes gives a class that lies between others no region of its own, and it is also
drawn to rows that are far on the right side. This fit has neither fault, but it needs more rows.

The values of a left-out row are those of one Newton step without it, for each class c alone. With
the residuals r = [y = c] − P_c and one repetition u of the row,

    w = C/(C − 1) P_c(1 − P_c),    h = zᵢᵀ(Σ s w zzᵀ + I)⁻¹zᵢ,    zᵀB₋ᵢ = zᵀB − h u r/(1 − h u w)

The factor C/(C − 1) is what the other classes add to the curvature, exactly so for two classes and
where all classes are equally likely.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.sparse.linalg import LinearOperator, cg
from scipy.special import softmax

from sklearn_alpha.linear_model._calibration import below_own, losses

TAU, ETA = 5.0, 0.3
TOLERANCE = 1e-10  # of the gradient, for one row and in variables of about unit curvature
EPS = np.finfo(np.float64).eps


@dataclass(frozen=True)
class LogisticFit:
    """zᵀB of any row, and of the rows of the fit when each is left out.

    Attributes
    ----------
    coef, intercept : ndarray of shape (n_classes, n_features), (n_classes,)
        Of the rows that were given, which are less an offset.
    left_out : ndarray of shape (n_rows, n_classes)
    """

    coef: np.ndarray
    intercept: np.ndarray
    left_out: np.ndarray

    @classmethod
    def of(cls, rows, F, labels, *, tau=TAU, has_intercept=True):
        """From `Rows`, log odds (n_rows, n_classes) and labels 0..n_classes-1."""
        Z, weights_of = coordinates(rows)
        size = np.sqrt(rows.weights @ np.sum(Z**2, axis=1) / rows.weights.sum())
        scale, eta = tau / size if size > 0 else 0.0, ETA * has_intercept
        Z = np.column_stack([scale * Z, np.full(len(Z), eta)])
        B = fit(Z, F, labels, rows.weights)
        left_out = without_each(Z, F, B, labels, rows.weights, rows.unit)
        return cls(weights_of(scale * B[:-1]), eta * B[-1], left_out)


def coordinates(rows):
    """Rows in orthogonal directions (n_rows, m), and the function of B (m, C) to weights (C, p)."""
    n, p = rows.n_rows, rows.n_features
    if p <= n:
        X = rows.take(slice(None))
        _, directions = principal(X.T @ X)
        return X @ directions, lambda B: (directions @ B).T
    values, directions = principal(rows.outer())
    root = np.sqrt(values)
    return directions * root, lambda B: rows.rdot(directions @ (B / root[:, None])).T


def principal(gram):
    """The eigenvalues of a Gram matrix that are more than rounding, and their eigenvectors."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > len(gram) * EPS * max(values[-1], 0.0)
    return values[kept], vectors[:, kept]


def fit(Z, F, labels, weights):
    """B (m, n_classes), by Newton's method: each step by conjugate gradients."""
    n_classes = F.shape[1]
    Y = np.eye(n_classes)[labels]
    # variables in which the curvature is about 1: that of equally likely classes, at most
    unit = 1 / np.sqrt(1 + weights @ Z**2 / n_classes)[:, None]
    Z, penalty = Z * unit[:, 0], unit**2
    B = np.zeros((Z.shape[1], n_classes))
    tolerance = TOLERANCE * np.sqrt(max(weights.sum(), 1.0))

    def loss(B):
        return losses(below_own(F + Z @ B, labels), weights) + np.sum(penalty * B**2) / 2

    for _ in range(100):  # ten are enough, unless log odds are out of all proportion
        P = softmax(F + Z @ B, axis=1)
        slope = Z.T @ (weights[:, None] * (P - Y)) + penalty * B
        size = np.linalg.norm(slope)
        if size <= tolerance:
            break

        def curvature(D, P=P):
            D = D.reshape(B.shape)
            of_rows = Z @ D
            of_rows = P * (of_rows - np.sum(P * of_rows, axis=1, keepdims=True))
            return (Z.T @ (weights[:, None] * of_rows) + penalty * D).ravel()

        H = LinearOperator((B.size, B.size), matvec=curvature)
        step = cg(H, slope.ravel(), rtol=min(0.1, size), maxiter=500)[0].reshape(B.shape)
        now, decrease = loss(B), np.sum(slope * step)
        share = 1.0
        while loss(B - share * step) > now - 1e-4 * share * decrease + 8 * EPS * abs(now):
            share /= 2
        B = B - share * step
    return unit * B


def without_each(Z, F, B, labels, weights, unit):
    """zᵀB₋ᵢ (n_rows, n_classes) of each row, without one repetition of it."""
    n_classes = F.shape[1]
    values = Z @ B
    P = softmax(F + values, axis=1)
    for c in range(n_classes):
        w = n_classes / (n_classes - 1) * P[:, c] * (1 - P[:, c])
        H = Z.T @ ((weights * w)[:, None] * Z) + np.eye(Z.shape[1])
        h = np.sum(solve_triangular(cholesky(H, lower=True), Z.T, lower=True) ** 2, axis=0)
        values[:, c] -= h * unit * ((labels == c) - P[:, c]) / (1 - h * unit * w)
    return values
