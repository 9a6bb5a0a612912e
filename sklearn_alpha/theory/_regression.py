"""Least-squares regression: the risk of an α-rescaled regressor."""

from dataclasses import dataclass

import numpy as np

from sklearn_alpha.theory._checks import (
    check_array,
    check_count,
    check_covariance,
    check_positive,
    check_source,
)
from sklearn_alpha.theory._docs import documented
from sklearn_alpha.theory._equivalent import isotropic_equivalent, spectral_equivalent
from sklearn_alpha.theory._homogeneous import homogeneous, join, split


@documented
@dataclass(frozen=True, eq=False)
class RegressionAsymptotics:
    r"""Test risk of an α-rescaled regressor, as a function of α.

    ::

        risk(α) = ‖F(1, α)‖² + Σσ²/h

    a quadratic form in the homogeneous vector (1, α) [1]_, and a part that does not depend on α.

    `regression_asymptotics` returns objects of this class.

    Attributes
    ----------
    spread : ndarray of shape (r, 1 + K)
        F, a factor of the part of the risk that depends on α.
    noise_risk : float
        Σσ²/h, the part of the risk that does not depend on α.
    {equivalent}

    {references}

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_alpha.theory import regression_asymptotics
    >>> coef = np.full(100, 0.1)
    >>> theory = regression_asymptotics(coef, coef / 2, n_samples=50, gamma=1.0, noise=0.5)
    >>> round(theory.optimal_alpha, 6)
    2.0
    >>> theory.risk([0, 1, 2]).round(3)
    array([0.905, 0.453, 0.302])
    """

    spread: np.ndarray
    noise_risk: float
    delta: float
    kappa: float

    @documented
    def risk(self, alpha):
        """E‖y − f(x)‖² of a test point, including the noise of its y, summed over the outputs.

        {alpha}
        risk : float or ndarray
            In squared units of y.
        """
        finite, direction = split(alpha, self.spread.shape[1] - 1)
        with np.errstate(over="ignore"):
            risk = ((homogeneous(1, finite) @ self.spread.T) ** 2).sum(axis=-1) + self.noise_risk
        unbounded = (homogeneous(0, direction) @ self.spread.T).any(axis=-1)
        return np.where(unbounded, np.inf, risk)[()]

    @property
    def optimal_alpha(self):
        """α*, where `risk` is smallest: a float for one source, shape (K,) for several.

        If the optimum is not unique (collinear or zero sources), this is the one of least norm, in
        units of each source's own contribution to the risk.
        """
        unit = np.linalg.norm(self.spread[:, 1:], axis=0)
        unit[unit == 0] = 1
        alpha = np.linalg.lstsq(self.spread[:, 1:] / unit, -self.spread[:, 0], rcond=1e-10)[0]
        return join(alpha / unit)


@documented
def regression_asymptotics(coef, source, *, n_samples, gamma, noise, covariance=None):
    r"""Test risk as a function of α for y = Wx + σε, x ~ N(0, Σ).

    ::

        τ = γ + τ·tr[Σ(Σ + τI)⁻¹]/n      κ = tr[Σ²(Σ + τI)⁻²]/n      P = τ²(Σ + τI)⁻¹Σ(Σ + τI)⁻¹

        risk(α) = ( tr[(αW̃ − W) P (αW̃ − W)ᵀ] + Σσ² )/(1 − κ)
        α* = tr(W P W̃ᵀ)/tr(W̃ P W̃ᵀ)

    For Σ = I, P is a multiple of the identity, and α* = tr(WW̃ᵀ)/tr(W̃W̃ᵀ) is the optimum of the
    paper [1]_. It then holds for every n and γ, and not only for the population. For other Σ, P → Σ
    as γ → ∞; at finite γ, directions of small variance have a larger weight. The risk curve and
    general Σ are extensions of this project.

    Parameters
    ----------
    coef : array-like of shape (p,) or (n_outputs, p)
        W, the true coefficients of the target.
    source : array-like of the shape of coef, or (K, \*coef.shape)
        W̃, the frozen coefficients of one source, or of K sources. All outputs share α.
    {n_samples}
    {gamma}
    noise : float or array-like of shape (n_outputs,)
        σ, the standard deviation of the noise on y, in units of y.
    covariance : array-like of shape (p,) or (p, p), default=None
        Σ, the covariance of x: None for the identity, a vector for a diagonal.

    Returns
    -------
    asymptotics : RegressionAsymptotics
        The risk as a function of α, and the α that minimises it.

    Raises
    ------
    ValueError
        If shapes do not match, an entry is not finite, γ ≤ 0, σ < 0, n < 1, or the covariance is
        not symmetric positive semi-definite.

    {references}

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_alpha.theory import regression_asymptotics
    >>> coef, source = np.array([1.0, 1.0]), np.array([1.0, 0.0])
    >>> kwargs = {"n_samples": 100, "gamma": 1.0, "noise": 0.1}
    >>> round(regression_asymptotics(coef, source, **kwargs).optimal_alpha, 6)
    1.0
    >>> kwargs["covariance"] = [[1.0, 0.9], [0.9, 1.0]]
    >>> round(regression_asymptotics(coef, source, **kwargs).optimal_alpha, 3)
    1.468
    """
    coef = check_array("coef", coef, ndim=(1, 2))
    source = check_source(source, coef, name="coef")
    n_samples = check_count("n_samples", n_samples)
    gamma = check_positive("gamma", gamma)
    noise = check_array("noise", noise, ndim=(0, 1))
    n_outputs, n_features = np.atleast_2d(coef).shape
    if noise.size not in {1, n_outputs} or noise.min() < 0:
        raise ValueError("noise must be one standard deviation >= 0, or one for each row of coef.")
    if covariance is None:
        eigenvalues, eigenvectors = np.ones(n_features), None
        equivalent = isotropic_equivalent(n_features / n_samples, gamma)
    else:
        eigenvalues, eigenvectors = check_covariance(covariance, n_features)
        equivalent = spectral_equivalent(eigenvalues, n_samples, gamma)
    if eigenvectors is not None:
        coef, source = coef @ eigenvectors, source @ eigenvectors
    root = equivalent.tau / (eigenvalues + equivalent.tau) * np.sqrt(eigenvalues)
    columns = np.vstack([-(coef * root).reshape(1, -1), (source * root).reshape(len(source), -1)])
    return RegressionAsymptotics(
        spread=np.linalg.qr(columns.T / np.sqrt(equivalent.h), mode="r"),
        noise_risk=float(np.broadcast_to(noise**2, n_outputs).sum() / equivalent.h),
        delta=float(equivalent.delta),
        kappa=float(equivalent.kappa),
    )
