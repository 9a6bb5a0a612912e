"""Long texts: the logits of a text are the mean over those of its windows."""

import pickle
import shutil

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator
from transformers import BertForSequenceClassification, BertTokenizerFast

from sklearn_alpha import AlphaLoRANetClassifier
from tests.neural_network.conftest import WORDS, make_texts, tiny_config, tiny_gpt, words_only

OPTIONS = {"rank": 2, "batch_size": 4, "lr": 0.02, "max_epochs": 2, "random_state": 0}
OPTIONS["callbacks__linear_probe"] = None
LENGTH, STRIDE = 10, 3  # eight words in a window, five of them new


def make_long(n, seed=0):
    """Texts of 1 to 40 words."""
    rng = np.random.default_rng(seed)
    _, y = make_texts(n, seed)
    texts = [" ".join(rng.choice(WORDS, size=rng.integers(1, 41))) for _ in range(n)]
    return texts, y


X, Y = make_long(12)


def windows(text):
    """Token numbers of its windows, by hand."""
    words = text.split()
    parts = [words[: LENGTH - 2]]
    while len(words) > LENGTH - 2:
        words = words[LENGTH - 2 - STRIDE :]
        parts.append(words[: LENGTH - 2])
    return [" ".join(part) for part in parts]


@pytest.fixture(scope="module")
def bert(tiny_bert, tmp_path_factory):
    """Folder of the tiny BERT with weights so large that its logits differ between texts."""
    folder = shutil.copytree(tiny_bert, tmp_path_factory.mktemp("bert") / "bert")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertForSequenceClassification(tiny_config(initializer_range=0.3)).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def net(bert):
    net = AlphaLoRANetClassifier(bert, max_length=LENGTH, stride=STRIDE, **OPTIONS).fit(X, Y)
    assert np.std(net.decision_function(X)) > 0.1
    return net


def logits_by_hand(net, texts):
    """With the merged model and transformers alone."""
    merged, logits = net.merged_model(), []
    for text in texts:
        tokens = net.tokenizer_(windows(text), padding=True, return_tensors="pt")
        with torch.no_grad():
            logits.append(merged(**tokens).logits.mean(dim=0).numpy())
    return np.array(logits)


def test_windows_overlap_by_the_stride(net):
    rows = net.get_dataset(X)
    for i, text in enumerate(X):
        expected = [net.tokenizer_(part)["input_ids"] for part in windows(text)]
        assert rows.inputs["input_ids"][i] == expected
    assert max(map(len, rows.inputs["input_ids"])) > 4
    assert_array_equal(rows.lengths, [sum(map(len, row)) for row in rows.inputs["input_ids"]])


def test_logits_are_the_mean_of_those_of_the_windows(net):
    logits = logits_by_hand(net, X)
    assert_allclose(net.decision_function(X), logits[:, 1] - logits[:, 0], atol=1e-5)
    log_P = np.log(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    assert_allclose(net.predict_log_proba(X), log_P, atol=1e-5)


def test_the_merged_model_gives_them_by_the_windows_of_the_tokenizer(net):
    """What the guide says."""
    options = {"truncation": True, "max_length": LENGTH, "stride": STRIDE, "padding": True}
    tokens = net.tokenizer_(X, return_overflowing_tokens=True, return_tensors="pt", **options)
    texts = tokens.pop("overflow_to_sample_mapping")
    with torch.no_grad():
        logits = net.merged_model()(**tokens).logits
    mean = torch.stack([logits[texts == i].mean(dim=0) for i in range(len(X))]).numpy()
    assert_allclose(net.decision_function(X), mean[:, 1] - mean[:, 0], atol=1e-5)


def test_a_step_is_that_of_the_mean(bert):
    """The loss of the first step is that of averaged logits."""
    options = {**OPTIONS, "batch_size": 12, "max_epochs": 1, "max_length": LENGTH}
    start = AlphaLoRANetClassifier(bert, stride=STRIDE, **options).set_params(max_epochs=0)
    logits = torch.from_numpy(logits_by_hand(start.fit(X, Y), X))
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy((Y == "good").astype(int)))
    net = AlphaLoRANetClassifier(bert, stride=STRIDE, **options).fit(X, Y)
    assert_allclose(net.history_[0, "train_loss"], loss, rtol=1e-5)
    cut = AlphaLoRANetClassifier(bert, **options).fit(X, Y)
    assert abs(cut.history_[0, "train_loss"] - loss) > 1e-3


def test_the_linear_probe_reads_the_mean_state_of_the_windows(bert):
    options = {**OPTIONS, "max_epochs": 0, "max_length": LENGTH, "stride": STRIDE}
    del options["callbacks__linear_probe"]
    net = AlphaLoRANetClassifier(bert, **options).set_params(max_epochs=1, lr=0.0, alpha_lr=0)
    net.fit(X, Y)
    assert net.starts_at_probe_
    logits = logits_by_hand(net, X)
    assert_allclose(net.decision_function(X), logits[:, 1] - logits[:, 0], rtol=1e-3, atol=1e-3)


