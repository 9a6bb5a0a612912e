"""Head and α start where the linear probe says: closed form on training rows alone."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import expit, log_softmax
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    BertTokenizerFast,
    GPT2Config,
    RobertaConfig,
)

from sklearn_alpha import AlphaLoRANetClassifier, AlphaTransferClassifier
from sklearn_alpha.neural_network import _start

from .conftest import make_module, make_numbers, make_texts

# One epoch that moves nothing but the head's start.
STILL = {"max_epochs": 1, "lr": 0.0, "alpha_lr": 0.0, "rank": 2, "random_state": 0}
STILL |= {"alpha_init": 1.0, "callbacks__anchor": None}
# With a step of zero Adam still divides, so weight decay is off as well.
STILL |= {"optimizer__weight_decay": 0.0}


def hidden(net, X):
    """Inputs of the head, of the last token where there is one for each."""
    head, found = net.module_.get_submodule(net.module_.head), []
    hook = head.register_forward_hook(lambda module, args, output: found.append(args[0].detach()))
    texts = isinstance(X[0], str)
    for row in X if texts else [X]:  # one by one, so that no token is padding
        net.decision_function([row] if texts else row)
    hook.remove()
    found = [z if z.ndim == 2 else z[:, -1] for z in found]
    return torch.cat(found).double().numpy()


def source_of(head):
    """What the linear half takes a head for."""
    v, b = head.weight.detach().double().numpy(), head.bias.detach().double().numpy()
    return (v, b) if len(v) > 2 else ((v[1] - v[0]) / 2, (b[1] - b[0]) / 2)


def oracle(Z, y, source=None, weights=None, **options):
    """P(class) of the linear half."""
    model = AlphaTransferClassifier(source, selection="blend", intercept_scaling=np.inf, **options)
    return model.fit(Z, y, sample_weight=weights).predict_proba(Z)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_numbers_start_at_the_probe(n_classes):
    X, y = make_numbers(60, n_classes=n_classes)
    fresh = make_module(n_out=5)  # of another width: replaced by a new head
    net = AlphaLoRANetClassifier(fresh, **STILL).fit(X, y)
    assert_allclose(net.predict_proba(X), oracle(hidden(net, X), y), atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_head_that_comes_along_is_the_source(n_classes):
    X, y = make_numbers(60, n_classes=n_classes)
    module = make_module(n_out=n_classes)
    net = AlphaLoRANetClassifier(module, **STILL).fit(X, y)
    expected = oracle(hidden(net, X), y, source_of(module[-1]))
    assert_allclose(net.predict_proba(X), expected, atol=1e-5)


def test_a_head_without_bias():
    X, y = make_numbers(60)
    module = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3, bias=False))
    net = AlphaLoRANetClassifier(module, **STILL).fit(X, y)
    expected = oracle(hidden(net, X), y, fit_intercept=False)
    assert_allclose(net.predict_proba(X), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2"])
def test_texts_start_at_the_probe(tiny_bert, kind):
    """Also where the head is deep inside, or speaks for every token and the last one counts."""
    small = {"vocab_size": 30, "pad_token_id": 1}
    still = {"embd_pdrop": 0.0, "attn_pdrop": 0.0, "resid_pdrop": 0.0}
    configs = {
        "roberta": RobertaConfig(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=40,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            **small,
        ),
        "gpt2": GPT2Config(n_embd=16, n_layer=1, n_head=2, n_positions=40, **small, **still),
    }
    X, y = make_texts(40)
    known, tokenizer = {}, tiny_bert
    if kind == "bert":  # with a head of two outputs that was trained
        model = AutoModelForSequenceClassification.from_pretrained(tiny_bert)
        model.classifier.bias.data = torch.tensor([0.1, -0.1])
        known["source"] = source_of(model.classifier)
    else:
        torch.manual_seed(0)
        config = configs[kind]
        config.num_labels = 7  # of another width: replaced by a new head
        model = AutoModelForSequenceClassification.from_config(config)
        tokenizer = BertTokenizerFast.from_pretrained(tiny_bert, model_max_length=32)
        tokenizer.model_input_names = ["input_ids", "attention_mask"]
    net = AlphaLoRANetClassifier(model, tokenizer=tokenizer, **STILL).fit(X, y)
    if kind == "gpt2":  # its head has no bias
        known["fit_intercept"] = False
    # the weights of a random network's probe magnify rounding a thousandfold
    assert_allclose(net.predict_proba(X), oracle(hidden(net, X), y, **known), atol=1e-3)


def test_held_out_rows_are_not_seen(monkeypatch):
    X, y = make_numbers(100)
    seen = watched(monkeypatch)
    options = {**STILL, "alpha_init": "auto", "alpha_split": 0.2, "early_stopping": True}
    AlphaLoRANetClassifier(make_module(), **options).fit(X, y)
    assert seen == 3 * [72]  # of 100, ten validate, and a fifth of the rest is α's


@pytest.mark.parametrize(("alpha_init", "expected"), [(1.0, [30]), ("auto", [20, 20, 30])])
def test_at_most_so_many_rows(alpha_init, expected, monkeypatch):
    monkeypatch.setattr(_start, "MOST_ROWS", 30)
    monkeypatch.setattr(_start, "MOST_ROWS_OF_ALPHA", 20)
    X, y = make_numbers(100)
    seen = watched(monkeypatch)
    AlphaLoRANetClassifier(make_module(), **{**STILL, "alpha_init": alpha_init}).fit(X, y)
    assert seen == expected


def watched(monkeypatch):
    """How many rows the probe reads, each time."""
    seen, inputs_of = [], _start.inputs_of
    monkeypatch.setattr(
        _start, "inputs_of", lambda *args: seen.append(len(args[2])) or inputs_of(*args)
    )
    return seen


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_alpha_follows_the_gain_on_left_out_rows(known, weighted, n_classes):
    """By hand: a net for each α, and the log losses of its probe's left-out rows."""
    X, y = make_numbers(60, n_classes=n_classes)
    module = make_module(n_out=n_classes if known else 5)
    weights = np.random.default_rng(0).uniform(0.5, 2, size=60) if weighted else np.ones(60)
    weights /= weights.mean()
    source = source_of(module[-1]) if known else None
    losses = []
    for alpha in (0.5, 1.0):
        net = AlphaLoRANetClassifier(module, **STILL | {"alpha": alpha})
        Z = hidden(net.fit(X, y), X)
        model = AlphaTransferClassifier(
            source, selection="blend", intercept_scaling=np.inf, store_loo=True
        )
        model.fit(Z, y, sample_weight=weights)
        values = model.inverse_temperature_ * model.loo_decision_function_
        values = values if n_classes > 2 else np.column_stack([np.zeros(60), values])
        losses.append(-log_softmax(values, axis=1)[np.arange(60), y])
    gain = losses[1] - losses[0]
    mean = np.average(gain, weights=weights)
    noise = np.sqrt(np.sum(weights**2 * (gain - mean) ** 2)) / 60
    expected = 0.5 ** expit((mean - noise - 0.04) / 0.01)
    net = AlphaLoRANetClassifier(module, **STILL | {"alpha_init": "auto"})
    net.fit(X, y, sample_weight=weights)
    assert_allclose(net.alpha_["0"], np.full(8, expected), rtol=1e-4)
    assert_allclose(net.predict_proba(X), oracle(hidden(net, X), y, source, weights), atol=1e-4)


