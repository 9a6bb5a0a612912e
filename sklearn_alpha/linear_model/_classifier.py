"""The classifier: validation, label coding and fitted attributes; the numerics are elsewhere."""

from typing import ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call

from sklearn_alpha._docstrings import ARRAYS, REFERENCES, REPORT, RULES_OF_SELECTION, shared
from sklearn_alpha._fitting import all_or_nothing
from sklearn_alpha.linear_model._base import AlphaTransfer
from sklearn_alpha.linear_model._calibration import decision_moments, temperature_of_moments
from sklearn_alpha.linear_model._conformal import SetMixin, class_scores
from sklearn_alpha.linear_model._data.array_api import to_device_of
from sklearn_alpha.linear_model._data.validation import check_rows, has_columns
from sklearn_alpha.linear_model._distributed import moments_of_dask
from sklearn_alpha.linear_model._incremental import (
    SolvedOnRead,
    add_chunk,
    chunk_number,
    read_chunk,
)
from sklearn_alpha.linear_model._labels import (
    balance,
    check_labels,
    class_weights,
    classes_to_tell_apart,
    codes,
    labels_of_chunk,
)
from sklearn_alpha.linear_model._labelwise import fit_labels
from sklearn_alpha.linear_model._prediction import ClassPredictionMixin
from sklearn_alpha.linear_model._report import accuracy_gain, left_out_accuracy, report_of_rows
from sklearn_alpha.linear_model._rules import anchors, has_partial_fit
from sklearn_alpha.linear_model._solution import every_left_out
from sklearn_alpha.linear_model._temperature import left_out_temperature


