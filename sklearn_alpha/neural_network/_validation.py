"""Rows that validate: their losses, and the temperature and prediction sets that they allow.

With their logits f, class numbers y and weights w of mean 1,

    β = argmin Σ wᵢ ℓᵢ(β) + (log β / 0.35)² / 2,    ℓᵢ(β) = −log softmax(β fᵢ)_yᵢ

is the maximum of the likelihood times a log-normal prior around the network as it is.
"""

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from torch.utils.data import Subset

from sklearn_alpha.neural_network._texts import EncodedRows, is_encoded

WIDTH = 0.35  # of the prior of log β, as in the linear models
LARGEST = 7.0  # |log β|


# ---------------------------------------------------------------- the rows


def validation_rows(net, valid):
    """Encoded rows of a dataset. Those that the user brings get the class weights of `fit`."""
    if is_encoded(valid):
        return valid
    rows = net.get_dataset(valid)
    return EncodedRows(rows.inputs, rows.codes, net._row_factors(rows.codes))


def of_mean_one(dataset):
    """The same rows with weights of mean 1: then the mean of weighted losses is a weighted mean."""
    rows, index = flat(dataset)
    mean = rows.weights[index].mean(dtype=np.float64)
    if mean == 1:
        return dataset
    weights = (rows.weights / mean).astype(np.float32)
    return Subset(EncodedRows(rows.inputs, rows.codes, weights), index.tolist())


def flat(dataset):
    """Encoded rows, and the numbers of those that a (nested) subset holds."""
    index = np.arange(len(dataset))
    while isinstance(dataset, Subset):
        index = np.asarray(dataset.indices)[index]
        dataset = dataset.dataset
    return dataset, index


# ---------------------------------------------------------------- what they say of the network


def validate(net, dataset):
    """What the rows say of a trained net, see `validation_` of the estimators.

    Returns
    -------
    found : dict or None
        None if there are no rows, or if an output is not finite.
    """
    if dataset is None:
        return None
    outputs = torch.cat(list(net.forward_iter(dataset))).double().cpu().numpy()
    rows, index = flat(dataset)
    if not net.processes_.agree(bool(np.isfinite(outputs).all())):
        return None
    return net._validated(outputs, rows.codes[index], rows.weights[index].astype(np.float64))


def found_by_held_out(net, method):
    """`validation_` of a net; an error that says what `method` needs if no rows were held out."""
    if net.validation_ is None:
        raise ValueError(
            f"{method} needs rows that were held out, and this fit held out none; set "
            "early_stopping=True or train_split, and fit again."
        )
    return net.validation_


# ---------------------------------------------------------------- of classes


def validated_classes(net, logits, codes, weights):
    """What rows with class numbers say."""
    beta = net.processes_.agree(inverse_temperature(logits, codes, weights))
    own = own_log_probability(beta * logits, codes)
    factors = net._row_factors(codes)  # a row is counted without the weight of its class
    counts = np.divide(weights, factors, out=np.zeros_like(weights), where=factors > 0)
    counts /= counts.mean()
    return {
        "n_rows": len(codes),
        "accuracy": float(np.average(logits.argmax(axis=1) == codes, weights=counts)),
        "log_loss": float(-np.average(own, weights=counts)),
        "inverse_temperature": beta,
        "weights": counts,
        "scores": 1 - np.exp(own),
    }


def own_log_probability(logits, codes):
    """log P(y | x) of the own class of each row."""
    return log_softmax(logits, axis=1)[np.arange(len(codes)), codes]


def inverse_temperature(logits, codes, weights):
    """β. The loss may have two minima in log β, so that a grid comes first."""

    def loss(log_beta):
        own = own_log_probability(np.exp(log_beta) * logits, codes)
        return (log_beta / WIDTH) ** 2 / 2 - weights @ own

    grid = np.linspace(-LARGEST, LARGEST, 57)
    best = grid[np.argmin([loss(log_beta) for log_beta in grid])]
    step = grid[1] - grid[0]
    options = {"xatol": 1e-8}
    bounds = (best - step, best + step)
    return float(np.exp(minimize_scalar(loss, bounds=bounds, options=options).x))


# ---------------------------------------------------------------- saved nets


def has_kinds(value, kinds):
    """Whether a dict has these names, with values of these types."""
    return (
        isinstance(value, dict)
        and value.keys() == kinds.keys()
        and all(type(value[name]) is kind for name, kind in kinds.items())
    )


def is_validation(value):
    """Whether the record of a saved net holds what `validate` returns."""
    if not has_kinds(value, KINDS):
        return False
    lists = value["weights"], value["scores"]
    if not all(type(entry) is float for entries in lists for entry in entries):
        return False
    weights, scores = map(np.array, lists)
    return (
        len(weights) == len(scores) == value["n_rows"] > 0
        and weights.sum() > 0
        and bool((weights >= 0).all() and np.isfinite(weights).all())
        and bool(((scores >= 0) & (scores <= 1)).all())
        and 0 <= value["accuracy"] <= 1
        and 0 <= value["log_loss"] < np.inf
        and np.exp(-LARGEST - 1) < value["inverse_temperature"] < np.exp(LARGEST + 1)
    )


def is_validation_of_labels(value):
    """The same for several labels in each row."""
    if not has_kinds(value, KINDS_OF_LABELS):
        return False
    thresholds = value["thresholds"]
    return (
        value["n_rows"] > 0
        and 0 <= value["accuracy"] <= 1
        and 0 <= value["log_loss"] < np.inf
        and np.exp(-LARGEST - 1) < value["inverse_temperature"] < np.exp(LARGEST + 1)
        and all(type(entry) is float and 0 <= entry <= 1 for entry in thresholds)
    )


def is_validation_of_numbers(value):
    """The same for a regression."""
    if not has_kinds(value, KINDS_OF_NUMBERS):
        return False
    try:
        weights, scores = (np.array(value[name], dtype=float) for name in ("weights", "scores"))
    except (TypeError, ValueError):
        return False
    return (
        len(weights) == len(scores) == value["n_rows"] > 0
        and (weights.ndim, scores.ndim) == (1, 2)
        and weights.sum() > 0
        and bool((weights >= 0).all() and np.isfinite(weights).all())
        and bool((scores >= 0).all() and np.isfinite(scores).all())
        and value["r2"] <= 1
        and 0 <= value["mean_squared_error"] < np.inf
    )


KINDS_OF_LABELS = {
    "n_rows": int,
    "accuracy": float,
    "log_loss": float,
    "inverse_temperature": float,
    "thresholds": list,
}
KINDS_OF_NUMBERS = {
    "n_rows": int,
    "r2": float,
    "mean_squared_error": float,
    "weights": list,
    "scores": list,
}
KINDS = {
    "n_rows": int,
    "accuracy": float,
    "log_loss": float,
    "inverse_temperature": float,
    "weights": list,
    "scores": list,
}


def restored(found):
    """What `validate` returned, from a record."""
    return found and {
        name: np.array(value) if isinstance(value, list) else value for name, value in found.items()
    }
