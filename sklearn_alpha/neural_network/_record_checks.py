"""What the record of a saved net may say: names, types and sizes that `save` writes."""

from math import prod

import numpy as np
from sklearn.utils._param_validation import validate_parameter_constraints

from sklearn_alpha.neural_network._inputs import NUMBERS, TEXT
from sklearn_alpha.neural_network._parameters import CONSTRAINTS
from sklearn_alpha.neural_network._validation import (
    is_validation,
    is_validation_of_labels,
    is_validation_of_numbers,
)

LABEL_BYTES = 1 << 16  # of one label, at most
ROW_SIZE = 1 << 28  # numbers in one row, at most


def check_record(cls, record, parameters, state):
    """Raise a ValueError where a record is not one that `save` writes.

    Parameters
    ----------
    cls : type
        The estimator.
    record : dict
    parameters : dict
        Those of the record that are given to the estimator.
    state : dict of str to Tensor
        Of the network. Its adapters must have the rank that the record names.
    """
    _check(ENTRIES, record)
    if record.get("targets") not in cls._kinds:
        raise ValueError("targets is not as it should be")
    fitted = fitted_checks(record["targets"])
    _check(fitted, record["fitted"])
    if unknown := record["fitted"].keys() - fitted.keys():
        raise ValueError(f"there is no attribute {min(unknown)!r}")
    attached = record["fitted"]["attached_"]
    if attached.keys() != ATTACHED.keys():
        raise ValueError("attached_ has other entries than it should")
    validate_parameter_constraints(ATTACHED, attached, "attached_")
    ranks = {len(value) for name, value in state.items() if ".lora_A." in name}
    if ranks != {attached["rank"]}:
        raise ValueError("the rank of the adapters is another")
    if (record["fitted"]["kind_"] == TEXT) != (record["fitted"]["row_shape_"] is None):
        raise ValueError("kind_ and row_shape_ contradict each other")
    if "classes" in cls._kinds:
        _check(LABELS, record)
        _check_labels(record["classes"], np.dtype(record["dtype"]))
        if record["targets"] == "labels":
            _check_number_of_labels(len(record["classes"]), **record["fitted"])
    else:
        _check_units(record["fitted"])
    known = cls("").get_params(deep=False)
    for name in parameters:
        component, _, option = name.partition("__")
        if component not in known and not (option and component in cls.prefixes_):
            raise ValueError(f"there is no parameter {name!r}")


def _check(checks, values):
    for name, check in checks.items():
        if name in OPTIONAL and name not in values:
            continue
        if name not in values or not check(values[name]):
            raise ValueError(f"{name} is {'not as it should be' if name in values else 'missing'}")


def fitted_checks(targets):
    """The attributes that a record names, for targets of a kind, and their checks."""
    return FITTED | OF_TARGETS[targets]


def _check_labels(labels, dtype):
    if dtype.kind not in "biufUO" or dtype.itemsize > LABEL_BYTES:
        raise ValueError("the labels have a type that labels do not have")
    if len(set(labels)) < len(labels):
        raise ValueError("a label is there twice")


def _check_number_of_labels(n, n_labels_, validation_=None, **others):
    if n_labels_ != n or len(validation_["thresholds"] if validation_ else range(n)) != n:
        raise ValueError("the number of labels contradicts the classes")


def _check_units(fitted):
    mean, scale = fitted["target_mean_"], fitted["target_scale_"]
    if not len(mean) == len(scale) == prod(fitted["target_shape_"]):
        raise ValueError("the units of the targets contradict their shape")
    if not (np.isfinite(mean + scale).all() and min(scale) > 0):
        raise ValueError("a unit of the targets is none")


def _is_place(value):
    """An id or path, a part of the folder, or None."""
    if isinstance(value, dict):
        return value.keys() == {"folder"} and value["folder"] in ("base", "tokenizer")
    return value is None or isinstance(value, str)


def _is_count(value):
    return type(value) is int and value >= 0


def _is_shape(value):
    return value is None or (_is_list(int)(value) and min(value) > 0 and prod(value) <= ROW_SIZE)


def _is_list(*kinds, empty=False):
    """Whether a value is a list of entries of one of these types."""
    return lambda value: (
        isinstance(value, list)
        and (empty or len(value) > 0)
        and any(all(type(entry) is kind for entry in value) for kind in kinds)
    )


ENTRIES = {
    "model": _is_place,
    "tokenizer": _is_place,
    "parameters": lambda value: isinstance(value, dict),
    "fitted": lambda value: isinstance(value, dict),
}
FITTED = {
    "kind_": lambda value: value in (NUMBERS, TEXT),
    "seed_": lambda value: _is_count(value) and value < 1 << 63,
    "row_shape_": _is_shape,
    "fingerprint_": lambda value: isinstance(value, str),
    "attached_": lambda value: isinstance(value, dict),
    "new_modules_": _is_list(str, empty=True),
    "starts_at_probe_": lambda value: isinstance(value, bool),
    "source_alpha_": _is_list(float),
    "trained_share_": lambda value: isinstance(value, float) and 0 <= value <= 1,
    "n_features_in_": _is_count,
    "feature_names_in_": _is_list(str),
}
OF_TARGETS = {
    "classes": {"validation_": lambda value: value is None or is_validation(value)},
    "labels": {
        "validation_": lambda value: value is None or is_validation_of_labels(value),
        "n_labels_": lambda value: _is_count(value) and value > 1,
    },
    "numbers": {
        "validation_": lambda value: value is None or is_validation_of_numbers(value),
        "target_shape_": lambda value: value == [] or (_is_list(int)(value) and len(value) == 1),
        "target_mean_": _is_list(float),
        "target_scale_": _is_list(float),
    },
}
LABELS = {
    "classes": _is_list(bool, int, float, str),
    "dtype": lambda value: isinstance(value, str),
}
OPTIONAL = ("n_features_in_", "feature_names_in_", "starts_at_probe_", "validation_")
OPTIONAL += ("source_alpha_", "trained_share_")
ATTACHED = {
    name: CONSTRAINTS[name] for name in ("rank", "lora_alpha", "lora_dropout", "target_modules")
}
