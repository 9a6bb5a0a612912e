"""Fitting in chunks: `partial_fit`, `a + b`, and solutions that wait until they are asked for."""

import copy
import warnings
from contextlib import contextmanager
from typing import ClassVar

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call
from sklearn.utils.validation import _check_sample_weight, validate_data

from sklearn_alpha._fitting import all_or_nothing
from sklearn_alpha.linear_model._base import AlphaTransfer
from sklearn_alpha.linear_model._calibration import temperature_of_moments
from sklearn_alpha.linear_model._device import is_foreign
from sklearn_alpha.linear_model._evidence import evidence
from sklearn_alpha.linear_model._lazy import is_dask
from sklearn_alpha.linear_model._source import align_sources, check_range
from sklearn_alpha.linear_model._stream import Stream, Sums

# Solved for when one of them is first asked for, not once a chunk.
SOLVED = ("coef_", "intercept_", "alpha_", "gamma_", "source_coef_", "source_intercept_", "path_")
SOLVED += ("inverse_temperature_", "_w0", "_w1")
OF_ROWS = ("loo_decision_function_",)


def reads_moments(estimator):
    """Whether what the selection reads can be had from second moments."""
    given = not (isinstance(estimator.alpha, str) and isinstance(estimator.gamma, str))
    selection = estimator.selection
    return selection in ("blend", "evidence") or (selection == "generative" and given)


def has_partial_fit(estimator):
    if reads_moments(estimator):
        return True
    raise AttributeError(
        f"selection={estimator.selection!r} needs rows, and partial_fit keeps second moments "
        "alone; use selection='evidence', or fit on all rows."
    )


@contextmanager
def naming_chunk(number):
    """Errors say which chunk they are in."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ValueError(f"chunk {number}: {error}") from error


class PartialAlphaTransfer(AlphaTransfer):
    """A fit from moments: rows are added up and forgotten."""

    _target_checks: ClassVar = {}

    @property
    def _number(self):
        """Of the chunk that is being added, from 1."""
        return self._sums.n_chunks + 1 if "_sums" in self.__dict__ else 1

    def _rows(self, X, y, sample_weight, *, reset):
        """A chunk's rows of positive weight, checked."""
        X, y = validate_data(
            self,
            X,
            y,
            reset=reset,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            **self._target_checks,
        )
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        check_range("X", X)
        seen = weight > 0
        return (X, y, weight) if seen.all() else (X[seen], y[seen], weight[seen])

    def _chunk(self, X, y, sample_weight):
        """The rows of the chunk that is being added."""
        if is_dask(X):
            raise ValueError(
                "X is a Dask collection, and partial_fit takes chunks in memory; pass it to fit, "
                "and add what is fitted there to this stream, a + b."
            )
        with naming_chunk(self._number):
            if is_foreign(X):
                raise ValueError("partial_fit adds up NumPy's arrays; move the chunk to the host.")
            if np.shape(X)[:1] == (0,):
                raise ValueError("there are no rows in it; leave it out.")
            X, y, weight = self._rows(X, y, sample_weight, reset="_sums" not in self.__dict__)
            if not len(weight):
                raise ValueError("all its weights are zero; leave it out.")
        return X, y, weight

    def _add(self, X, Y, weight):
        """Add a chunk of coded targets; what was solved for is no longer so."""
        with naming_chunk(self._number):
            check_range("y", Y)
        sums = self.__dict__.get("_sums")
        if sums is None:
            with warnings.catch_warnings():  # they come once, with the solution
                warnings.simplefilter("ignore", UserWarning)
                self._aligned(X.shape[1], Y.shape[1])
            self._given_gammas()
            self._sums = Sums.of(X, Y, weight)
        elif Y.shape[1] != len(sums.mean_Y):
            raise ValueError(
                f"chunk {self._number}: y has {Y.shape[1]} column(s) but earlier chunks have "
                f"{len(sums.mean_Y)}; a stream has the same targets throughout."
            )
        else:
            self._sums = sums + Sums.of(X, Y, weight, sums.origin)
        self._forget()

    def _forget(self):
        for name in SOLVED + OF_ROWS:
            self.__dict__.pop(name, None)

    def _aligned(self, n_features, n_outputs):
        return align_sources(
            self.source,
            n_outputs=n_outputs,
            n_features=n_features,
            classes=getattr(self, "classes_", None),
            feature_names=getattr(self, "feature_names_in_", None),
        )

    def _solve(self):
        """Set the fitted attributes from the moments; what the evidence chose from them."""
        sums = self._sums
        W, b = self._aligned(len(sums.origin), len(sums.mean_Y))
        height = self.intercept_scaling if self.fit_intercept else 0.0
        stream = Stream(sums, W, b, height, self._given_gammas())
        solution = evidence(stream, alpha=self._given_alpha(b.shape))
        self._set(stream, solution)
        return stream

    def __getattr__(self, name):
        if name in SOLVED and "_sums" in self.__dict__:
            self._solve()
        return super().__getattribute__(name)  # which says what is missing, and why

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
        if not ("_sums" in self.__dict__ and "_sums" in other.__dict__):
            raise ValueError("a + b adds up streams; fit both with partial_fit first.")
        for name in ("n_features_in_", "feature_names_in_", "classes_", "_target_ndim"):
            one, two = (getattr(estimator, name, None) for estimator in (self, other))
            if not np.array_equal(one, two):
                raise ValueError(
                    f"a + b: {name.strip('_')} is {one} in a and {two} in b; add up streams of "
                    "the same features and targets."
                )
        if self._sums.total.shape != other._sums.total.shape:
            raise ValueError(
                f"a + b: a has {len(self._sums.mean_Y)} target(s) and b {len(other._sums.mean_Y)}; "
                "add up streams of the same targets."
            )
        both = copy.copy(self)
        both._sums = self._sums + other._sums
        both._forget()
        return both


