"""Base models whose weights bitsandbytes holds in 4 or 8 bit."""

import copy
import pickle
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from peft import IA3Config, LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora.layer import Linear as LoraLinear
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from torch import nn
from transformers import (
    AutoTokenizer,
    BertForSequenceClassification,
    BertModel,
    BitsAndBytesConfig,
    GPT2Config,
    GPT2ForSequenceClassification,
)

from sklearn_alpha import AlphaLoRANetClassifier, AlphaLoRANetRegressor
from sklearn_alpha.neural_network import add_alpha, export_dora, get_alpha, load_alpha
from sklearn_alpha.neural_network._quantised import dequantised
from tests.neural_network.conftest import make_numbers, make_texts, tiny_config

bnb = pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
# PEFT reads an attribute that transformers is about to drop
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")

X, Y = make_texts(24)
KINDS = {
    "nf4": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
    "nested": {"load_in_4bit": True, "bnb_4bit_use_double_quant": True},
    "int8": {"load_in_8bit": True},
}
FEW = {"rank": 2, "max_epochs": 2, "lr": 0.01, "random_state": 0, "callbacks__anchor": None}
STILL = {**FEW, "max_epochs": 0}
# In 8 bit, inputs are rounded as well.
NOISE = {"nf4": 1e-5, "nested": 1e-5, "int8": 1e-2}


@pytest.fixture(scope="module")
def source(tiny_bert, tmp_path_factory):
    """Folder of a BERT whose features vary, so that rounded inputs matter little."""
    folder = tmp_path_factory.mktemp("source")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertForSequenceClassification(tiny_config(initializer_range=0.5))
    model.classifier.bias.data = torch.tensor([0.1, -0.1])  # as of a head that was trained
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(folder)
    return str(folder)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def quantised(folder, kind, **options):
    settings = BitsAndBytesConfig(**KINDS[kind], **options)
    cls = BertForSequenceClassification
    return cls.from_pretrained(folder, quantization_config=settings, device_map={"": "cpu"}).eval()


def logits_of(model, folder, *, training=False):
    tokens = AutoTokenizer.from_pretrained(folder)(X, padding=True, return_tensors="pt")
    model = copy.deepcopy(model).train(training)
    for layer in model.modules():
        if isinstance(layer, bnb.nn.Linear4bit):
            layer.support_avx512bf16_for_cpu = False  # or it rounds weights to bfloat16
    with torch.no_grad():
        return model(**tokens).logits.numpy()


