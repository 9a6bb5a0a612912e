"""What a rule reads: the sources, a grid of γ, a resolvent, and the rows where they are at hand."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sklearn_alpha.linear_model._data.array_api import make_rows
from sklearn_alpha.linear_model._data.moments import PrimalMoments
from sklearn_alpha.linear_model._data.rows import Rows
from sklearn_alpha.linear_model._resolvents import (
    DualResolvent,
    KrylovResolvent,
    PrimalResolvent,
    choose_solver,
)
from sklearn_alpha.linear_model._sources import source_scale, unit_combinations

N_GAMMAS = 28
LOG_WIDTH = 5.0  # of the γ grid, on both sides of its centre
SAMPLE = 1000  # rows, at most, whose left-out values stand for those of all


@dataclass(frozen=True, eq=False)
class Problem:
    """All that is known before α and γ; it is built as a whole, and then only read.

    `of_data` builds it from rows, `of_moments` from second moments. The columns of the resolvent
    are Z: the n_outputs columns of Y, then those of S/scale for each output, source by source.

    Attributes
    ----------
    W : ndarray of shape (n_outputs, n_sources, n_features)
        The sources' coefficients w̃.
    b : ndarray of shape (n_outputs, n_sources)
        The sources' intercepts b̃.
    scale : ndarray of shape (n_outputs, n_sources)
        The size of each source, as a power of two.
    gammas : ndarray of shape (n_gammas,)
        The γ's to choose from.
    gamma_centre : float
        tr(XXᵀ)/n²: where a target-only ridge is usually best.
    resolvent : PrimalResolvent, DualResolvent or KrylovResolvent
    rows : Rows or None
        None where second moments alone are left.
    Y : ndarray of shape (n_rows, n_outputs) or None
        Target values, or ±1 codes.
    balance : ndarray of shape (n_rows, n_outputs) or None
        Weights under which both codes of an output weigh the same; None in regression.
    solver : {"auto", "primal", "dual", "krylov"}
        The form of the resolvent, as asked for.
    """

    W: np.ndarray
    b: np.ndarray
    scale: np.ndarray
    gammas: np.ndarray
    gamma_centre: float
    resolvent: PrimalResolvent | DualResolvent | KrylovResolvent
    rows: Rows | None = None
    Y: np.ndarray | None = None
    balance: np.ndarray | None = None
    solver: str = "auto"

    @classmethod
    def of_data(cls, X, weights, height, unit, *, every_row=False, **problem):
        """The problem of rows in memory.

        Parameters
        ----------
        X : {array, sparse matrix} of shape (n_rows, n_features)
        weights, unit : ndarray of shape (n_rows,)
            As of `Rows`.
        height : {"auto"} or float
            As of `Rows`.
        every_row : bool
            Whether all rows will be left out, one at a time, or a sample of them.
        **problem
            As of `of_rows`.
        """
        n = len(weights)
        n_left_out = n if every_row or n <= SAMPLE else 0
        return cls.of_rows(make_rows(X, weights, height, unit), n_left_out=n_left_out, **problem)

    @classmethod
    def of_rows(cls, rows, *, Y, W, b, balance, solver, gammas, n_left_out=0):
        """The problem of weighted rows.

        Parameters
        ----------
        rows : Rows
        Y, W, b, balance
            As of the class.
        solver : {"auto", "primal", "dual", "krylov"}
        gammas : ndarray or None
            None for a grid around the centre.
        n_left_out : int
            How many rows will be left out, one at a time, at every γ: the best reduction depends on
            it.
        """
        scale, form = source_scale(W, b), choose_solver(rows.X) if solver == "auto" else solver
        if form == "primal":
            moments, rows = PrimalMoments.of_rows(rows, Y)
        gammas, centre = gamma_grid(gammas, rows.trace, rows.n)
        if form == "primal":
            resolvent = primal(moments, W, b, scale, gammas, n_left_out)
        else:
            Z = np.column_stack([Y, flat(rows.outputs(W, b) / scale)])
            if form == "krylov":
                resolvent = KrylovResolvent(rows, Z, gammas)
            else:
                resolvent = DualResolvent(rows, Z, gammas.min(), n_left_out)
        return cls(W, b, scale, gammas, centre, resolvent, rows, Y, balance, solver)

    @classmethod
    def of_moments(cls, sums, *, W, b, height, gammas):
        """The problem of second moments, where rows are gone.

        Parameters
        ----------
        sums : SecondMoments
        height : {"auto"} or float
            As of `Rows`.
        """
        p, scale = len(sums.origin), source_scale(W, b)
        spread, size = np.trace(sums.covariance[:p, :p]), sums.mean @ sums.mean
        trace = max(spread, 0.0) if height == np.inf else spread + size
        height = height if height != "auto" else np.sqrt((spread + size) / p) or 1.0
        gammas, centre = gamma_grid(gammas, trace, sums.n)
        moments = PrimalMoments.of_sums(sums, height)
        return cls(W, b, scale, gammas, centre, primal(moments, W, b, scale, gammas))

    @property
    def is_classifier(self):
        return self.balance is not None

    @property
    def n(self):
        return self.resolvent.n

    @property
    def shape(self):
        """(n_outputs, n_sources)."""
        return self.b.shape

    @cached_property
    def S(self):
        """The sources' outputs X w̃ + b̃, (n_rows, n_outputs, n_sources)."""
        return self.rows.outputs(self.W, self.b)

    @cached_property
    def sample(self):
        """Numbers of the rows whose left-out values stand for those of all."""
        n = self.rows.n_rows
        if n <= SAMPLE:
            return np.arange(n)
        return np.sort(np.random.default_rng(0).choice(n, SAMPLE, replace=False))

    @cached_property
    def units(self):
        """For each output T (n_sources, m): the columns of √s S T are sources of norm 1.

        Sources that differ by a positive factor alone are one: a source counts once.
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
        """The problem of some of the rows, by number."""
        return Problem.of_rows(
            self.rows.part(index),
            Y=self.Y[index],
            W=self.W,
            b=self.b,
            balance=None if self.balance is None else self.balance[index],
            solver=self.solver,
            gammas=self.gammas,
        )


def gamma_grid(gammas, trace, n):
    """The γ's as given, or logarithmic around the centre tr(XXᵀ)/n²; and the centre."""
    centre = trace / n or 1.0
    if gammas is None:
        gammas = centre * np.exp(np.linspace(-LOG_WIDTH, LOG_WIDTH, N_GAMMAS))
    return gammas, centre


def primal(moments, W, b, scale, gammas, n_left_out=0):
    """The resolvent from second moments."""
    W = (W / scale[:, :, None]).reshape(scale.size, W.shape[2]).T
    return PrimalResolvent(moments, W, (b / scale).ravel(), gammas.min(), n_left_out)


def flat(values):
    """(n_rows, n_outputs, n_sources) as (n_rows, n_outputs · n_sources)."""
    return values.reshape(len(values), values.shape[1] * values.shape[2])
