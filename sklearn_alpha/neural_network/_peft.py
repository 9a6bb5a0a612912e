"""α on PEFT's LoRA layers: attach, read, merge. No other module uses private parts of PEFT.

A frozen linear layer (W, b) with a LoRA adapter computes

    y = α ⊙ (W x) + b + s·B A x

with one α for each row of W. In a convolution, W x is the convolution and each output channel has
an α. The layer stays PEFT's. PEFT lets a `LoraVariant` compute what a layer does with its adapter;
this module defines one, and α is a parameter of the layer like A and B. So PEFT saves, moves,
activates and merges α.
"""

import torch
from peft import PeftModel, load_peft_weights
from peft.tuners.lora.layer import Conv2d as LoraConv2d
from peft.tuners.lora.layer import Linear as LoraLinear
from peft.tuners.lora.layer import LoraLayer, LoraVariant
from torch import nn

from sklearn_alpha.neural_network._weights import (
    column,
    is_plain,
    is_quantised,
    needs_copy,
    on_outputs,
    rows_of,
)

# PEFT saves parameters whose names begin with `lora_`. A file holds one of these two names, which
# says whether the frozen bias is scaled.
ROWS, ROWS_AND_BIAS = "lora_row_scale", "lora_row_bias_scale"


class RowScale(LoraVariant):
    """y = α ⊙ (W x) + b + s·B A x, or α ⊙ (W x + b) + s·B A x with `scale_bias`."""

    def __init__(self, scale_bias):
        self.scale_bias = scale_bias

    def supports_lora_conversion(self):
        """False: a LoRA of the same rank cannot represent α ⊙ W."""
        return False

    def alpha(self, module, adapter):
        """α of an adapter on a layer."""
        return getattr(module, ROWS_AND_BIAS if self.scale_bias else ROWS)[adapter]

    def forward(self, module, active_adapter, x, result, **kwargs):
        """From W x + b in `result` to y. At α = 1 bit for bit PEFT's LoRA."""
        alpha = on_outputs(module, self.alpha(module, active_adapter))
        delta = module.lora_dropout[active_adapter](x)
        delta = module.lora_B[active_adapter](module.lora_A[active_adapter](delta))
        if module.scaling[active_adapter] != 1:
            delta = delta * module.scaling[active_adapter]
        bias = module.get_base_layer().bias
        if bias is None or self.scale_bias:
            scaled = alpha * result
        else:
            rest = 1 - alpha.to(torch.promote_types(alpha.dtype, bias.dtype))
            scaled = torch.addcmul(rest * on_outputs(module, bias), alpha, result)
        return scaled.add_(delta)

    def merge_safe(self, module, active_adapter, orig_weight):
        """α ⊙ W + s·B A, computed in float32."""
        alpha = self.alpha(module, active_adapter).detach()
        small = needs_copy(alpha)
        module._cache_store(f"{active_adapter}-small", rows_of(module, orig_weight)[small].clone())
        merged = column(module, alpha) * orig_weight + module.get_delta_weight(active_adapter)
        if self.scale_bias and (bias := module.get_base_layer().bias) is not None:
            module._cache_store(f"{active_adapter}-bias", bias.data.clone())
            # PEFT refuses a weight that is not finite; then the bias must not change either.
            if merged.isfinite().all():
                bias.data = (bias.data * alpha).to(bias.dtype)
        return merged.to(orig_weight.dtype)

    def merge_unsafe(self, module, active_adapter, orig_weight):
        """The same in place."""
        orig_weight.data = self.merge_safe(module, active_adapter, orig_weight.data)

    def unmerge(self, module, active_adapter, orig_weight):
        """(W − s·B A) / α."""
        alpha = self.alpha(module, active_adapter).detach()
        small = needs_copy(alpha)
        weight = orig_weight.data - module.get_delta_weight(active_adapter)
        weight = (weight / column(module, alpha.masked_fill(small, 1))).to(orig_weight.dtype)
        rows_of(module, weight)[small] = module._cache_pop(f"{active_adapter}-small")
        if self.scale_bias and (bias := module.get_base_layer().bias) is not None:
            bias.data = module._cache_pop(f"{active_adapter}-bias")
        return weight


