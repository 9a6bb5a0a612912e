"""From what the user calls a model to a frozen network with adapters: load, check, attach."""

import copy
import hashlib
import os
import re
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, TaskType, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel

from sklearn_alpha.neural_network._peft import add_alpha
from sklearn_alpha.neural_network._quiet import quiet

# Their positions are counted from the number of their padding token on.
COUNT_FROM_PAD = ("roberta", "xlm-roberta", "camembert")


@dataclass
class Base:
    """A network before adapters, what reads text for it, and what in it was never trained."""

    network: nn.Module
    tokenizer: Any = None  # None where X holds numbers
    new: tuple = ()  # names of modules that were drawn at random
    name: str | None = None  # where it can be loaded from

    @property
    def reads_text(self):
        return isinstance(self.network, PreTrainedModel)

    @property
    def head(self):
        """Names of the modules that follow what was pretrained."""
        if not self.reads_text:
            return (list(linear_layers(self.network))[-1],)
        body = self.network.base_model_prefix
        return tuple(name for name, _ in self.network.named_children() if name != body)

    @property
    def longest(self):
        """Most tokens that the network takes, specials included; None where there is no bound."""
        if not self.reads_text:
            return None
        config = self.network.config
        positions = getattr(config, "max_position_embeddings", None)
        if positions is not None and config.model_type in COUNT_FROM_PAD:
            positions -= config.pad_token_id + 1
        known = [n for n in (positions, self.tokenizer.model_max_length) if n and n < 10**9]
        return min(known, default=None)


class Adapted(nn.Module):
    """A frozen network with adapters: inputs to logits; its state is what is not frozen.

    Parameters
    ----------
    network : peft.PeftModel
    base : Base
        What it was made of; modules that are new belong to the state, trained or not.

    Attributes
    ----------
    head : str or None
        Name of the last linear layer, whose outputs are the logits; None where it is adapted.
    head_is_new : bool
        Whether it was drawn at random.
    """

    def __init__(self, network, base):
        super().__init__()
        self.network = network
        self.reads_text = base.reads_text
        trained = {name for name, p in network.named_parameters() if p.requires_grad}
        self.n_trained = sum(network.get_parameter(name).numel() for name in trained)
        new = [f"base_model.model.{name}" for name in base.new]
        kept = {name for name, _ in network.named_parameters() if _within(name, new)}
        buffers = {name for name, _ in network.named_buffers()}
        self._state = {f"network.{name}" for name in trained | kept | buffers}
        tuned = [name for name, m in network.named_modules() if isinstance(m, BaseTunerLayer)]
        heads = [f"base_model.model.{name}" for name in base.head]
        last = [n for n in linear_layers(network) if _within(n, heads) and not _within(n, tuned)]
        self.head = f"network.{last[-1]}" if last else None
        self.head_is_new = bool(last) and _within(last[-1], new)
        super().train(False)  # all modules alike, as `train` expects

    def forward(self, inputs):
        """Logits (rows, classes) in float32."""
        if not self.reads_text:
            return self.network(inputs[""]).float()
        return self.network(**inputs).logits.float()

    def train(self, mode=True):
        """As usual, but that frozen batch norms keep their statistics, as their weights are."""
        if mode == self.training == self.network.training:
            return self  # skorch asks in each step, and a network has hundreds of modules
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
        """The counterpart; with `strict` every name must be there and no other."""
        result = super().load_state_dict(state_dict, strict=False, assign=assign)
        if strict and (state_dict.keys() != self.state_dict().keys()):
            raise RuntimeError(
                "The state is that of another model or of other target_modules; give those of the "
                "net that was saved."
            )
        return result


def load_base(model, tokenizer, n_classes, row_shape=None):
    """Load or copy the network and give it a head for `n_classes`.

    Parameters
    ----------
    model : str, path or torch.nn.Module
        Of a module a copy is made; it is never changed.
    tokenizer : str, path, tokenizer or None
        None is the model's own.
    n_classes : int
    row_shape : tuple or None
        Shape of a row of numbers; None where X holds text.

    Returns
    -------
    base : Base
    """
    if isinstance(model, nn.Module):
        network = copy.deepcopy(model).float()
        if row_shape is not None and isinstance(network, PreTrainedModel):
            raise ValueError(
                "X holds numbers but model reads text; text needs a transformers model, numbers "
                "any other torch module."
            )
        if not isinstance(network, PreTrainedModel):
            return Base(network) if row_shape is None else fit_head(network, row_shape, n_classes)
        name, new = network.config.name_or_path, ()
        if getattr(network, "num_labels", None) != n_classes:
            network, new = _with_new_head(network, n_classes)
    elif not isinstance(model, str | os.PathLike):
        raise ValueError(
            f"model is a {type(model).__name__}; pass the id of a model on the Hugging Face hub, "
            "a folder, a torch.nn.Module, or a fitted net."
        )
    else:
        name = str(model)
        with quiet():
            network, report = _from_pretrained(
                AutoModelForSequenceClassification,
                name,
                num_labels=n_classes,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                dtype=torch.float32,
            )
        drawn = {*report["missing_keys"], *(key[0] for key in report["mismatched_keys"])}
        new = _modules_of(drawn)
    if tokenizer is None and not name:
        raise ValueError("model knows no tokenizer; pass tokenizer=, a folder or hub id.")
    if tokenizer is None or isinstance(tokenizer, str | os.PathLike):
        with quiet():
            tokenizer = _from_pretrained(AutoTokenizer, str(tokenizer or name))
    else:
        tokenizer = copy.deepcopy(tokenizer)
    if tokenizer.pad_token_id is None:  # decoders often have none; any token will do, it is masked
        tokenizer.pad_token = tokenizer.eos_token
    if network.config.model_type not in COUNT_FROM_PAD:
        # Decoders look for the last token that is none of these, and the tokenizer pads.
        network.config.pad_token_id = tokenizer.pad_token_id
    return Base(network, tokenizer, new, None if isinstance(model, nn.Module) else name)


