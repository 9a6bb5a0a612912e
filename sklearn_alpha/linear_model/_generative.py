"""The generative rule: empirical Bayes on the mean shift, the γ → ∞ end of the family.

With Zᵢ = yᵢ(xᵢ − m) and d = mean Zᵢ, half the difference of the class means:

    a = ⟨d, w̃⟩/‖w̃‖², s_a its standard error      R = Z less its part along w̃, r = mean Rᵢ
    v = mean‖Rᵢ − R̄‖² within the classes, / n      the noise energy in r
    u = ‖r‖² − v                                   unbiased for T = ‖E r‖²
    p_e = (mean‖Rᵢ‖²)² / mean_{i≠j}⟨Rᵢ, Rⱼ⟩²       the effective dimension
    T | data ∝ (T+v)^(−p_e/2) exp(−p_e‖r‖²/(2(T+v))) × log-normal around .7 × a feature's variance
    w = c [max(a, 2s_a) w̃ + ρ r],                  ρ = E[T/(T+v)]

m is x̄, shrunk by the same rule, so that a mean that is only noise is not subtracted. c puts the
decision values on the scale of y. On several sources d is regressed as y is in the evidence: their
mean counts, their differences are shrunk. No decomposition is needed.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._evidence import LAMBDAS, residual_form
from sklearn_alpha.linear_model._task import TINY, Solution, combine, posterior, unit_columns


def shrinkage(sqnorm, noise, dimension, centre):
    """Posterior of T = ‖E r‖² given ‖r‖² = sqnorm with noise energy v in p_e dimensions.

    Returns
    -------
    Bunch with `T` (grid), `posterior`, `rho` = E[T/(T+v)] and `mean` = E[T].
    """
    centre = max(centre, TINY)
    T = centre * np.exp(np.linspace(-6, 6, 61))
    total = T + noise
    log_likelihood = -dimension / 2 * (np.log(total) + sqnorm / total)
    P = posterior(log_likelihood - np.log(T / centre) ** 2 / 2)
    return Bunch(T=T, posterior=P, rho=float(P @ (T / total)), mean=float(P @ T))


def effective_dimension(trace, sqnorm, fourth, n, n_features):
    """p_e = trace² / mean_{i≠j}⟨Rᵢ, Rⱼ⟩², from ‖RᵀR/n‖² and Σ‖Rᵢ‖⁴."""
    pairs = n * (n - 1)
    across = (n**2 * sqnorm - fourth) / pairs if pairs > 0 else 0.0
    if across <= TINY:
        return float(n_features)
    return float(np.clip(trace**2 / across, 1, n_features))


class Centred:
    """Rows about m: what the rule needs of x − m, for any projection."""

    def __init__(self, task):
        rows = task.rows
        self.rows, self._sqnorm = rows, task.resolvent.sqnorm
        self.is_classifier = task.is_classifier
        self.tau = Bunch(rho=0.0)
        self.m = np.zeros(rows.n_features)
        self._kappa = float(rows.centred)
        if rows.centred:
            self.m = rows.mean
        elif rows.height:
            self.tau = self._shrink_mean()
            self.m = self.tau.rho * rows.mean
            self._kappa = 2 * self.tau.rho - self.tau.rho**2
            mean_A = rows.average(rows.dot(rows.mean) ** 2)
            size = rows.mean @ rows.mean
            self._sqnorm += self._kappa**2 * size**2 - 2 * self._kappa * mean_A
        self.sqnorms = np.maximum(rows.sqnorms - 2 * rows.dot(self.m) + self.m @ self.m, 0)
        self.trace = rows.average(self.sqnorms)

    def _shrink_mean(self):
        rows = self.rows
        n, size, trace = rows.n, rows.mean @ rows.mean, rows.trace
        spread = rows.weights @ rows.unit / n**2
        own = (rows.weights * rows.unit) @ rows.sqnorms / n**2
        unbiased = (size - own) / (1 - spread) if spread < 1 else 0.0
        fourth = rows.weights @ rows.sqnorms**2
        dimension = effective_dimension(trace, self._sqnorm, fourth, n, rows.n_features)
        noise = max((trace - unbiased) * spread, TINY)
        return shrinkage(size, noise, dimension, 0.7 * trace / rows.n_features)

    def dot(self, columns):
        """(X − m) @ columns."""
        return self.rows.dot(columns) - self.m @ columns

    def residual_sqnorms(self, Q):
        """‖P(xᵢ − m)‖² with P = I − QQᵀ."""
        return np.maximum(self.sqnorms - (self.dot(Q) ** 2).sum(axis=1), 0)

    def dimension(self, Q, sqnorms):
        """Effective dimension of the rows P(x − m), whose squared norms are given."""
        rows = self.rows
        BQ = rows.rdot(rows.weights[:, None] * rows.dot(Q)) / rows.n
        BQ -= self._kappa * np.outer(rows.mean, rows.mean @ Q)
        sqnorm = self._sqnorm - 2 * (BQ**2).sum() + ((Q.T @ BQ) ** 2).sum()
        trace, fourth = rows.average(sqnorms), rows.weights @ sqnorms**2
        return effective_dimension(trace, sqnorm, fourth, rows.n, rows.n_features)


@dataclass
class MeanShift:
    """The estimate of one output's mean shift, v + r with v = W̃ᵀα and r off the sources' span.

    Attributes
    ----------
    alpha : ndarray of shape (n_sources,)
    along : ndarray of shape (n_features,)
        v.
    r : ndarray of shape (n_features,)
    shrunk : Bunch
        The posterior of ‖E r‖²; `rho` shrinks r.
    Q : ndarray of shape (n_features, rank)
        Orthonormal basis of the sources' span.
    """

    alpha: np.ndarray
    along: np.ndarray
    r: np.ndarray
    shrunk: Bunch
    Q: np.ndarray


def mean_shift(centred, y, c, W):
    """Estimate the mean shift of one output.

    Parameters
    ----------
    centred : Centred
    y : ndarray of shape (n_rows,)
        Codes whose mean under the weights s·c is 0.
    c : ndarray of shape (n_rows,)
        Balancing weights of mean 1.
    W : ndarray of shape (n_sources, n_features)
    """
    rows = centred.rows
    n, share = rows.n, rows.weights * c
    d = rows.rdot(share * y) / n  # m drops out: Σ s c y = 0
    # the variance of a balanced mean, in units of that of a row
    spread = (rows.weights * rows.unit) @ c**2 / n**2

    T = unit_columns(W.T)
    U = W.T @ T
    along, sigma, _ = np.linalg.svd(U, full_matrices=False)
    Q = along[:, sigma > 1e-8]
    r = d - Q @ (Q.T @ d)
    theta = source_part(d, U, rows, c, y[:, None] * centred.dot(U))

    sqnorms = centred.residual_sqnorms(Q)
    noise = max(spread * variance_within(centred, y, sqnorms, Q), TINY)
    centre = 0.7 * centred.trace / rows.n_features * (share @ y**2 / n)
    shrunk = shrinkage(r @ r, noise, centred.dimension(Q, sqnorms), centre)
    return MeanShift(T @ theta, U @ theta, r, shrunk, Q)


def variance_within(centred, y, sqnorms, Q):
    """Energy of R = yP(x − m) about its mean: pooled over the classes, or over all rows.

    That no class mean enters makes it the same whatever m is. Where every class is a single row
    there is no spread to measure, and all the energy is taken for noise.
    """
    rows = centred.rows
    repeats, n = rows.repeats, rows.repeats.sum()
    energy, freedom = repeats @ (y**2 * sqnorms), n
    groups = [y > 0, y <= 0] if centred.is_classifier else [np.ones(len(y), dtype=bool)]
    means = 0.0
    for group in groups:
        values = repeats * y * group
        mean = (rows.rdot(values) - values.sum() * centred.m) / (repeats @ group)
        mean = mean - Q @ (Q.T @ mean)
        means += (repeats @ group) * (mean @ mean)
        freedom -= 1
    # rounding must not pass for freedom
    return energy / n if freedom <= 1e-9 * n else max(energy - means, 0.0) / freedom


def source_part(d, U, rows, c, Z):
    """θ with v = Uθ, for unit sources U (n_features, m) and the rows' Z = y(x − m)ᵀU.

    One source: θ = ⟨d, u⟩. Several: θ = θ̄1 + δ with δ shrunk as in the evidence, in the noise that
    the rows show along the sources. Then v is clamped at two standard errors; a single source well
    against d (θ below −2) stays reversed.
    """
    if not U.size:
        return np.zeros(U.shape[1])
    columns = np.column_stack([d, U])
    forms = (columns.T @ columns)[None]

    def error(z):
        """Standard error of the mean of z."""
        mean = rows.average(c[:, None] * z)
        size = (rows.weights * rows.unit) @ (c[:, None] * (z - mean)) ** 2 / rows.n**2
        return np.sqrt(size * rows.n / max(rows.n - 1, TINY))

    if U.shape[1] == 1:
        theta, least = U.T @ d, 2 * error(Z)
        return np.where(theta > -least, np.maximum(theta, least), theta)
    noise = max(np.mean(error(Z) ** 2), TINY)
    found = [residual_form(forms, np.array([kappa])) for kappa in LAMBDAS]
    P = posterior(np.array([log_det[0] - rr[0] / (2 * noise) for rr, log_det, _ in found]))
    theta = P @ np.array([theta[0] for *_, theta in found])
    length = np.linalg.norm(U @ theta)
    if length > 0:
        theta = theta * max(1, 2 * error(Z @ theta[:, None])[0] / length**2)
    return theta


def left_out_shifts(task, centred, shift, j):
    """r₋ᵢᵀ(xᵢ − m) for each row i, with the shrinkage and the sources' span held."""
    rows, y = task.rows, task.Y[:, j]
    Q, n, unit = shift.Q, task.rows.n, task.rows.unit
    x_r = centred.dot(shift.r)
    inside = centred.dot(Q)

    def cross(origin):
        """(xᵢ − o)ᵀP(xᵢ − m)."""
        o = origin - centred.m
        o = o - Q @ (Q.T @ o)
        return centred.sqnorms - (inside**2).sum(axis=1) - centred.dot(o)

    if not task.is_classifier:
        left = np.where(unit < n, n - unit, np.inf)  # without its only row there is no shift
        return n / left * x_r - unit * n / left**2 * (y - rows.average(y)) * cross(rows.mean)
    values = np.zeros(len(y))
    for sign in (-1, 1):
        members = sign * y > 0
        total = rows.weights[members].sum()
        mean = rows.rdot(rows.weights * members) / total
        rest = total - unit[members]
        if rest.min() <= 1e-12 * total:
            # without its only row a class has no mean: m stands in for it
            mean, share = centred.m, 1.0
        else:
            share = unit[members] / rest
        values[members] = x_r[members] - sign / 2 * share * cross(mean)[members]
    return values


