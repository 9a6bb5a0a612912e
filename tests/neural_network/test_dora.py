"""α-LoRA written as a DoRA adapter, which PEFT alone loads, in a process without this package."""

import copy
import json
import subprocess
import sys

import pytest
import torch
from peft import LoraConfig, PeftModel
from safetensors.torch import load_file
from torch.testing import assert_close

from sklearn_alpha.neural_network import add_alpha, export_dora, get_alpha
from tests.neural_network.test_peft import (
    CASES,
    adapted,
    assert_same,
    cases,
    dense,
    inputs,
    layers,
    logits,
    lora,
    parts,
    some_alpha,
    weights,
)

# PEFT 0.21 asks transformers 5 for an attribute that transformers is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

FILES = ["adapter_config.json", "adapter_model.safetensors"]
PEFT_ALONE = """
import sys, torch
from pathlib import Path
from peft import PeftModel

def logits(model, x):
    y = model(x)
    return getattr(y, "logits", y).detach()

found = {}
for folder in Path(sys.argv[1]).iterdir():
    base, x = torch.load(folder / "base.pt", weights_only=False)
    model = PeftModel.from_pretrained(base, folder / "dora").eval()
    kinds = {type(m.lora_variant["default"]).__name__ for m in model.modules() if hasattr(m, "r")}
    y = logits(model, x)
    found[folder.name] = kinds, y, logits(model.merge_and_unload(), x)
torch.save((found, [name for name in sys.modules if name.startswith("sklearn_alpha")]), sys.argv[2])
"""


def second():
    """An adapter with α among others, and not the active one."""
    model = lora()
    config = LoraConfig(target_modules=["0", "4"], r=3, lora_alpha=5, init_lora_weights=False)
    with torch.random.fork_rng():
        torch.manual_seed(4)
        model.add_adapter("other", config)
    return add_alpha(model, some_alpha(model), scale_bias=True, adapter_name="other").eval()


# Each name: the model, and the base that the export is loaded on.
MODELS = {
    case: (lambda case=case: adapted(case), lambda case=case: lora(case).unload()) for case in CASES
} | {
    "second": (second, lambda: lora().unload()),
    "bfloat16": (
        lambda: adapted("all-linear, bias", torch.bfloat16),
        lambda: lora("all-linear, bias", torch.bfloat16).unload(),
    ),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """For each model: logits before and after exporting, state before and after, and the folder."""
    home, found = tmp_path_factory.mktemp("exports"), {}
    for name, (model, base) in MODELS.items():
        model, base = model(), base()
        adapter = "other" if name == "second" else "default"
        model.set_adapter(adapter)
        x, state, config = inputs(model), weights(model), copy.deepcopy(model.peft_config)
        before, folder = logits(model, x), home / name / "dora"
        export_dora(model, folder, adapter_name=adapter)
        torch.save((base, x), home / name / "base.pt")
        found[name] = before, logits(model, x), state, model, config, folder
    return found


@pytest.fixture(scope="module")
def alone(exported, tmp_path_factory):
    """What PEFT alone makes of the folders: names of variants, logits, logits once merged."""
    home = next(iter(exported.values()))[-1].parents[1]
    answer = tmp_path_factory.mktemp("answer") / "answer.pt"
    command = [sys.executable, "-c", PEFT_ALONE, str(home), str(answer)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=home, check=False)
    assert done.returncode == 0, done.stderr
    found, modules = torch.load(answer)
    assert modules == []
    return found


@pytest.mark.parametrize("name", MODELS)
def test_peft_alone_gives_the_same_logits(exported, alone, name):
    before = exported[name][0]
    kinds, loaded, merged = alone[name]
    tolerance = 3e-2 if name == "bfloat16" else 1e-5
    assert kinds == {"DoraLinearVariant"}
    for y in (loaded, merged):
        assert_close(y, before, rtol=tolerance, atol=tolerance * float(before.abs().max()))


@pytest.mark.parametrize("name", MODELS)
def test_exporting_changes_nothing(exported, name):
    before, after, state, model, config, folder = exported[name]
    assert torch.equal(before, after)
    assert_same(model.state_dict(), state)
    assert model.peft_config == config
    assert sorted(file.name for file in folder.iterdir()) == FILES


@cases
def test_tensors_are_the_identity(exported, case):
    """diag(m/‖W + s·B'A‖)(W + s·B'A) = α ⊙ W + s·B A, with A and the rest as PEFT saves them."""
    *_, model, config, folder = exported[case]
    state = load_file(folder / FILES[1])
    assert json.loads((folder / FILES[0]).read_text())["use_dora"] is True
    assert config["default"].use_dora is False
    assert not [name for name in state if "scale" in name]
    for name, layer in layers(model).items():
        saved = {
            key.split(f".{name}.")[1]: value.double()
            for key, value in state.items()
            if f".{name}." in key
        }
        alpha = get_alpha(model)[name]
        W, _, _ = parts(layer)
        assert_close(saved["lora_A.weight"].float(), layer.lora_A["default"].weight.data)
        V = W + layer.scaling["default"] * saved["lora_B.weight"] @ saved["lora_A.weight"]
        m = saved["lora_magnitude_vector"]
        weight, bias = dense(layer, alpha, CASES[case][2])
        assert_close((m / V.norm(dim=1))[:, None] * V, weight, rtol=1e-5, atol=1e-5)
        if CASES[case][2] and layer.get_base_layer().bias is not None:
            assert_close(saved["base_layer.bias"], bias, rtol=1e-6, atol=1e-6)


@cases
def test_an_export_survives_being_saved_again(exported, case, tmp_path):
    """By PEFT, which keeps biases only where the configuration says so."""
    folder = exported[case][-1]
    PeftModel.from_pretrained(lora(case).unload(), folder).save_pretrained(tmp_path)
    assert_same(load_file(tmp_path / FILES[1]), load_file(folder / FILES[1]))


def test_an_export_can_be_trained_on(exported):
    """With PEFT alone: A, B and m move, W and b are frozen."""
    folder = exported["numbers"][-1]
    model = PeftModel.from_pretrained(lora().unload(), folder, is_trainable=True)
    model(inputs(model)).square().sum().backward()
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert len(trained) == 2 * 3
    assert all("lora_" in name and p.grad.any() for name, p in trained.items())


def zero_row():
    model = adapted()
    layer = layers(model)["4"]
    layer.base_layer.weight.data[1] = 0
    layer.lora_B["default"].weight.data[1] = 0
    return model


def merged():
    model = adapted()
    model.merge_adapter()
    return model


# Each name: the model, the options of export_dora, and the sentence that refuses.
REFUSALS = {
    "zero": (lambda: adapted(first=(0.5, 0.0)), {}, "α is 0 in a row of 0, which DoRA cannot"),
    "zero row": (zero_row, {}, "a row of 4 is 0, which DoRA cannot express; merge the net"),
    "merged": (merged, {}, r"0 is merged; call peft_model\.unmerge_adapter\(\) first"),
    "plain": (lora, {}, "the model has no α; call add_alpha first"),
    "unknown": (adapted, {"adapter_name": "other"}, "the model has no α; call add_alpha first"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_refusal_writes_nothing(refusal, tmp_path):
    model, options, words = REFUSALS[refusal]
    model = model()
    before = weights(model)
    with pytest.raises(ValueError, match=words) as raised:
        export_dora(model, tmp_path / "new", **options)
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []
    assert_same(model.state_dict(), before)
