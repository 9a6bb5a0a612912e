"""What a selection rule reads and what it returns, and the family w(α, γ) between them.

    w(α, γ) = α w̃ + a,    a = Q(γ) Xᵀ(y − αs)/n,    s = X w̃ + b̃

is linear in α: averages over γ and decision values at other rows follow from the two parts.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils.extmath import safe_sparse_dot

from sklearn_alpha.linear_model._resolvent import Rows, SpectralResolvent

N_GAMMAS = 28
LOG_WIDTH = 5.0  # of the γ grid, on both sides of its centre
TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class Task:
    """What is known before α and γ: rows, codes, and the source's weights and outputs.

    Parameters
    ----------
    rows : Rows
    Y : ndarray of shape (n_rows, n_outputs)
        Target values, or ±1 codes.
    S : ndarray of shape (n_rows, n_outputs, n_sources)
        The sources' outputs X w̃ + b̃.
    W : ndarray of shape (n_outputs, n_sources, n_features)
        The sources' coefficients w̃.
    balance : ndarray of shape (n_rows, n_outputs) or None
        Weights under which both codes of an output weigh the same; None in regression.
    solver : {"auto", "primal", "dual"}
    """

    rows: Rows
    Y: np.ndarray
    S: np.ndarray
    W: np.ndarray
    balance: np.ndarray | None
    solver: str

    @property
    def is_classifier(self):
        return self.balance is not None

    @cached_property
    def resolvent(self):
        return SpectralResolvent(self.rows, self.solver)

    @cached_property
    def rotated(self):
        """(Y, S) in the resolvent's eigenbasis."""
        return self.resolvent.rotate(self.Y), self.resolvent.rotate(self.S)

    @cached_property
    def gamma_centre(self):
        """tr(XXᵀ)/n²: where a target-only ridge is usually best."""
        return self.rows.trace / self.rows.n or 1.0

    @cached_property
    def units(self):
        """For each output T (n_sources, m): the columns of √s S T are sources of norm 1.

        Sources that differ by a positive factor alone are one: none counts for repeating.
        """
        S = self.rotated[1]
        return [
            unit_columns(np.concatenate([S.hat[:, c], S.rest[:, c]]))
            for c in range(self.Y.shape[1])
        ]

    @property
    def several_sources(self):
        return any(T.shape[1] > 1 for T in self.units)

    def subset(self, index):
        """The task on some of the rows."""
        rows = self.rows
        part = Rows(rows.X[index], rows.weights[index], rows.height, rows.unit[index])
        return replace(
            self,
            rows=part,
            Y=self.Y[index],
            S=self.S[index],
            balance=None if self.balance is None else self.balance[index],
        )

    def gammas(self, gammas):
        """The grid: as given, or logarithmic around the centre."""
        if gammas is not None:
            return np.asarray(gammas, dtype=np.float64)
        return self.gamma_centre * np.exp(np.linspace(-LOG_WIDTH, LOG_WIDTH, N_GAMMAS))


def unit_columns(columns):
    """T with columns @ T of norm one: none for a zero column, one for those that are parallel."""
    size = np.linalg.norm(columns, axis=0)
    groups = []
    for k in np.flatnonzero(size > TINY):
        unit = columns[:, k] / size[k]
        for group in groups:
            if np.linalg.norm(unit - group[0]) <= 1e-7:
                group[1].append(k)
                break
        else:
            groups.append((unit, [k]))
    T = np.zeros((len(size), len(groups)))
    for column, (_, members) in enumerate(groups):
        T[members, column] = 1 / (len(members) * size[members])
    return T


@dataclass
class Solution:
    """w = α w̃ + a with the intercept α b̃ + b, and how it was chosen.

    Attributes
    ----------
    alpha : ndarray of shape (n_outputs, n_sources)
    gamma : float
    a : ndarray of shape (n_outputs, n_features)
    b : ndarray of shape (n_outputs,)
    loo : ndarray of shape (n_rows, n_outputs)
        Decision values at left-out rows.
    path : Bunch
    """

    alpha: np.ndarray
    gamma: float
    a: np.ndarray
    b: np.ndarray
    loo: np.ndarray
    path: Bunch = field(default_factory=Bunch)


def flat(values):
    """(n_rows, n_outputs, n_sources) as (n_rows, n_outputs · n_sources)."""
    return values.reshape(len(values), values.shape[1] * values.shape[2])


def combine(values, alpha):
    """Σ_k values[..., k] α[..., k]."""
    return np.einsum("...ck,ck->...c", values, alpha)


def family(task, alphas, gammas, probabilities=(1.0,)):
    """The average over γ of w(α(γ), γ) = α w̃ + Q(γ) Xᵀ(y − αs)/n, with its leave-one-out values.

    Parameters
    ----------
    alphas : array-like of shape (n_gammas, n_outputs, n_sources)
    gammas, probabilities : array-like of shape (n_gammas,)
    """
    alphas, gammas, P = np.asarray(alphas), np.asarray(gammas), np.asarray(probabilities)
    alpha, gamma = np.tensordot(P, alphas, axes=1), float(P @ gammas)
    seen = P > 1e-14  # the rest of the grid does not show in the average
    alphas, gammas, P = alphas[seen], gammas[seen], P[seen] / P[seen].sum()
    Y, S = task.rotated
    residuals = [Y.map(lambda y, s, at=at: y - combine(s, at), S) for at in alphas]
    a, b = task.resolvent.adapter(residuals, gammas, P)
    left_out = task.resolvent.leave_one_out(residuals, gammas)
    loo = task.Y - sum(p * residual for p, residual in zip(P, left_out, strict=True))
    return Solution(alpha, gamma, a, b, loo)


def adapter_parts(task, gamma):
    """(a₀, b₀) and (a₁, b₁) of the adapter a₀ − αa₁ with the intercept b₀ − αb₁ at one γ.

    Shapes (n_outputs, n_features), (n_outputs,) and (n_outputs, n_sources, n_features), (n_outputs,
    n_sources).
    """
    Y, S = task.rotated
    both = Y.map(lambda y, s: np.column_stack([y, flat(s)]), S)
    a, b = task.resolvent.adapter([both], np.array([gamma]), np.ones(1))
    n, shape = task.Y.shape[1], task.S.shape[1:]
    return (a[:n], b[:n]), (a[n:].reshape(*shape, a.shape[1]), b[n:].reshape(shape))


def decision_parts(task, gamma, X, S):
    """f₀ and f₁ of the decision values f₀ + αf₁ at one γ on other rows X with source outputs S."""
    (a0, b0), (a1, b1) = adapter_parts(task, gamma)
    fitted = safe_sparse_dot(X, a1.reshape(b1.size, X.shape[1]).T, dense_output=True)
    f0 = safe_sparse_dot(X, a0.T, dense_output=True) + b0
    return f0, S - fitted.reshape(S.shape) - b1


def posterior(log_weights):
    """Weights that sum to one, from their logarithms."""
    P = np.exp(log_weights - log_weights.max())
    return P / P.sum()
