"""The source's log odds: α by direct summation, the pool by a search of SciPy."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from sklearn_alpha.linear_model._problem import Problem
from sklearn_alpha.linear_model._source_odds import (
    GRID,
    KNOWN,
    UNKNOWN,
    SourceOdds,
    pool,
)

# sources of any size, and those of the wrong sign, are said to be odd
# sources of random signs and of any size
pytestmark = pytest.mark.filterwarnings(
    "ignore:The log odds of the source", "ignore:The labels contradict the source"
)
n_classes = pytest.mark.parametrize("n_classes", [2, 3, 5])
scales = pytest.mark.parametrize("known", [False, True], ids=["array", "probabilities"])


def make_task(
    n_classes, n_sources, known, n=30, p=4, seed=0, noise=1.0, size=1.0, has_intercept=True
):
    """A problem of classes whose log odds are those of the sources, up to noise."""
    rng = np.random.default_rng([seed, n_classes, n_sources])
    n_outputs = 1 if n_classes == 2 else n_classes
    X = rng.normal(size=(n, p)) + 0.3
    truth = rng.normal(size=(n_outputs, 1, p))
    W = size * (truth + noise * rng.normal(size=(n_outputs, n_sources, p)))
    b = size * rng.normal(size=(n_outputs, n_sources))
    if n_outputs > 1:
        W, b = W - W.mean(axis=0), b - b.mean(axis=0)
    logits = X @ truth[:, 0].T
    if n_outputs == 1:
        logits = np.column_stack([np.zeros(n), logits])
    labels = np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)
    labels[:n_classes] = np.arange(n_classes)
    weights = rng.integers(1, 4, size=n).astype(float)
    Y = np.eye(n_classes)[labels]
    Y = 2 * Y[:, 1:] - 1 if n_classes == 2 else 2 * Y - 2 / n_classes
    log_odds = rng.uniform(0.5, 2, size=n_sources) if known else np.full(n_sources, np.nan)
    has_intercept = np.full(n_sources, has_intercept)
    problem = Problem.of_data(
        X,
        weights,
        0.0,
        np.ones(n),
        Y=Y,
        W=W,
        b=b,
        balance=np.ones_like(Y),
        log_odds=log_odds,
        has_intercept=has_intercept,
    )
    S = np.einsum("ip,ckp->ick", X, W) + b
    return SimpleNamespace(problem=problem, S=S, labels=labels, weights=weights, log_odds=log_odds)


def log_loss(F, labels, weights):
    F = np.column_stack([np.zeros(len(F)), F[:, 0]]) if F.shape[1] == 1 else F
    return -weights @ log_softmax(F, axis=1)[np.arange(len(F)), labels]


def root_mean_square(S, weights):
    return np.sqrt(np.average((S**2).mean(axis=1), axis=0, weights=weights))


def test_priors_of_alpha():
    """Of each, .03 is on zero and .03 below it; the median is 1."""
    for prior in (KNOWN, UNKNOWN):
        assert_allclose([prior.sum(), prior[GRID == 0][0], prior[GRID < 0].sum()], [1, 0.03, 0.03])
        assert prior[np.abs(GRID) < 1].sum() < 0.5 < prior[np.abs(GRID) <= 1].sum()
    assert KNOWN[GRID == 1] > 0.6 > UNKNOWN[GRID == 1]
    assert_allclose(GRID, -GRID[::-1])


@n_classes
@scales
@pytest.mark.parametrize("noise", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_alpha_is_its_posterior_mean(n_classes, known, noise, sign):
    task = make_task(n_classes, 1, known, noise=noise, size=sign)
    odds = SourceOdds.of(task.problem)
    scale = task.log_odds[0] if known else 2 / root_mean_square(task.S, task.weights)[0]
    F = scale * task.S[:, :, 0]
    likelihood = [np.exp(-log_loss(alpha * F, task.labels, task.weights)) for alpha in GRID]
    P = (KNOWN if known else UNKNOWN) * likelihood
    P /= P.sum()
    assert_allclose(odds.path["alpha_grid"], GRID)
    assert_allclose(odds.path["alpha_posterior"], P, atol=1e-12)
    alpha = 0.0
    for own in (GRID > 0, GRID < 0):  # the geometric mean of each sign
        log_alpha = P[own] @ np.log(np.abs(GRID[own])) / P[own].sum()
        alpha += np.sign(GRID[own][0]) * P[own].sum() * np.exp(log_alpha)
    assert_allclose(odds.alpha, np.full((len(odds.alpha), 1), alpha * scale), rtol=1e-10)
    assert_allclose(odds.F, alpha * F, rtol=1e-10)
    P = softmax(odds.F, axis=1) if n_classes > 2 else 1 / (1 + np.exp(-odds.F))
    expected = 2 * P - (2 / n_classes if n_classes > 2 else 1)
    assert_allclose(odds.T, expected, atol=1e-14)
    assert_allclose(odds.code, (n_classes / 2) ** 0.5 if n_classes > 2 else 2)
    assert not odds.shift.any()
    np.testing.assert_array_equal(odds.labels, task.labels)


@n_classes
@scales
@pytest.mark.parametrize("n_sources", [2, 3])
def test_the_pool_is_the_penalised_maximum_of_the_likelihood(n_classes, known, n_sources):
    task = make_task(n_classes, n_sources, known)
    scale = task.log_odds if known else 2 / root_mean_square(task.S, task.weights)
    values = task.S * scale

    def loss(share):
        penalty = np.sum((n_sources * share - 1) ** 2) / 2
        return log_loss(values @ share, task.labels, task.weights) + penalty

    share = pool(values, task.labels, task.weights)
    best = minimize(loss, np.zeros(n_sources)).x
    assert_allclose(share, best, atol=1e-4)
    for step in 1e-3 * np.vstack([np.eye(n_sources), -np.eye(n_sources)]):
        assert loss(share) < loss(share + step)
    odds = SourceOdds.of(task.problem)
    ratio = odds.alpha[0] / (share * scale)
    assert_allclose(ratio, ratio[0], rtol=1e-8)


@n_classes
@scales
def test_sources_that_are_the_same_are_one(n_classes, known):
    task = make_task(n_classes, 1, known)
    one = SourceOdds.of(task.problem)
    W, b = (np.repeat(v, 3, axis=1) for v in (task.problem.W, task.problem.b))
    again = Problem.of_data(
        task.problem.rows.X,
        task.weights,
        0.0,
        np.ones(len(task.weights)),
        Y=task.problem.Y,
        W=W,
        b=b,
        balance=task.problem.balance,
        log_odds=np.repeat(task.log_odds, 3),
        has_intercept=np.full(3, True),
    )
    three = SourceOdds.of(again)
    assert_allclose(three.F, one.F, rtol=1e-10)
    assert_allclose(three.alpha, np.repeat(one.alpha, 3, axis=1) / 3, rtol=1e-10)


@n_classes
@pytest.mark.parametrize("size", [1e-90, 1e-3, 1e3, 1e6, 1e90])
def test_the_size_of_an_array_moves_nothing(n_classes, size):
    one, other = (
        SourceOdds.of(make_task(n_classes, 2, False, size=s).problem) for s in (1.0, size)
    )
    assert_allclose(other.F, one.F, rtol=1e-8)
    assert_allclose(other.alpha, one.alpha / size, rtol=1e-8)


@n_classes
@pytest.mark.parametrize("n_sources", [1, 2, 3])
@pytest.mark.parametrize("size", [1e-90, 1e-6, 1e3, 1e6])
def test_log_odds_of_any_size_are_finite(n_classes, n_sources, size):
    task = make_task(n_classes, n_sources, True, size=size)
    odds = SourceOdds.of(task.problem)
    assert np.isfinite(odds.F).all()
    assert np.isfinite(odds.alpha).all()
    assert log_loss(odds.F, task.labels, task.weights) <= len(odds.F) * 10


@n_classes
def test_a_source_without_values_is_none(n_classes):
    task = make_task(n_classes, 2, True)
    task.problem.W[:, 1], task.problem.b[:, 1] = 0, 0
    odds = SourceOdds.of(task.problem)
    assert_allclose(odds.alpha[:, 1], 0)
    none = SourceOdds.of(make_task(n_classes, 0, True).problem)
    assert not none.F.any()
    assert none.alpha.shape == (none.F.shape[1], 0)


@n_classes
@scales
def test_opposed_sources_are_reversed_and_useless_ones_ignored(n_classes, known):
    opposed = make_task(n_classes, 1, known, n=200, noise=0.1, size=-1)
    with pytest.warns(UserWarning, match="labels contradict the source"):
        assert SourceOdds.of(opposed.problem).alpha[0, 0] < -0.1
    # of features without correlation, what is orthogonal to the truth says nothing
    useless = make_task(n_classes, 1, known, n=4000, p=30, noise=0.0)
    truth = useless.problem.W[:, 0]
    W = np.random.default_rng(1).normal(size=truth.shape)
    W -= W @ np.linalg.pinv(truth) @ truth
    useless.problem.W[:, 0], useless.problem.b[:] = W, 0
    path = SourceOdds.of(useless.problem).path
    assert abs(path["alpha_posterior"] @ path["alpha_grid"]) < 0.1


@n_classes
@scales
@pytest.mark.parametrize("n_sources", [1, 2])
def test_an_unknown_intercept_centres_the_values(n_classes, known, n_sources):
    task = make_task(n_classes, n_sources, known, has_intercept=False)
    odds = SourceOdds.of(task.problem)
    assert_allclose(task.weights @ odds.F, 0, atol=1e-10)
    assert_allclose(np.einsum("ick,ck->ic", task.S, odds.alpha) + odds.shift, odds.F)
    # and is therefore of no account
    moved = make_task(n_classes, n_sources, known, has_intercept=False)
    moved.problem.b[:] += np.random.default_rng(1).normal(size=moved.problem.b.shape)
    assert_allclose(SourceOdds.of(moved.problem).F, odds.F)
    centred = make_task(n_classes, n_sources, known)
    centred.problem.b[:] -= np.einsum("i,ick->ck", task.weights, task.S) / task.weights.sum()
    assert_allclose(SourceOdds.of(centred.problem).F, odds.F)
