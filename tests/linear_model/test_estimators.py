"""The two estimators: special cases, invariances, weights, probabilities, scikit-learn's habits."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.linear_model._calibration import inverse_temperature, smoothed_targets
from sklearn_alpha.linear_model._problem import SAMPLE
from sklearn_alpha.linear_model._rules import RULES

KINDS = ("binary", "classes", "target", "targets")
SHAPES = [(13, 6), (8, 14), (9, 9)]

kinds = pytest.mark.parametrize("kind", KINDS)
shapes = pytest.mark.parametrize("shape", SHAPES)
selections = pytest.mark.parametrize("selection", RULES)
containers = pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix, sparse.csc_array])
heights = pytest.mark.parametrize(
    "parameters",
    [{"fit_intercept": False}, {"intercept_scaling": 0.7}, {"intercept_scaling": np.inf}, {}],
    ids=["none", "0.7", "inf", "default"],
)


def decisions(model, X):
    return getattr(model, "decision_function", model.predict)(X)


def halves(n):
    """Two folds with rows of every class in the training part."""
    rows = np.arange(n)
    return [(rows[: n - 2], rows[n - 2 :]), (rows[2:], rows[:2])]


def assert_same_model(first, second, X, atol=1e-8):
    assert_allclose(decisions(first, X), decisions(second, X), rtol=0, atol=atol)
    assert_allclose(first.intercept_, second.intercept_, rtol=0, atol=atol)


# ---------------------------------------------------------------- special cases of (α, γ)


@kinds
@shapes
@containers
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_alpha_zero_is_ridge(kind, shape, container, fit_intercept, problem):
    task = problem(kind, *shape)
    model = task.Estimator(
        task.source, alpha=0, gamma=0.3, intercept_scaling=np.inf, fit_intercept=fit_intercept
    ).fit(container(task.X), task.y, sample_weight=task.counts)
    ridge = Ridge(alpha=task.counts.sum() * 0.3, fit_intercept=fit_intercept, solver="svd")
    ridge.fit(task.X, task.Y, sample_weight=task.counts)
    assert_allclose(np.atleast_2d(model.coef_), np.atleast_2d(ridge.coef_), atol=1e-10)
    intercept = np.ravel(model.intercept_) - task.common
    assert_allclose(intercept, np.ravel(ridge.intercept_) + 0 * intercept, atol=1e-10)


@pytest.mark.parametrize("kind", ["binary", "classes"])
def test_alpha_zero_is_ridge_classifier(kind, problem):
    task = problem(kind)
    model = AlphaTransferClassifier(alpha=0, gamma=0.3, intercept_scaling=np.inf)
    model.fit(task.X, task.y)
    ridge = RidgeClassifier(alpha=len(task.X) * 0.3, solver="svd").fit(task.X, task.y)
    assert_allclose(model.decision_function(task.X), ridge.decision_function(task.X), atol=1e-10)
    assert_array_equal(model.predict(task.X), ridge.predict(task.X))


@kinds
@shapes
def test_alpha_one_is_ridge_on_what_the_source_leaves(kind, shape, problem):
    task = problem(kind, *shape)
    model = task.Estimator(task.source, alpha=1, gamma=0.3, intercept_scaling=np.inf)
    model.fit(task.X, task.y)
    rest = Ridge(alpha=len(task.X) * 0.3, solver="svd").fit(task.X, task.Y - task.S[:, :, 0])
    assert_allclose(np.atleast_2d(model.coef_), task.W[:, 0] + rest.coef_, atol=1e-10)
    expected = task.b[:, 0] + rest.intercept_ + task.common
    assert_allclose(np.ravel(model.intercept_), expected, atol=1e-10)


@kinds
@shapes
def test_a_finite_height_is_one_more_feature(kind, shape, problem):
    task, k = problem(kind, *shape, n_sources=0), 0.7
    model = task.Estimator(gamma=0.3, intercept_scaling=k).fit(task.X, task.y)
    ridge = Ridge(alpha=len(task.X) * 0.3, fit_intercept=False, solver="svd")
    coef = np.atleast_2d(
        ridge.fit(np.column_stack([task.X, np.full(len(task.X), k)]), task.Y).coef_
    )
    assert_allclose(np.atleast_2d(model.coef_), coef[:, :-1], atol=1e-10)
    assert_allclose(np.ravel(model.intercept_), k * coef[:, -1] + task.common, atol=1e-10)


@kinds
@containers
def test_auto_height_is_the_root_mean_square(kind, container, problem):
    task = problem(kind)
    X = np.repeat(task.X, task.counts, axis=0)
    model = task.Estimator(task.source, intercept_scaling="auto")
    model.fit(container(task.X), task.y, sample_weight=task.counts)
    held = clone(model).set_params(intercept_scaling=np.sqrt(np.mean(X**2)))
    held.fit(container(task.X), task.y, sample_weight=task.counts)
    assert_same_model(model, held, task.X)


def test_defaults_of_the_intercept(problem):
    task = problem("binary")
    model = AlphaTransferClassifier(gamma=1.0).fit(task.X, task.y)
    auto = AlphaTransferClassifier(gamma=1.0, intercept_scaling="auto").fit(task.X, task.y)
    assert model.intercept_ == auto.intercept_
    task = problem("target")
    model = AlphaTransferRegressor(gamma=1.0).fit(task.X, task.y)
    free = AlphaTransferRegressor(gamma=1.0, intercept_scaling=np.inf).fit(task.X, task.y)
    assert model.intercept_ == free.intercept_


@kinds
@pytest.mark.parametrize("n_sources", [1, 2])
def test_alpha_may_be_given_for_each_output_and_source(kind, n_sources, problem):
    task = problem(kind, n_sources=n_sources)
    alpha = np.random.default_rng(0).normal(size=task.W.shape[:2])
    model = task.Estimator(task.source, alpha=alpha, gamma=0.3).fit(task.X, task.y)
    assert_array_equal(model.alpha_, alpha)
    combined = np.einsum("ckp,ck->cp", task.W, alpha), np.sum(task.b * alpha, axis=1)
    if kind != "classes":  # where the combination would lose its mean over the classes
        single = task.Estimator(combined, alpha=1, gamma=0.3).fit(task.X, task.y)
        assert_same_model(model, single, task.X)


def test_alpha_of_another_shape_names_the_mend(problem):
    task = problem("classes", n_sources=2)
    with pytest.raises(ValueError, match=r"one for each of the 2 source.*= \(3, 2\)"):
        AlphaTransferClassifier(task.source, alpha=[1, 2, 3, 4]).fit(task.X, task.y)


# ---------------------------------------------------------------- storage and solver


@kinds
@pytest.mark.parametrize("shape", SHAPES[:2])
@selections
@pytest.mark.parametrize("height", [0.0, "auto", np.inf])
def test_dense_equals_sparse_and_primal_equals_dual(kind, shape, selection, height, problem):
    task = problem(kind, *shape, n_sources=2)
    parameters = {"intercept_scaling": height} if height else {"fit_intercept": False}
    if selection == "cv":
        parameters |= {"cv": halves(len(task.X)), "gammas": [0.01, 0.1, 1.0]}
    model = task.Estimator(task.source, selection=selection, store_loo=True, **parameters)
    model.fit(task.X, task.y)
    for solver, container in (
        ("primal", np.asarray),
        ("dual", np.asarray),
        ("auto", sparse.csr_matrix),
        ("auto", sparse.csc_array),
    ):
        other = clone(model).set_params(solver=solver).fit(container(task.X), task.y)
        assert_same_model(other, model, task.X)
        assert_allclose(
            other.loo_decision_function_, model.loo_decision_function_, rtol=0, atol=1e-8
        )
        assert_allclose(
            decisions(model, container(task.X)), decisions(model, task.X), rtol=0, atol=1e-12
        )


# ---------------------------------------------------------------- the source's scale and number


@kinds
@selections
@pytest.mark.parametrize("factor", [1e-9, 1e-3, 1e3, 1e9])
def test_the_scale_of_the_source_moves_nothing(kind, selection, factor, problem):
    task = problem(kind, n_sources=2)
    model = task.Estimator(task.source, selection=selection, cv=halves(12)).fit(task.X, task.y)
    scaled = clone(model).set_params(source=[(factor * w, factor * b) for w, b in task.source])
    scaled.fit(task.X, task.y)
    assert_same_model(scaled, model, task.X)
    assert_allclose(scaled.alpha_ * factor, model.alpha_, rtol=1e-7)


@kinds
@selections
@pytest.mark.parametrize("n_sources", [1, 2])
@pytest.mark.parametrize("factor", [1.0, 1e-6])
def test_a_source_listed_twice_moves_nothing(kind, selection, n_sources, factor, problem):
    task = problem(kind, n_sources=n_sources)
    model = task.Estimator(task.source, selection=selection, cv=halves(12)).fit(task.X, task.y)
    w, b = task.source[0]
    doubled = clone(model).set_params(source=[*task.source, (factor * w, factor * b)])
    assert_same_model(doubled.fit(task.X, task.y), model, task.X)


@kinds
@selections
def test_the_order_of_sources_moves_nothing(kind, selection, problem):
    task = problem(kind, n_sources=3)
    model = task.Estimator(task.source, selection=selection, cv=halves(12)).fit(task.X, task.y)
    other = clone(model).set_params(source=task.source[::-1]).fit(task.X, task.y)
    assert_same_model(other, model, task.X)
    assert_allclose(other.alpha_[:, ::-1], model.alpha_, rtol=1e-6)


@kinds
@selections
def test_a_list_of_one_is_the_source(kind, selection, problem):
    task = problem(kind)
    model = task.Estimator(task.source, selection=selection, cv=halves(12)).fit(task.X, task.y)
    single = clone(model).set_params(source=task.source[0]).fit(task.X, task.y)
    assert_array_equal(single.coef_, model.coef_)
    assert_array_equal(single.alpha_, model.alpha_)


@kinds
@selections
def test_a_zero_source_is_no_source(kind, selection, problem):
    task = problem(kind)
    model = task.Estimator(0 * task.W[:, 0], selection=selection, cv=halves(12))
    none = clone(model).set_params(source=None)
    assert_same_model(model.fit(task.X, task.y), none.fit(task.X, task.y), task.X)
    assert np.isfinite(model.alpha_).all()


@kinds
@selections
def test_units_of_the_features_move_nothing(kind, selection, problem):
    task = problem(kind)
    model = task.Estimator(task.source, selection=selection, cv=halves(12)).fit(task.X, task.y)
    scaled = clone(model).set_params(source=[(w / 1e3, b) for w, b in task.source])
    scaled.fit(task.X * 1e3, task.y)
    assert_allclose(decisions(scaled, task.X * 1e3), decisions(model, task.X), rtol=0, atol=1e-8)


@pytest.mark.parametrize("kind", ["target", "targets"])
@selections
def test_units_of_the_target_scale_the_prediction(kind, selection, problem):
    task = problem(kind)
    model = task.Estimator(task.source, selection=selection, cv=halves(12)).fit(task.X, task.y)
    scaled = clone(model).fit(task.X, task.y * 1e3)
    assert_allclose(scaled.predict(task.X) / 1e3, model.predict(task.X), rtol=0, atol=1e-8)


# ---------------------------------------------------------------- weights


@pytest.mark.parametrize(
    ("kind", "class_weight"),
    [
        ("binary", None),
        ("binary", "balanced"),
        ("classes", {0: 1, 1: 2.5, 2: 0.5}),
        ("target", None),
        ("targets", None),
    ],
)
@selections
@heights
def test_a_weight_is_a_number_of_repetitions(kind, class_weight, selection, parameters, problem):
    task = problem(kind, n_sources=2)
    model = task.Estimator(task.source, selection=selection, store_loo=True, **parameters)
    if class_weight is not None:
        model.set_params(class_weight=class_weight)
    index = np.repeat(np.arange(12), task.counts)
    repeated, weighted = clone(model), clone(model)
    if selection == "cv":
        weighted.set_params(cv=halves(12), gammas=[0.01, 0.1, 1.0])
        repeated.set_params(
            gammas=[0.01, 0.1, 1.0],
            cv=[[np.flatnonzero(np.isin(index, part)) for part in fold] for fold in halves(12)],
        )
    weighted.fit(sparse.csr_matrix(task.X), task.y, sample_weight=task.counts)
    repeated.fit(task.X[index], task.y[index])
    assert_same_model(weighted, repeated, task.X)
    assert_allclose(
        weighted.loo_decision_function_[index], repeated.loo_decision_function_, rtol=0, atol=1e-8
    )
    if hasattr(model, "predict_proba"):
        assert_allclose(
            weighted.predict_proba(task.X), repeated.predict_proba(task.X), rtol=0, atol=1e-8
        )


@kinds
@selections
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_a_row_of_weight_zero_is_absent(kind, selection, container, problem):
    task = problem(kind, n=16)
    weights = task.counts * (np.arange(16) >= 4)
    model = task.Estimator(task.source, selection=selection, store_loo=True)
    if selection == "cv":
        model.set_params(cv=[(np.arange(10), np.arange(10, 16)), (np.arange(6, 16), np.arange(6))])
    absent = clone(model)
    if selection == "cv":
        absent.set_params(cv=[(np.arange(6), np.arange(6, 12)), (np.arange(2, 12), np.arange(2))])
    model.fit(container(task.X), task.y, sample_weight=weights)
    absent.fit(container(task.X[4:]), task.y[4:], sample_weight=weights[4:])
    assert_same_model(model, absent, task.X)
    loo = model.loo_decision_function_
    assert_allclose(loo[4:], absent.loo_decision_function_, rtol=0, atol=1e-8)
    # no row of weight zero was in the fit to be left out of it
    assert_allclose(loo[:4], decisions(model, task.X[:4]), rtol=0, atol=1e-12)


def test_a_class_of_weight_zero_is_absent(problem):
    task = problem("classes")
    model = AlphaTransferClassifier().fit(task.X, task.y, sample_weight=task.y != 2)
    assert_array_equal(model.classes_, [0, 1])
    with pytest.raises(ValueError, match="pass rows of at least 2 classes"):
        model.fit(task.X, task.y, sample_weight=task.y == 2)


def test_all_weights_zero(problem):
    for kind in KINDS:
        task = problem(kind)
        with pytest.raises(ValueError, match=r"(?i)weight"):
            task.Estimator().fit(task.X, task.y, sample_weight=np.zeros(12))


@pytest.mark.parametrize("weight", [-1.0, np.nan])
def test_bad_weights(weight, problem):
    task = problem("binary")
    with pytest.raises(ValueError, match=r"(?i)negative|nan"):
        AlphaTransferClassifier().fit(task.X, task.y, sample_weight=np.r_[weight, np.ones(11)])


# ---------------------------------------------------------------- classes and probabilities


@selections
def test_permuted_classes_permute_rows(selection, problem):
    task = problem("classes", n_sources=2)
    order = np.array([2, 0, 1])  # class c is now called order[c]
    model = task.Estimator(task.source, selection=selection, cv=halves(12)).fit(task.X, task.y)
    permuted = clone(model).set_params(
        source=[(w[np.argsort(order)], b[np.argsort(order)]) for w, b in task.source]
    )
    permuted.fit(task.X, order[task.y])
    for name in ("coef_", "intercept_", "alpha_"):
        assert_allclose(getattr(permuted, name)[order], getattr(model, name), atol=1e-8)
    assert_allclose(permuted.predict_proba(task.X)[:, order], model.predict_proba(task.X))


@selections
def test_exchanged_classes_exchange_signs(selection, problem):
    task = problem("binary", n_sources=2)
    model = task.Estimator(task.source, selection=selection, cv=halves(12)).fit(task.X, task.y)
    other = clone(model).set_params(source=[(-w, -b) for w, b in task.source])
    other.fit(task.X, 1 - task.y)
    assert_allclose(other.coef_, -model.coef_, atol=1e-10)
    assert_allclose(other.intercept_, -model.intercept_, atol=1e-10)
    assert_allclose(other.alpha_, model.alpha_, rtol=1e-8)


@pytest.mark.parametrize("labels", [["no", "yes"], [3, 7], [False, True], [-1.0, 1.0]])
def test_labels_of_any_kind(labels, problem):
    task = problem("binary")
    y = np.array(labels)[task.y]
    model = AlphaTransferClassifier(task.source).fit(task.X, y)
    plain = AlphaTransferClassifier(task.source).fit(task.X, task.y)
    assert_array_equal(model.coef_, plain.coef_)
    assert model.predict(task.X).dtype == y.dtype
    assert_array_equal(model.predict(task.X), np.array(labels)[plain.predict(task.X)])


@pytest.mark.parametrize("kind", ["binary", "classes"])
@selections
def test_predictions_agree(kind, selection, problem):
    task = problem(kind, n=20)
    model = task.Estimator(task.source, selection=selection, cv=2).fit(task.X, task.y)
    X = np.random.default_rng(0).normal(size=(200, task.X.shape[1]))
    values, P = model.decision_function(X), model.predict_proba(X)
    assert_allclose(P.sum(axis=1), 1)
    assert_array_equal(model.predict(X), model.classes_[P.argmax(axis=1)])
    if kind == "binary":
        assert_array_equal(model.predict(X), model.classes_[(values > 0).astype(int)])
        assert_allclose(P[:, 1], expit(model.inverse_temperature_ * values))
    else:
        assert_array_equal(model.predict(X), model.classes_[values.argmax(axis=1)])
        assert_allclose(P, softmax(model.inverse_temperature_ * values, axis=1))
    assert_allclose(model.predict_log_proba(X), np.log(P))
    assert len(np.unique(model.predict(X))) > 1


def test_log_probabilities_of_far_rows_are_finite(problem):
    task = problem("binary")
    model = AlphaTransferClassifier(task.source).fit(task.X, task.y)
    far = 1e6 * np.vstack([task.X, -task.X])
    assert np.isfinite(model.predict_log_proba(far)).all()


@pytest.mark.parametrize("kind", ["binary", "classes"])
@pytest.mark.parametrize("weighted", [False, True])
def test_inverse_temperature_is_the_best(kind, weighted, problem):
    task = problem(kind, n=40, p=3)
    task.X[np.arange(40), task.y] += 1.5
    weights = task.counts if weighted else np.ones(40, dtype=int)
    model = task.Estimator(store_loo=True).fit(task.X, task.y, sample_weight=weights)
    f = model.loo_decision_function_
    F = np.repeat(np.column_stack([0 * f, f]) if kind == "binary" else f, weights, axis=0)
    y = np.repeat(task.y, weights)
    n_classes, counts = F.shape[1], np.bincount(y)[y][:, None]
    targets = (np.eye(n_classes)[y] * counts + 1) / (counts + n_classes)

    def loss(beta):
        return -np.sum(targets * log_softmax(beta * F, axis=1))

    best = minimize_scalar(loss, bounds=(0.1, 100), method="bounded", options={"xatol": 1e-9})
    assert 0.2 < best.x < 50
    assert_allclose(model.inverse_temperature_, best.x, rtol=1e-5)


@kinds
@selections
def test_left_out_values_of_all_rows_are_left_where_asked_for_and_change_nothing(
    kind, selection, problem, sample, estimate
):
    task = problem(kind, n=24)
    options = {"selection": selection, "cv": halves(24)}
    model = task.Estimator(task.source, **options).fit(task.X, task.y)
    full = task.Estimator(task.source, store_loo=True, **options).fit(task.X, task.y)
    assert not hasattr(model, "loo_decision_function_")
    assert full.loo_decision_function_.shape[0] == 24
    assert_allclose(full.coef_, model.coef_, rtol=1e-10)
    assert_allclose(full.intercept_, model.intercept_, rtol=1e-10)
    if hasattr(model, "predict_proba"):
        assert_allclose(full.inverse_temperature_, model.inverse_temperature_, rtol=1e-10)
        values = full.loo_decision_function_.reshape(24, -1)[sample(24)]
        if selection in ("evidence", "blend"):
            values = estimate(full, task)[sample(24)]
        if selection == "blend":
            other = clone(full).set_params(selection="generative").fit(task.X, task.y)
            other = other.loo_decision_function_.reshape(24, -1)[sample(24)] - task.common
            t, kappa = full.path_.share, np.linalg.norm(values) / np.linalg.norm(other)
            values = (1 - t) * values + t * kappa * other
        n_classes = len(model.classes_)
        targets = smoothed_targets(task.y[sample(24)], np.ones(10), n_classes)
        beta, *_ = inverse_temperature(values[None], targets, np.ones(10))
        assert_allclose(model.inverse_temperature_, beta[0], rtol=1e-10)
    assert not hasattr(
        full.set_params(store_loo=False).fit(task.X, task.y), "loo_decision_function_"
    )


@pytest.mark.parametrize("kind", ["binary", "classes"])
def test_of_a_given_alpha_too_a_sample_has_the_temperature(kind, problem, sample, estimate):
    task = problem(kind, n=24)
    model = task.Estimator(task.source, alpha=0.7).fit(task.X, task.y)
    values, n_classes = estimate(model, task)[sample(24)], len(model.classes_)
    targets = smoothed_targets(task.y[sample(24)], np.ones(10), n_classes)
    beta, *_ = inverse_temperature(values[None], targets, np.ones(10))
    assert_allclose(model.inverse_temperature_, beta[0], rtol=1e-10)


@pytest.mark.parametrize("noise", [0.3, 1.0, 5.0])
@pytest.mark.parametrize("p", [20, 200])
@pytest.mark.parametrize("n_outputs", [1, 4])
def test_the_quadrature_of_a_sample_moves_the_temperature_by_less_than_its_error(
    p, noise, n_outputs
):
    """Against the average over all γ's of the same rows; the error is that of the likelihood."""
    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(1200, p)), rng.normal(size=(n_outputs, p)) / np.sqrt(p)
    scores = X @ w.T + noise * rng.normal(size=(1200, n_outputs))
    y = (scores[:, 0] > 0).astype(int) if n_outputs == 1 else scores.argmax(axis=1)
    source = w + rng.normal(size=w.shape) / np.sqrt(p)
    model = AlphaTransferClassifier(source, selection="evidence", store_loo=True).fit(X, y)
    assert len(model.path_.gammas) == 28
    sample = np.sort(np.random.default_rng(0).choice(1200, SAMPLE, replace=False))
    values = model.loo_decision_function_.reshape(1200, -1)[sample]
    targets = smoothed_targets(y[sample], np.ones(SAMPLE), len(model.classes_))
    (beta,), *_ = inverse_temperature(values[None], targets, np.ones(SAMPLE))
    F = np.column_stack([-values / 2, values / 2]) if n_outputs == 1 else values
    P = softmax(beta * F, axis=1)
    information = ((P * F**2).sum(axis=1) - (P * F).sum(axis=1) ** 2).sum()
    assert abs(model.inverse_temperature_ - beta) < 0.1 / np.sqrt(information)


