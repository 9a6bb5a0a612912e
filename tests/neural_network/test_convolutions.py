"""α on output channels: y = α ⊙ (W ∗ x) + b + s·B ∗ A ∗ x, compared with convolutions in float64.

Where α is 1 the comparison is with PEFT itself, bit for bit.
"""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from peft import LoraConfig, PeftModel, get_peft_model
from scipy.ndimage import rotate
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import conv2d
from torch.testing import assert_close

from sklearn_alpha import AlphaLoRANetClassifier
from sklearn_alpha.neural_network import add_alpha, export_dora, get_alpha, load_alpha
from sklearn_alpha.neural_network._peft import alpha_layers, alpha_parameters

LAYERS = {
    "plain": (3, 5, 3),
    "stride and padding": (3, 5, 3, 2, 1),
    "same": (3, 5, (3, 5), 1, "same"),
    "one pixel": (3, 5, 1),
}
OF_BOTH = pytest.mark.parametrize("scale_bias", [False, True])
EACH = pytest.mark.parametrize("kind", LAYERS)


def lora(kind="plain", bias=True, dtype=torch.float32, **options):
    """PEFT's model of a convolution and a linear layer; B is random, not 0."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        convolution = nn.Conv2d(*LAYERS[kind], bias=bias)
        base = nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        base.append(nn.Linear(20, 2))
        options = {"r": 2, "lora_alpha": 3, "init_lora_weights": False, **options}
        return get_peft_model(
            base.to(dtype), LoraConfig(target_modules=["0", "4"], **options)
        ).eval()


def images(dtype=torch.float32):
    return torch.randn(4, 3, 7, 9, generator=torch.Generator().manual_seed(1)).to(dtype)


ALPHA = {"0": torch.tensor([-0.7, 0.0, 0.3, 1.0, 2.0]), "4": torch.tensor([0.5, -1.5])}


def convolved(layer, x, alpha, scale_bias):
    """The formula in float64."""
    base = layer.get_base_layer()
    A, B = (getattr(layer, name)["default"].weight.double() for name in ("lora_A", "lora_B"))
    W, x = base.weight.double(), x.double()
    b = torch.zeros(len(W)).double() if base.bias is None else base.bias.double()
    alpha = alpha.double()[:, None, None]
    where = {"stride": base.stride, "padding": base.padding}
    delta = layer.scaling["default"] * conv2d(conv2d(x, A, **where), B)
    b = b[:, None, None]
    return alpha * conv2d(x, W, **where) + (alpha * b if scale_bias else b) + delta


@EACH
@OF_BOTH
@pytest.mark.parametrize("bias", [True, False])
def test_forward_is_the_formula(kind, scale_bias, bias):
    model, x = add_alpha(lora(kind, bias), ALPHA, scale_bias=scale_bias), images()
    layer = alpha_layers(model)["0"]
    assert_close(layer(x).double(), convolved(layer, x, ALPHA["0"], scale_bias), rtol=0, atol=1e-5)


@EACH
@OF_BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_alpha_of_one_is_lora_bit_for_bit(kind, scale_bias, dtype):
    """Outputs, gradients, and parameters after a step, dropout included."""
    found = []
    for with_alpha in (False, True):
        model = lora(kind, dtype=dtype, lora_dropout=0.3).train()
        trained = [p for p in model.parameters() if p.requires_grad]
        if with_alpha:
            add_alpha(model, scale_bias=scale_bias)
        optimizer = torch.optim.AdamW(trained, lr=0.1)
        with torch.random.fork_rng():
            torch.manual_seed(3)
            y = model(images(dtype))
        y.float().square().sum().backward()
        gradients = [p.grad.clone() for p in trained]
        optimizer.step()
        found.append([y, *gradients, *trained])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@EACH
@OF_BOTH
def test_gradient_of_alpha(kind, scale_bias):
    """∂L/∂α_c = Σ (∂L/∂y_c) (W ∗ x)_c over rows and pixels."""
    model, x = add_alpha(lora(kind, dtype=torch.float64), ALPHA, scale_bias=scale_bias), images()
    layer, x = alpha_layers(model)["0"], x.double()
    y = layer(x)
    y.retain_grad()
    y.square().sum().backward()
    base = layer.get_base_layer()
    moved = base(x) if scale_bias else base(x) - base.bias[:, None, None]
    expected = (y.grad * moved).sum(dim=(0, 2, 3))
    assert_close(alpha_parameters(model)["0"].grad, expected.float(), rtol=1e-5, atol=1e-5)


@EACH
@OF_BOTH
@pytest.mark.parametrize("safe", [False, True])
def test_merge_and_unmerge(kind, scale_bias, safe):
    model, x = add_alpha(lora(kind), ALPHA, scale_bias=scale_bias), images()
    before, y = copy.deepcopy(model.state_dict()), model(x)
    model.merge_adapter(safe_merge=safe)
    assert_close(model(x), y, rtol=1e-4, atol=1e-5)
    model.unmerge_adapter()
    assert_close(model.state_dict(), before, rtol=1e-5, atol=1e-5)
    plain = model.merge_and_unload()
    assert type(plain[0]) is nn.Conv2d
    assert_close(plain(x), y, rtol=1e-4, atol=1e-5)


def test_saved_loaded_and_switched_off(tmp_path):
    model, x = add_alpha(lora(), ALPHA), images()
    model.save_pretrained(tmp_path)
    loaded = load_alpha(lora().unload(), tmp_path).eval()
    assert torch.equal(loaded(x), model(x))
    assert all(torch.equal(value, ALPHA[name]) for name, value in get_alpha(loaded).items())
    with model.disable_adapter():
        assert torch.equal(model(x), lora().unload()(x))


PEFT_ALONE = """
import sys, torch
from pathlib import Path
from peft import PeftModel
for folder in Path(sys.argv[1]).iterdir():
    base, x = torch.load(folder / "base.pt", weights_only=False)
    model = PeftModel.from_pretrained(base, folder / "dora").eval()
    kinds = [type(m.lora_variant["default"]).__name__ for m in model.modules() if hasattr(m, "r")]
    assert kinds == ["DoraConv2dVariant", "DoraLinearVariant"], kinds
    y = model(x).detach()
    torch.save((y, model.merge_and_unload()(x).detach()), folder / "y.pt")
