"""Pickles, folders, merged models, DoRA and ONNX: the same decisions everywhere, or a sentence."""

import pickle
import subprocess
import sys

import joblib
import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator
from skorch.exceptions import DeviceWarning
from transformers import (
    BertForSequenceClassification,
    BertTokenizerFast,
    LongformerConfig,
    LongformerForSequenceClassification,
    pipeline,
)

from sklearn_alpha import AlphaLoRANetClassifier
from tests.neural_network.conftest import make_module, make_numbers, make_texts

X, Y = make_texts(30)
NUMBERS, CODES = make_numbers(30)
QUICK = {"max_epochs": 2, "rank": 2, "batch_size": 8, "lr": 0.02, "alpha_lr": 0.1}
# The probe of a random network has weights of hundreds, which make 1e-7 of a hidden state 1e-5 of a
# logit; here logits are compared.
QUICK["callbacks__linear_probe"] = None


@pytest.fixture(scope="module")
def net(tiny_bert):
    return AlphaLoRANetClassifier(tiny_bert, random_state=0, **QUICK).fit(X, Y)


@pytest.fixture(scope="module")
def number_net():
    return AlphaLoRANetClassifier(make_module(), random_state=0, **QUICK).fit(NUMBERS, CODES)


def n_base_bytes(net):
    return sum(p.numel() * p.element_size() for p in net.module_.parameters())


# ---------------------------------------------------------------- pickles


@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_pickle_gives_the_same_decisions_and_can_train_on(net, protocol):
    again = pickle.loads(pickle.dumps(net, protocol))
    assert_array_equal(again.decision_function(X), net.decision_function(X))
    assert_array_equal(again.classes_, net.classes_)
    assert again.alpha_.keys() == net.alpha_.keys()
    assert not np.array_equal(
        again.partial_fit(X, Y).decision_function(X), net.decision_function(X)
    )


def test_a_pickle_of_a_pickle_that_was_never_used(net):
    again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(net))))
    assert_array_equal(again.decision_function(X), net.decision_function(X))


def test_a_pickle_holds_no_base_weights(net):
    state = net.__getstate__()
    held = sum(v.numel() for name, v in state["state_"].items() if "base_layer" in name)
    assert held == 0
    trained = sum(v.numel() for v in state["state_"].values() if v.is_floating_point())
    assert trained == net.n_trainable_parameters_


def test_a_new_process_reads_a_pickle(net, tmp_path):
    joblib.dump((net, X, net.predict_proba(X)), tmp_path / "net.joblib")
    program = (
        "import joblib, numpy as np, sys\n"
        "net, X, P = joblib.load(sys.argv[1])\n"
        "assert np.allclose(net.predict_proba(X), P, atol=1e-6)\n"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "net.joblib"], check=True)


def test_another_base_under_the_same_name_is_noticed(tmp_path, tiny_bert):
    import shutil

    folder = tmp_path / "bert"
    shutil.copytree(tiny_bert, folder)
    kept = pickle.dumps(AlphaLoRANetClassifier(str(folder), random_state=0, **QUICK).fit(X, Y))
    other = BertForSequenceClassification.from_pretrained(folder)
    torch.nn.init.normal_(other.bert.encoder.layer[0].output.dense.weight)
    other.save_pretrained(folder)
    with pytest.raises(ValueError, match="is no longer the model that this net was trained on"):
        pickle.loads(kept).predict(X)


def test_a_net_is_rebuilt_as_it_was_fitted_whatever_its_parameters_say_now(net, tmp_path):
    changed = pickle.loads(pickle.dumps(net)).set_params(lora_alpha=64, rank=7, target_modules="x")
    again = pickle.loads(pickle.dumps(changed))
    assert_array_equal(again.decision_function(X), net.decision_function(X))
    changed.save(tmp_path / "net")
    loaded = AlphaLoRANetClassifier.load(tmp_path / "net")
    assert_array_equal(loaded.decision_function(X), net.decision_function(X))
    assert again.set_params(lr=0.5).lr == 0.5


@pytest.mark.parametrize("way", ["pickle", "folder", "earlier pickle"])
def test_a_compiled_net_is_kept_and_compiled_again(tiny_bert, net, tmp_path, way):
    options = {"compile": True, "compile__backend": "eager", "random_state": 0}
    compiled = AlphaLoRANetClassifier(tiny_bert, **options, **QUICK).fit(X, Y)
    assert_allclose(compiled.decision_function(X), net.decision_function(X), atol=1e-5)
    if way == "folder":
        compiled.save(tmp_path / "net")
        again = AlphaLoRANetClassifier.load(tmp_path / "net")
    else:
        again = pickle.loads(pickle.dumps(compiled))
        if way == "earlier pickle":
            again.state_ = {f"_orig_mod.{name}": value for name, value in again.state_.items()}
    assert_allclose(again.decision_function(X), compiled.decision_function(X), atol=1e-6)
    assert again.module_._compiled_call_impl is not None
    assert again.partial_fit(X, Y).merged_model()._compiled_call_impl is None


