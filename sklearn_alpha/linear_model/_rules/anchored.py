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

from functools import cache

import numpy as np
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._adapters import LogisticAdapters, RidgeAdapters
from sklearn_alpha.linear_model._calibration import Calibration, calibrate
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
    odds, of_odds = asked_sources(problem)
    families, log_prior = adapters(problem, odds)
    ridge = families[0]
    F = np.stack([one.F for one in odds])
    A = np.concatenate([family.sampled() for family in families], axis=1)
    found = posterior_of_pairs(problem, F, A, odds[0], np.log(of_odds)[:, None] + log_prior)
    P, t = found.posterior, found.trust

    @cache
    def sampled():
        return expectation(found.posterior_without, found.trust_without, F, A)

    def left_out(index):
        place = np.full(problem.rows.n_rows, -1)
        place[problem.sample] = np.arange(len(problem.sample))
        place = place[index]
        values, rest = sampled()[place], index[place < 0]
        if len(rest):
            rows = problem.rows.chosen(rest)
            F = np.stack([rows.decisions(one.coef, one.intercept) for one in odds])
            A = np.concatenate([family.left_out(rest) for family in families], axis=1)
            values[place < 0] = expectation(P[..., None], t[..., None], F, A)
        return values

    of_source, (of_gamma, _) = P.sum(axis=1), np.split(P.sum(axis=0), [len(ridge.gammas)])
    of_gamma = of_gamma / max(of_gamma.sum(), TINY)
    parts = np.split(t, [len(ridge.gammas)], axis=1)
    fits = [family.weighted(part) for family, part in zip(families, parts)]
    alpha = of_source[0] * odds[0].alpha
    path = Bunch(
        gammas=ridge.gammas,
        posterior=of_gamma,
        trust=t,
        adapter_posterior=P,
        alphas=np.broadcast_to(alpha, (len(ridge.gammas), *alpha.shape)),
        **odds[0].path,
    )
    return Solution(
        alpha=alpha,
        gamma=float(of_gamma @ ridge.gammas),
        a=sum(a for a, _ in fits),
        b=sum(b for _, b in fits) + of_source @ [one.shift for one in odds],
        path=path,
        left_out=left_out,
        sampled=sampled,
        inverse_temperature=found.beta,
        moves_with_alpha=False,
    )


def asked_sources(problem):
    """The sources k, with and without, and their prior π(k)."""
    odds = [SourceOdds.of(problem)]
    # of a class without rows only the source knows
    shows_all = len(np.unique(odds[0].labels)) == max(problem.shape[0], 2)
    if not (problem.shape[1] and shows_all):
        return odds, np.ones(1)
    return [*odds, SourceOdds.of(problem.without_sources())], np.array([1 - IGNORED, IGNORED])


def adapters(problem, odds):
    """The families of adapters j beside these sources, and log π(j)."""
    ridge = RidgeAdapters(problem, odds)
    if problem.shape[0] == 1:
        return [ridge], ridge.log_prior
    logistic = LogisticAdapters(problem, odds)
    log_prior = [np.log(1 - LOGISTIC) + ridge.log_prior, np.log(LOGISTIC) + logistic.log_prior]
    return [ridge, logistic], np.concatenate(log_prior)


def posterior_of_pairs(problem, F, A, odds, log_prior):
    """The `Calibration` of sources k and adapters j, arrays (n_sources, n_adapters, ...).

    Parameters
    ----------
    F : ndarray of shape (n_sources, n_sample, n_outputs)
    A : ndarray of shape (n_sources, n_adapters, n_sample, n_outputs)
        Left-out values.
    odds : SourceOdds
        Of the labels and weights of the sample.
    log_prior : ndarray of shape (n_sources, n_adapters)
        log π(k) π(j).
    """
    pairs = (log_prior.size, *F.shape[1:])
    beta, *arrays = calibrate(
        np.broadcast_to(F[:, None], A.shape).reshape(pairs),
        A.reshape(pairs),
        odds.labels,
        odds.weights,
        problem.sampled.unit,
        log_prior.ravel(),
    )
    return Calibration(beta, *(x.reshape(*log_prior.shape, *x.shape[1:]) for x in arrays))


def expectation(P, t, F, A):
    """E[F + tA] = Σₖ P(k) Fₖ + Σₖⱼ P(j, k) E[t | j, k] Aₖⱼ, of each row.

    Parameters
    ----------
    P, t : ndarray of shape (n_sources, n_adapters, n_rows or 1)
        P(j, k), and P(j, k) E[t | j, k]: of left-out rows of the fit they differ.
    F : ndarray of shape (n_sources, n_rows, n_outputs)
    A : ndarray of shape (n_sources, n_adapters, n_rows, n_outputs)
    """
    return np.einsum("kji,kic->ic", P, F) + np.einsum("kji,kjic->ic", t, A)