def shifted(task):
    """Codes less their balanced mean, and the balancing weights."""
    balance = np.ones_like(task.Y) if task.balance is None else task.balance
    return task.Y - task.rows.average(balance * task.Y), balance


def generative(task):
    """α and the adapter from the shrunken mean shift of each output."""
    rows = task.rows
    centred = Centred(task)
    y, balance = shifted(task)
    shifts = [
        mean_shift(centred, y[:, j], balance[:, j], task.W[j]) for j in range(task.Y.shape[1])
    ]
    alpha = np.array([s.alpha for s in shifts])
    rho = np.array([s.shrunk.rho for s in shifts])
    a = rho[:, None] * np.array([s.r for s in shifts])

    source = combine(task.S, alpha)
    fitted = source + centred.dot(a.T)
    left_out = [left_out_shifts(task, centred, s, j) for j, s in enumerate(shifts)]
    loo = source + rho * np.column_stack(left_out)
    c = slope(task, loo)
    alpha, a, fitted, loo = c[:, None] * alpha, c[:, None] * a, c * fitted, c * loo

    # b: the constant's ridge weight for what is left, beside the adapter's own centre
    k2 = rows.height**2
    kept = 1.0 if rows.centred else k2 / (k2 + task.gamma_centre)
    shift = kept * rows.average(task.Y - fitted)
    b = shift - a @ (centred.m + rows.offset)
    path = Bunch(
        T=np.array([s.shrunk.T for s in shifts]),
        posterior=np.array([s.shrunk.posterior for s in shifts]),
        rho=rho,
        mean_shrinkage=centred.tau.rho,
    )
    loo = loo + shift
    return Solution(task, alpha, np.inf, a, b, loo.__getitem__, Bunch(generative=path))


def slope(task, values):
    """c > 0 with which c·values are nearest to y: one for all classes, or one for each target.

    A correlation within its own noise, 1/√n, is taken as that: the sign is the rule's, not c's.
    """
    weights, Y = task.rows.weights[:, None], task.Y
    if task.rows.centred:
        values, Y = values - task.rows.average(values), Y - task.rows.average(Y)
    axis = None if task.is_classifier else 0
    product, size, target = (
        (weights * terms).sum(axis=axis) for terms in (values * Y, values**2, Y**2)
    )
    least = np.sqrt(size * target / task.rows.n)
    c = np.maximum(product, least) / np.maximum(size, TINY)
    return np.broadcast_to(c, task.Y.shape[1])
