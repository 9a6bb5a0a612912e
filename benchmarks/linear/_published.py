"""The ridge-source formula as published, uncorrected: only to reproduce the paper's own numbers.

Everything else uses `sklearn_alpha.theory.ridge_source_asymptotics`. The published form differs
from it in ‖w̃‖² alone, where it lacks two factors 1/h̃; see `published_source_moments`.

Reference: El Firdoussi, Chayti, Seddik, Jaggi, "α-LoRA: Effective Fine-Tuning via Base Model
Rescaling", arXiv 2510.21345.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr


class TableConstants(NamedTuple):
    """What the published table's α* takes from the data of a pair of domains."""

    beta: float
    m: float
    mu_perp: float


def table_constants(Xs, ys, Xt, yt):
    """β = ⟨v_s, v_t⟩/m², m² = |⟨mean(−1), mean(+1)⟩| of the source, μ_⊥ = ‖v_t − βv_s‖.

    v is half the difference of the class means. As published, *all* labels of the target domain
    enter, those of the test rows included: a leak that the published table contains.

    Parameters
    ----------
    Xs, Xt : ndarray of shape (n, p)
        All rows of the source and of the target domain, each z-scored over its own rows.
    ys, yt : ndarray of shape (n,)
        Labels −1 and +1.

    Returns
    -------
    constants : TableConstants
        β, m and μ_⊥.
    """
    negative, positive = Xs[ys == -1].mean(axis=0), Xs[ys == 1].mean(axis=0)
    v_s = (positive - negative) / 2
    v_t = (Xt[yt == 1].mean(axis=0) - Xt[yt == -1].mean(axis=0)) / 2
    m_squared = abs(negative @ positive)
    beta = v_s @ v_t / m_squared
    return TableConstants(
        beta=float(beta),
        m=float(np.sqrt(m_squared)),
        mu_perp=float(np.linalg.norm(v_t - beta * v_s)),
    )


def published_optimal_alpha(*, n_target, n_features, gamma_target, **source):
    """α* = η(1 + τ)⟨w̃, μ⟩ / (τ[λ‖μ‖²‖w̃‖² − (λ − η)⟨w̃, μ⟩²]), with the published ‖w̃‖².

    Parameters
    ----------
    n_target, n_features : int
        n and p.
    gamma_target : float
        γ.
    **source
        The other parameters of `published_source_moments`.

    Returns
    -------
    alpha : float
        The published α*; negative where the uncorrected ‖w̃‖² violates Cauchy–Schwarz.

    Examples
    --------
    >>> round(published_optimal_alpha(
    ...     n_source=600, n_target=600, n_features=600, m=1.5, mu_perp=1.0, beta=0.8,
    ...     gamma_source=0.1, gamma_target=1.0,
    ... ), 2)
    -1.58
    """
    M, t, G = published_source_moments(n_features=n_features, **source)
    eta = n_features / n_target
    tau = _effective_ridge(eta, gamma_target)
    lam = M + 1 + tau
    return float(eta * (1 + tau) * t / (tau * (lam * M * G - (lam - eta) * t**2)))


def published_accuracy(alpha, *, n_target, n_features, gamma_target, **source):
    """Φ(m(α)/√(ν − m²)) with the published ‖w̃‖²; the paper folds it at ½, taking |m|.

    `alpha` is an array of any shape; the other parameters are those of `published_optimal_alpha`.
    NaN where the uncorrected variance is negative.

    Examples
    --------
    >>> float(published_accuracy(
    ...     2.0, n_source=600, n_target=600, n_features=600, m=1.5, mu_perp=1.0, beta=0.8,
    ...     gamma_source=0.1, gamma_target=1.0,
    ... ).round(3))
    0.948
    """
    M, t, G = published_source_moments(n_features=n_features, **source)
    alpha = np.asarray(alpha, dtype=float)
    eta = n_features / n_target
    tau = _effective_ridge(eta, gamma_target)
    kappa, lam = eta / (1 + tau) ** 2, M + 1 + tau
    margin = (M + alpha * tau * t) / lam
    # ‖w̄‖² with w̄ = μ/λ + ατ(w̃ − μ⟨w̃, μ⟩/λ)/(1 + τ)
    weights = M / lam**2 + 2 * alpha * tau * t / lam**2
    weights = weights + (alpha * tau / (1 + tau)) ** 2 * (G - t**2 * (2 * lam - M) / lam**2)
    variance = (weights + kappa * (1 - margin) ** 2) / (1 - kappa)
    return ndtr(margin / np.sqrt(np.where(variance > 0, variance, np.nan)))


def published_source_moments(*, n_source, n_features, m, mu_perp, beta, gamma_source):
    """‖μ‖², ⟨w̃, μ⟩ and the published ‖w̃‖² = ‖μ_s‖²/λ² + (1 − h̃)(1 − 2‖μ_s‖²/λ).

    The correct ‖w̃‖² is (‖μ_s‖²/λ²)[(‖μ_s‖² + 1)/h̃ − ‖μ_s‖²] + ((1 − h̃)/h̃)(1 − 2‖μ_s‖²/λ).

    Parameters
    ----------
    n_source, n_features : int
        N and p.
    m, mu_perp : float
        ‖μ_s‖ and μ_⊥, in the published convention ‖μ‖² = β²‖μ_s‖² + (1 − β²)μ_⊥².
    beta : float
        β, the share of the source mean in the target mean.
    gamma_source : float
        γ_pre.
    """
    eta = n_features / n_source
    tau = _effective_ridge(eta, gamma_source)
    kappa, lam = eta / (1 + tau) ** 2, m**2 + 1 + tau
    mean_sqnorm = (beta * m) ** 2 + (1 - beta**2) * mu_perp**2
    return mean_sqnorm, beta * m**2 / lam, m**2 / lam**2 + kappa * (1 - 2 * m**2 / lam)


def _effective_ridge(eta, gamma):
    """τ = γ(1 + δ), the positive root of τ² + (1 − η − γ)τ − γ = 0."""
    q = eta + gamma - 1
    return (q + np.sqrt(q**2 + 4 * gamma)) / 2
