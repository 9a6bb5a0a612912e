"""α on PEFT's LoRA layers, compared with y = α ⊙ (W x) + b + s·B A x worked out in float64.

Where α is 1 the comparison is with PEFT itself, bit for bit.
"""

import copy
import functools
import inspect
import math
import pickle

import hypothesis.strategies as st
import peft
import pytest
import torch
from hypothesis import given, settings
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora.layer import LoraLayer, LoraVariant
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from torch.testing import assert_close
from transformers import BertForSequenceClassification, GPT2Config, GPT2LMHeadModel
from transformers.pytorch_utils import Conv1D

from sklearn_alpha.neural_network import add_alpha, get_alpha, load_alpha
from sklearn_alpha.neural_network._peft import alpha_parameters
from tests.neural_network.conftest import make_module, tiny_config

# PEFT 0.21 asks transformers 5 for an attribute that transformers is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

BERT = tiny_config(initializer_range=0.3)
BERT.num_hidden_layers = 1
GPT2 = GPT2Config(vocab_size=24, n_positions=16, n_embd=8, n_layer=1, n_head=2)
GPT2.update({"initializer_range": 0.3, "bos_token_id": None, "eos_token_id": None})
BASES = {
    "bert": lambda: BertForSequenceClassification(BERT),
    "gpt2": lambda: GPT2LMHeadModel(GPT2),
    "numbers": make_module,
    "no bias": lambda: nn.Sequential(nn.Linear(4, 6, bias=False), nn.Tanh(), nn.Linear(6, 3)),
}
MANY = {"use_rslora": True, "rank_pattern": {"query": 3}, "alpha_pattern": {"dense": 5}}
# Each name: the base, the options of LoraConfig, and whether α multiplies the bias too.
CASES = {
    "default": ("bert", {"task_type": "SEQ_CLS", "lora_alpha": 2}, False),
    "all-linear": ("bert", {"target_modules": "all-linear", "lora_alpha": 7}, False),
    "all-linear, bias": ("bert", {"target_modules": "all-linear", "lora_alpha": 2}, True),
    "rslora": ("bert", {"target_modules": ["query", "dense"], "lora_dropout": 0.5} | MANY, False),
    "trained bias": ("bert", {"bias": "all"}, True),
    "conv1d": ("gpt2", {"target_modules": ["c_attn", "c_fc"], "fan_in_fan_out": True}, False),
    "conv1d, bias": ("gpt2", {"target_modules": "all-linear", "fan_in_fan_out": True}, True),
    "numbers": ("numbers", {"target_modules": ["0", "4"]}, False),
    "no bias": ("no bias", {"target_modules": ["0", "2"]}, True),
}
# Each name: the dtype of the base, whether under bfloat16 autocast, and the tolerance.
PRECISIONS = {
    "float32": (torch.float32, False, 1e-5),
    "float64": (torch.float64, False, 1e-12),
    "bfloat16": (torch.bfloat16, False, 3e-2),
    "autocast": (torch.float32, True, 3e-2),
    "bfloat16, autocast": (torch.bfloat16, True, 3e-2),
}
cases = pytest.mark.parametrize("case", CASES)
precisions = pytest.mark.parametrize("precision", PRECISIONS)
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)


@functools.cache
def built(case, dtype):
    base, options, _ = CASES[case]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BASES[base]().to(dtype)
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                nn.init.normal_(parameter)
        return get_peft_model(model, LoraConfig(r=2, init_lora_weights=False, **options)).eval()


def lora(case="numbers", dtype=torch.float32):
    """PEFT's model of a case, in eval mode; A, B and the biases are random, not 0."""
    return copy.deepcopy(built(case, dtype))


def layers(model):
    named = model.get_base_model().named_modules()
    return {name: layer for name, layer in named if isinstance(layer, LoraLayer)}


def some_alpha(model, seed=1, first=(-0.7, -2)):
    """α about 1, and the first two rows of each layer as told."""
    generator = torch.Generator().manual_seed(seed)
    alpha = {}
    for name, layer in layers(model).items():
        alpha[name] = 1 + torch.randn(layer.out_features, generator=generator)
        alpha[name][:2] = torch.tensor(first)
    return alpha


def adapted(case="numbers", dtype=torch.float32, **options):
    """With α; a trained head and trained biases are no longer those of the base."""
    model = lora(case, dtype)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and "lora_" not in name:
            parameter.data += 0.5
    return add_alpha(model, some_alpha(model, **options), scale_bias=CASES[case][2])


