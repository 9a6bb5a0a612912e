"""Rules that score candidates: exact leave-one-out, and cross-validation.

Leave-one-out predictions are f₋ᵢ(xᵢ) = yᵢ − cᵢ + αdᵢ with c = (Gy)/diag G and d = (GS)/diag G, at
every γ from one decomposition; cross-validation takes one a fold. No cell of a grid is a fit.
"""

import numpy as np
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._evidence import profile
from sklearn_alpha.linear_model._task import combine, decision_parts, family


def left_out_alphas(task):
    """For each γ: c and d of the leave-one-out predictions y − c + αd, and the best α.

    α = (DᵀD)⁻¹Dᵀc minimises the squared leave-one-out error. Yields (c, d, α).
    """
    n_outputs, n_gammas, root = task.shape[0], len(task.gammas), task.rows.root
    both = np.broadcast_to(task.identity, (n_gammas, *task.identity.shape))
    every = np.arange(task.rows.n_rows)
    for residual in task.left_out(both, task.gammas, np.eye(n_gammas), every):
        c, d = residual[:, :n_outputs], residual[:, n_outputs:].reshape(task.S.shape)
        alpha = np.zeros(task.shape)
        for j, T in enumerate(task.units):
            D = root[:, None] * (d[:, j] @ T)
            alpha[j] = T @ np.linalg.lstsq(D, root * c[:, j], rcond=1e-8)[0]
        yield c, d, alpha


def leave_one_out(task, *, alpha=None, alphas=None, score=None):
    """The (α, γ) of the best leave-one-out score; α in closed form where no grid is given.

    `score(decision_values)` is called on (n_rows, n_outputs) arrays, more is better; None is minus
    the mean squared error.
    """
    gammas = task.gammas
    if score is None:

        def score(values):
            return -rows.average((task.Y - values) ** 2).mean()

    rows = task.rows
    shape = task.shape
    candidates = [alpha] if alpha is not None else None
    if alpha is None and alphas is not None:
        candidates = [np.full(shape, value) for value in alphas]
    settled = False
    while not settled:
        scores, chosen = [], []
        for c, d, best in left_out_alphas(task):
            tried = [best] if candidates is None else candidates
            values = [score(task.Y - c + combine(d, at)) for at in tried]
            scores.append(values)
            chosen.append(tried[int(np.argmax(values))])
        at = int(np.argmax(np.max(scores, axis=1)))
        settled = task.resolvent.reaches(gammas[[at]], np.ones(1))
    solution = family(task, [chosen[at]], [gammas[at]])
    solution.path = Bunch(gammas=gammas, loo_score=np.array(scores), alphas=np.array(chosen))
    return solution


def cross_validation(
    task, *, folds, score, alpha=None, alphas=None, multiples=(0, 0.25, 0.5, 1, 2, 4)
):
    """The (α, γ) of the best mean score over the folds.

    Where no grid of α is given, it is made of multiples of each γ's own α(γ) by generalised least
    squares, which asks nothing of the sources' number, scale or sign.

    Parameters
    ----------
    folds : iterable of (train, test)
        Row numbers.
    score : callable
        `score(decision_values, test)`, more is better.
    """
    gammas = task.gammas

    def candidates(part):
        """(n_gammas, n_candidates, n_outputs, n_sources)."""
        if alpha is not None:
            return np.broadcast_to(alpha, (len(gammas), 1, *alpha.shape))
        if alphas is not None:
            grid = np.multiply.outer(alphas, np.ones(task.shape))
            return np.broadcast_to(grid, (len(gammas), *grid.shape))
        _, own = profile(part, gammas)
        return np.multiply.outer(np.asarray(multiples, dtype=float), own).swapaxes(0, 1)

    scores = []
    for train, test in folds:
        part, rows = task.subset(train), task.rows.part(test)
        cells = []
        for gamma, tried in zip(gammas, candidates(part), strict=True):
            y, s = decision_parts(part, gamma, rows, task.S[test])
            cells.append([score(y + combine(s, at), test) for at in tried])
        scores.append(cells)
    mean = np.mean(scores, axis=0)
    row, column = np.unravel_index(np.argmax(mean), mean.shape)
    chosen = candidates(task)
    solution = family(task, [chosen[row, column]], [gammas[row]])
    solution.path = Bunch(gammas=gammas, cv_score=mean, alphas=chosen)
    return solution
