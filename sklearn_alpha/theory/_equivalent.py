"""Deterministic equivalents: what the random resolvent looks like once n and p are large.

With ``Q = (XᵀX/n + γI)⁻¹`` and rows of covariance Σ, one positive number stands for the sample,

    τ = γ + τ·tr[Σ(Σ + τI)⁻¹]/n        the effective ridge, τ = γ(1 + δ)
    κ = tr[Σ²(Σ + τI)⁻²]/n             the share of the risk that is fitted noise
    h = 1 − κ

and ``E Q = (1 + δ)(C + τI)⁻¹``, C the second moment of a row.
"""

from typing import NamedTuple

import numpy as np


class Equivalent(NamedTuple):
    """The four scalars of the equivalent; h is kept beside κ because 1 − κ would cancel."""

    tau: float
    delta: float
    kappa: float
    h: float


def isotropic_equivalent(ratio, gamma):
    """Σ = I: τ is the positive root of τ² + (1 − η − γ)τ − γ = 0, taken without cancellation."""
    q = ratio - 1 + gamma  # in this order, for at η = 1 the small γ alone is left
    root = np.hypot(q, 2 * np.sqrt(gamma))
    tau = (q + root) / 2 if q > 0 else 2 * gamma / (root - q)
    # The fixed point turns 1 − κ into a sum of positive terms: no loss at η = 1, γ → 0.
    return Equivalent(
        tau=tau,
        delta=tau / gamma * ratio / (1 + tau),
        kappa=ratio / (1 + tau) ** 2,
        h=gamma / tau + ratio * tau / (1 + tau) ** 2,
    )


def spectral_equivalent(eigenvalues, n_samples, gamma):
    """General Σ: Newton's method on f(τ) = τ − τ·tr[Σ(Σ + τI)⁻¹]/n − γ.

    f is convex and f(0) < 0 ≤ f(γ + tr Σ/n): from there Newton falls monotonically onto the one
    positive root, and the first step that no longer falls is rounding.
    """
    tau = gamma + eigenvalues.sum() / n_samples
    while True:
        shrinkage = eigenvalues / (eigenvalues + tau)
        # f(τ) + γ = τ·slack, and slack ≥ γ/τ right of the root: enforced, so that h > 0 too.
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
