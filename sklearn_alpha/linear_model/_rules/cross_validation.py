"""Cross-validation over grids of α and γ, with one decomposition for each fold."""

import numpy as np
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._rules.evidence import profile
from sklearn_alpha.linear_model._solution import adapter_parts, combine, family

MULTIPLES = np.array([0, 0.25, 0.5, 1, 2, 4])


def from_moments(is_given):
    """Whether second moments are all that the rule reads."""
    return False


def solve(problem, given):
    """The (α, γ) of the best mean score over the folds.

    ``given.folds`` holds (train, test) row numbers, and ``given.score(decision_values, test)`` is
    more where it is better. Where no grid of α is given, the candidates are multiples of each γ's
    own α(γ) by generalised least squares, whatever the sources' number, scale and sign.

    Where a fold is too small to be scored alone, as in leave-one-out, the decision values of all
    folds are scored together.
    """
    gammas = problem.gammas
    folds = ((test, decisions(problem, given, train, test)) for train, test in given.folds)
    if not all(can_be_scored(problem, test) for _, test in given.folds):
        tests, values = zip(*folds, strict=True)
        folds = [(np.concatenate(tests), np.concatenate(values, axis=2))]
    scores = [[[given.score(F, test) for F in row] for row in values] for test, values in folds]
    mean = np.mean(scores, axis=0)
    row, column = np.unravel_index(np.argmax(mean), mean.shape)
    chosen = candidates(problem, given)
    path = Bunch(gammas=gammas, cv_score=mean, alphas=chosen)
    return family(problem, [chosen[row, column]], [gammas[row]], path=path)


def decisions(problem, given, train, test):
    """Decision values of each γ and candidate, (n_gammas, n_candidates, n_test, n_outputs)."""
    part, rows, values = problem.subset(train), problem.rows.chosen(test), []
    for gamma, tried in zip(problem.gammas, candidates(part, given), strict=True):
        y, s = decision_parts(part, gamma, rows, problem.S[test])
        values.append([y + combine(s, at) for at in tried])
    return np.array(values)


def can_be_scored(problem, test):
    """Whether rows have all classes, or are at least two in regression."""
    if not problem.is_classifier:
        return len(test) > 1
    shown, whole = (np.ptp(np.sign(Y), axis=0) > 0 for Y in (problem.Y[test], problem.Y))
    return (shown == whole).all()


def candidates(problem, given):
    """α's to try at each γ: (n_gammas, n_candidates, n_outputs, n_sources)."""
    n_gammas = len(problem.gammas)
    if given.alpha is not None:
        return np.broadcast_to(given.alpha, (n_gammas, 1, *given.alpha.shape))
    if given.alphas is not None:
        grid = np.multiply.outer(given.alphas, np.ones(problem.shape))
        return np.broadcast_to(grid, (n_gammas, *grid.shape))
    _, own = profile(problem, problem.gammas)
    return np.multiply.outer(MULTIPLES, own).swapaxes(0, 1)


def decision_parts(problem, gamma, rows, S):
    """f₀ and f₁ of the decision values f₀ + αf₁ at one γ on other rows with source outputs S."""
    (a0, b0), (a1, b1) = adapter_parts(problem, gamma)
    return rows.decisions(a0, b0), S - rows.outputs(a1, b1)