def test_probabilities_are_calibrated_on_new_rows():
    """Mean squared distance of P from the truth's own, below a tenth of that of the prior."""
    rng = np.random.default_rng(0)
    mu, n = np.full(20, 0.3), 2000
    X, y = rng.normal(size=(60, 20)), np.arange(60) % 2
    X += np.where(y, 1, -1)[:, None] * mu
    new = rng.normal(size=(n, 20)) + np.where(np.arange(n) % 2, 1, -1)[:, None] * mu
    P = AlphaTransferClassifier(mu + rng.normal(size=20) / 10).fit(X, y).predict_proba(new)
    truth = expit(2 * new @ mu)
    assert np.mean((P[:, 1] - truth) ** 2) < 0.1 * np.mean((0.5 - truth) ** 2)


# ---------------------------------------------------------------- outputs


@selections
def test_a_column_of_targets_is_the_target(selection, problem):
    task = problem("target")
    model = task.Estimator(task.source, selection=selection, cv=2, store_loo=True)
    model.fit(task.X, task.y)
    column = clone(model).fit(task.X, task.y[:, None])
    assert model.coef_.shape == (7,)
    assert np.ndim(model.intercept_) == 0
    assert model.predict(task.X).shape == (12,)
    assert model.loo_decision_function_.shape == (12,)
    assert column.coef_.shape == (1, 7)
    assert column.predict(task.X).shape == (12, 1)
    assert_array_equal(column.predict(task.X)[:, 0], model.predict(task.X))


