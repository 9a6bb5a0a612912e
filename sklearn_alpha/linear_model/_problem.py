"""What a rule reads: a target, its sources, a grid of γ, and a resolvent."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sklearn_alpha.linear_model._data.moments import PrimalMoments
from sklearn_alpha.linear_model._directions import source_scale, unit_combinations
from sklearn_alpha.linear_model._resolvents import (
    DualResolvent,
    KrylovResolvent,
    PrimalResolvent,
    choose_solver,
)
from sklearn_alpha.linear_model._target import Target

N_GAMMAS = 28
LOG_WIDTH = 5.0  # of the γ grid, on both sides of its centre


@dataclass(frozen=True, eq=False, kw_only=True)
class Problem(Target):
    """What is known before α and γ: a target, its sources, and what is asked.

    What a rule reads of it, the grid of γ and the resolvent, is made when it is first read. The
    resolvent speaks of Z: n_outputs columns of Y, then those of S/scale for each output, source by
    source.

    Attributes
    ----------
    W : ndarray of shape (n_outputs, n_sources, n_features)
        The sources' coefficients w̃.
    b : ndarray of shape (n_outputs, n_sources)
        The sources' intercepts b̃.
    balance : ndarray of shape (n_rows, n_outputs) or None
        Weights under which both codes of an output weigh the same; None in regression.
    solver : {"auto", "primal", "dual", "krylov"}
        The form of the resolvent, as asked for.
    grid : ndarray or None
        The γ's to choose from; None is a grid around the centre.
    log_odds : ndarray of shape (n_sources,)
        What brings each source's decision values to log odds; nan where its scale is unknown.
    has_intercept : ndarray of shape (n_sources,)
        Which sources have an intercept; that of an array of coefficients is unknown.
    is_classifier : bool
        Whether targets are codes.
    is_anchored : bool
        Whether the anchored rule is to choose, under which α is drawn to 1.
    may_hold : bool
        Whether the anchored rule may move the intercept of the sources.
    """

    W: np.ndarray
    b: np.ndarray
    balance: np.ndarray | None = None
    solver: str = "auto"
    grid: np.ndarray | None = None
    log_odds: np.ndarray | None = None
    has_intercept: np.ndarray | None = None
    is_classifier: bool = False
    is_anchored: bool = False
    may_hold: bool = False

    @cached_property
    def resolvent(self):
        """The `PrimalResolvent`, `DualResolvent` or `KrylovResolvent` of Z."""
        rows, form, gammas = self.rows, "primal", self.gammas
        if rows is None:
            moments = PrimalMoments.of_sums(self.sums, self.height, self.offset)
        else:
            form = choose_solver(rows.X) if self.solver == "auto" else self.solver
            if form == "primal":
                moments = PrimalMoments.of_rows(rows, self.Y)
        W, b = (self.W / self.scale[:, :, None]), self.b / self.scale
        if form == "primal":
            W = W.reshape(b.size, W.shape[2]).T
            resolvent = PrimalResolvent(moments, W, b.ravel(), gammas, self.n_left_out)
        else:
            Z = np.column_stack([self.Y, flat(self.S / self.scale)])
            if form == "krylov":
                resolvent = KrylovResolvent(rows, Z, gammas)
            else:
                resolvent = DualResolvent(rows, Z, gammas, self.n_left_out)
        return resolvent

    @cached_property
    def gammas(self):
        """The γ's to choose from, (n_gammas,): as given, or logarithmic around the centre."""
        if self.grid is not None:
            return self.grid
        return self.gamma_centre * np.exp(np.linspace(-LOG_WIDTH, LOG_WIDTH, N_GAMMAS))

    @cached_property
    def scale(self):
        """The size of each source (n_outputs, n_sources), as a power of two."""
        return source_scale(self.W, self.b)

    def with_targets(self, Y):
        """The problem of other targets, without sources."""
        n_outputs = Y.shape[1]
        return replace(
            self,
            Y=Y,
            W=np.zeros((n_outputs, 0, self.W.shape[2])),
            b=np.zeros((n_outputs, 0)),
            log_odds=np.zeros(0),
            has_intercept=np.zeros(0, dtype=bool),
        )

    def without_sources(self):
        """The problem of the same rows and sample, without sources."""
        problem = self.with_targets(self.Y)
        vars(problem)["_sample"] = self._sample
        return problem

    @cached_property
    def holds_intercept(self):
        """Whether the intercept of a regression is drawn to that of its sources, and not free."""
        return self.is_anchored and self.may_hold and self.in_target_units and self.W.any()

    @property
    def has_intercept_of_its_own(self):
        """Whether an adapter may have an intercept."""
        return self.may_hold or (self.height if self.rows is None else self.rows.height) != 0

    @property
    def in_target_units(self):
        """Whether all sources predict in the units of the target: arrays may be of any scale."""
        return not np.isnan(self.log_odds).any()

    @property
    def shape(self):
        """(n_outputs, n_sources)."""
        return self.b.shape

    @cached_property
    def S(self):
        """The sources' outputs X w̃ + b̃, (n_rows, n_outputs, n_sources)."""
        return self.rows.outputs(self.W, self.b)

    def less(self, coef, intercept, gammas):
        """The problem of y − (x coefᵀ + intercept) at γ's, without sources, of the same sample.

        coef (n_sets · n_outputs, n_features) and the intercepts have the outputs set after set.
        """
        copies = np.tile(np.eye(self.shape[0]), len(coef) // self.shape[0])
        read = self.sampled if self.rows is None else self.rows
        values = read.decisions(coef, intercept)
        sums = self.sums and self.sums.with_targets(copies).less(coef, intercept)
        problem = replace(self.with_targets(self.Y @ copies - values), sums=sums, grid=gammas)
        vars(problem)["_sample"] = self._sample
        return problem

    @cached_property
    def units(self):
        """For each output T (n_sources, m): the columns of √s S T are sources of norm 1.

        Sources that differ by a positive factor alone are one: a source counts once.
        """
        inner = self.resolvent.inner
        if self.is_centred:  # of sources that are constant on the rows there is only rounding
            size = (np.abs(self.W) @ np.abs(self.subtracted) + np.abs(self.b)) / self.scale
            least = np.append(np.zeros(self.shape[0]), self.n * self._rounding * size**2)
            varies = inner.diagonal() > least
            inner = inner * np.outer(varies, varies)
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

    def left_out(self, coefficients, gammas, probabilities, index, held=(0.0, 0.0)):
        """Σ P(γ) times the left-out residuals of Z C(γ).

        Parameters
        ----------
        coefficients : ndarray of shape (n_gammas, n_columns, m)
        gammas : ndarray of shape (n_gammas,)
        probabilities : ndarray of shape (..., n_gammas)
        index : ndarray of shape (n_index,)
            Numbers of the rows.
        held : (s, mean)
            Of an intercept that is held: the share s of the mean (m,) that it leaves.

        Returns
        -------
        residuals : ndarray of shape (..., n_index, m)
        """
        found = np.zeros((*probabilities.shape[:-1], len(index), coefficients.shape[2]))
        for which, at, residuals in self.resolvent.leave_one_out(
            coefficients, gammas, self.rows or self.sampled, self.Y, index, held
        ):
            mean = probabilities[..., which] @ residuals.reshape(len(residuals), -1)
            found[..., at, :] += mean.reshape(*mean.shape[:-1], *residuals.shape[1:])
        return found

    def subset(self, index):
        """The problem of some of the rows, by number."""
        return replace(
            self,
            rows=self.rows.part(index),
            Y=self.Y[index],
            balance=None if self.balance is None else self.balance[index],
            grid=self.gammas,
            n_left_out=0,
        )


def flat(values):
    """(n_rows, n_outputs, n_sources) as (n_rows, n_outputs · n_sources)."""
    return values.reshape(len(values), values.shape[1] * values.shape[2])
