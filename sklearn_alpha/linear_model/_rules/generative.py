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
mean is free, and their differences are shrunk. No decomposition is needed.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._directions import unit_columns
from sklearn_alpha.linear_model._rules import evidence
from sklearn_alpha.linear_model._rules.evidence import LAMBDAS, residual_form
from sklearn_alpha.linear_model._solution import TINY, Solution, combine, posterior


def shrinkage(sqnorm, noise, dimension, centre):
    """Posterior of T = ‖E r‖² given ‖r‖² = sqnorm with noise energy v in p_e dimensions.

    Returns
    -------
    Bunch with `T` (grid), `posterior`, `rho` = E[T/(T+v)] and `mean` = E[T].
    """
    centre = max(centre, 1e-99 * sqnorm, TINY)  # no ratio overflows
    T = centre * np.exp(np.linspace(-6, 6, 61))
    total = T + noise
    log_likelihood = -dimension / 2 * (np.log(total) + sqnorm / total)
    P = posterior(log_likelihood - np.log(T / centre) ** 2 / 2)
    return Bunch(T=T, posterior=P, rho=float(P @ (T / total)), mean=float(P @ T))


def effective_dimension(trace, sqnorm, fourth, spread, n_features):
    """p_e = trace² / mean_{i≠j}⟨Rᵢ, Rⱼ⟩²: from ‖RᵀR/n‖², Σ‖Rᵢ‖⁴/n² and 1/n, the share of i = j."""
    across = (sqnorm - fourth) / (1 - spread) if spread < 1 else 0.0
    if across <= TINY:
        return float(n_features)
    return float(np.clip(trace**2 / across, 1, n_features))


