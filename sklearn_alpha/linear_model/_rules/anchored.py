"""The default: the source as it is, and what the target's rows say beside it.

The source's decision values, as log odds F̃, are corrected by an adapter A, which is fitted to codes
y or to classes, and of which a share t is believed:

    f = E[F + tA],    F = αF̃ + b,    P(class | x) = softmax(βf)

    α, b    are posterior means, from the likelihood of the rows under softmax(F). Most of the prior
            is on the source's own log odds, α = 1 and b = 0: a source is rescaled, ignored,
            reversed or shifted for a reason.
    A       is one of several: a ridge fit Â_γ(y − L/2) for a few γ, and with more than two classes
            a logistic regression beside F. The codes T = link(F) that the source expects are
            replaced by the linear function L of a row that is nearest to them.
    F       is once more that of no source, α = 0, with adapters of its own, if rows show all
            classes.

The expectation is over which of these is right, t and β, under their posterior from the log loss of
left-out rows.

y − T is what the source gets wrong, and y the labels themselves. The one is right if the rows
correct the source, the other if they know something else; y − T/2 is between them.

k is the size of a code in log odds: 2 for one column of ±1, and √(C/2) for C columns, between C/2
where all classes are equally likely and 1 where two are left.

In regression the link is the identity, and `anchored_regression` is the rule.
"""

import numpy as np
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._adapters import LogisticAdapters, RidgeAdapters
from sklearn_alpha.linear_model._calibration import calibrate
from sklearn_alpha.linear_model._rules import anchored_regression, evidence
from sklearn_alpha.linear_model._solution import TINY, Solution
from sklearn_alpha.linear_model._source_odds import SourceOdds

IGNORED, LOGISTIC = 0.15, 0.02  # prior probabilities: that of no source, and that of this adapter


def from_moments(is_given):
    """Whether second moments are all that the rule reads, where α or γ is given or neither is."""
    return True


def solve(problem, given):
    """The anchored solution; the evidence where α or γ is given."""
    if problem.is_anchored:
        return (classification if problem.is_classifier else anchored_regression.solve)(problem)
    return evidence.solve(problem, given)


def classification(problem):
    """α and b by likelihood, and all else by the log loss of left-out rows."""
    odds, of_odds = [SourceOdds.of(problem)], np.ones(1)
    n_classes = max(problem.shape[0], 2)
    # of a class without rows only the source knows
    if problem.shape[1] and len(np.unique(odds[0].labels)) == n_classes:
        odds.append(SourceOdds.of(problem.without_sources()))
        of_odds = np.array([1 - IGNORED, IGNORED])
    ridge, of_family = RidgeAdapters(problem, odds), np.ones(1)
    families = [ridge]
    if n_classes > 2:
        families.append(LogisticAdapters(problem, odds))
        of_family = np.array([1 - LOGISTIC, LOGISTIC])
    log_prior = np.concatenate(
        [np.log(p) + family.log_prior for p, family in zip(of_family, families)]
    )

    # left-out values, (n_odds, n_adapters, n_sample, n_outputs)
    A = np.concatenate([family.sampled() for family in families], axis=1)
    F = np.stack([one.F for one in odds])
    pairs = len(odds) * len(log_prior)
    found = calibrate(
        np.broadcast_to(F[:, None], A.shape).reshape(pairs, *F.shape[1:]),
        A.reshape(pairs, *F.shape[1:]),
        odds[0].labels,
        odds[0].weights,
        problem.sampled.unit,
        (np.log(of_odds)[:, None] + log_prior).ravel(),
    )
    t, P = (values.reshape(len(odds), -1) for values in (found.trust, found.posterior))
    share = P.sum(axis=1)

    def sampled():
        """Without a row, the shares and the trust are those without it too."""
        t, P = (
            values.reshape(*A.shape[:3])
            for values in (found.trust_without, found.posterior_without)
        )
        return np.einsum("oai,oic->ic", P, F) + np.einsum("oai,oaic->ic", t, A)

    def left_out(index):
        place = np.full(problem.rows.n_rows, -1)
        place[problem.sample] = np.arange(len(problem.sample))
        place = place[index]
        values, rest = sampled()[place], index[place < 0]
        if len(rest):
            rows = problem.rows.chosen(rest)
            F = [rows.decisions(one.coef, one.intercept) for one in odds]
            A = np.concatenate([family.left_out(rest) for family in families], axis=1)
            values[place < 0] = np.tensordot(share, F, axes=1) + np.tensordot(t, A, axes=2)
        return values

    parts = np.split(t, [len(ridge.gammas)], axis=1)
    fits = [family.weighted(of_family) for family, of_family in zip(families, parts)]
    alpha, of_gamma = share[0] * odds[0].alpha, P[:, : len(ridge.gammas)].sum(axis=0)
    of_gamma = of_gamma / max(of_gamma.sum(), TINY)
    return Solution(
        alpha=alpha,
        gamma=float(of_gamma @ ridge.gammas),
        a=sum(a for a, _ in fits),
        b=sum(b for _, b in fits) + share @ [one.shift for one in odds],
        path=Bunch(
            gammas=ridge.gammas,
            posterior=of_gamma,
            trust=t,
            adapter_posterior=P,
            alphas=np.broadcast_to(alpha, (len(ridge.gammas), *alpha.shape)),
            **odds[0].path,
        ),
        left_out=left_out,
        sampled=sampled,
        inverse_temperature=found.beta,
        moves_with_alpha=False,
    )