def test_a_damaged_state_never_answers(net):
    broken = pickle.loads(pickle.dumps(net))
    broken.state_ = {name: value for name, value in broken.state_.items() if "lora_A" not in name}
    for _ in range(2):
        with pytest.raises(RuntimeError, match="state belongs to another model"):
            broken.predict(X)


def test_a_pickled_net_goes_on_with_its_accelerator(net):
    again = pickle.loads(pickle.dumps(net))
    again.set_params(accelerator={"cpu": True}, batch_size=6).partial_fit(X, Y)
    assert type(again.processes_).__name__ == "Accelerated"


@pytest.mark.skipif(torch.cuda.is_available(), reason="the net's device is at hand here")
def test_a_net_of_a_gpu_is_read_on_the_cpu(net):
    state = net.__getstate__() | {"device": "cuda"}
    again = AlphaLoRANetClassifier.__new__(AlphaLoRANetClassifier)
    with pytest.warns(DeviceWarning):
        again.__setstate__(state)
    assert_array_equal(again.decision_function(X), net.decision_function(X))


# ---------------------------------------------------------------- folders


def test_a_folder_gives_the_same_net(net, tmp_path):
    net.save(tmp_path / "net")
    again = AlphaLoRANetClassifier.load(tmp_path / "net")
    assert_array_equal(again.decision_function(X), net.decision_function(X))
    for name in (*QUICK, "random_state", "model"):
        assert getattr(again, name) == getattr(net, name)
    assert again.partial_fit(X, Y).score(X, Y) >= 0


@pytest.mark.parametrize("labels", [(0, 1), ("a", "ß"), (False, True), (1.0, 2.0)])
def test_labels_of_any_kind_survive_a_folder(tmp_path, labels):
    y = np.array(labels)[CODES]
    net = AlphaLoRANetClassifier(make_module(), random_state=0, **QUICK).fit(NUMBERS, y)
    net.save(tmp_path / "net")
    again = AlphaLoRANetClassifier.load(tmp_path / "net", model=make_module())
    assert_array_equal(again.predict(NUMBERS), net.predict(NUMBERS))
    assert again.classes_.dtype == net.classes_.dtype


def test_a_net_on_a_net_is_kept_with_its_source(net, tmp_path):
    second = AlphaLoRANetClassifier(FrozenEstimator(net), random_state=1, **QUICK).fit(X, Y)
    assert_array_equal(
        pickle.loads(pickle.dumps(second)).decision_function(X), second.decision_function(X)
    )
    second.save(tmp_path / "net")
    again = AlphaLoRANetClassifier.load(tmp_path / "net")
    assert_allclose(again.decision_function(X), second.decision_function(X), atol=1e-6)


def test_a_tokenizer_of_ones_own_is_kept(tiny_bert, tmp_path):
    tokenizer = BertTokenizerFast.from_pretrained(tiny_bert, do_lower_case=False)
    tokenizer.add_tokens(["filmplot"])
    model = BertForSequenceClassification.from_pretrained(tiny_bert)
    model.resize_token_embeddings(len(tokenizer))
    texts = ["filmplot good", *X[1:]]
    net = AlphaLoRANetClassifier(model, tokenizer=tokenizer, random_state=0, **QUICK).fit(texts, Y)
    net.save(tmp_path / "net")
    again = AlphaLoRANetClassifier.load(tmp_path / "net")
    assert_array_equal(again.decision_function(texts), net.decision_function(texts))


def test_a_model_whose_head_was_replaced_is_kept(tiny_bert, tmp_path):
    y = np.arange(30) % 3
    model = BertForSequenceClassification.from_pretrained(tiny_bert)
    net = AlphaLoRANetClassifier(model, tokenizer=tiny_bert, random_state=0, **QUICK).fit(X, y)
    net.save(tmp_path / "net")
    again = AlphaLoRANetClassifier.load(tmp_path / "net")
    assert_array_equal(again.decision_function(X), net.decision_function(X))


def test_alpha_by_layer_and_column_names_are_kept(tmp_path):
    frame = pd.DataFrame(NUMBERS, columns=list("abcd"))
    alpha = {"0": np.linspace(0, 1, 8), "2": np.ones(8)}
    options = {**QUICK, "alpha": alpha, "random_state": 0}
    net = AlphaLoRANetClassifier(make_module(), **options).fit(frame, CODES)
    net.save(tmp_path / "net")
    again = AlphaLoRANetClassifier.load(tmp_path / "net", model=make_module())
    assert_array_equal(again.predict(frame), net.predict(frame))
    assert_allclose(again.partial_fit(frame, CODES).alpha_["0"], alpha["0"], rtol=1e-6)


def test_a_module_of_ones_own_is_asked_for(number_net, tmp_path):
    number_net.save(tmp_path / "net")
    with pytest.raises(ValueError, match=r"does not hold the torch module .*; pass it as model="):
        AlphaLoRANetClassifier.load(tmp_path / "net")
    again = AlphaLoRANetClassifier.load(tmp_path / "net", model=make_module())
    assert_array_equal(again.decision_function(NUMBERS), number_net.decision_function(NUMBERS))
    with pytest.raises(ValueError, match="no longer the model that this net was trained on"):
        AlphaLoRANetClassifier.load(tmp_path / "net", model=make_module(seed=1))


