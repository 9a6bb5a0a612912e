import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_alpha.datasets import make_domain_transfer

P = 4
RHO = 0.6
AR1 = RHO ** np.abs(np.subtract.outer(np.arange(P), np.arange(P)))
VARIANCES = np.array([0.0, 0.5, 1.0, 4.0])
DEGENERATE = np.outer([1.0, 2.0, 0.0, -1.0], [1.0, 2.0, 0.0, -1.0])


@pytest.mark.parametrize(
    ("covariance", "expected", "returned"),
    [
        (None, np.eye(P), None),
        (RHO, AR1, AR1),
        (VARIANCES, np.diag(VARIANCES), VARIANCES),
        (AR1.tolist(), AR1, AR1),
        (DEGENERATE, DEGENERATE, DEGENERATE),
    ],
)
def test_moments(covariance, expected, returned):
    """Means and covariances of y·x within 5 standard errors of the model's, in every domain."""
    n = 20_000
    transfer = make_domain_transfer(
        n, n, P, n_test=n, covariance=covariance, class_balance=0.3, random_state=0
    )
    if returned is None:
        assert transfer.covariance is None
    else:
        assert_array_equal(transfer.covariance, returned)
    for name, mean in (
        ("source", transfer.source_mean),
        ("target", transfer.target_mean),
        ("test", transfer.target_mean),
    ):
        Z = transfer[f"y_{name}"][:, None] * transfer[f"X_{name}"] - mean
        variances = np.diag(expected)
        errors = np.sqrt(variances / n)
        assert np.all(np.abs(Z.mean(axis=0)) <= 5 * errors + 1e-12)
        # The variance of a product of two Gaussians is σᵢᵢσⱼⱼ + σᵢⱼ².
        errors = np.sqrt((np.outer(variances, variances) + expected**2) / n)
        assert np.all(np.abs(Z.T @ Z / n - expected) <= 5 * errors + 1e-12)


def test_both_classes_are_drawn_alike():
    """Not only y·x but each class on its own has the model's mean."""
    transfer = make_domain_transfer(20_000, n_features=P, random_state=1)
    for label in (-1, 1):
        rows = transfer.X_source[transfer.y_source == label]
        assert np.abs(rows.mean(axis=0) - label * transfer.source_mean).max() < 5 / 100


@pytest.mark.parametrize("beta", [0.8, 0, -1.5, [0.3]])
@pytest.mark.parametrize("orthogonal_norm", [0, 0.6])
def test_means(beta, orthogonal_norm):
    transfer = make_domain_transfer(
        source_norm=1.5, orthogonal_norm=orthogonal_norm, beta=beta, random_state=0
    )
    beta = np.ravel(beta)[0]
    source_mean, target_mean = transfer.source_mean, transfer.target_mean
    assert_allclose(source_mean @ source_mean, 1.5**2)
    assert_allclose(target_mean @ source_mean / 1.5**2, beta, atol=1e-12)
    assert_allclose(target_mean @ target_mean, beta**2 * 1.5**2 + orthogonal_norm**2)


@pytest.mark.parametrize("beta", [0.5, [0.9, 0.0, -0.4]])
def test_several_sources(beta):
    transfer = make_domain_transfer(
        30, n_features=P, n_sources=3, source_norm=2, orthogonal_norm=0.7, beta=beta, random_state=0
    )
    assert isinstance(transfer.X_source, list)
    assert isinstance(transfer.y_source, list)
    assert [X.shape for X in transfer.X_source] == [(30, P)] * 3
    assert [y.shape for y in transfer.y_source] == [(30,)] * 3
    means, beta = transfer.source_mean, np.broadcast_to(beta, 3)
    assert_allclose(means @ means.T, 4 * np.eye(3), atol=1e-12)
    assert_allclose(means @ transfer.target_mean, 4 * beta, atol=1e-12)
    norm = 4 * np.sum(beta**2) + 0.7**2
    assert_allclose(transfer.target_mean @ transfer.target_mean, norm)


def test_shapes_and_labels():
    transfer = make_domain_transfer(50, 7, 3, n_test=11, random_state=0)
    for name, n in (("source", 50), ("target", 7), ("test", 11)):
        assert transfer[f"X_{name}"].shape == (n, 3)
        assert transfer[f"y_{name}"].shape == (n,)
        assert set(transfer[f"y_{name}"]) == {-1, 1}
    assert transfer.source_mean.shape == transfer.target_mean.shape == (3,)


@pytest.mark.parametrize(
    ("class_balance", "n", "n_positive"), [(0.5, 40, 20), (0.3, 10, 3), (0.01, 5, 1), (0.99, 2, 1)]
)
def test_class_balance(class_balance, n, n_positive):
    transfer = make_domain_transfer(n, n, n_test=n, class_balance=class_balance, random_state=0)
    for name in ("source", "target", "test"):
        assert np.sum(transfer[f"y_{name}"] == 1) == n_positive


def test_random_state():
    def draw(random_state, n_test=10):
        return make_domain_transfer(20, 10, 5, n_test=n_test, random_state=random_state)

    one = draw(0)
    for other in (draw(0), draw(np.random.RandomState(0)), draw(0, n_test=20)):
        for name in ("X_source", "y_source", "X_target", "y_target", "target_mean"):
            assert_array_equal(one[name], other[name])
    assert not np.array_equal(one.X_target, draw(1).X_target)
    assert not np.array_equal(one.target_mean, draw(1).target_mean)


def test_the_covariance_given_is_not_shared():
    covariance = np.eye(P)
    transfer = make_domain_transfer(n_features=P, covariance=covariance)
    transfer.covariance[0, 0] = 7
    assert covariance[0, 0] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_source": 1},
        {"n_target": 0},
        {"n_test": 1},
        {"n_features": 2.5},
        {"n_sources": 0},
        {"source_norm": 0},
        {"source_norm": np.inf},
        {"orthogonal_norm": -1},
        {"beta": np.nan},
        {"beta": None},
        {"class_balance": 0},
        {"class_balance": 1},
        {"covariance": 1.0},
        {"covariance": -1.0},
        {"covariance": "identity"},
        {"random_state": "zero"},
    ],
)
def test_parameter_validation(wrong):
    [name] = wrong
    with pytest.raises(ValueError, match=f"The '{name}' parameter of make_domain_transfer must be"):
        make_domain_transfer(**wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_features": 3, "n_sources": 3}, "'n_features' must exceed 'n_sources'"),
        ({"beta": [0.1, 0.2]}, r"'beta' must be .* shape \(1,\)"),
        ({"beta": [0.1, 0.2, 0.3], "n_sources": 2}, r"'beta' must be .* shape \(2,\)"),
        ({"beta": [np.nan]}, "beta contains NaN"),
        ({"covariance": np.ones(P - 1)}, "'covariance' must be"),
        ({"covariance": -np.ones(P)}, "'covariance' must be"),
        ({"covariance": np.eye(P + 1)}, "'covariance' must be"),
        ({"covariance": np.triu(np.ones((P, P)))}, "'covariance' must be"),
        ({"covariance": -np.eye(P)}, "'covariance' must be"),
        ({"covariance": np.full((P, P), np.inf)}, "covariance contains infinity"),
    ],
)
def test_parameters_that_do_not_fit(wrong, message):
    with pytest.raises(ValueError, match=message):
        make_domain_transfer(**({"n_features": P} | wrong))
