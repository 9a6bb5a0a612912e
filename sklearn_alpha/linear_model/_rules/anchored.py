"""The default: the source as it is, and a ridge fit of what the target's rows say beside it.

The source's decision values, as log odds F̃, are corrected by a ridge fit of codes y:

    f = αF̃ + k (t [A(y − T) + θ A(T)] + b),    T = link(αF̃),    P(class | x) = softmax(βf)

    α        is the posterior mean over a grid, from the likelihood of the rows under softmax(αF̃).
             Most of the prior is on α = 1: a source is rescaled, ignored or reversed for a reason.
    A(v)     is the linear part of the ridge fit of v, averaged over the posterior of γ under
             v ~ N(0, τ²(XXᵀ/(nγ) + I + κ11ᵀ)), with X centred.
    b        is the intercept, (1 − s) times the mean of y − T with s = E[1/(1 + nκ)]. Most of the
             prior is on κ = 0, so that a few rows leave b near zero.
    θ        is between a fit of what the source gets wrong, 0, and of the labels themselves, 1.
    β, t, θ  are posterior means, from the log loss of left-out rows. The priors of β and t are
             log-normal around 1.

k is the size of a code in log odds: 2 for one column of ±1, and √(C/2) for C columns, between C/2
where all classes are equally likely and 1 where two are left.

In regression the link is the identity and nothing is calibrated: y − αs ~ N(0, τ²(XXᵀ/(nγ) + I +
κ11ᵀ)) with α ~ N(1, τ²κ'/var(s)), where most of the prior is on κ' = 0 too.
"""

from dataclasses import replace

import numpy as np
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._calibration import calibrate
from sklearn_alpha.linear_model._rules import evidence
from sklearn_alpha.linear_model._solution import (
    TINY,
    Solution,
    decisions_left_out,
    family,
)
from sklearn_alpha.linear_model._source_odds import SourceOdds

# The prior of γ: log-normal, around so many times tr(XXᵀ)/n² for codes and for numbers.
CENTRES, WIDTH = {True: 10.0, False: 30.0}, 1.5
RELATIVE_GAMMAS = 2.0 ** np.array([-1, 1, 3, 5])
CENTRE = 10.0
# The prior of κ.
KAPPAS = np.array([0, 0.1, 1, 1e2, 1e4, 1e8])
KAPPA_PRIOR = np.array([0.8, 0.08, 0.08, 0.02, 0.01, 0.01])
# The prior of κ', for a source that predicts in the target's units; it is flat for an array.
ALPHA_KAPPAS = np.array([0, 0.1, 1, 10, 1e2, 1e3, 1e6])
ALPHA_PRIOR = np.array([0.9, 0.03, 0.03, 0.01, 0.01, 0.01, 0.01])


def from_moments(is_given):
    """Whether second moments are all that the rule reads, where α or γ is given or neither is."""
    return True


def solve(problem, given):
    """The anchored solution; the evidence where α or γ is given, or the rows are gone.

    Of a stream, regression needs nothing but moments, and classification would need T.
    """
    if problem.is_anchored:
        return (classification if problem.is_classifier else regression)(problem)
    return evidence.solve(problem, given)


