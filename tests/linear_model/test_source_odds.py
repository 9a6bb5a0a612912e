"""The source's log odds: α by direct sums, the pool and the shift by searches of SciPy."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.special import expit, softmax

from sklearn_alpha.linear_model._problem import Problem
from sklearn_alpha.linear_model._source_odds import SourceOdds, label_shift, pool, prior_of_alpha
from tests.linear_model._rules import odds as direct
from tests.linear_model._rules.odds import log_loss, root_mean_square

# sources of random signs and of any size
pytestmark = pytest.mark.filterwarnings(
    "ignore:The log odds of the source", "ignore:The labels contradict the source"
)
n_classes = pytest.mark.parametrize("n_classes", [2, 3, 5])
scales = pytest.mark.parametrize("known", [False, True], ids=["array", "probabilities"])


def make_task(
    n_classes,
    n_sources,
    known,
    n=30,
    p=4,
    seed=0,
    noise=1.0,
    size=1.0,
    has_intercept=True,
    shifts=False,
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
        may_hold=shifts,
    )
    S = np.einsum("ip,ckp->ick", X, W) + b
    return SimpleNamespace(problem=problem, S=S, labels=labels, weights=weights, log_odds=log_odds)


def logits_of(F):
    return np.column_stack([np.zeros(len(F)), F[:, 0]]) if F.shape[1] == 1 else F


# ---------------------------------------------------------------- α


@pytest.mark.parametrize("size", [0.01, 2.0, 300.0])
@scales
def test_the_grid_of_alpha_and_its_prior(known, size):
    alphas, prior = prior_of_alpha(size, known)
    expected = direct.grid_and_prior(size, known)
    assert_allclose(alphas, expected[0], rtol=1e-12)
    assert_allclose(prior, expected[1], rtol=1e-12)
    shares = [prior.sum(), prior[alphas == 0].sum(), prior[alphas < 0].sum()]
    assert_allclose(shares, [1, 0.03, 0.03])
    # log-normal, width 1, around a root mean square of 2; the grid ends at 2.1 widths above it
    unit = 2 / size if known else 1.0
    usual = np.arange(len(alphas)) < 39
    for sign in (1, -1):
        own = usual & (sign * alphas > 0)
        log_alpha, P = np.log(sign * alphas[own] / unit), prior[own] / prior[own].sum()
        assert_allclose(P @ log_alpha, 0, atol=0.04)
        assert_allclose(P @ log_alpha**2, 1, atol=0.08)
    if known:
        assert alphas[-1] == 1
        assert_allclose(prior[-1], 0.85 * 0.94)


@n_classes
@scales
@pytest.mark.parametrize("noise", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_alpha_is_its_posterior_mean(n_classes, known, noise, sign):
    task = make_task(n_classes, 1, known, noise=noise, size=sign)
    odds = SourceOdds.of(task.problem)
    scale = task.log_odds[0] if known else 2 / root_mean_square(task.S, task.weights)[0]
    F = scale * task.S[:, :, 0]
    alphas, prior = direct.grid_and_prior(root_mean_square(F, task.weights), known)
    likelihood = [np.exp(-log_loss(alpha * F, task.labels, task.weights)) for alpha in alphas]
    P = prior * likelihood
    P /= P.sum()
    assert_allclose(odds.path["alpha_grid"], alphas)
    assert_allclose(odds.path["alpha_posterior"], P, atol=1e-12)
    alpha = direct.mean_of_signs(alphas, P)
    assert_allclose(odds.alpha, np.full((len(odds.alpha), 1), alpha * scale), rtol=1e-10)
    assert_allclose(odds.F, alpha * F, rtol=1e-10)
    assert not odds.shift.any()
    np.testing.assert_array_equal(odds.labels, task.labels)
    np.testing.assert_array_equal(odds.weights, task.weights)


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


@n_classes
@scales
@pytest.mark.parametrize("n_sources", [0, 1, 2])
@pytest.mark.parametrize("shifts", [False, True])
@pytest.mark.parametrize("noise", [0.1, 10.0])
def test_log_odds_are_those_of_the_coefficients(n_classes, known, n_sources, shifts, noise):
    """F of the sample, F of any row, and α and b apart."""
    task = make_task(n_classes, n_sources, known, shifts=shifts, noise=noise)
    odds = SourceOdds.of(task.problem)
    unit = task.log_odds if known else np.ones(n_sources)
    expected = direct.odds_oracle(task.S * unit, task.labels, task.weights, known, shifts)
    alpha = expected.alpha * unit
    assert_allclose(odds.F, expected.F, atol=1e-6)
    assert_allclose(odds.alpha, np.tile(alpha, (len(odds.alpha), 1)), atol=1e-6)
    assert_allclose(odds.shift, expected.shift, atol=1e-6)
    assert_allclose(task.problem.rows.X @ odds.coef.T + odds.intercept, odds.F, atol=1e-10)
    assert_allclose(task.S @ alpha + odds.shift, odds.F, atol=1e-6)


# ---------------------------------------------------------------- b


def shifted(n_classes, n, b=0.0, size=1.0, seed=0):
    """Log odds F, labels of softmax(F + b), and weights."""
    rng = np.random.default_rng([seed, n_classes, n])
    F = size * rng.normal(size=(n, 1 if n_classes == 2 else n_classes))
    labels = np.argmax(logits_of(F) + b + rng.gumbel(size=(n, n_classes)), axis=1)
    return F, labels, rng.uniform(0.3, 3, size=n)


@n_classes
@pytest.mark.parametrize("n", [1, 4, 30, 300])
@pytest.mark.parametrize("size", [0.0, 0.3, 3.0, 30.0])
@pytest.mark.parametrize("one", [False, True], ids=["labels of F", "labels of one class"])
def test_the_shift_is_the_mode_times_its_probability(n_classes, n, size, one):
    F, labels, weights = shifted(n_classes, n, size=size)
    labels = np.full(n, n_classes - 1) if one else labels
    found, expected = (of(F, labels, weights) for of in (label_shift, direct.label_shift))
    assert_allclose(found, expected, atol=1e-5)


@n_classes
@pytest.mark.parametrize("n", [40, 300])
@pytest.mark.parametrize("b", [0.3, 0.6, 1.2])
def test_the_shift_is_near_the_exact_posterior_mean(n_classes, n, b):
    """P(b ≠ 0)E[b | b ≠ 0], by Monte Carlo over the prior; Laplace's approximation is good here."""
    F, labels, _ = shifted(n_classes, n, b * np.arange(n_classes) / (n_classes - 1))
    weights = np.ones(n)
    draws = np.random.default_rng(0).normal(size=(100_000, n_classes))
    L = logits_of(F)
    log_likelihood = draws[:, labels].sum(axis=1)
    for row in L:
        top = draws + row
        log_likelihood -= np.log(np.exp(top) @ np.ones(n_classes))
    log_likelihood += L[np.arange(n), labels].sum()
    # one weight for each draw under the slab, and that of zero under the spike
    spike = -log_loss(F, labels, weights)
    slab = 0.05 * np.exp(log_likelihood - spike) / len(draws)
    mean = slab @ (draws - draws.mean(axis=1, keepdims=True)) / (slab.sum() + 0.95)
    found = label_shift(F, labels, weights)
    found = np.array([-1, 1]) * found / 2 if n_classes == 2 else found
    # the error of a mean of these draws, and Laplace's 1/n
    assert_allclose(found, mean, atol=0.05)