# ---------------------------------------------------------------- other forms


def test_merged_model_is_a_plain_transformers_model(net):
    merged = net.merged_model()
    assert type(merged).__name__ == "BertForSequenceClassification"
    assert not any("lora" in name for name, _ in merged.named_parameters())
    tokens = net.tokenizer_(X, padding=True, return_tensors="pt")
    logits = merged(**tokens).logits.detach().numpy()
    assert_allclose(logits[:, 1] - logits[:, 0], net.decision_function(X), atol=1e-5)


def test_a_merged_model_with_its_tokenizer_gives_labels_by_transformers_alone(net, tmp_path):
    net.merged_model().save_pretrained(tmp_path)
    net.tokenizer_.save_pretrained(tmp_path)
    read = pipeline("text-classification", str(tmp_path))
    found = read(list(X))
    assert [row["label"] for row in found] == [str(label) for label in net.predict(X)]
    assert_allclose([r["score"] for r in found], net.predict_proba(X).max(axis=1), atol=1e-5)


@pytest.mark.parametrize("problem_type", ["regression", "multi_label_classification"])
def test_a_merged_model_classifies_whatever_its_source_did(tiny_bert, tmp_path, problem_type):
    """transformers would show logits, or their sigmoids, as the scores."""
    source = BertForSequenceClassification.from_pretrained(tiny_bert, problem_type=problem_type)
    net = AlphaLoRANetClassifier(source, tokenizer=tiny_bert, random_state=0, **QUICK).fit(X, Y)
    net.merged_model().save_pretrained(tmp_path)
    net.tokenizer_.save_pretrained(tmp_path)
    found = pipeline("text-classification", str(tmp_path))(list(X))
    assert [row["label"] for row in found] == [str(label) for label in net.predict(X)]
    assert_allclose([r["score"] for r in found], net.predict_proba(X).max(axis=1), atol=1e-5)
    assert source.config.problem_type == problem_type


def test_dora_export_of_a_net_gives_its_logits_with_peft_alone(net, tiny_bert, tmp_path):
    net.export_dora(tmp_path / "dora")
    torch.save((net.tokenizer_(X, padding=True, return_tensors="pt").data,), tmp_path / "in.pt")
    program = """
import sys, torch
from peft import AutoPeftModelForSequenceClassification, PeftModel
from transformers import AutoModelForSequenceClassification
base, adapter, tokens, out = sys.argv[1:]
model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=2)
model = PeftModel.from_pretrained(model, adapter).eval()
auto = AutoPeftModelForSequenceClassification.from_pretrained(adapter).eval()
with torch.no_grad():
    logits = model(**torch.load(tokens)[0]).logits
    assert torch.equal(auto(**torch.load(tokens)[0]).logits, logits)
    torch.save(logits, out)
assert not any(name.startswith("sklearn") for name in sys.modules if "alpha" in name)
"""
    paths = [tiny_bert, tmp_path / "dora", tmp_path / "in.pt", tmp_path / "out.pt"]
    subprocess.run([sys.executable, "-W", "ignore", "-c", program, *map(str, paths)], check=True)
    logits = torch.load(tmp_path / "out.pt").numpy()
    assert_allclose(logits[:, 1] - logits[:, 0], net.decision_function(X), atol=1e-5)


def test_onnx_gives_the_same_logits_for_any_number_of_rows_and_tokens(net, tmp_path):
    net.export_onnx(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    for texts in (X[:1], X[:7], ["good", "bad film"]):
        tokens = net.tokenizer_(texts, padding=True, return_tensors="np")
        names = {entry.name for entry in session.get_inputs()}
        (logits,) = session.run(["logits"], {name: tokens[name] for name in names})
        assert_allclose(logits[:, 1] - logits[:, 0], net.decision_function(texts), atol=1e-4)


def test_onnx_of_numbers(number_net, tmp_path):
    number_net.export_onnx(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    (logits,) = session.run(["logits"], {"X": NUMBERS.astype(np.float32)})
    assert_allclose(logits[:, 1] - logits[:, 0], number_net.decision_function(NUMBERS), atol=1e-4)


def test_onnx_of_an_architecture_that_torch_cannot_export(tiny_bert, tmp_path):
    """The steps of Longformer depend on its inputs."""
    config = LongformerConfig(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=40,
        attention_window=4,
        pad_token_id=1,
    )
    model = LongformerForSequenceClassification(config)
    tokenizer = BertTokenizerFast.from_pretrained(tiny_bert)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    net = AlphaLoRANetClassifier(model, tokenizer=tokenizer, random_state=0, **QUICK).fit(X, Y)
    with pytest.raises(ValueError, match="torch cannot export a LongformerForSequenceClassif"):
        net.export_onnx(tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_onnx_is_asked_for_by_its_extra(net, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-alpha\[onnx\]'"):
        net.export_onnx(tmp_path / "net.onnx")