def _with_new_head(network, n_classes):
    """The same transformers model with an output for each class, and the names of new modules."""
    config = copy.deepcopy(network.config)
    config.num_labels = n_classes
    fresh = type(network)(config)
    state = fresh.state_dict()
    kept = {
        name: value
        for name, value in network.state_dict().items()
        if name in state and state[name].shape == value.shape
    }
    fresh.load_state_dict(kept, strict=False)
    return fresh, _modules_of(state.keys() - kept.keys())


def _modules_of(parameters):
    return tuple(sorted({name.rpartition(".")[0] for name in parameters}))


def _from_pretrained(kind, name, **options):
    try:
        return kind.from_pretrained(name, **options)
    except (OSError, ValueError) as error:
        raise OSError(
            f"{name!r} could not be loaded ({_first_line(error)}); pass the id of a model on the "
            "Hugging Face hub, and check the connection, or the path of a folder that "
            "`save_pretrained` wrote."
        ) from error


def _first_line(error):
    return str(error).strip().split("\n")[0].rstrip(".")


def fit_head(network, row_shape, n_classes):
    """Give a network of numbers its widths (lazy layers) and an output for each class.

    The last linear layer is the head. One of another width than `n_classes` is replaced by a new
    one, unless it is the only linear layer.
    """
    network.eval()
    new = [name for name, m in network.named_modules() if isinstance(m, LazyModuleMixin)]
    sample = torch.zeros(2, *row_shape)
    with torch.no_grad():
        try:
            output = network(sample)  # also gives lazy layers their width
        except (RuntimeError, ValueError, TypeError) as error:
            raise ValueError(
                f"model does not take rows of shape {tuple(row_shape)}: "
                f"{_first_line(error)}; pass a module whose first layer fits X."
            ) from error
    linear = linear_layers(network)
    if not linear:
        raise ValueError("model has no torch.nn.Linear layer to adapt; pass a module that has one.")
    if not isinstance(output, torch.Tensor) or output.ndim != 2:
        raise ValueError("model must return one row of logits for each row of X.")
    if output.shape[1] == n_classes:
        return Base(network, new=tuple(new))
    name = list(linear)[-1]
    head = linear[name]
    if len(linear) == 1 or head.out_features != output.shape[1]:
        raise ValueError(
            f"model returns {output.shape[1]} logits but y has {n_classes} classes; give its last "
            f"layer {n_classes} outputs."
        )
    network.set_submodule(name, nn.Linear(head.in_features, n_classes, head.bias is not None))
    return Base(network, new=(*new, name))


def linear_layers(network):
    """Linear layers by name, in the order of the module."""
    return {name: m for name, m in network.named_modules() if isinstance(m, nn.Linear)}


def attach(base, *, rank, lora_alpha, lora_dropout, target_modules, alpha=1.0):
    """Freeze the network and put LoRA adapters and α on its linear layers.

    Returns
    -------
    network : Adapted
        Trainable are the adapters, α and the head.
    """
    network = base.network
    body = [name for name in linear_layers(network) if not _within(name, base.head)]
    if target_modules == "auto":
        known = TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
        peft_knows = base.reads_text and network.config.model_type in known
        target_modules = None if peft_knows else "all-linear"
    if target_modules == "all-linear":
        # By their whole names: of a list PEFT would take all that end alike.
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
            f"target_modules={target_modules!r} names no layer of the model; its linear layers "
            f"are {', '.join(body[:8])}{', ...' if len(body) > 8 else ''}."
        ) from error
    return Adapted(add_alpha(network, alpha), base)


def adapt(base, config):
    """The network with an adapter of PEFT's; trainable are the adapter and the head.

    The head is set free as it is, not wrapped: PEFT would find it by the end of its name.
    """
    with warnings.catch_warnings():
        # PEFT asks transformers in a way that transformers is about to drop.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")
        # It finds out by itself which layers store the transpose, and says so.
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to")
        network = get_peft_model(base.network, config)
    config.base_model_name_or_path = base.name
    config.task_type = TaskType.SEQ_CLS if base.reads_text else None  # for those who load it
    adapted = {name for name, m in base.network.named_modules() if isinstance(m, BaseTunerLayer)}
    for name, p in base.network.named_parameters():
        if _within(name, (*base.head, *base.new)) and not _within(name, adapted):
            p.requires_grad_(True)
    return network


def _within(name, modules):
    """Whether a parameter or module is one of these modules or lies in one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def fingerprint(base):
    """Short hash of a base network that another checkpoint, or another shape, does not share."""
    digest = hashlib.sha256()
    for name, p in base.network.named_parameters():
        if not _within(name, (*base.head, *base.new)):
            some = p.detach().flatten()[:: max(1, p.numel() // 64)].float().cpu()
            digest.update(f"{name}{tuple(p.shape)}".encode() + some.numpy().tobytes())
    return digest.hexdigest()[:16]