def test_a_gain_counts_less_its_standard_error():
    rng = np.random.default_rng(0)
    losses, at_one = rng.normal(size=(2, 50))
    d = at_one - losses
    plain = d.mean() - d.std() / np.sqrt(50)
    assert_allclose(_start.sure_gain(losses, at_one, np.full(50, 0.3)), plain)
    assert_allclose(_start.sure_gain(losses, losses + 0.1, rng.uniform(size=50)), 0.1)
    more = np.append(losses, 0), np.append(at_one, 9), np.append(np.ones(50), 0)
    assert_allclose(_start.sure_gain(*more), plain)  # a row of no weight is no row


def test_a_saturated_source_is_shrunk():
    """The scale of a source may be an accident: of sixteen times the weights, α is less."""
    X, y = make_numbers(400, n_classes=3)
    alphas = []
    for scale in (0.25, 4):
        module = make_module(n_out=3)
        with torch.no_grad():
            module[0].weight *= scale
        net = AlphaLoRANetClassifier(module, **STILL | {"alpha_init": "auto"}).fit(X, y)
        alphas.append(net.alpha_["0"][0])
    assert alphas[1] < 0.8 * alphas[0]


def test_a_learned_alpha_goes_on_from_there():
    X, y = make_numbers(60)
    options = {"max_epochs": 1, "rank": 2, "random_state": 0, "alpha_init": "auto"}
    start, net = (
        AlphaLoRANetClassifier(make_module(), **options, alpha_lr=lr).fit(X, y).alpha_["0"]
        for lr in (0.0, 1e-3)
    )
    assert np.ptp(start) == 0
    assert start[0] != 1
    assert 0 < np.abs(net - start).max() < 0.02


