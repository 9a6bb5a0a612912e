"""The exact leave-one-out predictions of every α and γ, and the best of their scores.

    f₋ᵢ(xᵢ) = yᵢ − cᵢ + αdᵢ,    c = (Gy)/diag G,    d = (GS)/diag G

at every γ from one decomposition: no cell of a grid is a fit.
"""

import numpy as np
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._solution import combine, family


def from_moments(is_given):
    """Whether second moments are all that the rule reads."""
    return False


def solve(problem, given):
    """The (α, γ) of the best leave-one-out score; α in closed form where no grid is given.

    ``given.score(decision_values)`` is called on (n_rows, n_outputs) arrays, more is better; None
    is minus the mean squared error.
    """
    gammas, rows = problem.gammas, problem.rows
    score = given.score or (lambda values: -rows.average((problem.Y - values) ** 2).mean())
    candidates = None
    if given.alpha is not None:
        candidates = [given.alpha]
    elif given.alphas is not None:
        candidates = [np.full(problem.shape, value) for value in given.alphas]
    refined = True
    while refined:
        scores, chosen = [], []
        for c, d, best in left_out_alphas(problem):
            tried = [best] if candidates is None else candidates
            values = [score(problem.Y - c + combine(d, at)) for at in tried]
            scores.append(values)
            chosen.append(tried[int(np.argmax(values))])
        at = int(np.argmax(np.max(scores, axis=1)))
        refined = problem.resolvent.refine(gammas[[at]], np.ones(1))
    path = Bunch(gammas=gammas, loo_score=np.array(scores), alphas=np.array(chosen))
    return family(problem, [chosen[at]], [gammas[at]], path=path)


def left_out_alphas(problem):
    """For each γ: c and d of the leave-one-out predictions y − c + αd, and the best α.

    α = (DᵀD)⁻¹Dᵀc minimises the squared leave-one-out error. Yields (c, d, α).
    """
    n_outputs, n_gammas, root = problem.shape[0], len(problem.gammas), problem.rows.root
    both = np.broadcast_to(problem.identity, (n_gammas, *problem.identity.shape))
    every = np.arange(problem.rows.n_rows)
    for residual in problem.left_out(both, problem.gammas, np.eye(n_gammas), every):
        c, d = residual[:, :n_outputs], residual[:, n_outputs:].reshape(len(every), *problem.shape)
        alpha = np.zeros(problem.shape)
        for j, T in enumerate(problem.units):
            D = root[:, None] * (d[:, j] @ T)
            alpha[j] = T @ np.linalg.lstsq(D, root * c[:, j], rcond=1e-8)[0]
        yield c, d, alpha
