"""The network that is trained: a frozen base with LoRA adapters, α and a free head."""

import re

import torch
from peft import LoraConfig, TaskType, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
from torch import nn

from sklearn_alpha.neural_network._base_model import lies_within, linear_layers, no_peft_warnings
from sklearn_alpha.neural_network._peft import add_alpha
from sklearn_alpha.neural_network._weights import is_plain


class Adapted(nn.Module):
    """A frozen network with adapters: inputs to logits. Its state is what is not frozen.

    Parameters
    ----------
    network : peft.PeftModel
    base : Base
        What the network was made of. New modules belong to the state, whether trained or not.

    Attributes
    ----------
    head : str or None
        Name of the last linear layer, whose outputs are the logits. None if it is adapted.
    head_is_new : bool
        Whether the head was drawn at random.
    knows_classes : bool
        Whether the head is that of a classifier of these classes.
    n_trained : int
        Number of trained parameters, α included.
    """

    def __init__(self, network, base):
        super().__init__()
        self.network = network
        self.reads_text, self.knows_classes = base.reads_text, base.knows_classes
        trained = {name for name, p in network.named_parameters() if p.requires_grad}
        self.n_trained = sum(network.get_parameter(name).numel() for name in trained)
        new = [f"base_model.model.{name}" for name in base.new]
        kept = {name for name, _ in network.named_parameters() if lies_within(name, new)}
        buffers = {name for name, _ in network.named_buffers()}
        self._state = {f"network.{name}" for name in trained | kept | buffers}
        tuned = [name for name, m in network.named_modules() if isinstance(m, BaseTunerLayer)]
        heads = [f"base_model.model.{name}" for name in base.head]
        last = [
            name
            for name in linear_layers(network)
            if lies_within(name, heads) and not lies_within(name, tuned)
        ]
        self.head = f"network.{last[-1]}" if last else None
        self.head_is_new = bool(last) and lies_within(last[-1], new)
        super().train(False)  # `train` expects all modules to have one mode

    def forward(self, inputs):
        """Logits (rows, classes) in float32."""
        if not self.reads_text:
            return self.network(inputs[""]).float()
        logits = getattr(self.network(**inputs), "logits", None)
        if logits is None or logits.ndim != 2:
            kind = type(self.network.get_base_model()).__name__
            raise ValueError(
                f"model is a {kind}, which does not return one row of logits for each text; pass a "
                "model for sequence classification."
            )
        return logits.float()

    def multiply_logits(self, factor):
        """Multiply the weights of the head, whose outputs are the logits."""
        with torch.no_grad():
            for parameter in self.get_submodule(self.head).parameters():
                parameter *= factor

    def train(self, mode=True):
        """Set the mode as usual, except that frozen batch norms keep their statistics."""
        if mode == self.training == self.network.training:
            return self  # skorch asks in every step, and a network has hundreds of modules
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self

    def state_dict(self, *args, **options):
        """Adapters, α, head and buffers."""
        state = super().state_dict(*args, **options)
        for name in [name for name in state if name not in self._state]:
            del state[name]
        return state

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Load such a state. With `strict`, no name may be missing and no other may be there."""
        result = super().load_state_dict(state_dict, strict=False, assign=assign)
        if strict and (state_dict.keys() != self.state_dict().keys()):
            raise RuntimeError(
                "The state belongs to another model or to other target_modules; pass those of the "
                "net that was saved."
            )
        return result


def attach(base, *, rank, lora_alpha, lora_dropout, target_modules, alpha=1.0):
    """Freeze the network and put LoRA adapters and α on its linear layers or convolutions.

    Returns
    -------
    network : Adapted
        The adapters, α and the head are trainable.
    """
    network = base.network
    body = [name for name in linear_layers(network) if not lies_within(name, base.head)]
    images = [name for name in convolutions(network) if not lies_within(name, base.head)]
    if target_modules == "auto" and not body and images:
        target_modules = "|".join(map(re.escape, images))
    if target_modules == "auto":
        known = TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
        peft_knows = base.reads_text and network.config.model_type in known
        target_modules = None if peft_knows else "all-linear"
    if target_modules == "all-linear":
        # A pattern of whole names: of a list, PEFT would take every layer whose name ends alike.
        target_modules = "|".join(map(re.escape, body or base.head))
    config = LoraConfig(
        r=rank,
        lora_alpha=rank if lora_alpha is None else lora_alpha,
        lora_dropout=lora_dropout,
        target_modules=target_modules,
    )
    try:
        network = adapt(base, config)
    except ValueError as error:
        if "arget modules" not in str(error):
            raise
        raise ValueError(
            f"target_modules={target_modules!r} names no layer of the model; its "
            f"{'layers' if images else 'linear layers'} are {', '.join((body + images)[:8])}"
            f"{', ...' if len(body + images) > 8 else ''}."
        ) from error
    return Adapted(add_alpha(network, alpha), base)


def convolutions(network):
    """Names of the convolutions that can be adapted, in the order of the module."""
    named = network.named_modules()
    return [name for name, m in named if isinstance(m, nn.Conv2d) and is_plain(m)]


def adapt(base, config):
    """The network with a PEFT adapter. The adapter and the head are trainable.

    The head is trained as it is, not wrapped, because PEFT would find it by the end of its name.
    """
    with no_peft_warnings():
        network = get_peft_model(base.network, config)
    config.base_model_name_or_path = base.name
    config.task_type = TaskType.SEQ_CLS if base.reads_text else None  # for those who load it
    adapted = {name for name, m in base.network.named_modules() if isinstance(m, BaseTunerLayer)}
    for name, p in base.network.named_parameters():
        if lies_within(name, (*base.head, *base.new)) and not lies_within(name, adapted):
            p.requires_grad_(True)
    return network
