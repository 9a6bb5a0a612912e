"""The alternatives to α-transfer are what their formulas say, and see no scored label."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import brier_score_loss, log_loss

from benchmarks.__main__ import main
from benchmarks._data import external as external_data
from benchmarks._data.external import Collection, Problem, draw
from benchmarks.linear import _offset_logistic, external
from benchmarks.linear._alternatives import CLASSIFIERS, OURS, REGRESSORS, aligned
from benchmarks.linear._offset_logistic import class_logits, span_of_rows


def make_problem(n_classes=3, form=np.asarray, seed=0):
    """Rows around class means that differ between the domains."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(n_classes, 30))
    labels, codes = rng.integers(n_classes, size=(2, 120))
    X_source = form(means[labels] + rng.normal(size=(120, 30)))
    X = form(means[codes] + 0.5 * rng.normal(size=30) + rng.normal(size=(120, 30)))
    names = np.array([2, 5, 7])
    source = LogisticRegression(C=0.1).fit(X_source, names[labels])
    return Problem(source, X_source, names[labels], X, names[codes])


def make_regression():
    rng = np.random.default_rng(0)
    coef = rng.normal(size=8)
    X_source, X = rng.normal(size=(2, 100, 8))
    y_source, y = X_source @ coef + rng.normal(size=100), 0.7 * X @ coef + rng.normal(size=100)
    return Problem(Ridge(1).fit(X_source, y_source), X_source, y_source, X, y)


KINDS = {
    "classes": (make_problem, CLASSIFIERS),
    "two classes": (lambda: make_problem(2), CLASSIFIERS),
    "sparse": (lambda: make_problem(form=sparse.csr_array), CLASSIFIERS),
    "numbers": (make_regression, REGRESSORS),
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_label_of_a_scored_row_is_used(kind):
    make, methods = KINDS[kind]
    problem = make()
    own, scored = np.arange(20), np.arange(20, len(problem.y))
    other = problem.y.copy()
    other[scored] = np.random.default_rng(1).permutation(other[scored])
    for name, run in methods.items():
        found = run(problem, own, scored, 0)
        np.testing.assert_array_equal(found, run(problem._replace(y=other), own, scored, 0), name)
        if found.ndim == 2:
            np.testing.assert_allclose(found.sum(axis=1), 1)


def test_fit_in_the_span_of_the_rows_is_the_fit_of_all_features():
    problem = make_problem()
    own = np.arange(15)
    Z = span_of_rows(problem.X, own)
    assert Z.shape[1] == 16  # less than the 30 features, and a one
    options = {"C": 0.3, "fit_intercept": False, "tol": 1e-10, "max_iter": 10_000}
    labels = np.searchsorted(problem.source.classes_, problem.y[own])
    B = _offset_logistic.fit(Z[own], labels, np.zeros((15, 3)), C=0.3)
    X = np.column_stack([problem.X, np.ones(120)])
    expected = LogisticRegression(**options).fit(X[own], labels)
    np.testing.assert_allclose(Z @ B, X @ expected.coef_.T, atol=1e-3)


def test_an_offset_is_taken_into_account():
    problem = make_problem()
    own = np.arange(15)
    Z, S = span_of_rows(problem.X, own), class_logits(problem.source, problem.X)
    labels = np.searchsorted(problem.source.classes_, problem.y[own])
    B = _offset_logistic.fit(Z[own], labels, S[own], C=0.3)
    P = np.exp(S[own] + Z[own] @ B)
    gradient = 0.3 * Z[own].T @ (P / P.sum(axis=1, keepdims=True) - np.eye(3)[labels]) + B
    np.testing.assert_allclose(gradient, 0, atol=1e-3)


def test_unknown_classes_have_probability_0():
    problem = make_problem()
    part = problem.y != 5
    P = aligned(LogisticRegression().fit(problem.X[part], problem.y[part]), problem.X, problem)
    assert (P[:, 1] == 0).all()
    np.testing.assert_allclose(P.sum(axis=1), 1)


def test_scores_are_scikit_learns():
    rng = np.random.default_rng(0)
    P, labels = rng.dirichlet(np.ones(3), size=200), rng.integers(3, size=200)
    found = external.score_probabilities(P, labels)
    np.testing.assert_allclose(found["log_loss"], log_loss(labels, P))
    brier = sum(brier_score_loss(labels == k, P[:, k]) for k in range(3))
    np.testing.assert_allclose(found["brier"], brier)
    calibrated = rng.dirichlet(np.ones(3), size=200_000)
    labels = (calibrated.cumsum(axis=1) < rng.random((len(calibrated), 1))).sum(axis=1)
    assert external.score_probabilities(calibrated, labels)["ece"] < 0.01


def test_draws_by_class_and_by_row():
    problem = make_problem()._replace(groups=np.arange(120) // 2)
    for unit, n, size in (("rows", 20, 20), ("a class", 4, 12)):
        own, scored = draw(Collection(None, None, (), unit), problem, n, seed=0)
        assert len(own) == len(set(own)) == size
        assert not {*problem.groups[own]} & {*problem.groups[scored]}
    assert np.bincount(problem.y[own])[[2, 5, 7]].tolist() == [4, 4, 4]


def test_default_that_is_worse_has_lost():
    rows = [
        {"collection": "School", "n": 5, "task": task, "method": method, "mse": mse, "seconds": 0}
        for task in "abc"
        for method, mse in (("source alone", 3.0), ("better", 1.0), ("worse", 4.0), (OURS, 2.0))
    ]
    table = external.tables(external.summarise(pd.DataFrame(rows)))["School, 5 rows"]
    assert table["default against it"].tolist() == [
        "won, -1.0 [-1.0, -1.0]",
        "lost, +1.0 [+1.0, +1.0]",
        "won, -2.0 [-2.0, -2.0]",
        "",
    ]
    assert table["mean squared error"].tolist()[1] == "1.0 (-2.0 [-2.0, -2.0])"


@pytest.mark.usefixtures("clean_cache")
def test_command(tmp_path, monkeypatch, capsys):
    numbers = Collection(lambda: ["a", "b"], lambda task: make_regression(), (5, 20), "rows", True)
    classes = Collection(lambda: ["c", "d"], lambda task: make_problem(), (2,), "a class")
    collections = {"School": numbers, "Office-Caltech": classes}
    for module in (external, external_data):
        monkeypatch.setattr(module, "COLLECTIONS", collections)
    main(["external", "--draws", "2", "--collections", *collections, "--out", str(tmp_path)])
    out = capsys.readouterr().out
    for text in ("School, 20 rows", "Office-Caltech, 2 a class", "WiSE-FT, ½", "won", "Brier"):
        assert text in out
    assert (tmp_path / "external" / "figure.png").stat().st_size > 10_000
