"""What both estimators share: from data and parameters to fitted attributes."""

from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, _fit_context, is_classifier, is_regressor
from sklearn.model_selection import check_cv

from sklearn_alpha._fitting import all_or_nothing
from sklearn_alpha.linear_model import _persistence
from sklearn_alpha.linear_model._alignment import align_sources
from sklearn_alpha.linear_model._data import is_dask
from sklearn_alpha.linear_model._data.array_api import (
    like,
    take_rows,
    to_host,
)
from sklearn_alpha.linear_model._data.validation import check_range
from sklearn_alpha.linear_model._export import ConversionMixin
from sklearn_alpha.linear_model._incremental import SolvedOnRead, add_estimators, forget_solution
from sklearn_alpha.linear_model._labelwise import report_of_labels
from sklearn_alpha.linear_model._parameters import (
    folds_of_seen,
    given_alpha,
    grid_of_alphas,
    grid_of_gammas,
    parameter_constraints,
    warn_of_ignored,
)
from sklearn_alpha.linear_model._prediction import LinearPredictionMixin
from sklearn_alpha.linear_model._problem import Problem
from sklearn_alpha.linear_model._report import report_of_moments, source_report
from sklearn_alpha.linear_model._resolvents import SOLVERS
from sklearn_alpha.linear_model._rules import RULES, Given, anchors, reads_moments
from sklearn_alpha.linear_model._scoring import candidate_score
from sklearn_alpha.linear_model._solution import coefficients_of_alpha, combine
from sklearn_alpha.linear_model._sources import read_sources, refuse_pipelines

# Fitted arrays that are in the library, on the device and of the precision of X.
FLOATS = ("coef_", "intercept_", "alpha_", "source_coef_", "source_intercept_")
FLOATS += ("loo_decision_function_", "_w0", "_w1")


