"""The rules that choose (α, γ). Each is one file with the same two functions:

    solve(problem, given)      the `Solution`
    from_moments(is_given)     whether second moments are all that it reads, where α or γ is given
                               or neither is

and a line in `RULES`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sklearn_alpha.linear_model._rules import (
    anchored,
    blend,
    cross_validation,
    evidence,
    generative,
    leave_one_out,
    theory,
)

RULES = {
    "anchored": anchored,
    "blend": blend,
    "evidence": evidence,
    "generative": generative,
    "loo": leave_one_out,
    "theory": theory,
    "cv": cross_validation,
}


@dataclass(frozen=True)
class Given:
    """What the caller has decided, or asks for.

    Attributes
    ----------
    alpha : ndarray of shape (n_outputs, n_sources) or None
        None is to be chosen.
    gamma : bool
        Whether the only γ of the problem was given.
    alphas : ndarray or None
        Grid of α for the rules that score candidates.
    score : callable or None
        What they score by.
    folds : list of (train, test) or None
        Row numbers for cross-validation.
    """

    alpha: np.ndarray | None = None
    gamma: bool = False
    alphas: np.ndarray | None = None
    score: Callable | None = None
    folds: list | None = None

    @property
    def fixed(self):
        """Whether α or γ is given."""
        return self.gamma or self.alpha is not None


def is_given(estimator):
    """Whether α or γ of an estimator is given."""
    return not (isinstance(estimator.alpha, str) and isinstance(estimator.gamma, str))


def reads_moments(estimator):
    """Whether second moments are all that the selection of an estimator reads."""
    return RULES[estimator.selection].from_moments(is_given(estimator))


def anchors(estimator, regression, rows):
    """Whether the anchored rule chooses both α and γ: classification needs rows."""
    return estimator.selection == "anchored" and not is_given(estimator) and (regression or rows)


def has_partial_fit(estimator):
    """Whether an estimator can be fitted in chunks; else an error says why not."""
    if estimator.selection not in RULES or reads_moments(estimator):
        return True
    raise AttributeError(
        f"selection={estimator.selection!r} needs rows, and partial_fit keeps their moments "
        "alone; use selection='evidence', or fit on all rows."
    )