assert not any(name.startswith("sklearn_alpha") for name in sys.modules)
"""


def test_peft_alone_gives_the_same_by_the_dora_export(tmp_path):
    alpha = {**ALPHA, "0": torch.tensor([-0.7, 0.1, 0.3, 1.0, 2.0])}
    expected = {}
    for kind in LAYERS:
        for scale_bias in (False, True):
            model = add_alpha(lora(kind), alpha, scale_bias=scale_bias)
            folder = tmp_path / f"{kind}, {scale_bias}"
            export_dora(model, folder / "dora")
            torch.save((lora(kind).unload(), images()), folder / "base.pt")
            expected[folder] = model(images()).detach()
    command = [sys.executable, "-c", PEFT_ALONE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    for folder, y in expected.items():
        for found in torch.load(folder / "y.pt"):
            assert_close(found, y, rtol=1e-5, atol=1e-5)


REFUSED = {
    "groups": {"groups": 2},
    "dilation": {"dilation": 2},
    "padding": {"padding": 1, "padding_mode": "circular"},
}


@pytest.mark.filterwarnings("ignore:LoRA adapter added to ConvNd layer with groups")
@pytest.mark.parametrize("case", REFUSED)
def test_what_lora_is_not_exact_on(case):
    base = nn.Sequential(nn.Conv2d(4, 4, 3, **REFUSED[case]))
    model = get_peft_model(base, LoraConfig(target_modules=["0"], r=2))
    with pytest.raises(ValueError, match="0 is a convolution with groups, dilation or a padding"):
        add_alpha(model)
    assert get_alpha(model) == {}


# ---------------------------------------------------------------- the estimator


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(64, 10),
        )


@pytest.fixture(scope="module")
def digits():
    """Images of upright and of rotated digits, and a network that was trained on the former."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).reshape(-1, 1, 8, 8).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = X[order], y[order]
    source = network()
    optimizer = torch.optim.Adam(source.parameters(), lr=0.01)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(8):
            for rows in torch.randperm(900).split(64):
                optimizer.zero_grad()
                logits = source(torch.from_numpy(X[rows]))
                nn.functional.cross_entropy(logits, torch.from_numpy(y[rows])).backward()
                optimizer.step()
    turned = rotate(X[900:], 40, axes=(2, 3), reshape=False, order=1).astype(np.float32)
    return source.eval(), turned, y[900:]