def inputs(model, n=3):
    generator = torch.Generator().manual_seed(2)
    if hasattr(model.get_base_model(), "config"):
        return torch.randint(1, 20, (n, 7), generator=generator)
    return torch.randn(n, 4, generator=generator).to(next(model.parameters()).dtype)


def logits(model, x, **options):
    y = model(x, **options)
    return getattr(y, "logits", y).detach()


def parts(layer, adapter="default"):
    """W with a row for each output, b and s·B A of a layer."""
    base = layer.get_base_layer()
    W = base.weight.detach().double()
    W = W.T if isinstance(base, Conv1D) else W
    b = torch.zeros(len(W)).double() if base.bias is None else base.bias.detach().double()
    A, B = (getattr(layer, m)[adapter].weight.detach().double() for m in ("lora_A", "lora_B"))
    s = layer.lora_alpha[adapter] / (math.sqrt(len(A)) if layer.use_rslora[adapter] else len(A))
    return W, b, s * B @ A


def dense(layer, alpha, scale_bias, adapter="default"):
    """Weight and bias of the one linear layer that all of it amounts to."""
    W, b, delta = parts(layer, adapter)
    alpha = alpha.double()
    return alpha[:, None] * W + delta, alpha * b if scale_bias else b


def passes(model, x):
    """Logits with their graph, and what each LoRA layer was given and gave."""
    seen = {}
    hooks = [
        layer.register_forward_hook(lambda _, given, y, name=name: seen.update({name: (*given, y)}))
        for name, layer in layers(model).items()
    ]
    y = model(x)
    for hook in hooks:
        hook.remove()
    return getattr(y, "logits", y), seen


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_same(one, other):
    """Two dicts of tensors are equal to the last bit."""
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


# ------------------------------------------------------------ forward and gradients


@precisions
@cases
def test_forward_is_the_formula(case, precision):
    dtype, autocast, tolerance = PRECISIONS[precision]
    model = adapted(case, dtype)
    assert {alpha.dtype for alpha in get_alpha(model).values()} == {torch.float32}
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast), torch.no_grad():
        _, seen = passes(model, inputs(model))
    assert seen.keys() == get_alpha(model).keys()
    for name, alpha in some_alpha(model).items():
        x, y = seen[name]
        weight, bias = dense(layers(model)[name], alpha, CASES[case][2])
        expected = x.double() @ weight.T + bias
        # bfloat16 rounds W x + b before α multiplies it: the error is relative to the largest.
        assert_close(y.double(), expected, rtol=0, atol=tolerance * float(expected.abs().max()))


