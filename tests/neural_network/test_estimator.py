"""The estimator on texts, pairs and numbers: what is trained, on which rows, and what comes out."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neural_network import MLPClassifier
from skorch.dataset import Dataset as SkorchDataset
from skorch.dataset import ValidSplit
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    BertTokenizerFast,
    DistilBertConfig,
    GPT2Config,
    Qwen2Config,
    RobertaConfig,
)

from sklearn_alpha import AlphaLoRANetClassifier
from tests.neural_network.conftest import (
    make_module,
    make_numbers,
    make_texts,
    tiny_gpt,
    words_only,
)

QUICK = {"max_epochs": 2, "rank": 2, "batch_size": 8, "lr": 0.01, "random_state": 0}
QUICK |= {"callbacks__anchor": None}  # test_anchor.py has what it adds
# The probe of a random network has weights of hundreds, which make 1e-7 of a hidden state 1e-5 of a
# logit; tests of equal logits do without it.
NO_PROBE = {"callbacks__linear_probe": None}


def fit_texts(model, X=None, y=None, sample_weight=None, **options):
    if X is None:
        X, y = make_texts(24)
    return AlphaLoRANetClassifier(model, **{**QUICK, **options}).fit(X, y, sample_weight)


def fit_numbers(model=None, X=None, y=None, sample_weight=None, **options):
    if X is None:
        X, y = make_numbers()
    model = make_module() if model is None else model
    return AlphaLoRANetClassifier(model, **{**QUICK, **options}).fit(X, y, sample_weight)


def same_state(a, b):
    a, b = a.module_.state_dict(), b.module_.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# ---------------------------------------------------------------- what goes in and comes out


@pytest.mark.parametrize(
    "kind",
    [
        list,
        tuple,
        np.array,
        pd.Series,
        pl.Series,
        pa.array,
        lambda t: pa.chunked_array([t[:3], t[3:]]),
        lambda t: np.array(t, dtype=object),
    ],
)
def test_texts_in_any_container_give_the_same_net(tiny_bert, kind):
    X, y = make_texts(16)
    assert same_state(fit_texts(tiny_bert, kind(X), y), fit_texts(tiny_bert, X, y))


@pytest.mark.parametrize(
    "kind",
    [
        lambda a, b: list(zip(a, b)),
        lambda a, b: [list(pair) for pair in zip(a, b)],
        lambda a, b: pd.DataFrame({"a": a, "b": b}),
        lambda a, b: pl.DataFrame({"a": a, "b": b}),
        lambda a, b: pa.table({"a": a, "b": b}),
        lambda a, b: np.array(list(zip(a, b)), dtype=object),
    ],
)
def test_pairs_in_any_container_are_two_segments(tiny_bert, kind):
    (a, y), (b, _) = make_texts(16), make_texts(16, seed=1)
    net = fit_texts(tiny_bert, kind(a, b), y)
    rows = net.get_dataset(kind(a, b))
    expected = net.tokenizer_(a, b)
    assert rows.inputs["input_ids"] == expected["input_ids"]
    assert rows.inputs["token_type_ids"] == expected["token_type_ids"]
    assert net.predict(kind(a, b)).shape == (16,)


@pytest.mark.parametrize(
    "labels", [("bad", "good"), (0, 1), (-1, 1), (2.0, 5.0), (False, True), ("z", "a")]
)
def test_labels_of_any_kind_come_back(labels):
    X, y = make_numbers()
    y = np.array(labels)[y]
    net = fit_numbers(X=X, y=y, max_epochs=20)
    assert_array_equal(net.classes_, np.unique(y))
    assert net.predict(X).dtype == y.dtype
    assert net.score(X, y) > 0.9


@pytest.mark.parametrize("n_classes", [2, 3])
def test_decisions_probabilities_and_predictions_agree(n_classes):
    X, y = make_numbers(n_classes=n_classes)
    net = fit_numbers(make_module(n_out=n_classes), X, y)
    decision, P = net.decision_function(X), net.predict_proba(X)
    with torch.no_grad():
        logits = net.merged_model()(torch.tensor(X, dtype=torch.float32)).numpy()
    expected = logits[:, 1] - logits[:, 0] if n_classes == 2 else logits
    assert_allclose(decision, expected, atol=1e-5)
    assert_allclose(P.sum(axis=1), 1)
    assert_allclose(np.log(P), net.predict_log_proba(X), atol=1e-12)
    assert_array_equal(net.predict(X), P.argmax(axis=1))


def test_prediction_does_not_depend_on_the_order_or_neighbours_of_rows(tiny_bert):
    net = fit_texts(tiny_bert, **NO_PROBE)
    X, _ = make_texts(30, seed=2)
    together = net.decision_function(X)
    assert_allclose(net.decision_function(X[::-1])[::-1], together, atol=1e-5)
    assert_allclose([net.decision_function([x])[0] for x in X], together, atol=1e-5)


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_text_gets_the_answer_of_the_model(tiny_bert, empty):
    X, _ = make_texts(6)
    net = fit_texts(tiny_bert, **NO_PROBE)
    tokens = net.tokenizer_("", return_tensors="pt")
    with torch.no_grad():
        no, yes = net.merged_model()(**tokens).logits.numpy()[0]
    found = net.decision_function([*X[:3], empty, *X[3:]])
    assert_allclose(found, [*net.decision_function(X[:3]), yes - no, *net.decision_function(X[3:])])
    assert_allclose(net.decision_function([empty]), yes - no, atol=1e-6)


def test_a_text_of_no_tokens_is_one_special_token():
    """Decoders often put no token around a text."""
    net = AlphaLoRANetClassifier(tiny_gpt(), tokenizer=words_only(eos_token="end"), max_epochs=1)
    X, y = make_texts(24)
    net.fit(X, y)
    with torch.no_grad():
        one = torch.tensor([[1]])  # the number of the end token
        logits = net.merged_model()(input_ids=one, attention_mask=one).logits.numpy()
    for rows in ([""], ["", *X[:3]]):
        decision = net.decision_function(rows)
        assert_allclose(decision[0], logits[0, 1] - logits[0, 0], atol=1e-5)


def test_it_learns_what_texts_say(tiny_bert):
    X, y = make_texts(200)
    net = fit_texts(tiny_bert, X, y, max_epochs=20, target_modules="all-linear", rank=8)
    assert net.score(*make_texts(60, seed=5)) > 0.9


ARCHITECTURES = {
    "distilbert": DistilBertConfig(vocab_size=30, dim=16, n_layers=1, n_heads=2, hidden_dim=16),
    "roberta": RobertaConfig(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=20,
        pad_token_id=1,
    ),
    "gpt2": GPT2Config(vocab_size=30, n_embd=16, n_layer=1, n_head=2, n_positions=40),
    "qwen2": Qwen2Config(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=16,
    ),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_other_architectures_than_bert(tiny_bert, name):
    model = AutoModelForSequenceClassification.from_config(ARCHITECTURES[name])
    tokenizer = BertTokenizerFast.from_pretrained(tiny_bert, model_max_length=10**30)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    X, y = make_texts(16)
    net = fit_texts(model, X, y, tokenizer=tokenizer, **NO_PROBE)
    assert net.longest_ == {"distilbert": 512, "roberta": 18, "gpt2": 40, "qwen2": 32768}[name]
    assert net.alpha_
    assert_allclose(net.decision_function(X[:3]), net.decision_function(X)[:3], atol=1e-5)


# ---------------------------------------------------------------- what is trained


def test_only_adapters_alpha_and_head_move(tiny_bert):
    net = fit_texts(tiny_bert)
    fresh = fit_texts(tiny_bert, max_epochs=0)
    moved = {
        name
        for (name, a), (_, b) in zip(
            net.module_.named_parameters(), fresh.module_.named_parameters()
        )
        if not torch.equal(a, b)
    }
    trained = {name for name in moved if "lora_" in name or ".classifier." in name}
    assert moved == trained
    assert net.n_trainable_parameters_ == sum(
        p.numel() for name, p in net.module_.named_parameters() if name in moved
    )


def test_alpha_of_one_held_fixed_is_plain_lora(tiny_bert):
    net = fit_texts(tiny_bert, alpha=1.0)
    assert all((alpha == 1).all() for alpha in net.alpha_.values())
    learned = fit_texts(tiny_bert)
    rows = sum(alpha.size for alpha in learned.alpha_.values())
    assert learned.n_trainable_parameters_ == net.n_trainable_parameters_ + rows


def test_alpha_may_be_given_for_each_layer():
    alpha = {"0": np.linspace(0, 1, 8), "2": np.linspace(-1, 1, 8)}
    net = fit_numbers(alpha=alpha)
    for name, rows in alpha.items():
        assert_allclose(net.alpha_[name], rows, rtol=1e-6)
    start = fit_numbers(alpha_init=alpha, max_epochs=0)
    assert_allclose(start.alpha_["2"], alpha["2"], rtol=1e-6)


def test_held_out_rows_reach_alpha_only_and_the_others_only_the_adapter():
    X, y = make_numbers(40)
    net = fit_numbers(X=X, y=y, alpha_split=0.25, max_epochs=1, alpha_lr=0.0)
    lora = fit_numbers(X=X, y=y, alpha_split=0.25, max_epochs=1, alpha_lr=0.0, alpha_every=3)
    # with α held by its step size, whatever is held out leaves the adapter alone
    assert same_state(net, lora)
    # and what is not held out leaves α alone: labels of the held-out rows decide it
    seen = []

    class Spy(AlphaLoRANetClassifier):
        def train_step_single(self, batch, **fit_params):
            before = {name: p.requires_grad for name, p in self.module_.named_parameters()}
            step = super().train_step_single(batch, **fit_params)
            with_gradient = {
                name for name, p in self.module_.named_parameters() if p.grad is not None
            }
            seen.append((before, with_gradient, batch[0][0][""]))
            return step

    net = Spy(make_module(), alpha_split=0.25, alpha_every=2, **QUICK).fit(X, y)
    alpha_rows = {
        tuple(r) for _, g, x in seen if any("row_scale" in n for n in g) for r in x.numpy()
    }
    other_rows = {tuple(r) for _, g, x in seen if any("lora_A" in n for n in g) for r in x.numpy()}
    assert alpha_rows
    assert other_rows
    assert not alpha_rows & other_rows
    assert len(alpha_rows | other_rows) == len(X)
    for _, gradients, _ in seen:
        assert len({"row_scale" in name for name in gradients}) == 1
    assert any((a != 1).any() for a in net.alpha_.values())


@pytest.mark.parametrize("split", [0.0, 0.25])
@pytest.mark.parametrize("every", [1, 3])
def test_alpha_moves_every_t_steps(split, every):
    moves = []

    class Spy(AlphaLoRANetClassifier):
        def train_step(self, batch, **fit_params):
            before = self.alpha_
            step = super().train_step(batch, **fit_params)
            moves.append(any((before[name] != a).any() for name, a in self.alpha_.items()))
            return step

    Spy(make_module(), alpha_split=split, alpha_every=every, **QUICK).fit(*make_numbers(48))
    # the first gradient is that of B = 0, and α has one all the same
    assert moves == [i % every == 0 for i in range(len(moves))]


# ---------------------------------------------------------------- weights


def test_a_row_of_weight_zero_is_no_row():
    X, y = make_numbers(40, n_classes=3)
    weight = (y != 2).astype(float)
    kept = y != 2
    module = make_module(n_out=2)
    assert same_state(fit_numbers(module, X, y, weight), fit_numbers(module, X[kept], y[kept]))


def test_weights_are_used():
    # Of two contradicting copies of the rows the heavier one is believed.
    X, y = make_numbers(40)
    X2, y2 = np.vstack([X, X]), np.concatenate([y, 1 - y])
    for heavy in (0, 1):
        weight = np.where(np.arange(80) // 40 == heavy, 1.0, 0.01)
        net = fit_numbers(X=X2, y=y2, sample_weight=weight, max_epochs=25)
        assert (net.score(X, y) > 0.9) == (heavy == 0)


def test_weights_count_in_their_proportion():
    X, y = make_numbers(40)
    weight = np.random.default_rng(0).uniform(0.5, 2, size=40)
    a, b = (fit_numbers(X=X, y=y, sample_weight=c * weight) for c in (1, 4))
    assert_allclose(a.decision_function(X), b.decision_function(X), rtol=1e-4, atol=1e-5)


def test_one_full_batch_of_weighted_rows_is_that_of_repeated_rows():
    X, y = make_numbers(20)
    repeats = np.random.default_rng(1).integers(1, 4, size=20)
    options = {"optimizer": torch.optim.SGD, "max_epochs": 3, "lr": 0.1, "alpha_lr": 0.0}
    options |= NO_PROBE  # weights are relative, but the probe sees more rows where rows repeat
    weighted = fit_numbers(X=X, y=y, sample_weight=repeats, batch_size=20, **options)
    repeated = fit_numbers(
        X=X.repeat(repeats, axis=0), y=y.repeat(repeats), batch_size=repeats.sum(), **options
    )
    assert_allclose(
        weighted.decision_function(X), repeated.decision_function(X), rtol=1e-4, atol=1e-5
    )


def test_class_weight_multiplies_sample_weight():
    X, y = make_numbers(40)
    by_class = fit_numbers(X=X, y=y, class_weight={0: 1.0, 1: 3.0})
    by_row = fit_numbers(X=X, y=y, sample_weight=np.where(y == 1, 3.0, 1.0))
    assert same_state(by_class, by_row)
    y = np.where(np.arange(40) < 30, 0, 1)
    balanced = fit_numbers(X=X, y=y, class_weight="balanced")
    assert same_state(balanced, fit_numbers(X=X, y=y, class_weight={0: 2 / 3, 1: 2.0}))


# ---------------------------------------------------------------- random state


@pytest.mark.parametrize("split", [0.0, 0.25])
def test_one_random_state_gives_the_same_numbers_whatever_happens_in_between(tiny_bert, split):
    first = fit_texts(tiny_bert, alpha_split=split)
    torch.manual_seed(123)
    fit_numbers(random_state=5)
    np.random.default_rng(1).normal()
    second = fit_texts(tiny_bert, alpha_split=split)
    assert same_state(first, second)
    assert same_state(first, first.fit(*make_texts(24)))
    assert not same_state(first, fit_texts(tiny_bert, alpha_split=split, random_state=1))


def test_the_global_generators_are_left_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    # what scikit-learn calls a random_state of None
    state = np.random.mtrand._rand.get_state()[1].copy()
    fit_numbers(random_state=3).predict(make_numbers()[0])
    assert torch.equal(torch.get_rng_state(), before)
    assert_array_equal(np.random.mtrand._rand.get_state()[1], state)


def test_the_users_module_is_never_changed():
    module = make_module(n_out=3)
    before = copy.deepcopy(module.state_dict())
    fit_numbers(module)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


# ---------------------------------------------------------------- sources


def test_a_module_of_other_width_gets_a_new_head_and_lazy_layers_their_width():
    X, y = make_numbers(30, p=4, n_classes=3)
    assert fit_numbers(make_module(n_out=2), X, y).predict_proba(X).shape == (30, 3)
    lazy = nn.Sequential(nn.LazyLinear(6), nn.ReLU(), nn.Linear(6, 2))
    net = fit_numbers(lazy, X, y)
    assert net.merged_model()[0].in_features == 4
    again = pickle.loads(pickle.dumps(net))
    assert_allclose(again.decision_function(X), net.decision_function(X))


def test_layers_whose_names_end_alike_are_told_apart():
    nested = nn.Sequential(
        nn.Linear(4, 4), nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.Tanh()), nn.Linear(4, 2)
    )
    assert list(fit_numbers(nested).alpha_) == ["0", "1", "2.0"]

    class Chain(nn.Module):
        def __init__(self):
            super().__init__()
            self.aux_head, self.mid, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, X):
            return self.head(self.mid(self.aux_head(X)))

    assert list(fit_numbers(Chain()).alpha_) == ["aux_head", "mid"]
    inner = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    outer = nn.Sequential(inner, nn.Tanh(), nn.Linear(4, 2))
    assert list(fit_numbers(outer).alpha_) == ["0.0", "0.2"]


@pytest.mark.parametrize("target", ["1", ["1"], r".*1"])
def test_the_head_is_trained_whatever_layers_are_named(target):
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    net, fresh = (fit_numbers(module, target_modules=target, max_epochs=n) for n in (2, 0))
    assert list(net.alpha_) == ["1"]
    state, start = net.module_.state_dict(), fresh.module_.state_dict()
    assert not torch.equal(
        state["network.base_model.model.2.weight"], start["network.base_model.model.2.weight"]
    )


def test_statistics_of_frozen_batch_norms_stay():
    module = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 2))
    net = fit_numbers(module, alpha_split=0.25)
    assert torch.equal(net.merged_model()[1].running_mean, torch.zeros(6))


def test_half_precision_checkpoints_are_read_in_float32(tiny_bert, tmp_path):
    half = AutoModelForSequenceClassification.from_pretrained(tiny_bert, dtype=torch.bfloat16)
    half.save_pretrained(tmp_path)
    BertTokenizerFast.from_pretrained(tiny_bert).save_pretrained(tmp_path)
    for model in (str(tmp_path), half):
        net = fit_texts(model, tokenizer=tiny_bert)
        assert {p.dtype for p in net.module_.parameters()} == {torch.float32}


@pytest.mark.parametrize("wrap", [lambda net: net, FrozenEstimator])
def test_a_fitted_net_is_a_source(tiny_bert, wrap):
    X, y = make_texts(40)
    source = fit_texts(tiny_bert, X, y, max_epochs=6, target_modules="all-linear", **NO_PROBE)
    start = fit_texts(wrap(source), X, y, max_epochs=0)
    assert_allclose(start.decision_function(X), source.decision_function(X), atol=1e-5)
    assert all((alpha == 1).all() for alpha in start.alpha_.values())
    if wrap is FrozenEstimator:
        copied = clone(AlphaLoRANetClassifier(wrap(source), **QUICK)).fit(X, y)
        assert same_state(copied, fit_texts(wrap(source), X, y))


def test_a_fitted_net_of_other_classes_is_a_source_with_a_new_head(tiny_bert):
    source = fit_texts(tiny_bert)
    X, _ = make_texts(12)
    y = np.arange(12) % 3
    assert fit_texts(FrozenEstimator(source), X, y).predict_proba(X).shape == (12, 3)


# ---------------------------------------------------------------- skorch's side


def test_callbacks_score_decoded_labels_and_validation_rows_are_held_out(tiny_bert):
    X, y = make_texts(40)
    net = fit_texts(tiny_bert, X, y, early_stopping=True, max_epochs=3)
    last = net.history_[-1]
    for rows, n in (("train", 36), ("valid", 4)):
        assert sum(batch.get(f"{rows}_batch_size", 0) for batch in last["batches"]) == n


def test_validation_accuracy_is_that_of_decoded_labels(tiny_bert):
    X, y = make_texts(40)
    net = fit_texts(tiny_bert, X, y, train_split=ValidSplit(4, stratified=True))
    _, valid = net.get_split_datasets(net.get_dataset(X, y), (y == "good").astype(int))
    rows = np.asarray(valid.dataset.indices)[np.asarray(valid.indices)]
    correct = net.predict([X[i] for i in rows]) == y[rows]
    assert len(rows) == 10
    assert net.history_[-1, "valid_acc"] == np.mean(correct)


def test_step_sizes_fall_linearly_and_start_again():
    sizes = []

    class Spy(AlphaLoRANetClassifier):
        def train_step_single(self, batch, **fit_params):
            sizes.append(self.optimizer_.param_groups[0]["lr"])
            return super().train_step_single(batch, **fit_params)

    X, y = make_numbers(16)
    net = Spy(make_module(), **{**QUICK, "lr": 1.0}).fit(X, y)
    assert_allclose(sizes, [1, 0.75, 0.5, 0.25])
    net.partial_fit(X, y)
    assert_allclose(sizes[4:], [1, 0.75, 0.5, 0.25])
    sizes.clear()
    Spy(make_module(), **{**QUICK, "lr": 1.0}, callbacks__lr_decay=None).fit(X, y)
    assert_allclose(sizes, 1)


def test_a_scheduler_of_the_user_sets_the_step_sizes():
    from skorch.callbacks import Callback, LRScheduler

    sizes = []

    class Watch(Callback):
        def on_batch_begin(self, net, training=False, **kwargs):
            if training:
                sizes.append(net.optimizer_.param_groups[0]["lr"])

    halved = LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)
    callbacks = [("halved", halved), ("watch", Watch())]
    options = {**QUICK, "lr": 1.0, "max_epochs": 3, "callbacks": callbacks}
    AlphaLoRANetClassifier(make_module(), **options).fit(*make_numbers(16))
    assert_allclose(sizes, [1, 1, 0.5, 0.5, 0.25, 0.25])


def test_interrupting_leaves_a_usable_net():
    class Impatient(AlphaLoRANetClassifier):
        def train_step(self, batch, **fit_params):
            if self.n_steps_ == 3:
                raise KeyboardInterrupt
            return super().train_step(batch, **fit_params)

    X, y = make_numbers()
    net = Impatient(make_module(), **QUICK).fit(X, y)
    assert sum(len(row["batches"]) for row in net.history_) == 4
    assert net.predict_proba(X).shape == (40, 2)
    assert not same_state(net, fit_numbers(max_epochs=0))
    assert_array_equal(net.fit(X, y).classes_, [0, 1])


def test_partial_fit_goes_on(tiny_bert):
    X, y = make_texts(24)
    net = AlphaLoRANetClassifier(tiny_bert, **QUICK)
    net.partial_fit(X[:1], y[:1], classes=["bad", "good"])
    net.partial_fit(X[1:], y[1:])
    assert_array_equal(net.classes_, ["bad", "good"])
    with pytest.raises(ValueError, match=r"labels \['so-so'\]"):
        net.partial_fit(["the plot"], ["so-so"])
    with pytest.raises(ValueError, match=r"classes are \['a', 'b'\] but were \['bad', 'good'\]"):
        net.partial_fit(X, y, classes=["a", "b"])
    with pytest.raises(ValueError, match="X holds numbers but the net was fitted on text"):
        net.partial_fit(np.zeros((2, 3)), ["bad", "good"])


def test_passes_of_partial_fit_come_in_another_order_each_time():
    orders = []

    class Spy(AlphaLoRANetClassifier):
        def train_step_single(self, batch, **fit_params):
            orders[-1].append(batch[0][0][""].numpy().copy())
            return super().train_step_single(batch, **fit_params)

    net = Spy(make_module(), **{**QUICK, "max_epochs": 1})
    for _ in range(2):
        orders.append([])
        net.partial_fit(*make_numbers())
    first, second = (np.concatenate(order) for order in orders)
    assert not np.array_equal(first, second)
    assert_allclose(np.sort(first, axis=0), np.sort(second, axis=0))


def test_a_refit_that_fails_keeps_the_history_and_step_sizes():
    X, y = make_numbers()
    net = fit_numbers(X=X, y=y)
    with pytest.raises(ValueError, match="too few for 2 classes"):
        net.set_params(alpha_split=0.01).fit(X, y)
    assert len(net.history_) == 2
    assert net.optimizer_.param_groups[0]["lr"] == QUICK["lr"]


def test_a_learned_alpha_may_be_held_in_the_next_fit_and_freed_again():
    X, y = make_numbers()
    net = fit_numbers(X=X, y=y)
    held = net.set_params(alpha=1.0).fit(X, y)
    assert all((alpha == 1).all() for alpha in held.alpha_.values())
    freed = held.set_params(alpha="learn").partial_fit(X, y)
    assert any((alpha != 1).any() for alpha in freed.alpha_.values())


def test_gradients_that_callbacks_see_are_those_of_the_step():
    from skorch.callbacks import GradientNormClipping

    clip = {"callbacks": [("clip", GradientNormClipping(0.05))]}
    plain, accelerated = (
        fit_numbers(**clip, accelerator=accelerator) for accelerator in (None, {"cpu": True})
    )
    X, _ = make_numbers()
    assert_allclose(plain.decision_function(X), accelerated.decision_function(X), atol=1e-5)


def test_validation_rows_of_ones_own_are_scored_by_their_labels(tiny_bert):
    from skorch.helper import predefined_split

    X, y = make_texts(24)
    X_valid, y_valid = make_texts(12, seed=3)
    net = fit_texts(tiny_bert, X, y, alpha_split=0.25)
    rows = net.get_dataset(X_valid, y_valid)
    net = net.set_params(train_split=predefined_split(rows), max_epochs=1).fit(X, y)
    assert net.history_[-1, "valid_acc"] == net.score(X_valid, y_valid)


class Pairs(torch.utils.data.Dataset):
    """A plain torch dataset."""

    def __init__(self, X, y):
        self.X, self.y = X, y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        return self.X[i], self.y[i]


DATASETS = {
    "skorch": lambda X, y: SkorchDataset(np.array(X), y),
    "torch": Pairs,
    "a subset": lambda X, y: torch.utils.data.Subset(Pairs([*X, "no"], [*y, "?"]), range(len(y))),
}


@pytest.mark.parametrize("dataset", DATASETS)
def test_predefined_validation_rows_in_any_dataset(tiny_bert, dataset):
    from skorch.helper import predefined_split

    (X, y), (X_valid, y_valid) = make_texts(24), make_texts(12, seed=3)
    valid = DATASETS[dataset](X_valid, y_valid)
    net = fit_texts(tiny_bert, X, y, train_split=predefined_split(valid), early_stopping=True)
    assert net.history_[-1, "valid_acc"] == net.score(X_valid, y_valid)
    last = net.history_[-1]["batches"]
    assert sum(batch.get("valid_batch_size", 0) for batch in last) == 12
    assert_array_equal(net.predict(valid), net.predict(X_valid))


@pytest.mark.parametrize("labels", [(0, 1), ("no", "yes")])
def test_predefined_validation_rows_of_numbers(labels):
    from skorch.helper import predefined_split

    X, y = make_numbers()
    X_valid, y_valid = make_numbers(12, seed=3)
    y, y_valid = np.array(labels)[y], np.array(labels)[y_valid]
    float32 = torch.as_tensor(X_valid, dtype=torch.float32)
    for valid in (SkorchDataset(X_valid, y_valid), Pairs(float32, y_valid)):
        net = fit_numbers(X=X, y=y, train_split=predefined_split(valid))
        assert net.history_[-1, "valid_acc"] == net.score(X_valid, y_valid)
    other = SkorchDataset(X_valid, np.full(12, labels[1], dtype=object) + labels[1])
    with pytest.raises(ValueError, match=r"labels \[.*\], which are not among the classes"):
        fit_numbers(X=X, y=y, train_split=predefined_split(other))


def test_several_labels_of_a_row_are_several_nets(tiny_bert):
    X, y = make_texts(24)
    labels = np.column_stack([y == "good", np.arange(24) % 2 == 0]).astype(int)
    net = AlphaLoRANetClassifier(tiny_bert, **QUICK)
    both = MultiOutputClassifier(net).fit(X, labels)
    each = [clone(net).fit(X, column).predict(X) for column in labels.T]
    assert_array_equal(both.predict(X), np.column_stack(each))


def test_numbers_compete_with_an_ordinary_perceptron():
    X, y = make_numbers(200)
    X_test, y_test = make_numbers(200, seed=1)
    net = fit_numbers(X=X, y=y, max_epochs=20)
    reference = MLPClassifier((8, 8), max_iter=500, random_state=0).fit(X, y)
    linear = LogisticRegression().fit(X, y).score(X_test, y_test)
    assert net.score(X_test, y_test) > min(reference.score(X_test, y_test), linear) - 0.05
