"""Classification with identity covariance: the theory from a few scalars."""

import numpy as np

from sklearn_alpha.theory._checks import (
    check_array,
    check_count,
    check_non_negative,
    check_positive,
    check_scalar,
)
from sklearn_alpha.theory._docs import documented
from sklearn_alpha.theory._equivalent import isotropic_equivalent
from sklearn_alpha.theory._margin import margin_asymptotics


@documented
def isotropic_asymptotics(*, mean_sqnorm, alignment, source_gram, ratio, gamma):
    r"""Accuracy as a function of α for x = yμ + z, z ~ N(0, I), from scalars.

    ::

        τ = γ(1 + δ),  τ² + (1 − η − γ)τ − γ = 0      κ = η/(1 + τ)²      λ = ‖μ‖² + 1 + τ

        m(α) = (‖μ‖² + ατ⟨w̃, μ⟩)/λ                   V(α) = (‖w̄‖² + κ(1 − m)²)/(1 − κ)
        α* = η(1 + τ)⟨w̃, μ⟩ / ( τ [λ‖μ‖²‖w̃‖² − (λ − η)⟨w̃, μ⟩²] )

    where w̄ = μ/λ + ατ(w̃ − μ⟨w̃, μ⟩/λ)/(1 + τ) are the mean weights. The result depends on the
    sample, the mean and the sources only through ‖μ‖², ⟨w̃, μ⟩, ‖w̃‖² and η, so estimates of these
    four are enough. For Σ = I the best α is always finite. The paper [1]_ has one source; several
    sources are an extension of this project.

    Parameters
    ----------
    mean_sqnorm : float
        ‖μ‖², the square of half the distance between the class means, in units of the noise.
    alignment : float or array-like of shape (K,)
        ⟨w̃, μ⟩ of each source.
    source_gram : float or array-like of shape (K, K)
        ‖w̃‖², or the inner products ⟨w̃ⱼ, w̃ₖ⟩ of the sources.
    ratio : float
        η = p/n, the number of features per target row.
    {gamma}

    {margin}

    Raises
    ------
    ValueError
        If a scalar is out of range or not finite, or if no vectors have these inner products:
        by Cauchy–Schwarz, ⟨w̃, μ⟩² ≤ ‖w̃‖²‖μ‖².

    {references}

    Examples
    --------
    >>> from sklearn_alpha.theory import isotropic_asymptotics
    >>> theory = isotropic_asymptotics(
    ...     mean_sqnorm=1.0, alignment=0.5, source_gram=1.0, ratio=4.0, gamma=0.5
    ... )
    >>> round(theory.optimal_alpha, 3)
    0.488
    """
    ratio, gamma = check_positive("ratio", ratio), check_positive("gamma", gamma)
    mean_sqnorm = check_non_negative("mean_sqnorm", mean_sqnorm)
    alignment = np.atleast_1d(check_array("alignment", alignment, ndim=(0, 1)))
    source_gram = np.atleast_2d(check_array("source_gram", source_gram, ndim=(0, 2)))
    if source_gram.shape != (alignment.size, alignment.size):
        raise ValueError(
            f"source_gram has shape {source_gram.shape} but alignment names {alignment.size} "
            f"source(s); pass one inner product for every pair of sources."
        )
    equivalent = isotropic_equivalent(ratio, gamma)
    mean, source = _representatives(mean_sqnorm, alignment, source_gram)
    return margin_asymptotics(mean, source, np.ones_like(mean), equivalent)


