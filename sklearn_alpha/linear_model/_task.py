"""What a selection rule reads and what it returns, and the family w(α, γ) between them.

    w(α, γ) = α w̃ + a,    a = Q(γ) Xᵀ(y − αs)/n,    s = X w̃ + b̃

is linear in α: averages over γ and decision values at other rows follow from the two parts.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._krylov import KrylovResolvent
from sklearn_alpha.linear_model._resolvent import DualResolvent, Moments, PrimalResolvent
from sklearn_alpha.linear_model._rows import Rows

N_GAMMAS = 28
LOG_WIDTH = 5.0  # of the γ grid, on both sides of its centre
SAMPLE = 1000  # rows, at most, whose left-out values stand for those of all
LARGE = 3000  # rows and features of a sparse X, above which neither has a matrix of its own
TINY = np.finfo(np.float64).tiny


class Problem:
    """What the evidence reads: a resolvent of Z, and the shape of the sources.

    Z has n_outputs columns of Y, then those of S/scale for each output, source by source. A
    subclass gives `W`, `b`, `grid`, `trace` (that of XᵀSX/n) and `resolvent`.
    """

    @property
    def shape(self):
        """(n_outputs, n_sources)."""
        return self.b.shape

    @cached_property
    def scale(self):
        """The size of each source (n_outputs, n_sources), of which no square may overflow."""
        size = np.maximum(np.abs(self.W).max(axis=2, initial=0), np.abs(self.b))
        return np.exp2(np.frexp(np.where(size > TINY, size, 1.0))[1])

    @cached_property
    def gamma_centre(self):
        """tr(XXᵀ)/n²: where a target-only ridge is usually best."""
        return self.trace / self.n or 1.0

    @cached_property
    def gammas(self):
        """The grid: as given, or logarithmic around the centre."""
        if self.grid is not None:
            return np.asarray(self.grid, dtype=np.float64)
        return self.gamma_centre * np.exp(np.linspace(-LOG_WIDTH, LOG_WIDTH, N_GAMMAS))

    @cached_property
    def units(self):
        """For each output T (n_sources, m): the columns of √s S T are sources of norm 1.

        Sources that differ by a positive factor alone are one: none counts for repeating.
        """
        inner = self.resolvent.inner
        S = [slice(start, start + self.shape[1]) for start in self.starts]
        return [
            unit_combinations(inner[block, block]) / scale[:, None]
            for block, scale in zip(S, self.scale, strict=True)
        ]

    @property
    def starts(self):
        """The first column of each output's sources in Z."""
        n_outputs, n_sources = self.shape
        return [n_outputs + c * n_sources for c in range(n_outputs)]

    @property
    def identity(self):
        """C with ZC = [Y, S]."""
        return np.diag(np.append(np.ones(self.shape[0]), self.scale))

    def residual(self, alphas):
        """C with ZC = Y − Sα, (..., n_columns, n_outputs), for α's (..., n_outputs, n_sources)."""
        n_outputs, n_sources = self.shape
        C = np.zeros((*alphas.shape[:-2], n_outputs * (1 + n_sources), n_outputs))
        C[..., :n_outputs, :] = np.eye(n_outputs)
        for c, start in enumerate(self.starts):
            C[..., start : start + n_sources, c] = -alphas[..., c, :] * self.scale[c]
        return C

    @property
    def several_sources(self):
        return any(T.shape[1] > 1 for T in self.units)


