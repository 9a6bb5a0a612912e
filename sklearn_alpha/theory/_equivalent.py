"""Deterministic equivalents: the mean of the random resolvent for large n and p.

For ``Q = (XᵀX/n + γI)⁻¹`` and rows of covariance Σ, the equivalent depends on

    τ = γ + τ·tr[Σ(Σ + τI)⁻¹]/n        the effective ridge, τ = γ(1 + δ)
    κ = tr[Σ²(Σ + τI)⁻²]/n             the share of the risk that comes from fitted noise
    h = 1 − κ

and is ``E Q = (1 + δ)(C + τI)⁻¹``, where C is the second moment of a row.
"""

from typing import NamedTuple

import numpy as np


class Equivalent(NamedTuple):
    """The four scalars of the equivalent. h is stored because 1 − κ would lose digits."""

    tau: float
    delta: float
    kappa: float
    h: float


def isotropic_equivalent(ratio, gamma):
    """Σ = I: τ is the positive root of τ² + (1 − η − γ)τ − γ = 0, computed without cancellation."""
    q = ratio - 1 + gamma  # in this order, because a small γ would be lost at η = 1
    root = np.hypot(q, 2 * np.sqrt(gamma))
    tau = (q + root) / 2 if q > 0 else 2 * gamma / (root - q)
    # By the fixed point, 1 − κ is a sum of positive terms: no cancellation at η = 1, γ → 0.
    return Equivalent(
        tau=tau,
        delta=tau / gamma * ratio / (1 + tau),
        kappa=ratio / (1 + tau) ** 2,
        h=gamma / tau + ratio * tau / (1 + tau) ** 2,
    )


def spectral_equivalent(eigenvalues, n_samples, gamma):
    """General Σ: Newton's method on f(τ) = τ − τ·tr[Σ(Σ + τI)⁻¹]/n − γ.

    f is convex and f(0) < 0 ≤ f(γ + tr Σ/n). Newton's method starts at γ + tr Σ/n and decreases
    monotonically to the only positive root. A step that does not decrease τ is due to rounding.
    """
    tau = gamma + eigenvalues.sum() / n_samples
    while True:
        shrinkage = eigenvalues / (eigenvalues + tau)
        # f(τ) + γ = τ·slack. Right of the root slack ≥ γ/τ; enforcing it keeps h > 0.
        slack = max(1 - shrinkage.sum() / n_samples, gamma / tau)
        h = slack + (shrinkage * (tau / (eigenvalues + tau))).sum() / n_samples
        step = (tau * slack - gamma) / h
        if not step > 4 * np.finfo(float).eps * tau:
            break
        tau -= step
    return Equivalent(
        tau=tau,
        delta=tau / gamma * shrinkage.sum() / n_samples,
        kappa=(shrinkage**2).sum() / n_samples,
        h=h,
    )
