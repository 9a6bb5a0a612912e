"""The Gaussian mixture of the theory, for a target domain and its sources."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import Bunch, check_array, check_random_state
from sklearn.utils._param_validation import Interval, validate_params

_SIZE = [Interval(Integral, 2, None, closed="left")]


@validate_params(
    {
        "n_source": _SIZE,
        "n_target": _SIZE,
        "n_features": _SIZE,
        "n_test": _SIZE,
        "n_sources": [Interval(Integral, 1, None, closed="left")],
        "source_norm": [Interval(Real, 0, None, closed="neither")],
        "orthogonal_norm": [Interval(Real, 0, None, closed="left")],
        "beta": ["array-like", Interval(Real, None, None, closed="neither")],
        "covariance": ["array-like", Interval(Real, -1, 1, closed="neither"), None],
        "class_balance": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_domain_transfer(
    n_source=1000,
    n_target=40,
    n_features=100,
    *,
    n_test=1000,
    n_sources=1,
    source_norm=1.0,
    orthogonal_norm=0.6,
    beta=0.8,
    covariance=None,
    class_balance=0.5,
    random_state=None,
):
    """Draw a source and a target from Gaussian mixtures whose means are related.

    ::

        x = yμ_s + Σ^{1/2}z  in the source,    x = yμ + Σ^{1/2}z  in the target,    μ = βμ_s + μ_⊥

    with y in {-1, +1}, z standard normal, and μ_⊥ orthogonal to μ_s. This is the model of [1]_,
    with any covariance Σ and any number K of sources: their means are mutually orthogonal,

    ::

        μ = Σₖ βₖ μₛₖ + μ_⊥,      ‖μ‖² = ‖μ_s‖² Σₖ βₖ² + ‖μ_⊥‖².

    Parameters
    ----------
    n_source : int, default=1000
        Number of rows of each source.

    n_target : int, default=40
        Number of labelled rows of the target.

    n_features : int, default=100
        Number of features p; at least `n_sources + 1`.

    n_test : int, default=1000
        Number of further rows of the target, to test on.

    n_sources : int, default=1
        Number of sources K.

    source_norm : float, default=1.0
        ‖μ_s‖, the norm of every source's mean.

    orthogonal_norm : float, default=0.6
        ‖μ_⊥‖, the norm of that part of the target's mean that no source knows of.

    beta : float or array-like of shape (n_sources,), default=0.8
        β, how much of each source's mean is in the target's: ⟨μ, μ_s⟩/‖μ_s‖². 0 makes a source
        unrelated to the target, a negative value opposed to it.

    covariance : None, float, or array-like of shape (p,) or (p, p), default=None
        Σ, common to all domains: the identity; the correlation ρ of neighbours,
        Σᵢⱼ = ρ^|i-j|; the variances of independent features; or the whole matrix.

    class_balance : float, default=0.5
        The share of rows of class +1 in every domain, rounded to a number of rows such that both
        classes occur.

    random_state : int, RandomState instance or None, default=None
        Determines the directions of the means and the rows. Pass an int for the same data at
        every call.

    Returns
    -------
    transfer : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes

        X_source : ndarray of shape (n_source, p), or list of K of them
            The rows of the source; a list if `n_sources` exceeds one.
        y_source : ndarray of shape (n_source,), or list of K of them
            Their labels, -1 or +1.
        X_target : ndarray of shape (n_target, p)
            The labelled rows of the target.
        y_target : ndarray of shape (n_target,)
            Their labels.
        X_test : ndarray of shape (n_test, p)
            Further rows of the target.
        y_test : ndarray of shape (n_test,)
            Their labels.
        source_mean : ndarray of shape (p,) or (K, p)
            μ_s.
        target_mean : ndarray of shape (p,)
            μ.
        covariance : None, or ndarray of shape (p,) or (p, p)
            Σ, in the form in which it was given; written out if it was given by ρ.

    Raises
    ------
    ValueError
        If a parameter is out of range, or `beta`, `covariance` and `n_features` do not fit.

    References
    ----------
    .. [1] A. El Firdoussi, E. M. Chayti, M. E. A. Seddik, M. Jaggi. α-LoRA: Effective Fine-Tuning
       via Base Model Rescaling. arXiv 2510.21345.

    Examples
    --------
    >>> from sklearn_alpha.datasets import make_domain_transfer
    >>> transfer = make_domain_transfer(beta=0.8, random_state=0)
    >>> transfer.X_source.shape, transfer.X_target.shape, transfer.X_test.shape
    ((1000, 100), (40, 100), (1000, 100))
    >>> float(round(transfer.target_mean @ transfer.source_mean, 6))
    0.8
    """
    if n_features <= n_sources:
        raise ValueError(
            f"'n_features' must exceed 'n_sources', for the means to be orthogonal; "
            f"got {n_features} and {n_sources}."
        )
    if isinstance(beta, Real):
        beta = np.full(n_sources, beta)
    beta = check_array(beta, ensure_2d=False, dtype=np.float64, input_name="beta")
    if beta.shape != (n_sources,):
        raise ValueError(
            f"'beta' must be a float or of shape ({n_sources},), one for each source; "
            f"got shape {beta.shape}."
        )
    covariance, colour = _colouring(covariance, n_features)
    rng = check_random_state(random_state)

    directions = np.linalg.qr(rng.standard_normal((n_features, n_sources + 1))).Q.T
    source_means = source_norm * directions[:-1]
    target_mean = beta @ source_means + orthogonal_norm * directions[-1]

    def draw(n, mean):
        n_positive = min(max(round(class_balance * n), 1), n - 1)
        y = rng.permutation(np.repeat([1, -1], [n_positive, n - n_positive]))
        return y[:, None] * mean + colour(rng.standard_normal((n, n_features))), y

    X_source, y_source = map(list, zip(*[draw(n_source, mean) for mean in source_means]))
    X_target, y_target = draw(n_target, target_mean)
    X_test, y_test = draw(n_test, target_mean)
    if n_sources == 1:
        [X_source], [y_source], [source_means] = X_source, y_source, source_means
    return Bunch(
        X_source=X_source,
        y_source=y_source,
        X_target=X_target,
        y_target=y_target,
        X_test=X_test,
        y_test=y_test,
        source_mean=source_means,
        target_mean=target_mean,
        covariance=covariance,
    )


def _colouring(covariance, p):
    """Return Σ as an array or None, and the function that takes rows z to rows Σ^{1/2}z."""
    if covariance is None:
        return None, lambda Z: Z
    if isinstance(covariance, Real):
        covariance = covariance ** np.abs(np.subtract.outer(range(p), range(p)))
    covariance = check_array(
        covariance, ensure_2d=False, dtype=np.float64, input_name="covariance", copy=True
    )
    if covariance.shape == (p,) and covariance.min() >= 0:
        return covariance, lambda Z: Z * np.sqrt(covariance)
    if covariance.shape == (p, p) and np.allclose(covariance, covariance.T):
        variances, axes = np.linalg.eigh(covariance)
        # Rounding may take the zero variances of a degenerate Σ slightly below zero.
        if variances[0] >= -1e-10 * variances[-1]:
            root = (axes * np.sqrt(variances.clip(0))) @ axes.T
            return covariance, lambda Z: Z @ root
    raise ValueError(
        f"'covariance' must be None, a correlation in (-1, 1), {p} variances of at least 0, or a "
        f"symmetric positive semi-definite matrix of shape ({p}, {p}); "
        f"got shape {covariance.shape}."
    )
