"""What outlives a process: files that say which version wrote them, and plain scikit-learn models.

Predictions need `coef_`, `intercept_`, `classes_` and `inverse_temperature_` alone. As long as a
change leaves what is in a fitted estimator readable, FORMAT stays, and files of all versions with
the same FORMAT load; `tests/linear_model/files` holds one of each to try it on.
"""

from inspect import signature

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from sklearn_alpha.linear_model._device import to_host

FORMAT = 1
MARK = "_written_by"  # (format, version); files older than the mark are of format 1 too


def of_kind(kind, value):
    """A dictionary, and those in it, of one kind; anything else as it is."""
    if not isinstance(value, dict):
        return value
    return kind(**{name: of_kind(kind, inner) for name, inner in value.items()})


class Persistent(BaseEstimator):
    """An estimator whose files can be told apart, and that scikit-learn alone can stand in for."""

    def __getstate__(self):
        from sklearn_alpha import __version__

        state = {**super().__getstate__(), MARK: (FORMAT, __version__)}
        if "path_" in state:
            state["path_"] = of_kind(dict, state["path_"])  # skops trusts it, and no Bunch
        return state

    def __setstate__(self, state):
        state = dict(state)
        written_in, writer = state.pop(MARK, (FORMAT, None))
        if written_in != FORMAT:
            from sklearn_alpha import __version__

            raise ValueError(
                f"this {type(self).__name__} was written by sklearn_alpha {writer} in format "
                f"{written_in}, and sklearn_alpha {__version__} reads {FORMAT}; install the "
                "version that wrote it."
            )
        # a parameter that the writer did not know yet has the value that changes nothing
        parameters = signature(type(self).__init__).parameters
        defaults = {name: parameters[name].default for name in self._get_param_names()}
        super().__setstate__({**defaults, **state})
        if "path_" in self.__dict__:
            self.path_ = of_kind(Bunch, self.path_)

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
        check_is_fitted(self)
        if is_classifier(self):
            model, y = RidgeClassifier(), self.classes_
        else:
            model, y = Ridge(), np.zeros(2)
        # scikit-learn sets what it needs beside coefficients; rows of zeros cost nothing
        model.fit(np.zeros((len(y), self.n_features_in_)), y)
        coef, intercept = np.array(to_host(self.coef_)), np.array(to_host(self.intercept_))
        model.coef_, model.intercept_ = coef, intercept[()]
        if hasattr(self, "feature_names_in_"):
            model.feature_names_in_ = self.feature_names_in_.copy()
        return model