@precisions
@cases
def test_alpha_of_one_is_lora_bit_for_bit(case, precision):
    """Outputs, gradients, and all parameters after a step of AdamW, dropout included."""
    dtype, autocast, _ = PRECISIONS[precision]
    found = []
    for alpha in ("none", "frozen", "learnt"):
        model = lora(case, dtype).train()
        trained = [p for p in model.parameters() if p.requires_grad]
        if alpha != "none":
            add_alpha(model, scale_bias=CASES[case][2])
            for parameter in alpha_parameters(model).values():
                parameter.requires_grad_(alpha == "learnt")
        optimizer = torch.optim.AdamW(trained, lr=0.1)
        with torch.random.fork_rng(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            torch.manual_seed(3)
            y, _ = passes(model, inputs(model))
        y.float().square().sum().backward()
        gradients = [p.grad for p in trained if p.grad is not None]
        optimizer.step()
        found.append([y, *gradients, *trained])
    for tensors in found[1:]:
        assert len(tensors) == len(found[0]) > 1 + len(trained)
        assert all(torch.equal(one, other) for one, other in zip(tensors, found[0]))


@cases
def test_gradient_of_alpha(case):
    """∂L/∂α_i = Σ_n (∂L/∂y_ni) (W x_n)_i, with b_i added to (W x_n)_i where α scales it."""
    model = adapted(case, torch.float64)
    y, seen = passes(model, inputs(model))
    for _, output in seen.values():
        output.retain_grad()
    y.square().sum().backward()
    for name, alpha in alpha_parameters(model).items():
        x, output = seen[name]
        W, b, _ = parts(layers(model)[name])
        moved = x @ W.T + (b if CASES[case][2] else 0)
        expected = (output.grad * moved).flatten(end_dim=-2).sum(dim=0)
        assert_close(alpha.grad, expected.float(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", ["all-linear", "conv1d, bias"])
def test_slope_along_alpha(case):
    """The gradient, through the whole network, is the difference quotient."""
    model, step, values = adapted(case, torch.float64), 2**-12, []
    x, alphas = inputs(model), alpha_parameters(model).values()
    passes(model, x)[0].square().sum().backward()
    for sign in (1, -2):
        for alpha in alphas:
            alpha.data += sign * step * alpha.grad.sign()
        values.append(float(logits(model, x).square().sum()))
    slope = sum(float(alpha.grad.abs().sum()) for alpha in alphas)
    assert (values[0] - values[1]) / (2 * step) == pytest.approx(slope, rel=1e-3)


# ------------------------------------------------------------ merging, switching, copying


@pytest.mark.parametrize(("safe", "first"), [(False, (0.0, -1e-9)), (True, (-0.7, 1e-30))])
@cases
def test_merge_and_unmerge(case, safe, first):
    model, scale_bias = adapted(case, first=first), CASES[case][2]
    x, before = inputs(model), weights(model)
    y = logits(model, x)
    expected = {n: dense(m, get_alpha(model)[n], scale_bias) for n, m in layers(model).items()}
    model.merge_adapter(safe_merge=safe)
    assert_close(logits(model, x), y, rtol=1e-4, atol=1e-4)
    for name, layer in layers(model).items():
        weight, bias, _ = parts(layer)
        assert_close((weight, bias), expected[name], rtol=1e-5, atol=1e-6)
    # The copy is of a merged model, and knows what it must put back.
    for merged in (copy.deepcopy(model), model):
        merged.unmerge_adapter()
        assert_close(weights(merged), before, rtol=1e-5, atol=1e-5)
        biases = [name for name in before if name.endswith("bias")]
        assert_same({n: merged.state_dict()[n] for n in biases}, {n: before[n] for n in biases})
        assert_close(logits(merged, x), y, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("precision", ["float64", "bfloat16"])
@cases
def test_merge_and_unload_gives_a_plain_model(case, precision):
    dtype, _, tolerance = PRECISIONS[precision]
    model, plain = adapted(case, dtype), BASES[CASES[case][0]]()
    x = inputs(model)
    y = logits(model, x)
    merged = model.merge_and_unload()
    assert type(merged) is type(plain)
    assert merged.state_dict().keys() == plain.state_dict().keys()
    assert not any(isinstance(module, BaseTunerLayer) for module in merged.modules())
    assert_close(logits(merged, x), y, rtol=0, atol=3 * tolerance * float(y.abs().max()))


@pytest.mark.parametrize("scale_bias", [False, True])
def test_refused_merge_leaves_the_layer_alone(scale_bias):
    """PEFT's safe merge says no to weights that are not finite."""
    model = add_alpha(lora(), 0.5, scale_bias=scale_bias)
    layer = layers(model)["0"]
    layer.lora_B["default"].weight.data[0, 0] = float("nan")
    before = weights(layer.base_layer)
    with pytest.raises(ValueError, match="NaNs detected"):
        model.merge_adapter(safe_merge=True)
    assert_same(layer.base_layer.state_dict(), before)


@dtypes
@pytest.mark.parametrize("case", [case for case in CASES if case != "trained bias"])
def test_switched_off_is_the_base(case, dtype):
    model = adapted(case, dtype)
    x = inputs(model)
    y, plain = logits(model, x), logits(lora(case, dtype).unload(), x)
    with model.disable_adapter():
        assert torch.equal(logits(model, x), plain)
    assert torch.equal(logits(model, x), y)
    assert not torch.equal(y, plain)


@cases
def test_copies(case):
    model = adapted(case)
    x = inputs(model)
    y = logits(model, x)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert_same(other.state_dict(), model.state_dict())
        assert torch.equal(logits(other, x), y)
        for alpha in alpha_parameters(other).values():
            alpha.data.fill_(3)
        assert not torch.allclose(logits(other, x), y)
    assert torch.equal(logits(model, x), y)


# ------------------------------------------------------------ several adapters


@pytest.fixture(params=[False, True], ids=["", "bias"])
def three(request):
    """Adapters with α, without, and with another α."""
    model = lora()
    config = LoraConfig(target_modules=["0", "4"], r=3, init_lora_weights=False)
    with torch.random.fork_rng():
        torch.manual_seed(4)
        model.add_adapter("plain", config)
        model.add_adapter("other", config)
    for seed, name in enumerate(["default", "other"]):
        add_alpha(model, some_alpha(model, seed), scale_bias=request.param, adapter_name=name)
    model.scale_bias = request.param
    return model.eval()


def alpha_of(model, adapter, layer_name):
    ones = torch.ones(layers(model)[layer_name].out_features)
    return get_alpha(model, adapter_name=adapter).get(layer_name, ones)


@pytest.mark.parametrize("name", ["default", "plain", "other"])
def test_each_adapter_has_its_own_formula(three, name):
    three.set_adapter(name)
    assert (get_alpha(three, adapter_name=name) == {}) == (name == "plain")
    _, seen = passes(three, inputs(three))
    for layer_name, layer in layers(three).items():
        weight, bias = dense(layer, alpha_of(three, name, layer_name), three.scale_bias, name)
        x, y = seen[layer_name]
        assert_close(y, (x.double() @ weight.T + bias).float())
        for parameter, value in layer.named_parameters():
            assert value.requires_grad == (name in parameter.split("."))


@pytest.mark.parametrize(
    "names", [["default", "plain"], ["plain", "default"], ["other", "default"]], ids="-".join
)
def test_adapters_apply_one_after_the_other(three, names):
    """The second α multiplies the first adapter as well, and merging does the same."""
    three.base_model.set_adapter(names)
    x, before = inputs(three), weights(three)
    y, seen = passes(three, x)
    for layer_name, layer in layers(three).items():
        weight, bias, _ = parts(layer)
        for name in names:
            alpha = alpha_of(three, name, layer_name).double()
            weight = alpha[:, None] * weight + parts(layer, name)[2]
            bias = alpha * bias if three.scale_bias else bias
        given, output = seen[layer_name]
        assert_close(output, (given.double() @ weight.T + bias).float(), rtol=1e-5, atol=1e-5)
    three.merge_adapter()
    assert_close(logits(three, x), y, rtol=1e-5, atol=1e-5)
    three.unmerge_adapter()
    assert_close(weights(three), before, rtol=1e-5, atol=1e-5)


def test_adapters_mixed_in_a_batch(three):
    x, names = inputs(three, n=5), ["other", "default", "__base__", "plain", "default"]
    mixed = logits(three, x, adapter_names=names)
    for row, name in enumerate(names):
        if name == "__base__":
            with three.disable_adapter():
                expected = logits(three, x)
        else:
            three.set_adapter(name)
            expected = logits(three, x)
        assert_close(mixed[row], expected[row])


def test_deleted_adapter_leaves_no_trace(three):
    x = inputs(three)
    three.set_adapter("other")
    y = logits(three, x)
    three.delete_adapter("default")
    assert not [name for name in three.state_dict() if "default" in name]
    assert get_alpha(three) == {}
    assert torch.equal(logits(three, x), y)
    three.add_adapter("default", LoraConfig(target_modules=["0"], r=1))
    add_alpha(three, 2.0, scale_bias=three.scale_bias)
    assert_same(get_alpha(three), {"0": torch.full((8,), 2.0)})


# ------------------------------------------------------------ saving


@dtypes
@cases
def test_saved_and_loaded(case, dtype, tmp_path):
    model = adapted(case, dtype)
    x = inputs(model)
    model.save_pretrained(tmp_path)
    loaded = load_alpha(lora(case, dtype).unload(), tmp_path, adapter_name="again").eval()
    assert torch.equal(logits(loaded, x), logits(model, x))
    assert_same(get_alpha(loaded, adapter_name="again"), get_alpha(model))
    assert not any(p.requires_grad for p in alpha_parameters(loaded, "again").values())


def test_several_adapters_are_loaded_into_one_model(three, tmp_path):
    """A model with α or without takes another adapter with its own α."""
    three.save_pretrained(tmp_path)
    x = inputs(three)
    loaded = load_alpha(lora().unload(), tmp_path)
    assert load_alpha(loaded, tmp_path / "other", adapter_name="other") is loaded
    for name in ("default", "other"):
        three.set_adapter(name)
        loaded.set_adapter(name)
        assert_same(get_alpha(loaded, adapter_name=name), get_alpha(three, adapter_name=name))
        assert torch.equal(logits(loaded.eval(), x), logits(three, x))
    assert not any(p.requires_grad for p in alpha_parameters(loaded, "default").values())
    trained = load_alpha(loaded, tmp_path / "other", adapter_name="third", is_trainable=True)
    assert all(p.requires_grad for p in alpha_parameters(trained, "third").values())


def test_weighted_sum_of_adapters(three):
    """PEFT's sum leaves α out; with it the sum is that of the adapters' changes of W."""
    names, w = ["default", "other"], [0.3, -0.8]
    x = inputs(three)
    changes = {}
    for name, layer in layers(three).items():
        terms = [dense(layer, alpha_of(three, k, name), three.scale_bias, k) for k in names]
        W, b, _ = parts(layer)
        changes[name] = W + sum(w * (V - W) for w, (V, _) in zip(w, terms))
        changes[name] = changes[name], b + sum(w * (c - b) for w, (_, c) in zip(w, terms))
    three.add_weighted_adapter(names, w, "sum", combination_type="cat")
    assert get_alpha(three, adapter_name="sum") == {}
    alpha = {
        name: 1 + sum(w * (alpha_of(three, k, name) - 1) for w, k in zip(w, names))
        for name in layers(three)
    }
    add_alpha(three, alpha, scale_bias=three.scale_bias, adapter_name="sum")
    three.set_adapter("sum")
    _, seen = passes(three, x)
    for name, (weight, bias) in changes.items():
        given, found = seen[name]
        assert_close(found, (given.double() @ weight.T + bias).float(), rtol=1e-4, atol=1e-5)


def test_peft_alone_drops_alpha_silently(tmp_path):
    """Why `load_alpha` exists. This test fails once PEFT warns."""
    model = adapted()
    x = inputs(model)
    model.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(lora().unload(), tmp_path)
    assert get_alpha(loaded) == {}
    assert torch.equal(logits(loaded, x), logits(lora(), x))
    assert not torch.allclose(logits(loaded, x), logits(model, x))


def test_load_refuses_a_folder_without_alpha(tmp_path):
    lora().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"holds no α; load it with peft\.PeftModel"):
        load_alpha(make_module(), tmp_path)


# ------------------------------------------------------------ conventions and refusals


def test_alpha_is_a_parameter_like_a_and_b(tmp_path):
    model = add_alpha(lora())
    get_alpha(model)["0"].fill_(5)  # a copy
    assert_same(get_alpha(model), {"0": torch.ones(8), "4": torch.ones(2)})
    model.save_pretrained(tmp_path)
    loaded = load_alpha(make_module(), tmp_path, is_trainable=True)
    assert all(p.requires_grad for m in (model, loaded) for p in alpha_parameters(m).values())
    frozen = add_alpha(lora().requires_grad_(False))
    assert not any(p.requires_grad for p in alpha_parameters(frozen).values())


def make(base, *targets, **options):
    return get_peft_model(base, LoraConfig(target_modules=list(targets), **options)).eval()


def merged():
    model = lora()
    model.merge_adapter()
    return model


def two():
    model = adapted()
    model.add_adapter("other", LoraConfig(target_modules=["4"]))
    return model.eval()


def sequence():
    return nn.Sequential(nn.Conv1d(1, 2, 2), nn.Flatten(), make_module(18))


other = {"adapter_name": "other"}
# Each name: the model, the options of add_alpha, and words of the sentence that refuses.
REFUSALS = {
    # The linear layers come after, and stay as they were.
    "embedding": (lambda: make(BASES["bert"](), "word_embeddings", "query"), {}, "on Embedding"),
    "sequence": (lambda: make(sequence(), "0", "2.0"), {}, "on Conv1d, .* channels of Conv2d only"),
    "DoRA": (lambda: make(make_module(), "0", use_dora=True), {}, "the variant DoraLinearVariant"),
    "twice": (adapted, {}, "already has the variant RowScale"),
    "bias of B": (lambda: make(make_module(), "0", lora_bias=True), {}, "adapter with lora_bias"),
    "mixed": (two, {**other, "scale_bias": True}, "another adapter with scale_bias=False"),
    "merged": (merged, {}, "0 is merged; call"),
    "no adapter": (lora, other, "no LoRA adapter 'other'; make one with"),
    "no PEFT": (make_module, {}, "no LoRA adapter 'default'"),
    "length": (lora, {"alpha": {"0": 1, "4": torch.ones(3)}}, "of 4 must .* finite .* or 2 of"),
    "one row": (lora, {"alpha": {"0": [1.0], "4": 1}}, "of 0 must be a finite number or 8 of them"),
    "nan": (lora, {"alpha": float("nan")}, "of 0 must be a finite number"),
    "inf": (lora, {"alpha": {"0": 1, "4": [1, -float("inf")]}}, "of 4 must be a finite number"),
    "missing": (lora, {"alpha": {"0": 1.0}}, r"every LoRA layer and .* differ: \['4'\]"),
    "unknown": (lora, {"alpha": {"0": 1, "2": 1, "4": 1}}, r"and no other; .* differ: \['2'\]"),
}
GIVEN = {"embedding": torch.ones(1, 7, dtype=int), "sequence": torch.ones(1, 1, 10)}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_refusal_leaves_the_model_alone(refusal):
    model, options, words = REFUSALS[refusal]
    model, x = model(), GIVEN.get(refusal, torch.ones(1, 4))
    before, y = weights(model), logits(model, x)
    error = TypeError if refusal in GIVEN else ValueError
    with pytest.raises(error, match=words) as raised:
        add_alpha(model, **options)
    assert "\n" not in str(raised.value)
    assert str(raised.value).endswith((".", "))."))
    assert_same(model.state_dict(), before)
    assert torch.equal(logits(model, x), y)


METHODS = {
    "supports_lora_conversion": ["self"],
    "merge_safe": ["module", "active_adapter", "orig_weight"],
    "merge_unsafe": ["module", "active_adapter", "orig_weight"],
    "unmerge": ["module", "active_adapter", "orig_weight"],
    "forward": ["module", "active_adapter", "x", "result", "kwargs"],
}


@pytest.mark.parametrize("method", METHODS)
def test_private_methods_of_peft(method):
    found = getattr(LoraVariant, method, None)
    found = found and list(inspect.signature(found).parameters)
    assert found == METHODS[method], (
        f"PEFT {peft.__version__} moved LoraVariant.{method}: its parameters are {found}, and "
        f"RowScale in sklearn_alpha/neural_network/_peft.py is written for {METHODS[method]}."
    )


@pytest.mark.parametrize(
    "attribute",
    ["r", "scaling", "lora_dropout", "lora_A", "lora_B", "lora_bias", "lora_variant", "merged"]
    + ["adapter_layer_names", "fan_in_fan_out", "out_features", "get_base_layer"]
    + ["get_delta_weight", "_cache_store", "_cache_pop"],
)
def test_private_attributes_of_peft(attribute):
    assert hasattr(layers(lora())["0"], attribute), (
        f"PEFT {peft.__version__} moved LoraLayer.{attribute}, which RowScale and add_alpha in "
        "sklearn_alpha/neural_network/_peft.py use."
    )


# ------------------------------------------------------------ hostile numbers

scales = st.sampled_from([0.0, 1e-30, -1e-9, 1e-3, 0.4, -0.6, 1.0, -3.0, 1e4, -1e12, 1e25])


@settings(deadline=None, max_examples=40, derandomize=True)
@given(
    alpha=st.lists(scales, min_size=5, max_size=5).map(torch.tensor),
    rank=st.integers(1, 4),
    base=st.sampled_from([nn.Linear(3, 5), nn.Linear(3, 5, bias=False), Conv1D(5, 3)]),
    scale_bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_alpha(alpha, rank, base, scale_bias, seed):
    """Forward and merged agree up to rounding of the terms of the sum, and unmerging undoes."""
    base = nn.Sequential(copy.deepcopy(base))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for parameter in base.parameters():
            nn.init.normal_(parameter)
        fan = isinstance(base[0], Conv1D)
        model = make(base, "0", r=rank, init_lora_weights=False, fan_in_fan_out=fan)
        x = torch.randn(4, 3)
    before = weights(model)
    add_alpha(model, {"0": alpha}, scale_bias=scale_bias)
    W, b, delta = (term.abs() for term in parts(layers(model)["0"]))
    size = (alpha.abs() + 1) * (x.abs() @ W.T.float() + b) + x.abs() @ delta.T.float()
    y = logits(model, x)
    model.merge_adapter()
    assert ((logits(model, x) - y).abs() / size).max() < 1e-6
    model.unmerge_adapter()
    assert_close({name: weights(model)[name] for name in before}, before, rtol=1e-5, atol=1e-5)