def test_targets_at_one_gamma_are_fitted_one_by_one(problem):
    task = problem("targets")
    model = task.Estimator(task.source, gamma=0.3).fit(task.X, task.y)
    for j in range(2):
        source = (task.W[j, 0], task.b[j, 0])
        single = task.Estimator(source, gamma=0.3).fit(task.X, task.y[:, j])
        assert_allclose(model.coef_[j], single.coef_, atol=1e-12)
        assert_allclose(model.intercept_[j], single.intercept_, atol=1e-12)
        assert_allclose(model.alpha_[j], single.alpha_[0], rtol=1e-10)


@kinds
@selections
def test_coefficients_are_the_rescaled_source_and_the_adapter(kind, selection, problem):
    task = problem(kind, n_sources=2)
    model = task.Estimator(task.source, selection=selection, cv=halves(12)).fit(task.X, task.y)
    assert_allclose(model.source_coef_, task.W)
    assert_allclose(model.source_intercept_, task.b)
    values = task.X @ np.atleast_2d(model.coef_).T + model.intercept_
    assert_allclose(decisions(model, task.X), np.squeeze(values), atol=1e-12)
    if selection in ("loo", "theory", "cv"):
        held = clone(model).set_params(alpha=model.alpha_, gamma=model.gamma_)
        assert_same_model(held.fit(task.X, task.y), model, task.X)