def test_weights_count(monkeypatch):
    X, y = make_numbers(60)
    weights = np.random.default_rng(0).uniform(0.5, 2, size=60)
    net = AlphaLoRANetClassifier(make_module(n_out=5), **STILL).fit(X, y, sample_weight=weights)
    expected = oracle(hidden(net, X), y, weights=weights / weights.mean())
    assert_allclose(net.predict_proba(X), expected, atol=1e-5)


def test_training_goes_on_from_what_was_trained():
    X, y = make_numbers(60)
    net = AlphaLoRANetClassifier(make_module(), **{**STILL, "lr": 0.01}).fit(X, y)
    before = net.decision_function(X)
    net.set_params(lr=0.0, optimizer__lr=0.0).partial_fit(X, y)
    assert_allclose(net.decision_function(X), before, rtol=1e-6)


class Halved(nn.Module):
    """Logits that are not what the last linear layer gives."""

    def __init__(self):
        super().__init__()
        self.layers = make_module()

    def forward(self, X):
        return self.layers(X) / 2


@pytest.mark.parametrize(
    ("module", "options"),
    [
        (Halved(), {}),
        (nn.Sequential(nn.Linear(4, 2)), {}),  # the head is what is adapted
        (make_module(), {"callbacks__linear_probe": None}),
    ],
)
def test_a_head_that_stays(module, options):
    X, y = make_numbers(60)
    net = AlphaLoRANetClassifier(module, **STILL | {"alpha_init": "auto"}, **options).fit(X, y)
    assert all((alpha == 1).all() for alpha in net.alpha_.values())
    X = torch.as_tensor(X, dtype=torch.float32)
    logits = module(X).detach().numpy()
    assert_allclose(net.decision_function(X.numpy()), logits[:, 1] - logits[:, 0], atol=1e-5)


def test_a_class_without_rows_leaves_the_head():
    X, y = make_numbers(60)
    module = make_module(n_out=3)
    net = AlphaLoRANetClassifier(module, **STILL | {"alpha_init": "auto"})
    net.partial_fit(X, y, classes=[0, 1, 2])
    assert (net.alpha_["0"] == 1).all()
    logits = module(torch.as_tensor(X, dtype=torch.float32)).detach().numpy()
    assert_allclose(net.decision_function(X), logits, atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_head_that_names_the_classes_starts_by_the_default_rule(n_classes):
    X, y = make_numbers(60, n_classes=n_classes)
    source = AlphaLoRANetClassifier(make_module(n_out=n_classes), max_epochs=5, random_state=0)
    source.fit(X, y)
    options = STILL
    net = AlphaLoRANetClassifier(FrozenEstimator(source), **options).fit(X, y)
    Z = hidden(source, X)
    head = LogisticRegression().fit(Z, y)
    v, b = source_of(source.module_.get_submodule(source.module_.head))
    head.coef_, head.intercept_ = (v, b) if n_classes > 2 else (2 * v[None], np.array([2 * b]))
    expected = AlphaTransferClassifier(head).fit(Z, y).predict_proba(Z)
    assert_allclose(net.predict_proba(X), expected, atol=1e-4)


def test_a_source_net_keeps_what_it_knows():
    """Few rows of the same task: the source's head, rescaled, not a new one."""
    X, y = make_numbers(400)
    source = AlphaLoRANetClassifier(make_module(), max_epochs=20, lr=0.02, random_state=0).fit(X, y)
    few, labels = make_numbers(6, seed=1)
    net = AlphaLoRANetClassifier(FrozenEstimator(source), **STILL).fit(few, labels)
    assert net.score(*make_numbers(400, seed=2)) > 0.95 * source.score(*make_numbers(400, seed=2))
