"""The default: the source as it is, and a ridge fit of what the target's rows say beside it.

The source's decision values, as log odds F̃, are corrected by a ridge fit of codes y:

    f = F + Σ_γ P(γ) t (Â(y − T) + θ Â(T)),    F = αF̃ + b,    T = link(F),    P(class | x) = softmax(βf)

    α, b         are posterior means, from the likelihood of the rows under softmax(F). Most of the
                 prior is on the source's own log odds, α = 1 and b = 0: a source is rescaled,
                 ignored, reversed or shifted for a reason.
    Â(v)         = k(1 + γ/c) XQ(γ)Xᵀv/n is the ridge fit of v, of the size that it has for small γ.
                 X is less a share of its mean (`Rows`), and c = tr((XXᵀ)²)/(n tr(XXᵀ)) is the mean
                 eigenvalue of XXᵀ/n, weighted by the eigenvalues.
    γ, t, θ, β   are averaged over their posterior, from the log loss of left-out rows. t is the
                 share of the adapter that is believed. θ is between a fit of what the source gets
                 wrong, 0, and of the labels themselves, 1. β is the inverse temperature.

k is the size of a code in log odds: 2 for one column of ±1, and √(C/2) for C columns, between C/2
where all classes are equally likely and 1 where two are left.

In regression the link is the identity, and `anchored_regression` is the rule.
"""

from dataclasses import replace

import numpy as np
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._calibration import calibrate
from sklearn_alpha.linear_model._rules import anchored_regression, evidence
from sklearn_alpha.linear_model._solution import Solution, posterior
from sklearn_alpha.linear_model._source_odds import SourceOdds

# The γ's, in units of tr(XXᵀ)/n², and their prior: log-normal
GAMMAS, CENTRE, WIDTH = np.array([0.5, 2.0, 8.0, 32.0]), 10.0, 1.5


def from_moments(is_given):
    """Whether second moments are all that the rule reads, where α or γ is given or neither is."""
    return True


def solve(problem, given):
    """The anchored solution; the evidence where α or γ is given, or the rows are gone.

    Of a stream, regression needs nothing but moments, and classification would need T.
    """
    if problem.is_anchored:
        return (classification if problem.is_classifier else anchored_regression.solve)(problem)
    return evidence.solve(problem, given)


def classification(problem):
    """α and b by likelihood, and γ, t, θ and β by the log loss of left-out rows."""
    odds, n_outputs = SourceOdds.of(problem), problem.shape[0]
    grid = problem.gamma_centre * GAMMAS if problem.grid is None else problem.grid
    problem = replace(problem.with_targets(np.hstack([problem.Y, odds.T])), grid=grid)
    resolvent, gammas, centre, rows = problem.resolvent, problem.gammas, problem.gamma_centre, problem.rows
    log_prior = -((np.log(gammas / (CENTRE * centre)) / WIDTH) ** 2) / 2
    while resolvent.refine(gammas, posterior(log_prior)):
        pass
    # Z = [y, T], and the columns that are fitted are [y − T, T]
    eye = np.eye(n_outputs)
    C = np.block([[eye, np.zeros_like(eye)], [-eye, eye]])
    c = resolvent.sqnorm / (centre * problem.n) or 1.0
    scale = (odds.code * (1 + gammas / c))[:, None, None]
    fitted = problem.Y @ C

    def parts(index):
        """Left-out values of Â(y − T) and Â(T), (n_gammas, n_index, n_outputs) each."""
        same, each = np.broadcast_to(C, (len(gammas), *C.shape)), np.eye(len(gammas))
        values = scale * (fitted[index] - problem.left_out(same, gammas, each, index))
        return values[..., :n_outputs], values[..., n_outputs:]

    sample = problem.sample
    of_sample = parts(sample)
    beta, t, t_theta = calibrate(
        odds.F[sample], *of_sample, odds.labels[sample], rows.weights[sample], log_prior
    )

    def combined(F, residual, of_T):
        return F + np.tensordot(t, residual, axes=1) + np.tensordot(t_theta, of_T, axes=1)

    both = scale * (np.multiply.outer(t, C[:, :n_outputs]) + np.multiply.outer(t_theta, C[:, n_outputs:]))
    a, b = resolvent.adapter(both, gammas, np.ones(len(gammas)))
    return Solution(
        alpha=odds.alpha,
        gamma=float(t @ gammas / t.sum()),
        a=a,
        b=b - a @ rows.offset + odds.shift,
        path=Bunch(
            gammas=gammas,
            trust=t,
            theta=float(t_theta.sum() / t.sum()),
            alphas=np.broadcast_to(odds.alpha, (len(gammas), *odds.alpha.shape)),
            **odds.path,
        ),
        left_out=lambda index: combined(odds.F[index], *parts(index)),
        sampled=lambda: combined(odds.F[sample], *of_sample),
        inverse_temperature=beta,
        moves_with_alpha=False,
    )
