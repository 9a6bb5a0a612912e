"""What both estimators share: parameters, the way from a problem to fitted attributes, scores."""

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, _fit_context, is_classifier
from sklearn.metrics import accuracy_score, get_scorer_names, r2_score
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch
from sklearn.utils._array_api import get_namespace_and_device
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_alpha._fitting import all_or_nothing
from sklearn_alpha.linear_model import _persistence
from sklearn_alpha.linear_model._data import is_dask
from sklearn_alpha.linear_model._data.array_api import (
    decision_values,
    floats,
    is_foreign,
    like,
    take_rows,
    to_host,
)
from sklearn_alpha.linear_model._data.validation import check_range
from sklearn_alpha.linear_model._distributed import score_of_dask
from sklearn_alpha.linear_model._incremental import SolvedOnRead, add_estimators, forget_solution
from sklearn_alpha.linear_model._problem import Problem
from sklearn_alpha.linear_model._resolvents import SOLVERS
from sklearn_alpha.linear_model._rules import RULES, Given
from sklearn_alpha.linear_model._scoring import candidate_score
from sklearn_alpha.linear_model._solution import coefficients_of_alpha, combine
from sklearn_alpha.linear_model._sources import align_sources

# Fitted arrays that are in the library, on the device and of the precision of X.
FLOATS = ("coef_", "intercept_", "alpha_", "source_coef_", "source_intercept_")
FLOATS += ("loo_decision_function_", "_w0", "_w1")


def reads_moments(estimator):
    """Whether second moments are all that the selection reads."""
    is_given = not (isinstance(estimator.alpha, str) and isinstance(estimator.gamma, str))
    return RULES[estimator.selection].from_moments(is_given)


def has_partial_fit(estimator):
    if estimator.selection not in RULES or reads_moments(estimator):
        return True
    raise AttributeError(
        f"selection={estimator.selection!r} needs rows, and partial_fit keeps second moments "
        "alone; use selection='evidence', or fit on all rows."
    )


