"""Source models, and the baselines that the estimators are compared with.

Every baseline chooses its hyper-parameters from source rows and the labelled target rows alone. A
function takes arrays and returns a fitted classifier; none sees a target label beyond those of the
training rows.
"""

import warnings

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RidgeClassifier, RidgeClassifierCV

from benchmarks.linear._baselines import logistic
from sklearn_alpha import AlphaTransferClassifier


def ridge(X, y, gamma):
    """Ridge classifier with the penalty γ‖w‖² beside a *mean* of squares."""
    return RidgeClassifier(alpha=gamma * len(y)).fit(X, y)


def target_ridge(X, y):
    """Target alone: RidgeClassifierCV with its own three penalties."""
    return RidgeClassifierCV().fit(X, y)


def target_ridge_wide(X, y):
    """Target alone: RidgeClassifierCV with penalties from .01 to a million."""
    return RidgeClassifierCV(alphas=np.logspace(-2, 6, 17)).fit(X, y)


def pooled(X_source, y_source, X, y):
    """One logistic regression on the rows of source and target together."""
    return logistic(np.vstack([X_source, X]), np.concatenate([y_source, y]))


def fine_tuning(source, X, y, gamma="auto"):
    """Ordinary fine-tuning, α = 1; γ is given or chosen by exact leave-one-out."""
    frozen = FrozenEstimator(source)
    return AlphaTransferClassifier(frozen, alpha=1.0, gamma=gamma, selection="loo").fit(X, y)


def transferred(estimator, X, y):
    """Fit an estimator that may reverse an unrelated source, which belongs to the comparison."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The labels contradict the source")
        return estimator.fit(X, y)


def transport(X_source, X):
    """Source rows, moved to the distribution of the unlabelled target rows.

    The map is the optimal transport between the two Gaussians with the rows' means and
    covariances, as in SKADA's `LinearOTMapping`.
    """
    from ot.gaussian import empirical_bures_wasserstein_mapping

    # The covariances are singular. POT needs a ridge of more than rounding to take their inverse
    # square root; anything from 1e-6 to .1 leaves the accuracy the same to .05.
    A, b = empirical_bures_wasserstein_mapping(X_source, X, reg=1e-6)
    return X_source @ A + b


def not_moved(X_source, X):
    """Source rows, not moved."""
    return X_source


# Each source: how its rows are moved, given the unlabelled target, and what is fitted on them.
SOURCES = {
    "ridge γ_pre = 1": (not_moved, lambda X, y: ridge(X, y, 1.0)),
    "ridge γ_pre = 10": (not_moved, lambda X, y: ridge(X, y, 10.0)),
    "LogisticRegressionCV": (not_moved, logistic),
    "transported ridge γ_pre = 10": (transport, lambda X, y: ridge(X, y, 10.0)),
}
# Pooled training is a logistic regression: it is compared with the source that is one, and with
# the source whose rows are moved.
POOLED = ("LogisticRegressionCV", "transported ridge γ_pre = 10")
TARGET_ALONE = {
    "target alone: RidgeClassifierCV": target_ridge,
    "target alone: RidgeClassifierCV, wide grid": target_ridge_wide,
    "target alone: LogisticRegressionCV": logistic,
}
FINE_TUNING = {"α = 1, γ = 1": 1.0, "α = 1, γ = 10": 10.0, "α = 1, γ by leave-one-out": "auto"}
SELECTIONS = ("anchored", "blend", "evidence", "generative", "loo", "theory", "cv")
