"""Several sources that are networks: aligned by label, and weighted by the rows."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from peft import AutoPeftModelForSequenceClassification, LoraConfig, PeftModel, get_peft_model
from scipy.special import softmax
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from transformers import AutoTokenizer, BertForSequenceClassification, BertTokenizerFast

from sklearn_alpha import AlphaLoRANetClassifier
from sklearn_alpha.neural_network import _sources
from tests.neural_network.conftest import (
    SPECIAL,
    WORDS,
    make_module,
    make_numbers,
    make_texts,
    tiny_config,
)

X, Y = make_texts(24)
# Nothing is trained: the network is what the sources are merged into.
STILL = {"max_epochs": 0, "rank": 2, "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


def checkpoint(seed, folder, tiny_bert, names=("bad", "good")):
    """A folder with a random network that names its labels."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        labels = dict(enumerate(names))
        config = tiny_config(id2label=labels, label2id={name: i for i, name in labels.items()})
        model = BertForSequenceClassification(config)
        torch.nn.init.normal_(model.classifier.weight)
        torch.nn.init.normal_(model.classifier.bias)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(folder)
    return model.eval()


@pytest.fixture
def folders(tiny_bert, tmp_path):
    for seed in (1, 2):
        checkpoint(seed, tmp_path / str(seed), tiny_bert)
    return [str(tmp_path / "1"), str(tmp_path / "2")]


