"""Targets that are numbers: what `SkorchNet` and `Training` ask of them, and predictions."""

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils import check_array
from sklearn.utils.validation import check_consistent_length

from sklearn_alpha.linear_model._conformal import levels_of, upper_quantile
from sklearn_alpha.neural_network import _number_probe
from sklearn_alpha.neural_network._held_out import check_random_shares
from sklearn_alpha.neural_network._inputs import weighted_rows
from sklearn_alpha.neural_network._labels import NUMBERS, Outputs
from sklearn_alpha.neural_network._units import moments, to_standardised, to_units, units_for
from sklearn_alpha.neural_network._validation import found_by_held_out


class NumberTargets:
    """A net whose codes are standardised targets (n_rows, n_outputs), see `_units.py`."""

    _targets = "numbers"
    _kinds = ("numbers",)  # in the record of a saved net
    _probe = _number_probe
    _problem_type = "regression"  # of transformers
    _is_stratified = False  # what is held out
    _has_temperature = False  # outputs in the units of y keep their scale

    @property
    def _labels(self):
        """What the outputs of the head stand for."""
        return Outputs(len(self.target_mean_), NUMBERS)

    def _read_targets(self, y, sample_weight, n_rows, *, goes_on):
        """Rows of positive weight, their targets (n_rows, n_outputs) and weights of mean 1."""
        Y, shape = self._columns(y)
        check_consistent_length(np.empty(n_rows), Y)
        rows, weights = weighted_rows(sample_weight, n_rows)
        Y = Y[rows]
        if goes_on:
            self._check_shape(shape)
        else:
            self.target_shape_ = shape
            self.target_mean_, self.target_scale_ = moments(Y, weights)
            if not np.isfinite(self.target_scale_).all():
                raise ValueError(
                    "y has numbers whose squares are too large for float64; divide y by a constant."
                )
        return rows, Y, (weights / weights.mean()).astype(np.float32)

    def _columns(self, y):
        """y as columns of numbers (n_rows, n_outputs), and the shape of its rows."""
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        Y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y", estimator=self)
        return (Y if Y.ndim == 2 else Y[:, None]), Y.shape[1:]

    def _check_shape(self, shape):
        if shape != self.target_shape_:
            now, before = (
                f"{shape[0]} columns" if shape else "one dimension"
                for shape in (shape, self.target_shape_)
            )
            raise ValueError(
                f"y has {now} but had {before} in the first fit; fit a new net for others."
            )

    @property
    def _criterion(self):
        return self.criterion

    def _check_targets(self, y):
        """Targets of validation rows, or of a dataset."""
        Y, shape = self._columns(y)
        self._check_shape(shape)
        return Y

    def _codes(self, targets):
        return ((targets - self.target_mean_) / self.target_scale_).astype(np.float32)

    def _in_units(self, outputs):
        return self.target_mean_ + self.target_scale_ * outputs.astype(np.float64)

    def _fit_units(self, base):
        """m and s of this fit."""
        self.target_mean_, self.target_scale_ = units_for(
            base, self.row_shape_, self.target_mean_, self.target_scale_
        )

    def _attach(self, base, alpha):
        """Add adapters, after the head has been standardised."""
        self.output_layer_ = base.last_layer
        if not base.head_is_new:
            layer = base.network.get_submodule(base.last_layer)
            to_standardised(layer, self.target_mean_, self.target_scale_)
        return super()._attach(base, alpha)

    def _check_shares(self, shares, codes):
        check_random_shares(shares, len(codes))

    def _row_factors(self, codes):
        return np.ones(len(codes))

    def _log_likelihood(self, outputs, codes, weights):
        """log p(y | x) up to a constant, normal with a variance that is integrated out.

        ::

            −(n + 1)/2 Σ_k log(v_k + Σ_i (y_ik − f_ik)²)

        The prior of the variance is that of one row whose square is v_k, the variance of output k.
        """
        mean = np.average(codes, axis=0, weights=weights)
        v = np.average((codes - mean) ** 2, axis=0, weights=weights)
        total = v + weights @ (codes - outputs) ** 2 + np.finfo(float).tiny
        return -(weights.sum() + 1) / 2 * np.log(total).sum()

    def _validated(self, outputs, codes, weights):
        Y, predicted = self._in_units(codes), self._in_units(outputs)
        squares = np.average((Y - predicted) ** 2, weights=weights, axis=0)
        r2 = r2_score(Y, predicted, sample_weight=weights) if len(Y) > 1 else 0.0
        return {
            "n_rows": len(Y),
            "r2": float(r2),
            "mean_squared_error": float(squares.mean()),
            "weights": weights / weights.mean(),
            "scores": abs(Y - predicted),
        }

    def _to_units(self, network):
        """Turn the outputs of a network from standardised targets to units of y."""
        to_units(network.get_submodule(self.output_layer_), self.target_mean_, self.target_scale_)

    # ------------------------------------------------------------ predictions

    def predict(self, X):
        """Predicted targets, in the units of y.

        ::

            ŷ = m + s f(x)            m: `target_mean_`, s: `target_scale_`, f: the network

        Parameters
        ----------
        X : array-like
            As in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            As in `fit`.
        """
        outputs = self._logits(X)
        if self.fitting_:  # skorch's callbacks compare with the standardised targets of the rows
            return outputs
        return self._in_units(outputs).reshape(len(outputs), *self.target_shape_)

    def predict_interval(self, X, confidence_level=0.9):
        """Predictions, and intervals that contain the target with a given probability.

        ::

            C(x) = [f(x) − q, f(x) + q],    q = the ⌈(1 − δ)(n + 1)⌉-th smallest of |yᵢ − f(xᵢ)|

        at the confidence level 1 − δ, over the n rows that were held out, for each output alone.

        Parameters
        ----------
        X : array-like
            As in `fit`.
        confidence_level : float or array-like of shape (n_levels,), default=0.9
            Between 0 and 1. n rows allow levels up to n/(n + 1).

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            As of `predict`.
        intervals : ndarray of shape (n_samples, 2, n_levels) or (n_samples, n_outputs, 2, n_levels)
            The lower and the upper ends.

        Raises
        ------
        ValueError
            If no rows were held out, or too few for the level.

        Notes
        -----
        A row counts with its `sample_weight`. With `early_stopping` the same rows choose the epoch,
        so that with a few dozen of them the coverage is slightly below the level.
        """
        levels = levels_of(confidence_level)
        y = self.predict(X)
        found = found_by_held_out(self, "predict_interval")
        weights = found["weights"]
        q = [upper_quantile(s, weights, levels, "predict_interval") for s in found["scores"].T]
        q = np.stack(q) if self.target_shape_ else q[0]
        return y, np.stack([y[..., None] - q, y[..., None] + q], axis=-2)

    @property
    def predict_proba(self):
        """skorch gives it to every net."""
        raise AttributeError(f"{type(self).__name__!r} object has no attribute 'predict_proba'")
