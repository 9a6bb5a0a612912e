"""Score a method on one draw of the promise's data; of the baselines, no rule of this package."""

import numpy as np

from benchmarks._data.external import draw
from benchmarks._data.promise import ROWS
from benchmarks.linear._baselines import (
    CLASSIFIERS,
    REGRESSORS,
    confidence_bins,
    score_numbers,
    score_probabilities,
)


def score_baselines(data, task, n, seed):
    """Scores of the source alone and of the target alone on one draw."""
    return score_methods(CLASSIFIERS, REGRESSORS, data, task, n, seed)


def score_methods(classifiers, regressors, data, task, n, seed):
    """Scores of methods on one draw, and the bins of a reliability diagram.

    Parameters
    ----------
    classifiers, regressors : dict of str to callable
        By name, as in :mod:`benchmarks.linear._alternatives`.
    data : str
        A key of `ROWS`.
    task : str
    n, seed : int
        Number of labelled target rows, and the seed that draws them.

    Returns
    -------
    list of dict
    """
    kind = ROWS[data].collection
    problem = kind.load(task)
    own, scored = draw(kind, problem, n, seed)
    labels = problem.y[scored]
    if kind.regression:
        return [
            {"method": method} | score_numbers(run(problem, own, scored, seed), labels)
            for method, run in regressors.items()
        ]
    labels = np.searchsorted(problem.source.classes_, labels)
    rows = []
    for method, run in classifiers.items():
        P = run(problem, own, scored, seed)
        bins = np.array(confidence_bins(P, labels)).tolist()
        rows.append({"method": method} | score_probabilities(P, labels) | {"bins": bins})
    return rows
