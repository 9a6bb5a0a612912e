"""Validation: each function returns valid float64, or raises an error that says what to change."""

import numpy as np


def check_positive(name, value):
    """A finite float > 0."""
    value = check_scalar(name, value)
    if value <= 0:
        raise ValueError(f"{name} must be positive, got {value:g}; pass a value above 0.")
    return value


def check_non_negative(name, value):
    """A finite float ≥ 0."""
    value = check_scalar(name, value)
    if value < 0:
        raise ValueError(f"{name} must not be negative, got {value:g}; pass 0 or more.")
    return value


def check_count(name, value):
    """A finite float ≥ 1. Only ratios of sizes enter the formulas, so a size may be fractional."""
    value = check_scalar(name, value)
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value:g}; pass the number of rows.")
    return value


def check_scalar(name, value):
    """A finite float."""
    value = check_array(name, value, ndim=(0,))
    return float(value)


def check_array(name, value, *, ndim):
    """A finite float64 array with one of the given numbers of dimensions."""
    value = np.asarray(value, dtype=np.float64)
    if value.ndim not in ndim:
        wanted = " or ".join(f"{k}-dimensional" if k else "a scalar" for k in ndim)
        raise ValueError(f"{name} must be {wanted}, got shape {value.shape}; reshape it.")
    if not np.isfinite(value).all():
        raise ValueError(f"{name} contains NaN or infinity; drop or impute those entries.")
    return value


def check_source(source, coef, *, name):
    """Sources of shape (K, *coef.shape)."""
    source = check_array("source", source, ndim=(coef.ndim, coef.ndim + 1))
    if source.shape[-coef.ndim :] != coef.shape or source.size == 0:
        raise ValueError(
            f"source has shape {source.shape} but {name} has shape {coef.shape}; "
            f"pass one source of that shape, or K of them stacked along a first axis."
        )
    return source.reshape(-1, *coef.shape)


def check_covariance(covariance, n_features):
    """Eigenvalues of Σ, and its eigenvectors as columns (None if Σ is a vector)."""
    covariance = check_array("covariance", covariance, ndim=(1, 2))
    if covariance.shape not in {(n_features,), (n_features, n_features)}:
        raise ValueError(
            f"covariance has shape {covariance.shape}; pass the diagonal, shape ({n_features},), "
            f"or the matrix, shape ({n_features}, {n_features})."
        )
    eigenvalues, eigenvectors = covariance, None
    if covariance.ndim == 2:
        if np.abs(covariance - covariance.T).max() > 1e-8 * np.abs(covariance).max():
            raise ValueError("covariance is not symmetric; pass (covariance + covariance.T) / 2.")
        eigenvalues, eigenvectors = np.linalg.eigh(covariance)
    if eigenvalues.min() < -1e-8 * np.abs(eigenvalues).max():
        raise ValueError(
            f"covariance has the negative eigenvalue {eigenvalues.min():g}; clip its spectrum at 0."
        )
    if eigenvalues.max() <= 0:
        raise ValueError("covariance is zero, so there is no noise; pass a non-zero covariance.")
    return eigenvalues.clip(min=0), eigenvectors
