"""Parameters that a fit does not read: one warning says so, and defaults are silent."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_alpha.linear_model import _base
from sklearn_alpha.linear_model._rules import RULES
from sklearn_alpha.linear_model._sources import read_sources as read
from tests.linear_model.helpers import kinds, selected

READ_BY = {"cv": ["cv"], "scoring": ["loo", "cv"], "alphas": ["loo", "cv"]}
GIVEN = {"cv": 3, "scoring": lambda model, X, y: model.score(X, y), "alphas": [0.5]}


@pytest.mark.parametrize("kind", ["classes", "target"])
@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("selection", RULES)
def test_what_a_selection_does_not_read_is_said(selection, name, kind, problem):
    task = problem(kind, n=24)
    plain = task.Estimator(task.source, **selected(selection, 2))
    model = clone(plain).set_params(**{name: GIVEN[name]})
    if selection in READ_BY[name]:
        model.fit(task.X, task.y)
        return
    readers = " and ".join(f"'{rule}'" for rule in READ_BY[name])
    with pytest.warns(UserWarning, match=name) as caught:
        model.fit(task.X, task.y)
    message = f"{name} is ignored under selection='{selection}'; it is read by selection={readers}."
    assert [str(one.message) for one in caught] == [message]
    assert_array_equal(model.coef_, plain.fit(task.X, task.y).coef_)


@kinds
def test_a_stream_says_it_once(kind, problem):
    task = problem(kind)
    classes = {"classes": np.unique(task.y)} if kind in ("binary", "classes") else {}
    model = task.Estimator(task.source, cv=3, selection="evidence")
    with pytest.warns(UserWarning, match="cv is ignored"):
        model.partial_fit(task.X, task.y, **classes)
    assert model.partial_fit(task.X, task.y).coef_.shape[-1] == 7


@kinds
def test_alpha_without_a_source_is_ignored(kind, problem):
    task = problem(kind)
    plain = task.Estimator().fit(task.X, task.y)
    for alpha in (1.0, [0.5], 0):
        model = task.Estimator(alpha=alpha, selection="evidence")
        with pytest.warns(UserWarning, match=r"^alpha=.* is ignored.* no source .*pass source"):
            model.fit(task.X, task.y)
    # what such a fit has for alpha_ may be passed on
    task.Estimator(alpha=plain.alpha_).fit(task.X, task.y)


def test_a_search_over_no_source_and_some(problem):
    task = problem("binary", n=30)
    grid = {"source": [None, task.W[0, 0]], "alpha": ["auto", 1.0]}
    search = GridSearchCV(task.Estimator(), grid, cv=3, error_score="raise")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "alpha=1.0 is ignored", UserWarning)
        assert np.isfinite(search.fit(task.X, task.y).cv_results_["mean_test_score"]).all()


@kinds
def test_a_fit_reads_the_sources_once(kind, problem, monkeypatch):
    task, calls = problem(kind), []
    monkeypatch.setattr(_base, "read_sources", lambda *a, **k: calls.append(a) or read(*a, **k))
    task.Estimator(task.source).fit(task.X, task.y)
    assert len(calls) == 1