def add_alpha(peft_model, alpha=1.0, *, scale_bias=False, adapter_name="default"):
    r"""Put an α on every row, or output channel, of the frozen layers that have a LoRA adapter.

    ::

        y = α ⊙ (W x) + b + s·B A x,        α in R^d_out, float32

    for each LoRA layer of the adapter, in place. α = 1 is LoRA, bit for bit; α trains with the
    other parameters, and is saved, merged and switched off by PEFT with the adapter.

    Parameters
    ----------
    peft_model : PeftModel
        From ``peft.get_peft_model(model, LoraConfig(...))``, with any linear layers and
        ``torch.nn.Conv2d`` as `target_modules`.
    alpha : float or dict, default=1.0
        Where α starts: a number, or for each layer name (see `get_alpha`) an array of shape
        (d_out,).
    scale_bias : bool, default=False
        Whether to compute α ⊙ (W x + b) + s·B A x instead, as the paper's published code does.
    adapter_name : str, default="default"
        Name of the adapter.

    Returns
    -------
    peft_model : PeftModel
        The model that was passed.

    Raises
    ------
    ValueError
        If no LoRA layer has that adapter, if a layer already has a variant (for instance DoRA), has
        a `lora_bias`, is merged, or is a convolution with groups, dilation or a padding other than
        zeros, or if `alpha` does not fit.
    TypeError
        If a LoRA layer is neither linear nor a Conv2d. Leave embeddings out of `target_modules`.

    Notes
    -----
    PEFT's ``add_weighted_adapter`` adds A and B of several adapters, with weights w, and leaves out
    their α. With ``combination_type="cat"`` the sum is exact after ``add_alpha`` on the new adapter
    with α = 1 + Σ w (α_k − 1) in each layer.

    References
    ----------
    .. [1] El Firdoussi, Chayti, Seddik, Jaggi, "α-LoRA: Effective Fine-Tuning via Base Model
       Rescaling", arXiv 2510.21345.

    Examples
    --------
    >>> import torch
    >>> from peft import LoraConfig, get_peft_model
    >>> from sklearn_alpha.neural_network import add_alpha, get_alpha
    >>> model = get_peft_model(
    ...     torch.nn.Sequential(torch.nn.Linear(3, 2)), LoraConfig(target_modules=["0"], r=1)
    ... )
    >>> get_alpha(add_alpha(model, 0.5))
    {'0': tensor([0.5000, 0.5000])}
    """
    layers = _lora_layers(peft_model, adapter_name)
    if not layers:
        raise ValueError(
            f"the model has no LoRA adapter {adapter_name!r}; make one with "
            "peft.get_peft_model(model, LoraConfig(target_modules=...))."
        )
    values = alpha if isinstance(alpha, dict) else dict.fromkeys(layers, alpha)
    if values.keys() != layers.keys():
        odd = sorted(values.keys() ^ layers.keys())
        raise ValueError(f"alpha must name every LoRA layer and no other; these differ: {odd}.")
    start = {}
    for name, layer in layers.items():
        _check_layer(name, layer, adapter_name, scale_bias)
        value = torch.as_tensor(values[name], dtype=torch.float32)
        if value.shape not in ((), (layer.out_features,)) or not value.isfinite().all():
            raise ValueError(
                f"alpha of {name} must be a finite number or {layer.out_features} of them."
            )
        start[name] = value
    name_of_alpha = ROWS_AND_BIAS if scale_bias else ROWS
    for name, layer in layers.items():
        device = layer.lora_A[adapter_name].weight.device
        rows = start[name].to(device).expand(layer.out_features).clone()
        if not hasattr(layer, name_of_alpha):
            setattr(layer, name_of_alpha, nn.ParameterDict())
            layer.adapter_layer_names = (*layer.adapter_layer_names, name_of_alpha)
        getattr(layer, name_of_alpha)[adapter_name] = nn.Parameter(
            rows, requires_grad=layer.lora_A[adapter_name].weight.requires_grad
        )
        layer.lora_variant[adapter_name] = RowScale(scale_bias)
    return peft_model


def _check_layer(name, layer, adapter_name, scale_bias):
    """Raise an error if α has no meaning on a LoRA layer, or if it has another variant."""
    base = layer.get_base_layer()
    # Subclasses, of layers that are quantised by others than bitsandbytes, merge without α.
    if not (type(layer) in (LoraLinear, LoraConv2d) or is_quantised(base)):
        raise TypeError(
            f"{name} is a LoRA layer on {type(base).__name__}, and α scales the rows of linear "
            "layers and the channels of Conv2d only (of quantised layers, those of bitsandbytes); "
            "leave it out of target_modules."
        )
    if isinstance(layer, LoraConv2d) and not is_plain(base):
        raise ValueError(
            f"{name} is a convolution with groups, dilation or a padding other than zeros, to "
            "which PEFT's LoRA cannot be added exactly; leave it out of target_modules."
        )
    if adapter_name in layer.lora_variant:
        raise ValueError(
            f"{name} already has the variant {type(layer.lora_variant[adapter_name]).__name__}; α "
            "needs plain LoRA: make the adapter without use_dora or another variant."
        )
    others = [v for v in layer.lora_variant.values() if isinstance(v, RowScale)]
    if any(v.scale_bias != scale_bias for v in others):
        raise ValueError(
            f"{name} has another adapter with scale_bias={not scale_bias}; all adapters of a model "
            "must agree, or they could not be merged together."
        )
    if any(layer.lora_bias.values()):
        raise ValueError(
            f"{name} has an adapter with lora_bias, which is not part of α-LoRA; make the adapter "
            "without it."
        )
    if layer.merged:
        raise ValueError(f"{name} is merged; call peft_model.unmerge_adapter() first.")