# ---------------------------------------------------------------- the path over α


@kinds
@pytest.mark.parametrize("selection", ["blend", "evidence", "loo"])
@pytest.mark.parametrize("n_sources", [1, 2])
def test_alpha_path_is_refits_at_the_fitted_gamma(kind, selection, n_sources, problem):
    task = problem(kind, n=20, n_sources=n_sources)
    new = problem(kind, n=50, n_sources=n_sources, seed=1)
    model = task.Estimator(task.source, selection=selection).fit(task.X, task.y)
    alphas = [-1.0, 0.0, 0.3, 1.0]
    path = model.alpha_path(new.X, new.y, alphas=alphas, sample_weight=new.counts)
    assert path.gamma == model.gamma_
    for alpha, score in zip(alphas, path.scores, strict=True):
        held = clone(model).set_params(alpha=alpha, gamma=model.gamma_).fit(task.X, task.y)
        assert_allclose(score, held.score(new.X, new.y, sample_weight=new.counts), rtol=1e-9)


def test_alpha_path_of_two_classes_is_accuracy_for_accuracy(problem):
    """Where rows do not move, labels were never seen, and weights vary."""
    task = problem("binary", n=30)
    model = task.Estimator((task.W[0, 0], 0.0), fit_intercept=False).fit(task.X, task.y)
    X, y = np.vstack([task.X, np.zeros((2, 7))]), np.r_[task.y, 0, 1]
    y[3] = 5
    weights, alphas = np.r_[task.counts, 2.0, 0.0], np.linspace(-3, 3, 101)
    f0, f1 = (np.column_stack([X, np.ones(32)]) @ w.T for w in (model._w0[0], model._w1[0, 0]))
    assert (f1[-2:] == 0).all()
    expected = [
        accuracy_score(y, model.classes_[(f0 + alpha * f1 > 0).astype(int)], sample_weight=weights)
        for alpha in alphas
    ]
    path = model.alpha_path(X, y, alphas=alphas, sample_weight=weights)
    assert_allclose(path.scores, expected, rtol=1e-12)


