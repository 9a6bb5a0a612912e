"""A network before adapters, and its head."""

import hashlib
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from transformers import PreTrainedModel

from sklearn_alpha.neural_network._padding import n_unused_positions


@dataclass
class Base:
    """A network before adapters, its tokenizer, and which of its modules were never trained."""

    network: nn.Module
    tokenizer: Any = None  # None if X holds numbers
    new: tuple = ()  # names of modules that were drawn at random
    name: str | None = None  # where it can be loaded from
    knows_classes: bool = False  # whether the head's labels are those of y, by name, or numbers
    other_labels: list | None = None  # of a head that was replaced, because they are not y's
    frozen: dict = field(default_factory=dict)  # W₀ of layers whose adapters were merged, by name

    @property
    def reads_text(self):
        return isinstance(self.network, PreTrainedModel)

    @property
    def head(self):
        """Names of the modules that follow the pretrained body."""
        if not self.reads_text:
            return (list(linear_layers(self.network))[-1],)
        body = self.network.base_model_prefix
        return tuple(name for name, _ in self.network.named_children() if name != body)

    @property
    def last_layer(self):
        """Name of the linear layer whose outputs are the logits."""
        return [name for name in linear_layers(self.network) if lies_within(name, self.head)][-1]

    @property
    def head_is_new(self):
        """Whether that layer was drawn at random."""
        return lies_within(self.last_layer, self.new)

    def with_new(self, *names):
        """The same with further modules that were never trained."""
        return replace(self, new=tuple(sorted({*self.new, *names})))

    @property
    def longest(self):
        """Most tokens that the network takes, special ones included. None if there is no limit."""
        if not self.reads_text:
            return None
        positions = getattr(self.network.config, "max_position_embeddings", None) or 0
        positions -= n_unused_positions(self.network)
        # Some configurations and tokenizers say "no limit" by −1 or by a huge number.
        known = [n for n in (positions, self.tokenizer.model_max_length) if 0 < n < 10**9]
        return min(known, default=None)


def mark_untrained(base):
    """The base of a transformers model, whose head is new if it was never trained.

    transformers draws the weights of a new head, and sets its bias to zero.
    """
    bias = base.network.get_submodule(base.last_layer).bias
    return base if bias is None or bias.any() else base.with_new(base.last_layer)


@contextmanager
def no_peft_warnings():
    """Inside, PEFT does not warn of what it handles itself."""
    with warnings.catch_warnings():
        # PEFT reads an attribute that transformers is about to drop.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")
        # It detects which layers store the transpose, and warns of it.
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to")
        yield


def first_line(error):
    return str(error).strip().split("\n")[0].rstrip(".")


def fit_head(network, row_shape, n_outputs, counted="classes"):
    """Give a network of numbers the widths of its lazy layers and so many outputs.

    The last linear layer is the head. If it has another width than `n_outputs` it is replaced by a
    new one, unless it is the only linear layer. Errors say that y has so many `counted`.
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
                f"{first_line(error)}; pass a module whose first layer fits X."
            ) from error
    linear = linear_layers(network)
    if not linear:
        raise ValueError("model has no torch.nn.Linear layer to adapt; pass a module that has one.")
    if not isinstance(output, torch.Tensor) or output.ndim != 2:
        raise ValueError("model must return one row of logits for each row of X.")
    if output.shape[1] == n_outputs:
        return Base(network, new=tuple(new))
    name = list(linear)[-1]
    head = linear[name]
    if len(linear) == 1 or head.out_features != output.shape[1]:
        raise ValueError(
            f"model returns {output.shape[1]} logits but y has {n_outputs} {counted}; give its "
            f"last layer {n_outputs} outputs."
        )
    network.set_submodule(name, nn.Linear(head.in_features, n_outputs, head.bias is not None))
    return Base(network, new=(*new, name))


def linear_layers(network):
    """Linear layers by name, in the order of the module."""
    return {name: m for name, m in network.named_modules() if isinstance(m, nn.Linear)}


def weights_of(head):
    """v (n_outputs, n_features) and b (n_outputs,) of a linear layer."""
    v = head.weight.detach().double().cpu().numpy()
    b = np.zeros(len(v)) if head.bias is None else head.bias.detach().double().cpu().numpy()
    return v, b


def lies_within(name, modules):
    """Whether a parameter or module is one of these modules or lies in one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def fingerprint(base):
    """Short hash of a base network that another checkpoint, or another shape, does not share."""
    digest = hashlib.sha256()
    for name, p in base.network.named_parameters():
        if not lies_within(name, (*base.head, *base.new)):
            some = p.detach().flatten()[:: max(1, p.numel() // 64)].float().cpu()
            digest.update(f"{name}{tuple(p.shape)}".encode() + some.numpy().tobytes())
    return digest.hexdigest()[:16]
