"""Networks of one base are merged into one that is as confident as they are."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from peft import LoraConfig, get_peft_model
from sklearn.frozen import FrozenEstimator
from transformers import AutoTokenizer, BertForSequenceClassification

from sklearn_alpha import AlphaLoRANetClassifier
from sklearn_alpha.neural_network import _merge
from sklearn_alpha.neural_network._base_model import Base
from tests.neural_network.conftest import make_module, make_numbers, make_texts

STILL = {"max_epochs": 0, "rank": 2, "random_state": 0}
LAYERS = ("0.weight", "2.weight")  # of `make_module`, without its head


def base_of(network, frozen=None):
    frozen = {name: frozen.state_dict()[name] for name in LAYERS} if frozen is not None else {}
    return Base(network, frozen=frozen, knows_classes=True)


def task_vectors(networks, base, name):
    return [network.state_dict()[name] - base.state_dict()[name] for network in networks]


def merged(networks, base, alpha):
    bases = [base_of(copy.deepcopy(network), base) for network in networks]
    return _merge.merged(bases, alpha).network


def test_the_task_vector_has_the_direction_of_the_mean_and_the_mean_length():
    base, *networks = (make_module(seed=seed) for seed in range(4))
    alpha = np.array([0.5, 0.3, 0.2])
    found = merged(networks, base, alpha)
    for name in LAYERS:
        moves = task_vectors(networks, base, name)
        mean = sum(share * move for share, move in zip(alpha, moves))
        (move,) = task_vectors([found], base, name)
        assert_allclose(move / move.norm(), mean / mean.norm(), atol=1e-6)
        assert_allclose(move.norm(), alpha @ [float(m.norm()) for m in moves], rtol=1e-5)
    for name in ("0.bias", "4.weight", "4.bias"):
        mean = sum(share * n.state_dict()[name] for share, n in zip(alpha, networks))
        assert_allclose(found.state_dict()[name], mean, atol=1e-6)


def test_without_a_common_base_it_is_the_mean():
    base, one, two = (make_module(seed=seed) for seed in range(3))
    bases = [base_of(one, base), base_of(two, one)]
    states = [copy.deepcopy(network.state_dict()) for network in (one, two)]
    found = _merge.merged(bases, [0.25, 0.75]).network.state_dict()
    for name, value in found.items():
        assert_allclose(value, 0.25 * states[0][name] + 0.75 * states[1][name], atol=1e-6)


@pytest.mark.parametrize("known", [True, False])
def test_equal_sources_are_merged_to_themselves(known):
    base, network = make_module(seed=0), make_module(seed=1)
    bases = [base_of(copy.deepcopy(network), base if known else None) for _ in range(3)]
    found = _merge.merged(bases, [0.2, 0.3, 0.5]).network.state_dict()
    for name, value in network.state_dict().items():
        assert_allclose(found[name], value, atol=1e-6)


def test_the_base_is_merged_to_itself():
    base = make_module(seed=0)
    found = merged([base, base], base, [0.5, 0.5]).state_dict()
    for name, value in base.state_dict().items():
        assert_allclose(found[name], value)


@pytest.mark.parametrize("rest", [0.0, 1e-3])
def test_sources_that_contradict_each_other_stay_near_the_base(rest):
    base, one = make_module(seed=0), make_module(seed=1)
    other = copy.deepcopy(base)
    with torch.no_grad():
        for p, p_0, p_1 in zip(other.parameters(), base.parameters(), one.parameters()):
            p.copy_(p_0 - (1 - rest) * (p_1 - p_0))
    found = merged([one, other], base, [0.5, 0.5])
    for name in LAYERS:
        (move,), (own,) = (task_vectors([n], base, name) for n in (found, one))
        assert_allclose(move, rest / 2 * 2**0.5 * own, atol=1e-6)


def test_a_source_without_a_share_is_not_read():
    base, one, two = (make_module(seed=seed) for seed in range(3))
    bad = copy.deepcopy(one)
    with torch.no_grad():
        bad[0].weight.fill_(torch.nan)
    found = merged([bad, one, two], base, [0, 0.4, 0.6]).state_dict()
    expected = merged([one, two], base, [0.4, 0.6]).state_dict()
    for name, value in expected.items():
        assert_allclose(found[name], value)


# ---------------------------------------------------------------- the scale of the head


def test_the_scale_is_that_of_least_squares():
    rng = np.random.default_rng(0)
    pooled, logits = rng.normal(size=(2, 30, 3))
    pooled += 2 * logits
    weights = rng.uniform(size=30)
    f, g = (each - each.mean(axis=1, keepdims=True) for each in (pooled, logits))
    root = np.sqrt(weights)[:, None]
    expected = np.linalg.lstsq((root * g).reshape(-1, 1), (root * f).ravel())[0]
    assert_allclose(_merge.scale(pooled, logits, weights), expected)
    # A constant of a row does not change its probabilities.
    assert_allclose(_merge.scale(pooled + 5, logits - rng.normal(size=(30, 1)), weights), expected)


@pytest.mark.parametrize("logits", [np.zeros((4, 2)), np.tile([1.0, -1.0], (4, 1))])
def test_a_scale_that_is_not_positive_is_one(logits):
    assert _merge.scale(np.tile([-1.0, 1.0], (4, 1)), logits, np.ones(4)) == 1


# ---------------------------------------------------------------- of an estimator


def fitted_sources(n_sources=3):
    """Nets of numbers, each from the same module and with labels of its own."""
    rows, y = make_numbers(200)
    rng = np.random.default_rng(0)
    options = {"max_epochs": 5, "lr": 0.02, "random_state": 0, "rank": 2}
    return [
        FrozenEstimator(
            AlphaLoRANetClassifier(make_module(), **options).fit(
                rows, np.where(rng.random(200) < 0.1 * number, 1 - y, y)
            )
        )
        for number in range(n_sources)
    ]


def log_odds(net, rows):
    return net.decision_function(rows)


def test_the_network_is_as_confident_as_the_ensemble():
    sources = fitted_sources()
    rows, y = make_numbers(60, seed=1)
    net = AlphaLoRANetClassifier(sources, **STILL).fit(rows, y)
    pooled = np.stack([log_odds(source, rows) for source in sources], axis=1) @ net.source_alpha_
    found = log_odds(net, rows)
    assert_allclose(found @ pooled, found @ found, rtol=1e-4)  # least squares: slope 1
    states = [source.estimator.merged_model().state_dict() for source in sources]
    base = make_module().state_dict()
    for name, value in net.merged_model().state_dict().items():
        if name in LAYERS:
            lengths = [float((state[name] - base[name]).norm()) for state in states]
            assert_allclose((value - base[name]).norm(), net.source_alpha_ @ lengths, rtol=1e-4)


def test_the_order_of_the_list_does_not_matter():
    sources = fitted_sources()
    rows, y = make_numbers(60, seed=1)
    one = AlphaLoRANetClassifier(sources, **STILL).fit(rows, y)
    other = AlphaLoRANetClassifier(sources[::-1], **STILL).fit(rows, y)
    assert_allclose(other.source_alpha_[::-1], one.source_alpha_, atol=1e-4)
    assert_allclose(log_odds(other, rows), log_odds(one, rows), atol=2e-3)


def test_a_source_that_is_repeated_is_the_source():
    (source,) = fitted_sources(1)
    rows, y = make_numbers(60, seed=1)
    net = AlphaLoRANetClassifier([source] * 3, **STILL).fit(rows, y)
    assert_allclose(log_odds(net, rows), log_odds(source, rows), atol=1e-4)


def test_sources_that_differ_in_the_head_are_their_ensemble():
    rows, y = make_numbers(60, seed=1)
    one = make_module()
    two = copy.deepcopy(one)
    torch.nn.init.normal_(two[-1].weight, generator=torch.Generator().manual_seed(0))
    net = AlphaLoRANetClassifier([one, two], **STILL).fit(rows, y)
    with torch.no_grad():
        F = np.stack([m(torch.tensor(rows).float()).double().numpy() for m in (one, two)], 2)
    pooled = F @ net.source_alpha_
    assert_allclose(log_odds(net, rows), pooled[:, 1] - pooled[:, 0], atol=1e-4)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_source_that_is_not_finite_is_left_out(place):
    rows, y = make_numbers(60, seed=1)
    sources = [make_module(seed=seed) for seed in (1, 2)]
    expected = AlphaLoRANetClassifier(sources, **STILL).fit(rows, y)
    bad = make_module(seed=3)
    with torch.no_grad():
        bad[0].weight[0, 0] = torch.nan
    sources.insert(place, bad)
    with pytest.warns(RuntimeWarning, match=rf"sources \[{place}\] of model have logits that are"):
        net = AlphaLoRANetClassifier(sources, **STILL).fit(rows, y)
    assert net.source_alpha_[place] == 0
    assert_allclose(log_odds(net, rows), log_odds(expected, rows), atol=1e-5)


def test_where_alpha_starts_does_not_change_the_head():
    rows, y = make_numbers(60, seed=1)
    heads = [
        AlphaLoRANetClassifier(fitted_sources(2), alpha=alpha, **STILL).fit(rows, y)
        for alpha in (1.0, 0.5)
    ]
    one, half = (net.module_.get_submodule(net.module_.head).weight.detach() for net in heads)
    assert_allclose(half, one, atol=1e-6)


def test_few_rows_suffice():
    sources = fitted_sources()
    rows, y = make_numbers(60, seed=1)
    for n_rows in (1, 2):
        net = AlphaLoRANetClassifier(sources, classes=[0, 1], **STILL)
        net.fit(rows[:n_rows], y[:n_rows])
        assert np.mean(net.predict(rows) == y) > 0.8


@pytest.mark.parametrize("kind", ["folder", "PeftModel"])
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT reads it
def test_adapters_of_one_base_are_lengthened_and_kept(tiny_bert, tmp_path, kind):
    X, y = make_texts(24)
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    labels = {"id2label": {0: "bad", 1: "good"}, "label2id": {"bad": 0, "good": 1}}
    BertForSequenceClassification.from_pretrained(tiny_bert, **labels).save_pretrained(
        tmp_path / "base"
    )
    sources, states = [], []
    for seed in (1, 2):
        network = BertForSequenceClassification.from_pretrained(tmp_path / "base")
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            config = LoraConfig(task_type="SEQ_CLS", r=2, init_lora_weights=False)
            adapted = get_peft_model(network, config).eval()
        adapted.save_pretrained(tmp_path / str(seed))
        sources.append(adapted if kind == "PeftModel" else str(tmp_path / str(seed)))
        states.append(copy.deepcopy(adapted).merge_and_unload().state_dict())
    net = AlphaLoRANetClassifier(sources, tokenizer=tokenizer, **STILL).fit(X, y)
    base = BertForSequenceClassification.from_pretrained(tmp_path / "base").state_dict()
    alpha, n_longer = net.source_alpha_, 0
    for name, value in net.merged_model().state_dict().items():
        if name.startswith("classifier"):
            continue
        moves = [state[name] - base[name] for state in states]
        lengths = np.array([float(move.norm()) for move in moves])
        mean = sum(share * move for share, move in zip(alpha, moves))
        shortest = max(float(mean.norm()), np.sqrt(alpha**2 @ lengths**2))
        s = alpha @ lengths / shortest if shortest else 1
        assert_allclose(value - base[name], s * mean, atol=1e-5)
        n_longer += s > 1
    assert n_longer == 4  # query and value in two layers
    net.save(tmp_path / "net")
    for again in (pickle.loads(pickle.dumps(net)), AlphaLoRANetClassifier.load(tmp_path / "net")):
        assert_allclose(again.decision_function(X), net.decision_function(X), atol=1e-5)
