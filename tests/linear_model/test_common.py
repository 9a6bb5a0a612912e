"""scikit-learn's own checks, all of them, with nothing expected to fail."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.linear_model._selection import SELECTIONS

ESTIMATORS = [
    Estimator(selection=selection)
    for Estimator in (AlphaTransferClassifier, AlphaTransferRegressor)
    for selection in SELECTIONS
]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