def test_alpha_path_over_vectors(problem):
    task = problem("target", n=20, n_sources=2)
    model = task.Estimator(task.source).fit(task.X, task.y)
    alphas = np.array([[0.0, 1.0], [1.0, -1.0]])
    for alpha, score in zip(alphas, model.alpha_path(task.X, task.y, alphas=alphas).scores):
        held = clone(model).set_params(alpha=alpha, gamma=model.gamma_).fit(task.X, task.y)
        assert_allclose(score, held.score(task.X, task.y))
    with pytest.raises(ValueError, match=r"pass \(n_alphas,\) or \(n_alphas, 2\)"):
        model.alpha_path(task.X, task.y, alphas=np.ones((2, 3)))


def test_alpha_path_of_the_generative_rule_keeps_its_adapter(problem):
    task = problem("target", n=20)
    model = task.Estimator(task.source, selection="generative").fit(task.X, task.y)
    path = model.alpha_path(task.X, task.y, alphas=model.alpha_[0])
    assert_allclose(path.scores, [model.score(task.X, task.y)])


def test_alpha_path_by_default(problem):
    task = problem("binary", n=20)
    model = task.Estimator(task.source).fit(task.X, task.y)
    path = model.alpha_path(sparse.csr_matrix(task.X), task.y)
    assert_allclose(path.alphas[[0, -1]], np.abs(model.alpha_[0, 0]) * np.array([-1, 3]))
    assert path.scores.shape == (81,)
    with pytest.raises(ValueError, match="needs a source"):
        task.Estimator().fit(task.X, task.y).alpha_path(task.X, task.y)
    with pytest.raises(NotFittedError):
        task.Estimator(task.source).alpha_path(task.X, task.y)


