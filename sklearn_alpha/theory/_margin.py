"""The margin of an α-rescaled classifier: mean, variance, accuracy and the best α."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from ._alpha import homogeneous, join, split


@dataclass(frozen=True, eq=False)
class MarginAsymptotics:
    r"""Law of the margin y·f(x) of a test point, as a function of α.

    ::

        y·f(x) ~ N(m(α), V(α)),   m(α) = u₀ + uᵀα,   V(α) = ‖F(1, α)‖²

        accuracy(α) = Φ(m/√V)              risk(α) = E(1 − y·f(x))² = V + (1 − m)²
        second moment  ν(α) = V + m²

    m is affine and √V a norm in the homogeneous vector (1, α), so the accuracy has one best
    direction, ``(FᵀF)⁻¹u``, found by one small solve.

    ``accuracy`` is the plain share of correct predictions, the number a simulation returns. The
    paper [1]_ writes Φ(\|m\|/√V): it replaces every accuracy below ½ by its complement.

    Objects of this class come from `target_asymptotics`, `isotropic_asymptotics` and
    `ridge_source_asymptotics`.

    Attributes
    ----------
    mean : ndarray of shape (1 + K,)
        u, the coefficients of m in (1, α).
    spread : ndarray of shape (r, 1 + K)
        F, a factor of the quadratic form V in (1, α).
    delta, kappa : float
        δ and κ of the deterministic equivalent; h = 1 − κ.

    Notes
    -----
    In every method ``alpha`` is a scalar or an array of any shape for one source (K = 1), and
    has shape (..., K) for several. The result has the shape of ``alpha``, less the last axis
    where K > 1. Entries ±∞ stand for the limit along which those entries grow at equal speed.

    References
    ----------
    .. [1] El Firdoussi, Chayti, Seddik, Jaggi, "α-LoRA: Effective Fine-Tuning via Base Model
       Rescaling", arXiv 2510.21345.

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

    def accuracy(self, alpha):
        """Φ(m/√V), the probability that the sign of the prediction is right.

        Parameters
        ----------
        alpha : float or array-like
            Scale of the source(s). ±∞ is the source alone: the classifier without fine-tuning.

        Returns
        -------
        accuracy : float or ndarray
            In [0, 1]; ½ where the margin is zero throughout.
        """
        finite, direction = split(alpha, self.mean.size - 1)
        # A source that moves nothing (zero) has no limit of its own: it leaves the target's value.
        at_infinity = (homogeneous(0, direction) @ self.spread.T).any(axis=-1, keepdims=True)
        theta = np.where(at_infinity, homogeneous(0, direction), homogeneous(1, finite))
        # The accuracy is that of any multiple of (1, α): scaling keeps a huge α from overflow.
        theta = theta / np.abs(theta).max(axis=-1, keepdims=True)
        mean, deviation = theta @ self.mean, np.linalg.norm(theta @ self.spread.T, axis=-1)
        without_noise = np.where(mean == 0, 0.0, np.copysign(np.inf, mean))
        return ndtr(np.divide(mean, deviation, out=without_noise, where=deviation > 0))

    def margin_mean(self, alpha):
        """m(α) = u₀ + uᵀα, the mean margin of a test point.

        Parameters
        ----------
        alpha : float or array-like
            Scale of the source(s).

        Returns
        -------
        mean : float or ndarray
            In units of the labels ±1.
        """
        finite, direction = split(alpha, self.mean.size - 1)
        slope = direction @ self.mean[1:]
        limit = np.copysign(np.inf, slope)
        return np.where(slope == 0, homogeneous(1, finite) @ self.mean, limit)[()]

    def margin_variance(self, alpha):
        """V(α) = ‖F(1, α)‖², the variance of the margin of a test point.

        Parameters
        ----------
        alpha : float or array-like
            Scale of the source(s).

        Returns
        -------
        variance : float or ndarray
            In squared units of the labels ±1.
        """
        finite, direction = split(alpha, self.mean.size - 1)
        slope = (homogeneous(0, direction) @ self.spread.T).any(axis=-1)
        with np.errstate(over="ignore"):
            variance = ((homogeneous(1, finite) @ self.spread.T) ** 2).sum(axis=-1)
        return np.where(slope, np.inf, variance)[()]

    def margin_second_moment(self, alpha):
        """ν(α) = V + m², the second moment of the margin of a test point.

        Parameters
        ----------
        alpha : float or array-like
            Scale of the source(s).

        Returns
        -------
        second_moment : float or ndarray
            In squared units of the labels ±1.
        """
        with np.errstate(over="ignore"):
            return self.margin_variance(alpha) + self.margin_mean(alpha) ** 2

    def risk(self, alpha):
        """E(y − f(x))² = V + (1 − m)² = ν + 1 − 2m, the mean squared error on ±1 labels.

        Parameters
        ----------
        alpha : float or array-like
            Scale of the source(s).

        Returns
        -------
        risk : float or ndarray
            In squared units of the labels ±1; 1 is the risk of predicting 0.
        """
        with np.errstate(over="ignore"):
            return self.margin_variance(alpha) + (1 - self.margin_mean(alpha)) ** 2

    @property
    def optimal_alpha(self):
        """α*, where `accuracy` is largest: (1, α*) ∝ (FᵀF)⁻¹u.

        A float for one source, shape (K,) for several. Where the source alone beats every finite
        mixture with the target (possible for Σ ≠ I only) it is ±inf; with several sources the
        infinite entries then give the signs alone. Where α cannot matter it is 0, the target
        alone; among several optima (collinear sources) it is the one of least norm, in units of
        each source's own contribution to √V.
        """
        theta = _best_direction(self.mean, self.spread)
        if theta[0] > 0 or not theta.any():
            with np.errstate(over="ignore"):
                alpha = theta[1:] / (theta[0] or 1)
        else:
            # The best direction has the target's part reversed, which no α reaches: along the
            # way the accuracy rises all the way out to the sources' own best direction.
            direction = _best_direction(self.mean[1:], self.spread[:, 1:])
            alpha = np.where(direction == 0, 0, np.copysign(np.inf, direction))
        return join(alpha)

    @property
    def worst_alpha(self):
        """ᾱ = −u₀u/‖u‖², where the margin has mean 0 and the classifier is at chance.

        ``accuracy`` is ½ there and falls below ½ beyond it; for the paper's folded accuracy,
        max(accuracy, 1 − accuracy), ᾱ is the minimum. A float for one source. For several the
        chance level is a hyperplane, and this is its point of least norm, shape (K,). inf where
        no finite α is at chance (a zero source, or for Σ = I one orthogonal to the mean).
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
    r"""The theory in the eigenbasis of Σ, where every resolvent is a vector.

    ::

        w̄(α) = (C + τI)⁻¹(μ + ατ w̃),  C = Σ + μμᵀ        the mean weights: population ridge at τ
        m = μᵀw̄,   V = (w̄ᵀΣw̄ + κ(1 − m)²)/h

    The second term of V is fitted noise: the weights scatter around w̄ in proportion to the risk.
    Since risk = V + (1 − m)², V = w̄ᵀΣw̄ + κ·risk, solved for V. (ν = V + m² expands into the
    T₁ + αT₂ + α²T₃ of the paper; the sum of squares cannot turn negative by rounding.)
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
    """The θ that maximises meanᵀθ/‖spread θ‖, least norm in units of the columns of `spread`."""
    unit = np.linalg.norm(spread, axis=0)
    unit[unit == 0] = 1
    _, s, Vt = np.linalg.svd(spread / unit)
    s = np.append(s, np.zeros(len(Vt) - len(s)))
    coordinates = Vt @ (mean / unit)
    noisy = s > 1e-10 * s[0]
    free = np.where(noisy, 0, coordinates)
    if np.linalg.norm(free) > 1e-7 * np.linalg.norm(coordinates):
        best = free  # margin without variance: nothing beats it
    else:
        best = np.divide(coordinates, s**2, out=np.zeros_like(s), where=noisy)
    return Vt.T @ best / unit
