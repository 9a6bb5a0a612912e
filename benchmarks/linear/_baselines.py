"""The source alone and the target alone, and the scores of probabilities and of numbers.

No estimator of this package is imported here, so that what is kept of these methods stays valid
when a rule changes. A method takes a `Problem`, the indices of the labelled and of the scored
target rows, and a seed, as in :mod:`benchmarks.linear._alternatives`.
"""

import warnings

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, RidgeCV

from benchmarks._names import ALONE
from benchmarks.linear._offset_logistic import span_of_rows

TARGET_ALONE = "target alone"
RIDGES = np.logspace(-2, 6, 17)
LEAST = 1e-6  # probability, in the log loss
BINS = 15  # of the calibration error


def logistic(X, y, scoring="accuracy"):
    """Logistic regression, its penalty chosen by at most 5-fold cross-validation."""
    _, counts = np.unique(y, return_counts=True)
    if len(counts) == 1:
        return DummyClassifier(strategy="prior").fit(X, y)
    if counts.min() < 2:  # no fold could be scored without losing a class
        return LogisticRegression().fit(X, y)
    with warnings.catch_warnings():
        # The supported versions of scikit-learn announce different changes.
        warnings.simplefilter("ignore", FutureWarning)
        cv = min(5, counts.min())
        return LogisticRegressionCV(cv=cv, scoring=scoring, max_iter=500).fit(X, y)


def target_alone(problem, own, scored, seed):
    """LogisticRegressionCV, its penalty chosen by the log loss."""
    Z = span_of_rows(problem.X, own)[:, :-1]
    model = logistic(Z[own], problem.y[own], scoring="neg_log_loss")
    return aligned(model, Z[scored], problem)


def source_alone(problem, own, scored, seed):
    """The source."""
    return aligned(problem.source, problem.X[scored], problem)


def aligned(classifier, X, problem):
    """Probabilities of the source's classes; 0 for those that the classifier does not know."""
    classes = problem.source.classes_
    P = np.zeros((X.shape[0], len(classes)))
    P[:, np.searchsorted(classes, classifier.classes_)] = classifier.predict_proba(X)
    return P


def ridge_alone(problem, own, scored, seed):
    """RidgeCV."""
    return RidgeCV(RIDGES).fit(problem.X[own], problem.y[own]).predict(problem.X[scored])


def ridge_source(problem, own, scored, seed):
    """The source."""
    return problem.source.predict(problem.X[scored])


CLASSIFIERS = {ALONE: source_alone, TARGET_ALONE: target_alone}
REGRESSORS = {ALONE: ridge_source, TARGET_ALONE: ridge_alone}


def score_numbers(predicted, y):
    """Mean squared error."""
    return {"mse": np.mean((predicted - y) ** 2)}


def score_probabilities(P, labels):
    """Accuracy, log loss, Brier score and expected calibration error."""
    Y, rows = np.eye(P.shape[1])[labels], np.arange(len(labels))
    _, correct, confidence = confidence_bins(P, labels)
    return {
        "accuracy": np.mean(P.argmax(axis=1) == labels),
        "log_loss": -np.mean(np.log(np.maximum(P[rows, labels], LEAST))),
        "brier": np.mean(np.sum((P - Y) ** 2, axis=1)),
        "ece": np.abs(correct - confidence).sum() / len(labels),
    }


def confidence_bins(P, labels):
    """Number of rows, of correct rows, and sum of confidences in equal bins of the confidence."""
    confidence, correct = P.max(axis=1), P.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [np.bincount(bins, weights, BINS) for weights in (None, correct, confidence)]