# ---------------------------------------------------------------- scikit-learn's habits


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_feature_names(frame, problem):
    task = problem("binary", p=3)
    table = frame(dict(zip("abc", task.X.T, strict=True)))
    source = FrozenEstimator(LogisticRegression().fit(table, task.y))
    model = AlphaTransferClassifier(source).fit(table, task.y)
    assert_array_equal(model.feature_names_in_, ["a", "b", "c"])
    assert_array_equal(
        model.predict(table), AlphaTransferClassifier(source).fit(task.X, task.y).predict(task.X)
    )
    with pytest.raises(ValueError, match="feature names"):
        model.predict(table[["b", "a", "c"]])


def test_pipeline_with_set_output(problem):
    task = problem("classes", n=20)
    X = pd.DataFrame(task.X).add_prefix("x")
    scaler = StandardScaler().set_output(transform="pandas").fit(X)
    source = FrozenEstimator(LogisticRegression().fit(scaler.transform(X), task.y))
    pipeline = make_pipeline(StandardScaler(), AlphaTransferClassifier(source))
    pipeline.set_output(transform="pandas").fit(X, task.y)
    assert_array_equal(pipeline[-1].feature_names_in_, X.columns)
    expected = AlphaTransferClassifier(source).fit(scaler.transform(X), task.y)
    assert_allclose(pipeline.predict_proba(X), expected.predict_proba(scaler.transform(X)))


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.7"),
    reason="scikit-learn 1.6 asks Pipeline.score for a request that it cannot be given",
)
def test_sample_weight_is_routed(problem):
    task = problem("binary", n=24)
    with sklearn.config_context(enable_metadata_routing=True):
        model = AlphaTransferClassifier(task.source).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
        search = GridSearchCV(
            pipeline, {"alphatransferclassifier__alpha": [0.0, 1.0]}, cv=3, error_score="raise"
        )
        search.fit(task.X, task.y, sample_weight=task.counts)
        plain = clone(search).fit(task.X, task.y)
    X = StandardScaler().fit_transform(task.X)
    direct = AlphaTransferClassifier(task.source, alpha=search.best_estimator_[-1].alpha)
    direct.fit(X, task.y, sample_weight=task.counts)
    assert_allclose(search.best_estimator_[-1].coef_, direct.coef_)
    assert np.abs(plain.best_estimator_[-1].coef_ - direct.coef_).max() > 1e-3