@dataclass(frozen=True)
class Task(Problem):
    """What is known before α and γ: rows, codes, and the source's weights and outputs.

    Parameters
    ----------
    rows : Rows
    Y : ndarray of shape (n_rows, n_outputs)
        Target values, or ±1 codes.
    W : ndarray of shape (n_outputs, n_sources, n_features)
        The sources' coefficients w̃.
    b : ndarray of shape (n_outputs, n_sources)
        The sources' intercepts b̃.
    balance : ndarray of shape (n_rows, n_outputs) or None
        Weights under which both codes of an output weigh the same; None in regression.
    solver : {"auto", "primal", "dual", "krylov"}
    grid : ndarray or None
        The γ's to choose from; None for a grid around the centre.
    n_left_out : int
        How many rows will be left out, one at a time, at every γ: what pays for a reduction depends
        on it.
    """

    rows: Rows
    Y: np.ndarray
    W: np.ndarray
    b: np.ndarray
    balance: np.ndarray | None
    solver: str
    grid: np.ndarray | None
    n_left_out: int

    @property
    def is_classifier(self):
        return self.balance is not None

    @property
    def n(self):
        return self.rows.n

    @property
    def trace(self):
        return self.rows.trace

    @cached_property
    def S(self):
        """The sources' outputs X w̃ + b̃, (n_rows, n_outputs, n_sources)."""
        return self.rows.outputs(self.W, self.b)

    @property
    def _way(self):
        """The solver, or which one "auto" is."""
        n, p = self.rows.n_rows, self.rows.n_features
        if self.solver != "auto":
            return self.solver
        if issparse(self.rows.X) and min(n, p) > LARGE:
            return "krylov"
        return "dual" if n <= p else "primal"

    @cached_property
    def resolvent(self):
        rows, b, way = self.rows, self.b / self.scale, self._way
        if way == "primal":
            W = (self.W / self.scale[:, :, None]).reshape(b.size, rows.n_features).T
            moments = Moments.of(rows, self.Y)  # rows know their norms then, which γ's grid needs
            return PrimalResolvent(moments, W, b.ravel(), self.gammas.min(), self.n_left_out)
        Z = np.column_stack([self.Y, flat(self.S / self.scale)])
        if way == "krylov":
            return KrylovResolvent(rows, Z, self.gammas)
        return DualResolvent(rows, Z, self.gammas.min(), self.n_left_out)

    @cached_property
    def sample(self):
        """Numbers of the rows whose left-out values stand for those of all."""
        n = self.rows.n_rows
        if n <= SAMPLE:
            return np.arange(n)
        return np.sort(np.random.default_rng(0).choice(n, SAMPLE, replace=False))

    def left_out(self, coefficients, gammas, probabilities, index):
        """Σ P(γ) times the left-out residuals of Z C(γ).

        Parameters
        ----------
        coefficients : ndarray of shape (n_gammas, n_columns, m)
        gammas : ndarray of shape (n_gammas,)
        probabilities : ndarray of shape (..., n_gammas)
        index : ndarray of shape (n_index,)
            Numbers of the rows.

        Returns
        -------
        residuals : ndarray of shape (..., n_index, m)
        """
        found = np.empty((*probabilities.shape[:-1], len(index), coefficients.shape[2]))
        start = 0
        for residuals in self.resolvent.leave_one_out(
            coefficients, gammas, self.rows, self.Y, index
        ):
            stop = start + residuals.shape[1]
            found[..., start:stop, :] = np.tensordot(probabilities, residuals, axes=1)
            start = stop
        return found

    def subset(self, index):
        """The task on some of the rows."""
        return replace(
            self,
            rows=self.rows.part(index),
            Y=self.Y[index],
            balance=None if self.balance is None else self.balance[index],
            grid=self.gammas,
            n_left_out=0,
        )


def unit_combinations(inner):
    """T with TᵀAT of unit diagonal, of the inner products A of columns, as `unit_columns` of them.

    Of two columns only their cosine is known, to rounding.
    """
    size = np.sqrt(np.maximum(inner.diagonal(), 0))
    return group(size, lambda k, first: inner[k, first] >= (1 - 1e-12) * size[k] * size[first])


def unit_columns(columns):
    """T with columns @ T of norm one: none for a zero column, one for those that are parallel."""
    size = np.linalg.norm(columns, axis=0)
    return group(
        size,
        lambda k, first: (
            np.linalg.norm(columns[:, k] / size[k] - columns[:, first] / size[first]) <= 1e-7
        ),
    )


