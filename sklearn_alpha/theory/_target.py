"""Accuracy of an α-rescaled classifier on a Gaussian mixture, for any source and covariance."""

from sklearn_alpha.theory._checks import (
    check_array,
    check_count,
    check_covariance,
    check_positive,
    check_source,
)
from sklearn_alpha.theory._docs import documented
from sklearn_alpha.theory._equivalent import spectral_equivalent
from sklearn_alpha.theory._isotropic import isotropic_asymptotics
from sklearn_alpha.theory._margin import margin_asymptotics


@documented
def target_asymptotics(mean, source, *, n_samples, gamma, covariance=None):
    r"""Accuracy as a function of α for x = yμ + Σ^{1/2}z, z ~ N(0, I).

    ::

        w(α) = αw̃ + Q(Xᵀ(y − αXw̃)/n),   Q = (XᵀX/n + γI)⁻¹     fitted on n rows of dimension p

        τ = γ + τ·tr[Σ(Σ + τI)⁻¹]/n      κ = tr[Σ²(Σ + τI)⁻²]/n      τ = γ(1 + δ), h = 1 − κ
        w̄ = (Σ + μμᵀ + τI)⁻¹(μ + ατw̃)   m = μᵀw̄   V = (w̄ᵀΣw̄ + κ(1 − m)²)/h

        accuracy(α) = Φ(m/√V)             risk(α) = V + (1 − m)²

    The formulas are exact in the limit of large n and p. From p ≈ 100 on, their error is within
    that of a simulation. The paper [1]_ treats Σ = I and one source; general Σ and several sources
    are extensions of this project. The accuracy is Φ(m/√V); the paper has Φ(\|m\|/√V).

    Parameters
    ----------
    mean : array-like of shape (p,)
        μ, half the difference of the class means.
    source : array-like of shape (p,) or (K, p)
        w̃, the weights of the frozen source(s), which must not depend on the target sample.
    {n_samples}
    {gamma}
    {covariance}

    {margin}

    Raises
    ------
    ValueError
        If shapes do not match, an entry is not finite, γ ≤ 0, n < 1, or the covariance is not
        symmetric positive semi-definite.

    {references}

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_alpha.theory import target_asymptotics
    >>> mean, source = np.full(100, 0.1), np.r_[np.full(50, 0.2), np.zeros(50)]
    >>> theory = target_asymptotics(mean, source, n_samples=50, gamma=1.0)
    >>> theory.accuracy([0, 1]).round(3)
    array([0.7  , 0.748])
    >>> round(theory.optimal_alpha, 3), round(theory.worst_alpha, 3)
    (0.441, -0.414)
    """
    mean = check_array("mean", mean, ndim=(1,))
    source = check_source(source, mean, name="mean")
    n_samples = check_count("n_samples", n_samples)
    gamma = check_positive("gamma", gamma)
    if covariance is None:
        return isotropic_asymptotics(
            mean_sqnorm=mean @ mean,
            alignment=source @ mean,
            source_gram=source @ source.T,
            ratio=mean.size / n_samples,
            gamma=gamma,
        )
    eigenvalues, eigenvectors = check_covariance(covariance, mean.size)
    if eigenvectors is not None:
        mean, source = mean @ eigenvectors, source @ eigenvectors
    equivalent = spectral_equivalent(eigenvalues, n_samples, gamma)
    return margin_asymptotics(mean, source, eigenvalues, equivalent)
