"""The regressor: validation, shapes of targets and fitted attributes."""

import warnings

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if

from sklearn_alpha._docstrings import REFERENCES, REPORT, RULES_OF_SELECTION, shared
from sklearn_alpha._fitting import all_or_nothing
from sklearn_alpha.linear_model._base import AlphaTransfer
from sklearn_alpha.linear_model._conformal import IntervalMixin, residual_rows
from sklearn_alpha.linear_model._data import is_dask
from sklearn_alpha.linear_model._data.array_api import like
from sklearn_alpha.linear_model._data.validation import check_rows, check_rows_like, columns_of
from sklearn_alpha.linear_model._distributed import moments_of_dask
from sklearn_alpha.linear_model._incremental import add_chunk, read_chunk
from sklearn_alpha.linear_model._posterior import Posterior
from sklearn_alpha.linear_model._report import left_out_r2, report_of_rows, squared_error_gain
from sklearn_alpha.linear_model._rules import has_partial_fit
from sklearn_alpha.linear_model._solution import every_left_out

IMPLAUSIBLE = 50.0  # standard deviations of y


@shared(references=REFERENCES, rules=RULES_OF_SELECTION, report=REPORT)
class AlphaTransferRegressor(IntervalMixin, RegressorMixin, AlphaTransfer):
    """Linear regression that rescales a frozen source and adds a small adapter.

    ::

        w(α, γ) = α w̃ + a,    a = argmin (1/n)‖X(α w̃ + a) − y‖² + γ‖a‖²
                = Q (Xᵀy/n + αγ w̃),                Q = (XᵀX/n + γI)⁻¹

    w̃ are the weights of the source. Each target has its own α for each source, and all share γ.
    α = 0 is ridge, and α = 1 is ordinary fine-tuning [1]_. By default α and b are drawn to 1 and 0,
    the source as it is, by a prior that evidence overrules::

        y − αs ~ N(0, τ²(XXᵀ/(nγ) + I + κ11ᵀ)),   α ~ N(1, τ²κ'/var(s)),   s = Xw̃ + b̃

    averaged over the posterior of γ, κ and κ'.

    Parameters
    ----------
    source : ndarray, tuple, estimator, list of these, or None, default=None
        The frozen source: a fitted linear regressor, or a search whose best estimator is one; a
        ``torch.nn.Linear``; coefficients of shape (n_features,) or (n_outputs, n_features); or a
        pair (coefficients, intercept). A list holds several sources. None is ridge without a
        source. `clone` keeps the source fitted.
    alpha : {"auto"}, float or array-like, default="auto"
        As in :class:`AlphaTransferClassifier`.
    gamma : {"auto"} or float, default="auto"
        As in :class:`AlphaTransferClassifier`.
    selection : str, default="anchored"
        How "auto" values are chosen:

        {rules}

        Here "generative" shrinks the covariance of y and x, and "theory" takes the least risk that
        random matrix theory predicts. Under "anchored" the α of several sources is drawn to their
        mean. That of an array is drawn to 0, with a flat prior of κ', because its units are not
        known.
    gammas : array-like, default=None
        Grid of γ. None is 28 values around tr(XXᵀ)/n².
    alphas : array-like, default=None
        Grid of α for "loo" and "cv", the same α for all targets and sources. None is as in
        :class:`AlphaTransferClassifier`.
    cv : int, splitter or iterable, default=None
        Folds of "cv"; None is 5. If a fold is a single row, as in `LeaveOneOut`, the left-out
        values of all folds are scored together.
    scoring : str or callable, default=None
        Score of "loo" (None: minus the squared error) and "cv" (None: R²).
    fit_intercept : bool, default=True
        Whether to fit b in the intercept α b̃ + b.
    intercept_scaling : {"auto"} or float, default="auto"
        With "auto", "anchored" holds b near zero, so that the intercept is near the source's,
        unless the rows speak for another one. Elsewhere, and without a source, "auto" leaves b
        free, as ``np.inf`` and `Ridge` do. A number puts b under the penalty γ, as in
        :class:`AlphaTransferClassifier`.
    solver : {"auto", "primal", "dual", "krylov"}, default="auto"
        As in :class:`AlphaTransferClassifier`.
    store_loo : bool, default=False
        Whether `fit` sets `loo_decision_function_`.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features)
        α w̃ + a.
    intercept_ : float or ndarray of shape (n_outputs,)
        α b̃ + b.
    alpha_ : ndarray of shape (n_outputs, n_sources)
        α of each source; 1 is the source's own units.
    gamma_ : float
        As in :class:`AlphaTransferClassifier`.
    source_coef_ : ndarray of shape (n_outputs, n_sources, n_features)
    source_intercept_ : ndarray of shape (n_outputs, n_sources)
    loo_decision_function_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Prediction at each row with the adapter fitted without it. Present if `store_loo`.
    best_score_ : float
        R² of the left-out values of all rows, or of 300 random ones where there are more, as
        of `RidgeCV`: an estimate of `score`, but for the choice of α and γ on the same
        rows. Absent after `partial_fit` and Dask.
    {report}
    path_ : Bunch
        How the choice was made, as in :class:`AlphaTransferClassifier`; of "anchored", what
        "evidence" has.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)

    See Also
    --------
    AlphaTransferClassifier : The same for classes; its notes on arrays of other libraries hold.
    sklearn.linear_model.Ridge : The same as α = 0.

    {references}

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_alpha import AlphaTransferRegressor
    >>> rng = np.random.default_rng(0)
    >>> X, w = rng.normal(size=(20, 50)), rng.normal(size=50)
    >>> model = AlphaTransferRegressor(source=w / 2).fit(X, X @ w + 1)
    >>> model.alpha_.round(2), np.round(model.intercept_, 2)
    (array([[2.]]), ...1.0...)
    """

    score = AlphaTransfer.score

    _height = np.inf  # of the constant column: the intercept is free

    def __init__(
        self,
        source=None,
        *,
        alpha="auto",
        gamma="auto",
        selection="anchored",
        gammas=None,
        alphas=None,
        cv=None,
        scoring=None,
        fit_intercept=True,
        intercept_scaling="auto",
        solver="auto",
        store_loo=False,
    ):
        self.source = source
        self.alpha = alpha
        self.gamma = gamma
        self.selection = selection
        self.gammas = gammas
        self.alphas = alphas
        self.cv = cv
        self.scoring = scoring
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.solver = solver
        self.store_loo = store_loo

    def _fit_rows(self, X, y, sample_weight):
        X, y, weight = check_rows(self, X, y, sample_weight)
        seen = weight > 0
        problem, solution = self._choose(self._read_sources(), X, y, columns_of(y)[seen], weight)
        index, left_out = residual_rows(problem, solution)
        warn_of_odd_predictions(problem, index)
        Y, repeats = problem.Y[index], problem.rows.weights[index]
        self._conformity = repeats, abs(Y - left_out)
        self.best_score_ = left_out_r2(left_out, Y, repeats)
        gain_of = squared_error_gain(left_out, Y)
        fitted = self.coef_, self.intercept_, self.alpha_
        self._report = report_of_rows(problem, *fitted, index, gain_of)
        if y.ndim == 1:
            self.coef_, self.intercept_ = self.coef_[0], self.intercept_[0]
        if self.store_loo:
            values = self._with_fitted(X, seen, every_left_out(problem, solution))
            self.loo_decision_function_ = values[:, 0] if y.ndim == 1 else values
        self._to_library_of(X)

    def _fit_dask(self, X, y, sample_weight):
        self._sums, _ = moments_of_dask(self, X, y, sample_weight)
        self._target_ndim = y.ndim

    @available_if(has_partial_fit)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Add a chunk of rows to those seen so far; only their second moments are kept.

        ::

            Σ sᵢ zᵢzᵢᵀ,   z = [x, 1, y]         (p + 1 + n_outputs)² numbers, however many rows

        The coefficients follow from them when they are first read, and are those of `fit` on all
        rows at once, by "anchored" or by "evidence". What raises an error is described at
        :meth:`AlphaTransferClassifier.partial_fit`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows of the chunk.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Repetitions of each row.

        Returns
        -------
        self : AlphaTransferRegressor

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_alpha import AlphaTransferRegressor
        >>> rng = np.random.default_rng(0)
        >>> X, w = rng.normal(size=(600, 5)), np.arange(1.0, 6.0)
        >>> one, two = AlphaTransferRegressor(w), AlphaTransferRegressor(w)
        >>> one = one.partial_fit(X[:400], X[:400] @ w)
        >>> two = two.partial_fit(X[400:], X[400:] @ w)
        >>> bool(np.allclose((one + two).coef_, w, atol=1e-3))
        True
        """
        with all_or_nothing(self):
            X, y, weight = read_chunk(self, X, y, sample_weight)
            if self._sums is None:
                self._target_ndim = y.ndim
            add_chunk(self, X, columns_of(y), weight)
        return self

    def _complete(self, problem, solution):
        if self._target_ndim == 1:
            self.coef_, self.intercept_ = self.coef_[0], self.intercept_[0]

    def _set(self, problem, solution):
        super()._set(problem, solution)
        self._posterior = Posterior.of(problem, solution)

    def predict(self, X, return_std=False):
        """The numbers X coefᵀ + intercept, and their posterior standard deviation.

        ::

            Var(y* | y) = τ²(1 + x̃ᵀ(X̃ᵀX̃ + nγI)⁻¹x̃ + 1/n),    τ² = γ rᵀGr/(n − 3),    r = y − αs

        is the variance of a new observation y* = f(x) + noise, if the prior of the adapter is the
        normal distribution that the ridge stands for, and that of τ² is 1/τ². X̃ are the rows of
        `fit`, centred. α and γ are those of the fit, and what their choice adds is not in it; the
        intercept is taken as free.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)
        return_std : bool, default=False
            Whether to return the standard deviation, too; for rows in memory.

        Returns
        -------
        y : ndarray, or lazy Dask array, of shape (n_samples,) or (n_samples, n_outputs)
        std : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            If `return_std`.

        Raises
        ------
        ValueError
            If `return_std`, and the fit has no posterior: with ``solver="krylov"``, with
            ``selection="generative"``, and if it was read from a file. Files and copies leave it
            out because it holds a matrix of the size of XᵀX, or XXᵀ and X.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_alpha import AlphaTransferRegressor
        >>> rng = np.random.default_rng(0)
        >>> X, w = rng.normal(size=(50, 3)), np.arange(3.0)
        >>> model = AlphaTransferRegressor(w).fit(X, X @ w + rng.normal(size=50))
        >>> y, std = model.predict([[0.0, 0.0, 0.0], [9.0, 9.0, 9.0]], return_std=True)
        >>> std.round(1)
        array([1. , 1.5])
        """
        if not return_std:
            return super().predict(X)
        if is_dask(X):
            raise ValueError("return_std takes rows in memory; call predict on the chunks of X.")
        y = super().predict(X)
        if getattr(self, "_posterior", None) is None:
            raise ValueError(
                "return_std needs the posterior of a ridge, which files, solver='krylov' and "
                "selection='generative' do not have; fit again, with another solver or selection."
            )
        X = check_rows_like(self, X, self.coef_, "predict")
        return y, like(y, self._predicted(self._posterior.standard_deviation(X)))

    def _predicted(self, values):
        return values[:, 0] if self.coef_.ndim == 1 else values

    def _score_decisions(self, values, y, sample_weight):
        return r2_score(y, values, sample_weight=sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def warn_of_odd_predictions(problem, index):
    """Warn of sources that predict, for rows by number, what no source of these targets does.

    ::

        mean (s − ȳ)² > 50² mean (y − ȳ)²
    """
    known, weights = ~np.isnan(problem.log_odds), problem.rows.weights[index]
    if not known.any() or len(index) < 3:
        return
    Y, rows = problem.Y[index], problem.rows_at(index)
    S = rows.outputs(problem.W[:, known], problem.b[:, known])
    mean = np.average(Y, axis=0, weights=weights)
    spread = np.sqrt(np.average((Y - mean) ** 2, axis=0, weights=weights))
    away = np.sqrt(np.average((S - mean[:, None]) ** 2, axis=0, weights=weights))
    ratio = (away / np.where(spread > 0, spread, np.inf)[:, None]).max()
    if ratio > IMPLAUSIBLE:
        warnings.warn(
            f"The source's predictions on the rows of X are {ratio:.0f} standard deviations of y "
            "away from its mean: transform X by the same fitted steps as the source's own rows, "
            "and give y in the units of the source's targets.",
            UserWarning,
            stacklevel=2,
        )