def group(size, parallel):
    """T with one column for all that are parallel to the first of them."""
    groups = []
    for k in np.flatnonzero(size > TINY):
        for members in groups:
            if parallel(k, members[0]):
                members.append(k)
                break
        else:
            groups.append([k])
    T = np.zeros((len(size), len(groups)))
    for column, members in enumerate(groups):
        T[members, column] = 1 / (len(members) * size[members])
    return T


@dataclass
class Solution:
    """w = α w̃ + a with the intercept α b̃ + b, and how it was chosen.

    Attributes
    ----------
    problem : Problem
    alpha : ndarray of shape (n_outputs, n_sources)
    gamma : float
    a : ndarray of shape (n_outputs, n_features)
    b : ndarray of shape (n_outputs,)
    left_out : callable
        Of numbers of rows: their decision values when left out, (n_index, n_outputs).
    path : Bunch
    estimate : callable or None
        The same, cheaper, and exact but for a quadrature over γ.
    """

    problem: Problem
    alpha: np.ndarray
    gamma: float
    a: np.ndarray
    b: np.ndarray
    left_out: Callable
    path: Bunch = field(default_factory=Bunch)
    estimate: Callable | None = None

    @cached_property
    def sampled(self):
        """Decision values of the sample, left out: all that an estimate needs."""
        sample = self.problem.sample
        exact = self.estimate is None or len(sample) == self.problem.rows.n_rows
        return (self.left_out if exact else self.estimate)(sample)


def flat(values):
    """(n_rows, n_outputs, n_sources) as (n_rows, n_outputs · n_sources)."""
    return values.reshape(len(values), values.shape[1] * values.shape[2])


def combine(values, alpha):
    """Σ_k values[..., k] α[..., k]."""
    return np.einsum("...ck,ck->...c", values, alpha)


def family(task, alphas, gammas, probabilities=(1.0,)):
    """The average over γ of w(α(γ), γ) = α w̃ + Q(γ) Xᵀ(y − αs)/n.

    Parameters
    ----------
    alphas : array-like of shape (n_gammas, n_outputs, n_sources)
    gammas, probabilities : array-like of shape (n_gammas,)
    """
    alphas, gammas, P = np.asarray(alphas), np.asarray(gammas), np.asarray(probabilities)
    alpha, gamma = np.tensordot(P, alphas, axes=1), float(P @ gammas)
    seen = P > 1e-14  # the rest of the grid does not show in the average
    alphas, gammas, P = alphas[seen], gammas[seen], P[seen] / P[seen].sum()
    C = task.residual(alphas)
    a, b = task.resolvent.adapter(C, gammas, P)
    return Solution(task, alpha, gamma, a, b, decisions_left_out(task, C, gammas, P))


def decisions_left_out(task, C, gammas, probabilities):
    """Of numbers of rows: the average over γ of their decision values when left out."""
    return lambda index: task.Y[index] - task.left_out(C, gammas, probabilities, index)


def adapter_parts(task, gamma):
    """(a₀, b₀) and (a₁, b₁) of the adapter a₀ − αa₁ with the intercept b₀ − αb₁ at one γ.

    Shapes (n_outputs, n_features), (n_outputs,) and (n_outputs, n_sources, n_features), (n_outputs,
    n_sources).
    """
    (n, n_sources), gammas = task.shape, np.array([gamma])
    a, b = task.resolvent.adapter(task.identity[None], gammas, np.ones(1))
    return (a[:n], b[:n]), (a[n:].reshape(n, n_sources, a.shape[1]), b[n:].reshape(task.shape))


def decision_parts(task, gamma, rows, S):
    """f₀ and f₁ of the decision values f₀ + αf₁ at one γ on other rows with source outputs S."""
    (a0, b0), (a1, b1) = adapter_parts(task, gamma)
    f0 = rows.outputs(a0[:, None], b0[:, None])[:, :, 0]
    return f0, S - rows.outputs(a1, b1)


def posterior(log_weights):
    """Weights that sum to one, from their logarithms."""
    P = np.exp(log_weights - log_weights.max())
    return P / P.sum()
