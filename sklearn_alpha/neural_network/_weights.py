"""The frozen weights of PEFT's layers, and where the outputs of a layer are in its weight."""

from peft.tuners.lora.layer import Conv2d as LoraConv2d
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.integrations import dequantize_module_weight, get_bnb_param_type
from torch import nn


def frozen_weights(peft_model):
    """Copies of the weights W₀ below the adapters of a PEFT model, by name in the merged model.

    Layers with a merged adapter and those without one weight are left out, as are layers quantised
    otherwise than by bitsandbytes.
    """
    found = {}
    for name, layer in peft_model.get_base_model().named_modules():
        if isinstance(layer, BaseTunerLayer) and not layer.merged:
            W = weight_of(layer.get_base_layer())
            if W is not None and W.is_floating_point():
                own = name.replace(".base_layer", "")  # an attention's projection is in one
                found[f"{own}.weight"] = W.detach().float().cpu().clone()
    return found


def is_quantised(layer):
    """Whether bitsandbytes holds the weight of a layer in 4 or 8 bit."""
    return isinstance(layer, nn.Linear) and bool(get_bnb_param_type(layer.weight))


def weight_of(layer):
    """The weight of a layer, dequantised if bitsandbytes holds it. None if it has none."""
    if is_quantised(layer):
        return dequantize_module_weight(layer)
    return getattr(layer, "weight", None)


def rows_of(module, weight):
    """A view of a weight with one row for each output."""
    return weight.T if stores_transpose(module) else weight


def stores_transpose(module):
    """Whether a column of the weight is an output, as in GPT-2's layers."""
    return getattr(module, "fan_in_fan_out", False)  # convolutions do not have it


def needs_copy(alpha):
    """Rows to copy before merging: dividing by α multiplies their rounding error by 1/α."""
    return alpha.abs() < 0.5


def column(module, alpha):
    """α with a dimension for each of the weight, to be multiplied with it."""
    ones = [1] * (module.get_base_layer().weight.ndim - 1)
    return alpha if stores_transpose(module) else alpha.view(-1, *ones)


def on_outputs(module, values):
    """One value for each output, to be multiplied with outputs; a channel is an image."""
    return values[:, None, None] if isinstance(module, LoraConv2d) else values


def is_plain(convolution):
    """Whether PEFT's LoRA of a convolution is a change of its weight."""
    plain = convolution.groups == 1 and set(convolution.dilation) == {1}
    return plain and convolution.padding_mode == "zeros"