class AlphaTransfer(LinearPredictionMixin, ConversionMixin, BaseEstimator):
    """The base of both estimators.

    A subclass codes its targets in `_fit_rows`, `_fit_dask` and `partial_fit`, and completes a
    solution from moments in `_complete`.
    """

    _doc_link_module = "sklearn_alpha"
    _doc_link_template = (
        "https://sklearn-alpha.readthedocs.io/en/stable/"
        "generated/{estimator_module}.{estimator_name}.html"
    )

    _parameter_constraints: ClassVar = parameter_constraints(RULES, SOLVERS)

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
        one: each chunk of rows becomes second moments where it lies, and these are added up by a
        tree. Such a fit can be continued with `partial_fit`, and added to others, a + b.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)
            Labelled rows of the target domain.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Class labels, of shape (n_samples,), an indicator of several labels, or numbers.
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
            warn_of_ignored(self)
            refuse_pipelines(self.source)
            if not is_dask(X):
                self._fit_rows(X, y, sample_weight)
                return self
            if not reads_moments(self):
                raise ValueError(
                    f"selection={self.selection!r} needs rows, and of a Dask collection second "
                    "moments alone are kept; use selection='evidence', or fit on rows in memory, "
                    "X.compute()."
                )
            grid_of_gammas(self.gamma, self.gammas)
            vars(self).pop("_sums", None)
            forget_solution(self)
            self._fit_dask(X, y, sample_weight)
            self._solve_postponed()
        return self

    def _choose(self, sources, X, y, Y, weight, *, classes=None, class_weight=1.0, balance=None):
        """Choose (α, γ), set the fitted attributes, and return the problem and its solution.

        X, y and weight are of all rows, as scorers and splitters want them; the coded targets Y
        (n_seen, n_outputs), class_weight and balance are of the rows of positive weight.
        """
        seen = weight > 0
        asked = self._asked(X, y, weight, seen, classes)
        weight, X = weight[seen], X if seen.all() else take_rows(X, np.flatnonzero(seen))
        check_range("X", X)
        check_range("y", Y)
        W, b, log_odds, has_intercept = self._aligned(sources, X.shape[1], Y.shape[1])
        height, anchor = self._intercept(anchors(self, balance is None, True), balance is None)
        problem = Problem.of_data(
            X,
            weight * class_weight,
            height,
            np.minimum(weight, 1) * class_weight,
            every_row=self.store_loo or self.selection == "loo",
            Y=Y,
            W=W,
            b=b,
            balance=balance,
            is_classifier=balance is not None,
            solver=self.solver,
            grid=grid_of_gammas(self.gamma, self.gammas),
            log_odds=log_odds,
            has_intercept=has_intercept,
            **anchor,
        )
        solution = RULES[self.selection].solve(problem, self._given(problem, **asked))
        self._set(problem, solution)
        # of an earlier stream or fit
        for name in ("_sums", "loo_decision_function_", "estimators_"):
            vars(self).pop(name, None)
        return problem, solution

    def _solve_postponed(self):
        """Set the fitted attributes from the moments, if `partial_fit` has left that to be done."""
        if self._sums is None or "coef_" in vars(self):
            return
        sums, regression, sources = self._sums, is_regressor(self), self._read_sources()
        sizes = len(sums.origin), len(sums.mean_Y)
        W, b, log_odds, has_intercept = self._aligned(sources, *sizes)
        anchored = anchors(self, regression, sums.sample is not None)
        height, anchor = self._intercept(anchored, regression)
        problem = Problem.of_moments(
            sums,
            W=W,
            b=b,
            height=height,
            grid=grid_of_gammas(self.gamma, self.gammas),
            log_odds=log_odds,
            has_intercept=has_intercept,
            is_classifier=not regression,
            **anchor,
        )
        rule = RULES[self.selection if reads_moments(self) else "evidence"]
        # In one step: of several threads that read, none sees a part of the attributes.
        solved = object.__new__(type(self))
        vars(solved).update(vars(self))
        solution = rule.solve(problem, self._given(problem))
        solved._set(problem, solution)
        covariance = sums.covariance[: self.n_features_in_, : self.n_features_in_]
        solved._report = report_of_moments(problem, solved.coef_, solved.alpha_, covariance)
        solved._complete(problem, solution)
        self.__dict__ = vars(solved)

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
    def source_report_(self):
        """What each source gives to the fit: a list of `Bunch`, which prints as a table."""
        alpha = to_host(self.alpha_)
        if "estimators_" in vars(self):
            return report_of_labels(self.estimators_)
        if "_report" not in vars(self):
            raise AttributeError(
                f"this {type(self).__name__} was fitted by a version without reports; fit it again."
            )
        outputs = to_host(getattr(self, "classes_", np.arange(len(alpha))))
        outputs = outputs[1:] if len(outputs) > len(alpha) else outputs
        return source_report(outputs.tolist(), alpha, **self._report)

    def _intercept(self, anchored, regression):
        """The height of the constant column, and what the problem has to know of the rule."""
        holds = anchored and self.fit_intercept and self.intercept_scaling == "auto"
        height = self._height if self.intercept_scaling == "auto" else self.intercept_scaling
        height = height if self.fit_intercept else 0.0
        if holds:
            height = np.inf if regression else "shrunk"
        return height, {"is_anchored": anchored, "may_hold": holds}

    def _read_sources(self):
        names = getattr(self, "feature_names_in_", None)
        return read_sources(self.source, names, classifier=is_classifier(self))

    def _aligned(self, sources, n_features, n_outputs):
        return align_sources(
            sources,
            n_outputs=n_outputs,
            n_features=n_features,
            classes=getattr(self, "classes_", None),
        )

    def _given(self, problem, **asked):
        """What the caller has decided, for a rule."""
        alpha = given_alpha(self.alpha, problem.shape)
        return Given(alpha, self.gamma != "auto", **asked)

    def _asked(self, X, y, weight, seen, classes):
        """What the rules that score candidates need: grid, score and folds."""
        if self.selection not in ("loo", "cv"):
            return {}
        folds, score = None, None
        if self.selection == "cv":
            splitter = check_cv(self.cv, y, classifier=classes is not None)
            folds = folds_of_seen(splitter.split(X, y), seen)
        if self.selection == "cv" or self.scoring is not None:
            score = candidate_score(self.scoring, y[seen], weight[seen], classes)
        return {"alphas": grid_of_alphas(self.alphas), "score": score, "folds": folds}

    def _with_fitted(self, X, seen, left_out):
        """Left-out decision values of the rows that are seen, and fitted ones of the others."""
        if seen.all():
            return left_out
        values = to_host(self._decisions_of(X))
        values[seen] = left_out
        return values

    def _to_library_of(self, X):
        """Move the fitted arrays to the library, device and precision of X."""
        for name in FLOATS:
            if name in vars(self):
                setattr(self, name, like(X, getattr(self, name)))

    def __add__(self, other):
        """The estimator of the rows of both, with the parameters of the first.

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

    def __getstate__(self):
        return _persistence.state_to_write(super().__getstate__())

    def __setstate__(self, state):
        super().__setstate__(_persistence.state_as_read(type(self), state))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.array_api_support = True
        return tags