@pytest.mark.parametrize("Estimator", [AlphaTransferClassifier, AlphaTransferRegressor])
def test_html_repr_links_to_the_documentation(Estimator):
    html = Estimator(np.ones(3))._repr_html_()
    name = f"sklearn_alpha.linear_model.{Estimator.__name__}.html"
    assert f"https://sklearn-alpha.readthedocs.io/en/stable/generated/{name}" in html


def test_text_pipeline():
    good, bad = ["good fine nice", "fine good", "nice read"], ["poor dull", "dull bad poor", "bad"]
    texts, y = (good + bad) * 3, ["+"] * 3 + ["-"] * 3
    y = y * 3
    tfidf = TfidfVectorizer().fit(texts)
    source = FrozenEstimator(LogisticRegression().fit(tfidf.transform(texts), y))
    model = make_pipeline(FrozenEstimator(tfidf), AlphaTransferClassifier(source)).fit(texts, y)
    assert_array_equal(model.predict(["fine good read", "poor bad"]), ["+", "-"])
    dense = AlphaTransferClassifier(source).fit(tfidf.transform(texts).toarray(), y)
    assert_allclose(model[-1].coef_, dense.coef_, atol=1e-10)


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        {"X": np.full((12, 7), np.nan)},
        {"X": np.ones((12, 3))},
        {"y": np.zeros(12)},
        {"y": np.full(12, np.nan)},
        {"y": np.zeros(5)},
        {"sample_weight": -np.ones(12)},
        {"source": np.ones(3)},
        {"source": LogisticRegression()},
        {"alpha": [1.0, 2.0, 3.0]},
        {"alpha": np.nan},
        {"gamma": -1.0},
        {"gamma": np.nan},
        {"gammas": [1.0, -1.0], "selection": "loo"},
        {"alphas": [np.inf], "selection": "loo"},
        {"selection": "best"},
        {"scoring": "best", "selection": "cv"},
        {"cv": 1000, "selection": "cv"},
        {"intercept_scaling": 0.0},
        {"intercept_scaling": np.nan},
        {"solver": "svd"},
        {"class_weight": {"a": 1}},
    ],
    ids=lambda change: ",".join(change),
)
def test_an_error_leaves_the_estimator_as_it_was(fitted, change, problem):
    task = problem("binary")
    data = {"X": task.X, "y": task.y, "sample_weight": None}
    model = AlphaTransferClassifier(task.source)
    if fitted:
        model.fit(task.X, task.y)
    parameters = {name: value for name, value in change.items() if name not in data}
    model.set_params(**parameters)
    before = dict(model.__dict__)
    with pytest.raises(ValueError):
        model.fit(**{**data, **{name: change[name] for name in data if name in change}})
    assert model.__dict__.keys() == before.keys()
    assert all(model.__dict__[name] is before[name] for name in before)
    if fitted:
        assert_array_equal(model.set_params(source=task.source).predict(task.X).shape, (12,))


@kinds
@selections
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_inputs_are_not_modified(kind, selection, container, problem):
    task = problem(kind)
    X, y, weights = container(task.X.copy()), task.y.copy(), task.counts.astype(float)
    W, b = task.W[:, 0].copy(), task.b[:, 0].copy()
    kept = [array.copy() for array in (X, y, weights, W, b)]
    for array in (X if isinstance(X, np.ndarray) else X.data, y, weights, W, b):
        array.flags.writeable = False
    model = task.Estimator((W, b), selection=selection, cv=halves(12))
    decisions(model.fit(X, y, sample_weight=weights), X)
    for before, after in zip(kept, (X, y, weights, W, b), strict=True):
        assert abs(after - before).max() == 0
    assert not np.shares_memory(model.source_coef_, W)


@kinds
@pytest.mark.parametrize("dtype", [np.int64, bool])
def test_other_dtypes(kind, dtype, problem):
    task = problem(kind)
    X = (10 * task.X).astype(dtype)
    model = task.Estimator(task.source).fit(X, task.y)
    double = task.Estimator(task.source).fit(X.astype(np.float64), task.y)
    assert_array_equal(model.coef_, double.coef_)
    assert model.coef_.dtype == np.float64


@kinds
@selections
def test_single_precision_is_read_in_double_and_comes_back_single(kind, selection, problem):
    task = problem(kind, n_sources=2)
    X = task.X.astype(np.float32)
    model = task.Estimator(task.source, selection=selection, cv=halves(12), store_loo=True)
    double = clone(model).fit(X.astype(np.float64), task.y)
    model.fit(X, task.y)
    for name in ("coef_", "intercept_", "alpha_", "source_coef_", "loo_decision_function_"):
        assert getattr(model, name).dtype == np.float32, name
        assert_allclose(getattr(model, name), getattr(double, name), rtol=1e-6, atol=1e-6)
    assert decisions(model, X).dtype == np.float32
    assert_allclose(decisions(model, X), decisions(double, X), rtol=1e-5, atol=1e-5)