@shared(references=REFERENCES, rules=RULES_OF_SELECTION, report=REPORT, arrays=ARRAYS)
class AlphaTransferClassifier(SetMixin, ClassPredictionMixin, ClassifierMixin, AlphaTransfer):
    """Linear classifier that rescales a frozen source and adds a small adapter.

    ::

        w(α, γ) = α w̃ + a,    a = argmin (1/n)‖X(α w̃ + a) − y‖² + γ‖a‖²
                = Q (Xᵀy/n + αγ w̃),                Q = (XᵀX/n + γI)⁻¹

    The labels are y = ±1, or one such column for each class against the rest, and w̃ are the
    weights of the source; of more than two classes both are centred over the classes. α = 0 is
    ridge on the target alone, α = 1 is ordinary fine-tuning, and α → ∞ is the source filtered by
    the rows, γQw̃, which for large γ is the source alone [1]_.

    α and γ are chosen from the n labelled rows. By default the source is kept as it is, in log
    odds, unless the rows speak against it, and left-out rows say how much of the adapter to add::

        f = F + Σ_γ P(γ) t(γ) Â_γ(y − L/2),   F = αF̃ + b,   P(class | x) = softmax(βf)

    F̃ are the log odds of the source, b is a label shift, L is the best linear function of F for the
    codes that the source expects, Â_γ(v) is the ridge fit of v in log odds, and t the share of it
    that is believed. f is in units of log odds divided by β, and α = 1 is the source's own scale.

    Parameters
    ----------
    source : ndarray, tuple, estimator, list of these, or None, default=None
        The frozen source: a fitted linear classifier, or a search whose best estimator is one; a
        ``torch.nn.Linear``, or a Hugging Face classifier whose head is one; coefficients of shape
        (n_features,) or (n_outputs, n_features); a pair (coefficients, intercept); or a triple
        (coefficients, intercept, classes). Rows with classes are aligned with the target's by
        label; others follow the sorted classes. A list holds several sources. None is ridge without
        a source. `clone` keeps the source fitted. A fitted pipeline goes to :meth:`from_pipeline`.
    alpha : {"auto"}, float or array-like, default="auto"
        α: a number, one for each source, or an array of shape (n_outputs, n_sources).
    gamma : {"auto"} or float, default="auto"
        γ > 0, in units of a feature's variance; scikit-learn's ``Ridge(alpha)`` is n·γ.
    selection : str, default="anchored"
        How "auto" values are chosen:

        {rules}
    gammas : array-like, default=None
        Grid of γ. None is c, 6c and 36c for "anchored", and else 28 values, logarithmic over e^±5
        around c = tr(XXᵀ)/n².
    alphas : array-like, default=None
        Grid of α for "loo" and "cv", the same α for all outputs and sources. None is closed form
        for "loo", and for "cv" multiples 0, ¼, ½, 1, 2, 4 of the least-squares α at each γ.
    cv : int, splitter or iterable, default=None
        Folds of "cv", as in scikit-learn; None is 5 stratified ones. If the test rows of a fold
        lack a class, as in `LeaveOneOut`, the left-out values of all folds are scored together.
    scoring : str or callable, default=None
        Score of "loo" (None: minus the squared error) and "cv" (None: accuracy).
    fit_intercept : bool, default=True
        Whether to fit b in the intercept α b̃ + b, where b̃ is the source's intercept.
    intercept_scaling : {"auto"} or float, default="auto"
        b is the weight of a constant column of this height, under the penalty γ; ``np.inf`` leaves
        b free, as in `Ridge`. With "auto", "anchored" has no such column: b is near zero unless the
        target has other shares of the classes, and the adapter reads the rows less a share of their
        mean. Elsewhere "auto" is the root mean square of the entries of X.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied into `sample_weight`.
    classes : {"target"} or array-like, default=None
        The classes to tell apart. None joins those of the labelled rows with those that the sources
        know; these keep the source's row where none is given. "target" keeps to those of the rows,
        as None does where `selection` is not "anchored".
    solver : {"auto", "primal", "dual", "krylov"}, default="auto"
        "primal" reduces the matrix of features, "dual" that of rows, and "krylov" reads X only in
        products. "auto" takes the smaller matrix, and "krylov" where X is sparse with more than
        3000 rows and features. "krylov" solves to a relative residual of 1e-4 where γ has posterior
        weight, estimates log determinants from a few seeded probes, and leaves rows out in groups:
        left-out values are not exact. `partial_fit` is always "primal".
    store_loo : bool, default=False
        Whether `fit` sets `loo_decision_function_`, which may double its time.

    Attributes
    ----------
    coef_ : ndarray of shape (n_outputs, n_features)
        α w̃ + a; n_outputs is 1 for two classes.
    intercept_ : ndarray of shape (n_outputs,)
        α b̃ + b.
    alpha_ : ndarray of shape (n_outputs, n_sources)
        α of each source. Under "anchored" outputs share it, and 1 is the source's own log odds.
    gamma_ : float
        The γ chosen, or a posterior mean; inf for "generative".
    classes_ : ndarray of shape (n_classes,)
        Sorted; those of the rows and, by default, of the source.
    source_coef_ : ndarray of shape (n_outputs, n_sources, n_features)
        w̃ in the order of the target's classes; with more than two, centred over them.
    source_intercept_ : ndarray of shape (n_outputs, n_sources)
    loo_decision_function_ : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Decision value of each row with the adapter fitted without it, at the same α and n·γ; of a
        row with weight 2, one repetition is left out. Present if `store_loo`.
    inverse_temperature_ : float
        β of P = softmax(βf), from left-out values. Under "anchored" it is a posterior mean whose
        prior is centred on 1; under other rules that of normal margins after `partial_fit`.
    best_score_ : float
        Accuracy of the left-out values of at most 1000 rows, as of `RidgeClassifierCV`. α and γ
        were chosen on the same rows. Absent after `partial_fit` and Dask.
    estimators_ : list of AlphaTransferClassifier
        One for each label, if y is an indicator (n_samples, n_labels): each label is fitted alone.
    {report}
    path_ : Bunch
        How the choice was made: `gammas`, `alphas` of shape (n_gammas, n_outputs, n_sources), and

        - "anchored": `alpha_posterior` on the grid `alpha_grid`; `posterior` of the γ's; and the
          `adapter_posterior` P and the `trust` Pt of each adapter. A row is beside the source, a
          second one without it, where all classes have rows. A column is for each γ and, with more
          than two classes, for logistic regression. Where α or γ is given, those of "evidence";
        - "evidence": `log_evidence`, `posterior` and `log_det_error`, the standard error of an
          estimated log det G, else zero;
        - "loo", "cv" and "theory": `loo_score`, `cv_score` or `predicted_score`;
        - "generative": `generative`, with the posterior of ‖μ_⊥‖² on the grid `T`, and `rho`;
        - "blend": those of both, `shares`, `share_posterior`, and its mean `share`, of the latter.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)

    See Also
    --------
    AlphaTransferRegressor : The same for numbers.
    sklearn.linear_model.RidgeClassifier : The same as α = 0 with ``intercept_scaling=np.inf``.

    Notes
    -----
    {arrays}

    {references}

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_alpha import AlphaTransferClassifier
    >>> from sklearn_alpha.datasets import make_domain_transfer
    >>> data = make_domain_transfer(n_target=100, random_state=0)
    >>> source = LogisticRegression(C=0.01).fit(data.X_source, data.y_source)
    >>> source.score(data.X_test, data.y_test)
    0.76...
    >>> model = AlphaTransferClassifier(source)
    >>> model.fit(data.X_target, data.y_target).score(data.X_test, data.y_test)
    0.80...
    """

    _parameter_constraints: ClassVar = {
        **AlphaTransfer._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "classes": [StrOptions({"target"}), "array-like", None],
    }

    inverse_temperature_ = SolvedOnRead()
    score, _height = AlphaTransfer.score, "auto"  # the height of the constant column

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
        class_weight=None,
        classes=None,
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
        self.classes = classes
        self.solver = solver
        self.store_loo = store_loo

    def _fit_rows(self, X, y, sample_weight):
        if has_columns(y):
            fit_labels(self, X, y, sample_weight)
            return
        X, y, weight = check_rows(self, X, y, sample_weight)
        seen = weight > 0
        check_labels(y)
        sources = self._read_sources()
        self.classes_ = self._classes_of(np.unique(y[seen]), sources)
        labels = np.searchsorted(self.classes_, y[seen])
        n_classes, repeats = len(self.classes_), weight[seen]
        counts = np.bincount(labels, weights=repeats, minlength=n_classes)
        class_weight = class_weights(self.class_weight, self.classes_, counts)[labels]
        Y, common = codes(labels, n_classes)
        even = balance(Y, repeats * class_weight)
        given = {"classes": self.classes_, "class_weight": class_weight, "balance": even}
        problem, solution = self._choose(sources, X, y, Y, weight, **given)
        self.intercept_ += common
        sample, left_out = problem.sample, solution.sampled()
        own, weights = labels[sample], (repeats * class_weight)[sample]
        beta = solution.inverse_temperature
        beta = beta or left_out_temperature(left_out, own, weights)
        self.inverse_temperature_ = beta
        self._conformity = repeats[sample], class_scores(left_out, beta, own)
        self.best_score_ = left_out_accuracy(left_out, own, repeats[sample])
        gain_of = accuracy_gain(left_out, own)
        fitted = self.coef_, self.intercept_, self.alpha_
        self._report = report_of_rows(problem, *fitted, sample, gain_of)
        if self.store_loo:
            values = self._with_fitted(X, seen, every_left_out(problem, solution) + common)
            self.loo_decision_function_ = values[:, 0] if n_classes == 2 else values
        self._to_library_of(X)
        if self.classes_.dtype.kind in "biuf":  # labels that are not numbers stay NumPy's
            self.classes_ = to_device_of(X, self.classes_)

    def _fit_dask(self, X, y, sample_weight):
        sums, shown = moments_of_dask(self, X, y, sample_weight)
        self.classes_ = self._classes_of(shown, self._read_sources())
        labels = np.searchsorted(self.classes_, shown)
        self._sums = sums.with_targets(codes(labels, len(self.classes_))[0])

    def _classes_of(self, shown, sources):
        """The classes to tell apart, where rows have some."""
        joined = anchors(self, regression=False, rows=True)
        asked = "target" if self.classes is None and not joined else self.classes
        return classes_to_tell_apart(asked, shown, [source.classes for source in sources])

    @available_if(has_partial_fit)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Add a chunk of rows to those seen so far, of which second moments and a sample are kept.

        ::

            Σ sᵢ zᵢzᵢᵀ,   z = [x, 1, y]         (p + 1 + n_outputs)² numbers, however many rows

        The coefficients follow when they are first read, with all parameters but `class_weight` as
        they are then. They are those of `fit` on all rows at once: the sizes and the order of the
        chunks change nothing but rounding. A hash chooses the sample, of at most 1000 rows, in
        which equal rows are one. Streams are added with ``a + b``, and a pickled one can go on.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The chunk's rows; single precision is read without a copy in double.
        y : array-like of shape (n_samples,)
            Their labels.
        classes : array-like of shape (n_classes,), default=None
            All labels of the stream; needed in the first call, if `fit` was not called before.
            A stream does not continue a fit of rows in memory, but replaces it.
        sample_weight : array-like of shape (n_samples,), default=None
            Repetitions of each row.

        Returns
        -------
        self : AlphaTransferClassifier

        Raises
        ------
        ValueError
            If the chunk is unlike the earlier ones. The estimator is then as it was.
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
        >>> whole = AlphaTransferClassifier(w).fit(X, y)
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
            labels = labels_of_chunk(y, self.classes_, chunk_number(self))
            of_class = class_weights(self.class_weight, self.classes_)[labels]
            Y, _ = codes(labels, len(self.classes_))
            add_chunk(self, X, Y, weight * of_class, np.minimum(weight, 1) * of_class)
        return self

    def _complete(self, problem, solution):
        """The temperature, and what the codes of all classes share."""
        self.inverse_temperature_ = solution.inverse_temperature
        if solution.inverse_temperature is None:
            self.inverse_temperature_ = temperature_of_moments(
                **decision_moments(self._sums, self.coef_, self.intercept_),
                n=problem.n,
                n_outputs=len(self.coef_),
                leverage=problem.resolvent.leverage(self.gamma_),
            )
        self.intercept_ = self.intercept_ + codes([0], len(self.classes_))[1]
