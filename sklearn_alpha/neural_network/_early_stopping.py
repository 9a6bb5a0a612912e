"""Early stopping with scikit-learn's parameters, by skorch's split and callback."""

from skorch.callbacks import EarlyStopping
from skorch.dataset import ValidSplit
from skorch.utils import noop

VALIDATION_FRACTION = 0.1  # the default


def check_early_stopping(net):
    """Raise an error if two parameters name different rows for validation."""
    if net.train_split is not None and net.validation_fraction != VALIDATION_FRACTION:
        raise ValueError(
            f"validation_fraction={net.validation_fraction:g} and train_split both say which rows "
            f"are held out; leave train_split at None or validation_fraction at "
            f"{VALIDATION_FRACTION:g}."
        )


def stopping(net):
    """The callback of `early_stopping`, which also restores the best epoch."""
    sink = print if net.verbose else noop
    return EarlyStopping(patience=net.n_iter_no_change, load_best=True, sink=sink)


def renew_stopping(net):
    """Initialize the callbacks again if `early_stopping` has changed since an earlier fit."""
    present = [c.patience for name, c in net.callbacks_ if name == "early_stopping"]
    if present != [net.n_iter_no_change] * bool(net.early_stopping and net.max_epochs):
        net._initialize_callbacks()


def split_of(net):
    """skorch's split into rows of training and of validation, or None."""
    if net.train_split is None and net.early_stopping:
        return ValidSplit(
            net.validation_fraction, stratified=net._is_stratified, random_state=net.seed_
        )
    return net.train_split


def check_callbacks(net, validates):
    """Raise an error if callbacks stop early twice, or wait for rows that are not held out.

    Parameters
    ----------
    net : AlphaLoRANetClassifier
        With its callbacks.
    validates : bool
        Whether rows are held out.
    """
    found = [callback for _, callback in net.callbacks_ if isinstance(callback, EarlyStopping)]
    if net.early_stopping and len(found) > 1:
        raise ValueError(
            "early_stopping=True adds an EarlyStopping to the one in callbacks; leave one of the "
            "two out."
        )
    for callback in found:
        if not validates and str(callback.monitor).startswith("valid"):
            raise ValueError(
                f"EarlyStopping reads {callback.monitor!r}, but no rows are held out for "
                "validation; set early_stopping=True instead, or hold rows out with "
                "train_split=ValidSplit(0.1, stratified=True)."
            )
