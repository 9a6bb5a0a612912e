"""Classification asymptotics against simulation, against each other, and in extreme cases."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.linalg import toeplitz
from scipy.optimize import minimize, minimize_scalar
from scipy.special import ndtr

from sklearn_alpha.theory import MarginAsymptotics, isotropic_asymptotics, target_asymptotics

QUANTITIES = ("accuracy", "margin_mean", "margin_second_moment", "risk")
ALPHAS = np.array([-1.0, 0.0, 1.0, 4.0])


def problem(p, seed=0, K=None):
    rng = np.random.default_rng(seed)
    mean = rng.standard_normal(p) / np.sqrt(p)
    shape = (p,) if K is None else (K, p)
    return mean, 0.7 * mean + 0.8 * rng.standard_normal(shape) / np.sqrt(p)


def ar1(p, correlation=0.6):
    return toeplitz(correlation ** np.arange(p))


def covariances(p):
    diagonal = np.geomspace(0.2, 3, p)
    return {"identity": None, "diagonal": diagonal, "ar1": ar1(p)}


# --- simulation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("covariance", ["identity", "diagonal", "ar1"])
@pytest.mark.parametrize(
    ("n", "p", "gamma"), [(600, 60, 0.1), (200, 200, 0.1), (200, 200, 1.0), (60, 240, 0.3)]
)
def test_simulation(simulate, assert_simulated, n, p, gamma, covariance):
    mean, source = problem(p)
    options = {"n_samples": n, "gamma": gamma, "covariance": covariances(p)[covariance]}
    theory = target_asymptotics(mean, source, **options)
    draws = simulate(mean, source, ALPHAS, draws=50, seed=1, **options)
    for name in QUANTITIES:
        # The error of the limit at these sizes is O(1/n).
        assert_simulated(getattr(draws, name), getattr(theory, name)(ALPHAS), rtol=0.01)


@pytest.mark.parametrize("covariance", ["identity", "ar1"])
def test_simulation_of_several_sources(simulate, assert_simulated, covariance):
    mean, sources = problem(150, K=3)
    alphas = np.array([[0, 0, 0], [1, 0, -1], [0.5, 0.5, 0.5], [2, 1, 0]])
    options = {"n_samples": 100, "gamma": 0.5, "covariance": covariances(150)[covariance]}
    theory = target_asymptotics(mean, sources, **options)
    alphas = np.vstack([alphas, theory.optimal_alpha, theory.worst_alpha])
    draws = simulate(mean, sources, alphas, draws=60, seed=2, **options)
    for name in QUANTITIES:
        assert_simulated(getattr(draws, name), getattr(theory, name)(alphas), rtol=0.01)


def test_decision_values_are_gaussian_with_the_predicted_moments():
    mean, source = problem(200)
    theory = target_asymptotics(mean, source, n_samples=200, gamma=1.0)
    m, sd = theory.margin_mean(2), np.sqrt(theory.margin_variance(2))
    rng = np.random.default_rng(3)
    margins = []
    for _ in range(40):
        Z = mean + rng.standard_normal((200, 200))
        adapter = np.linalg.solve(Z.T @ Z + 200 * np.eye(200), Z.T @ (1 - Z @ (2 * source)))
        margins.append((mean + rng.standard_normal((1000, 200))) @ (2 * source + adapter))
    levels = np.linspace(0.05, 0.95, 19)
    # The mean margin of a fit varies by 1/√n. Over 40 fits its error is .01 standard deviations.
    assert_allclose(ndtr((np.quantile(margins, levels) - m) / sd), levels, atol=0.02)


# --- the published expansion --------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.01, 1.0, 30.0])
def test_equals_the_expansion_in_resolvents(gamma):
    """ν = T₁ + αT₂ + α²T₃ with explicit inverses and a fixed-point iteration for δ."""
    p, n, alpha = 40, 50, 1.7
    mean, source = problem(p)
    S = ar1(p)
    delta = 0.0
    for _ in range(20_000):
        R = np.linalg.inv(S / (1 + delta) + gamma * np.eye(p))
        delta, last = np.trace(S @ R) / n, delta
        if abs(delta - last) < 1e-14:
            break
    C = S + np.outer(mean, mean)
    Q = np.linalg.inv(C / (1 + delta) + gamma * np.eye(p))
    kappa = np.trace(S @ R @ S @ R) / n / (1 + delta) ** 2
    h = 1 - kappa
    a, b = mean @ Q @ mean / (1 + delta), gamma * source @ Q @ mean
    T1 = mean @ Q @ C @ Q @ mean / (h * (1 + delta) ** 2) - 2 * kappa / h * a + kappa / h
    T2 = 2 * gamma * (source @ Q @ C @ Q @ mean / (h * (1 + delta)) - kappa / h * b / gamma)
    T3 = gamma**2 * source @ Q @ C @ Q @ source / h
    m, second = a + alpha * b, T1 + alpha * T2 + alpha**2 * T3

    theory = target_asymptotics(mean, source, n_samples=n, gamma=gamma, covariance=S)
    assert_allclose(theory.delta, delta, rtol=1e-10)
    assert_allclose(theory.kappa, kappa, rtol=1e-10)
    assert_allclose(theory.margin_mean(alpha), m, rtol=1e-10)
    assert_allclose(theory.margin_second_moment(alpha), second, rtol=1e-10)
    assert_allclose(theory.risk(alpha), second + 1 - 2 * m, rtol=1e-9)
    assert_allclose(theory.accuracy(alpha), ndtr(m / np.sqrt(second - m**2)), rtol=1e-10)
    assert_allclose(theory.optimal_alpha, (a * T2 - 2 * b * T1) / (b * T2 - 2 * a * T3), rtol=1e-8)
    assert_allclose(theory.worst_alpha, -a / b, rtol=1e-10)


def test_isotropic_closed_forms():
    M, t, G, eta, gamma = 1.3, 0.6, 0.9, 1.7, 0.4
    theory = isotropic_asymptotics(
        mean_sqnorm=M, alignment=t, source_gram=G, ratio=eta, gamma=gamma
    )
    delta = (eta - gamma - 1 + np.sqrt((eta - gamma - 1) ** 2 + 4 * eta * gamma)) / (2 * gamma)
    tau = gamma * (1 + delta)
    lam = M + 1 + tau
    assert_allclose(theory.delta, delta)
    assert_allclose(theory.kappa, eta / (1 + tau) ** 2)
    assert_allclose(theory.margin_mean(2), (M + 2 * tau * t) / lam)
    assert_allclose(
        theory.optimal_alpha, eta * (1 + tau) * t / (tau * (lam * M * G - (lam - eta) * t**2))
    )


@pytest.mark.parametrize("ratio", ["0.5", "1", "1.5", "3"])
@pytest.mark.parametrize("gamma", ["1e-12", "0.25", "0.5", "1e6"])
def test_isotropic_equivalent_in_fifty_digits(ratio, gamma):
    theory = isotropic_asymptotics(
        mean_sqnorm=1, alignment=0.5, source_gram=1, ratio=float(ratio), gamma=float(gamma)
    )
    with localcontext(prec=50):
        eta, gamma = Decimal(ratio), Decimal(gamma)
        q = eta + gamma - 1
        tau = (q + (q**2 + 4 * gamma).sqrt()) / 2
        delta, kappa = tau / gamma - 1, eta / (1 + tau) ** 2
    assert_allclose(theory.delta, float(delta), rtol=1e-12)
    assert_allclose(theory.kappa, float(kappa), rtol=1e-12)


# --- identities ---------------------------------------------------------------------------------


def assert_same(left, right, K=1):
    alphas = np.random.default_rng(0).standard_normal((5, K)).squeeze(-1 if K == 1 else ())
    for name in QUANTITIES:
        assert_allclose(getattr(left, name)(alphas), getattr(right, name)(alphas), rtol=1e-9)
    assert_allclose(left.optimal_alpha, right.optimal_alpha, rtol=1e-7)
    assert_allclose(left.worst_alpha, right.worst_alpha, rtol=1e-7)


@pytest.mark.parametrize("K", [None, 3])
def test_identity_covariance_in_three_spellings(K):
    mean, source = problem(30, K=K)
    options = {"n_samples": 20, "gamma": 0.7}
    isotropic = target_asymptotics(mean, source, **options)
    for covariance in (np.ones(30), np.eye(30)):
        general = target_asymptotics(mean, source, covariance=covariance, **options)
        assert_same(isotropic, general, K or 1)


def test_diagonal_equals_dense():
    mean, source = problem(30)
    diagonal = np.geomspace(0.01, 10, 30)
    options = {"n_samples": 20, "gamma": 0.7}
    assert_same(
        target_asymptotics(mean, source, covariance=diagonal, **options),
        target_asymptotics(mean, source, covariance=np.diag(diagonal), **options),
    )


def test_rotation_leaves_everything_unchanged():
    mean, source = problem(30)
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((30, 30)))[0]
    options = {"n_samples": 20, "gamma": 0.7}
    rotated = target_asymptotics(
        rotation @ mean,
        rotation @ source,
        covariance=rotation @ ar1(30) @ rotation.T,
        **options,
    )
    assert_same(target_asymptotics(mean, source, covariance=ar1(30), **options), rotated)


def test_a_list_of_one_source_is_that_source():
    mean, source = problem(30)
    one = target_asymptotics(mean, source, n_samples=20, gamma=0.7)
    listed = target_asymptotics(mean, [source], n_samples=20, gamma=0.7)
    assert_same(one, listed)
    assert isinstance(listed.optimal_alpha, float)
    assert listed.accuracy(np.ones((2, 3))).shape == (2, 3)


def test_shapes_of_several_sources():
    mean, sources = problem(30, K=2)
    theory = target_asymptotics(mean, sources, n_samples=20, gamma=0.7)
    assert theory.optimal_alpha.shape == theory.worst_alpha.shape == (2,)
    for name in QUANTITIES:
        assert getattr(theory, name)(np.ones((4, 3, 2))).shape == (4, 3)
        assert np.ndim(getattr(theory, name)([1, 2])) == 0


@pytest.mark.parametrize("covariance", ["identity", "ar1"])
def test_scaling_the_source_divides_alpha(covariance):
    mean, source = problem(30)
    options = {"n_samples": 20, "gamma": 0.7, "covariance": covariances(30)[covariance]}
    theory = target_asymptotics(mean, source, **options)
    scaled = target_asymptotics(mean, -5 * source, **options)
    assert_allclose(scaled.optimal_alpha, theory.optimal_alpha / -5)
    assert_allclose(scaled.worst_alpha, theory.worst_alpha / -5)
    assert_allclose(scaled.risk(-ALPHAS / 5), theory.risk(ALPHAS))


def test_sources_in_another_basis():
    mean, sources = problem(30, K=3)
    A = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0], [1.0, 0.0, 3.0]])
    theory = target_asymptotics(mean, sources, n_samples=20, gamma=0.7)
    mixed = target_asymptotics(mean, A @ sources, n_samples=20, gamma=0.7)
    assert_allclose(A.T @ mixed.optimal_alpha, theory.optimal_alpha)


def test_many_samples_give_population_ridge():
    mean, source = problem(30)
    S, gamma = ar1(30), 0.7
    theory = target_asymptotics(mean, source, n_samples=1e9, gamma=gamma, covariance=S)
    C = S + np.outer(mean, mean)
    for alpha in ALPHAS:
        w = np.linalg.solve(C + gamma * np.eye(30), mean + gamma * alpha * source)
        assert_allclose(theory.margin_mean(alpha), mean @ w, rtol=1e-6)
        assert_allclose(theory.margin_variance(alpha), w @ S @ w, rtol=1e-6)


def test_strong_penalty_leaves_the_source_alone():
    mean, source = problem(30)
    theory = target_asymptotics(mean, source, n_samples=20, gamma=1e9, covariance=ar1(30))
    alone = ndtr(mean @ source / np.sqrt(source @ ar1(30) @ source))
    assert_allclose(theory.accuracy(1.0), alone, rtol=1e-6)


# --- best and worst α ---------------------------------------------------------------------------


@pytest.mark.parametrize("covariance", ["identity", "diagonal", "ar1"])
@pytest.mark.parametrize("seed", range(4))
def test_optimal_alpha_is_the_numerical_maximiser(covariance, seed):
    mean, source = problem(40, seed)
    theory = target_asymptotics(
        mean, source, n_samples=30, gamma=0.3, covariance=covariances(40)[covariance]
    )
    found = minimize_scalar(
        lambda angle: -theory.accuracy(np.tan(angle)),
        bounds=(-np.pi / 2, np.pi / 2),
        method="bounded",
        options={"xatol": 1e-10},
    )
    # The maximum is flat: an error ε of the accuracy allows √ε in α.
    assert_allclose(np.tan(found.x), theory.optimal_alpha, rtol=1e-5)
    assert theory.accuracy(theory.optimal_alpha) >= -found.fun - 1e-14


@pytest.mark.parametrize("covariance", ["identity", "ar1"])
def test_optimal_alpha_of_several_sources_is_the_numerical_maximiser(covariance):
    mean, sources = problem(40, K=3)
    theory = target_asymptotics(
        mean, sources, n_samples=30, gamma=0.3, covariance=covariances(40)[covariance]
    )
    found = minimize(lambda alpha: -theory.accuracy(alpha), np.zeros(3), tol=1e-12)
    assert_allclose(found.x, theory.optimal_alpha, atol=1e-3)
    assert theory.accuracy(theory.optimal_alpha) >= -found.fun - 1e-14


@pytest.mark.parametrize("K", [None, 3])
def test_worst_alpha_is_chance_and_nearest_to_zero(K):
    mean, source = problem(40, K=K)
    theory = target_asymptotics(mean, source, n_samples=30, gamma=0.3)
    worst = np.atleast_1d(theory.worst_alpha)
    assert_allclose(theory.accuracy(theory.worst_alpha), 0.5)
    assert_allclose(theory.margin_mean(theory.worst_alpha), 0, atol=1e-12)
    # The point of the hyperplane u₀ + uᵀα = 0 nearest to zero is parallel to u.
    u = theory.mean[1:]
    assert_allclose(worst * (u @ u), u * (u @ worst))


def test_folded_accuracy_is_least_at_worst_alpha():
    mean, source = problem(40)
    theory = target_asymptotics(mean, source, n_samples=30, gamma=0.3)
    alphas = theory.worst_alpha + np.linspace(-1, 1, 21)
    accuracy = theory.accuracy(alphas)
    assert np.maximum(accuracy, 1 - accuracy).argmin() == 10


def test_zero_source_changes_nothing():
    mean, _ = problem(30)
    theory = target_asymptotics(mean, np.zeros(30), n_samples=20, gamma=0.7)
    assert theory.optimal_alpha == 0
    assert theory.worst_alpha == np.inf
    for name in QUANTITIES:
        assert len(set(getattr(theory, name)([-1.0, 0.0, 5.0, np.inf]))) == 1


def test_orthogonal_source_is_not_used():
    mean, source = problem(30)
    source = source - mean * (mean @ source) / (mean @ mean)
    theory = target_asymptotics(mean, source, n_samples=20, gamma=0.7)
    assert_allclose(theory.optimal_alpha, 0, atol=1e-12)
    assert_allclose(theory.accuracy(np.inf), 0.5)
    assert theory.margin_variance(-np.inf) == theory.risk(np.inf) == np.inf


def test_aligned_source_has_a_finite_optimum_where_the_mean_margin_is_one():
    # With Σ = I every α gives the right mean direction; only the fitted noise can be reduced.
    mean, _ = problem(30)
    theory = target_asymptotics(mean, 2 * mean, n_samples=20, gamma=0.7)
    assert_allclose(theory.margin_mean(theory.optimal_alpha), 1)


def test_optimum_at_infinity():
    # n → ∞: the best direction Σ⁻¹μ is w̃ minus a multiple of the target's fit, which no α gives.
    mean, S, gamma = problem(20)[0], ar1(20), 0.5
    best = np.linalg.solve(S, mean)
    source = best + 10 * (1 + mean @ best) / gamma * mean
    options = {"n_samples": 1e6, "gamma": gamma, "covariance": S}
    theory = target_asymptotics(mean, source, **options)
    assert theory.optimal_alpha == np.inf
    assert_allclose(theory.accuracy(np.inf), theory.accuracy(1e9), rtol=1e-8)
    assert theory.accuracy(np.inf) > theory.accuracy([-10, 0, 1, 100]).max()
    assert theory.margin_mean(np.inf) == theory.risk(np.inf) == np.inf
    assert target_asymptotics(mean, -source, **options).optimal_alpha == -np.inf
    pair = target_asymptotics(mean, [source, np.zeros(20)], **options).optimal_alpha
    assert_allclose(pair, [np.inf, 0])


def test_collinear_sources_share_alpha():
    mean, source = problem(30)
    one = target_asymptotics(mean, source, n_samples=20, gamma=0.7)
    for covariance in (None, np.ones(30)):
        two = target_asymptotics(
            mean, [source, source], n_samples=20, gamma=0.7, covariance=covariance
        )
        assert_allclose(two.optimal_alpha, np.full(2, one.optimal_alpha / 2), rtol=1e-6)


def test_no_signal_is_chance():
    _, source = problem(30)
    theory = target_asymptotics(np.zeros(30), source, n_samples=20, gamma=0.7)
    assert_allclose(theory.accuracy([0, 1, -np.inf]), 0.5)
    assert theory.optimal_alpha == theory.worst_alpha == 0


def test_a_covariance_that_is_singular_up_to_rounding_is_accepted():
    mean, source = problem(3)
    options = {"n_samples": 5, "gamma": 0.7}
    exact = target_asymptotics(mean, source, covariance=[1, 1, 0], **options)
    assert_same(exact, target_asymptotics(mean, source, covariance=[1, 1, -1e-12], **options))


def test_noise_free_direction_wins():
    # The source and the mean lie in a direction without noise: at m = 1 the risk is zero.
    diagonal = np.r_[0, np.ones(29)]
    mean = np.eye(30)[0]
    theory = target_asymptotics(mean, 0.5 * mean, n_samples=20, gamma=0.7, covariance=diagonal)
    assert_allclose(theory.optimal_alpha, 2)
    assert_allclose(theory.accuracy(2), 1)


# --- extreme values -----------------------------------------------------------------------------

magnitude = st.floats(-12, 12).map(lambda exponent: 10.0**exponent)
cosine = st.one_of(st.sampled_from([-1.0, 0.0, 1.0]), st.floats(-1, 1))
PROBES = np.r_[-np.inf, -np.geomspace(1e12, 1e-12, 9), 0, np.geomspace(1e-12, 1e12, 9), np.inf]


def assert_sane(theory):
    for name in QUANTITIES:
        assert not np.isnan(getattr(theory, name)(PROBES)).any(), name
    accuracy = theory.accuracy(PROBES)
    assert ((accuracy >= 0) & (accuracy <= 1)).all()
    assert not np.isnan([theory.optimal_alpha, theory.worst_alpha]).any()
    assert theory.accuracy(theory.optimal_alpha) >= accuracy.max() - 1e-6
    assert 0 <= theory.kappa <= 1
    assert theory.delta >= 0


@settings(max_examples=300, deadline=None)
@given(
    mean_norm=st.one_of(st.just(0.0), magnitude),
    source_norm=st.one_of(st.just(0.0), magnitude),
    cosine=cosine,
    ratio=st.one_of(st.just(1.0), magnitude),
    gamma=magnitude,
)
def test_isotropic_corners(mean_norm, source_norm, cosine, ratio, gamma):
    assert_sane(
        isotropic_asymptotics(
            mean_sqnorm=mean_norm**2,
            alignment=cosine * mean_norm * source_norm,
            source_gram=source_norm**2,
            ratio=ratio,
            gamma=gamma,
        )
    )


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 99),
    spectrum=st.lists(st.one_of(st.just(0.0), magnitude), min_size=5, max_size=5).filter(any),
    n_samples=st.one_of(st.just(1), st.just(5), st.floats(0, 12).map(lambda e: 10.0**e)),
    gamma=magnitude,
)
def test_general_corners(seed, spectrum, n_samples, gamma):
    mean, source = problem(5, seed)
    assert_sane(
        target_asymptotics(mean, source, n_samples=n_samples, gamma=gamma, covariance=spectrum)
    )


# --- bad input ----------------------------------------------------------------------------------

GOOD = {"mean": np.ones(3), "source": np.ones(3), "n_samples": 5, "gamma": 1.0}
SKEWED = np.eye(3) + np.triu(np.ones((3, 3)), 1)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"gamma": 0}, "gamma must be positive"),
        ({"gamma": -1}, "gamma must be positive"),
        ({"gamma": np.nan}, "gamma contains NaN"),
        ({"gamma": [1.0]}, "gamma must be a scalar"),
        ({"n_samples": 0}, "n_samples must be at least 1"),
        ({"n_samples": 0.5}, "n_samples must be at least 1"),
        ({"mean": [[1.0, 2.0, 3.0]]}, "mean must be 1-dimensional"),
        ({"mean": [1.0, np.nan, 0.0]}, "mean contains NaN"),
        ({"source": np.ones(4)}, r"source has shape \(4,\) but mean has shape \(3,\)"),
        ({"source": np.ones((0, 3))}, r"source has shape \(0, 3\)"),
        ({"source": np.ones((1, 1, 3))}, "source must be 1-dimensional or 2-dimensional"),
        ({"source": [np.inf, 0, 0]}, "source contains NaN or infinity"),
        ({"covariance": np.ones(2)}, "covariance has shape"),
        ({"covariance": np.ones((3, 2))}, "covariance has shape"),
        ({"covariance": SKEWED}, "covariance is not symmetric"),
        ({"covariance": 1e-6 * SKEWED}, "covariance is not symmetric"),
        ({"covariance": np.diag([1.0, 1.0, -0.1])}, "negative eigenvalue -0.1; clip"),
        ({"covariance": [1.0, 1.0, -0.1]}, "negative eigenvalue -0.1; clip"),
        ({"covariance": np.zeros(3)}, "covariance is zero"),
        ({"covariance": np.zeros((3, 3))}, "covariance is zero"),
    ],
)
def test_bad_target(bad, message):
    with pytest.raises(ValueError, match=message):
        target_asymptotics(**(GOOD | bad))


SCALARS = {"mean_sqnorm": 1.0, "alignment": 0.5, "source_gram": 1.0, "ratio": 1.0, "gamma": 1.0}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"ratio": 0}, "ratio must be positive"),
        ({"mean_sqnorm": -1}, "mean_sqnorm must not be negative"),
        ({"alignment": 1.1}, "no vectors have these inner products"),
        ({"mean_sqnorm": 0}, "no vectors have these inner products"),
        ({"source_gram": 0}, "no vectors have these inner products"),
        ({"source_gram": -1}, "no vectors have these inner products"),
        ({"alignment": [0.5, 0.5]}, "source_gram has shape"),
        ({"alignment": [0, 0], "source_gram": [[1, 0.5], [0, 1]]}, "not symmetric"),
        ({"alignment": [0, 0], "source_gram": [[1, 0.5], [0.4, 1]]}, "not symmetric"),
        ({"alignment": [0, 0], "source_gram": [[1, 0.5], [0.500001, 1]]}, "not symmetric"),
        ({"alignment": [0, 0], "source_gram": [[1, 2], [2, 1]]}, "no vectors"),
    ],
)
def test_bad_scalars(bad, message):
    with pytest.raises(ValueError, match=message):
        isotropic_asymptotics(**(SCALARS | bad))


@pytest.mark.parametrize("scale", [1e-8, 1e8])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"alignment": 1.1}, "no vectors have these inner products"),
        ({"source_gram": -1.0}, "no vectors have these inner products"),
        ({"alignment": [0, 0], "source_gram": [[1, 0.5], [0.4, 1]]}, "not symmetric"),
    ],
)
def test_bad_scalars_in_other_units(bad, message, scale):
    bad = {name: np.array(value) for name, value in (SCALARS | bad).items()}
    bad |= {"alignment": scale * bad["alignment"], "source_gram": scale**2 * bad["source_gram"]}
    with pytest.raises(ValueError, match=message):
        isotropic_asymptotics(**bad)


def test_rounding_errors_and_the_smallest_alignment_are_accepted():
    gram = 1e16 * np.array([[1, 0.5], [0.5 + 1e-12, 1]])
    pair = isotropic_asymptotics(**(SCALARS | {"alignment": [0, 0], "source_gram": gram}))
    assert_allclose(pair.optimal_alpha, [0, 0])
    least = isotropic_asymptotics(**(SCALARS | {"alignment": 5e-324, "mean_sqnorm": 100.0}))
    assert least.optimal_alpha == 0


@pytest.mark.parametrize(("mean", "accuracy"), [(2.0, 1.0), (0.0, 0.5), (-2.0, 0.0)])
def test_accuracy_of_a_margin_without_variance(mean, accuracy):
    theory = MarginAsymptotics(
        mean=np.array([mean, 0.0]), spread=np.zeros((1, 2)), delta=0.0, kappa=0.0
    )
    assert theory.accuracy(0.0) == accuracy
    assert theory.optimal_alpha == 0


def test_moments_overflow_to_infinity_without_a_warning():
    theory = target_asymptotics(**GOOD)
    for name in ("margin_variance", "margin_second_moment", "risk"):
        assert_allclose(getattr(theory, name)([0, 1e200]), [getattr(theory, name)(0), np.inf])
    assert_allclose(theory.accuracy([0, 1e200]), theory.accuracy([0, np.inf]))


@pytest.mark.parametrize("name", [*QUANTITIES, "margin_variance"])
def test_several_alphas_of_any_precision_are_each_alone(name):
    quantity = getattr(target_asymptotics(**GOOD), name)
    alphas = np.array([0.1, -np.inf, 3.0, 1e30, np.inf], dtype=np.float32)
    assert_allclose(quantity(alphas), [quantity(float(alpha)) for alpha in alphas], rtol=1e-14)


@pytest.mark.parametrize("method", [*QUANTITIES, "margin_variance"])
def test_bad_alpha(method):
    with pytest.raises(ValueError, match="alpha contains NaN"):
        getattr(target_asymptotics(**GOOD), method)(np.nan)
    pair = target_asymptotics(**(GOOD | {"source": np.eye(3)[:2]}))
    with pytest.raises(ValueError, match=r"shape \(3,\) but there are 2 sources"):
        getattr(pair, method)([1, 2, 3])
