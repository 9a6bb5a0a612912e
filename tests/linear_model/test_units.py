"""Sources whose predictions cannot be those of y: rows that were not transformed, other units."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.preprocessing import StandardScaler

from sklearn_alpha import AlphaTransferRegressor
from sklearn_alpha.linear_model._rules import RULES

MESSAGE = r"predictions on the rows of X are \d+ standard deviations of y away.*same fitted steps"


def raw_and_scaled(n=60, seed=0, n_outputs=None):
    """Rows in units of hundreds, scaled ones, and targets of size 1."""
    rng = np.random.default_rng(seed)
    X = 300 + 100 * rng.normal(size=(n, 5))
    scaler = StandardScaler().fit(X)
    Z = scaler.transform(X)
    shape = (5,) if n_outputs is None else (5, n_outputs)
    y = Z @ rng.normal(size=shape) + rng.normal(size=(n, *shape[1:]))
    return X, Z, y


@pytest.mark.parametrize("n_outputs", [None, 2])
@pytest.mark.parametrize("selection", [rule for rule in RULES if rule != "theory"])
def test_rows_that_were_not_scaled(selection, n_outputs):
    X, Z, y = raw_and_scaled(n_outputs=n_outputs)
    model = AlphaTransferRegressor(Ridge().fit(Z, y), selection=selection)
    with pytest.warns(UserWarning, match=MESSAGE):
        model.fit(X, y)
    model.fit(Z, y)
    # the units of an array are not known
    model.set_params(source=model.source.coef_).fit(X, y)


def test_targets_in_other_units():
    _, Z, y = raw_and_scaled()
    source = LinearRegression().fit(Z, 1000 * y)
    with pytest.warns(UserWarning, match="units of the source's targets"):
        AlphaTransferRegressor(source).fit(Z, y)


def test_one_source_of_several():
    X, Z, y = raw_and_scaled()
    zero = LinearRegression().fit(X, np.zeros(60))
    with pytest.warns(UserWarning, match=MESSAGE):
        AlphaTransferRegressor([zero, Ridge().fit(Z, y)]).fit(X, y)


def test_the_border_is_fifty_standard_deviations():
    _, Z, y = raw_and_scaled()
    y = (y - y.mean()) / y.std()
    source = LinearRegression().fit(Z, np.zeros(60))
    source.intercept_ = 49.9
    AlphaTransferRegressor(source).fit(Z, y)
    source.intercept_ = 50.1
    with pytest.warns(UserWarning, match="are 50 standard"):
        AlphaTransferRegressor(source).fit(Z, y)


def test_few_or_constant_targets_say_nothing_of_their_spread():
    X, Z, y = raw_and_scaled()
    source = Ridge().fit(Z, y)
    AlphaTransferRegressor(source).fit(X[:2], y[:2])
    AlphaTransferRegressor(source).fit(X[:9], np.ones(9))
