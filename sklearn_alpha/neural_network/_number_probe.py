"""The linear probe of numbers, see `_start.py`.

α_v, a and b are those of `AlphaTransferRegressor` on standardised targets. Its source is the head:
as a fitted regressor if its units are known, so that few rows leave it as it is, and as an array
otherwise.
"""

import warnings

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression

from sklearn_alpha.linear_model import AlphaTransferRegressor
from sklearn_alpha.neural_network._base_model import weights_of


def fit(network, head, Z, codes, weights, **options):
    """The regressor on the inputs of the head.

    Parameters
    ----------
    network : Adapted
    head : Linear
    Z : ndarray of shape (n_rows, n_features)
    codes : ndarray of shape (n_rows, n_outputs)
        Standardised targets.
    weights : ndarray of shape (n_rows,)
    **options
        Of the regressor.
    """
    source = None
    if network.knows_classes:
        source = as_linear(head)
    elif not network.head_is_new:
        source = weights_of(head)
    model = AlphaTransferRegressor(source, fit_intercept=head.bias is not None, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it speaks of the linear model's X and y
        return model.fit(Z, codes.astype(np.float64), sample_weight=weights)


def as_linear(head):
    """The head as the fitted regressor that it is: α = 1 are its units."""
    model = LinearRegression()
    model.coef_, model.intercept_ = weights_of(head)
    model.n_features_in_ = model.coef_.shape[1]
    return FrozenEstimator(model)


def left_out_losses(found):
    """ℓ (n_rows,): minus the log density of each row, left out, at the variance of all of them.

    ::

        ℓᵢ = Σ_k log τ_k + rᵢₖ² / 2τ_k²,    τ_k² = mean rₖ²
    """
    squares = (found.codes - found.model.loo_decision_function_) ** 2
    variance = np.average(squares, axis=0, weights=found.weights) + np.finfo(float).tiny
    return (np.log(variance) / 2 + squares / (2 * variance)).sum(axis=1)


def weights(model):
    """Weights (n_outputs, n_features) and biases (n_outputs,)."""
    return model.coef_, model.intercept_
