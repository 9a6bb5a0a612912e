"""Export of α-LoRA as a DoRA adapter, which PEFT loads alone: the same weights, reparametrised."""

import copy

from peft import get_peft_model_state_dict
from safetensors.torch import save_file

from sklearn_alpha.neural_network._folders import whole_folder
from sklearn_alpha.neural_network._peft import ROWS, ROWS_AND_BIAS, alpha_layers
from sklearn_alpha.neural_network._weights import stores_transpose, weight_of


def export_dora(peft_model, folder, *, adapter_name="default"):
    r"""Write an adapter folder that PEFT loads without this package.

    ::

        α ⊙ W + s·B A = diag(m / ‖W + s·B'A‖) (W + s·B'A),
        B' = diag(1/α) B,   m = α ‖W + s·B'A‖          (norms of rows)

    The right-hand side is a DoRA adapter [1]_ with the same A and the same s. It is exact.

    Parameters
    ----------
    peft_model : PeftModel
        After `add_alpha`; it is not changed.
    folder : path-like
        A new folder, or one with an adapter, which is then replaced. It holds the adapter and all
        other trained parameters.
    adapter_name : str, default="default"

    Raises
    ------
    ValueError
        If there is no α, if the adapter is merged, or if one α or one row of W + s·B'A is 0: then
        B' or m does not exist. Keep such a net with `peft_model.save_pretrained`, or merge it.
    FileExistsError
        If the folder holds something else.

    References
    ----------
    .. [1] Liu et al., "DoRA: Weight-Decomposed Low-Rank Adaptation", arXiv 2402.09353.

    Examples
    --------
    >>> import tempfile, torch
    >>> from peft import LoraConfig, PeftModel, get_peft_model
    >>> from sklearn_alpha.neural_network import add_alpha, export_dora
    >>> base = torch.nn.Sequential(torch.nn.Linear(3, 2))
    >>> model = get_peft_model(base, LoraConfig(target_modules=["0"], r=1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_dora(add_alpha(model, 0.5), folder)
    ...     loaded = PeftModel.from_pretrained(model.unload(), folder)
    >>> type(loaded.base_model.model[0].lora_variant["default"]).__name__
    'DoraLinearVariant'
    """
    layers = alpha_layers(peft_model, adapter_name)
    if not layers:
        raise ValueError("the model has no α; call add_alpha first.")
    config = copy.deepcopy(peft_model.peft_config[adapter_name])
    config.use_dora = config.inference_mode = True
    state = get_peft_model_state_dict(peft_model, adapter_name=adapter_name)
    for name, layer in layers.items():
        if layer.merged:
            raise ValueError(f"{name} is merged; call peft_model.unmerge_adapter() first.")
        variant = layer.lora_variant[adapter_name]
        alpha = variant.alpha(layer, adapter_name).detach()
        if not alpha.all():
            raise ValueError(
                f"α is 0 in a row of {name}, which DoRA cannot express; set it to a small number, "
                "or keep the net with save_pretrained or merged."
            )
        prefix = f"base_model.model.{name}."
        del state[f"{prefix}{ROWS_AND_BIAS if variant.scale_bias else ROWS}"]
        base = layer.get_base_layer()
        W = weight_of(base).detach().float()
        W = W.T if stores_transpose(layer) else W
        ones = [1] * (W.ndim - 2)  # of a convolution, whose weight has a height and width too
        B = state[f"{prefix}lora_B.weight"].float() / alpha.view(-1, 1, *ones)
        A = state[f"{prefix}lora_A.weight"].float()
        delta = layer.scaling[adapter_name] * B.flatten(1) @ A.flatten(1)
        norms = (W.flatten(1) + delta).norm(dim=1)
        if not norms.all():
            raise ValueError(f"a row of {name} is 0, which DoRA cannot express; merge the net.")
        state[f"{prefix}lora_B.weight"] = B
        m = alpha * norms
        state[f"{prefix}lora_magnitude_vector"] = m.view(1, -1, *ones) if ones else m
        if variant.scale_bias and base.bias is not None:
            if config.bias == "none":
                config.bias = "lora_only"
            state[f"{prefix}base_layer.bias"] = alpha * base.bias.detach()
    for name, p in peft_model.named_parameters():
        if p.requires_grad and not any(part in name for part in ("lora_", "modules_to_save")):
            state.setdefault(name, p.detach())  # a head that is not wrapped
    state = {name: value.contiguous().cpu() for name, value in state.items()}
    with whole_folder(folder, "adapter_config.json") as draft:
        save_file(state, draft / "adapter_model.safetensors")
        config.save_pretrained(draft)
