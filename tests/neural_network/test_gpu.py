"""On a GPU: what the CPU trains, there and back, and half precision. Skipped without one."""

import pickle

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from numpy.testing import assert_allclose, assert_array_equal
from peft import AutoPeftModelForSequenceClassification, LoraConfig, get_peft_model
from sklearn.frozen import FrozenEstimator
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from sklearn_alpha import AlphaLoRANetClassifier, AlphaLoRANetRegressor
from sklearn_alpha.neural_network import add_alpha
from tests.neural_network.conftest import make_module, make_numbers, make_texts

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch sees"),
    # PEFT reads an attribute of transformers' models that is to be renamed; α has no part in it
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]

X, Y = make_numbers(44)
TEXTS, LABELS = make_texts(44)
DATA = {"numbers": (X, Y), "text": (TEXTS, LABELS)}
WEIGHT = np.random.default_rng(0).uniform(0.2, 3, size=44)
OPTIONS = {"max_epochs": 3, "rank": 2, "batch_size": 9, "lr": 0.02, "alpha_lr": 0.05}
WAYS = {
    "the same rows": {},
    "held out": {"alpha_split": 0.5, "alpha_every": 2, "batch_size": 5},
    "held": {"alpha": 0.7},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 2},
}
HALVES = {
    "bfloat16": {"precision": "bfloat16"},
    "bfloat16, accelerate": {"accelerator": {"mixed_precision": "bf16"}},
    "float16": {"accelerator": {"mixed_precision": "fp16"}},
    "float16, accumulated": {
        "accelerator": {"mixed_precision": "fp16", "gradient_accumulation_steps": 2}
    },
    "float16, held out": {
        "accelerator": {"mixed_precision": "fp16"},
        "alpha_split": 0.5,
        "alpha_every": 2,
    },
}
kinds = pytest.mark.parametrize("kind", ["numbers", "text"])


@pytest.fixture
def fit(kind, tiny_bert):
    """A function that trains a net of that kind, on the GPU where nothing else is said."""

    def fit(**options):
        rows, labels = DATA[kind]
        options = {"device": "cuda", "random_state": 0, **OPTIONS, **options}
        model = tiny_bert if kind == "text" else make_module()
        return AlphaLoRANetClassifier(model, **options).fit(rows, labels, sample_weight=WEIGHT)

    return fit


@pytest.fixture
def rows(kind):
    return DATA[kind][0]


@kinds
@pytest.mark.parametrize("way", WAYS)
def test_a_fit_is_that_of_the_cpu(way, fit, rows):
    there, here = fit(**WAYS[way]), fit(**WAYS[way], device="cpu")
    assert {p.device.type for p in there.module_.parameters()} == {"cuda"}
    assert_allclose(there.decision_function(rows), here.decision_function(rows), atol=2e-3)
    for name, alpha in here.alpha_.items():
        assert_allclose(there.alpha_[name], alpha, atol=1e-3)


@pytest.mark.parametrize("targets", ["numbers", "labels"])
@pytest.mark.parametrize("way", WAYS)
def test_numbers_and_labels_are_those_of_the_cpu(targets, way):
    kind = AlphaLoRANetRegressor if targets == "numbers" else AlphaLoRANetClassifier
    y = X[:, :2] + X[:, 2:] if targets == "numbers" else (X[:, :2] > 0).astype(int)
    options = {**OPTIONS, **WAYS[way], "random_state": 0}
    there, here = (kind(make_module(), device=d, **options).fit(X, y) for d in ("cuda", "cpu"))
    method = "predict" if targets == "numbers" else "_logits"
    values = getattr(there, method)(X)
    assert_allclose(values, getattr(here, method)(X), atol=5e-3)
    with torch.no_grad():
        assert_allclose(there.merged_model()(torch.tensor(X).float()), values, atol=1e-3)


@kinds
def test_a_seed_gives_the_same_numbers_and_leaves_the_generator(fit, rows):
    before = torch.cuda.get_rng_state()
    first = fit(lora_dropout=0.3).decision_function(rows)
    fit(random_state=1)
    assert_array_equal(fit(lora_dropout=0.3).decision_function(rows), first)
    assert torch.equal(torch.cuda.get_rng_state(), before)


