"""Early stopping with scikit-learn's parameters, and with skorch's."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import StratifiedShuffleSplit
from skorch.callbacks import EarlyStopping
from skorch.dataset import ValidSplit
from torch import nn

from sklearn_alpha import AlphaLoRANetClassifier
from tests.neural_network.conftest import make_module, make_numbers

X, Y = make_numbers(60)
Y = np.where(np.random.default_rng(0).random(60) < 0.4, 1 - Y, Y)
OPTIONS = {"rank": 2, "batch_size": 8, "lr": 0.1, "random_state": 0}
OPTIONS |= {"callbacks__anchor": None}  # the best epoch is where it ends
OWN_SPLIT = {"train_split": ValidSplit(4, stratified=True)}


def net(**options):
    return AlphaLoRANetClassifier(make_module(), **{**OPTIONS, **options})


def held_out(fitted):
    """Numbers of the rows of X that validate."""
    _, valid = fitted.get_split_datasets(fitted.get_dataset(X, Y), Y)
    return np.asarray(valid.dataset.indices)[np.asarray(valid.indices)]


@pytest.mark.parametrize("patience", [2, 3])
def test_it_stops_and_returns_to_the_best_epoch(patience):
    stopped = net(early_stopping=True, n_iter_no_change=patience, max_epochs=40).fit(X, Y)
    losses = stopped.history_[:, "valid_loss"]
    assert len(losses) < 40
    assert len(losses) == np.argmin(losses) + 1 + patience
    rows = held_out(stopped)
    logits = torch.cat(list(stopped.forward_iter(X[rows])))
    loss = nn.functional.cross_entropy(logits, torch.tensor(Y[rows]))
    assert_allclose(loss, min(losses), rtol=1e-5)


@pytest.mark.parametrize("fraction", [0.1, 0.3])
def test_the_rows_are_those_of_a_stratified_shuffle_with_the_seed(fraction):
    stopped = net(early_stopping=True, validation_fraction=fraction, max_epochs=1).fit(X, Y)
    split = StratifiedShuffleSplit(1, test_size=fraction, random_state=stopped.seed_)
    ((_, expected),) = split.split(X, Y)
    assert_array_equal(np.sort(held_out(stopped)), np.sort(expected))
    other = net(early_stopping=True, validation_fraction=fraction, random_state=1, max_epochs=1)
    assert set(held_out(other.fit(X, Y))) != set(expected)


def test_a_callback_of_skorch_does_the_same():
    ours = net(early_stopping=True, n_iter_no_change=2, max_epochs=20).fit(X, Y)
    split = ValidSplit(0.1, stratified=True, random_state=ours.seed_)
    stop = EarlyStopping(patience=2, load_best=True, sink=lambda *_: None)
    theirs = net(train_split=split, callbacks=[stop], max_epochs=20).fit(X, Y)
    assert len(ours.history_) == len(theirs.history_) < 20
    assert_array_equal(ours.decision_function(X), theirs.decision_function(X))


def test_train_split_holds_out_the_rows():
    stopped = net(early_stopping=True, n_iter_no_change=1, max_epochs=20, **OWN_SPLIT).fit(X, Y)
    assert len(held_out(stopped)) == 15
    assert len(stopped.history_) < 20


CONTRADICTIONS = {
    "no rows": ({"callbacks": [EarlyStopping()]}, r"reads 'valid_loss'.*; set early_stopping=True"),
    "two": ({"early_stopping": True, "callbacks": [EarlyStopping()]}, "leave one of the two out"),
    "two, and rows": (
        {"early_stopping": True, "callbacks": [("mine", EarlyStopping())], **OWN_SPLIT},
        "leave one of the two out",
    ),
    "two shares": (
        {"early_stopping": True, "validation_fraction": 0.2, **OWN_SPLIT},
        r"validation_fraction=0\.2 and train_split both say which rows .* at 0\.1\.$",
    ),
    "too few rows": (
        {"early_stopping": True, "validation_fraction": 0.01},
        "early_stopping splits 60 rows into 59 and 1, too few for 2 classes",
    ),
    "an int": ({"early_stopping": 3}, "'early_stopping' parameter"),
    "all rows": ({"early_stopping": True, "validation_fraction": 1.0}, "'validation_fraction' par"),
    "no epoch": ({"early_stopping": True, "n_iter_no_change": 0}, "'n_iter_no_change' parameter"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_contradictions(case):
    options, message = CONTRADICTIONS[case]
    with pytest.raises(ValueError, match=message) as raised:
        net(**options).fit(X, Y)
    assert "\n" not in str(raised.value)


def test_what_is_no_contradiction():
    for options in (
        {"callbacks": [EarlyStopping(sink=lambda *_: None)], **OWN_SPLIT},
        {"callbacks": [EarlyStopping(monitor="train_loss", sink=lambda *_: None)]},
        {"early_stopping": False, "n_iter_no_change": 1, "validation_fraction": 0.3},
    ):
        assert net(max_epochs=1, **options).fit(X, Y).history_


@pytest.mark.parametrize("patience", [1, 4])
def test_files_of_earlier_versions_had_the_patience_in_early_stopping(patience, tmp_path):
    kept = net(early_stopping=True, n_iter_no_change=patience, max_epochs=2).fit(X, Y)
    state = kept.__getstate__() | {"early_stopping": patience}
    for name in ("validation_fraction", "n_iter_no_change"):
        del state[name]
    again = AlphaLoRANetClassifier.__new__(AlphaLoRANetClassifier)
    again.__setstate__(pickle.loads(pickle.dumps(state)))
    vars(again)["early_stopping"] = patience
    again.save(tmp_path)
    for read in (
        pickle.loads(pickle.dumps(again)),
        AlphaLoRANetClassifier.load(tmp_path, model=make_module()),
    ):
        assert (read.early_stopping, read.n_iter_no_change) == (True, patience)
        assert read.validation_fraction == 0.1
        assert_array_equal(read.decision_function(X), kept.decision_function(X))


def test_a_later_fit_has_the_parameters_of_then():
    fitted = net(max_epochs=2).fit(X, Y)
    fitted.set_params(early_stopping=True, n_iter_no_change=1, max_epochs=30).partial_fit(X, Y)
    losses = fitted.history_[2:, "valid_loss"]
    assert len(losses) == np.argmin(losses) + 2 < 30
    fitted.set_params(early_stopping=False, max_epochs=3).partial_fit(X, Y)
    assert len(fitted.history_) == 2 + len(losses) + 3
    assert "valid_loss" not in fitted.history_[-1]
