"""Targets that are classes: what `SkorchNet` and `Training` ask of them."""

import numpy as np

from sklearn_alpha.neural_network import _class_probe
from sklearn_alpha.neural_network._held_out import check_shares
from sklearn_alpha.neural_network._inputs import encode_labels, read_targets
from sklearn_alpha.neural_network._validation import own_log_probability, validated_classes


class ClassTargets:
    """A net whose codes are class numbers (n_rows,), places in `classes_inferred_`."""

    _targets = "classes"  # in the record of a saved net
    _probe = _class_probe
    _problem_type = "single_label_classification"  # of transformers
    _is_stratified = True  # what is held out

    @property
    def _labels(self):
        """What the outputs of the head stand for."""
        return self.classes_inferred_

    def _read_targets(self, y, sample_weight, n_rows, *, goes_on, classes=None):
        """Rows of positive weight, their class numbers and weights."""
        classes = self.classes if classes is None else classes
        known = None if classes is None else np.unique(classes)
        if goes_on:
            if known is not None and not np.array_equal(known, self.classes_):
                raise ValueError(
                    f"classes are {known.tolist()} but were {self.classes_.tolist()} in the "
                    "first fit; fit a new net for others."
                )
            known = self.classes_
        known, seen, codes, weights, self.class_factors_ = read_targets(
            y, sample_weight, n_rows, classes=known, class_weight=self.class_weight
        )
        self.classes_inferred_ = known
        return seen, codes, weights

    def _check_targets(self, y):
        """Class numbers of labels."""
        return encode_labels(y, self.classes_inferred_)

    def _codes(self, targets):
        return targets

    def _fit_units(self, base):
        """Classes have none."""

    def _check_shares(self, shares, codes):
        check_shares(shares, codes, self.classes_inferred_)

    def _row_factors(self, codes):
        """What `class_weight` multiplies the weight of each row by."""
        return self.class_factors_[codes]

    def _log_likelihood(self, logits, codes, weights):
        """Σ_i log p(y_i | x_i)."""
        return weights @ own_log_probability(logits, codes)

    def _validated(self, logits, codes, weights):
        return validated_classes(self, logits, codes, weights)

    def _to_units(self, network):
        """Classes have none."""
