"""The estimators: validation, label coding and fitted attributes; the numerics are elsewhere."""

from typing import ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin, _fit_context
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils._array_api import get_namespace
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight

from sklearn_alpha._fitting import all_or_nothing
from sklearn_alpha.linear_model._base import AlphaTransfer
from sklearn_alpha.linear_model._calibration import (
    inverse_temperature,
    log_probabilities,
    logits,
    smoothed_targets,
)
from sklearn_alpha.linear_model._device import is_foreign, moved, take_rows, to_host
from sklearn_alpha.linear_model._lazy import ChunkwiseScore, chunkwise, fit_chunks, is_dask
from sklearn_alpha.linear_model._partial import PartialClassifier, PartialRegressor, codes


class AlphaTransferClassifier(ChunkwiseScore, ClassifierMixin, PartialClassifier):
    r"""Linear classifier that rescales a frozen source and adds a small adapter.

    ::

        w(α, γ) = α w̃ + a,    a = argmin (1/n)‖X(α w̃ + a) − y‖² + γ‖a‖²
                = Q (Xᵀy/n + αγ w̃),                Q = (XᵀX/n + γI)⁻¹

    for labels y = ±1, or one such column for each class against the rest; w̃ are the weights of the
    source. α = 0 is target-only ridge, α = 1 ordinary fine-tuning, and α → ∞ the source filtered by
    the rows, γQw̃, which for large γ is the source alone. α = 1 is rarely best [1]_; here α and γ
    are chosen from the n labelled rows, in closed form, and each output and source has an α of its
    own. With more than two classes codes and sources are taken less their mean over the classes:
    that moves no prediction and leaves less to fit.

    Parameters
    ----------
    source : ndarray, tuple, estimator, list of these, or None, default=None
        The frozen source: coefficients of shape (n_features,) or (n_outputs, n_features), a pair
        (coefficients, intercept), or a fitted linear classifier (with `coef_`, `intercept_` and
        `classes_`), best as ``FrozenEstimator(fitted)`` because `clone` un-fits any other. Rows of
        a classifier are aligned with the target's classes by label; those of an array follow the
        sorted classes. A list holds several sources. None is ridge without a source.
    alpha : {"auto"}, float or array-like, default="auto"
        α: a number, one for each source, or an array of shape (n_outputs, n_sources).
    gamma : {"auto"} or float, default="auto"
        γ > 0, in units of a feature's variance; scikit-learn's ``Ridge(alpha)`` is n·γ.
    selection : {"blend", "evidence", "generative", "loo", "theory", "cv"}, default="blend"
        How what is "auto" is chosen. "evidence" profiles α out of the marginal likelihood and
        averages over γ; "generative" shrinks the mean shift between the classes by empirical Bayes;
        "blend" averages the two, weighed by leave-one-out predictions of at most 1000 random rows;
        "loo" takes the best leave-one-out score, of all rows; "theory" the best accuracy that
        random matrix theory predicts; "cv" the best cross-validation score. Where alpha or gamma is
        given, "blend" and "generative" choose the other by "evidence".
    gammas : array-like, default=None
        Grid of γ. None is 28 values, logarithmic over e^±5 around tr(XXᵀ)/n².
    alphas : array-like, default=None
        Grid of α for "loo" and "cv", the same α for all outputs and sources. None is closed form
        for "loo", and for "cv" multiples 0, ¼, ½, 1, 2, 4 of the least-squares α at each γ.
    cv : int, splitter or iterable, default=None
        Folds of "cv", as in scikit-learn; None is 5 stratified ones.
    scoring : str or callable, default=None
        Score of "loo" (None: minus the squared error) and "cv" (None: accuracy).
    fit_intercept : bool, default=True
        Whether to fit b in the intercept α b̃ + b, where b̃ is the source's intercept.
    intercept_scaling : {"auto"} or float, default="auto"
        b is one more weight under the penalty γ, that of a constant column k. "auto" is the root
        mean square of the entries of X; ``np.inf`` leaves b free, as in `Ridge`.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied into `sample_weight`.
    solver : {"auto", "primal", "dual", "krylov"}, default="auto"
        Reduce the matrix of features or of rows ("auto": the smaller one), or read X in products
        alone, which "auto" does where X is sparse with more than 3000 rows and features. "krylov"
        solves to a relative residual of 1e-4 where γ has posterior weight, estimates log
        determinants from a few seeded probes, and leaves rows out in groups, so that left-out
        values are not exact; `partial_fit` has "primal".
    store_loo : bool, default=False
        Whether `fit` leaves `loo_decision_function_`, which costs up to as much again.

    Attributes
    ----------
    coef_ : ndarray of shape (n_outputs, n_features)
        α w̃ + a; n_outputs is 1 for two classes.
    intercept_ : ndarray of shape (n_outputs,)
    alpha_ : ndarray of shape (n_outputs, n_sources)
    gamma_ : float
        The γ chosen, or its posterior mean; inf for "generative", the limit of the family.
    classes_ : ndarray of shape (n_classes,)
    source_coef_ : ndarray of shape (n_outputs, n_sources, n_features)
        w̃ in the order of the target's classes; of more than two, less their mean.
    source_intercept_ : ndarray of shape (n_outputs, n_sources)
    loo_decision_function_ : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Decision value of each row with the adapter fitted without it (α and n·γ held; of a row
        with weight 2, one repetition is left out); where `store_loo` asked for it.
    inverse_temperature_ : float
        β of P = softmax(βf), fitted to the leave-one-out decision values of all rows, or of 1000
        random ones where there are more; after `partial_fit`, of normal margins.
    path_ : Bunch
        How the choice came about: `gammas`, `alphas` (n_gammas, n_outputs, n_sources), and
        `log_evidence`, `posterior` and `log_det_error` (of an estimated log det G; else zero), or
        `loo_score`, `cv_score` or `predicted_score`; under
        `generative` the posterior of ‖μ_⊥‖² with its `T` and `rho`; of "blend" also `shares`,
        `share_posterior` and their mean `share` of the generative rule.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)

    See Also
    --------
    AlphaTransferRegressor : The same for numbers.
    sklearn.linear_model.RidgeClassifier : What α = 0 and ``intercept_scaling=np.inf`` come to.

    Notes
    -----
    Under ``sklearn.config_context(array_api_dispatch=True)`` X may be an array of PyTorch, CuPy or
    another library of the Array API standard. It stays on its device, and so do predictions and the
    fitted arrays, but for `path_`, and labels that are not numbers, which are NumPy's. Gram
    matrices and products with X are added up in double precision where the device has it, whatever
    that of X; coefficients and predictions come back in that of X. Decomposed on the host is the
    smaller of XᵀX and XXᵀ; of the rows, those that are left out come there where n > p.
    `partial_fit` takes NumPy's arrays and SciPy's.

    References
    ----------
    .. [1] El Firdoussi, Chayti, Seddik, Jaggi, "α-LoRA: Effective Fine-Tuning via Base Model
       Rescaling", arXiv 2510.21345.

    Examples
    --------
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_alpha import AlphaTransferClassifier
    >>> from sklearn_alpha.datasets import make_domain_transfer
    >>> data = make_domain_transfer(n_target=100, random_state=0)
    >>> source = LogisticRegression(C=0.01).fit(data.X_source, data.y_source)
    >>> source.score(data.X_test, data.y_test)
    0.76...
    >>> model = AlphaTransferClassifier(FrozenEstimator(source))
    >>> model.fit(data.X_target, data.y_target).score(data.X_test, data.y_test)
    0.80...
    """

    _parameter_constraints: ClassVar = {
        **AlphaTransfer._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        source=None,
        *,
        alpha="auto",
        gamma="auto",
        selection="blend",
        gammas=None,
        alphas=None,
        cv=None,
        scoring=None,
        fit_intercept=True,
        intercept_scaling="auto",
        class_weight=None,
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
        self.class_weight = class_weight
        self.solver = solver
        self.store_loo = store_loo

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Choose α and γ, and fit the adapter.

        A Dask array or dataframe is fitted as by `partial_fit`, on the active `Client` if there is
        one: each chunk of rows, with those of y and of the weights, becomes second moments where it
        lies, and these are added up by a tree. Such a fit goes on with `partial_fit`, and adds up
        with others, a + b.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)
            Labelled rows of the target domain.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Repetitions of each row: weight 2 is the row twice, weight 0 no row.

        Returns
        -------
        self : AlphaTransferClassifier

        Raises
        ------
        ValueError
            If the data, the parameters or the source do not fit together; the message says what
            to do. The estimator is then as it was.
        """
        with all_or_nothing(self):
            if is_dask(X):
                return fit_chunks(self, X, y, sample_weight)
            X, y, weight = self._checked(X, y, sample_weight)
            seen = weight > 0
            # whole numbers are classes, and scikit-learn has nothing to say of them if they are few
            if y.dtype.kind not in "biu" or len(np.unique(y)) > len(y) // 2:
                check_classification_targets(y)
            self.classes_, labels = np.unique(y[seen], return_inverse=True)
            n_classes = len(self.classes_)
            if n_classes < 2:
                raise ValueError(
                    f"y has rows of {n_classes} class(es) with positive weight; "
                    "pass rows of at least 2 classes."
                )
            repeats = weight[seen]
            class_weight = self._class_weights(y[seen], labels, repeats)[labels]
            Y, common = codes(labels, n_classes)
            shares = (repeats * class_weight) @ (Y > 0) / (repeats @ class_weight)
            solution = self._fit(
                X if seen.all() else take_rows(X, np.flatnonzero(seen)),  # no copy without need
                y[seen],
                Y,
                repeats,
                folds=self._folds(X, y, seen),
                classes=self.classes_,
                class_weight=class_weight,
                balance=np.where(Y > 0, 0.5 / shares, 0.5 / (1 - shares)),
            )
            self.intercept_ += common
            sample = solution.problem.sample
            weight = (repeats * class_weight)[sample]
            targets = smoothed_targets(labels[sample], weight, n_classes)
            beta, *_ = inverse_temperature(solution.sampled[None], targets, weight)
            self.inverse_temperature_ = float(beta[0])
            if self.store_loo:
                values = self._left_out(X, seen, solution, common)
                self.loo_decision_function_ = values[:, 0] if n_classes == 2 else values
            self._give(X)
            if self.classes_.dtype.kind in "biuf":  # labels that are not numbers stay NumPy's
                self.classes_ = moved(X, self.classes_)
        return self

    def _class_weights(self, y, labels, repeats):
        """Weight of each class; "balanced" counts repetitions, not rows."""
        if self.class_weight is None:
            return np.ones(len(self.classes_))
        if self.class_weight == "balanced":
            counts = np.bincount(labels, weights=repeats)
            return counts.sum() / (len(counts) * counts)
        return compute_class_weight(self.class_weight, classes=self.classes_, y=y)

    @chunkwise
    def decision_function(self, X):
        """Decision values f(x) = X coefᵀ + intercept.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)

        Returns
        -------
        decision : ndarray, or lazy Dask array, of shape (n_samples,) or (n_samples, n_classes)
            In units of the codes ±1; positive for `classes_[1]` where there are two classes.
        """
        values = self._decisions(X, "decision_function")
        return values[:, 0] if values.shape[1] == 1 else values

    @chunkwise
    def predict(self, X):
        """Class of the largest decision value.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray, or lazy Dask array, of shape (n_samples,)
        """
        F = logits(self._decisions(X, "predict"))
        xp, _ = get_namespace(F)
        best = xp.argmax(F, axis=1)
        if is_foreign(self.classes_):
            return xp.take(self.classes_, best, axis=0)
        return self.classes_[to_host(best)]

    @chunkwise
    def predict_proba(self, X):
        """P(class | x) = softmax(βf(x)), with β fitted to the leave-one-out decision values.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)

        Returns
        -------
        P : ndarray, or lazy Dask array, of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        values = self._decisions(X, "predict_proba")
        xp, _ = get_namespace(values)
        return xp.exp(log_probabilities(values, self.inverse_temperature_))

    @chunkwise
    def predict_log_proba(self, X):
        """Logarithm of `predict_proba`.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)

        Returns
        -------
        log_P : ndarray, or lazy Dask array, of shape (n_samples, n_classes)
        """
        values = self._decisions(X, "predict_log_proba")
        return log_probabilities(values, self.inverse_temperature_)

    def _default_score(self, y, sample_weight):
        """Accuracy, without the checks of a scorer that is called for every cell of a grid."""
        labels = np.searchsorted(self.classes_, y)

        def score(values, index):
            correct = logits(values).argmax(axis=1) == labels[index]
            return np.average(correct, weights=sample_weight[index])

        return score

    def _score_path(self, f0, f1, alphas, y, sample_weight):
        """Of two classes each row changes sides at one α: sorting these gives every score."""
        if f0.shape[1] > 1 or alphas.ndim > 1:
            return super()._score_path(f0, f1, alphas, y, sample_weight)
        y, classes = column_or_1d(y), to_host(self.classes_)
        check_consistent_length(f0, y)
        weight = _check_sample_weight(sample_weight, f0, dtype=np.float64)
        f0, f1 = f0[:, 0], f1[:, 0, 0]
        moves = f1 != 0
        before = np.where(moves, f1 < 0, f0 > 0).astype(int)  # the class at α → −∞
        right = classes[before] == y
        gain = weight * (classes[1 - before] == y) - weight * right
        crossing = -f0[moves] / f1[moves]
        order = np.argsort(crossing)
        gains = np.append(0.0, np.cumsum(gain[moves][order]))
        return (weight @ right + gains[np.searchsorted(crossing[order], alphas)]) / weight.sum()

    def _score_decisions(self, values, y, sample_weight):
        predicted = to_host(self.classes_)[np.argmax(logits(values), axis=1)]
        return accuracy_score(y, predicted, sample_weight=sample_weight)


