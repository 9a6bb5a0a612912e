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
from scipy.linalg import blas, lapack

from sklearn_alpha.linear_model._calibration import below_own, row_losses

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
        B, P = maximum(Z, F, labels, rows.weights)
        return LogisticFit(
            self._weights_of(self._scale * B[:, :-1].T),
            self._eta * B[:, -1],
            without_each(Z, B, P, labels, rows.weights, rows.unit).T,
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
    """Bᵀ (n_classes, m) and P (n_classes, n_rows), by Newton's method with conjugate gradients."""
    n_classes, own = F.shape[1], (labels, np.arange(len(labels)))
    # Variables of about unit curvature: this is that of equally likely classes.
    unit = 1 / np.sqrt(1 + weights @ Z**2 / n_classes)
    Z, penalty, below = Z * unit, unit**2, below_own(F, labels)
    tolerance = TOLERANCE * np.sqrt(max(weights.sum(), 1.0))

    def evaluate(B):
        """The loss, and P."""
        values = B @ Z.T
        values += below - values[own]
        of_rows = row_losses(values)
        return of_rows @ weights + np.sum(penalty * B**2) / 2, np.exp(values - of_rows)

    B = np.zeros((n_classes, Z.shape[1]))
    loss, P = evaluate(B)
    for _ in range(100):  # ten are enough, unless log odds are out of all proportion
        weighted = P * weights
        residual = weighted.copy()
        residual[own] -= weights
        slope = residual @ Z + penalty * B
        size = np.linalg.norm(slope)
        if size <= tolerance:
            break
        with np.errstate(all="ignore"):  # of weights beyond 1e16 the curvature may be rounding
            step = solution(partial(curvature, Z, P, weighted, penalty), slope, min(0.1, size))
        if not np.isfinite(step).all():
            break
        enough = loss * (1 + 8 * EPS)
        loss, P = evaluate(B - step)
        while loss > enough:
            step = step / 2
            loss, P = evaluate(B - step)
        B = B - step
    return unit * B, P


def curvature(Z, P, weighted, penalty, D):
    """The matrix of second derivatives times D; `weighted` is P times the weights of the rows."""
    of_rows = D @ Z.T
    of_rows -= np.einsum("ci,ci->i", P, of_rows)
    of_rows *= weighted
    return of_rows @ Z + penalty * D


def solution(product, slope, rtol, most=500):
    """D with product(D) = slope, by conjugate gradients."""
    D, direction, left = np.zeros_like(slope), slope, slope
    size = np.vdot(left, left)
    enough = rtol**2 * size
    for _ in range(most):
        if not size > enough:
            break
        image = product(direction)
        step = size / np.vdot(direction, image)
        D, left = D + step * direction, left - step * image
        size, before = np.vdot(left, left), size
        direction = left + size / before * direction
    return D


def without_each(Z, B, P, labels, weights, unit):
    """zᵀB₋ᵢ (n_classes, n_rows) of each row, without one repetition of it."""
    values, scale = B @ Z.T, len(P) / (len(P) - 1)
    for c, (own, P_c) in enumerate(zip(values, P)):
        w = scale * P_c * (1 - P_c)
        half = np.sqrt(weights * w)[:, None] * Z
        H = blas.dsyrk(1.0, half.T, lower=1)
        size = H.diagonal()
        np.fill_diagonal(H, size + 1 + len(H) * EPS * size.max())  # rounding is not negative
        L, _ = lapack.dpotrf(H, lower=1, overwrite_a=1)
        solved = blas.dtrsm(1.0, L, Z.T, lower=1)
        h = np.einsum("ji,ji->i", solved, solved)
        own -= h * unit * ((labels == c) - P_c) / (1 - h * unit * w)
    return values
