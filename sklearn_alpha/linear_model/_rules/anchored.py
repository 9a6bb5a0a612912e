"""The default: the source as it is, and a ridge fit of what the target's rows say beside it.

The source's decision values, as log odds F̃, are corrected by a ridge fit of codes y:

    f = F + Σ_γ P(γ) t(γ) Â_γ(y − T/2),    F = αF̃ + b,    T = link(F),    P(class | x) = softmax(βf)

    α, b       are posterior means, from the likelihood of the rows under softmax(F). Most of the
               prior is on the source's own log odds, α = 1 and b = 0: a source is rescaled,
               ignored, reversed or shifted for a reason.
    T          is replaced by the linear function of a row that is nearest to it.
    Â_γ(v)     = k(1 + γ/c) XQ(γ)Xᵀv/n is a ridge fit, of the size that it has for small γ. X is
               less a share of its mean (`Rows`), and c = Σλ²/Σλ over the eigenvalues λ of XXᵀ/n.
    γ, t, β    are averaged over their posterior, from the log loss of left-out rows: t is the
               share of the adapter that is believed, and β the inverse temperature.

y − T is what the source gets wrong, and y the labels themselves. The one is right if the rows
correct the source, the other if they know something else; y − T/2 is between them.

k is the size of a code in log odds: 2 for one column of ±1, and √(C/2) for C columns, between C/2
where all classes are equally likely and 1 where two are left.

In regression the link is the identity, and `anchored_regression` is the rule.
"""

import numpy as np
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._calibration import calibrate
from sklearn_alpha.linear_model._rules import anchored_regression, evidence
from sklearn_alpha.linear_model._solution import Solution, posterior
from sklearn_alpha.linear_model._source_odds import SourceOdds

# The γ's, in units of tr(XXᵀ)/n², and their prior, which is log-normal.
GAMMAS, CENTRE, WIDTH = np.array([1.0, 6.0, 36.0]), 10.0, 1.5


def from_moments(is_given):
    """Whether second moments are all that the rule reads, where α or γ is given or neither is."""
    return True


def solve(problem, given):
    """The anchored solution; the evidence where α or γ is given."""
    if problem.is_anchored:
        return (classification if problem.is_classifier else anchored_regression.solve)(problem)
    return evidence.solve(problem, given)


def classification(problem):
    """α and b by likelihood, and γ, t and β by the log loss of left-out rows."""
    odds, centre = SourceOdds.of(problem), problem.gamma_centre
    gammas = GAMMAS * centre if problem.grid is None else problem.grid
    coef, intercept = odds.expected_codes()
    problem = problem.less(coef / 2, intercept / 2, gammas)
    resolvent, v, sample, n_gammas = problem.resolvent, problem.Y, problem.sample, len(gammas)
    log_prior = -((np.log(gammas / (CENTRE * centre)) / WIDTH) ** 2) / 2
    while resolvent.refine(gammas, posterior(log_prior)):
        pass
    c = resolvent.sqnorm / (centre * problem.n) or 1.0
    if problem.has_equal_rows:
        c = np.inf  # rounding is not brought to size
    n_outputs = v.shape[1]
    k = 2.0 if n_outputs == 1 else np.sqrt(n_outputs / 2)
    scale = (k * (1 + gammas / c))[:, None, None]
    fit_v = np.broadcast_to(np.eye(n_outputs), (n_gammas, n_outputs, n_outputs))

    def adapters(index):
        """Left-out values of Â_γ(v), (n_gammas, n_index, n_outputs)."""
        return scale * (v[index] - problem.left_out(fit_v, gammas, np.eye(n_gammas), index))

    of_sample = adapters(sample)
    beta, t, P = calibrate(odds.F, of_sample, odds.labels, odds.weights, log_prior)

    def left_out(index):
        rows = problem.rows.part(index)
        F = rows.outputs(odds.coef[:, None], odds.intercept[:, None])[..., 0]
        return F + np.tensordot(t, adapters(index), axes=1)

    a, b = resolvent.adapter(fit_v, gammas, t * scale[:, 0, 0])
    return Solution(
        alpha=odds.alpha,
        gamma=float(P @ gammas),
        a=a,
        # the mean of centred rows is in b already
        b=b + odds.shift - (0.0 if problem.is_centred else a @ problem.offset),
        path=Bunch(
            gammas=gammas,
            posterior=P,
            trust=t,
            alphas=np.broadcast_to(odds.alpha, (n_gammas, *odds.alpha.shape)),
            **odds.path,
        ),
        left_out=left_out,
        sampled=lambda: odds.F + np.tensordot(t, of_sample, axes=1),
        inverse_temperature=beta,
        moves_with_alpha=False,
    )
