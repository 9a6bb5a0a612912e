"""Temperature and prediction sets, from the rows that were held out for validation."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax, softmax
from sklearn.base import clone
from sklearn.metrics import log_loss
from skorch.dataset import Dataset
from skorch.helper import predefined_split

from sklearn_alpha import AlphaLoRANetClassifier
from sklearn_alpha.neural_network._validation import inverse_temperature
from tests.neural_network.conftest import make_module, make_numbers

X, Y = make_numbers(90, n_classes=3, p=4)
X_VALID, Y_VALID = make_numbers(60, n_classes=3, p=4, seed=1)
X_NEW, Y_NEW = make_numbers(4000, n_classes=3, p=4, seed=2)
LABELS = np.array(["a", "b", "c"])
OPTIONS = {"rank": 2, "lr": 0.02, "max_epochs": 3, "random_state": 0}
OPTIONS |= {"callbacks__anchor": None}


def split(X=X_VALID, y=Y_VALID, n=60):
    return predefined_split(Dataset(X[:n].astype(np.float32), LABELS[y[:n]]))


def fit(sample_weight=None, **options):
    net = AlphaLoRANetClassifier(make_module(n_out=3), **{**OPTIONS, **options})
    return net.fit(X, LABELS[Y], sample_weight)


@pytest.fixture(scope="module")
def net():
    return fit(train_split=split())


def test_the_temperature_is_the_mode_of_its_posterior():
    rng = np.random.default_rng(0)
    for scale in (0.01, 0.3, 1, 5):
        logits = scale * (rng.normal(size=(40, 3)) + 2 * np.eye(3)[Y_VALID[:40]])
        weights = rng.uniform(0.2, 2, size=40)
        beta = inverse_temperature(logits, Y_VALID[:40], weights)
        grid = np.exp(np.linspace(-6, 6, 20001))
        own = [log_softmax(b * logits, axis=1)[np.arange(40), Y_VALID[:40]] @ weights for b in grid]
        loss = (np.log(grid) / 0.35) ** 2 / 2 - np.array(own)
        assert_allclose(beta, grid[np.argmin(loss)], rtol=1e-3)
    assert_allclose(inverse_temperature(logits, Y_VALID[:40], np.zeros(40)), 1, rtol=1e-6)


def test_an_overconfident_network_is_cooled():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=2000)
    f = rng.normal(size=2000) + 2 * y - 1  # the log odds are 2f
    for scale in (0.5, 10.0):
        logits = np.column_stack([np.zeros(2000), scale * f])
        assert_allclose(scale * inverse_temperature(logits, y, np.ones(2000)), 2, rtol=0.15)


def test_probabilities_are_scaled_and_predictions_stay(net):
    logits = net.decision_function(X_NEW).astype(float)
    beta = net.inverse_temperature_
    assert beta != 1
    assert_allclose(net.predict_proba(X_NEW), softmax(beta * logits, axis=1), rtol=1e-5)
    assert_allclose(np.exp(net.predict_log_proba(X_NEW)), net.predict_proba(X_NEW), rtol=1e-5)
    assert_array_equal(net.predict(X_NEW), LABELS[logits.argmax(axis=1)])
    plain = fit()  # the split is of rows that are not among X
    assert plain.validation_ is None
    assert plain.inverse_temperature_ == 1
    assert_array_equal(plain.decision_function(X_NEW), net.decision_function(X_NEW))


def test_scores_are_those_of_the_rows(net):
    found, P = net.validation_, net.predict_proba(X_VALID)
    own = P[np.arange(60), Y_VALID]
    assert found["n_rows"] == 60
    assert_allclose(np.sort(found["scores"]), np.sort(1 - own), atol=1e-6)
    assert_allclose(found["accuracy"], net.score(X_VALID, LABELS[Y_VALID]))
    assert_allclose(found["log_loss"], log_loss(Y_VALID, P), rtol=1e-6)
    assert_array_equal(found["weights"], 1)


def test_sets_of_held_out_rows_have_exactly_the_level(net):
    own = LABELS[Y_VALID][:, None] == LABELS
    for level in (0.5, 0.8, 0.9):
        y, sets = net.predict_set(X_VALID, level)
        assert_array_equal(y, net.predict(X_VALID))
        assert sets.shape == (60, 3, 1)
        assert sets[own].sum() == np.ceil(level * 61)


def test_sets_of_new_rows_contain_the_label_with_the_level():
    """The coverage of n held-out rows is beta distributed, with the level as its mean."""
    coverage = []
    for seed in range(12):
        X_held, y_held = make_numbers(60, n_classes=3, p=4, seed=10 + seed)
        net = fit(train_split=split(X_held, y_held), max_epochs=1)
        _, sets = net.predict_set(X_NEW, [0.7, 0.9])
        coverage.append(sets[LABELS[Y_NEW][:, None] == LABELS].mean(axis=0))
    assert_allclose(np.mean(coverage, axis=0), [0.7, 0.9], atol=3 * np.sqrt(0.21 / 60 / 12) + 0.01)


def test_early_stopping_holds_the_rows_out():
    net = fit(early_stopping=True, validation_fraction=0.3)
    assert net.validation_["n_rows"] == 27
    _, sets = net.predict_set(X_NEW, [0.5, 0.9])
    assert (sets[..., 0] <= sets[..., 1]).all()
    best = int(np.argmin(net.history_[:, "valid_loss"]))  # the epoch that the net returned to
    assert_allclose(net.validation_["accuracy"], net.history_[best, "valid_acc"])


def test_weights_of_rows_count_and_weights_of_classes_do_not():
    weights = np.random.default_rng(0).uniform(0.5, 2, size=90)
    options = {"early_stopping": True, "validation_fraction": 0.3, "max_epochs": 0}
    plain = fit(weights, **options).validation_["weights"]
    assert np.ptp(plain) > 0.5
    for class_weight in ("balanced", {"a": 1.0, "b": 7.0, "c": 0.1}):
        found = fit(weights, class_weight=class_weight, **options).validation_["weights"]
        assert_allclose(found, plain, rtol=1e-5)


def test_nothing_is_left_of_an_earlier_fit(net):
    again = pickle.loads(pickle.dumps(net)).set_params(train_split=None)
    again.partial_fit(X, LABELS[Y])
    assert again.inverse_temperature_ == 1
    with pytest.raises(ValueError, match="held out none; set early_stopping=True or train_split"):
        again.predict_set(X_NEW)
    assert clone(net).validation_ is None


def test_too_few_rows_and_other_levels(net):
    with pytest.raises(ValueError, match=r"=0\.99 needs 99 labelled rows, and .* 60"):
        net.predict_set(X_NEW, 0.99)
    for level in (0, 1, -0.1, [0.5, 2], np.nan):
        with pytest.raises(ValueError, match="pass a number between 0 and 1"):
            net.predict_set(X_NEW, level)


def test_pickles_and_folders_keep_temperature_and_sets(net, tmp_path):
    net.save(tmp_path)
    loaded = AlphaLoRANetClassifier.load(tmp_path, model=make_module(n_out=3))
    for again in (pickle.loads(pickle.dumps(net)), loaded):
        assert_allclose(again.predict_proba(X_NEW), net.predict_proba(X_NEW), rtol=1e-6)
        assert_array_equal(again.predict_set(X_NEW)[1], net.predict_set(X_NEW)[1])
        assert again.validation_.keys() == net.validation_.keys()
    loaded.save(tmp_path)


def test_callbacks_see_the_network_as_it_is():
    """While a net trains, its probabilities are not those of an earlier temperature."""
    seen = []

    class Spy(AlphaLoRANetClassifier):
        def train_step_single(self, batch, **fit_params):
            seen.append(self.inverse_temperature_)
            return super().train_step_single(batch, **fit_params)

    net = Spy(make_module(n_out=3), train_split=split(), **OPTIONS)
    net.fit(X, LABELS[Y]).partial_fit(X, LABELS[Y])
    assert set(seen) == {1.0}
    assert net.inverse_temperature_ != 1