def bytes_of(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def random_adapter(model, **options):
    config = LoraConfig(r=2, target_modules=["query", "value"], init_lora_weights=False, **options)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return get_peft_model(model, config).train()


def test_training_lowers_the_loss_and_leaves_the_model_alone(source, kind):
    model = quantised(source, kind)
    before, settings = bytes_of(model), model.config.quantization_config.to_dict()
    options = {**FEW, "max_epochs": 20, "lr": 0.02}
    net = AlphaLoRANetClassifier(model, tokenizer=source, **options).fit(X, Y)
    assert net.score(X, Y) > 0.9
    assert_allclose(net.predict_proba(X).sum(axis=1), 1, atol=1e-6)
    layer = net.module_.network.get_base_model().bert.encoder.layer[0].attention.self.query
    assert isinstance(
        layer.base_layer, bnb.nn.Linear8bitLt if kind == "int8" else bnb.nn.Linear4bit
    )
    assert any(np.any(alpha != 1) for alpha in net.alpha_.values())
    assert all(torch.equal(before[name], p) for name, p in model.named_parameters())
    assert model.config.quantization_config.to_dict() == settings
    assert all(p.dtype == torch.float32 for p in net.module_.parameters() if p.requires_grad)


def test_the_untrained_net_is_the_quantised_model(source, kind):
    # With a threshold, outliers of one text decide how the inputs of its batch are rounded.
    model = quantised(source, kind, llm_int8_threshold=0.0)
    net = AlphaLoRANetClassifier(
        model, tokenizer=source, callbacks__linear_probe=None, **STILL
    ).fit(X, np.arange(24) % 2)
    model.classifier = copy.deepcopy(model).dequantize(torch.float32).classifier  # is trained
    margin = logits_of(model, source) @ [-1, 1]
    assert_allclose(net.decision_function(X), margin, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale_bias", [False, True])
def test_alpha_of_one_is_peft_bit_for_bit(source, kind, scale_bias):
    model = random_adapter(quantised(source, kind))
    expected = logits_of(model, source)
    add_alpha(model, scale_bias=scale_bias)
    np.testing.assert_array_equal(logits_of(model, source), expected)


@pytest.mark.parametrize("scale_bias", [False, True])
def test_alpha_scales_the_rows_of_the_quantised_weight(source, kind, scale_bias):
    """Against PEFT on the dequantised model."""
    base = quantised(source, kind)
    plain = random_adapter(copy.deepcopy(base).dequantize(torch.float32))
    model = random_adapter(base)
    rows = {}
    for name in get_alpha(add_alpha(model, scale_bias=scale_bias)):
        rows[name] = torch.linspace(0.2, 2, 16)
        layer = plain.get_base_model().get_submodule(name).base_layer
        layer.weight.data *= rows[name][:, None]
        if scale_bias:
            layer.bias.data *= rows[name]
    model = random_adapter(quantised(source, kind))
    add_alpha(model, rows, scale_bias=scale_bias)
    # In training bitsandbytes does not round the inputs on a CPU.
    found, expected = (logits_of(each, source, training=True) for each in (model, plain))
    assert_allclose(found, expected, atol=1e-3 if kind == "int8" else 1e-5)


def test_gradients_are_those_of_the_dequantised_model(source, kind):
    base = quantised(source, kind)
    tokens = AutoTokenizer.from_pretrained(source)(X, padding=True, return_tensors="pt")
    gradients = []
    for each in (copy.deepcopy(base).dequantize(torch.float32), base):
        model = add_alpha(random_adapter(each), 0.7)
        model(**tokens, labels=torch.arange(24) % 2).loss.backward()
        gradients.append(
            torch.cat([p.grad.ravel() for n, p in model.named_parameters() if p.requires_grad])
        )
    distance = torch.linalg.vector_norm(gradients[0] - gradients[1])
    assert distance < (0.03 if kind == "int8" else 1e-4) * torch.linalg.vector_norm(gradients[0])


def fitted(source, kind, y=Y, estimator=AlphaLoRANetClassifier, **options):
    return estimator(quantised(source, kind), tokenizer=source, **FEW, **options).fit(X, y)


def test_the_merged_model_is_an_ordinary_one_with_the_logits_of_the_net(source, tmp_path, kind):
    net = fitted(source, kind)
    before = net.decision_function(X)
    merged = net.merged_model()
    assert not any(isinstance(m, bnb.nn.Linear4bit | bnb.nn.Linear8bitLt) for m in merged.modules())
    assert {p.dtype for p in merged.parameters()} == {torch.float32}
    assert not hasattr(merged.config, "quantization_config")
    margin = logits_of(merged, source) @ [-1, 1]
    assert_allclose(margin, before, atol=10 * NOISE[kind])
    assert_allclose(net.decision_function(X), before, atol=1e-6)
    # Q is what bitsandbytes itself dequantises, and the merge is α ⊙ Q + s·B A
    name = "bert.encoder.layer.1.attention.self.value"
    layer = net.module_.network.get_base_model().get_submodule(name)
    Q = net.model.dequantize(torch.float32).get_submodule(name).weight
    alpha = torch.as_tensor(net.alpha_[name])[:, None]
    expected = alpha * Q + layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    assert_allclose(merged.get_submodule(name).weight.detach(), expected.detach(), atol=1e-6)
    merged.save_pretrained(tmp_path)
    loaded = BertForSequenceClassification.from_pretrained(tmp_path)
    assert_allclose(logits_of(loaded, source), logits_of(merged, source), atol=1e-6)
    # and it is a source as any other
    again = AlphaLoRANetClassifier(FrozenEstimator(net), **STILL).fit(X, Y)
    assert_allclose(again.decision_function(X), margin, atol=1e-4)


def test_pickles_folders_and_clones(source, tmp_path, kind):
    net = fitted(source, kind)
    expected = net.predict_proba(X)
    net.save(tmp_path)
    for again in (pickle.loads(pickle.dumps(net)), AlphaLoRANetClassifier.load(tmp_path)):
        assert_allclose(again.predict_proba(X), expected, atol=1e-6)
        assert again.partial_fit(X, Y).alpha_
    assert_allclose(clone(net).fit(X, Y).predict_proba(X), expected, atol=1e-6)


def test_the_dora_adapter_on_the_quantised_model(source, tmp_path, kind):
    net = fitted(source, kind)
    net.export_dora(tmp_path / "dora")
    base = net.merged_model().config  # the labels
    assert base.id2label == {0: "bad", 1: "good"}
    model = copy.deepcopy(net.model)
    model.classifier = nn.Linear(16, 2)
    loaded = PeftModel.from_pretrained(model, tmp_path / "dora")
    margin = logits_of(loaded, source) @ [-1, 1]
    assert_allclose(margin, net.decision_function(X), atol=20 * NOISE[kind])


def test_onnx(source, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    net = fitted(source, "nf4")
    net.export_onnx(tmp_path / "net.onnx")
    session = runtime.InferenceSession(tmp_path / "net.onnx")
    tokens = dict(net.tokenizer_(X, padding=True, return_tensors="np"))
    inputs = {each.name: tokens[each.name] for each in session.get_inputs()}
    (logits,) = session.run(None, inputs)
    assert_allclose(logits @ [-1, 1], net.decision_function(X), atol=1e-3)


def test_a_regression(source, kind):
    y = np.array([text.split().count("the") for text in X], dtype=float)
    net = fitted(source, kind, y, AlphaLoRANetRegressor)
    assert net.module_.head_is_new
    merged = net.merged_model()
    assert_allclose(logits_of(merged, source)[:, 0], net.predict(X), atol=20 * NOISE[kind])


def test_another_number_of_classes_gets_a_new_head(source, kind):
    y = np.arange(24) % 3
    net = fitted(source, kind, y)
    assert net.module_.head_is_new
    assert net.predict_proba(X).shape == (24, 3)
    assert net.merged_model().config.num_labels == 3
    assert net.model.config.num_labels == 2


def test_a_new_head_that_transformers_draws(source, tmp_path, kind):
    """Its class is that of a quantised layer, but its weight is not, and it cannot compute."""
    config = BitsAndBytesConfig(**KINDS[kind])
    BertModel.from_pretrained(source).save_pretrained(tmp_path)
    model = BertForSequenceClassification.from_pretrained(tmp_path, quantization_config=config)
    net = AlphaLoRANetClassifier(model, tokenizer=source, **FEW).fit(X, Y)
    margin = net.decision_function(X)
    assert_allclose(logits_of(net.merged_model(), source) @ [-1, 1], margin, atol=20 * NOISE[kind])
    again = pickle.loads(pickle.dumps(net))
    assert_allclose(again.decision_function(X), margin, atol=1e-6)


def folder_of(model, source, folder):
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_quantised_folder(source, tmp_path, kind, n_classes):
    model = quantised(source, kind)
    folder = folder_of(model, source, tmp_path / "source")
    y = np.arange(24) % n_classes
    net = AlphaLoRANetClassifier(folder, **FEW).fit(X, y)
    assert net.module_.head_is_new == (n_classes == 3)
    body = net.module_.network.get_base_model().bert
    for name, layer in body.named_modules():
        if isinstance(layer, bnb.nn.Linear4bit | bnb.nn.Linear8bitLt):
            own = model.bert.get_submodule(name.removesuffix(".base_layer"))
            assert torch.equal(layer.weight.data, own.weight.data)
    net.save(tmp_path / "net")
    for again in (pickle.loads(pickle.dumps(net)), AlphaLoRANetClassifier.load(tmp_path / "net")):
        assert_allclose(again.predict_proba(X), net.predict_proba(X), atol=1e-6)


def test_a_quantised_folder_without_a_head(source, tmp_path, kind):
    settings = BitsAndBytesConfig(**KINDS[kind])
    model = BertModel(tiny_config(initializer_range=0.5))
    model.save_pretrained(tmp_path / "plain")
    model = BertModel.from_pretrained(tmp_path / "plain", quantization_config=settings)
    folder = folder_of(model, source, tmp_path / "source")
    net = AlphaLoRANetClassifier(folder, **STILL).fit(X, Y)
    assert net.module_.head_is_new
    Q = model.dequantize(torch.float32).state_dict()
    for name, weight in net.merged_model().bert.state_dict().items():
        alpha = net.alpha_.get(f"bert.{name.removesuffix('.weight')}")
        alpha = 1 if alpha is None else torch.as_tensor(alpha)[:, None]
        assert_allclose(weight, alpha * Q[name], atol=1e-6)


@pytest.mark.parametrize("has_alpha", [True, False])
def test_an_adapter_on_a_quantised_model_is_merged_in_float32(source, tmp_path, kind, has_alpha):
    folder = folder_of(quantised(source, kind), source, tmp_path / "source")
    adapter = random_adapter(BertForSequenceClassification.from_pretrained(folder))
    if has_alpha:
        add_alpha(adapter, 0.5)
    before = bytes_of(adapter)
    expected = logits_of(adapter, source) @ [-1, 1]
    adapter.save_pretrained(tmp_path / "adapter")
    y = np.arange(24) % 2
    for model in (adapter, tmp_path / "adapter"):
        net = AlphaLoRANetClassifier(
            model, tokenizer=source, callbacks__linear_probe=None, **STILL
        ).fit(X, y)
        assert_allclose(net.decision_function(X), expected, atol=10 * NOISE[kind])
    assert all(torch.equal(before[name], p) for name, p in adapter.named_parameters())


def test_peft_merges_loads_and_exports_alpha_on_quantised_layers(source, tmp_path, kind):
    model = add_alpha(random_adapter(quantised(source, kind)), 0.5)
    expected = logits_of(model, source)
    model.save_pretrained(tmp_path / "alpha")
    again = load_alpha(quantised(source, kind), tmp_path / "alpha")
    np.testing.assert_array_equal(logits_of(again, source), expected)
    export_dora(model, tmp_path / "dora")
    dora = PeftModel.from_pretrained(quantised(source, kind), tmp_path / "dora")
    assert_allclose(logits_of(dora, source), expected, atol=10 * NOISE[kind])
    in_float32 = dequantised(copy.deepcopy(model)).merge_and_unload()
    assert_allclose(logits_of(in_float32, source), expected, atol=10 * NOISE[kind])
    with pytest.warns(UserWarning, match="rounding errors"):
        merged = model.merge_and_unload().dequantize(torch.float32)  # PEFT quantises again
    in_float32.save_pretrained(tmp_path / "float32")
    again = quantised(tmp_path / "float32", kind).dequantize(torch.float32)
    for name, weight in again.bert.named_parameters():
        if "query" in name or "value" in name:
            assert_allclose(weight.detach(), merged.bert.get_parameter(name).detach(), atol=1e-6)


def test_several_quantised_sources_become_one_in_float32(source):
    sources = [quantised(source, kind) for kind in ("nf4", "int8")]
    net = AlphaLoRANetClassifier(sources, tokenizer=source, **STILL).fit(X, np.arange(24) % 2)
    weights = [s.dequantize(torch.float32).bert.pooler.dense.weight.detach() for s in sources]
    expected = net.source_alpha_[0] * weights[0] + net.source_alpha_[1] * weights[1]
    assert_allclose(net.merged_model().bert.pooler.dense.weight.detach(), expected, atol=1e-6)


def test_gpt2_whose_layers_store_the_transpose(source, tmp_path, kind):
    config = GPT2Config(vocab_size=30, n_embd=16, n_layer=1, n_head=2, n_positions=40)
    config.pad_token_id = 0
    GPT2ForSequenceClassification(config).save_pretrained(tmp_path)
    model = GPT2ForSequenceClassification.from_pretrained(
        tmp_path, quantization_config=BitsAndBytesConfig(**KINDS[kind])
    )
    net = AlphaLoRANetClassifier(model, tokenizer=source, **FEW).fit(X, Y)
    again = AlphaLoRANetClassifier(net.merged_model(), tokenizer=source, **STILL).fit(X, Y)
    margin = net.decision_function(X)
    assert_allclose(again.decision_function(X), margin, atol=20 * NOISE[kind])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_model_and_products_in_half_precision(source, dtype):
    settings = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=dtype)
    model = BertForSequenceClassification.from_pretrained(
        source, quantization_config=settings, dtype=dtype
    )
    net = AlphaLoRANetClassifier(model, tokenizer=source, **FEW).fit(X, Y)
    expected = net.decision_function(X)
    model.train()(**AutoTokenizer.from_pretrained(source)("good", return_tensors="pt"))
    again = pickle.loads(pickle.dumps(net))
    assert_allclose(again.decision_function(X), expected, atol=1e-6)
    assert_allclose(logits_of(net.merged_model(), source) @ [-1, 1], expected, atol=0.05)


# ---------------------------------------------------------------- errors


def test_another_adapter_on_quantised_layers_is_refused(source):
    config = IA3Config(
        target_modules=["query", "output.dense"], feedforward_modules=["output.dense"]
    )
    model = get_peft_model(quantised(source, "nf4"), config)
    with pytest.raises(ValueError, match="only LoRA can be merged there"):
        AlphaLoRANetClassifier(model, tokenizer=source).fit(X, Y)


@pytest.mark.parametrize("method", ["gptq", "awq", "torchao"])
def test_other_quantisations_are_refused(source, tmp_path, method):
    model = BertForSequenceClassification.from_pretrained(source)
    model.config.quantization_config = {"quant_method": method}
    match = f"quantised by {method}; pass one that is not, or one that bitsandbytes quantised in 4"
    with pytest.raises(ValueError, match=match):
        AlphaLoRANetClassifier(model, tokenizer=source).fit(X, Y)
    with pytest.raises(ValueError, match=match):
        AlphaLoRANetClassifier(folder_of(model, source, tmp_path)).fit(X, Y)


def test_alpha_on_layers_of_other_quantisations_is_refused(source):
    model = random_adapter(BertForSequenceClassification.from_pretrained(source))
    layer = model.get_base_model().bert.encoder.layer[1].attention.self.query
    layer.__class__ = type("TorchaoLoraLinear", (LoraLinear,), {})  # its merge leaves out α
    with pytest.raises(TypeError, match="of quantised layers, those of bitsandbytes"):
        add_alpha(model)


def test_weights_in_float16_are_refused(source):
    model = quantised(source, "int8", llm_int8_has_fp16_weight=True)
    with pytest.raises(ValueError, match="load it without this option"):
        AlphaLoRANetClassifier(model, tokenizer=source).fit(X, Y)


def test_bitsandbytes_is_named_if_it_is_missing(source, tmp_path, monkeypatch):
    folder = folder_of(quantised(source, "nf4"), source, tmp_path)
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ImportError, match="quantised by bitsandbytes: pip install bitsandbytes"):
        AlphaLoRANetClassifier(folder).fit(X, Y)


def test_weights_rewritten_for_predictions_are_refused(source):
    model = quantised(source, "nf4")
    layer = model.bert.encoder.layer[0].attention.self.query
    layer.weight.quant_state.packing_format_for_cpu = True
    with pytest.raises(ValueError, match="load the model again, and pass it before it predicts"):
        AlphaLoRANetClassifier(model, tokenizer=source).fit(X, Y)


def test_quantised_layers_in_a_module_of_numbers_are_refused():
    module = nn.Sequential(bnb.nn.Linear4bit(4, 8), nn.Linear(8, 2))
    with pytest.raises(ValueError, match="has quantised layers, which only transformers"):
        AlphaLoRANetClassifier(module).fit(*make_numbers())
