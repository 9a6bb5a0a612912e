"""The pretrained model: load or copy it, check that it fits the data, give it a head."""

import copy
import os
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
import transformers
from peft import PeftConfig, PeftModel, load_peft_weights
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from skorch import NeuralNet
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
)
from transformers.utils.peft_utils import find_adapter_config_file

from sklearn_alpha.neural_network._base_model import (
    Base,
    first_line,
    fit_head,
    lies_within,
    mark_untrained,
    no_peft_warnings,
)
from sklearn_alpha.neural_network._folders import MANIFEST
from sklearn_alpha.neural_network._labels import (
    Outputs,
    aligned_rows,
    have_names,
    knows,
    labels_of,
    labels_of_skorch,
    set_labels,
    take_rows,
)
from sklearn_alpha.neural_network._padding import (
    n_unused_positions,
    set_padding_side,
    set_padding_token,
)
from sklearn_alpha.neural_network._peft import ROWS, ROWS_AND_BIAS, load_alpha
from sklearn_alpha.neural_network._quantised import (
    check_quantisation,
    dequantised,
    in_float32,
    leave_out_new_head,
    quantised_layers,
    restore_classes,
    with_new_last_layer,
)
from sklearn_alpha.neural_network._weights import frozen_weights


def load_base(model, tokenizer, classes, row_shape=None):
    """Load or copy the network and give it a head with one output per class.

    The outputs of a head whose labels have names are put in the order of `classes`.

    Parameters
    ----------
    model : str, path, torch.nn.Module or fitted net
        A module or a net is copied and never changed. Adapters of PEFT are merged.
    tokenizer : str, path, tokenizer or None
        None is the model's own.
    classes : ndarray or Outputs
        Labels, sorted.
    row_shape : tuple or None
        Shape of a row of numbers. None if X holds text.

    Returns
    -------
    base : Base
    """
    model, tokenizer, labels, frozen = _unwrap(model, tokenizer)
    if isinstance(model, nn.Module):
        network = copy.deepcopy(model)
        if isinstance(network, PreTrainedModel) != (row_shape is None):
            raise _other_kind(row_shape)
        if row_shape is not None:
            if quantised_layers(network):
                raise ValueError(
                    "model reads numbers and has quantised layers, which only transformers models "
                    "may have; dequantise them."
                )
            return replace(_fit_numbers(network.float(), row_shape, labels, classes), frozen=frozen)
        if network.base_model is network and not hasattr(network, "num_labels"):
            raise ValueError(
                f"model is a {type(network).__name__}, which has no head; load it with "
                "AutoModelForSequenceClassification.from_pretrained, or pass its folder or hub id."
            )
        base = in_float32(Base(network, name=network.config.name_or_path, frozen=frozen))
        origin = None
    elif not isinstance(model, str | os.PathLike):
        raise ValueError(
            f"model is a {type(model).__name__}; pass the id of a model on the Hugging Face hub, "
            "a folder, a torch.nn.Module, or a fitted net (of this package or of skorch)."
        )
    else:
        _check_exists(str(model))
        if find_adapter_config_file(str(model)):
            base, origin = _load_adapter(str(model), classes), None  # not a base model alone
        else:
            base, origin = _load_transformer(str(model), classes), str(model)
        if row_shape is not None:
            raise _other_kind(row_shape)
    if labels is None:
        labels = labels_of(base.network.config, classes)
    base = _align(mark_untrained(base), labels, classes)
    network = base.network
    tokenizer = _load_tokenizer(tokenizer, base.name)
    set_padding_token(tokenizer, network.config)
    if not n_unused_positions(network):
        # Decoders look for the last token that is not padding, and the tokenizer pads.
        network.config.pad_token_id = tokenizer.pad_token_id
    set_padding_side(tokenizer, network)
    return replace(base, tokenizer=tokenizer, name=origin)


def _unwrap(model, tokenizer):
    """The module behind a frozen estimator, a fitted net or PEFT's wrapper, its tokenizer, its
    labels, and the weights below its adapters.
    """
    while isinstance(model, FrozenEstimator):
        model = model.estimator
    if isinstance(model, nn.Module):
        restore_classes(model)
    if isinstance(model, PeftModel):
        if not hasattr(model, "merge_and_unload"):
            raise ValueError(
                f"model has an adapter of type {model.active_peft_config.peft_type.value}, which "
                "cannot be merged into the weights; pass its base model instead."
            )
        adapted = dequantised(copy.deepcopy(model))
        frozen = frozen_weights(adapted)
        return adapted.merge_and_unload(), tokenizer, None, frozen
    if not isinstance(model, NeuralNet):
        return model, tokenizer, None, {}
    if not model.initialized_:
        raise NotFittedError(
            "model is a net that is not fitted; fit it first, and pass FrozenEstimator(net), "
            "because grid searches and cross-validation call clone(), which returns any other "
            "estimator unfitted."
        )
    if not hasattr(model, "merged_model"):
        return model.module_, tokenizer, labels_of_skorch(model), {}
    own = model.tokenizer_ if tokenizer is None else tokenizer
    labels = model._labels
    labels = labels if isinstance(labels, Outputs) else labels.tolist()
    return model.merged_model(), own, labels, frozen_weights(model.module_.network)


def _align(base, labels, classes):
    """The base with the head's rows in the order of the classes, or with a new head."""
    known = have_names(labels) and not base.head_is_new
    rows = aligned_rows(labels, classes)
    if rows is not None and base.network.get_submodule(base.last_layer).out_features == len(labels):
        take_rows(base.network, base.last_layer, rows)
        known = known and knows(labels, classes)
        if known:
            set_labels(base.network.config, classes)
        return replace(base, knows_classes=known)
    if known or getattr(base.network, "num_labels", None) != len(classes):
        base = _replaced_head(base, len(classes))
    return replace(base, other_labels=_names_of_classes(labels, classes) if known else None)


