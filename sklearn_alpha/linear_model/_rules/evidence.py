"""The evidence: generalised least squares for α, the posterior of γ.

One source, y ~ N(Sα, τ²(XXᵀ/n + γI)):

    α(γ) = SᵀGy / SᵀGS
    ℓ(γ) = Σ over outputs of  −(n−1)/2 log(rᵀGr) + ½ log det G − ½ log(SᵀGS),   r = y − Sα(γ)

Several sources of unit size are expected to have similar α: α = ᾱ1 + δ with ᾱ free as above and
δ ~ N(0, τ²γλI). λ → 0 is their average as one source, and λ → ∞ is least squares on each. With few
rows neither is best, so λ is averaged over, too. With A = SᵀGS and Woodbury's identity G becomes

    G − GSCSᵀG,   C = (I/(γλ) + A)⁻¹,   log det G − log det(I + γλA)

so that only quadratic forms of G and its log determinant enter. With few rows ℓ is flat. Therefore
γ is not maximised but averaged over its posterior, under a log-normal prior of width 1 around
tr(XXᵀ)/n²; the average of linear models is one linear model. Where a sample of the rows is left out
for an estimate, the posterior of log γ is replaced by its Gauss quadrature at a few γ.
"""

import warnings

import numpy as np
from scipy.linalg import eigh_tridiagonal
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._solution import TINY, decisions_left_out, family, posterior

LAMBDAS = np.geomspace(1e-2, 1e3, 11)
# Most that ∫(polynomial of the quadrature)² / (2k)! may be, times a function's 2k-th derivative:
# this error is below the noise of the sample.
QUADRATURE_ERROR = 0.06


def from_moments(is_given):
    """Whether second moments are all that the rule reads, where α or γ is given or neither is."""
    return True


def solve(problem, given):
    """γ averaged over its posterior, with α(γ) by generalised least squares or as given."""
    resolvent, gammas, refined = problem.resolvent, problem.gammas, True
    while refined:
        log_evidence, alphas = profile(problem, gammas, given.alpha)
        log_evidence += problem.shape[0] * resolvent.log_det(gammas) / 2
        log_posterior = log_evidence - np.log(gammas / problem.gamma_centre) ** 2 / 2
        P = posterior(log_posterior)
        refined = resolvent.refine(gammas, P)
    error = resolvent.log_det_error(gammas)
    if error.any():
        warn_if_gamma_is_open(gammas, log_posterior, problem.shape[0] / 2 * error)

    def estimate(index):
        nodes, weights = quadrature(np.log(gammas), P)
        nodes = np.exp(nodes)
        C = problem.residual(profile(problem, nodes, given.alpha)[1])
        return decisions_left_out(problem, C, nodes, weights)(index)

    path = Bunch(
        gammas=gammas, log_evidence=log_evidence, posterior=P, alphas=alphas, log_det_error=error
    )
    return family(problem, alphas, gammas, P, path=path, estimate=estimate)


def warn_if_gamma_is_open(gammas, log_posterior, error):
    """Warn where a standard error of the log determinants moves γ by the width of its prior."""
    means = [posterior(log_posterior + e) @ np.log(gammas) for e in (-error, error)]
    low, high = np.exp(np.sort(means))
    if high > np.e * low:
        warnings.warn(
            f"The log determinants are estimated, and their standard error leaves gamma open from "
            f"{low:.2g} to {high:.2g}; pass gamma, or gammas of a narrower range.",
            ConvergenceWarning,
            stacklevel=2,
        )


def quadrature(x, P):
    """Gauss nodes and weights for averages under a distribution P on the points x.

    k nodes are exact for polynomials of degree 2k − 1, and there are as few as `QUADRATURE_ERROR`
    allows. They are the eigenvalues of the tridiagonal matrix that Lanczos' steps make of diag(x),
    from √P.
    """
    before, v, diagonal, side, left = 0.0, np.sqrt(P), [], [0.0], 1.0
    while left > QUADRATURE_ERROR:
        w = x * v - side[-1] * before
        diagonal.append(v @ w)
        w -= diagonal[-1] * v
        side.append(np.linalg.norm(w))
        before, v = v, w / (side[-1] or 1.0)
        k = len(diagonal)
        left *= side[-1] ** 2 / (2 * k * (2 * k - 1))
    nodes, vectors = eigh_tridiagonal(diagonal, side[1:-1])
    return nodes, vectors[0] ** 2


