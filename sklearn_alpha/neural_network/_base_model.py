"""The pretrained model: load or copy it, check that it fits the data, give it a head."""

import copy
import hashlib
import os
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import PeftConfig, PeftModel, load_peft_weights
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel
from transformers.utils.peft_utils import find_adapter_config_file

from sklearn_alpha.neural_network._padding import (
    n_unused_positions,
    set_padding_side,
    set_padding_token,
)
from sklearn_alpha.neural_network._peft import ROWS, ROWS_AND_BIAS, load_alpha


@dataclass
class Base:
    """A network before adapters, its tokenizer, and which of its modules were never trained."""

    network: nn.Module
    tokenizer: Any = None  # None if X holds numbers
    new: tuple = ()  # names of modules that were drawn at random
    name: str | None = None  # where it can be loaded from

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
    def longest(self):
        """Most tokens that the network takes, special ones included. None if there is no limit."""
        if not self.reads_text:
            return None
        positions = getattr(self.network.config, "max_position_embeddings", None) or 0
        positions -= n_unused_positions(self.network)
        # Some configurations and tokenizers say "no limit" by −1 or by a huge number.
        known = [n for n in (positions, self.tokenizer.model_max_length) if 0 < n < 10**9]
        return min(known, default=None)


def load_base(model, tokenizer, n_classes, row_shape=None):
    """Load or copy the network and give it a head with `n_classes` outputs.

    Parameters
    ----------
    model : str, path, torch.nn.Module or fitted net
        A module or a net is copied and never changed. Adapters of PEFT are merged.
    tokenizer : str, path, tokenizer or None
        None is the model's own.
    n_classes : int
    row_shape : tuple or None
        Shape of a row of numbers. None if X holds text.

    Returns
    -------
    base : Base
    """
    model, tokenizer = _unwrap(model, tokenizer)
    if isinstance(model, nn.Module):
        network = copy.deepcopy(model).float()
        if isinstance(network, PreTrainedModel) != (row_shape is None):
            raise _other_kind(row_shape)
        if row_shape is not None:
            return fit_head(network, row_shape, n_classes)
        if network.base_model is network and not hasattr(network, "num_labels"):
            raise ValueError(
                f"model is a {type(network).__name__}, which has no head; load it with "
                "AutoModelForSequenceClassification.from_pretrained, or pass its folder or hub id."
            )
        name, origin, new = network.config.name_or_path, None, ()
    elif not isinstance(model, str | os.PathLike):
        raise ValueError(
            f"model is a {type(model).__name__}; pass the id of a model on the Hugging Face hub, "
            "a folder, a torch.nn.Module, or a fitted net."
        )
    else:
        _check_exists(str(model))
        if find_adapter_config_file(str(model)):
            network, new, name = _load_adapter(str(model), n_classes)
            origin = None  # the adapter alone is not a base model
        else:
            name = origin = str(model)
            network, new = _load_transformer(name, n_classes)
        if row_shape is not None:
            raise _other_kind(row_shape)
    if getattr(network, "num_labels", None) != n_classes:
        network, new = _with_new_head(network, n_classes)
    tokenizer = _load_tokenizer(tokenizer, name)
    set_padding_token(tokenizer, network.config)
    if not n_unused_positions(network):
        # Decoders look for the last token that is not padding, and the tokenizer pads.
        network.config.pad_token_id = tokenizer.pad_token_id
    set_padding_side(tokenizer, network)
    return Base(network, tokenizer, new, origin)


def _unwrap(model, tokenizer):
    """The module behind a frozen estimator, a fitted net or PEFT's wrapper, and its tokenizer."""
    while isinstance(model, FrozenEstimator):
        model = model.estimator
    if isinstance(model, PeftModel):
        if not hasattr(model, "merge_and_unload"):
            raise ValueError(
                f"model has an adapter of type {model.active_peft_config.peft_type.value}, which "
                "cannot be merged into the weights; pass its base model instead."
            )
        return copy.deepcopy(model).merge_and_unload(), tokenizer
    if not hasattr(model, "merged_model"):
        return model, tokenizer
    if not model.initialized_:
        raise NotFittedError(
            "model is a net that is not fitted; fit it first, and pass FrozenEstimator(net), "
            "because grid searches and cross-validation call clone(), which returns any other "
            "estimator unfitted."
        )
    return model.merged_model(), model.tokenizer_ if tokenizer is None else tokenizer


