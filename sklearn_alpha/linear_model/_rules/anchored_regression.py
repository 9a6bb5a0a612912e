"""The anchored rule in regression: α is drawn to 1 and the intercept to that of the source.

    y − αs ~ N(0, τ²(XXᵀ/(nγ) + I + κ11ᵀ)),    α ~ N(m, τ²κ'/var(s)),    m ∈ {1, 0, −1}

with X and s centred. γ, κ, m and κ' are averaged over their posterior. Most of its prior is on m =
1 and κ = κ' = 0, where the source is taken as it is. m = 0 ignores it, and m = −1 reverses it.
"""

import numpy as np
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._rules import evidence
from sklearn_alpha.linear_model._solution import TINY, decisions_left_out, family

# The prior of γ: log-normal, around so many times tr(XXᵀ)/n².
CENTRE, WIDTH = 50.0, 1.75
# The prior of κ.
KAPPAS = np.array([0, 0.03, 0.1, 0.3, 1, 1e2, 1e4, 1e8])
KAPPA_PRIOR = np.array([0.7, 0.06, 0.08, 0.06, 0.06, 0.02, 0.01, 0.01])
# m and κ', and their prior for a source that predicts in the target's units. An array has no units:
# m is zero, and the prior of κ' flat.
CENTRES = np.array([1, 1, 1, 1, 1, 1, 1, 0, -1])
ALPHA_KAPPAS = np.array([0, 0.1, 1, 10, 1e2, 1e3, 1e6, 0, 0])
ALPHA_PRIOR = np.array([0.977, 0.002, 0.002, 0.002, 0.001, 0.001, 0.001, 0.01, 0.004])


def solve(problem):
    """α, γ and κ by evidence."""
    resolvent, n_sources = problem.resolvent, problem.shape[1]
    anchor = np.array([even_shares(T, W) for T, W in zip(problem.units, problem.W)])
    centres, kappas, prior = alpha_prior(problem)
    # y − s, and what the centre of α moves of s, in units of m
    residual = problem.residual(anchor)
    ignored = problem.residual(0 * anchor) - residual
    means = resolvent.means @ problem.residual(centres[0] * anchor)

    def log_evidence(gammas):
        """(n_alpha_kappas, n_kappas, n_gammas), and α (n_alpha_kappas, n_gammas, ...)."""
        forms = gammas[:, None, None] * resolvent.quadratic(gammas)
        log_det = log_det_of_units(resolvent, gammas)
        total = np.log(prior)[:, None, None]
        alphas = np.zeros((len(kappas), len(gammas), *problem.shape))
        for c, units in enumerate(problem.units):
            columns = np.zeros((forms.shape[1], len(kappas) + units.shape[1]))
            columns[:, : len(kappas)] = residual[:, [c]] + (1 - centres) * ignored[:, [c]]
            own = slice(problem.starts[c], problem.starts[c] + n_sources)
            scale = problem.scale[c][:, None] * np.sqrt(problem.n)
            columns[own, len(kappas) :] = scale * units
            of_c = columns.T @ forms @ columns
            of_v, of_units = np.split(of_c[:, :, : len(kappas)], [len(kappas)], axis=1)
            square, log_s = intercept(problem, means[c : c + 1])
            of_s = of_c[:, len(kappas) :, len(kappas) :]
            inside = np.eye(units.shape[1]) + kappas[:, None, None, None] * of_s
            cross = np.moveaxis(of_units, 2, 0)
            move = kappas[:, None, None] * np.linalg.solve(inside, cross[..., None])[..., 0]
            misfit = of_v.diagonal(axis1=1, axis2=2).T - np.sum(move * cross, axis=2)
            # an exact fit leaves rounding of either sign, of the size of what was subtracted
            size = np.einsum("ik,gii->kg", columns[:, : len(kappas)] ** 2, np.abs(forms))
            misfit = np.maximum(misfit, 100 * np.finfo(np.float64).eps * size) + TINY
            misfit = misfit[:, None] + square
            log_dets = log_det + log_s[:, None] - np.linalg.slogdet(inside)[1][:, None]
            total = total + (log_dets - freedom(problem) * np.log(misfit)) / 2
            centre = centres[:, None, None] * anchor[c]
            alphas[:, :, c] = centre + move @ units.T * np.sqrt(problem.n)
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


def even_shares(units, W):
    """The α's (n_sources,) of the mean source; those of one direction count once.

    Where all sources are constant on the rows, they count by their weights W alone.
    """
    members = units > 0 if units.shape[1] else W.any(axis=1)[:, None]
    return (members / np.maximum(members.sum(axis=0), 1)).sum(axis=1) / members.shape[1]


def average(resolvent, problem, log_evidence):
    """The γ's, the posterior over (..., κ, γ), what `path_` says of it, and more that was found."""
    gammas, refined = problem.gammas, True
    centre = CENTRE * problem.gamma_centre
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
    """m, κ' and their prior."""
    if not problem.W.any():
        return CENTRES[:1], ALPHA_KAPPAS[:1], np.ones(1)
    if problem.in_target_units:
        return CENTRES, ALPHA_KAPPAS, ALPHA_PRIOR
    flat = ALPHA_KAPPAS[CENTRES == 1]
    return np.zeros(len(flat)), flat, np.full(len(flat), 1 / len(flat))