class Centred:
    """Rows about m: what the rule needs of x − m, for any projection."""

    def __init__(self, problem):
        rows = problem.rows
        self.rows, self._sqnorm = rows, problem.resolvent.sqnorm
        # the variance of a mean over that of a row: the sum of the squared shares of repetitions
        self.squares = rows.weights * rows.unit / rows.n**2
        self.spread = self.squares.sum()
        self.is_classifier = problem.is_classifier
        self.tau = Bunch(rho=float(rows.centred))
        along = rows.along_mean if rows.height else np.zeros(rows.n_rows)
        if 0 < rows.height < np.inf:
            self.tau = self._shrink_mean()
        rho = self.tau.rho
        self.m = rho * rows.mean if rho else np.zeros(rows.n_features)
        self._kappa = 2 * rho - rho**2
        if not rows.centred:  # otherwise it is that of the centred rows already
            size = rows.mean @ rows.mean
            self._sqnorm += self._kappa**2 * size**2 - 2 * self._kappa * rows.average(along**2)
        self.sqnorms = np.maximum(rows.sqnorms - 2 * rho * along + self.m @ self.m, 0)
        self.trace = rows.average(self.sqnorms)

    def _shrink_mean(self):
        rows = self.rows
        size, trace, spread = rows.mean @ rows.mean, rows.trace, self.spread
        own, fourth = self.squares @ rows.sqnorms, self.squares @ rows.sqnorms**2
        unbiased = (size - own) / (1 - spread) if spread < 1 else 0.0
        dimension = effective_dimension(trace, self._sqnorm, fourth, spread, rows.n_features)
        noise = max((trace - unbiased) * spread, TINY)
        return shrinkage(size, noise, dimension, 0.7 * trace / rows.n_features)

    def dot(self, columns):
        """(X − m) @ columns."""
        return self.rows.dot(columns) - self.m @ columns

    def dimension(self, Q, BQ, sqnorms):
        """Effective dimension of the rows P(x − m), of P = I − QQᵀ, given their squared norms.

        BQ is XᵀSXQ/n.
        """
        rows = self.rows
        BQ = BQ - self._kappa * np.outer(rows.mean, rows.mean @ Q)
        sqnorm = self._sqnorm - 2 * (BQ**2).sum() + ((Q.T @ BQ) ** 2).sum()
        trace, fourth = rows.average(sqnorms), self.squares @ sqnorms**2
        return effective_dimension(trace, sqnorm, fourth, self.spread, rows.n_features)


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
    inside : ndarray of shape (n_rows, rank)
        (X − m)Q.
    totals : ndarray of shape (n_features, n_groups)
        Σ sᵢxᵢ over each of the groups.
    """

    alpha: np.ndarray
    along: np.ndarray
    r: np.ndarray
    shrunk: Bunch
    Q: np.ndarray
    inside: np.ndarray
    totals: np.ndarray

    def outputs(self, centred):
        """Xv, (n_rows,): v is in the sources' span, and the rows' part there is known."""
        return (
            self.inside @ (self.Q.T @ self.along) + (centred.m + centred.rows.offset) @ self.along
        )


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
    n, weights, share = rows.n, rows.weights[:, None], rows.weights * c
    spread = centred.squares @ c**2  # the variance of the balanced mean

    T = unit_columns(W.T)
    U = W.T @ T
    along, sigma, V = np.linalg.svd(U, full_matrices=False)
    kept = sigma > 1e-8
    Q, UQ = along[:, kept], sigma[kept, None] * V[kept]
    XQ = rows.dot(Q)
    inside = XQ - centred.m @ Q

    # all sums over the rows, in one product
    groups = groups_of(centred, y)
    pooled = rows.repeats[:, None] * y[:, None] * groups
    parts = (share * y)[:, None], pooled, weights * groups, weights * XQ
    sums = rows.rdot(np.hstack(parts))
    d, of_pooled, totals, BQ = np.split(sums, np.cumsum([p.shape[1] for p in parts[:-1]]), axis=1)
    d = d[:, 0] / n  # m drops out: Σ s c y = 0
    r = d - Q @ (Q.T @ d)
    theta = source_part(d, U, centred, c, y[:, None] * (inside @ UQ))

    sqnorms = np.maximum(centred.sqnorms - (inside**2).sum(axis=1), 0)
    means = of_pooled - np.outer(centred.m, pooled.sum(axis=0))
    noise = max(spread * variance_within(rows, y, sqnorms, groups, means - Q @ (Q.T @ means)), TINY)
    centre = 0.7 * centred.trace / rows.n_features * (share @ y**2 / n)
    shrunk = shrinkage(r @ r, noise, centred.dimension(Q, BQ / n, sqnorms), centre)
    return MeanShift(T @ theta, U @ theta, r, shrunk, Q, inside, totals)


def groups_of(centred, y):
    """Members of the rows that are above and below zero, or of all of them, (n_rows, n_groups)."""
    if not centred.is_classifier:
        return np.ones((len(y), 1))
    return np.column_stack([y > 0, y <= 0]).astype(np.float64)


def variance_within(rows, y, sqnorms, groups, totals):
    """Energy of R = yP(x − m) about its mean: pooled over the classes, or over all rows.

    The means of the classes are removed, so that it does not depend on m. Where every class is a
    single row there is no spread to measure, and all the energy counts as noise. `totals` are ΣR.
    """
    repeats = rows.repeats
    n, sizes = repeats.sum(), repeats @ groups
    energy, freedom = repeats @ (y**2 * sqnorms), n - len(sizes)
    means = ((totals**2).sum(axis=0) / sizes).sum()
    # a freedom that is only rounding is none
    return energy / n if freedom <= 1e-9 * n else max(energy - means, 0.0) / freedom


def source_part(d, U, centred, c, Z):
    """θ with v = Uθ, for unit sources U (n_features, m) and the rows' Z = y(x − m)ᵀU.

    For one source, θ = ⟨d, u⟩. For several, θ = θ̄1 + δ with δ shrunk as in the evidence, under the
    noise of the rows along the sources. Then v is made at least two standard errors long; a single
    source with θ below minus two standard errors stays reversed.
    """
    if not U.size:
        return np.zeros(U.shape[1])
    columns = np.column_stack([d, U])
    forms = (columns.T @ columns)[None]

    def error(z):
        """Standard error of the mean of z."""
        mean = centred.rows.average(c[:, None] * z)
        size = centred.squares @ (c[:, None] * (z - mean)) ** 2
        return np.sqrt(size / max(1 - centred.spread, TINY))

    if U.shape[1] == 1:
        theta, least = U.T @ d, 2 * error(Z)
        return np.where(theta > -least, np.maximum(theta, least), theta)
    # rows that do not vary are known only to rounding
    noise = max(np.mean(error(Z) ** 2), np.finfo(np.float64).eps ** 2 * (d @ d), TINY)
    found = [residual_form(forms, np.array([kappa])) for kappa in LAMBDAS]
    P = posterior(np.array([log_det[0] - rr[0] / (2 * noise) for rr, log_det, _ in found]))
    theta = P @ np.array([theta[0] for *_, theta in found])
    length = np.linalg.norm(U @ theta)
    if length > 0:
        theta = theta * max(1, 2 * error(Z @ theta[:, None])[0] / length**2)
    return theta


def left_out_shifts(problem, centred, shift, j):
    """rᵀ(xᵢ − m) and r₋ᵢᵀ(xᵢ − m) of each row, with the shrinkage and the sources' span held."""
    rows, y = problem.rows, problem.Y[:, j]
    Q, n, unit = shift.Q, problem.rows.n, problem.rows.unit
    groups = groups_of(centred, y)
    totals, rest = rows.weights @ groups, groups @ (rows.weights @ groups) - unit
    # without its only row a class has no mean: m is taken for it
    alone = np.array([(rest[g > 0] <= 1e-12 * t).any() for g, t in zip(groups.T, totals)])
    means = np.where(alone, centred.m[:, None], shift.totals / totals)
    origins = means - centred.m[:, None]
    product = centred.dot(np.column_stack([shift.r, origins - Q @ (Q.T @ origins)]))
    x_r, along = product[:, 0], (product[:, 1:] * groups).sum(axis=1)
    # (xᵢ − o)ᵀP(xᵢ − m), of a row's own o
    cross = centred.sqnorms - (shift.inside**2).sum(axis=1) - along

    if not problem.is_classifier:
        left = np.where(unit < n, n - unit, np.inf)  # without its only row there is no shift
        y = y - rows.average(y)
        return x_r, n / left * x_r - unit * n / left**2 * y * cross
    lost = np.where(groups @ alone > 0, 1.0, unit / np.where(rest > 0, rest, 1.0))
    return x_r, x_r - np.sign(y) / 2 * lost * cross


