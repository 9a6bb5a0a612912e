"""How a fitted net is kept: pickles and folders without base weights.

All of them hold the state, which is what training moves (adapters, α, head) and the buffers. The
frozen weights come from the base model again, and a fingerprint says whether it is the same one.
"""

import copy
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.torch import load_file, save_file
from sklearn.utils.validation import check_is_fitted
from skorch.utils import get_map_location

from sklearn_alpha.neural_network._base_model import fingerprint
from sklearn_alpha.neural_network._distributed import OneProcess, drawing, reproducible
from sklearn_alpha.neural_network._dora import export_dora
from sklearn_alpha.neural_network._folders import whole_folder
from sklearn_alpha.neural_network._onnx import write_onnx

FORMAT = 1
RECORD, STATE, BASE, TOKENIZER = "alpha_lora.json", "state.safetensors", "base", "tokenizer"
# Built again from the model, the parameters and the state; pickles leave it out.
BUILT = ("module_", "criterion_", "optimizer_", "alpha_optimizer_", "processes_")
# Fitted attributes that a folder keeps beside the state.
KEPT = ("kind_", "seed_", "row_shape_", "fingerprint_", "n_features_in_", "attached_")
KEPT += ("new_modules_", "feature_names_in_", "starts_at_probe_")
REMOVED = ("alpha_batch_size",)  # parameters that folders of earlier versions name


class SavingMixin:
    """The methods of a net that keep it or pass it on."""

    def __getstate__(self):
        return pickled(self)

    def __setstate__(self, state):
        vars(self).update(state)
        find_device(self)

    def save(self, folder):
        """Write the fitted net into a folder: adapters, α, head and parameters.

        If `model` is a hub id or a folder, the base model is not written but loaded from there
        again. If `model` is a fitted net, its merged weights are written. Parameters that are not
        plain data (callbacks, your own optimizer) are not kept: predictions do not depend on them.
        The folder is written completely or not at all.

        Parameters
        ----------
        folder : path-like
            A new folder, or one that `save` wrote, which is then replaced.

        Raises
        ------
        FileExistsError
            If the folder holds something else.
        """
        check_is_fitted(self)
        save_net(self, folder)

    @classmethod
    def load(cls, folder, *, model=None):
        """Read a net that `save` wrote.

        Parameters
        ----------
        folder : path-like
        model : torch.nn.Module, str, path or None, default=None
            The base model. Needed if it was your own torch module; None loads the one that the
            folder names.

        Returns
        -------
        net : AlphaLoRANetClassifier

        Raises
        ------
        ValueError
            If `save` did not write the folder, if it is damaged, or if `model` is not the one that
            the net was trained on.
        """
        return load_net(cls, folder, model)

    def merged_model(self):
        """A plain model with α ⊙ W + s·B A in place of W.

        Returns
        -------
        model : torch.nn.Module
            A copy, in evaluation mode. If the net reads text, it is a transformers model that knows
            the labels; its tokenizer is `tokenizer_`.
        """
        check_is_fitted(self)
        model = copy.deepcopy(self.module_.network).merge_and_unload().cpu().eval()
        if self.module_.reads_text:
            model.config.problem_type = "single_label_classification"  # a source may have another
            labels = dict(enumerate(map(str, self.classes_)))
            model.config.id2label = labels
            model.config.label2id = {label: code for code, label in labels.items()}
        return model

    def export_dora(self, folder):
        """Write an adapter folder that plain PEFT loads on the base model, head included.

        See `sklearn_alpha.neural_network.export_dora`.

        Parameters
        ----------
        folder : path-like
            A new folder, or one with an earlier adapter. If `model` is a fitted net or an adapter,
            the new adapter belongs on the merged model: keep ``model.merged_model()`` with it.

        Raises
        ------
        ValueError
            If a row's α is 0, or a row of the summed weights.
        FileExistsError
            If the folder holds something else.
        """
        check_is_fitted(self)
        export_dora(self.module_.network, folder)

    def export_onnx(self, file):
        """Write the merged model as ONNX, for any number of rows and tokens.

        Parameters
        ----------
        file : path-like
            The inputs have the tokenizer's names, or the name "X" for numbers.
        """
        check_is_fitted(self)
        write_onnx(self, file)


# ---------------------------------------------------------------- pickles


def pickled(net):
    """Attributes of a net for a pickle, with the state in place of the network."""
    attributes = {name: value for name, value in vars(net).items() if name not in BUILT}
    attributes["virtual_params_"] = {}  # of optimizers
    if "module_" in vars(net):
        attributes["state_"] = trained_state(net)
    return attributes


def build(net):
    """Build the network of an unpickled net. Of several threads one does it."""
    with drawing:
        if "state_" in vars(net):
            restore(net, net.state_)
            del net.state_


