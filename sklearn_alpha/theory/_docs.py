"""Parts of docstrings that the functions of this folder share."""

from sklearn_alpha._docstrings import REFERENCES, shared

GAMMA = """\
gamma : float
    Ridge penalty, normalised by n (scikit-learn's ``Ridge(alpha)`` is n·γ)."""

N_SAMPLES = """\
n_samples : int
    n, the number of labelled target rows."""

COVARIANCE = """\
covariance : array-like of shape (p,) or (p, p), default=None
    Σ, the covariance of x within a class: None for the identity, a vector for a diagonal."""

# of the methods that are functions of α
ALPHA = """\
Parameters
----------
alpha : float or array-like
    Scale of the source(s): of any shape for one source, (..., K) for K sources. ±inf is the
    limit in which these entries grow at the same rate.

Returns
-------"""

EQUIVALENT = """\
delta, kappa : float
    δ and κ of the deterministic equivalent; h = 1 − κ."""

MARGIN = """\
Returns
-------
asymptotics : MarginAsymptotics
    Accuracy, risk and moments as functions of α."""

documented = shared(
    references=REFERENCES,
    gamma=GAMMA,
    n_samples=N_SAMPLES,
    covariance=COVARIANCE,
    alpha=ALPHA,
    equivalent=EQUIVALENT,
    margin=MARGIN,
)