def load_alpha(model, folder, *, adapter_name="default", is_trainable=False):
    """Load an adapter with its α, as `peft_model.save_pretrained` wrote it after `add_alpha`.

    ::

        y = α ⊙ (W x) + b + s·B A x            in each adapted layer [1]_

    ``PeftModel.from_pretrained`` alone drops every α without a warning.

    Parameters
    ----------
    model : torch.nn.Module or PeftModel
        The base model, or a PEFT model that gets one adapter more.
    folder : str or path-like
        Folder or hub id.
    adapter_name : str, default="default"
    is_trainable : bool, default=False
        Whether the adapter will be trained further.

    Returns
    -------
    peft_model : PeftModel

    Raises
    ------
    ValueError
        If the folder holds no α.

    References
    ----------
    .. [1] El Firdoussi, Chayti, Seddik, Jaggi, "α-LoRA: Effective Fine-Tuning via Base Model
       Rescaling", arXiv 2510.21345.

    Examples
    --------
    >>> import tempfile, torch
    >>> from peft import LoraConfig, get_peft_model
    >>> from sklearn_alpha.neural_network import add_alpha, get_alpha, load_alpha
    >>> model = get_peft_model(
    ...     torch.nn.Sequential(torch.nn.Linear(3, 2)), LoraConfig(target_modules=["0"], r=1)
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     add_alpha(model, 0.5).save_pretrained(folder)
    ...     get_alpha(load_alpha(model.unload(), folder))
    {'0': tensor([0.5000, 0.5000])}
    """
    saved = load_peft_weights(str(folder), device="cpu")
    prefix = "base_model.model."
    for kind in (ROWS, ROWS_AND_BIAS):
        values = {
            name.removeprefix(prefix).removesuffix(f".{kind}"): value
            for name, value in saved.items()
            if name.endswith(f".{kind}")
        }
        if values:
            options = {"adapter_name": adapter_name, "is_trainable": is_trainable}
            if isinstance(model, PeftModel):
                model.load_adapter(str(folder), **options)
            else:
                model = PeftModel.from_pretrained(model, str(folder), **options)
            return add_alpha(
                model, values, scale_bias=kind == ROWS_AND_BIAS, adapter_name=adapter_name
            )
    raise ValueError(f"{folder} holds no α; load it with peft.PeftModel.from_pretrained.")


def alpha_layers(model, adapter_name="default"):
    """Layers that have an α, by their names in the base model."""
    return {
        name: layer
        for name, layer in _lora_layers(model, adapter_name).items()
        if isinstance(layer.lora_variant.get(adapter_name), RowScale)
    }


def alpha_parameters(model, adapter_name="default"):
    """The α of each layer as a parameter, by the layer's name in the base model."""
    return {
        name: layer.lora_variant[adapter_name].alpha(layer, adapter_name)
        for name, layer in alpha_layers(model, adapter_name).items()
    }


def get_alpha(peft_model, *, adapter_name="default"):
    """α of every layer.

    ::

        y = α ⊙ (W x) + b + s·B A x            in each adapted layer [1]_

    Parameters
    ----------
    peft_model : PeftModel
        After `add_alpha`.
    adapter_name : str, default="default"

    Returns
    -------
    alpha : dict of str to torch.Tensor
        Detached copies in float32 of shape (d_out,), by the layer's name in the base model.

    References
    ----------
    .. [1] El Firdoussi, Chayti, Seddik, Jaggi, "α-LoRA: Effective Fine-Tuning via Base Model
       Rescaling", arXiv 2510.21345.

    Examples
    --------
    >>> import torch
    >>> from peft import LoraConfig, get_peft_model
    >>> from sklearn_alpha.neural_network import add_alpha, get_alpha
    >>> model = get_peft_model(
    ...     torch.nn.Sequential(torch.nn.Linear(3, 2)), LoraConfig(target_modules=["0"], r=1)
    ... )
    >>> get_alpha(add_alpha(model, {"0": [1.0, 2.0]}))
    {'0': tensor([1., 2.])}
    """
    return {
        name: parameter.detach().clone()
        for name, parameter in alpha_parameters(peft_model, adapter_name).items()
    }


def _lora_layers(model, adapter_name):
    """LoRA layers of an adapter, by their names in the base model."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return {
        name: module
        for name, module in base.named_modules()
        if isinstance(module, LoraLayer) and adapter_name in module.r
    }
