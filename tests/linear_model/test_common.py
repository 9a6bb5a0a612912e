"""scikit-learn's own checks, all of them, with nothing expected to fail."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.linear_model._rules import RULES

ESTIMATORS = [
    Estimator(selection=selection)
    for Estimator in (AlphaTransferClassifier, AlphaTransferRegressor)
    for selection in RULES
]


# The checks of scikit-learn 1.6 draw four rows of a class for the five folds of "cv".
@pytest.mark.filterwarnings("ignore:The least populated class:UserWarning")
# The checks of weights give cv to every estimator that has it.
@pytest.mark.filterwarnings("ignore:cv is ignored:UserWarning")
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