def adapter(folder, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        base = BertForSequenceClassification.from_pretrained(folder)
        return get_peft_model(
            base, LoraConfig(task_type="SEQ_CLS", r=2, init_lora_weights=False)
        ).eval()


def as_source(kind, folder, tmp_path):
    """One network as each kind of source, and as a plain model."""
    if kind == "folder":
        return folder, BertForSequenceClassification.from_pretrained(folder)
    if kind == "model":
        model = BertForSequenceClassification.from_pretrained(folder)
        return model, model
    if kind == "net":
        net = AlphaLoRANetClassifier(folder, max_epochs=1, rank=2, random_state=0).fit(X, Y)
        return FrozenEstimator(net), net.merged_model()
    model = adapter(folder, seed=3)
    merged = copy.deepcopy(model).merge_and_unload()
    if kind == "PeftModel":
        return model, merged
    model.save_pretrained(tmp_path / "adapter")
    return str(tmp_path / "adapter"), merged


@pytest.mark.parametrize("kind", ["folder", "model", "net", "PeftModel", "adapter"])
def test_the_network_is_the_weighted_mean_of_the_sources(folders, tmp_path, kind):
    one, first = as_source(kind, folders[0], tmp_path)
    second = BertForSequenceClassification.from_pretrained(folders[1])
    net = AlphaLoRANetClassifier([one, folders[1]], tokenizer=folders[0], **STILL).fit(X, Y)
    alpha = net.source_alpha_
    assert alpha.shape == (2,)
    assert_allclose(alpha.sum(), 1)
    assert (alpha > 0).all()
    merged = net.merged_model().state_dict()
    theirs = second.state_dict()
    for name, value in first.state_dict().items():
        mean = alpha[0] * value + alpha[1] * theirs[name]
        if name.startswith("classifier"):  # up to its length
            mean *= merged[name].norm() / mean.norm()
        assert_allclose(merged[name], mean, atol=1e-5)


def test_a_list_of_one_is_the_item(folders):
    options = {"max_epochs": 2, "rank": 2, "random_state": 0}
    one = AlphaLoRANetClassifier(folders[0], **options).fit(X, Y)
    listed = AlphaLoRANetClassifier([folders[0]], **options).fit(X, Y)
    assert_allclose(listed.source_alpha_, [1])
    assert_allclose(listed.decision_function(X), one.decision_function(X), rtol=1e-5)


def logits_of(model, folder):
    tokens = AutoTokenizer.from_pretrained(folder)(X, padding=True, return_tensors="pt")
    with torch.no_grad():
        return model(**tokens).logits.numpy()


@pytest.mark.parametrize("names", [("good", "bad"), ("GOOD", "neutral", "BAD")])
@pytest.mark.parametrize("kind", ["folder", "model"])
def test_a_head_is_aligned_by_the_names_of_its_labels(tiny_bert, tmp_path, names, kind):
    model = checkpoint(1, tmp_path / "source", tiny_bert, names)
    source = str(tmp_path / "source") if kind == "folder" else model
    net = AlphaLoRANetClassifier(source, tokenizer=tiny_bert, **STILL).fit(X, Y)
    expected = logits_of(model, tiny_bert)
    assert not net.module_.head_is_new
    assert_allclose(net.decision_function(X), expected[:, 0] - expected[:, -1], atol=1e-5)
    net.save(tmp_path / "net")
    for again in (pickle.loads(pickle.dumps(net)), AlphaLoRANetClassifier.load(tmp_path / "net")):
        assert_allclose(again.decision_function(X), net.decision_function(X), atol=1e-6)


@pytest.mark.parametrize("labels", [["b", "a"], ["b", "c", "a"]])
def test_a_net_of_numbers_is_aligned_too(labels):
    rows, codes = make_numbers(60, n_classes=len(labels))
    source = AlphaLoRANetClassifier(make_module(n_out=len(labels)), max_epochs=1, rank=2)
    source.fit(rows, np.array(labels)[codes])
    y = np.array(["a", "b"])[np.arange(60) % 2]
    net = AlphaLoRANetClassifier(FrozenEstimator(source), **STILL).fit(rows, y)
    expected = source.predict_log_proba(rows)
    assert_allclose(net.decision_function(rows), expected[:, 1] - expected[:, 0], atol=1e-5)


def test_integers_are_the_places_of_labels(folders):
    net = AlphaLoRANetClassifier(folders[0], **STILL).fit(X, (Y == "good").astype(int))
    named = AlphaLoRANetClassifier(folders[0], **STILL).fit(X, Y)
    assert_allclose(net.decision_function(X), named.decision_function(X), atol=1e-6)


@pytest.mark.parametrize("kind", ["texts", "numbers"])
def test_a_head_of_other_labels_is_replaced(folders, kind):
    y = np.array(["no", "yes"])[(Y == "good").astype(int)]
    rows, source = X, folders[0]
    if kind == "numbers":
        rows, codes = make_numbers(24)
        source = AlphaLoRANetClassifier(make_module(), max_epochs=1, rank=2).fit(rows, codes + 1)
        source = FrozenEstimator(source)
    with pytest.warns(UserWarning, match="its head is replaced by a new one; use the model's la"):
        net = AlphaLoRANetClassifier(source, **STILL).fit(rows, y)
    assert net.module_.head_is_new


def test_sources_in_another_order_of_labels(tiny_bert, tmp_path):
    """A source whose head has the other order is the same source."""
    checkpoint(1, tmp_path / "1", tiny_bert)
    model = checkpoint(2, tmp_path / "2", tiny_bert)
    turned = copy.deepcopy(model)
    with torch.no_grad():
        turned.classifier.weight.copy_(model.classifier.weight.flip(0))
        turned.classifier.bias.copy_(model.classifier.bias.flip(0))
    turned.config.id2label, turned.config.label2id = {0: "good", 1: "bad"}, {"good": 0, "bad": 1}
    nets = [
        AlphaLoRANetClassifier([str(tmp_path / "1"), second], tokenizer=tiny_bert, **STILL)
        for second in (model, turned)
    ]
    first, second = (net.fit(X, Y) for net in nets)
    assert_allclose(second.source_alpha_, first.source_alpha_)
    assert_allclose(second.decision_function(X), first.decision_function(X), atol=1e-6)


# ---------------------------------------------------------------- shares


def losses_of(F, codes, alpha):
    """The objective that the shares minimise."""
    logits = F @ alpha
    fit = -np.log(softmax(logits, axis=1)[np.arange(len(F)), codes]).sum()
    return fit + len(alpha) ** 2 * ((alpha - 1 / len(alpha)) ** 2).sum() / 2


@pytest.mark.parametrize("n_classes", [2, 4])
def test_shares_are_the_maximum_on_the_simplex(n_classes):
    rng = np.random.default_rng(0)
    codes = rng.integers(n_classes, size=50)
    F = rng.normal(size=(50, n_classes, 3))
    F[np.arange(50), codes] += [2, 1, -1]
    alpha = _sources.shares(F, codes, np.ones(50))
    least = losses_of(F, codes, alpha)
    for other in rng.dirichlet(np.ones(3), size=200):
        for step in (1.0, 0.1, 1e-3):
            assert least <= losses_of(F, codes, alpha + step * (other - alpha)) + 1e-8
    assert alpha[0] > alpha[1] >= alpha[2]


def test_sources_that_say_the_same_have_the_same_share():
    rng = np.random.default_rng(0)
    F = np.repeat(rng.normal(size=(20, 3, 1)), 4, axis=2)
    assert_allclose(_sources.shares(F, np.zeros(20, int), np.ones(20)), 0.25, atol=1e-6)


def test_weights_count_as_rows():
    rng = np.random.default_rng(0)
    F, codes, weights = rng.normal(size=(20, 2, 3)), np.arange(20) % 2, np.arange(20) % 3
    repeated = _sources.shares(
        np.repeat(F, weights, axis=0), np.repeat(codes, weights), np.ones(19)
    )
    assert_allclose(_sources.shares(F, codes, weights), repeated, atol=1e-5)


def test_the_source_that_knows_the_task_has_the_largest_share():
    rows, y = make_numbers(400)
    source = AlphaLoRANetClassifier(make_module(), max_epochs=20, lr=0.02, random_state=0)
    source.fit(rows, y)
    wrong = clone(source).fit(rows, 1 - y)
    few, labels = make_numbers(100, seed=1)
    sources = [FrozenEstimator(wrong), FrozenEstimator(source)]
    net = AlphaLoRANetClassifier(sources, **STILL).fit(few, labels)
    assert net.source_alpha_[1] > 0.8


def test_long_texts_are_weighed_by_their_windows(folders):
    long = [f"{a} {b} {a}" for a, b in zip(X, X[1:] + X[:1])]
    options = STILL | {"max_length": 6, "stride": 1}
    net = AlphaLoRANetClassifier(folders, **options).fit(long, Y)
    each = [AlphaLoRANetClassifier(folder, **options).fit(long, Y) for folder in folders]
    F = np.stack([one._logits(long) for one in each], axis=2).astype(float)
    expected = _sources.shares(F, (Y == "good").astype(int), np.ones(len(Y)))
    assert_allclose(net.source_alpha_, expected, atol=1e-4)


# ---------------------------------------------------------------- kept and passed on


def test_it_is_kept_like_any_net(folders, tmp_path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    # The probe's weights would be large, because random states hardly vary.
    options = {"max_epochs": 2, "lr": 0.01, "callbacks__linear_probe": None}
    net = AlphaLoRANetClassifier(folders, **STILL | options).fit(X, Y)
    expected = net.decision_function(X)
    assert_allclose(clone(net).fit(X, Y).decision_function(X), expected, atol=1e-6)
    net.save(tmp_path / "net")
    for again in (pickle.loads(pickle.dumps(net)), AlphaLoRANetClassifier.load(tmp_path / "net")):
        assert_allclose(again.decision_function(X), expected, atol=1e-5)
        assert_allclose(again.source_alpha_, net.source_alpha_)
        again.save(tmp_path / "again")
        kept = AlphaLoRANetClassifier.load(tmp_path / "again")
        assert_allclose(kept.decision_function(X), expected, atol=1e-5)
    base = AlphaLoRANetClassifier(folders, **STILL).fit(X, Y)
    base.source_alpha_ = net.source_alpha_
    with pytest.warns(UserWarning, match="belongs on the merged source,"):
        net.export_dora(tmp_path / "dora")
    loaded = PeftModel.from_pretrained(base.merged_model(), str(tmp_path / "dora"))
    found = logits_of(loaded.eval(), folders[0])
    assert_allclose(found[:, 1] - found[:, 0], expected, atol=1e-5)
    net.export_onnx(tmp_path / "net.onnx")
    tokens = net.tokenizer_(X, padding=True, return_tensors="np")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    names = [entry.name for entry in session.get_inputs()]
    (found,) = session.run(None, {name: tokens[name] for name in names})
    assert_allclose(found[:, 1] - found[:, 0], expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["list", "net"])
def test_the_adapter_of_a_saved_net_names_the_merged_sources(kind, folders, tmp_path):
    source = AlphaLoRANetClassifier(folders[0], **STILL).fit(X, Y)
    model = folders if kind == "list" else FrozenEstimator(source)
    options = {"max_epochs": 1, "lr": 0.01, "callbacks__linear_probe": None}
    net = AlphaLoRANetClassifier(model, **STILL | options).fit(X, Y)
    net.save(tmp_path / "net")
    with pytest.warns(UserWarning, match="belongs on the merged source,"):
        net.export_dora(tmp_path / "unnamed")
    AlphaLoRANetClassifier.load(tmp_path / "net").export_dora(tmp_path / "dora")
    loaded = AutoPeftModelForSequenceClassification.from_pretrained(tmp_path / "dora")
    found = logits_of(loaded.eval(), folders[0])
    assert_allclose(found[:, 1] - found[:, 0], net.decision_function(X), atol=1e-4)


@pytest.mark.parametrize("from_folder", [False, True])
def test_the_adapter_of_an_adapter_belongs_on_the_merged_one(from_folder, folders, tmp_path):
    source = adapter(folders[0], 1)
    if from_folder:
        source.save_pretrained(tmp_path / "source")
    model, tokenizer = (tmp_path / "source" if from_folder else source), folders[0]
    options = {"max_epochs": 1, "lr": 0.01, "callbacks__linear_probe": None}
    net = AlphaLoRANetClassifier(model, tokenizer=tokenizer, **STILL | options).fit(X, Y)
    with pytest.warns(UserWarning, match="belongs on the merged source,"):
        net.export_dora(tmp_path / "dora")
    loaded = PeftModel.from_pretrained(source.merge_and_unload(), tmp_path / "dora")
    found = logits_of(loaded.eval(), folders[0])
    assert_allclose(found[:, 1] - found[:, 0], net.decision_function(X), atol=1e-4)


def test_a_refit_with_one_source_forgets_the_shares(folders):
    net = AlphaLoRANetClassifier(folders, **STILL).fit(X, Y)
    net.set_params(model=folders[0]).fit(X, Y)
    assert not hasattr(net, "source_alpha_")


# ---------------------------------------------------------------- errors


def test_an_empty_list_is_refused():
    with pytest.raises(ValueError, match="model is an empty list; pass at least one source"):
        AlphaLoRANetClassifier([]).fit(X, Y)


def test_sources_of_other_labels_are_refused(tiny_bert, folders, tmp_path):
    checkpoint(3, tmp_path / "3", tiny_bert, ("happy", "sad"))
    net = AlphaLoRANetClassifier([*folders, str(tmp_path / "3")], **STILL)
    with pytest.raises(ValueError, match=r"source 2 of model has the labels \['happy', 'sad'\]"):
        net.fit(X, Y)


def test_sources_of_other_architectures_are_refused(tiny_bert, folders, tmp_path):
    labels = {0: "bad", 1: "good"}
    deeper = tiny_config(id2label=labels)
    deeper.num_hidden_layers = 3
    net = AlphaLoRANetClassifier(
        [folders[0], BertForSequenceClassification(deeper)], tokenizer=tiny_bert, **STILL
    )
    with pytest.raises(ValueError, match="sources 0 and 1 of model have different architectures"):
        net.fit(X, Y)


def test_sources_of_other_tokenizers_are_refused(folders, tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join([*SPECIAL, *WORDS[::-1]]))
    BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(folders[1])
    with pytest.raises(ValueError, match="sources 0 and 1 of model have different tokenizers"):
        AlphaLoRANetClassifier(folders, **STILL).fit(X, Y)


def test_trained_and_new_heads_are_not_mixed(folders, tmp_path):
    model = BertForSequenceClassification.from_pretrained(folders[0])
    model.bert.save_pretrained(tmp_path / "body")
    AutoTokenizer.from_pretrained(folders[0]).save_pretrained(tmp_path / "body")
    with pytest.raises(ValueError, match="different heads: one is trained and one is not"):
        AlphaLoRANetClassifier([folders[0], tmp_path / "body"], **STILL).fit(X, Y)


def test_bodies_without_heads_have_equal_shares(folders, tmp_path):
    for seed in (1, 2):
        model = BertForSequenceClassification.from_pretrained(folders[seed - 1])
        model.bert.save_pretrained(tmp_path / f"body{seed}")
    bodies = [str(tmp_path / "body1"), str(tmp_path / "body2")]
    net = AlphaLoRANetClassifier(bodies, tokenizer=folders[0], **STILL).fit(X, Y)
    assert_allclose(net.source_alpha_, 0.5)
    assert net.module_.head_is_new


def test_a_net_that_is_not_fitted_is_refused(folders):
    with pytest.raises(ValueError, match="not fitted; fit it first, and pass FrozenEstimator"):
        AlphaLoRANetClassifier([AlphaLoRANetClassifier(folders[0]), folders[1]]).fit(X, Y)
