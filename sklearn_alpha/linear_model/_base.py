"""What the estimators share: from coded targets to fitted attributes, and linear predictions."""

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_alpha.linear_model._identity import IdentityClassifier, IdentityRegressor
from sklearn_alpha.linear_model._persistence import Persistent
from sklearn_alpha.linear_model._rows import Rows
from sklearn_alpha.linear_model._selection import SELECTIONS, select
from sklearn_alpha.linear_model._source import align_sources, check_range
from sklearn_alpha.linear_model._task import Task, adapter_parts, combine


class AlphaTransfer(Persistent):
    """One fit from coded targets, one linear prediction; the numerics are in the rules."""

    _doc_link_module = "sklearn_alpha"
    _doc_link_template = (
        "https://sklearn-alpha.readthedocs.io/en/stable/"
        "generated/{estimator_module}.{estimator_name}.html"
    )

    _parameter_constraints: ClassVar = {
        "source": "no_validation",
        "alpha": [StrOptions({"auto"}), Real, "array-like"],
        "gamma": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "selection": [StrOptions(set(SELECTIONS))],
        "gammas": ["array-like", None],
        "alphas": ["array-like", None],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [StrOptions({"auto"}), Interval(Real, 0, None, closed="right")],
        "solver": [StrOptions({"auto", "primal", "dual"})],
    }

    def _fit(self, X, y, Y, sample_weight, *, folds, classes=None, class_weight=1.0, balance=None):
        """Choose (α, γ) for the coded targets and set the fitted attributes.

        Parameters
        ----------
        X : {ndarray, sparse matrix} of shape (n_samples, n_features)
            Rows of positive weight.
        y : ndarray
            Their targets, as the scorers want them.
        Y : ndarray of shape (n_samples, n_outputs)
        sample_weight : ndarray of shape (n_samples,)
            Repetitions of each row.
        folds : list of (train, test) or None
        class_weight : ndarray of shape (n_samples,) or 1.0
        balance : ndarray of shape (n_samples, n_outputs) or None
        """
        check_range("X", X)
        check_range("y", Y)
        W, source_intercept = align_sources(
            self.source,
            n_outputs=Y.shape[1],
            n_features=X.shape[1],
            classes=classes,
            feature_names=getattr(self, "feature_names_in_", None),
        )
        rows = Rows(
            X,
            weights=sample_weight * class_weight,
            height=self.intercept_scaling if self.fit_intercept else 0.0,
            unit=np.minimum(sample_weight, 1) * class_weight,
        )
        task = Task(rows, Y, W, source_intercept, balance, self.solver, self._given_gammas())
        solution = select(
            task,
            self.selection,
            alpha=self._given_alpha(W.shape[:2]),
            fixed_gamma=self.gamma != "auto",
            **self._search(y, classes, sample_weight, folds),
        )
        self._set(task, solution)
        self.__dict__.pop("_sums", None)  # of an earlier stream
        return solution.loo

    def _set(self, problem, solution):
        """Set the fitted attributes."""
        W, b = problem.W, problem.b
        self.alpha_, self.gamma_ = solution.alpha, solution.gamma
        self.source_coef_, self.source_intercept_ = W, b
        self.coef_ = combine(np.moveaxis(W, 2, 0), solution.alpha).T + solution.a
        self.intercept_ = combine(b, solution.alpha) + solution.b
        self.path_ = solution.path
        self._w0, self._w1 = self._line(problem, solution)

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

    def _folds(self, X, y, seen):
        """Train and test rows of "cv", numbered among the rows that are seen."""
        if self.selection != "cv":
            return None
        number = np.cumsum(seen) - 1
        folds = check_cv(self.cv, y, classifier=is_classifier(self)).split(X, y)
        folds = [tuple(number[part[seen[part]]] for part in fold) for fold in folds]
        return [fold for fold in folds if all(map(len, fold))]

    def _search(self, y, classes, sample_weight, folds):
        """What the scored selections need beside the task."""
        if self.selection not in ("loo", "cv"):
            return {}
        alphas = None if self.alphas is None else np.asarray(self.alphas, dtype=np.float64)
        if alphas is not None and (
            alphas.ndim != 1 or not len(alphas) or not np.isfinite(alphas).all()
        ):
            raise ValueError("alphas must be a 1-D array of finite numbers.")
        if self.scoring is None:
            score = None if self.selection == "loo" else self._default_score(y, sample_weight)
            return {"alphas": alphas, "score": score, "folds": folds}
        identity = IdentityRegressor() if classes is None else IdentityClassifier(classes)
        scorer = check_scoring(identity, scoring=self.scoring)
        weighted = not callable(self.scoring) and not (sample_weight == 1).all()

        def score(values, index=slice(None)):
            weights = {"sample_weight": sample_weight[index]} if weighted else {}
            return scorer(identity, values, y[index], **weights)

        return {"alphas": alphas, "score": score, "folds": folds}

    def _default_score(self, y, sample_weight):
        """What "cv" scores a cell by: `score`, of decision values and the numbers of their rows."""
        return lambda values, index: self._score_decisions(values, y[index], sample_weight[index])

    @staticmethod
    def _line(problem, solution):
        """(w₀, w₁) with w(α) = w₀ + αw₁ at γ_, intercepts as a last feature."""
        source = np.concatenate([problem.W, problem.b[:, :, None]], axis=2)
        if np.isinf(solution.gamma):  # the adapter of the generative rule does not see α
            return np.column_stack([solution.a, solution.b]), source
        (a0, b0), (a1, b1) = adapter_parts(problem, solution.gamma)
        return np.column_stack([a0, b0]), source - np.concatenate([a1, b1[:, :, None]], axis=2)

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
        n_sources = self.alpha_.shape[1]
        if not n_sources:
            raise ValueError("alpha_path needs a source; fit with source=... first.")
        if alphas is None:
            alphas = np.linspace(-1, 3, 81) * (np.abs(self.alpha_).max() or 1.0)
        alphas = np.asarray(alphas, dtype=np.float64)
        if alphas.ndim not in (1, 2) or (alphas.ndim == 2 and alphas.shape[1] != n_sources):
            raise ValueError(
                f"alphas has shape {alphas.shape}; pass (n_alphas,) or (n_alphas, {n_sources})."
            )
        X = validate_data(self, X, accept_sparse="csr", reset=False, dtype=np.float64)
        f0 = safe_sparse_dot(X, self._w0[:, :-1].T, dense_output=True) + self._w0[:, -1]
        flat = self._w1.reshape(-1, self._w1.shape[2])
        f1 = safe_sparse_dot(X, flat[:, :-1].T, dense_output=True) + flat[:, -1]
        f1 = f1.reshape(len(f0), *self.alpha_.shape)
        f1 = f1.sum(axis=2, keepdims=True) if alphas.ndim == 1 else f1
        scores = self._score_path(f0, f1, alphas, y, sample_weight)
        return Bunch(alphas=alphas, scores=scores, gamma=self.gamma_)

    def _score_path(self, f0, f1, alphas, y, sample_weight):
        """Score of the decision values f0 + f1 α for each α."""
        return np.array(
            [
                self._score_decisions(f0 + f1 @ np.atleast_1d(alpha), y, sample_weight)
                for alpha in alphas
            ]
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _decisions(self, X):
        """X @ coefᵀ + intercept, (n_samples, n_outputs)."""
        check_is_fitted(self)
        return self._decisions_of(
            validate_data(self, X, accept_sparse="csr", reset=False, dtype=np.float64)
        )

    def _left_out(self, X, seen, loo):
        """Decision values: the left-out ones of rows that are seen, else those of the fit."""
        if seen.all():
            return loo
        values = self._decisions_of(X)
        values[seen] = loo
        return values

    def _decisions_of(self, X):
        return safe_sparse_dot(X, np.atleast_2d(self.coef_).T, dense_output=True) + self.intercept_