@kinds
@selections
def test_fitting_again_is_fitting_once(kind, selection, problem):
    task, other = problem(kind), problem(kind, n=15, p=4)
    model = task.Estimator(task.source, selection=selection, cv=2).fit(task.X, task.y)
    again = clone(model).set_params(source=other.source).fit(other.X, other.y)
    again.set_params(source=task.source).fit(task.X, task.y)
    assert_array_equal(again.coef_, model.coef_)
    assert again.__dict__.keys() == model.__dict__.keys()


# ---------------------------------------------------------------- small and degenerate data


def assert_usable(model, X):
    for name in ("coef_", "intercept_", "alpha_", "source_coef_", "loo_decision_function_"):
        assert np.isfinite(getattr(model, name)).all(), name
    assert not np.isnan(model.gamma_)
    assert np.isfinite(decisions(model, X)).all()
    if hasattr(model, "predict_proba"):
        P = model.predict_proba(X)
        assert_allclose(P.sum(axis=1), 1)
        assert model.inverse_temperature_ > 0


def set_to(rows, columns, value):
    def change(task):
        task.X[rows, columns] = value

    return change


def duplicate_rows(task):
    task.X[1:] = task.X[0]


def one_of_a_class(task):
    last = task.y.max()
    task.y = np.r_[np.arange(last), np.full(12 - last, last)]


def constant_target(value):
    def change(task):
        task.y = np.full_like(task.y, value)

    return change


def nothing(task):
    pass


everything = slice(None)
CASES = {
    "two rows": (KINDS, {"n": 2}, nothing),
    "one feature": (KINDS, {"p": 1}, nothing),
    "constant columns": (KINDS, {}, set_to(everything, slice(None, None, 2), 5.0)),
    "all constant": (KINDS, {}, set_to(everything, everything, 5.0)),
    "all zero": (KINDS, {}, set_to(everything, everything, 0.0)),
    "duplicated rows": (KINDS, {}, duplicate_rows),
    "one of a class": (("binary", "classes"), {}, one_of_a_class),
    "constant y": (("target", "targets"), {}, constant_target(3.0)),
    "zero y": (("target", "targets"), {}, constant_target(0.0)),
}


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name, (kinds, *_) in CASES.items() for kind in kinds]
)
@selections
@pytest.mark.parametrize("height", [0.0, "auto", np.inf])
@pytest.mark.parametrize("n_sources", [0, 2])
def test_degenerate_data(name, kind, selection, height, n_sources, problem):
    _, shape, change = CASES[name]
    if name == "two rows" and kind == "classes":
        shape = {"n": 3}
    task = problem(kind, n_sources=n_sources, **shape)
    change(task)
    rows = np.arange(len(task.X))
    parameters = {"intercept_scaling": height} if height else {"fit_intercept": False}
    parameters |= {"cv": [(rows, rows)], "store_loo": True}
    model = task.Estimator(task.source, selection=selection, **parameters)
    assert_usable(model.fit(task.X, task.y), task.X)


@kinds
@selections
@pytest.mark.parametrize("factor", [-1.0, -2.0, -1e-6, -1 + 1e-12])
def test_opposed_sources(kind, selection, factor, problem):
    task = problem(kind)
    w, b = task.source[0]
    source = [(w, b), (factor * w, factor * b)]
    model = task.Estimator(source, selection=selection, cv=halves(12), store_loo=True)
    model.fit(task.X, task.y)
    assert_usable(model, task.X)
    assert np.abs(decisions(model, task.X)).max() < 10 * np.abs(task.Y).max()


@kinds
@selections
def test_collinear_sources(kind, selection, problem):
    task = problem(kind, n_sources=2)
    (w, b), (v, c) = task.source
    source = [(w, b), (v, c), (w + v, b + c), (w - 2 * v, b - 2 * c)]
    model = task.Estimator(source, selection=selection, cv=halves(12), store_loo=True)
    model.fit(task.X, task.y)
    assert_usable(model, task.X)
    assert np.abs(decisions(model, task.X)).max() < 10 * np.abs(task.Y).max()


@selections
@heights
def test_one_sample(selection, parameters, problem):
    task = problem("target", n=1)
    model = task.Estimator(task.source, selection=selection, store_loo=True, **parameters)
    if selection == "cv":
        with pytest.raises(ValueError, match=r"n_splits|fold"):
            model.fit(task.X, task.y)
    else:
        assert_usable(model.fit(task.X, task.y), task.X)
    with pytest.raises(ValueError, match="at least 2 classes"):
        AlphaTransferClassifier().fit(task.X, [1])


@selections
@pytest.mark.parametrize("constant", [0.0, 3.0])
def test_a_constant_target_is_predicted(selection, constant, problem):
    task = problem("target", n_sources=0)
    model = AlphaTransferRegressor(selection=selection, cv=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(task.X, np.full(12, constant))
    assert_allclose(model.predict(task.X + 1), constant, atol=1e-10)
