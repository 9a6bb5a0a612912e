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
    """
    gammas, scores = problem.gammas, []
    for train, test in given.folds:
        part, rows = problem.subset(train), problem.rows.part(test)
        cells = []
        for gamma, tried in zip(gammas, candidates(part, given), strict=True):
            y, s = decision_parts(part, gamma, rows, problem.S[test])
            cells.append([given.score(y + combine(s, at), test) for at in tried])
        scores.append(cells)
    mean = np.mean(scores, axis=0)
    row, column = np.unravel_index(np.argmax(mean), mean.shape)
    chosen = candidates(problem, given)
    path = Bunch(gammas=gammas, cv_score=mean, alphas=chosen)
    return family(problem, [chosen[row, column]], [gammas[row]], path=path)


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
    f0 = rows.outputs(a0[:, None], b0[:, None])[:, :, 0]
    return f0, S - rows.outputs(a1, b1)
