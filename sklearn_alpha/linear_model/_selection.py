"""Which rule chooses (α, γ).

    evidence     y ~ N(Sα, τ²(XXᵀ/n + γI)), α profiled out, γ averaged over its posterior
    generative   the mean shift, shrunk by empirical Bayes
    blend        both, weighed by their leave-one-out decision values
    loo          least squares, or any scorer, on the exact leave-one-out decision values
    theory       the α and γ of the best predicted accuracy or risk
    cv           cross-validation over grids

"blend" and "generative" leave the family w(α, γ). Where α or γ is given there is a member of the
family to find, and they stand aside for the evidence.
"""

from sklearn_alpha.linear_model._blend import blend
from sklearn_alpha.linear_model._evidence import evidence
from sklearn_alpha.linear_model._generative import generative
from sklearn_alpha.linear_model._predicted import predicted
from sklearn_alpha.linear_model._search import cross_validation, leave_one_out

SELECTIONS = ("blend", "evidence", "generative", "loo", "theory", "cv")


def select(task, selection, *, alpha, fixed_gamma, **search):
    """The solution of the named rule.

    Parameters
    ----------
    alpha : ndarray of shape (n_outputs, n_sources) or None
        None is chosen.
    fixed_gamma : bool
        The grid of the task is a γ that was given.
    search : dict
        `alphas`, `score` and `folds` of the scored rules.
    """
    if selection in ("blend", "generative"):
        if alpha is not None or fixed_gamma:
            return evidence(task, alpha=alpha)
        return blend(task) if selection == "blend" else generative(task)
    if selection == "evidence":
        return evidence(task, alpha=alpha)
    if selection == "theory":
        return predicted(task, alpha=alpha)
    if selection == "loo":
        search.pop("folds")
        return leave_one_out(task, alpha=alpha, **search)
    return cross_validation(task, alpha=alpha, **search)
