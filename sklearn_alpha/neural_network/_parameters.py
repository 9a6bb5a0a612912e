"""Which values the parameters of a net may have."""

import inspect
from numbers import Integral, Real

import torch
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

from sklearn_alpha.neural_network._early_stopping import check_early_stopping
from sklearn_alpha.neural_network._sources import refuse_several

CONSTRAINTS = {
    "rank": [Interval(Integral, 1, None, closed="left")],
    "lora_alpha": [Interval(Real, 0, None, closed="neither"), None],
    "lora_dropout": [Interval(Real, 0, 1, closed="left")],
    "target_modules": [str, list],
    "alpha": [StrOptions({"learn"}), Real, dict],
    "alpha_init": [StrOptions({"auto"}), Real, dict],
    "alpha_every": [Interval(Integral, 1, None, closed="left")],
    "alpha_lr": [Interval(Real, 0, None, closed="left")],
    "alpha_split": [Interval(Real, 0, 1, closed="left")],
    "lr": [Interval(Real, 0, None, closed="left")],
    "max_epochs": [Interval(Integral, 0, None, closed="left")],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "max_length": [Interval(Integral, 1, None, closed="left"), None],
    "stride": [Interval(Integral, 0, None, closed="left"), None],
    "class_weight": [dict, StrOptions({"balanced"}), None],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "precision": [StrOptions({"float32", "bfloat16"})],
    "accelerator": [dict, None],
    "random_state": ["random_state"],
}
FIXED_ORDER = ("shuffle", "sampler", "batch_sampler", "drop_last")  # options of a DataLoader


def check_parameters(net):
    """Raise an error for a value that is not allowed, also of a parameter of skorch's."""
    parameters = net.get_params(deep=False)
    constraints = {name: kinds for name, kinds in CONSTRAINTS.items() if name in parameters}
    validate_parameter_constraints(constraints, parameters, type(net).__name__)
    check_early_stopping(net)
    if net._targets == "numbers":
        refuse_several(net.model, "a regression")
    for name in net._params_to_validate:
        if name.startswith(("module__", "model__")):
            raise ValueError(
                f"{name} is not possible: model is adapted as it is; build the network with the "
                "arguments that you want, and pass it as model."
            )
        iterator, _, option = name.partition("__")
        if iterator in ("iterator_train", "iterator_valid") and option in FIXED_ORDER:
            raise ValueError(
                f"{name} is not possible: rows are batched by length, shuffled in training and in "
                "their order otherwise; leave it out."
            )
    if inspect.isclass(net.optimizer) and issubclass(net.optimizer, torch.optim.LBFGS):
        raise ValueError(
            "optimizer=LBFGS evaluates the loss several times per step, which is not possible "
            "with adapters and α; pass AdamW, SGD or another optimizer that needs one gradient "
            "per step."
        )
