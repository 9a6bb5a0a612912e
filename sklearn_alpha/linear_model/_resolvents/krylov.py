"""The resolvent of a sparse X that is too large for any square matrix, from products alone.

It is :class:`DualResolvent` with K = MMᵀ/n never formed:

    quadratic, adapter   from one Krylov space of Z for all γ, which grows until the residuals are
                         at most `TOLERANCE` where γ has posterior weight. ZᵀGZ is approached from
                         below: the evidence of other γ is overstated, but stays negligible
    log_det, sqnorm      by stochastic Lanczos quadrature, with a standard error that includes half
                         the gap between an upper and a lower quadrature
    leave_one_out        of groups of rows, with one more space for each. All groups together cost
                         about as much as the fit does at `ROWS_AT_ONCE` rows, and no group has more
                         than a twentieth of the rows. Up to a few hundred rows each row is a group,
                         and the values are exact

Probes are drawn with a fixed seed, so that two fits are equal.
"""

import warnings
from functools import cached_property

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_alpha.linear_model._resolvents.dual import DualForm
from sklearn_alpha.linear_model._resolvents.lanczos import KrylovSpace, Quadrature

TOLERANCE = 1e-4  # of a residual relative to its column of Z, as in scikit-learn's Ridge
FIRST_TOLERANCE = 1e-2  # the same at the middle of the grid, for a first evidence
MOST_STEPS = 300
N_PROBES = 6
ROWS_AT_ONCE = 90_000


class KrylovResolvent(DualForm):
    """From products with X.

    Parameters
    ----------
    rows : Rows
        Weights may be zero.
    Z : ndarray of shape (n_rows, n_columns)
    gammas : ndarray of shape (n_gammas,)
        The γ's to come.
    steps : int or None
        The size of the space in steps; None lets it grow as needed.
    """

    def __init__(self, rows, Z, gammas, steps=None):
        super().__init__(rows, Z)
        self._values, self._gammas, self._steps = Z, gammas, steps
        self._warned = False

    def _product(self, columns):
        """K @ columns; where rows are centred, of columns without a part along √s."""
        rows = self.rows
        k, root = rows.height, rows.root[:, None]
        weighted = root * columns
        product = rows.dot(rows.rdot(weighted))
        if rows.centred:
            product -= rows.average(product)
        elif k:
            product += k**2 * weighted.sum(axis=0)
        product *= root / rows.n
        return product

    @cached_property
    def _basis(self):
        space = KrylovSpace(self._product, self._Z, self._steps or MOST_STEPS)
        if self._steps:
            space.grow(self._steps)
        middle = np.median(self._gammas, keepdims=True)
        while space.residuals(middle) > FIRST_TOLERANCE and not space.ended:
            space.grow(1)
        return space

    @property
    def _z(self):
        return self._basis.start

    def refine(self, gammas, probabilities):
        """Let the space grow where residuals at these γ are large for their weight.

        Returns whether it has grown: what was read before is then to be read again.
        """
        space = self._basis
        left = probabilities * space.residuals(gammas)
        worst = int(np.argmax(left))
        if self._steps or left[worst] <= TOLERANCE:
            return False
        if space.ended:
            self._warn(gammas[worst], left[worst])
            return False
        space.grow(1 + space.steps // 8)
        return True

    def _warn(self, gamma, residual):
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"The Krylov space has not converged at gamma={gamma:.2g}: after {MOST_STEPS} "
                f"steps a residual of {residual:.1g} is left, not {TOLERANCE:.0e}. Pass larger "
                "gammas, bring the features to one scale, or pass solver='primal' or 'dual' where "
                "there is memory for a square matrix of the features or of the rows.",
                ConvergenceWarning,
                stacklevel=2,
            )

    def adapter(self, coefficients, gammas, probabilities):
        """Σ_γ P(γ) A(γ)C(γ), as in :class:`DualResolvent`; the space grows as it has to."""
        while self.refine(gammas, probabilities):
            pass
        return super().adapter(coefficients, gammas, probabilities)

    @cached_property
    def _quadrature(self):
        """Without the Ritz vectors that have converged, and the constant of centred rows."""
        rows, (U, found) = self.rows, self._basis.found
        trace = rows.trace
        if rows.centred:
            U, found = np.column_stack([U, rows.root / np.sqrt(rows.n)]), np.append(found, 0.0)
        else:
            trace = trace + rows.height**2
        # small problems afford more probes
        n_probes = min(N_PROBES * max(ROWS_AT_ONCE // rows.n_rows, 1), rows.n_rows + 1)
        probes = np.random.default_rng(0).choice([-1.0, 1.0], size=(rows.n_rows, n_probes))
        probes -= U @ (U.T @ probes)
        return Quadrature(self._product, trace, probes, found, self._gammas)

    @cached_property
    def sqnorm(self):
        """‖XᵀSX/n‖² (Frobenius), without the constant column."""
        (square,), _ = self._quadrature.trace(lambda x: x[..., None] ** 2)
        rows, k = self.rows, 0.0 if self.centred else self.rows.height
        return max(square - 2 * k**2 * (rows.mean @ rows.mean) - k**4, 0.0)

    def _log_det(self, gammas):
        return self._quadrature.trace(lambda x: np.log1p(x[..., None] / gammas))

    def log_det(self, gammas):
        """log det G(γ) for each γ, as in :class:`DualResolvent`, estimated."""
        return -(self.n - self.centred) * np.log(gammas) - self._log_det(gammas)[0]

    def log_det_error(self, gammas):
        """Standard error of `log_det`."""
        return self._log_det(gammas)[1]

    def leave_one_out(self, coefficients, gammas, rows, Y, index, held=(0.0, 0.0)):
        """As in :class:`DualResolvent`, but rows are left out in groups; n·γ is held.

        The rest of centred rows is centred anew, which shows only where the intercept is held.
        """
        residuals, n, (s, _) = self._values[index] @ coefficients, rows.n_rows, held
        n_groups = min(max(ROWS_AT_ONCE // n, -(-20 * len(index) // n)), len(index))
        for start in range(n_groups):
            members = slice(start, None, n_groups)
            group, weights = index[members], rows.weights.copy()
            weights[group] -= rows.unit[group]
            if not weights.any():  # no row is left to fit
                continue
            rest = rows.reweighted(weights)
            same = gammas * rows.n / rest.n  # n·γ is
            without = KrylovResolvent(rest, self._values, same, self._basis.steps)
            for at, (C, gamma) in enumerate(zip(coefficients, same, strict=True)):
                a, b = without.adapter(C[None], gamma[None], np.ones(1))
                # the mean of centred rows is in b already
                b = b - s * without.means @ C - (0.0 if rest.centred else a @ rest.offset)
                residuals[at, members] -= rows.X[group] @ a.T + b
        yield slice(None), slice(None), residuals