def classification(problem):
    """α and b by likelihood, and γ, t, θ and β by the log loss of left-out rows."""
    odds, n_outputs = SourceOdds.of(problem), problem.shape[0]
    grid = problem.gamma_centre * RELATIVE_GAMMAS if problem.grid is None else problem.grid
    problem = replace(problem.with_targets(np.hstack([problem.Y, odds.T])), grid=grid)
    resolvent, gammas, centre = problem.resolvent, problem.gammas, problem.gamma_centre
    while resolvent.refine(gammas, np.full(len(gammas), 1 / len(gammas))):
        pass
    # Z = [y, T]; the columns that are fitted are [y − T, T]
    eye = np.eye(n_outputs)
    C = np.block([[eye, np.zeros_like(eye)], [-eye, eye]])
    scale = odds.code * (1 + gammas / centre)
    each, fitted = np.broadcast_to(C, (len(gammas), *C.shape)), problem.Y @ C
    held = (1.0, resolvent.means @ C)  # the intercept of the adapter is zero

    def parts(index):
        """Left-out values of k(1 + γ/c) A(y − T) and k(1 + γ/c) A(T), (n_gammas, n_index, ...)."""
        errors = problem.left_out(each, gammas, np.eye(len(gammas)), index, held)
        adapters = scale[:, None, None] * (fitted[index] - errors)
        return adapters[..., :n_outputs], adapters[..., n_outputs:]

    sample = problem.sample
    of_sample = parts(sample)
    log_prior = -((np.log(gammas / (CENTRE * centre)) / WIDTH) ** 2) / 2
    beta, t, t_theta = calibrate(
        odds.F[sample], *of_sample, odds.labels[sample], problem.rows.weights[sample], log_prior
    )

    def combined(F, residual, of_T):
        return F + np.tensordot(t, residual, axes=1) + np.tensordot(t_theta, of_T, axes=1)

    weights = np.concatenate([t[:, None] * np.ones(n_outputs), t_theta[:, None] * np.ones(n_outputs)], axis=1)
    sum_of_parts = np.vstack([eye, eye])
    a, b = resolvent.adapter((scale[:, None] * weights)[:, None] * C @ sum_of_parts, gammas, np.ones(len(gammas)))
    b = b - resolvent.means @ ((scale[:, None] * weights)[:, None] * C @ sum_of_parts).sum(axis=0)
    P = t / t.sum()
    return Solution(
        alpha=odds.alpha,
        gamma=float(P @ gammas),
        a=a,
        b=b + odds.shift,
        path=Bunch(gammas=gammas, posterior=P, alphas=np.broadcast_to(odds.alpha, (len(gammas), *odds.alpha.shape)), trust=t.sum(), theta=t_theta.sum() / t.sum(), **odds.path),
        left_out=lambda index: combined(odds.F[index], *parts(index)),
        sampled=lambda: combined(odds.F[sample], *of_sample),
        inverse_temperature=beta,
        moves_with_alpha=False,
    )


def regression(problem):
    """α, γ and κ by evidence."""
    resolvent, n_sources = problem.resolvent, problem.shape[1]
    anchor = np.array([even_shares(T) for T in problem.units])
    # a source of unknown units has no α to be drawn to
    anchor = np.where(np.isnan(problem.log_odds), 0.0, anchor)
    residual = problem.residual(anchor)
    means = resolvent.means @ residual
    kappas, prior = alpha_prior(problem)

    def log_evidence(gammas):
        """(n_alpha_kappas, n_kappas, n_gammas), and α (n_alpha_kappas, n_gammas, ...)."""
        forms = gammas[:, None, None] * resolvent.quadratic(gammas)
        log_det = log_det_of_units(resolvent, gammas)
        total = np.log(prior)[:, None, None]
        alphas = np.zeros((len(kappas), len(gammas), *problem.shape))
        for c, units in enumerate(problem.units):
            columns = np.zeros((forms.shape[1], 1 + units.shape[1]))
            columns[:, 0] = residual[:, c]
            own = slice(problem.starts[c], problem.starts[c] + n_sources)
            columns[own, 1:] = problem.scale[c][:, None] * units * np.sqrt(problem.n)
            of_c = columns.T @ forms @ columns
            square, log_s = intercept(problem, means[c : c + 1])
            inside = np.eye(units.shape[1]) + kappas[:, None, None, None] * of_c[:, 1:, 1:]
            move = kappas[:, None, None] * np.linalg.solve(inside, of_c[None, :, 1:, :1])[..., 0]
            misfit = of_c[:, 0, 0] - np.einsum("kgm,gm->kg", move, of_c[:, 1:, 0])
            # an exact fit leaves rounding of either sign, of the size of what was subtracted
            size = np.einsum("i,gii->g", columns[:, 0] ** 2, np.abs(forms))
            misfit = np.maximum(misfit, 100 * np.finfo(np.float64).eps * size) + TINY
            misfit = misfit[:, None] + square
            log_dets = log_det + log_s[:, None] - np.linalg.slogdet(inside)[1][:, None]
            total = total + (log_dets - freedom(problem) * np.log(misfit)) / 2
            alphas[:, :, c] = anchor[c] + move @ units.T * np.sqrt(problem.n)
        return total, alphas

    gammas, joint, path, alphas = average(resolvent, problem, log_evidence)
    P, s = joint.sum(axis=(0, 1)), joint.sum(axis=(0, 2)) @ held(problem)
    of_kappa = joint.sum(axis=1) / np.maximum(P, TINY)
    alphas = np.einsum("kg,kgco->gco", of_kappa, alphas)
    path = Bunch(**path, alphas=alphas)

    def estimate(index):
        log_nodes, weights = evidence.quadrature(np.log(gammas), P)
        same = problem.residual(np.tensordot(P, alphas, axes=1))
        same = np.broadcast_to(same, (len(weights), *same.shape))
        return decisions_left_out(problem, same, np.exp(log_nodes), weights, (s, means))(index)

    return family(problem, alphas, gammas, P, path=path, estimate=estimate, held=(s, means))


