"""From scikit-learn's models and to them; `_onnx` has the export to ONNX."""

import copy

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_alpha.linear_model._data.array_api import to_host
from sklearn_alpha.linear_model._sources import fitted_behind


def _frozen(step):
    """A step that a pipeline fits no more; None and "passthrough" have nothing to fit."""
    return step if step is None or isinstance(step, str) else FrozenEstimator(step)


class ConversionMixin:
    """What brings estimators from pipelines, to scikit-learn's own models, and to copies."""

    def to_sklearn(self):
        """Scikit-learn's own fitted model with the same coefficients.

        ::

            f(x) = X coefᵀ + intercept

        The model is a `RidgeClassifier` for classes and a `Ridge` for numbers. Places that know
        only scikit-learn can use it: converters, explainers, and files that must hold no other
        types. It has the same decision values, predictions, classes and feature names, and shares
        no memory with this estimator. A `RidgeClassifier` has no probabilities; they are
        softmax(βf), where β is `inverse_temperature_`. A `LogisticRegression` with the
        coefficients β·coef and β·intercept has the same ones.

        Returns
        -------
        model : RidgeClassifier or Ridge
            Fitted, with default parameters: fitted again, it is ridge without a source.

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
            if self._has_labels:
                y = np.eye(len(y), dtype=int)
        else:
            model, y = Ridge(), np.zeros(2)
        # fit sets what scikit-learn needs beside the coefficients
        model.fit(np.zeros((len(y), self.n_features_in_)), y)
        coef, intercept = np.array(to_host(self.coef_)), np.array(to_host(self.intercept_))
        model.coef_, model.intercept_ = coef, intercept[()]
        if hasattr(self, "feature_names_in_"):
            model.feature_names_in_ = self.feature_names_in_.copy()
        return model

    @classmethod
    def from_pipeline(cls, pipeline, **params):
        """A pipeline for the target, from a fitted one of the source.

        The steps before the last are kept as they are, and the last one becomes the source.
        A vocabulary that they have learned stays the source's: words that it does not know have no
        column, and therefore no weight.

        Parameters
        ----------
        pipeline : Pipeline
            Fitted, or a fitted search whose best estimator is one; its last step is linear, or a
            pipeline whose last step is.
        **params
            Parameters of this estimator.

        Returns
        -------
        pipeline : Pipeline
            Its last step is this estimator, not fitted; `fit` leaves the other steps as they are.

        Examples
        --------
        >>> from sklearn.feature_extraction.text import TfidfVectorizer
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn_alpha import AlphaTransferClassifier
        >>> source = make_pipeline(TfidfVectorizer(), LogisticRegression())
        >>> source = source.fit(["good film", "bad film", "good plot", "bad plot"], [1, 0, 1, 0])
        >>> target = AlphaTransferClassifier.from_pipeline(source)
        >>> target.fit(["good lamp", "bad lamp"], [1, 0]).predict(["a good chair"])
        array([1])
        """
        check_is_fitted(pipeline)
        source = fitted_behind(pipeline)
        if not isinstance(source, Pipeline):
            raise ValueError(
                f"from_pipeline takes a fitted Pipeline, not a {type(source).__name__}; pass any "
                f"other fitted estimator as the source, {cls.__name__}(estimator)."
            )
        kept = []
        while isinstance(source, Pipeline):
            kept += [(name, _frozen(step)) for name, step in source.steps[:-1]]
            source = fitted_behind(source[-1])
        names = [name for name, _ in kept]
        if len(set(names)) < len(names):  # of pipelines in a pipeline
            kept = [(f"{name}-{k}", step) for k, (name, step) in enumerate(kept, start=1)]
        return Pipeline([*kept, (cls.__name__.lower(), cls(source, **params))])

    def __sklearn_clone__(self):
        """A clone without what was fitted, of which the source is the same: it stays fitted."""
        params = {
            name: value if name == "source" else clone(value, safe=False)
            for name, value in self.get_params(deep=False).items()
        }
        copied = type(self)(**params)
        for name in ("_metadata_request", "_sklearn_output_config"):
            if name in vars(self):
                setattr(copied, name, copy.deepcopy(getattr(self, name)))
        return copied
