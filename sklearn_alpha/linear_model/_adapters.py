"""What the target's rows add to a source, of which the anchored rule believes a share.

There is one adapter for each source that is asked, and for each member of a family:

    RidgeAdapters       Â_γ(v) = k(1 + γ/c) XQ(γ)Xᵀv/n of v = y − L/2, for each γ
    LogisticAdapters    zᵀB beside the log odds F, for more than two classes

Both have a `log_prior` (n_members,) of the members, and three methods. ``sampled()`` gives the
values of the sampled rows, each left out of its own fit, (n_asked, n_members, n_sample, n_outputs),
and ``left_out(index)`` those of other rows, by number. ``weighted(t)`` gives the coefficients and
the intercept of a weighted sum over all adapters.
"""

import numpy as np

from sklearn_alpha.linear_model._logistic import LogisticRows
from sklearn_alpha.linear_model._solution import posterior

# The γ's, in units of tr(XXᵀ)/n², and their prior, which is log-normal.
GAMMAS, CENTRE, WIDTH = np.array([1 / 36, 1, 36]), 10.0, 1.0
INFINITE = 1e8  # γ/c from which on an adapter is that of γ → ∞, and more would scale up rounding


class RidgeAdapters:
    """Ridge fits of codes less half of what the sources expect.

    Parameters
    ----------
    problem : Problem
    odds : list of SourceOdds
        Of the sources that are asked.
    """

    def __init__(self, problem, odds):
        centre, n_outputs = problem.gamma_centre, problem.shape[0]
        self.gammas = GAMMAS * centre if problem.grid is None else problem.grid
        log_prior = -((np.log(self.gammas / (CENTRE * centre)) / WIDTH) ** 2) / 2
        self.log_prior = log_prior - np.logaddexp.reduce(log_prior)
        coef, intercept = (
            np.concatenate(parts) for parts in zip(*(o.expected_codes() for o in odds))
        )
        self._problem = problem = problem.less(coef / 2, intercept / 2, self.gammas)
        while problem.resolvent.refine(self.gammas, posterior(log_prior)):
            pass
        c = problem.resolvent.sqnorm / (centre * problem.n) or 1.0
        if problem.has_equal_rows:
            c = np.inf  # rounding is not brought to size
        self._gammas = np.minimum(self.gammas, INFINITE * c)
        k = 2.0 if n_outputs == 1 else np.sqrt(n_outputs / 2)
        self._scale, self._n_asked = k * (1 + self._gammas / c), len(odds)
        n_columns, n_gammas = n_outputs * len(odds), len(self._gammas)
        self._fit_v = np.broadcast_to(np.eye(n_columns), (n_gammas, n_columns, n_columns))

    def sampled(self):
        return self.left_out(self._problem.sample)

    def left_out(self, index):
        problem, gammas = self._problem, self._gammas
        v = problem.Y[index]
        values = v - problem.left_out(self._fit_v, gammas, np.eye(len(gammas)), index)
        values *= self._scale[:, None, None]
        return np.stack(np.split(values, self._n_asked, axis=2))

    def weighted(self, t):
        problem, a, b = self._problem, 0.0, 0.0
        for fit_v, of_fit in zip(np.split(self._fit_v, self._n_asked, axis=2), t):
            one = problem.resolvent.adapter(fit_v, self._gammas, of_fit * self._scale)
            a, b = a + one[0], b + one[1]
        # the mean of centred rows is in b already
        return a, b - (0.0 if problem.is_centred else a @ problem.offset)


class LogisticAdapters:
    """Penalised logistic regressions of the sampled rows.

    Parameters
    ----------
    problem, odds
        As above.
    """

    log_prior = np.zeros(1)

    def __init__(self, problem, odds):
        self._problem = problem
        rows = LogisticRows(
            problem.sampled_less,
            has_intercept=problem.has_intercept_of_its_own,
            are_equal=problem.has_equal_rows,
        )
        self._fits = [rows.fit(one.F, one.labels) for one in odds]

    def sampled(self):
        return np.stack([fit.left_out for fit in self._fits])[:, None]

    def left_out(self, index):
        rows, subtracted = self._problem.rows.chosen(index), self._problem.subtracted
        parts = [
            rows.decisions(fit.coef, fit.intercept - fit.coef @ subtracted) for fit in self._fits
        ]
        return np.stack(parts)[:, None]

    def weighted(self, t):
        a = np.tensordot(t[:, 0], [fit.coef for fit in self._fits], axes=1)
        b = np.tensordot(t[:, 0], [fit.intercept for fit in self._fits], axes=1)
        return a, b - a @ self._problem.subtracted