def even_shares(units):
    """The α's (n_sources,) of the mean source; those of one direction count once."""
    members = units > 0
    return (members / np.maximum(members.sum(axis=0), 1)).sum(axis=1) / max(units.shape[1], 1)


# ---------------------------------------------------------------- what both have in common


def average(resolvent, problem, log_evidence):
    """The γ's, the posterior over (..., κ, γ), what `path_` says of it, and more that was found."""
    gammas, refined = problem.gammas, True
    centre = CENTRES[problem.is_classifier] * problem.gamma_centre
    while refined:
        evidence_of, found = log_evidence(gammas)
        log_prior = -((np.log(gammas / centre) / WIDTH) ** 2) / 2
        kappa_prior = np.log(KAPPA_PRIOR) if problem.holds_intercept else np.zeros(1)
        log_posterior = evidence_of + log_prior + kappa_prior[:, None]
        joint = np.exp(log_posterior - log_posterior.max())
        joint /= joint.sum()
        P = joint.sum(axis=tuple(range(joint.ndim - 1)))
        refined = resolvent.refine(gammas, P)
    evidence_of = np.logaddexp.reduce((evidence_of + kappa_prior[:, None]).reshape(-1, len(gammas)))
    path = {"gammas": gammas, "log_evidence": evidence_of, "posterior": P}
    return gammas, joint, {**path, "log_det_error": resolvent.log_det_error(gammas)}, found


def held(problem):
    """s = 1/(1 + nκ), the share of the mean that the intercept leaves; zero where b is free."""
    return 1 / (1 + problem.n * KAPPAS) if problem.holds_intercept else np.zeros(1)


def intercept(problem, means):
    """What the mean adds to vᵀGv, (n_kappas, n_outputs), and κ to log det G, (n_kappas,)."""
    s = held(problem)
    log_s = np.log(s) if problem.holds_intercept else np.zeros(1)
    return problem.n * s[:, None] * means**2, log_s


def freedom(problem):
    """How many rows tell τ²."""
    return max(problem.n - (problem.is_centred and not problem.holds_intercept), 0.0)


def log_det_of_units(resolvent, gammas):
    """log det γG(γ): zero for rows without features."""
    return resolvent.log_det(gammas) + (resolvent.n - resolvent.centred) * np.log(gammas)


def alpha_prior(problem):
    """κ' and its prior."""
    if not any(T.shape[1] for T in problem.units):
        return ALPHA_KAPPAS[:1], np.ones(1)
    flat = np.full(len(ALPHA_KAPPAS), 1 / len(ALPHA_KAPPAS))
    return ALPHA_KAPPAS, ALPHA_PRIOR if problem.in_target_units else flat
