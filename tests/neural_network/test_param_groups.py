"""An optimizer of one's own decays A, B and the head, and leaves α at 1."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.testing import assert_close

from sklearn_alpha.neural_network import add_alpha, alpha_param_groups, get_alpha
from tests.neural_network.conftest import make_module


def model(scale_bias=False):
    config = LoraConfig(target_modules=["0", "2"], modules_to_save=["4"], r=2)
    return add_alpha(get_peft_model(make_module(), config), scale_bias=scale_bias)


@pytest.mark.parametrize("scale_bias", [False, True])
def test_every_trained_parameter_is_in_one_group(scale_bias):
    peft_model = model(scale_bias)
    groups = alpha_param_groups(peft_model, 0.1)
    grouped = [id(p) for group in groups for p in group["params"]]
    trained = [id(p) for p in peft_model.parameters() if p.requires_grad]
    assert sorted(grouped) == sorted(trained)
    assert [p.numel() for p in groups[1]["params"]] == [8, 8]


@pytest.mark.parametrize("scale_bias", [False, True])
def test_decay_without_gradients(scale_bias):
    """With g = 0 the step of AdamW is θ (1 − ηλ)."""
    peft_model = model(scale_bias)
    before = {n: p.detach().clone() for n, p in peft_model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(alpha_param_groups(peft_model, 0.5), lr=0.1)
    (peft_model(torch.ones(3, 4)) * 0).sum().backward()
    optimizer.step()
    for name, p in peft_model.named_parameters():
        if name in before:
            factor = 1.0 if "lora_row" in name else 1 - 0.1 * 0.5
            assert_close(p.detach(), before[name] * factor)
    assert all((alpha == 1).all() for alpha in get_alpha(peft_model).values())


def test_a_model_without_alpha_is_refused():
    plain = get_peft_model(make_module(), LoraConfig(target_modules=["0"]))
    frozen = model().requires_grad_(False)
    for peft_model in (plain, frozen):
        with pytest.raises(ValueError, match="no α to train; call add_alpha first"):
            alpha_param_groups(peft_model, 0.1)
