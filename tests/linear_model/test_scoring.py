"""Estimators whose rows are decision values: a scorer sees what the fitted model shows it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.linear_model import LogisticRegression, Ridge

from sklearn_alpha.linear_model._scoring import DecisionClassifier, DecisionRegressor


@pytest.mark.parametrize("kind", ["binary", "classes"])
def test_a_classifier_of_its_decision_values(kind, problem):
    task = problem(kind, n=30)
    names = np.array(["ape", "bee", "cat"])[task.y]
    model = LogisticRegression().fit(task.X, names)
    F, P = model.decision_function(task.X), model.predict_proba(task.X)
    identity = DecisionClassifier(model.classes_)
    assert_array_equal(identity.classes_, model.classes_)
    values = F.reshape(len(F), -1)
    assert_array_equal(identity.decision_function(values), F)
    assert_array_equal(identity.predict(values), model.predict(task.X))
    # of ±1 codes the values are half the differences of logits
    assert_allclose(identity.predict_proba(values / 2), P)


@pytest.mark.parametrize("f", [-3.0, 0.0, 0.2])
def test_probabilities_of_two_classes_are_logistic(f):
    P = DecisionClassifier(np.array([0, 1])).predict_proba(np.array([[f]]))
    assert_allclose(P, [[expit(-2 * f), expit(2 * f)]])


@pytest.mark.parametrize("kind", ["target", "targets"])
def test_a_regressor_of_its_predictions(kind, problem):
    task = problem(kind)
    F = Ridge().fit(task.X, task.y).predict(task.X)
    identity = DecisionRegressor()
    assert_array_equal(identity.predict(F.reshape(len(F), -1)), F)
