"""Bad input gets one sentence that says what to do, and the net is left as it was."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from torch import nn
from transformers import (
    BertForMaskedLM,
    BertForQuestionAnswering,
    BertForTokenClassification,
    BertModel,
)

from sklearn_alpha import AlphaLoRANetClassifier
from tests.neural_network.conftest import (
    make_module,
    make_numbers,
    make_texts,
    tiny_config,
    tiny_gpt,
    words_only,
)

X, Y = make_texts(12)
NUMBERS, CODES = make_numbers(12)
SEQUENCE = nn.Sequential(nn.Flatten(), nn.ReLU())

TEXT_CASES = {
    "empty text": (["good film", " "], ["good", "bad"], {}, r"row 1 of X is an empty text; drop"),
    "None": (["good film", None], ["good", "bad"], {}, "row 1 of X is None, not a text; drop"),
    "missing in a Series": (pd.Series(["good", None]), [0, 1], {}, "row 1 of X is .*not a text"),
    "number among texts": (["good", 3], [0, 1], {}, "row 1 of X is 3, not a text"),
    "one text": ("good film", ["good"], {}, "X is one text; pass a list"),
    "three texts in a row": ([("a", "b", "c")] * 2, [0, 1], {}, "hold 3 texts; pass one text in"),
    "one and two texts": ([("a",), ("a", "b")], [0, 1], {}, "hold 1, 2 texts; pass one"),
    "three columns": (pd.DataFrame([["a"] * 3] * 2), [0, 1], {}, "X has 3 columns of text; pass"),
    "several classes of a row": (X, [[0, 2]] * 12, {}, "2 columns but is no .*sklearn.multioutput"),
    "fewer labels": (X, Y[:5], {}, "inconsistent numbers of samples"),
    "one class": (X, ["good"] * 12, {}, r"y has rows of 1 class\(es\).*pass rows of at least 2"),
    "one class that counts": (
        X,
        Y,
        {"sample_weight": (Y == "good").astype(float)},
        r"1 class\(es\) with positive weight; pass",
    ),
    "negative weights": (X, Y, {"sample_weight": -np.ones(12)}, "Negative values"),
    "a label seen once, α held out": (
        X,
        ["once", *["good", "bad"] * 5, "good"],
        {"alpha_split": 0.3},
        "class 'once' has one row, but alpha_split holds out rows of every class; add",
    ),
    "a label seen once, early stopping": (
        X,
        ["once", *["good", "bad"] * 5, "good"],
        {"early_stopping": True},
        "class 'once' has one row, but early_stopping holds out",
    ),
    "fewer rows held out than classes": (
        X,
        np.arange(12) % 4,
        {"alpha_split": 0.2},
        "alpha_split splits 12 rows into 9 and 3, too few for 4 classes; add rows, or leave",
    ),
    "max_length beyond the model": (
        X,
        Y,
        {"max_length": 99},
        "max_length=99 but the model takes at most 32",
    ),
    "unknown target module": (
        X,
        Y,
        {"target_modules": ["no_such"]},
        r"target_modules=\['no_such'\] names no layer of the model; its linear layers are bert",
    ),
    "None among labels": (X, ["good", *[None] * 11], {}, "row 1 of y is None, not a label; drop"),
    "NaN among labels": (X, [*Y[:11], np.nan], {}, "row 11 of y is nan, not a label; drop"),
    "rank 0": (X, Y, {"rank": 0}, "'rank' parameter .* must be an int in the range"),
    "alpha of no layer": (X, Y, {"alpha": {"nowhere": 1.0}}, "alpha must name every LoRA layer"),
    "NaN alpha": (X, Y, {"alpha": float("nan")}, "must be a finite number or 16 of them"),
    "no rows": ([], [], {}, "X has no rows; pass at least one"),
    "a dict": ({"text": X}, Y, {}, "X is a dict; pass a list of texts"),
    "a set": (set(X), Y, {}, "X is a set; pass a list of texts"),
    "bytes": ([text.encode() for text in X], Y, {}, "row 0 of X is b'.*', not a text"),
    "numbers for a transformer": (NUMBERS, CODES, {}, "X holds numbers but model reads text; text"),
}


@pytest.mark.parametrize("case", TEXT_CASES)
def test_of_texts(tiny_bert, case):
    rows, labels, options, message = TEXT_CASES[case]
    options = dict(options)
    weight = options.pop("sample_weight", None)
    net = AlphaLoRANetClassifier(tiny_bert, max_epochs=1, random_state=0).fit(X, Y)
    before, expected = net.__dict__.copy(), net.predict_proba(X)
    asked = {name: getattr(net, name) for name in options}
    net.set_params(**options)
    with pytest.raises(ValueError, match=message):
        net.fit(rows, labels, sample_weight=weight)
    net.set_params(**asked)
    assert net.__dict__.keys() == before.keys()
    assert np.array_equal(net.predict_proba(X), expected)


MODULE_CASES = {
    "no linear layer": (SEQUENCE, {}, "model has no torch.nn.Linear layer to adapt; pass"),
    "another width": (make_module(7), {}, r"does not take rows of shape \(4,\): .*; pass a module"),
    "one linear layer of another width": (
        nn.Sequential(nn.Linear(4, 5)),
        {},
        "model returns 5 logits but y has 2 classes; give its last layer 2 outputs",
    ),
    "no logits": (nn.Sequential(nn.Linear(4, 2), nn.Flatten(0)), {}, "one row of logits for each"),
    "no model": (LogisticRegression(), {}, "model is a LogisticRegression; pass the id of a model"),
    "a convolution": (
        nn.Sequential(nn.Unflatten(1, (1, 4)), nn.Conv1d(1, 2, 1), nn.Flatten(), nn.Linear(8, 2)),
        {"target_modules": ["1"]},
        "1 is a LoRA layer on Conv1d, and α scales the rows of linear layers and the channels of",
    ),
}


@pytest.mark.parametrize("case", MODULE_CASES)
def test_of_modules(case):
    module, options, message = MODULE_CASES[case]
    net = AlphaLoRANetClassifier(module, max_epochs=1, **options)
    before = net.__dict__.copy()
    with pytest.raises((ValueError, TypeError), match=message):
        net.fit(NUMBERS, CODES)
    assert net.__dict__.keys() == before.keys()
    assert not hasattr(net, "classes_")


def test_texts_for_a_module_of_numbers():
    with pytest.raises(ValueError, match="X holds text but model reads numbers; text needs a tran"):
        AlphaLoRANetClassifier(make_module()).fit(X, Y)


def test_what_was_not_fitted(tiny_bert):
    net = AlphaLoRANetClassifier(tiny_bert)
    with pytest.raises(NotFittedError):
        net.predict(X)
    with pytest.raises(NotFittedError, match=r"fit it first, and pass FrozenEstimator"):
        AlphaLoRANetClassifier(net).fit(X, Y)


def test_other_inputs_than_those_of_fit(tiny_bert):
    net = AlphaLoRANetClassifier(tiny_bert, max_epochs=0).fit(X, Y)
    with pytest.raises(ValueError, match="X holds numbers but the net was fitted on text"):
        net.predict(NUMBERS)
    net = AlphaLoRANetClassifier(make_module(), max_epochs=0).fit(NUMBERS, CODES)
    with pytest.raises(ValueError, match=r"X has 3 features, but .* is expecting 4"):
        net.predict(NUMBERS[:, :3])


def test_a_hub_that_cannot_be_reached(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        OSError, match=r"'nobody/no-such-model' could not be loaded .*; pass the id"
    ):
        AlphaLoRANetClassifier("nobody/no-such-model").fit(X, Y)
    with pytest.raises(OSError, match="or the path of a folder that `save_pretrained` wrote"):
        AlphaLoRANetClassifier(str(tmp_path)).fit(X, Y)


def test_the_folder_of_a_saved_net_says_how_to_load_it(tiny_bert, tmp_path):
    AlphaLoRANetClassifier(tiny_bert, max_epochs=0).fit(X, Y).save(tmp_path / "net")
    for model in (tmp_path / "net", [str(tmp_path / "net"), tiny_bert]):
        with pytest.raises(ValueError, match=r"was written by `save`; load it, and pass Frozen"):
            AlphaLoRANetClassifier(model).fit(X, Y)


@pytest.mark.parametrize("path", ["no/such/folder", "./folder", "~/folder"])
def test_a_path_that_does_not_exist(tiny_bert, path, tmp_path):
    for name in (path, tmp_path / path):
        with pytest.raises(
            OSError, match=r"folder '.*folder' does not exist; pass another path or"
        ):
            AlphaLoRANetClassifier(name).fit(X, Y)
        with pytest.raises(
            OSError, match=r"folder '.*folder' does not exist; pass another path or"
        ):
            AlphaLoRANetClassifier(tiny_bert, tokenizer=name).fit(X, Y)


def test_texts_that_are_too_long_are_cut_with_a_warning_unless_that_is_meant(tiny_bert):
    long = [*X[:-1], "good " * 50]
    with pytest.warns(
        UserWarning, match=r"1 of 12 texts are longer than the 32 tokens .* set max_"
    ):
        net = AlphaLoRANetClassifier(tiny_bert, max_epochs=1).fit(long, Y)
    net.set_params(max_length=32).fit(long, Y)
    assert max(map(len, net.get_dataset(long).inputs["input_ids"])) == 32


MODELS = {
    "no head": (BertModel, "model is a BertModel, which has no head; load it with AutoModelForSeq"),
    "logits of tokens": (BertForMaskedLM, "BertForMaskedLM, which does not return one row of log"),
    "classes of tokens": (BertForTokenClassification, "does not return one row of logits for each"),
    "no logits": (BertForQuestionAnswering, "BertForQuestionAnswering, which does not return one"),
}


@pytest.mark.parametrize("case", MODELS)
def test_of_transformers(tiny_bert, case):
    kind, message = MODELS[case]
    net = AlphaLoRANetClassifier(kind(tiny_config()), tokenizer=tiny_bert, max_epochs=1)
    with pytest.raises(ValueError, match=message):
        net.fit(X, Y)


def test_a_tokenizer_that_cannot_pad():
    net = AlphaLoRANetClassifier(tiny_gpt(), tokenizer=words_only(unk_token="?"), max_epochs=1)
    with pytest.raises(ValueError, match=r"neither a padding token nor an end token; set tokeniz"):
        net.fit(X, Y)
    net.set_params(tokenizer=words_only(unk_token="?", eos_token="end"))
    assert net.fit(X, Y).tokenizer_.pad_token == "end"


class MeanLoss(nn.Module):
    def forward(self, logits, codes):
        return nn.functional.cross_entropy(logits, codes)


class AnyReduction(MeanLoss):
    def __init__(self, reduction):
        super().__init__()


@pytest.mark.parametrize(
    ("criterion", "message"),
    [
        (MeanLoss, "criterion must be a class that takes reduction='none', as the losses of tor"),
        (
            AnyReduction,
            r"criterion returns losses of shape \(\) for 12 rows; with reduction='none'",
        ),
    ],
)
def test_a_criterion_without_reduction(criterion, message):
    with pytest.raises(ValueError, match=message):
        AlphaLoRANetClassifier(make_module(), criterion=criterion).fit(NUMBERS, CODES)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_none(bad):
    rows = NUMBERS.copy()
    rows[3, 1] = bad
    with pytest.raises(ValueError, match="Input X contains"):
        AlphaLoRANetClassifier(make_module()).fit(rows, CODES)


def test_an_unknown_parameter():
    net = AlphaLoRANetClassifier(make_module(), max_epochs=1, no_such=1)
    with pytest.raises(ValueError, match=r"unexpected argument.* no_such"):
        net.fit(NUMBERS, CODES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"module__width": 3}, r"module__width is not possible: .* pass it as model\."),
        ({"model__width": 3}, r"model__width is not possible: .* pass it as model\."),
        ({"iterator_train__shuffle": True}, r"iterator_train__shuffle is not .*; leave it out\."),
        ({"iterator_train__drop_last": True}, r"iterator_train__drop_last .*; leave it out\."),
        ({"iterator_valid__shuffle": True}, r"iterator_valid__shuffle is not .*; leave it out\."),
        ({"optimizer": torch.optim.LBFGS}, r"optimizer=LBFGS .* pass AdamW"),
    ],
)
def test_what_skorch_takes_and_this_net_does_not(options, message):
    with pytest.raises(ValueError, match=message):
        AlphaLoRANetClassifier(make_module(), max_epochs=1, **options).fit(NUMBERS, CODES)


def test_torch_is_asked_for_by_its_extra(monkeypatch):
    import sys

    for name in [name for name in sys.modules if name.startswith("sklearn_alpha.neural_network")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ImportError, match=r"needs peft: pip install 'sklearn-alpha\[net\]'"):
        import sklearn_alpha.neural_network  # noqa: F401


def test_texts_may_come_from_a_generator(tiny_bert):
    net = AlphaLoRANetClassifier(tiny_bert, max_epochs=1, random_state=0)
    expected = net.fit(X, Y).predict_proba(X)
    assert np.array_equal(net.fit((text for text in X), Y).predict_proba(iter(X)), expected)