def profile(problem, gammas, alpha=None):
    """ℓ(γ) without its log det G, and α(γ): (n_gammas,) and (n_gammas, n_outputs, n_sources)."""
    resolvent = problem.resolvent
    n_outputs, n_sources = problem.shape
    whole = resolvent.quadratic(gammas)
    # (n_lambdas, n_gammas, ...): all outputs share λ, as they share γ
    several = any(T.shape[1] > 1 for T in problem.units)
    n_lambdas = len(LAMBDAS) if alpha is None and several else 1
    log_evidence = np.zeros((n_lambdas, len(gammas)))
    alphas = np.zeros((n_lambdas, len(gammas), n_outputs, n_sources))
    for c, (start, T) in enumerate(zip(problem.starts, problem.units, strict=True)):
        if alpha is None:
            columns = np.zeros((whole.shape[1], 1 + T.shape[1]))
            columns[c, 0] = 1
            columns[start : start + n_sources, 1:] = problem.scale[c][:, None] * T
        else:
            columns, alphas[:, :, c] = problem.residual(alpha)[:, [c]], alpha[c]
        forms = columns.T @ whole @ columns
        for at in range(n_lambdas):
            rGr, log_det, theta = residual_form(forms, LAMBDAS[at] * gammas)
            freedom = max(resolvent.n - resolvent.centred - (theta.shape[1] > 0), 0.0)
            log_evidence[at] += log_det - freedom / 2 * np.log(np.maximum(rGr, TINY))
            if alpha is None:
                alphas[at, :, c] = theta @ T.T
    total = np.logaddexp.reduce(log_evidence, axis=0)
    alphas = np.einsum("lg,lgck->gck", np.exp(log_evidence - total), alphas)
    return total - np.log(n_lambdas), alphas


def residual_form(forms, kappas):
    """rᵀGr, the log determinants that δ and ᾱ add to ½ log det G, and the coefficients of S.

    Parameters
    ----------
    forms : ndarray of shape (n_gammas, 1 + m, 1 + m)
        Quadratic forms of [y, S], S of m unit sources.
    kappas : ndarray of shape (n_gammas,)
        γλ.
    """
    yGy, g, A = forms[:, 0, 0], forms[:, 1:, 0], forms[:, 1:, 1:]
    m = A.shape[1]
    if m == 0:
        return yGy, np.zeros_like(yGy), np.zeros((len(yGy), 0))
    if m == 1:
        kappas = np.zeros_like(kappas)  # a single source has no differences
    inside = np.eye(m) + kappas[:, None, None] * A
    update = np.linalg.inv(inside)  # I − AC
    A1 = (update @ A).sum(axis=2)
    g_left = np.einsum("gij,gj->gi", update, g)
    size = A1.sum(axis=1)
    # sources that cancel each other, or are only rounding, have no mean
    opposed = size <= np.maximum(1e-12 * np.trace(A, axis1=1, axis2=2), 0)
    size = np.where(opposed, 1.0, size)
    mean = np.where(opposed, 0.0, g_left.sum(axis=1) / size)
    rGr = yGy - kappas * np.einsum("gi,gi->g", g, g_left) - mean**2 * size
    # an exact fit leaves rounding of either sign, which must not choose γ
    rGr = np.maximum(rGr, 100 * np.finfo(np.float64).eps * yGy)
    log_det = -(np.linalg.slogdet(inside)[1] + np.log(size)) / 2
    return rGr, log_det, mean[:, None] + kappas[:, None] * (g_left - mean[:, None] * A1)