@n_classes
def test_balanced_agreement_is_no_shift(n_classes):
    """The mean of softmax(F) is the shares of the labels: each class has the others' log odds."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=(20, n_classes))
    F = np.concatenate([np.roll(base, k, axis=1) for k in range(n_classes)])
    labels = np.repeat(np.arange(n_classes), 20)
    if n_classes == 2:
        F = F[:, 1:] - F[:, :1]
    weights = np.tile(rng.uniform(0.3, 3, size=20), n_classes)
    assert_allclose(label_shift(F, labels, weights), 0, atol=1e-12)


@n_classes
def test_a_shift_is_found_by_many_rows_and_not_by_few(n_classes):
    b = np.linspace(-1, 1, n_classes)
    errors, few = [], []
    for seed in range(20):
        F, labels, _ = shifted(n_classes, 2000, b, seed=seed)
        found = label_shift(F, labels, np.ones(2000))
        errors.append((found - (2.0 if n_classes == 2 else b)) * np.sqrt(2000))
        F, labels, _ = shifted(n_classes, 8, seed=seed)
        few.append(label_shift(F, labels, np.ones(8)))
    # Fisher's information of a row is p(1 − p), on average of these about .1 for each class
    assert np.abs(np.mean(errors, axis=0)).max() < 3 * np.std(errors) / np.sqrt(20) + 0.5
    assert np.std(errors) < 5
    assert np.abs(few).max() < 0.5


@n_classes
def test_the_order_of_classes_and_repetitions_move_no_shift(n_classes):
    F, labels, weights = shifted(n_classes, 60, np.arange(n_classes))
    counts = np.ceil(weights).astype(int)
    b = label_shift(F, labels, counts.astype(float))
    again = label_shift(
        np.repeat(F, counts, axis=0), np.repeat(labels, counts), np.ones(sum(counts))
    )
    assert_allclose(again, b, rtol=1e-8)
    order = np.arange(n_classes)[::-1]
    reverse = -F if n_classes == 2 else F[:, order]
    moved = label_shift(reverse, n_classes - 1 - labels, counts.astype(float))
    assert_allclose(moved, -b if n_classes == 2 else b[order], rtol=1e-8)
    # a column for each of two classes, and what all classes share
    both = label_shift(logits_of(F) + 3.0, labels, counts.astype(float))
    assert_allclose(both.sum(), 0, atol=1e-12)
    assert_allclose(both[1:] - both[0] if n_classes == 2 else both, b, rtol=1e-8)


# ---------------------------------------------------------------- expected codes


def codes_of(F):
    """T, of codes ±1 or centred codes of C classes."""
    if F.shape[1] == 1:
        return 2 * expit(F) - 1
    return 2 * softmax(F, axis=1) - 2 / F.shape[1]


@n_classes
@scales
@pytest.mark.parametrize("n_sources", [1, 2])
@pytest.mark.parametrize("shifts", [False, True])
def test_expected_codes_are_a_projection(n_classes, known, n_sources, shifts):
    """L is a linear function of F, and T − L is orthogonal to 1 and F over the rows."""
    task = make_task(n_classes, n_sources, known, shifts=shifts)
    odds = SourceOdds.of(task.problem)
    coef, intercept = odds.expected_codes()
    L, T = task.problem.rows.X @ coef.T + intercept, codes_of(odds.F)
    design = np.column_stack([np.ones(len(T)), odds.F])
    assert_allclose(design.T @ (task.weights[:, None] * (T - L)), 0, atol=1e-8)
    on_F = design @ np.linalg.lstsq(design, L, rcond=1e-10)[0]
    assert_allclose(on_F, L, atol=1e-8)
    if n_classes > 2:
        assert_allclose(L.sum(axis=1), 0, atol=1e-8)


@n_classes
def test_small_log_odds_are_their_own_expected_codes(n_classes):
    """The derivative of the link at zero is 1/2, or 2/C on columns that sum to zero."""
    odds = SourceOdds.of(make_task(n_classes, 1, True, noise=0.0).problem)
    small = 1e-4
    odds = replace(
        odds,
        F=small * odds.F,
        coef=small * odds.coef,
        intercept=small * odds.intercept,
    )
    coef, intercept = odds.expected_codes()
    slope = 0.5 if n_classes == 2 else 2 / n_classes
    assert_allclose(coef, slope * odds.coef, rtol=1e-3, atol=1e-3 * small)
    assert_allclose(intercept, slope * odds.intercept, rtol=1e-3, atol=1e-3 * small)


def test_of_normal_log_odds_a_ridge_fit_sees_the_linear_part_of_the_codes():
    """Bussgang: E[xT(F)] = E[xL], where rows are normal: T − L is no feature's, but for noise."""
    rng = np.random.default_rng(0)
    n = 200_000
    X, w = rng.normal(size=(n, 3)), np.array([1.5, -1.0, 0.0])
    F = (X @ w)[:, None]
    none = np.zeros(1)
    odds = SourceOdds(
        np.zeros(n, int), np.ones(n), F, w[None], none, np.ones((1, 1)), none, path={}
    )
    coef, intercept = odds.expected_codes()
    rest = np.tanh(F[:, 0] / 2) - X @ coef[0] - intercept
    assert np.std(rest) > 0.1
    assert_allclose(X.T @ rest / n, 0, atol=4 * np.std(rest) / np.sqrt(n))
    # Stein: the slope is the mean derivative, (1 − tanh²)/2
    slope = np.mean(1 - np.tanh(F / 2) ** 2) / 2
    assert_allclose(coef[0], slope * w, atol=0.01)


@n_classes
def test_expected_codes_without_sources_are_a_constant(n_classes):
    """That of the shift alone: T is the same for all rows."""
    odds = SourceOdds.of(make_task(n_classes, 0, True, n=300, shifts=True).problem)
    coef, intercept = odds.expected_codes()
    assert not coef.any()
    assert_allclose(intercept, codes_of(odds.shift[None])[0], atol=1e-12)


@n_classes
def test_a_source_that_is_nearly_constant_on_the_rows_is_named(n_classes):
    """As a source of transformed features is on rows that were not transformed."""
    task = make_task(n_classes, 1, True)
    task.problem.W[:] *= 1e-7
    with pytest.warns(UserWarning, match="on the rows of X hardly differ"):
        SourceOdds.of(task.problem)