def trained_state(net):
    """What is not frozen, on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in net.module_.state_dict().items()}


def restore(net, state):
    """Build the network from the base model, and check that it is the one trained on."""
    net.processes_ = OneProcess(net.device, net.precision)
    with reproducible(net.seed_, net.processes_):
        base = replace(net._load_base(), new=tuple(net.new_modules_))
        if fingerprint(base) != net.fingerprint_:
            raise ValueError(
                f"{net.model!r} is no longer the model that this net was trained on; give the net "
                "that model, or train it again."
            )
        module = net._attach(base, alpha=1.0)
    # Earlier versions kept the names of compiled nets with a prefix.
    module.load_state_dict({name.removeprefix("_orig_mod."): v for name, v in state.items()})
    with net._current_init_context("module"):
        net.module_ = net.torch_compile(module.to(net.processes_.device), name="module")
    with net._current_init_context("criterion"):
        net.initialize_criterion()


def find_device(net):
    """Replace a device that this machine lacks by the CPU, with a warning."""
    net.device = net._check_device(net.device, get_map_location(net.device))


# ---------------------------------------------------------------- folders


def save_net(net, folder):
    """Write a net into a folder, see `AlphaLoRANetClassifier.save`."""
    with whole_folder(folder, RECORD) as draft:
        save_file(trained_state(net), draft / STATE)
        model, tokenizer = _save_model(net, draft), net.tokenizer
        if tokenizer is not None and not isinstance(tokenizer, str | os.PathLike):
            tokenizer.save_pretrained(draft / TOKENIZER)
            tokenizer = {"folder": TOKENIZER}
        labels = net.classes_inferred_
        record = {
            "format": FORMAT,
            "model": model,
            "tokenizer": tokenizer if isinstance(tokenizer, dict | None) else str(tokenizer),
            "parameters": _plain_parameters(net),
            "classes": labels.tolist(),
            "dtype": labels.dtype.str,
            "fitted": {name: _plain(vars(net)[name]) for name in KEPT if name in vars(net)},
            "sha256": _digest(draft / STATE),
        }
        (draft / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False), "utf-8")


def _save_model(net, draft):
    """What represents `model` in a folder: its id or path, or a folder inside it."""
    if isinstance(net.model, str | os.PathLike):
        return str(net.model)
    if not net.module_.reads_text:
        return None
    with reproducible(net.seed_, net.processes_):
        base = net._load_base()
    base.network.save_pretrained(draft / BASE)
    base.tokenizer.save_pretrained(draft / BASE)
    return {"folder": BASE}


def _plain_parameters(net):
    plain = {}
    for name, value in net.get_params(deep=False).items():
        value = _plain(value)
        if name not in ("model", "tokenizer") and _is_plain(value):
            plain[name] = value
    return plain


def load_net(cls, folder, model):
    """Read a net from a folder, see `AlphaLoRANetClassifier.load`."""
    folder = Path(folder)
    record = _read_record(folder)
    saved, tokenizer = record["model"], record["tokenizer"]
    if model is None and saved is None:
        raise ValueError(
            f"{folder} does not hold the torch module that the net was trained on; pass it as "
            "model=."
        )
    model = _place(saved, folder) if model is None else model
    parameters = {n: value for n, value in record["parameters"].items() if n not in REMOVED}
    net = cls(model, tokenizer=_place(tokenizer, folder), **parameters)
    find_device(net)
    vars(net).update(record["fitted"])
    if "feature_names_in_" in vars(net):
        net.feature_names_in_ = np.array(net.feature_names_in_, dtype=object)
    if net.row_shape_ is not None:
        net.row_shape_ = tuple(net.row_shape_)
    net.classes_inferred_ = np.asarray(record["classes"], dtype=np.dtype(record["dtype"]))
    restore(net, load_file(folder / STATE))
    net._initialize_callbacks()
    net._initialize_history()
    net.initialized_ = True
    return net


def _read_record(folder):
    """The record of a folder, after the checks of its format and its state."""
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{folder} holds no net; pass a folder that `save` wrote.") from None
    if record["format"] != FORMAT:
        raise ValueError(
            f"{folder} was written in format {record['format']} and this version reads "
            f"{FORMAT}; install the version of sklearn_alpha that wrote it."
        )
    if _digest(folder / STATE) != record["sha256"]:
        raise ValueError(f"{folder / STATE} is damaged; copy the folder again.")
    return record


def _place(saved, folder):
    """What a record says of a model or tokenizer: an id, a path, or a folder inside it."""
    return str(Path(folder) / saved["folder"]) if isinstance(saved, dict) else saved


def _plain(value):
    """Arrays as lists, in dictionaries too."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _is_plain(value):
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(entry) for key, entry in value.items())
    return value is None or isinstance(value, bool | int | float | str)


def _digest(file):
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()