@documented
def ridge_source_asymptotics(
    *,
    n_source,
    n_target,
    n_features,
    source_mean_norm,
    orthogonal_norm,
    beta,
    gamma_source,
    gamma_target,
):
    r"""Accuracy as a function of α when the source is itself a ridge fit on N samples.

    ::

        source rows x = yμ_s + z,   target rows x = yμ + z,   μ = βμ_s + μ_⊥,   μ_⊥ ⊥ μ_s
        ‖μ‖² = β²‖μ_s‖² + ‖μ_⊥‖²

        ⟨w̃, μ⟩ → β‖μ_s‖²/λ_R
        ‖w̃‖²  → (‖μ_s‖²/λ_R²)[(‖μ_s‖² + 1)/h̃ − ‖μ_s‖²] + ((1 − h̃)/h̃)(1 − 2‖μ_s‖²/λ_R)

    λ_R and h̃ are λ and h = 1 − κ of `isotropic_asymptotics` for η = p/N, γ_pre and μ_s. For Σ = I
    ‖w̃‖² is the variance of the source's own margin. Both limits are therefore the theory at
    α = 0, applied to the source.

    **This differs from the paper** [1]_, whose ‖w̃‖² lacks the factors 1/h̃. The two formulas agree
    as p/N → 0. For N = n = p = 600, ‖μ_s‖ = 1.5, ‖μ_⊥‖ = .6, β = .8, γ_pre = .1, γ = 1 and α = 2
    the published formula gives an accuracy of .948; simulation and this function give .769.

    Parameters
    ----------
    n_source, n_target, n_features : int
        N, n and p.
    source_mean_norm : float
        ‖μ_s‖.
    orthogonal_norm : float
        ‖μ_⊥‖, the norm of the part of the target mean that is orthogonal to the source mean.
    beta : float
        β, the coefficient of the source mean in the target mean.
    gamma_source, gamma_target : float
        γ_pre and γ, each normalised by its own number of rows.

    {margin}

    Raises
    ------
    ValueError
        If a size is below 1, a penalty is not positive, a norm is negative, or a value is not
        finite.

    {references}

    Examples
    --------
    >>> from sklearn_alpha.theory import ridge_source_asymptotics
    >>> theory = ridge_source_asymptotics(
    ...     n_source=600, n_target=600, n_features=600, source_mean_norm=1.5,
    ...     orthogonal_norm=0.6, beta=0.8, gamma_source=0.1, gamma_target=1.0,
    ... )
    >>> round(theory.optimal_alpha, 3), theory.accuracy(2).round(3)
    (0.238, np.float64(0.769))
    """
    n_source = check_count("n_source", n_source)
    n_target = check_count("n_target", n_target)
    n_features = check_count("n_features", n_features)
    source_mean_norm = check_non_negative("source_mean_norm", source_mean_norm)
    orthogonal_norm = check_non_negative("orthogonal_norm", orthogonal_norm)
    beta = check_scalar("beta", beta)
    source = isotropic_asymptotics(
        mean_sqnorm=source_mean_norm**2,
        alignment=0,
        source_gram=0,
        ratio=n_features / n_source,
        gamma=check_positive("gamma_source", gamma_source),
    )
    return isotropic_asymptotics(
        mean_sqnorm=(beta * source_mean_norm) ** 2 + orthogonal_norm**2,
        alignment=beta * source.margin_mean(0),
        source_gram=source.margin_variance(0),
        ratio=n_features / n_target,
        gamma=check_positive("gamma_target", gamma_target),
    )


def _representatives(mean_sqnorm, alignment, source_gram):
    """μ = ‖μ‖e₀ and w̃ₖ in 1 + K dimensions, with the given inner products."""
    norm = np.sqrt(mean_sqnorm)
    along = np.divide(alignment, norm, out=np.zeros_like(alignment), where=norm > 0)
    across, vectors = np.linalg.eigh(source_gram - np.outer(along, along))
    size = max(source_gram.diagonal().max(), 0)
    if not np.allclose(source_gram, source_gram.T, rtol=0, atol=1e-7 * size):
        raise ValueError("source_gram is not symmetric; pass source @ source.T.")
    if across.min() < -1e-7 * size or (norm == 0 and alignment.any()):
        raise ValueError(
            "no vectors have these inner products: alignment**2 must not exceed "
            "mean_sqnorm * source_gram; shrink alignment or enlarge mean_sqnorm."
        )
    # A direction that vanishes up to rounding must not count as a real one.
    across[across < 1e-13 * size] = 0
    source = np.column_stack([along, vectors * np.sqrt(across)])
    return np.append(norm, np.zeros(alignment.size)), source
