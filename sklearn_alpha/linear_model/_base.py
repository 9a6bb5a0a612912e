"""What the estimators share: from coded targets to fitted attributes, and linear predictions."""

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch
from sklearn.utils._array_api import get_namespace_and_device
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from sklearn_alpha.linear_model._device import floats, is_foreign, like, make_rows, to_host
from sklearn_alpha.linear_model._identity import IdentityClassifier, IdentityRegressor
from sklearn_alpha.linear_model._persistence import Persistent
from sklearn_alpha.linear_model._selection import SELECTIONS, select
from sklearn_alpha.linear_model._source import align_sources, check_range
from sklearn_alpha.linear_model._task import SAMPLE, Task, adapter_parts, combine

# Fitted arrays that are in the library, on the device and of the precision of X.
FLOATS = ("coef_", "intercept_", "alpha_", "source_coef_", "source_intercept_")
FLOATS += ("loo_decision_function_", "_w0", "_w1")


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
        "solver": [StrOptions({"auto", "primal", "dual", "krylov"})],
        "store_loo": ["boolean"],
    }

    def _checked(self, X, y, sample_weight, **checks):
        """Rows where they are; their targets and weights as NumPy's arrays."""
        y, sample_weight = to_host(y), to_host(sample_weight)
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=floats(X), **checks)
        weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
        if not weight.any():  # which scikit-learn 1.6 lets pass
            raise ValueError("All weights are zero; pass rows of positive weight.")
        return X, y, weight

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

        Returns
        -------
        solution : Solution
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
        rows = make_rows(
            X,
            sample_weight * class_weight,
            self.intercept_scaling if self.fit_intercept else 0.0,
            np.minimum(sample_weight, 1) * class_weight,
        )
        every = self.store_loo or self.selection == "loo"
        task = Task(
            rows,
            Y,
            W,
            source_intercept,
            balance,
            self.solver,
            self._given_gammas(),
            n_left_out=len(Y) if every or len(Y) <= SAMPLE else 0,
        )
        solution = select(
            task,
            self.selection,
            alpha=self._given_alpha(W.shape[:2]),
            fixed_gamma=self.gamma != "auto",
            **self._search(y, classes, sample_weight, folds),
        )
        self._set(task, solution)
        for name in ("_sums", "loo_decision_function_"):  # of an earlier stream or fit
            self.__dict__.pop(name, None)
        return solution

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
        f0, *f1 = (to_host(affine(X, w[:, :-1], w[:, -1])) for w in line)
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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.array_api_support = True
        return tags

    def _decisions(self, X, method):
        """X @ coefᵀ + intercept, (n_samples, n_outputs)."""
        check_is_fitted(self)
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

    def _left_out(self, X, seen, solution, common=0.0):
        """Decision values: the left-out ones of rows that are seen, else those of the fit."""
        every, sample = np.arange(seen.sum()), solution.problem.sample
        loo = solution.sampled if len(sample) == len(every) else solution.left_out(every)
        loo = loo + common
        if seen.all():
            return loo
        values = to_host(self._decisions_of(X))
        values[seen] = loo
        return values

    def _give(self, X):
        """Hand the fitted arrays over to the library, device and precision of X."""
        for name in FLOATS:
            if name in self.__dict__:
                setattr(self, name, like(X, getattr(self, name)))

    def _decisions_of(self, X):
        coef = self.coef_[None, :] if self.coef_.ndim == 1 else self.coef_
        return affine(X, coef, self.intercept_)


def affine(X, coef, intercept):
    """X coefᵀ + intercept; another library's X decides where, and in what precision."""
    if is_foreign(X):
        return X @ like(X, coef).T + like(X, intercept)
    return safe_sparse_dot(X, coef.T, dense_output=True) + intercept