@pytest.fixture
def fresh_accelerate():
    """accelerate has one precision for a whole program."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@kinds
@pytest.mark.parametrize("half", HALVES)
@pytest.mark.usefixtures("fresh_accelerate")
def test_half_precision_rounds_products_only(half, fit, rows):
    # without the probe, which would tell apart what a random network hardly does
    options = {"lr": 0.005, "alpha_lr": 0.01, "callbacks__linear_probe": None, **HALVES[half]}
    net = fit(**options)
    AcceleratorState._reset_state(reset_partial_state=True)
    options |= {"precision": "float32"}
    if "accelerator" in options:
        options["accelerator"] = options["accelerator"] | {"mixed_precision": "no"}
    plain = fit(**options)
    assert {p.dtype for p in net.module_.parameters()} == {torch.float32}
    values, expected = net.decision_function(rows), plain.decision_function(rows)
    assert values.dtype == np.float32
    assert 0 < np.abs(values - expected).max() < 0.1 * np.abs(expected).max()
    assert net.n_steps_ == plain.n_steps_
    for name, alpha in plain.alpha_.items():
        assert_allclose(net.alpha_[name], alpha, atol=0.03)


@kinds
def test_there_and_back(kind, fit, tmp_path):
    net, (rows, labels) = fit(), DATA[kind]
    expected = net.decision_function(rows)
    assert isinstance(expected, np.ndarray)
    assert_array_equal(pickle.loads(pickle.dumps(net)).decision_function(rows), expected)
    net.save(tmp_path / "net")
    given = {} if kind == "text" else {"model": make_module()}
    loaded = AlphaLoRANetClassifier.load(tmp_path / "net", **given)
    assert_array_equal(loaded.decision_function(rows), expected)
    assert next(loaded.module_.parameters()).is_cuda
    merged = net.merged_model()
    assert {p.device.type for p in merged.parameters()} == {"cpu"}
    with torch.no_grad():
        if kind == "text":
            tokens = net.tokenizer_(list(rows), padding=True, return_tensors="pt")
            logits = merged(**tokens).logits.numpy()
        else:
            logits = merged(torch.as_tensor(rows, dtype=torch.float32)).numpy()
    assert_allclose(logits[:, 1] - logits[:, 0], expected, atol=1e-3)
    onward = AlphaLoRANetClassifier(FrozenEstimator(net), device="cuda", max_epochs=0, alpha=1.0)
    onward.set_params(callbacks__linear_probe=None).fit(rows, labels)
    assert_allclose(onward.decision_function(rows), expected, atol=1e-3)
    assert net.partial_fit(rows, labels).n_steps_ > 0


@pytest.mark.parametrize("kind", ["text"])
def test_peft_reads_the_export_on_a_gpu(fit, tmp_path):
    net = fit()
    net.export_dora(tmp_path / "dora")
    tokenizer = AutoTokenizer.from_pretrained(net.model)
    model = AutoPeftModelForSequenceClassification.from_pretrained(tmp_path / "dora").cuda().eval()
    with torch.no_grad():
        tokens = tokenizer(list(TEXTS), padding=True, return_tensors="pt").to("cuda")
        logits = model(**tokens).logits.cpu().numpy()
    assert_allclose(logits[:, 1] - logits[:, 0], net.decision_function(TEXTS), atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("scale_bias", [False, True])
def test_alpha_of_one_is_lora_bit_for_bit(dtype, scale_bias, tiny_bert):
    network = AutoModelForSequenceClassification.from_pretrained(tiny_bert, dtype=dtype)
    config = LoraConfig(task_type="SEQ_CLS", r=2, init_lora_weights=False)
    network = get_peft_model(network, config).cuda().eval()
    tokens = AutoTokenizer.from_pretrained(tiny_bert)(list(TEXTS), padding=True)
    tokens = tokens.convert_to_tensors("pt").to("cuda")
    with torch.no_grad():
        expected = network(**tokens).logits
        found = add_alpha(network, scale_bias=scale_bias).cuda()(**tokens).logits
    assert found.dtype == expected.dtype
    assert torch.equal(found, expected)
