"""Every argument of every function is checked, and the message starts with its name."""

import numpy as np
import pytest

from sklearn_alpha.theory import (
    isotropic_asymptotics,
    regression_asymptotics,
    ridge_source_asymptotics,
    target_asymptotics,
)

GOOD = {
    isotropic_asymptotics: {
        "mean_sqnorm": 1.0,
        "alignment": 0.5,
        "source_gram": 1.0,
        "ratio": 1.0,
        "gamma": 1.0,
    },
    ridge_source_asymptotics: {
        "n_source": 10,
        "n_target": 5,
        "n_features": 3,
        "source_mean_norm": 1.0,
        "orthogonal_norm": 0.5,
        "beta": 0.8,
        "gamma_source": 1.0,
        "gamma_target": 1.0,
    },
    target_asymptotics: {
        "mean": np.ones(3),
        "source": np.ones(3),
        "n_samples": 5,
        "gamma": 1.0,
        "covariance": np.ones(3),
    },
    regression_asymptotics: {
        "coef": np.ones(3),
        "source": np.ones(3),
        "n_samples": 5,
        "gamma": 1.0,
        "noise": 0.1,
        "covariance": np.ones(3),
    },
}
ARGUMENTS = [(function, name) for function, good in GOOD.items() for name in good]


def ids(value):
    return getattr(value, "__name__", value)


@pytest.mark.parametrize(("function", "name"), ARGUMENTS, ids=ids)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_message_starts_with_the_name_of_the_argument(function, name, value):
    bad = GOOD[function] | {name: value * np.asarray(GOOD[function][name])}
    with pytest.raises(ValueError, match=f"^{name} contains NaN or infinity"):
        function(**bad)


@pytest.mark.parametrize(("function", "name"), ARGUMENTS, ids=ids)
def test_a_message_of_a_shape_starts_with_the_name_of_the_argument(function, name):
    bad = GOOD[function] | {name: np.ones((1, 1, 1, 1))}
    with pytest.raises(ValueError, match=f"^{name} "):
        function(**bad)


@pytest.mark.parametrize("function", GOOD, ids=ids)
def test_one_row_and_one_feature_are_enough(function):
    good = GOOD[function]
    least = {name: 1 for name in good if name.startswith("n_")}
    assert np.isfinite(function(**(good | least)).risk([0, 1])).all()