OPTIONS = {"rank": 2, "lr": 0.01, "max_epochs": 8, "random_state": 0}


@pytest.fixture(scope="module")
def net(digits):
    source, X, y = digits
    return AlphaLoRANetClassifier(source, **OPTIONS).fit(X[:200], y[:200])


def test_a_convolutional_network_learns(digits, net):
    source, X, y = digits
    with torch.no_grad():
        before = source(torch.from_numpy(X[200:])).argmax(dim=1).numpy()
    assert list(net.alpha_) == ["0", "4"]
    assert [alpha.shape for alpha in net.alpha_.values()] == [(8,), (16,)]
    assert any((alpha != alpha[0]).any() for alpha in net.alpha_.values())
    assert net.score(X[200:], y[200:]) > np.mean(before == y[200:]) + 0.1
    assert_array_equal(net.module_.network.base_model.model[1].running_mean, source[1].running_mean)


def test_the_merged_network_and_files_give_its_logits(digits, net, tmp_path):
    source, X, _ = digits
    merged = net.merged_model()
    assert type(merged[0]) is nn.Conv2d
    with torch.no_grad():
        logits = merged(torch.from_numpy(X)).numpy()
    assert_allclose(net.decision_function(X), logits, rtol=1e-4, atol=1e-4)
    net.save(tmp_path)
    loaded = AlphaLoRANetClassifier.load(tmp_path, model=source)
    for again in (pickle.loads(pickle.dumps(net)), loaded):
        assert_array_equal(again.decision_function(X), net.decision_function(X))


def test_peft_alone_reads_the_export_of_a_net(digits, net, tmp_path):
    source, X, _ = digits
    net.export_dora(tmp_path / "dora")
    loaded = PeftModel.from_pretrained(copy.deepcopy(source), tmp_path / "dora").eval()
    with torch.no_grad():
        logits = loaded(torch.from_numpy(X)).numpy()
    assert_allclose(net.decision_function(X), logits, rtol=1e-4, atol=1e-4)


def test_onnx(digits, net, tmp_path):
    import onnxruntime

    _, X, _ = digits
    net.export_onnx(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    for n in (1, 5):
        (logits,) = session.run(["logits"], {"X": X[:n]})
        assert_allclose(logits, net.decision_function(X[:n]), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("target_modules", "expected"),
    [(["4"], ["4"]), ("0|4", ["0", "4"]), (["0", "8"], ["0", "8"]), ("all-linear", ["8"])],
)
def test_convolutions_are_named_like_linear_layers(digits, target_modules, expected):
    source, X, y = digits
    options = {**OPTIONS, "max_epochs": 1, "alpha": 1.0, "target_modules": target_modules}
    net = AlphaLoRANetClassifier(source, **options).fit(X[:200], y[:200])
    assert list(net.alpha_) == expected


def test_layers_that_are_not_there_are_answered_with_those_that_are(digits):
    source, X, y = digits
    with pytest.raises(ValueError, match=r"names no layer of the model; its layers are 0, 4\."):
        AlphaLoRANetClassifier(source, target_modules=["conv"]).fit(X[:200], y[:200])


def test_linear_layers_come_before_convolutions(digits):
    """As in versions without α on convolutions."""
    _, X, y = digits
    both = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 8), nn.ReLU(), nn.Linear(8, 10)
    )
    net = AlphaLoRANetClassifier(both, **{**OPTIONS, "max_epochs": 0}).fit(X, y)
    assert list(net.alpha_) == ["2"]
