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
from functools import partial

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.sparse.linalg import LinearOperator, cg
from scipy.special import softmax

from sklearn_alpha.linear_model._calibration import below_own, losses

TAU, ETA = 5.0, 1.0
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


class LogisticRows:
    """Rows z in orthogonal directions, for fits beside different log odds.

    Parameters
    ----------
    rows : Rows
    has_intercept : bool
        Whether η is more than zero.
    are_equal : bool
        Whether all rows are equal, so that their differences are rounding.
    """

    def __init__(self, rows, *, has_intercept=True, are_equal=False):
        self._rows, self._eta = rows, ETA * has_intercept
        Z, self._weights_of = coordinates(rows)
        size = np.sqrt(rows.weights / rows.weights.sum() @ np.sum(Z**2, axis=1))
        self._scale = 0.0 if are_equal or size == 0 else TAU / size
        self._Z = np.column_stack([self._scale * Z, np.full(len(Z), self._eta)])

    def fit(self, F, labels):
        """The `LogisticFit` beside log odds (n_rows, n_classes), for labels 0..n_classes-1."""
        rows, Z = self._rows, self._Z
        B = maximum(Z, F, labels, rows.weights)
        return LogisticFit(
            self._weights_of(self._scale * B[:-1]),
            self._eta * B[-1],
            without_each(Z, F, B, labels, rows.weights, rows.unit),
        )


def coordinates(rows):
    """Rows in orthogonal directions (n_rows, m), and the function of B (m, C) to weights (C, p)."""
    if rows.n_features <= rows.n_rows:
        X = rows.take(slice(None))
        _, directions = principal(X.T @ X)
        return X @ directions, lambda B: (directions @ B).T
    squares, directions = principal(rows.outer())
    root = np.sqrt(squares)
    return directions * root, lambda B: rows.rdot(directions @ (B / root[:, None])).T


def principal(gram):
    """The eigenvalues of a Gram matrix that are more than rounding, and their eigenvectors."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > len(gram) * EPS * max(values[-1], 0.0)
    return values[kept], vectors[:, kept]


def maximum(Z, F, labels, weights):
    """B (m, n_classes), by Newton's method with conjugate gradients."""
    n_classes = F.shape[1]
    Y = np.eye(n_classes)[labels]
    # Variables of about unit curvature: this is that of equally likely classes.
    unit = 1 / np.sqrt(1 + weights @ Z**2 / n_classes)[:, None]
    Z, penalty = Z * unit[:, 0], unit**2
    tolerance = TOLERANCE * np.sqrt(max(weights.sum(), 1.0))

    def loss(B):
        return losses(below_own(F + Z @ B, labels), weights) + np.sum(penalty * B**2) / 2

    B = np.zeros((Z.shape[1], n_classes))
    for _ in range(100):  # ten are enough, unless log odds are out of all proportion
        P = softmax(F + Z @ B, axis=1)
        slope = Z.T @ (weights[:, None] * (P - Y)) + penalty * B
        size = np.linalg.norm(slope)
        if size <= tolerance:
            break
        H = LinearOperator((B.size, B.size), matvec=partial(curvature, Z, P, weights, penalty))
        with np.errstate(all="ignore"):  # of weights beyond 1e16 the curvature may be rounding
            step = cg(H, slope.ravel(), rtol=min(0.1, size), maxiter=500)[0].reshape(B.shape)
        if not np.isfinite(step).all():
            break
        now = loss(B) * (1 + 8 * EPS)
        while loss(B - step) > now:
            step = step / 2
        B = B - step
    return unit * B


def curvature(Z, P, weights, penalty, D):
    """The matrix of second derivatives times D."""
    D = D.reshape(len(penalty), -1)
    of_rows = P * (Z @ D)
    of_rows -= P * np.sum(of_rows, axis=1, keepdims=True)
    return (Z.T @ (weights[:, None] * of_rows) + penalty * D).ravel()


def without_each(Z, F, B, labels, weights, unit):
    """zᵀB₋ᵢ (n_rows, n_classes) of each row, without one repetition of it."""
    n_classes = F.shape[1]
    values = Z @ B
    P = softmax(F + values, axis=1)
    for c in range(n_classes):
        w = n_classes / (n_classes - 1) * P[:, c] * (1 - P[:, c])
        H = Z.T @ ((weights * w)[:, None] * Z)
        H += (1 + len(H) * EPS * H.diagonal().max()) * np.eye(len(H))  # rounding is not negative
        h = np.sum(solve_triangular(cholesky(H, lower=True), Z.T, lower=True) ** 2, axis=0)
        values[:, c] -= h * unit * ((labels == c) - P[:, c]) / (1 - h * unit * w)
    return values
