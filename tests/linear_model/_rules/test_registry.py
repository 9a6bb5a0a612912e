"""What every rule does: it keeps what is given, and says whether it reads rows."""

import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

from sklearn_alpha.linear_model._rules import RULES
from tests.linear_model._rules.oracles import kinds
from tests.linear_model.helpers import selected


@pytest.mark.parametrize("selection", RULES)
@kinds
def test_a_given_gamma_is_kept(kind, selection, problem):
    task = problem(kind)
    model = task.Estimator(task.source, gamma=0.25, **selected(selection, 2))
    assert model.fit(task.X, task.y).gamma_ == 0.25


@pytest.mark.parametrize("given", [{}, {"alpha": 0.7}, {"gamma": 0.2}])
@pytest.mark.parametrize("selection", RULES)
def test_a_rule_of_moments_is_the_same_from_rows(selection, given, problem):
    task = problem("target", n=30)
    rows = task.Estimator(task.source, selection=selection, **given)
    if not RULES[selection].from_moments(bool(given)):
        assert not hasattr(rows, "partial_fit")
        return
    chunks = clone(rows).partial_fit(task.X[:9], task.y[:9]).partial_fit(task.X[9:], task.y[9:])
    rows.set_params(selection="evidence" if selection == "blend" else selection)
    assert_allclose(chunks.coef_, rows.fit(task.X, task.y).coef_, atol=1e-9)


@pytest.mark.parametrize("selection", ["blend", "generative"])
@pytest.mark.parametrize("given", [{"alpha": 0.7}, {"gamma": 0.2}])
@kinds
def test_the_closed_forms_leave_what_is_given_to_the_evidence(kind, selection, given, problem):
    task = problem(kind)
    model = task.Estimator(task.source, selection=selection, **given).fit(task.X, task.y)
    evidence = clone(model).set_params(selection="evidence").fit(task.X, task.y)
    assert_allclose(model.coef_, evidence.coef_, atol=0)
    assert model.gamma_ == evidence.gamma_