def _names_of_classes(labels, classes):
    """Labels of a head whose classes are not those of the target, None for numbers."""
    return None if isinstance(labels, Outputs) or isinstance(classes, Outputs) else labels


def _other_kind(row_shape):
    has, reads = ("text", "numbers") if row_shape is None else ("numbers", "text")
    return ValueError(
        f"X holds {has} but model reads {reads}; text needs a transformers model, numbers any "
        "other torch module."
    )


def _load_transformer(name, classes):
    """A transformers model with its own head, or with one for the classes."""
    labels = labels_of(_from_pretrained(AutoConfig, name), classes)
    return _load_with_head(name, (classes if aligned_rows(labels, classes) is None else labels))


def _load_with_head(name, labels):
    """A transformers model whose head has so many outputs."""
    config = _from_pretrained(AutoConfig, name)
    if check_quantisation(config):
        leave_out_new_head(config)
    else:
        config.num_labels = len(labels)
    network, report = _from_pretrained(
        AutoModelForSequenceClassification,
        name,
        config=config,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
        dtype=torch.float32,
    )
    new = _modules_of({*report["missing_keys"], *(key[0] for key in report["mismatched_keys"])})
    base = in_float32(Base(network, new=new, name=name))
    return base if network.num_labels == len(labels) else _replaced_head(base, len(labels))


def _load_adapter(folder, classes):
    """A PEFT adapter merged into its base model. The name is that of the tokenizer.

    The head is the adapter's, if it was saved with one.
    """
    source = PeftConfig.from_pretrained(folder).base_model_name_or_path
    if not source:
        raise ValueError(
            f"the adapter {folder} does not name its base model; load both with "
            "peft.PeftModel.from_pretrained, and pass the result as model."
        )
    saved = load_peft_weights(folder, device="cpu")
    base = _load_transformer(source, classes)
    head = saved.get(f"base_model.model.{base.last_layer}.weight")
    if head is not None:
        base = _load_with_head(source, head)
        new = (name for name in base.new if f"base_model.model.{name}.weight" not in saved)
        base = replace(base, new=tuple(new))
    has_alpha = any(name.endswith((ROWS, ROWS_AND_BIAS)) for name in saved)
    with no_peft_warnings():
        adapted = (load_alpha if has_alpha else PeftModel.from_pretrained)(base.network, folder)
    own_tokenizer = (Path(folder) / "tokenizer_config.json").exists()
    adapted = dequantised(adapted)
    frozen = frozen_weights(adapted)
    return replace(
        base,
        network=adapted.merge_and_unload(),
        name=folder if own_tokenizer else source,
        frozen=frozen,
    )


def _load_tokenizer(tokenizer, name):
    """A copy of the tokenizer that was passed, or the one saved with the model."""
    if tokenizer is None and not name:
        raise ValueError("model has no tokenizer; pass tokenizer=, a folder or hub id.")
    if tokenizer is None or isinstance(tokenizer, str | os.PathLike):
        _check_exists(str(tokenizer or name))
        return _from_pretrained(AutoTokenizer, str(tokenizer or name))
    return copy.deepcopy(tokenizer)


def _replaced_head(base, n_classes):
    """The base with a new last layer."""
    network, new = _with_new_head(base.network, n_classes)
    return replace(base, network=network).with_new(*new)


def _with_new_head(network, n_classes):
    """The same transformers model with a new last layer, and the names of new modules."""
    if quantised_layers(network):
        last = Base(network).last_layer
        return with_new_last_layer(network, last, n_classes), (last,)
    config = copy.deepcopy(network.config)
    config.num_labels = n_classes
    fresh = type(network)(config)
    state, last = fresh.state_dict(), Base(fresh).last_layer
    kept = {
        name: value
        for name, value in network.state_dict().items()
        if name in state and state[name].shape == value.shape and not lies_within(name, (last,))
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
    if (Path(name) / MANIFEST).exists():
        raise ValueError(
            f"the folder {name!r} was written by `save`; load it, and pass "
            "FrozenEstimator(AlphaLoRANetClassifier.load(folder)) as model."
        )


def _from_pretrained(kind, name, **options):
    try:
        with silent_transformers():
            # Without this, transformers asks at a terminal whether to run code of the model.
            return kind.from_pretrained(name, trust_remote_code=False, **options)
    except (OSError, ValueError) as error:
        raise OSError(
            f"{name!r} could not be loaded ({first_line(error)}); pass the id of a model on the "
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


def _fit_numbers(network, row_shape, labels, classes):
    """A network of numbers with a head for the classes. A module has no labels, a net has."""
    rows = None if labels is None else aligned_rows(labels, classes)
    if labels is None or rows is None:
        counted = "columns" if isinstance(classes, Outputs) else "classes"
        base = fit_head(network, row_shape, len(classes), counted)
        if labels is None or base.head_is_new:
            return base
        name, last = base.last_layer, network.get_submodule(base.last_layer)
        new = nn.Linear(last.in_features, last.out_features, last.bias is not None)
        network.set_submodule(name, new)
        return replace(base, new=(name,), other_labels=_names_of_classes(labels, classes))
    base = fit_head(network, row_shape, len(labels))
    take_rows(network, base.last_layer, rows)
    return replace(base, knows_classes=knows(labels, classes))
