"""What fitted estimators say of rows: classes, probabilities, coefficients, scores along α."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score

from sklearn_alpha import AlphaTransferClassifier
from sklearn_alpha.linear_model._calibration import inverse_temperature, smoothed_targets
from sklearn_alpha.linear_model._data.sample import SIZE, row_keys
from tests.linear_model.helpers import (
    assert_same_model,
    decisions,
    halves,
    kinds,
    selected,
    selections,
    temperature,
)

# ---------------------------------------------------------------- classes and probabilities


@selections
def test_permuted_classes_permute_rows(selection, problem):
    task = problem("classes", n_sources=2)
    order = np.array([2, 0, 1])  # class c is now called order[c]
    model = task.Estimator(task.source, **selected(selection, halves(12))).fit(task.X, task.y)
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
    model = task.Estimator(task.source, **selected(selection, halves(12))).fit(task.X, task.y)
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
    model = task.Estimator(task.source, **selected(selection, 2)).fit(task.X, task.y)
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
    model = task.Estimator(selection="evidence", store_loo=True)
    model.fit(task.X, task.y, sample_weight=weights)
    values = model.loo_decision_function_.reshape(40, -1) - task.common
    values, y = np.repeat(values, weights, axis=0), np.repeat(task.y, weights)
    beta = temperature(values, y, np.ones(len(y)))
    assert 0.2 < beta < 50
    assert_allclose(model.inverse_temperature_, beta, rtol=1e-6)


@kinds
@selections
def test_left_out_values_of_all_rows_are_left_where_asked_for_and_change_nothing(
    kind, selection, problem, sample, estimate
):
    task = problem(kind, n=24)
    options = selected(selection, halves(24))
    model = task.Estimator(task.source, **options).fit(task.X, task.y)
    full = task.Estimator(task.source, store_loo=True, **options).fit(task.X, task.y)
    assert not hasattr(model, "loo_decision_function_")
    assert full.loo_decision_function_.shape[0] == 24
    assert_allclose(full.coef_, model.coef_, rtol=1e-10)
    assert_allclose(full.intercept_, model.intercept_, rtol=1e-10)
    if hasattr(model, "predict_proba"):
        assert_allclose(full.inverse_temperature_, model.inverse_temperature_, rtol=1e-10)
    if hasattr(model, "predict_proba") and selection != "anchored":  # it has a prior of its own
        values = full.loo_decision_function_.reshape(24, -1)[sample(task.X)]
        if selection in ("evidence", "blend"):
            values = estimate(full, task)[sample(task.X)]
        if selection == "blend":
            other = clone(full).set_params(selection="generative").fit(task.X, task.y)
            other = other.loo_decision_function_.reshape(24, -1)[sample(task.X)] - task.common
            t, kappa = full.path_.share, np.linalg.norm(values) / np.linalg.norm(other)
            values = (1 - t) * values + t * kappa * other
        if selection == "blend":  # that of the losses which weigh its parts
            targets = smoothed_targets(task.y[sample(task.X)], np.ones(10), len(model.classes_))
            (beta,), *_ = inverse_temperature(values[None], targets, np.ones(10))
        else:
            values = values - (0 if selection == "evidence" else task.common)
            beta = temperature(values, task.y[sample(task.X)], np.ones(10))
        assert_allclose(model.inverse_temperature_, beta, rtol=1e-6)
    assert not hasattr(
        full.set_params(store_loo=False).fit(task.X, task.y), "loo_decision_function_"
    )


@pytest.mark.parametrize("kind", ["binary", "classes"])
def test_of_a_given_alpha_too_a_sample_has_the_temperature(kind, problem, sample, estimate):
    task = problem(kind, n=24)
    model = task.Estimator(task.source, alpha=0.7).fit(task.X, task.y)
    beta = temperature(estimate(model, task)[sample(task.X)], task.y[sample(task.X)], np.ones(10))
    assert_allclose(model.inverse_temperature_, beta, rtol=1e-6)


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
    sample = np.argsort(row_keys(X))[:SIZE]
    values = model.loo_decision_function_.reshape(1200, -1)[sample]
    values = values - (0 if n_outputs == 1 else 2 / n_outputs - 1)
    beta = temperature(values, y[sample], np.ones(SIZE))
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
    model = task.Estimator(task.source, **selected(selection, 2), store_loo=True)
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
    model = task.Estimator(task.source, **selected(selection, halves(12))).fit(task.X, task.y)
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