class AlphaTransferRegressor(ChunkwiseScore, RegressorMixin, PartialRegressor):
    r"""Linear regression that rescales a frozen source and adds a small adapter.

    ::

        w(α, γ) = α w̃ + a,    a = argmin (1/n)‖X(α w̃ + a) − y‖² + γ‖a‖²
                = Q (Xᵀy/n + αγ w̃),                Q = (XᵀX/n + γI)⁻¹

    w̃ are the weights of the source, each target has α's of its own, and all share γ. α = 0 is
    ridge, α = 1 ordinary fine-tuning [1]_.

    Parameters
    ----------
    source : ndarray, tuple, estimator, list of these, or None, default=None
        The frozen source: coefficients of shape (n_features,) or (n_outputs, n_features), a pair
        (coefficients, intercept), or a fitted linear regressor (with `coef_` and `intercept_`),
        best as ``FrozenEstimator(fitted)`` because `clone` un-fits any other. A list holds several
        sources. None is ridge without a source.
    alpha : {"auto"}, float or array-like, default="auto"
        α: a number, one for each source, or an array of shape (n_outputs, n_sources).
    gamma : {"auto"} or float, default="auto"
        γ > 0, in units of a feature's variance; scikit-learn's ``Ridge(alpha)`` is n·γ.
    selection : {"blend", "evidence", "generative", "loo", "theory", "cv"}, default="blend"
        How what is "auto" is chosen. "evidence" profiles α out of the marginal likelihood and
        averages over γ; "generative" shrinks the covariance of y and x by empirical Bayes; "blend"
        averages the two, weighed by leave-one-out predictions of at most 1000 random rows; "loo"
        takes the best leave-one-out score, of all rows; "theory" the least risk that random matrix
        theory predicts; "cv" the best cross-validation score. Where alpha or gamma is given,
        "blend" and "generative" choose the other by "evidence".
    gammas : array-like, default=None
        Grid of γ. None is 28 values, logarithmic over e^±5 around tr(XXᵀ)/n².
    alphas : array-like, default=None
        Grid of α for "loo" and "cv", the same α for all outputs and sources. None is closed form
        for "loo", and for "cv" multiples 0, ¼, ½, 1, 2, 4 of the least-squares α at each γ.
    cv : int, splitter or iterable, default=None
        Folds of "cv", as in scikit-learn; None is 5.
    scoring : str or callable, default=None
        Score of "loo" (None: minus the squared error) and "cv" (None: R²).
    fit_intercept : bool, default=True
        Whether to fit b in the intercept α b̃ + b, where b̃ is the source's intercept.
    intercept_scaling : {"auto"} or float, default=np.inf
        ``np.inf`` leaves b free, as in `Ridge`. A number k makes b one more weight under the
        penalty γ, that of a constant column k; "auto" is the root mean square of the entries of X.
    solver : {"auto", "primal", "dual", "krylov"}, default="auto"
        As in :class:`AlphaTransferClassifier`.
    store_loo : bool, default=False
        Whether `fit` leaves `loo_decision_function_`, which costs up to as much again.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features)
        α w̃ + a.
    intercept_ : float or ndarray of shape (n_outputs,)
    alpha_ : ndarray of shape (n_outputs, n_sources)
    gamma_ : float
        The γ chosen, or its posterior mean; inf for "generative", the limit of the family.
    source_coef_ : ndarray of shape (n_outputs, n_sources, n_features)
    source_intercept_ : ndarray of shape (n_outputs, n_sources)
    loo_decision_function_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Prediction at each row with the adapter fitted without it (α and n·γ held; of a row with
        weight 2, one repetition is left out); where `store_loo` asked for it.
    path_ : Bunch
        How the choice came about, as in :class:`AlphaTransferClassifier`.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)

    See Also
    --------
    AlphaTransferClassifier : The same for classes.
    sklearn.linear_model.Ridge : What α = 0 comes to.

    Notes
    -----
    Under ``sklearn.config_context(array_api_dispatch=True)`` X may be an array of PyTorch, CuPy or
    another library of the Array API standard. It stays on its device, and so do predictions and the
    fitted arrays, but for `path_`, and labels that are not numbers, which are NumPy's. Gram
    matrices and products with X are added up in double precision where the device has it, whatever
    that of X; coefficients and predictions come back in that of X. Decomposed on the host is the
    smaller of XᵀX and XXᵀ; of the rows, those that are left out come there where n > p.
    `partial_fit` takes NumPy's arrays and SciPy's.

    References
    ----------
    .. [1] El Firdoussi, Chayti, Seddik, Jaggi, "α-LoRA: Effective Fine-Tuning via Base Model
       Rescaling", arXiv 2510.21345.

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

    def __init__(
        self,
        source=None,
        *,
        alpha="auto",
        gamma="auto",
        selection="blend",
        gammas=None,
        alphas=None,
        cv=None,
        scoring=None,
        fit_intercept=True,
        intercept_scaling=np.inf,
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

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Choose α and γ, and fit the adapter.

        A Dask array or dataframe is fitted as by `partial_fit`, on the active `Client` if there is
        one: each chunk of rows, with those of y and of the weights, becomes second moments where it
        lies, and these are added up by a tree. Such a fit goes on with `partial_fit`, and adds up
        with others, a + b.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)
            Rows of the target domain.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Repetitions of each row: weight 2 is the row twice, weight 0 no row.

        Returns
        -------
        self : AlphaTransferRegressor

        Raises
        ------
        ValueError
            If the data, the parameters or the source do not fit together; the message says what
            to do. The estimator is then as it was.
        """
        with all_or_nothing(self):
            if is_dask(X):
                return fit_chunks(self, X, y, sample_weight)
            X, y, weight = self._checked(X, y, sample_weight, multi_output=True, y_numeric=True)
            seen = weight > 0
            Y = y.astype(np.float64).reshape(len(y), -1)
            solution = self._fit(
                X if seen.all() else take_rows(X, np.flatnonzero(seen)),  # no copy without need
                y[seen],
                Y[seen],
                weight[seen],
                folds=self._folds(X, y, seen),
            )
            if y.ndim == 1:
                self.coef_, self.intercept_ = self.coef_[0], self.intercept_[0]
            if self.store_loo:
                values = self._left_out(X, seen, solution)
                self.loo_decision_function_ = values[:, 0] if y.ndim == 1 else values
            self._give(X)
        return self

    @chunkwise
    def predict(self, X):
        """Predictions X coefᵀ + intercept.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray, or lazy Dask array, of shape (n_samples,) or (n_samples, n_outputs)
        """
        values = self._decisions(X, "predict")
        return values[:, 0] if self.coef_.ndim == 1 else values

    def _score_decisions(self, values, y, sample_weight):
        return r2_score(y, values, sample_weight=sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
