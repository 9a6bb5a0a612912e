"""The classifier: validation, label coding and fitted attributes; the numerics are elsewhere."""

from typing import ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.utils._array_api import get_namespace
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call

from sklearn_alpha._fitting import all_or_nothing
from sklearn_alpha.linear_model._base import AlphaTransfer, has_partial_fit
from sklearn_alpha.linear_model._calibration import (
    inverse_temperature,
    log_probabilities,
    logits,
    smoothed_targets,
    temperature_of_moments,
)
from sklearn_alpha.linear_model._data.array_api import is_foreign, to_device_of, to_host
from sklearn_alpha.linear_model._data.validation import check_rows
from sklearn_alpha.linear_model._distributed import lazy_on_dask, moments_of_dask
from sklearn_alpha.linear_model._incremental import (
    SolvedOnRead,
    add_chunk,
    chunk_number,
    read_chunk,
)
from sklearn_alpha.linear_model._labels import check_classes, check_labels, class_weights, codes
from sklearn_alpha.linear_model._scoring import accuracy_path


class AlphaTransferClassifier(ClassifierMixin, AlphaTransfer):
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

    inverse_temperature_ = SolvedOnRead()
    score = AlphaTransfer.score

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

    def _fit_rows(self, X, y, sample_weight):
        X, y, weight = check_rows(self, X, y, sample_weight)
        seen = weight > 0
        check_labels(y)
        self.classes_, labels = np.unique(y[seen], return_inverse=True)
        check_classes(self.classes_)
        n_classes, repeats = len(self.classes_), weight[seen]
        counts = np.bincount(labels, weights=repeats)
        class_weight = class_weights(self.class_weight, self.classes_, counts)[labels]
        Y, common = codes(labels, n_classes)
        shares = (repeats * class_weight) @ (Y > 0) / (repeats @ class_weight)
        problem, solution = self._choose(
            X,
            y,
            Y,
            weight,
            classes=self.classes_,
            class_weight=class_weight,
            balance=np.where(Y > 0, 0.5 / shares, 0.5 / (1 - shares)),
        )
        self.intercept_ += common
        sample_weight = (repeats * class_weight)[problem.sample]
        targets = smoothed_targets(labels[problem.sample], sample_weight, n_classes)
        beta, *_ = inverse_temperature(solution.sampled()[None], targets, sample_weight)
        self.inverse_temperature_ = float(beta[0])
        if self.store_loo:
            values = self._left_out(X, seen, problem, solution, common)
            self.loo_decision_function_ = values[:, 0] if n_classes == 2 else values
        self._to_library_of(X)
        if self.classes_.dtype.kind in "biuf":  # labels that are not numbers stay NumPy's
            self.classes_ = to_device_of(X, self.classes_)

    def _fit_dask(self, X, y, sample_weight):
        sums, self.classes_ = moments_of_dask(self, X, y, sample_weight)
        check_classes(self.classes_)
        n_classes = len(self.classes_)
        self._sums = sums.with_targets(codes(np.arange(n_classes), n_classes)[0])

    @available_if(has_partial_fit)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Add a chunk of rows to those seen so far; only their second moments are kept.

        ::

            Σ sᵢ zᵢzᵢᵀ,   z = [x, 1, y]         (p + 1 + n_outputs)² numbers, however many rows

        from which coefficients follow, when they are first asked for, as "evidence" has them on all
        rows at once: the chunks' sizes and order move nothing but rounding. "blend", the default,
        is "evidence" here, because its other half weighs left-out rows; there are no
        `loo_decision_function_`, and `inverse_temperature_` is that of normal margins. Parameters
        count as they are when the coefficients are asked for, but for `class_weight`. Streams are
        added with ``a + b``, and an estimator that was pickled goes on where it was.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The chunk's rows; single precision is read without a copy in double.
        y : array-like of shape (n_samples,)
            Their labels.
        classes : array-like of shape (n_classes,), default=None
            All labels of the stream; needed in the first call, if `fit` was not called before. A
            stream does not go on from a fit of rows in memory: it forgets it.
        sample_weight : array-like of shape (n_samples,), default=None
            Repetitions of each row.

        Returns
        -------
        self : AlphaTransferClassifier

        Raises
        ------
        ValueError
            If the chunk is not like the earlier ones; the message says which it is. The estimator
            is then as it was.
        AttributeError
            If `selection` needs rows.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_alpha import AlphaTransferClassifier
        >>> rng = np.random.default_rng(0)
        >>> X, w = rng.normal(size=(600, 5)), np.arange(5.0)
        >>> y = X @ w + rng.normal(size=600) > 0
        >>> stream = AlphaTransferClassifier(w)
        >>> for chunk in np.split(np.arange(600), 3):
        ...     stream = stream.partial_fit(X[chunk], y[chunk], classes=[False, True])
        >>> whole = AlphaTransferClassifier(w, selection="evidence").fit(X, y)
        >>> bool(np.allclose(stream.coef_, whole.coef_, rtol=1e-10))
        True
        """
        with all_or_nothing(self):
            if isinstance(self.class_weight, str):
                raise ValueError(
                    "class_weight='balanced' needs the counts of the whole stream before its "
                    "first row; pass a dict of weights."
                )
            X, y, weight = read_chunk(self, X, y, sample_weight)
            if self._sums is None and classes is not None:
                vars(self).pop("classes_", None)  # of a fit before the stream
            _check_partial_fit_first_call(self, classes)
            n_classes = len(self.classes_)
            if n_classes < 2:
                raise ValueError(f"classes are {self.classes_}; pass at least 2.")
            unknown = np.setdiff1d(y, self.classes_)
            if len(unknown):
                raise ValueError(
                    f"chunk {chunk_number(self)}: y has the labels {unknown}, which are not among "
                    f"the classes {self.classes_} of the first call; name all of them there."
                )
            labels = np.searchsorted(self.classes_, y)
            of_class = class_weights(self.class_weight, self.classes_)
            add_chunk(self, X, codes(labels, n_classes)[0], weight * of_class[labels])
        return self

    def _complete(self, problem):
        """The temperature of normal margins, and what the codes of all classes share."""
        sums, n_classes = self._sums, len(self.classes_)
        covariance, p = sums.covariance, len(sums.origin)
        weights = np.hstack([self.coef_, np.zeros((len(self.coef_), len(covariance) - p))])
        with_y = (weights @ covariance)[:, p:].diagonal()
        spread = np.einsum("ci,ij,cj->c", weights, covariance, weights)
        codes_spread = np.maximum(covariance[p:, p:].diagonal(), np.finfo(np.float64).tiny)
        means = self.coef_ @ sums.mean + self.intercept_
        self.inverse_temperature_ = temperature_of_moments(
            difference=(2 * with_y / codes_spread).mean(),
            within=(spread - with_y**2 / codes_spread).mean(),
            size=np.sqrt((spread + means**2).mean()) / (2 if n_classes == 2 else 1),
            n=problem.n,
            n_outputs=len(spread),
            leverage=problem.resolvent.leverage(self.gamma_),
        )
        self.intercept_ = self.intercept_ + codes([0], n_classes)[1]

    @lazy_on_dask
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

    @lazy_on_dask
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

    @lazy_on_dask
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

    @lazy_on_dask
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

    def _score_path(self, f0, f1, alphas, y, sample_weight):
        if f0.shape[1] > 1 or alphas.ndim > 1:
            return super()._score_path(f0, f1, alphas, y, sample_weight)
        classes = to_host(self.classes_)
        return accuracy_path(f0[:, 0], f1[:, 0, 0], alphas, classes, y, sample_weight)

    def _score_decisions(self, values, y, sample_weight):
        predicted = to_host(self.classes_)[np.argmax(logits(values), axis=1)]
        return accuracy_score(y, predicted, sample_weight=sample_weight)