def shifted(problem):
    """Codes less their balanced mean, and the balancing weights."""
    if problem.is_classifier and (np.ptp(np.sign(problem.Y), axis=0) == 0).any():
        raise ValueError(
            "a class has no rows, and this selection reads the mean of each class; pass "
            "selection='anchored', 'evidence', 'loo' or 'cv', or leave the class out of classes."
        )
    balance = np.ones_like(problem.Y) if problem.balance is None else problem.balance
    return problem.Y - problem.rows.average(balance * problem.Y), balance


def from_moments(is_given):
    """Whether second moments are all that the rule reads: where the evidence takes over."""
    return is_given


def solve(problem, given):
    """α and the adapter from the shrunken mean shift of each output.

    The result is no member of the family w(α, γ). Where α or γ is given there is a member to find,
    which is left to the evidence.
    """
    if given.fixed:
        return evidence.solve(problem, given)
    rows = problem.rows
    centred = Centred(problem)
    y, balance = shifted(problem)
    shifts = [
        mean_shift(centred, y[:, j], balance[:, j], problem.W[j]) for j in range(problem.Y.shape[1])
    ]
    alpha = np.array([s.alpha for s in shifts])
    rho = np.array([s.shrunk.rho for s in shifts])
    a = rho[:, None] * np.array([s.r for s in shifts])

    source = np.column_stack([s.outputs(centred) for s in shifts])
    source += combine(problem.b, alpha)
    pairs = [left_out_shifts(problem, centred, s, j) for j, s in enumerate(shifts)]
    whole, left_out = (np.column_stack(columns) for columns in zip(*pairs, strict=True))
    fitted, loo = source + rho * whole, source + rho * left_out
    c = slope(problem, loo)
    alpha, a, fitted, loo = c[:, None] * alpha, c[:, None] * a, c * fitted, c * loo

    # b is the ridge weight of the constant for the remainder, and centres the adapter
    k2 = rows.height**2
    kept = 1.0 if rows.centred else k2 / (k2 + problem.gamma_centre)
    shift = kept * rows.average(problem.Y - fitted)
    b = shift - a @ (centred.m + rows.offset)
    path = Bunch(
        T=np.array([s.shrunk.T for s in shifts]),
        posterior=np.array([s.shrunk.posterior for s in shifts]),
        rho=rho,
        mean_shrinkage=centred.tau.rho,
    )
    loo = loo + shift
    return Solution(
        alpha=alpha,
        gamma=np.inf,
        a=a,
        b=b,
        path=Bunch(generative=path),
        left_out=loo.__getitem__,
        sampled=lambda: loo[problem.sample],
        moves_with_alpha=False,
    )


def slope(problem, values):
    """c > 0 with which c·values are nearest to y: one for all classes, or one for each target.

    A correlation below its noise, 1/√n, is replaced by it, so that c never changes the sign.
    """
    weights, Y = problem.rows.weights[:, None], problem.Y
    if problem.rows.centred:
        values, Y = values - problem.rows.average(values), Y - problem.rows.average(Y)
    axis = None if problem.is_classifier else 0
    product, size, target = (
        (weights * terms).sum(axis=axis) for terms in (values * Y, values**2, Y**2)
    )
    least = np.sqrt(size * target / problem.rows.n)
    c = np.maximum(product, least) / np.maximum(size, TINY)
    return np.broadcast_to(c, problem.Y.shape[1])
