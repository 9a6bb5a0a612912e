"""The margin of an α-rescaled classifier: mean, variance, accuracy and the best α."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from sklearn_alpha.theory._docs import documented
from sklearn_alpha.theory._homogeneous import homogeneous, join, split


@documented
@dataclass(frozen=True, eq=False)
class MarginAsymptotics:
    r"""Distribution of the margin y·f(x) of a test point, as a function of α.

    ::

        y·f(x) ~ N(m(α), V(α)),   m(α) = u₀ + uᵀα,   V(α) = ‖F(1, α)‖²

        accuracy(α) = Φ(m/√V)              risk(α) = E(1 − y·f(x))² = V + (1 − m)²
        second moment  ν(α) = V + m²

    In the homogeneous vector (1, α), m is linear and √V is a norm. The accuracy is therefore
    largest in the direction ``(FᵀF)⁻¹u``, which takes one small linear solve.

    ``accuracy`` is the expected share of correct predictions. The paper [1]_ has Φ(\|m\|/√V)
    instead, which replaces every accuracy below ½ by its complement.

    `target_asymptotics`, `isotropic_asymptotics` and `ridge_source_asymptotics` return objects of
    this class.

    Attributes
    ----------
    mean : ndarray of shape (1 + K,)
        u, the coefficients of m in (1, α).
    spread : ndarray of shape (r, 1 + K)
        F, a factor of the quadratic form V in (1, α).
    {equivalent}

    Notes
    -----
    In every method ``alpha`` is a scalar or an array of any shape for one source (K = 1), and
    has shape (..., K) for several. The result has the shape of ``alpha``, without the last axis
    if K > 1. Entries ±inf stand for the limit in which these entries grow at the same rate.

    {references}

    Examples
    --------
    >>> from sklearn_alpha.theory import isotropic_asymptotics
    >>> theory = isotropic_asymptotics(
    ...     mean_sqnorm=1.0, alignment=0.8, source_gram=1.0, ratio=2.0, gamma=1.0
    ... )
    >>> theory.accuracy([0, 1, theory.optimal_alpha]).round(3)
    array([0.7  , 0.775, 0.776])
    """

    mean: np.ndarray
    spread: np.ndarray
    delta: float
    kappa: float

    @documented
    def accuracy(self, alpha):
        """Φ(m/√V), the probability that the predicted sign is correct.

        At α = ±inf it is the accuracy of the source alone, without fine-tuning.

        {alpha}
        accuracy : float or ndarray
            In [0, 1]; ½ if the margin is always zero.
        """
        finite, direction = split(alpha, self.mean.size - 1)
        # A source of zeros has no limit; the accuracy is then that of the target.
        at_infinity = (homogeneous(0, direction) @ self.spread.T).any(axis=-1, keepdims=True)
        theta = np.where(at_infinity, homogeneous(0, direction), homogeneous(1, finite))
        # The accuracy is the same for every multiple of (1, α); scaling avoids overflow.
        theta = theta / np.abs(theta).max(axis=-1, keepdims=True)
        mean, deviation = theta @ self.mean, np.linalg.norm(theta @ self.spread.T, axis=-1)
        without_noise = np.where(mean == 0, 0.0, np.copysign(np.inf, mean))
        return ndtr(np.divide(mean, deviation, out=without_noise, where=deviation > 0))

    @documented
    def margin_mean(self, alpha):
        """m(α) = u₀ + uᵀα, the mean margin of a test point.

        {alpha}
        mean : float or ndarray
            In units of the labels ±1.
        """
        finite, direction = split(alpha, self.mean.size - 1)
        slope = direction @ self.mean[1:]
        limit = np.copysign(np.inf, slope)
        return np.where(slope == 0, homogeneous(1, finite) @ self.mean, limit)[()]

    @documented
    def margin_variance(self, alpha):
        """V(α) = ‖F(1, α)‖², the variance of the margin of a test point.

        {alpha}
        variance : float or ndarray
            In squared units of the labels ±1.
        """
        finite, direction = split(alpha, self.mean.size - 1)
        slope = (homogeneous(0, direction) @ self.spread.T).any(axis=-1)
        with np.errstate(over="ignore"):
            variance = ((homogeneous(1, finite) @ self.spread.T) ** 2).sum(axis=-1)
        return np.where(slope, np.inf, variance)[()]

    @documented
    def margin_second_moment(self, alpha):
        """ν(α) = V + m², the second moment of the margin of a test point.

        {alpha}
        second_moment : float or ndarray
            In squared units of the labels ±1.
        """
        with np.errstate(over="ignore"):
            return self.margin_variance(alpha) + self.margin_mean(alpha) ** 2

    @documented
    def risk(self, alpha):
        """E(y − f(x))² = V + (1 − m)² = ν + 1 − 2m, the mean squared error on ±1 labels.

        {alpha}
        risk : float or ndarray
            In squared units of the labels ±1; 1 is the risk of predicting 0.
        """
        with np.errstate(over="ignore"):
            return self.margin_variance(alpha) + (1 - self.margin_mean(alpha)) ** 2

    @property
    def optimal_alpha(self):
        """α*, where `accuracy` is largest: (1, α*) ∝ (FᵀF)⁻¹u.

        A float for one source, an array of shape (K,) for several. It is ±inf if the source alone
        is better than every finite α, which is only possible for Σ ≠ I; the infinite entries of
        several sources then only give signs. It is 0, the target alone, if α has no effect. If the
        optimum is not unique (collinear sources), it is the one of least norm, in units of each
        source's own contribution to √V.
        """
        theta = _best_direction(self.mean, self.spread)
        if theta[0] > 0 or not theta.any():
            with np.errstate(over="ignore"):
                alpha = theta[1:] / (theta[0] or 1)
        else:
            # The best direction reverses the target, and no α reaches it. The accuracy then
            # increases up to the best direction of the sources alone, at infinity.
            direction = _best_direction(self.mean[1:], self.spread[:, 1:])
            alpha = np.where(direction == 0, 0, np.copysign(np.inf, direction))
        return join(alpha)

    @property
    def worst_alpha(self):
        """ᾱ = −u₀u/‖u‖², where the margin has mean 0 and the classifier is at chance.

        ``accuracy`` is ½ at ᾱ and below ½ beyond it. The paper's max(accuracy, 1 − accuracy) has
        its minimum at ᾱ. For one source it is a float. For several, the α at chance form a
        hyperplane, and this is its point of least norm, of shape (K,). It is inf if no finite α is
        at chance: for a source of zeros or, if Σ = I, a source orthogonal to the mean.
        """
        target, source = self.mean[0], self.mean[1:]
        if target == 0:
            return join(np.zeros_like(source))
        scale = np.abs(source).max()
        if scale == 0:
            return join(np.full_like(source, np.inf))
        unit = source / scale
        with np.errstate(over="ignore"):
            return join(-(target / scale) * unit / (unit @ unit))


def margin_asymptotics(mean, source, eigenvalues, equivalent):
    r"""The theory in the eigenbasis of Σ, in which every resolvent is diagonal.

    ::

        w̄(α) = (C + τI)⁻¹(μ + ατ w̃),  C = Σ + μμᵀ        the mean weights: population ridge at τ
        m = μᵀw̄,   V = (w̄ᵀΣw̄ + κ(1 − m)²)/h

    The weights vary around w̄ in proportion to the risk: V = w̄ᵀΣw̄ + κ·risk. With
    risk = V + (1 − m)² this gives V. The paper expands ν = V + m² into T₁ + αT₂ + α²T₃; the sum of
    squares used here cannot become negative by rounding.
    """
    tau, delta, kappa, h = equivalent
    fit = mean / (eigenvalues + tau)
    rho = mean @ fit
    overlap = source @ fit
    weights = np.vstack([fit / (1 + rho), tau * source / (eigenvalues + tau)])
    weights[1:] -= tau * np.outer(overlap, weights[0])
    u = np.append(rho, tau * overlap) / (1 + rho)
    residual = np.append(1, -tau * overlap) / (1 + rho)  # 1 − m, without cancellation
    spread = np.vstack([(np.sqrt(eigenvalues) * weights).T, np.sqrt(kappa) * residual])
    spread = np.linalg.qr(spread / np.sqrt(h), mode="r")
    return MarginAsymptotics(mean=u, spread=spread, delta=float(delta), kappa=float(kappa))


def _best_direction(mean, spread):
    """The θ that maximises meanᵀθ/‖spread θ‖, of least norm in units of `spread`'s columns."""
    unit = np.linalg.norm(spread, axis=0)
    unit[unit == 0] = 1
    _, s, Vt = np.linalg.svd(spread / unit)
    s = np.append(s, np.zeros(len(Vt) - len(s)))
    coordinates = Vt @ (mean / unit)
    noisy = s > 1e-10 * s[0]
    free = np.where(noisy, 0, coordinates)
    if np.linalg.norm(free) > 1e-7 * np.linalg.norm(coordinates):
        best = free  # a margin without variance, which is always correct
    else:
        best = np.divide(coordinates, s**2, out=np.zeros_like(s), where=noisy)
    return Vt.T @ best / unit
