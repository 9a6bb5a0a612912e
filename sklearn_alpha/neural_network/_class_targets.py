"""Targets that are classes: what `SkorchNet` and `Training` ask of them.

What differs between one label for each row and several is in `_one_label.py` and
`_several_labels.py`.
"""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted
from torch.nn import CrossEntropyLoss

from sklearn_alpha.neural_network import _one_label, _several_labels


class ClassTargets:
    """A net whose codes are class numbers (n_rows,), or indicators (n_rows, n_labels)."""

    _kinds = ("classes", "labels")  # in the record of a saved net
    _has_temperature = True
    n_labels_ = None

    @property
    def _task(self):
        return _several_labels if self.n_labels_ else _one_label

    @property
    def _targets(self):
        return self._task.KIND

    @property
    def _probe(self):
        return self._task.PROBE

    @property
    def _problem_type(self):
        return self._task.PROBLEM_TYPE

    @property
    def _is_stratified(self):
        return self._task.IS_STRATIFIED

    @property
    def _labels(self):
        return self._task.labels(self)

    def _read_targets(self, y, sample_weight, n_rows, *, goes_on, classes=None):
        """Rows of positive weight, their codes and weights."""
        classes = self.classes if classes is None else classes
        known = None if classes is None else np.unique(classes)
        n_labels = number_of_labels(y)
        if goes_on:
            if n_labels != self.n_labels_:
                now, before = (n or "one" for n in (n_labels, self.n_labels_))
                raise ValueError(
                    f"y has {now} label(s) in a row but had {before} in the first fit; fit a new "
                    "net for others."
                )
            if known is not None and not np.array_equal(known, self.classes_):
                raise ValueError(
                    f"classes are {known.tolist()} but were {self.classes_.tolist()} in the "
                    "first fit; fit a new net for others."
                )
            known = self.classes_
        self.n_labels_ = n_labels
        return self._task.read(self, y, sample_weight, n_rows, known)

    @property
    def _criterion(self):
        """The loss: the default one is that of the targets."""
        return self._task.CRITERION if self.criterion is CrossEntropyLoss else self.criterion

    def _check_targets(self, y):
        return self._task.codes_of(self, y)

    def _codes(self, targets):
        return targets

    def _fit_units(self, base):
        """Classes have none."""

    def _check_shares(self, shares, codes):
        self._task.check_held_out(self, shares, codes)

    def _row_factors(self, codes):
        return self._task.row_factors(self, codes)

    def _log_likelihood(self, logits, codes, weights):
        return self._task.log_likelihood(logits, codes, weights)

    def _validated(self, logits, codes, weights):
        return self._task.validated(self, logits, codes, weights)

    def _to_units(self, network):
        """Classes have none."""

    @property
    def thresholds_(self):
        """Thresholds of the probabilities of several labels, ½ if no rows were held out."""
        check_is_fitted(self)
        if not self.n_labels_:
            raise AttributeError("thresholds_ is for an indicator of labels as y.")
        even = np.full(self.n_labels_, 0.5)
        return even if self.validation_ is None else self.validation_["thresholds"]


def number_of_labels(y):
    """Columns of an indicator of several labels; None if each row has one label."""
    shape = y.shape if issparse(y) else np.asarray(y).shape
    return shape[1] if len(shape) == 2 and shape[1] > 1 else None
