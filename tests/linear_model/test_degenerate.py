"""Small and degenerate data: a usable model, or an error."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from tests.linear_model.helpers import (
    KINDS,
    decisions,
    halves,
    heights,
    kinds,
    selected,
    selections,
)


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
    parameters |= {**selected(selection, [(rows, rows)]), "store_loo": True}
    model = task.Estimator(task.source, **parameters)
    assert_usable(model.fit(task.X, task.y), task.X)


DEPENDENT = {  # on sources (w, b) and (v, c), the multiples of each that stand beside them
    **{f"opposed {factor}": [(factor, 0)] for factor in (-1.0, -2.0, -1e-6, -1 + 1e-12)},
    "collinear": [(0, 1), (1, 1), (1, -2)],
}


@kinds
@selections
@pytest.mark.parametrize("others", DEPENDENT.values(), ids=DEPENDENT)
def test_dependent_sources(kind, selection, others, problem):
    task = problem(kind, n_sources=2)
    (w, b), (v, c) = task.source
    source = [(w, b), *((s * w + t * v, s * b + t * c) for s, t in others)]
    model = task.Estimator(source, **selected(selection, halves(12)), store_loo=True)
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
    model = AlphaTransferRegressor(**selected(selection, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(task.X, np.full(12, constant))
    assert_allclose(model.predict(task.X + 1), constant, atol=1e-10)