def codes(labels, n_classes):
    """±1 codes less their mean over the classes, and that mean: it moves no prediction.

    Two classes have one column, (n_rows, 1), and more have one each, (n_rows, n_classes).
    """
    member = np.eye(n_classes)[labels]
    member = member[:, 1:] if n_classes == 2 else member
    common = 2 / n_classes - 1
    return 2 * member - 1 - common, common


class PartialClassifier(PartialAlphaTransfer):
    """`partial_fit` for labels."""

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
            X, y, weight = self._chunk(X, y, sample_weight)
            if "_sums" not in self.__dict__ and classes is not None:
                self.__dict__.pop("classes_", None)  # of a fit before the stream
            _check_partial_fit_first_call(self, classes)
            n_classes = len(self.classes_)
            if n_classes < 2:
                raise ValueError(f"classes are {self.classes_}; pass at least 2.")
            unknown = np.setdiff1d(y, self.classes_)
            if len(unknown):
                raise ValueError(
                    f"chunk {self._number}: y has the labels {unknown}, which are not among the "
                    f"classes {self.classes_} of the first call; name all of them there."
                )
            labels = np.searchsorted(self.classes_, y)
            of_class = compute_class_weight(
                self.class_weight, classes=self.classes_, y=self.classes_
            )
            self._add(X, codes(labels, n_classes)[0], weight * of_class[labels])
        return self

    def _solve(self):
        stream, n_classes = super()._solve(), len(self.classes_)
        covariance, p = stream.covariance, len(stream.sums.origin)
        weights = np.hstack([self.coef_, np.zeros((len(self.coef_), len(covariance) - p))])
        with_y = (weights @ covariance)[:, p:].diagonal()
        spread = np.einsum("ci,ij,cj->c", weights, covariance, weights)
        codes_spread = np.maximum(covariance[p:, p:].diagonal(), np.finfo(np.float64).tiny)
        means = self.coef_ @ stream.sums.mean + self.intercept_
        self.inverse_temperature_ = temperature_of_moments(
            difference=(2 * with_y / codes_spread).mean(),
            within=(spread - with_y**2 / codes_spread).mean(),
            size=np.sqrt((spread + means**2).mean()) / (2 if n_classes == 2 else 1),
            n=stream.n,
            n_outputs=len(spread),
            leverage=stream.leverage(self.gamma_),
        )
        self.intercept_ = self.intercept_ + codes([0], n_classes)[1]
        return stream


class PartialRegressor(PartialAlphaTransfer):
    """`partial_fit` for numbers."""

    _target_checks: ClassVar = {"multi_output": True, "y_numeric": True}

    @available_if(has_partial_fit)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Add a chunk of rows to those seen so far; only their second moments are kept.

        ::

            Σ sᵢ zᵢzᵢᵀ,   z = [x, 1, y]         (p + 1 + n_outputs)² numbers, however many rows

        from which coefficients follow as in :meth:`AlphaTransferClassifier.partial_fit`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The chunk's rows; single precision is read without a copy in double.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Repetitions of each row.

        Returns
        -------
        self : AlphaTransferRegressor

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
        >>> from sklearn_alpha import AlphaTransferRegressor
        >>> rng = np.random.default_rng(0)
        >>> X, w = rng.normal(size=(600, 5)), np.arange(5.0)
        >>> one, two = AlphaTransferRegressor(w), AlphaTransferRegressor(w)
        >>> one = one.partial_fit(X[:400], X[:400] @ w)
        >>> two = two.partial_fit(X[400:], X[400:] @ w)
        >>> (one + two).coef_.round(3)
        array([0., 1., 2., 3., 4.])
        """
        with all_or_nothing(self):
            X, y, weight = self._chunk(X, y, sample_weight)
            if "_sums" not in self.__dict__:
                self._target_ndim = y.ndim
            self._add(X, y.astype(np.float64).reshape(len(y), -1), weight)
        return self

    def _solve(self):
        stream = super()._solve()
        if self._target_ndim == 1:
            self.coef_, self.intercept_ = self.coef_[0], self.intercept_[0]
        return stream