class AlphaTransfer(BaseEstimator):
    """The base of both estimators.

    A subclass codes its targets in `_fit_rows`, `_fit_dask` and `partial_fit`, and completes a
    solution from moments in `_complete`.
    """

    _doc_link_module = "sklearn_alpha"
    _doc_link_template = (
        "https://sklearn-alpha.readthedocs.io/en/stable/"
        "generated/{estimator_module}.{estimator_name}.html"
    )

    _parameter_constraints: ClassVar = {
        "source": "no_validation",
        "alpha": [StrOptions({"auto"}), Real, "array-like"],
        "gamma": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "selection": [StrOptions(set(RULES))],
        "gammas": ["array-like", None],
        "alphas": ["array-like", None],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [StrOptions({"auto"}), Interval(Real, 0, None, closed="right")],
        "solver": [StrOptions({"auto", *SOLVERS})],
        "store_loo": ["boolean"],
    }

    _sums = None  # the `SecondMoments` of all chunks, where rows come in chunks

    coef_ = SolvedOnRead()
    intercept_ = SolvedOnRead()
    alpha_ = SolvedOnRead()
    gamma_ = SolvedOnRead()
    source_coef_ = SolvedOnRead()
    source_intercept_ = SolvedOnRead()
    path_ = SolvedOnRead()

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Choose α and γ, and fit the adapter.

        A Dask array or dataframe is fitted as by `partial_fit`, on the active `Client` if there is
        one: each chunk of rows, with those of y and of the weights, becomes second moments where it
        lies, and these are added up by a tree. Such a fit can be continued with `partial_fit`, and
        added to others, a + b.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)
            Labelled rows of the target domain.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Class labels (n_samples,), or numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Repetitions of each row: weight 2 is the row twice, weight 0 no row.

        Returns
        -------
        self : estimator
            Fitted.

        Raises
        ------
        ValueError
            If the data, the parameters or the source do not fit together; the message says what
            to do. The estimator is then as it was.
        """
        with all_or_nothing(self):
            if not is_dask(X):
                self._fit_rows(X, y, sample_weight)
                return self
            if not reads_moments(self):
                raise ValueError(
                    f"selection={self.selection!r} needs rows, and of a Dask collection second "
                    "moments alone are kept; use selection='evidence', or fit on rows in memory, "
                    "X.compute()."
                )
            self._given_gammas()
            vars(self).pop("_sums", None)
            forget_solution(self)
            self._fit_dask(X, y, sample_weight)
            self._solve_postponed()
        return self

    def _choose(self, X, y, Y, weight, *, classes=None, class_weight=1.0, balance=None):
        """Choose (α, γ) for the coded targets and set the fitted attributes.

        Parameters
        ----------
        X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Their targets, as scorers and splitters want them.
        Y : ndarray of shape (n_seen, n_outputs)
            Coded targets of the rows of positive weight.
        weight : ndarray of shape (n_samples,)
            Repetitions of each row.
        classes : ndarray or None
        class_weight : ndarray of shape (n_seen,) or 1.0
        balance : ndarray of shape (n_seen, n_outputs) or None

        Returns
        -------
        problem : Problem
        solution : Solution
        """
        seen = weight > 0
        asked = self._asked(X, y, weight, seen, classes)
        weight, X = weight[seen], X if seen.all() else take_rows(X, np.flatnonzero(seen))
        check_range("X", X)
        check_range("y", Y)
        W, b = self._aligned_sources(X.shape[1], Y.shape[1])
        problem = Problem.of_data(
            X,
            weight * class_weight,
            self._height,
            np.minimum(weight, 1) * class_weight,
            every_row=self.store_loo or self.selection == "loo",
            Y=Y,
            W=W,
            b=b,
            balance=balance,
            solver=self.solver,
            gammas=self._given_gammas(),
        )
        solution = RULES[self.selection].solve(problem, self._given(problem, **asked))
        self._set(problem, solution)
        for name in ("_sums", "loo_decision_function_"):  # of an earlier stream or fit
            vars(self).pop(name, None)
        return problem, solution

    def _solve_postponed(self):
        """Set the fitted attributes from the moments, if `partial_fit` has left that to be done."""
        if self._sums is None or "coef_" in vars(self):
            return
        W, b = self._aligned_sources(len(self._sums.origin), len(self._sums.mean_Y))
        problem = Problem.of_moments(
            self._sums, W=W, b=b, height=self._height, gammas=self._given_gammas()
        )
        rule = RULES[self.selection if reads_moments(self) else "evidence"]
        self._set(problem, rule.solve(problem, self._given(problem)))
        self._complete(problem)

    def _set(self, problem, solution):
        """Set the fitted attributes."""
        W, b = problem.W, problem.b
        self.alpha_, self.gamma_ = solution.alpha, solution.gamma
        self.source_coef_, self.source_intercept_ = W, b
        self.coef_ = combine(np.moveaxis(W, 2, 0), solution.alpha).T + solution.a
        self.intercept_ = combine(b, solution.alpha) + solution.b
        self.path_ = solution.path
        self._w0, self._w1 = coefficients_of_alpha(problem, solution)

    @property
    def _height(self):
        """Of the constant column."""
        return self.intercept_scaling if self.fit_intercept else 0.0

    def _aligned_sources(self, n_features, n_outputs):
        return align_sources(
            self.source,
            n_outputs=n_outputs,
            n_features=n_features,
            classes=getattr(self, "classes_", None),
            feature_names=getattr(self, "feature_names_in_", None),
        )

    def _given(self, problem, **asked):
        """What the caller has decided, for a rule."""
        return Given(self._given_alpha(problem.shape), self.gamma != "auto", **asked)

    def _given_alpha(self, shape):
        """The α's asked for, (n_outputs, n_sources); None where they are to be chosen."""
        if isinstance(self.alpha, str):
            return None
        alpha = np.asarray(self.alpha, dtype=np.float64)
        if not np.isfinite(alpha).all():
            raise ValueError("alpha contains NaN or infinity; pass finite numbers or 'auto'.")
        if alpha.ndim == 1 and shape[1] == 1 and len(alpha) == shape[0]:
            alpha = alpha[:, None]
        try:
            return np.array(np.broadcast_to(alpha, shape))
        except ValueError:
            raise ValueError(
                f"alpha has shape {alpha.shape}; pass a number, one for each of the {shape[1]} "
                f"source(s), or an array of shape (n_outputs, n_sources) = {shape}."
            ) from None

    def _given_gammas(self):
        if self.gamma != "auto":
            return np.array([self.gamma], dtype=np.float64)
        if self.gammas is None:
            return None
        gammas = np.asarray(self.gammas, dtype=np.float64)
        if gammas.ndim != 1 or not len(gammas) or not (np.isfinite(gammas) & (gammas > 0)).all():
            raise ValueError("gammas must be a 1-D array of positive finite numbers.")
        return gammas

    def _asked(self, X, y, weight, seen, classes):
        """What the rules that score candidates need: grid, score and folds."""
        if self.selection not in ("loo", "cv"):
            return {}
        folds, score = None, None
        if self.selection == "cv":
            folds = check_cv(self.cv, y, classifier=is_classifier(self)).split(X, y)
            number = np.cumsum(seen) - 1  # of a row among those that are seen
            folds = [tuple(number[part[seen[part]]] for part in fold) for fold in folds]
            folds = [fold for fold in folds if all(map(len, fold))]
        alphas = None if self.alphas is None else np.asarray(self.alphas, dtype=np.float64)
        if alphas is not None and (
            alphas.ndim != 1 or not len(alphas) or not np.isfinite(alphas).all()
        ):
            raise ValueError("alphas must be a 1-D array of finite numbers.")
        if self.selection == "cv" or self.scoring is not None:
            score = candidate_score(self.scoring, y[seen], weight[seen], classes)
        return {"alphas": alphas, "score": score, "folds": folds}

    def alpha_path(self, X, y, *, alphas=None, sample_weight=None):
        """Score on (X, y) of w(α, γ) as α varies, at the fitted γ.

        ::

            w(α, γ) = α w̃ + Q(γ) X₀ᵀ(y₀ − αX₀w̃)/n        on the rows (X₀, y₀) seen in `fit`

        is linear in α: no refit for any of them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to score on.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.
        alphas : array-like of shape (n_alphas,) or (n_alphas, n_sources), default=None
            α's, the same for every output; a 1-D array is also the same for every source. None is
            81 values from −1 to 3 times the largest fitted one.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the score.

        Returns
        -------
        path : Bunch
            `alphas` as used, `scores` of shape (n_alphas,) (accuracy or R²), and `gamma`.

        Raises
        ------
        ValueError
            Where there is no source, or `alphas` has another shape.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_alpha import AlphaTransferRegressor
        >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        >>> model = AlphaTransferRegressor(source=np.array([1.0, 2.0])).fit(X, [2.0, 4.0, 6.0])
        >>> model.alpha_path(X, [2.0, 4.0, 6.0], alphas=[0, 1, 2]).scores.round(2)
        array([0.58, 0.9 , 1.  ])
        """
        check_is_fitted(self)
        self._solve_postponed()
        n_sources, largest = self.alpha_.shape[1], np.abs(to_host(self.alpha_)).max(initial=0)
        if not n_sources:
            raise ValueError("alpha_path needs a source; fit with source=... first.")
        if alphas is None:
            alphas = np.linspace(-1, 3, 81) * (largest or 1.0)
        alphas = np.asarray(alphas, dtype=np.float64)
        if alphas.ndim not in (1, 2) or (alphas.ndim == 2 and alphas.shape[1] != n_sources):
            raise ValueError(
                f"alphas has shape {alphas.shape}; pass (n_alphas,) or (n_alphas, {n_sources})."
            )
        X = self._checked_rows(X, "alpha_path")
        line = [self._w0, *(self._w1[:, k, :] for k in range(n_sources))]
        f0, *f1 = (to_host(decision_values(X, w[:, :-1], w[:, -1])) for w in line)
        f1 = np.stack(f1, axis=-1)
        f1 = f1.sum(axis=2, keepdims=True) if alphas.ndim == 1 else f1
        scores = self._score_path(f0, f1, alphas, to_host(y), to_host(sample_weight))
        return Bunch(alphas=alphas, scores=scores, gamma=self.gamma_)

    def _score_path(self, f0, f1, alphas, y, sample_weight):
        """Score of the decision values f0 + f1 α for each α."""
        return np.array(
            [
                self._score_decisions(f0 + f1 @ np.atleast_1d(alpha), y, sample_weight)
                for alpha in alphas
            ]
        )

    def score(self, X, y, sample_weight=None):
        """Accuracy of classes, or R² of numbers, averaged over the targets.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True classes or targets; a Dask collection or not, if X is one.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        if is_dask(X):
            check_is_fitted(self)
            return score_of_dask(self, X, y, sample_weight)
        metric = accuracy_score if is_classifier(self) else r2_score
        return metric(y, self.predict(X), sample_weight=sample_weight)

    def _decisions(self, X, method):
        """X @ coefᵀ + intercept, (n_samples, n_outputs)."""
        check_is_fitted(self)
        self._solve_postponed()
        return self._decisions_of(self._checked_rows(X, method))

    def _checked_rows(self, X, method):
        """Rows, of the library and on the device of the coefficients, for a method."""
        if is_foreign(X) or is_foreign(self.coef_):
            there, here = (get_namespace_and_device(array) for array in (X, self.coef_))
            if there[0] != here[0] or there[2] != here[2]:
                raise ValueError(
                    f"X of {type(self).__name__}.{method}() must use the same namespace and device "
                    f"as that of fit, {here[0].__name__} on {here[2]}; it is of "
                    f"{there[0].__name__} on {there[2]}."
                )
        return validate_data(self, X, accept_sparse="csr", reset=False, dtype=floats(X))

    def _decisions_of(self, X):
        coef = self.coef_[None, :] if self.coef_.ndim == 1 else self.coef_
        return decision_values(X, coef, self.intercept_)

    def _left_out(self, X, seen, problem, solution, common=0.0):
        """Decision values: the left-out ones of rows that are seen, else those of the fit."""
        every = np.arange(seen.sum())
        sampled = len(problem.sample) == len(every)
        loo = (solution.sampled() if sampled else solution.left_out(every)) + common
        if seen.all():
            return loo
        values = to_host(self._decisions_of(X))
        values[seen] = loo
        return values

    def _to_library_of(self, X):
        """Move the fitted arrays to the library, device and precision of X."""
        for name in FLOATS:
            if name in vars(self):
                setattr(self, name, like(X, getattr(self, name)))

    def __add__(self, other):
        """The stream of both: its moments are the sum of theirs, its parameters those of the first.

        Parameters
        ----------
        other : estimator of the same class
            Fitted, like the first, by `partial_fit`.

        Returns
        -------
        both : estimator of the same class

        Raises
        ------
        ValueError
            If one was not fitted by `partial_fit`, or their features, classes or targets differ.
        """
        if type(other) is not type(self):
            return NotImplemented
        return add_estimators(self, other)

    def to_sklearn(self):
        """Scikit-learn's own fitted model with the same coefficients.

        ::

            f(x) = X coefᵀ + intercept

        of a `RidgeClassifier` for classes, of a `Ridge` for numbers: for places that know only
        scikit-learn, from files that nobody has to trust to converters and explainers. It has the
        same decision values and predictions, classes and feature names, and shares nothing with
        this estimator. A `RidgeClassifier` has no probabilities; they are softmax(βf), with the
        `inverse_temperature_` β, and those of a `LogisticRegression` with β·coef and β·intercept,
        whose decision values are βf.

        Returns
        -------
        model : RidgeClassifier or Ridge
            Fitted. Its parameters are the defaults: fitted anew, it is ridge without a source.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_alpha import AlphaTransferClassifier
        >>> X, y = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 2.0]]), ["no", "yes", "no"]
        >>> model = AlphaTransferClassifier(np.array([1.0, -1.0])).fit(X, y)
        >>> plain = model.to_sklearn()
        >>> plain
        RidgeClassifier()
        >>> bool((plain.decision_function(X) == model.decision_function(X)).all())
        True
        """
        return _persistence.to_sklearn(self)

    def __getstate__(self):
        return _persistence.state_to_write(super().__getstate__())

    def __setstate__(self, state):
        super().__setstate__(_persistence.state_as_read(type(self), state))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.array_api_support = True
        return tags
