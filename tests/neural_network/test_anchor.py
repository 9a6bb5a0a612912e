"""A source that knows the classes is left only as far as left-out rows say."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from transformers import BertForSequenceClassification

from sklearn_alpha import AlphaLoRANetClassifier
from sklearn_alpha.neural_network import _anchor
from sklearn_alpha.neural_network._anchor import GRID, LOG_BETA, NAMED, UNNAMED, WIDTH, prior
from tests.neural_network.conftest import make_module, make_numbers, make_texts

OPTIONS = {"rank": 2, "lr": 0.02, "random_state": 0}


@pytest.fixture(scope="module")
def source():
    X, y = make_numbers(400)
    net = AlphaLoRANetClassifier(make_module(), max_epochs=20, **OPTIONS).fit(X, y)
    return FrozenEstimator(net)


def merged(net):
    return net.merged_model().state_dict()


def test_the_network_is_on_the_line_from_the_source_to_where_training_ends(source):
    X, y = make_numbers(40, seed=1)
    net = AlphaLoRANetClassifier(source, **OPTIONS).fit(X, y)
    free = AlphaLoRANetClassifier(source, callbacks__anchor=None, **OPTIONS).fit(X, y)
    t = net.trained_share_
    assert 0 < t < 1
    assert free.trained_share_ == 1
    start, end, found = merged(source.estimator), merged(free), merged(net)
    line = {name: start[name] + t * (end[name] - start[name]) for name in start}
    head = [name for name in line if name.startswith("4.")]
    beta = found[head[0]] / line[head[0]]  # one number, which multiplies the logits
    assert_allclose(beta, beta.mean(), rtol=1e-4)
    for name, value in found.items():
        factor = beta.mean() if name in head else 1.0
        assert_allclose(value, factor * line[name], atol=1e-5)


@pytest.mark.parametrize("n", [2, 6, 20])
def test_few_rows_of_the_same_task_leave_the_source_nearly_as_it_is(source, n):
    X, y = make_numbers(1000, seed=2)
    alone = source.estimator
    for seed in range(3):
        few, labels = make_numbers(n, seed=10 + seed)
        net = AlphaLoRANetClassifier(source, **OPTIONS).fit(few, labels)
        assert net.score(X, y) > alone.score(X, y) - 0.01
        assert log_loss(y, net.predict_proba(X)) < log_loss(y, alone.predict_proba(X)) + 0.02


def test_rows_that_contradict_the_source_move_it(source):
    X, y = make_numbers(60, seed=1)
    net = AlphaLoRANetClassifier(source, **OPTIONS).fit(X, 1 - y)
    assert net.trained_share_ > 0.9
    assert net.score(*make_numbers(400, seed=2)) < 0.2


def test_the_likelihood_is_that_of_left_out_rows(source, monkeypatch):
    """Each row is scored once, by a network that was trained on the others alone."""
    X, y = make_numbers(31, seed=1)
    seen, scored = [], []
    train, score = _anchor.trained_on, _anchor.outputs_on_path

    def trained_on(net, start, rows):
        seen.append(set(rows.indices))
        return train(net, start, rows)

    def outputs_on_path(net, start, end, rows):
        scored.append(set(rows.indices))
        return score(net, start, end, rows)

    monkeypatch.setattr(_anchor, "trained_on", trained_on)
    monkeypatch.setattr(_anchor, "outputs_on_path", outputs_on_path)
    AlphaLoRANetClassifier(source, **OPTIONS).fit(X, y)
    assert all(not (a & b) and len(a | b) == 31 for a, b in zip(seen, scored))
    assert set.union(*scored) == set(range(31))
    assert sum(map(len, scored)) == 31


def test_step_and_temperature_are_posterior_means(source):
    """With rows that validate the likelihood can be computed from plain models."""
    X, y = make_numbers(60, seed=1)
    options = OPTIONS | {"early_stopping": True, "validation_fraction": 0.3}
    net = AlphaLoRANetClassifier(source, **options).fit(X, y)
    free = AlphaLoRANetClassifier(source, callbacks__anchor=None, **options).fit(X, y)
    held = []

    class Spy(Callback):
        def on_train_end(self, net, X=None, y=None, **kwargs):
            for rows, code, _ in net.validation_rows_:
                held.append((rows[""], code))

    AlphaLoRANetClassifier(source, callbacks=[Spy()], **options).fit(X, y)
    rows, codes = torch.stack([row for row, _ in held]), torch.tensor([code for _, code in held])
    start, end, model = merged(source.estimator), merged(free), free.merged_model()
    log_p = np.zeros((len(GRID), len(LOG_BETA)))
    for i, t in enumerate(GRID):
        line = {name: torch.lerp(start[name], end[name], float(t)) for name in start}
        model.load_state_dict(line)
        with torch.no_grad():
            logits = model(rows)
        for j, log_beta in enumerate(LOG_BETA):
            loss = torch.nn.functional.cross_entropy(
                np.exp(log_beta) * logits, codes, reduction="sum"
            )
            log_p[i, j] = norm(scale=WIDTH).logpdf(log_beta) - loss
    posterior = prior(NAMED)[:, None] * np.exp(log_p)
    posterior /= posterior.sum()
    t = posterior.sum(axis=1) @ GRID
    assert_allclose(net.trained_share_, t, rtol=1e-4)
    beta = np.exp(posterior.sum(axis=0) @ LOG_BETA)
    bias = torch.lerp(start["4.bias"], end["4.bias"], float(t))
    assert_allclose(merged(net)["4.bias"], beta * bias, rtol=1e-4)


@pytest.mark.parametrize("factor", [0.2, 5.0])
def test_a_source_of_another_scale_gets_better_probabilities(source, factor):
    X, y = make_numbers(60, seed=1)
    X_new, y_new = make_numbers(1000, seed=2)
    scaled = AlphaLoRANetClassifier(source, max_epochs=0).fit(X, y)
    scaled.module_.multiply_logits(factor)
    net = AlphaLoRANetClassifier(FrozenEstimator(scaled), **OPTIONS).fit(X, y)
    before, now, right = (
        log_loss(y_new, one.predict_proba(X_new)) for one in (scaled, net, source.estimator)
    )
    assert now - right < (before - right) / 2


class Doubled(torch.nn.Sequential):
    """Logits that are not the outputs of the head."""

    def forward(self, X):
        return 2 * super().forward(X)


def test_a_head_that_does_not_return_the_logits_keeps_its_scale(source):
    X, y = make_numbers(40, seed=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = NeuralNetClassifier(
            Doubled(*make_module()), criterion=torch.nn.CrossEntropyLoss, max_epochs=3, verbose=0
        ).fit(X.astype(np.float32), y)
    found = AlphaLoRANetClassifier(net, **OPTIONS | {"lr": 0.0}).fit(X, y)
    assert 0 < found.trained_share_ < 1
    assert_allclose(merged(found)["4.bias"], net.module_[4].bias.detach())


def test_folds_share_out_every_class():
    codes = np.repeat([0, 1, 2], [10, 7, 1])
    held = [fold for _, fold in _anchor.folds(codes, seed=0)]
    assert_array_equal(np.sort(np.concatenate(held)), np.arange(18))
    for code in (0, 1):
        counts = [np.sum(codes[fold] == code) for fold in held]
        assert np.ptp(counts) <= 1


def test_a_new_head_is_left_freely(tiny_bert):
    X, _ = make_texts(24)
    y = np.arange(24) % 3
    net = AlphaLoRANetClassifier(tiny_bert, max_epochs=1, rank=2, random_state=0).fit(X, y)
    assert net.trained_share_ == 1


def test_outputs_without_names_have_a_prior_of_one_half(tiny_bert):
    """One row has no likelihood."""
    X, _ = make_texts(1)
    model = BertForSequenceClassification.from_pretrained(tiny_bert)
    model.classifier.bias.data = torch.tensor([0.1, -0.1])
    options = {"tokenizer": tiny_bert, "classes": [0, 1], "max_epochs": 1, "random_state": 0}
    net = AlphaLoRANetClassifier(model, **options).fit(X, [1])
    assert_allclose(net.trained_share_, prior(UNNAMED) @ GRID)


@pytest.mark.parametrize("names", [{}, {"id2label": {0: "bad", 1: "good"}}])
def test_a_head_of_transformers_that_was_never_trained_is_new(tiny_bert, names):
    """Its weights are random and its bias zero, whatever its labels are called."""
    X, y = make_texts(24)
    model = BertForSequenceClassification.from_pretrained(tiny_bert, **names)
    options = {"tokenizer": tiny_bert, "max_epochs": 1, "rank": 2, "random_state": 0}
    net = AlphaLoRANetClassifier(model, **options).fit(X, y)
    assert net.module_.head_is_new
    assert not net.module_.knows_classes
    assert net.trained_share_ == 1


@pytest.mark.parametrize("n", [4, 10, 30])
def test_a_module_that_knows_the_task_keeps_its_accuracy(source, n):
    model = source.estimator.merged_model()
    X, y = make_numbers(1000, seed=2)
    alone = source.estimator.score(X, y)
    loss = log_loss(y, source.estimator.predict_proba(X))
    nets = [
        AlphaLoRANetClassifier(model, **OPTIONS).fit(*make_numbers(n, seed=10 + seed))
        for seed in range(5)
    ]
    assert np.mean([net.score(X, y) for net in nets]) > alone - 0.01
    assert np.mean([log_loss(y, net.predict_proba(X)) for net in nets]) < loss + 0.02


@pytest.mark.parametrize("n", [20, 60])
def test_a_module_of_other_classes_is_left(source, n):
    model = source.estimator.merged_model()
    X, y = make_numbers(n, seed=1)
    net = AlphaLoRANetClassifier(model, **OPTIONS).fit(X, 1 - y)
    free = AlphaLoRANetClassifier(model, callbacks__anchor=None, **OPTIONS).fit(X, 1 - y)
    X_new, y_new = make_numbers(1000, seed=2)
    assert net.score(X_new, 1 - y_new) > free.score(X_new, 1 - y_new) - 0.02


def test_the_callbacks_of_the_user_see_one_fit(source):
    epochs = []

    class Counter(Callback):
        def on_epoch_end(self, net, **kwargs):
            epochs.append(len(net.history))

    X, y = make_numbers(20, seed=1)
    net = AlphaLoRANetClassifier(source, callbacks=[Counter()], max_epochs=3, **OPTIONS).fit(X, y)
    assert epochs == [1, 2, 3] == net.history[:, "epoch"]


def test_training_goes_on_from_there(source):
    X, y = make_numbers(20, seed=1)
    net = AlphaLoRANetClassifier(source, alpha=1.0, **OPTIONS).fit(X, y)
    share, before = net.trained_share_, net.decision_function(X)
    net.set_params(lr=0.0, optimizer__lr=0.0, optimizer__weight_decay=0.0)
    net.partial_fit(X, y)
    assert net.trained_share_ == share
    assert_allclose(net.decision_function(X), before, rtol=1e-5)


def test_many_rows_are_trained_once(source, monkeypatch):
    monkeypatch.setattr(_anchor, "MOST_ROWS", 30)
    net = AlphaLoRANetClassifier(source, max_epochs=1, **OPTIONS).fit(*make_numbers(31))
    assert net.trained_share_ == 1


def test_a_diverged_half_counts_as_impossible():
    log_likelihood = np.full((5, len(LOG_BETA)), -np.inf)
    log_likelihood[0] = -5
    found = _anchor.posterior_means(log_likelihood, LOG_BETA, prior(NAMED))
    assert_allclose(found, (0, 1), atol=1e-4)
    t, beta = _anchor.posterior_means(np.zeros((5, 1)), np.zeros(1), prior(NAMED))
    assert_allclose((t, beta), (prior(NAMED) @ GRID, 1))