def _other_kind(row_shape):
    has, reads = ("text", "numbers") if row_shape is None else ("numbers", "text")
    return ValueError(
        f"X holds {has} but model reads {reads}; text needs a transformers model, numbers any "
        "other torch module."
    )


def _load_transformer(name, n_classes):
    """A transformers model with a head for the classes, and the names of its new modules."""
    network, report = _from_pretrained(
        AutoModelForSequenceClassification,
        name,
        num_labels=n_classes,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
        dtype=torch.float32,
    )
    return network, _modules_of(
        {*report["missing_keys"], *(key[0] for key in report["mismatched_keys"])}
    )


def _load_adapter(folder, n_classes):
    """A PEFT adapter merged into its base model, the new modules, and where the tokenizer is.

    The head is the adapter's, if it was saved with one.
    """
    source = PeftConfig.from_pretrained(folder).base_model_name_or_path
    if not source:
        raise ValueError(
            f"the adapter {folder} does not name its base model; load both with "
            "peft.PeftModel.from_pretrained, and pass the result as model."
        )
    saved = load_peft_weights(folder, device="cpu")
    network, new = _load_transformer(source, n_classes)
    heads = Base(network).head
    last = [name for name in linear_layers(network) if lies_within(name, heads)][-1]
    head = saved.get(f"base_model.model.{last}.weight")
    if head is not None:
        network, new = _load_transformer(source, len(head))
        new = tuple(name for name in new if f"base_model.model.{name}.weight" not in saved)
    has_alpha = any(name.endswith((ROWS, ROWS_AND_BIAS)) for name in saved)
    with no_peft_warnings():
        adapted = (load_alpha if has_alpha else PeftModel.from_pretrained)(network, folder)
    own_tokenizer = (Path(folder) / "tokenizer_config.json").exists()
    return adapted.merge_and_unload(), new, folder if own_tokenizer else source


def _load_tokenizer(tokenizer, name):
    """A copy of the tokenizer that was passed, or the one saved with the model."""
    if tokenizer is None and not name:
        raise ValueError("model has no tokenizer; pass tokenizer=, a folder or hub id.")
    if tokenizer is None or isinstance(tokenizer, str | os.PathLike):
        _check_exists(str(tokenizer or name))
        return _from_pretrained(AutoTokenizer, str(tokenizer or name))
    return copy.deepcopy(tokenizer)


def _with_new_head(network, n_classes):
    """The same transformers model with one output per class, and the names of new modules."""
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


def _check_exists(name):
    """Raise an error if a name can only be a path, and there is no such folder."""
    is_path = Path(name).is_absolute() or name.startswith((".", "~")) or name.count("/") > 1
    if is_path and not Path(name).exists():
        raise OSError(f"the folder {name!r} does not exist; pass another path or a hub id.")


def _from_pretrained(kind, name, **options):
    try:
        with silent_transformers():
            # Without this, transformers asks at a terminal whether to run code of the model.
            return kind.from_pretrained(name, trust_remote_code=False, **options)
    except (OSError, ValueError) as error:
        raise OSError(
            f"{name!r} could not be loaded ({_first_line(error)}); pass the id of a model on the "
            "Hugging Face hub, and check the connection, or the path of a folder that "
            "`save_pretrained` wrote."
        ) from error


@contextmanager
def silent_transformers():
    """Inside, transformers prints no message about new heads and no progress bar."""
    level = transformers.logging.get_verbosity()
    bar = transformers.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(level)
        if bar:
            transformers.logging.enable_progress_bar()


@contextmanager
def no_peft_warnings():
    """Inside, PEFT does not warn of what it handles itself."""
    with warnings.catch_warnings():
        # PEFT reads an attribute that transformers is about to drop.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")
        # It detects which layers store the transpose, and warns of it.
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to")
        yield


def _first_line(error):
    return str(error).strip().split("\n")[0].rstrip(".")


def fit_head(network, row_shape, n_classes):
    """Give a network of numbers the widths of its lazy layers and one output per class.

    The last linear layer is the head. If it has another width than `n_classes` it is replaced by a
    new one, unless it is the only linear layer.
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
