"""What one can do with a fitted source and a few labelled target rows, other than α-transfer.

A function takes a `Problem`, the indices of the labelled and of the scored target rows, and a seed,
and returns probabilities of the scored rows, (n_scored, n_classes), or predicted numbers. The
classes are those of the source. Every choice is made by left-out labelled rows.
"""

import numpy as np
from scipy import sparse
from scipy.special import softmax
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RidgeCV

from benchmarks._names import ALONE
from benchmarks.linear._baselines import (
    RIDGES,
    TARGET_ALONE,
    aligned,
    ridge_alone,
    ridge_source,
    source_alone,
    target_alone,
)
from benchmarks.linear._offset_logistic import (
    class_logits,
    fit,
    folds,
    left_out,
    log_loss,
    penalties,
    span_of_rows,
)
from benchmarks.linear._peers import transferred
from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor

OURS = "α-transfer, default"
ALPHAS = (0.0, 0.25, 0.5, 1.0, 2.0)  # of angleTL
SHARES = np.linspace(0, 1, 11)  # of the fine-tuned weights in WiSE-FT
TARGET_WEIGHTS = (1, 10, 100)  # of a target row, beside 1 of a source row


def ours(problem, own, scored, seed):
    """The estimator with its defaults."""
    model = AlphaTransferClassifier(FrozenEstimator(problem.source))
    model = transferred(model, problem.X[own], problem.y[own])
    return aligned(model, problem.X[scored], problem)


def pooled(problem, own, scored, seed):
    """The source's estimator on the rows of both; the weight of a target row by CV."""
    classes = problem.source.classes_

    def logits(train, test, weight):
        return class_logits(_fit_pooled(problem, train, weight), problem.X[test])

    def loss(values, rows):
        return log_loss(values, np.searchsorted(classes, problem.y[rows]))

    weight = _best_weight(logits, loss, own, seed)
    return softmax(logits(own, scored, weight), axis=1)


def _best_weight(predict, loss, own, seed):
    """The weight of a target row that has the least mean loss of left-out rows."""

    def mean_loss(weight):
        parts = [(own[train], own[test]) for train, test in folds(len(own), seed)]
        return np.sum([len(t) * loss(predict(o, t, weight), t) for o, t in parts])

    return min(TARGET_WEIGHTS, key=mean_loss)


def _fit_pooled(problem, rows, weight):
    stack = sparse.vstack if sparse.issparse(problem.X) else np.vstack
    X = stack([problem.X_source, problem.X[rows]])
    y = np.concatenate([problem.y_source, problem.y[rows]])
    weights = np.concatenate([np.ones(len(problem.y_source)), np.full(len(rows), weight)])
    source = problem.source
    model = clone(source)
    if hasattr(source, "classes_"):  # the source is a good start of the iterations
        model.set_params(warm_start=True)
        model.classes_ = source.classes_
        model.coef_, model.intercept_ = source.coef_.copy(), source.intercept_.copy()
    return model.fit(X, y, sample_weight=weights)


def wise_ft(problem, own, scored, seed, share=None):
    """Weights (1 − λ)w̃ + λw, with w fine-tuned towards the source w̃; arXiv 2109.01903.

    λ is `share`, or chosen by the log loss of left-out rows.
    """
    Z, labels, S = _in_span(problem, own)
    parts = {C: left_out(Z[own], labels, S[own], C, seed) for C in penalties(Z[own])}
    C = min(parts, key=lambda C: log_loss(S[own] + parts[C], labels))
    if share is None:
        share = min(SHARES, key=lambda share: log_loss(S[own] + share * parts[C], labels))
    B = fit(Z[own], labels, S[own], C)
    return softmax(S[scored] + share * Z[scored] @ B, axis=1)


def angle_tl(problem, own, scored, seed):
    """argmin of the log loss + λ‖w‖² − 2η⟨w, w̃⟩: a penalty around αw̃, α = η/λ; 2210.12759."""
    Z, labels, S = _in_span(problem, own)

    def loss(choice):
        alpha, C = choice
        offset = alpha * S[own]
        return log_loss(offset + left_out(Z[own], labels, offset, C, seed), labels)

    alpha, C = min([(alpha, C) for alpha in ALPHAS for C in penalties(Z[own])], key=loss)
    B = fit(Z[own], labels, alpha * S[own], C)
    return softmax(alpha * S[scored] + Z[scored] @ B, axis=1)


def _in_span(problem, own):
    """Coordinates of all rows, labels of the labelled ones, and the source's logits."""
    labels = np.searchsorted(problem.source.classes_, problem.y[own])
    return span_of_rows(problem.X, own), labels, class_logits(problem.source, problem.X)


def half(method):
    """WiSE-FT with λ = ½."""
    return lambda *arguments: method(*arguments, share=0.5)


# ------------------------------------------------------------------ regression


def our_regressor(problem, own, scored, seed):
    """The estimator with its defaults."""
    model = AlphaTransferRegressor(FrozenEstimator(problem.source))
    return model.fit(problem.X[own], problem.y[own]).predict(problem.X[scored])


def pooled_ridge(problem, own, scored, seed):
    """The source's estimator on the rows of both; the weight of a target row by CV."""

    def predict(train, test, weight):
        return _fit_pooled(problem, train, weight).predict(problem.X[test])

    def loss(values, rows):
        return np.mean((values - problem.y[rows]) ** 2)

    return predict(own, scored, _best_weight(predict, loss, own, seed))


def wise_ft_ridge(problem, own, scored, seed, share=None):
    """As `wise_ft`, with squares in place of the log loss."""
    X, y = problem.X, problem.y
    residual = y[own] - problem.source.predict(X[own])
    if share is None:
        left = np.empty(len(own))
        for train, test in folds(len(own), seed):
            part = RidgeCV(RIDGES).fit(X[own][train], residual[train])
            left[test] = part.predict(X[own][test])
        share = min(SHARES, key=lambda share: np.mean((residual - share * left) ** 2))
    adapter = RidgeCV(RIDGES).fit(X[own], residual)
    return problem.source.predict(X[scored]) + share * adapter.predict(X[scored])


def angle_tl_ridge(problem, own, scored, seed):
    """argmin of the mean of squares + λ‖w‖² − 2η⟨w, w̃⟩, by left-out rows; arXiv 2210.12759."""
    X, y = problem.X, problem.y
    S = X @ problem.source.coef_
    fits = {a: RidgeCV(RIDGES).fit(X[own], y[own] - a * S[own]) for a in ALPHAS}
    alpha = max(fits, key=lambda alpha: fits[alpha].best_score_)  # minus the mean of squares
    return alpha * S[scored] + fits[alpha].predict(X[scored])


CLASSIFIERS = {
    ALONE: source_alone,
    TARGET_ALONE: target_alone,
    "pooled, weight by CV": pooled,
    "WiSE-FT, ½": half(wise_ft),
    "WiSE-FT, by left-out rows": wise_ft,
    "angleTL": angle_tl,
    OURS: ours,
}
REGRESSORS = {
    ALONE: ridge_source,
    TARGET_ALONE: ridge_alone,
    "pooled, weight by CV": pooled_ridge,
    "WiSE-FT, ½": half(wise_ft_ridge),
    "WiSE-FT, by left-out rows": wise_ft_ridge,
    "angleTL": angle_tl_ridge,
    OURS: our_regressor,
}
