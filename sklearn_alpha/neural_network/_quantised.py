"""Transformers models whose weights bitsandbytes holds in 4 or 8 bit.

    y = α ⊙ (Q x) + b + s·B A x

Q is the quantised W and stays as it is. α, A, B, the head and all that is not quantised are
float32. In 8 bit, x is rounded to int8 as well [1]_. Merged weights α ⊙ Q + s·B A are float32.

[1] Dettmers, Lewis, Belkada, Zettlemoyer, "LLM.int8(): 8-bit Matrix Multiplication for Transformers
at Scale", arXiv 2208.07339.
"""

import logging
from importlib.util import find_spec

import torch
from peft.tuners.lora.layer import Linear as LoraLinear
from peft.tuners.lora.layer import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from transformers import AutoModelForSequenceClassification

from sklearn_alpha.neural_network._base_model import Base, lies_within, linear_layers
from sklearn_alpha.neural_network._weights import is_quantised, weight_of


def check_quantisation(config):
    """Whether a model is quantised, by its transformers config.

    Raises
    ------
    ValueError
        If not by bitsandbytes in 4 or 8 bit.
    ImportError
        If bitsandbytes is not installed.
    """
    settings = getattr(config, "quantization_config", None)
    if settings is None:
        return False
    settings = settings if isinstance(settings, dict) else settings.to_dict()
    method = settings.get("quant_method", "bitsandbytes")
    if method != "bitsandbytes":
        raise ValueError(
            f"model is quantised by {getattr(method, 'value', method)}; pass one that is not, or "
            "one that bitsandbytes quantised in 4 or 8 bit."
        )
    if settings.get("llm_int8_has_fp16_weight"):
        raise ValueError("model has llm_int8_has_fp16_weight; load it without this option.")
    if find_spec("bitsandbytes") is None:
        raise ImportError("model is quantised by bitsandbytes: pip install bitsandbytes.")
    return True


def quantised_layers(network):
    """Linear layers of bitsandbytes by name."""
    return {
        name: layer
        for name, layer in linear_layers(network).items()
        if type(layer).__module__.startswith("bitsandbytes")
    }


def restore_classes(network):
    """Undo what pickle does to weights of bitsandbytes: their class would be `Parameter`."""
    if check_quantisation(getattr(network, "config", None)):
        from bitsandbytes.nn import Int8Params, Linear4bit, Linear8bitLt, Params4bit

        for layer in network.modules():
            if isinstance(layer, Linear4bit | Linear8bitLt):
                kind = Params4bit if isinstance(layer, Linear4bit) else Int8Params
                if {"quant_state", "SCB"} & vars(layer.weight).keys():
                    layer.weight.__class__ = kind


def in_float32(base):
    """The base, its own network changed in place: what is trained or not quantised is float32."""
    network = base.network
    if not check_quantisation(network.config):
        network.float()
        return base
    for name, layer in quantised_layers(network).items():
        # transformers leaves a layer that it draws at random without its quantised weight
        if lies_within(name, (*base.head, *base.new)) or not is_quantised(layer):
            network.set_submodule(name, dequantised_layer(layer))
        else:
            _settle(name, layer)
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.is_floating_point() and type(tensor) in (nn.Parameter, torch.Tensor):
            tensor.data = tensor.data.float()
    # A folder with this network says which of its layers are not quantised.
    quantised = quantised_layers(network)
    settings = network.config.quantization_config
    skipped = dict.fromkeys([*(settings.llm_int8_skip_modules or []), *linear_layers(network)])
    settings.llm_int8_skip_modules = [name for name in skipped if name not in quantised]
    logging.getLogger("bitsandbytes.autograd._functions").addFilter(_is_worth_logging)
    return base


def _settle(name, layer):
    """Do, or prevent, what bitsandbytes would change in a layer when it first computes."""
    if not hasattr(layer, "compute_dtype"):  # 8 bit
        return
    if getattr(layer.weight.quant_state, "packing_format_for_cpu", False):
        raise ValueError(
            f"bitsandbytes has rewritten the weights of {name} for predictions on this CPU, and "
            "they cannot be trained on; load the model again, and pass it before it predicts."
        )
    layer.support_avx512bf16_for_cpu = False  # that rewriting rounds, in place
    layer.weight.module = layer  # a copy has that of the original
    if layer.bias is not None and layer.compute_dtype is not None:
        layer.bias.data = layer.bias.data.to(layer.compute_dtype)


def _is_worth_logging(record):
    """False for a message that each 8-bit layer would log in each step."""
    return "inputs will be cast from" not in record.msg


def dequantised_layer(layer):
    """A linear layer with the weights of a quantised one, in float32."""
    with torch.device("meta"):
        linear = nn.Linear(layer.in_features, layer.out_features, layer.bias is not None)
    linear.weight = nn.Parameter(weight_of(layer).float())
    if layer.bias is not None:
        linear.bias = nn.Parameter(layer.bias.detach().float())
    return linear.train(layer.training)


def dequantised(network):
    """A model, or PEFT's around it, changed in place to weights Q in float32."""
    model = network.get_base_model() if hasattr(network, "get_base_model") else network
    if not check_quantisation(getattr(model, "config", None)):
        return network
    for name, layer in quantised_layers(network).items():
        around = network.get_submodule(name.rpartition(".")[0])
        network.set_submodule(name, dequantised_layer(layer))
        if isinstance(around, LoraLayer):
            # PEFT has a class for each kind of layer below; their parameters are the same.
            around.__class__, around.is_target_conv_1d_layer = LoraLinear, False
        elif isinstance(around, BaseTunerLayer):
            raise ValueError(
                f"model has an adapter of type {type(around).__name__} on quantised layers, and "
                "only LoRA can be merged there; merge it into the model that is not quantised."
            )
    model.hf_quantizer.remove_quantization_config(model)
    for flag in ("is_loaded_in_4bit", "is_loaded_in_8bit"):
        vars(model).pop(flag, None)
    return network.float()


def with_new_last_layer(network, name, n_outputs):
    """A quantised network with a new last linear layer, changed in place."""
    last = network.get_submodule(name)
    new = nn.Linear(last.in_features, n_outputs, last.bias is not None)
    network._init_weights(new)
    network.set_submodule(name, new.to(last.weight.device))
    network.config.num_labels = network.num_labels = n_outputs
    return network


def leave_out_new_head(config):
    """Let transformers draw the head that a quantised checkpoint lacks, not read it."""
    if not (config.architectures or [""])[0].endswith("ForSequenceClassification"):
        with torch.device("meta"):
            head = Base(AutoModelForSequenceClassification.from_config(config)).head
        known = config.quantization_config.get("llm_int8_skip_modules") or []
        config.quantization_config["llm_int8_skip_modules"] = [*known, *head]