def test_short_texts_have_one_window(bert):
    texts, y = make_texts(12)
    options = {**OPTIONS, "max_length": 16}
    nets = [AlphaLoRANetClassifier(bert, stride=s, **options).fit(texts, y) for s in (None, 4)]
    a, b = (net.decision_function(texts) for net in nets)
    assert_allclose(a, b, atol=1e-6)


def test_without_a_stride_texts_are_cut(bert):
    net = AlphaLoRANetClassifier(bert, max_length=LENGTH, **OPTIONS).fit(X, Y)
    first = [windows(text)[0] for text in X]
    assert_allclose(net.decision_function(X), net.decision_function(first), atol=1e-6)


def test_the_length_of_the_model_is_the_default(bert):
    long = ["good " * 70, *X]
    net = AlphaLoRANetClassifier(bert, stride=0, **OPTIONS).fit(long, [*Y[:1], *Y])
    rows = net.get_dataset(long)
    assert [len(part) for part in rows.inputs["input_ids"][0]] == [32, 32, 12]


def test_rows_do_not_depend_on_their_neighbours(net):
    together = net.decision_function(X)
    assert_allclose([net.decision_function([x])[0] for x in X], together, atol=1e-5)
    assert_allclose(net.decision_function(X[::-1])[::-1], together, atol=1e-5)


def test_an_empty_text_and_no_text(net):
    found = net.decision_function([*X[:2], "", X[2]])
    assert_allclose(found[[0, 1, 3]], net.decision_function(X[:3]), atol=1e-5)
    assert np.isfinite(found).all()


def test_a_decoder_without_tokens_around_a_text():
    tokenizer = words_only(eos_token="end", model_max_length=8)
    net = AlphaLoRANetClassifier(tiny_gpt(), tokenizer=tokenizer, stride=2, **OPTIONS).fit(X, Y)
    together = net.decision_function([*X, ""])
    assert_allclose([net.decision_function([x])[0] for x in [*X, ""]], together, atol=1e-5)


def test_held_out_alpha_early_stopping_and_processes(bert):
    options = {**OPTIONS, "max_length": LENGTH, "stride": STRIDE, "early_stopping": True}
    options |= {"alpha_split": 0.25, "validation_fraction": 0.25}
    texts, y = make_long(24)
    a, b = (
        AlphaLoRANetClassifier(bert, accelerator=accelerator, **options).fit(texts, y)
        for accelerator in (None, {"cpu": True})
    )
    assert a.validation_["n_rows"] == 6
    assert_allclose(a.decision_function(X), b.decision_function(X), rtol=1e-3, atol=1e-3)


def test_pickles_folders_and_sources_keep_the_windows(net, tmp_path):
    net.save(tmp_path)
    for again in (pickle.loads(pickle.dumps(net)), AlphaLoRANetClassifier.load(tmp_path)):
        assert_allclose(again.decision_function(X), net.decision_function(X), atol=1e-6)
    options = {**OPTIONS, "max_epochs": 0, "alpha": 1.0, "max_length": LENGTH, "stride": STRIDE}
    target = AlphaLoRANetClassifier(FrozenEstimator(net), **options).fit(X, Y)
    assert_allclose(target.decision_function(X), net.decision_function(X), atol=1e-5)


REFUSED = {
    "pairs": ([("a", "b")] * 12, {}, "X holds pairs; leave stride at None"),
    "as long as a window": (X, {"stride": 8}, "stride=8 is not below the 8 tokens that a window"),
    "longer": (X, {"stride": 80}, "stride=80 is not below the 8 tokens that a window"),
    "negative": (X, {"stride": -1}, "'stride' parameter"),
    "beyond the model": (X, {"max_length": 99}, "max_length=99 but the model takes at most 32"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(bert, case):
    texts, options, message = REFUSED[case]
    options = {**OPTIONS, "max_length": LENGTH, "stride": STRIDE, **options}
    with pytest.raises(ValueError, match=message):
        AlphaLoRANetClassifier(bert, **options).fit(texts, Y)


def test_tokenizers_that_make_no_windows(bert, monkeypatch):
    net = AlphaLoRANetClassifier(bert, max_length=LENGTH, stride=STRIDE, **OPTIONS)
    monkeypatch.setattr(BertTokenizerFast, "is_fast", False)
    with pytest.raises(ValueError, match=r"fast tokenizer, and Bert.* is not one; pass another"):
        net.fit(X, Y)


def test_a_model_without_a_limit(monkeypatch):
    tokenizer = words_only(eos_token="end", model_max_length=10**30)
    net = AlphaLoRANetClassifier(tiny_gpt(), tokenizer=tokenizer, stride=2, **OPTIONS)
    monkeypatch.setattr("sklearn_alpha.neural_network._base_model.Base.longest", None)
    with pytest.raises(ValueError, match="the model has no limit; set max_length"):
        net.fit(X, Y)
