"""How a fitted net is kept: pickles and folders without base weights, plain models, DoRA files."""

import hashlib
import json
import os
import warnings
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sklearn.utils.validation import check_is_fitted
from skorch.utils import get_map_location

from sklearn_alpha.neural_network._base_model import Adapted, Base, fingerprint
from sklearn_alpha.neural_network._distributed import OneProcess, reproducible
from sklearn_alpha.neural_network._dora import export_dora
from sklearn_alpha.neural_network._folders import whole_folder

FORMAT = 1
RECORD, STATE, BASE, TOKENIZER = "alpha_lora.json", "state.safetensors", "base", "tokenizer"
# Made anew from the model, the parameters and the state; pickles leave it out.
BUILT = ("module_", "criterion_", "optimizer_", "alpha_optimizer_", "processes_")
# Fitted attributes that a folder keeps beside the state.
KEPT = ("kind_", "seed_", "row_shape_", "fingerprint_", "n_features_in_", "attached_")
KEPT += ("new_modules_", "feature_names_in_")


class Storage:
    """The half of `AlphaLoRANetClassifier` that writes and reads."""

    # ------------------------------------------------------------ pickles

    def __getstate__(self):
        state = {name: value for name, value in self.__dict__.items() if name not in BUILT}
        state["virtual_params_"] = {}  # of optimizers
        if "module_" in self.__dict__:
            state["state_"] = self._state()
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._find_device()

    def _find_device(self):
        """The CPU, with a warning, where the net's device is not at hand."""
        self.device = self._check_device(self.device, get_map_location(self.device))

    def __getattr__(self, name):
        # An unpickled net builds its network when it is first asked for.
        if name == "module_" and "state_" in self.__dict__:
            self._restore(self.__dict__["state_"])
            del self.state_
            return self.module_
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _state(self):
        """What is not frozen, on the CPU."""
        return {
            name: value.detach().cpu().clone() for name, value in self.module_.state_dict().items()
        }

    def _restore(self, state):
        """Build the network from the base model, and check that it is the one trained on."""
        self.processes_ = OneProcess(self.device, self.precision)
        with reproducible(self.seed_, self.processes_):
            base = replace(self._load_base(), new=tuple(self.new_modules_))
            if fingerprint(base) != self.fingerprint_:
                raise ValueError(
                    f"{self.model!r} is no longer the model that this net was trained on; give "
                    "the net that model, or train it anew."
                )
            module = self._attach(base, alpha=1.0)
        module.load_state_dict(state)
        with self._current_init_context("module"):
            self.module_ = module.to(self.processes_.device)
        with self._current_init_context("criterion"):
            self.initialize_criterion()

    # ------------------------------------------------------------ folders

    def save(self, folder):
        """Write the fitted net into a folder: adapters, α, head and parameters.

        The base model is not written where `model` is a hub id or a folder, from which it can be
        loaded again; the merged source is, where `model` is a fitted net. Parameters that are no
        plain data (callbacks, an optimizer of your own) are not kept: predictions do not depend
        on them. The folder appears whole or not at all.

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
        with whole_folder(folder, RECORD) as draft:
            save_file(self._state(), draft / STATE)
            model, tokenizer = self._saved_model(draft), self.tokenizer
            if tokenizer is not None and not isinstance(tokenizer, str | os.PathLike):
                tokenizer.save_pretrained(draft / TOKENIZER)
                tokenizer = {"folder": TOKENIZER}
            labels = self.classes_inferred_
            record = {
                "format": FORMAT,
                "model": model,
                "tokenizer": tokenizer if isinstance(tokenizer, dict | None) else str(tokenizer),
                "parameters": self._plain_parameters(),
                "classes": labels.tolist(),
                "dtype": labels.dtype.str,
                "fitted": {name: _plain(vars(self)[name]) for name in KEPT if name in vars(self)},
                "sha256": _digest(draft / STATE),
            }
            (draft / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False), "utf-8")

    def _saved_model(self, draft):
        """What stands for `model` in a folder: its id or path, or a folder written beside."""
        if isinstance(self.model, str | os.PathLike):
            return str(self.model)
        if not self.module_.reads_text:
            return None
        with reproducible(self.seed_, self.processes_):
            base = self._load_base()
        base.network.save_pretrained(draft / BASE)
        base.tokenizer.save_pretrained(draft / BASE)
        return {"folder": BASE}

    def _plain_parameters(self):
        plain = {}
        for name, value in self.get_params(deep=False).items():
            value = _plain(value)
            if name not in ("model", "tokenizer") and _is_plain(value):
                plain[name] = value
        return plain

    @classmethod
    def load(cls, folder, *, model=None):
        """Read a net that `save` wrote.

        Parameters
        ----------
        folder : path-like
        model : torch.nn.Module, str, path or None, default=None
            The base model, needed where it was a torch module of your own; None loads the one that
            the folder names.

        Returns
        -------
        net : AlphaLoRANetClassifier

        Raises
        ------
        ValueError
            If the folder is not one of `save`, is damaged, or if `model` is not the one that the
            net was trained on.
        """
        folder = Path(folder)
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
        saved, tokenizer = record["model"], record["tokenizer"]
        if model is None and saved is None:
            raise ValueError(
                f"{folder} does not hold the torch module that the net was trained on; pass it as "
                "model=."
            )
        model = _place(saved, folder) if model is None else model
        net = cls(model, tokenizer=_place(tokenizer, folder), **record["parameters"])
        net._find_device()
        vars(net).update(record["fitted"])
        if "feature_names_in_" in vars(net):
            net.feature_names_in_ = np.array(net.feature_names_in_, dtype=object)
        if net.row_shape_ is not None:
            net.row_shape_ = tuple(net.row_shape_)
        net.classes_inferred_ = np.asarray(record["classes"], dtype=np.dtype(record["dtype"]))
        net._restore(load_file(folder / STATE))
        net._initialize_callbacks()
        net._initialize_history()
        net.initialized_ = True
        return net

    def export_dora(self, folder):
        """Write an adapter folder that plain PEFT loads on the base model, head included.

        See `sklearn_alpha.neural_network.export_dora`.

        Parameters
        ----------
        folder : path-like
            A new folder, or one with an earlier adapter. Where `model` is a fitted net, the
            adapter belongs on that net's merged model: keep ``model.merged_model()`` beside it.

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
        """Write the merged model as ONNX; inputs and logits with a variable number of rows.

        Parameters
        ----------
        file : path-like
            Its inputs are named as the tokenizer names them, or "X" for numbers.
        """
        check_is_fitted(self)
        try:
            import_module("onnxscript")
        except ImportError as error:
            raise ImportError(
                "export_onnx needs onnxscript: pip install 'sklearn-alpha[onnx]'."
            ) from error
        _export_onnx(self, Path(file))


def _place(saved, folder):
    """What a record says of a model or tokenizer: an id, a path, or a folder beside it."""
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


def _export_onnx(net, file):
    """Through `torch.onnx` on a batch of two rows."""
    rows = torch.export.Dim("rows")
    if net.module_.reads_text:
        names = net.tokenizer_.model_input_names
        batch = net.tokenizer_(["a b c"] * 2, return_tensors="pt")
        inputs = {name: batch[name] for name in names if name in batch}
        tokens = torch.export.Dim("tokens", max=net.longest_)
        shapes = {"inputs": {name: {0: rows, 1: tokens} for name in inputs}}
    else:
        inputs, shapes = {"": torch.zeros(2, *net.row_shape_)}, {"inputs": {"": {0: rows}}}
    merged = net.merged_model()
    model = Adapted(merged, Base(merged, net.tokenizer_))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter speaks of its own insides
        torch.onnx.export(
            model,
            kwargs={"inputs": inputs},
            f=file,
            input_names=[name or "X" for name in inputs],
            output_names=["logits"],
            dynamic_shapes=shapes,
            dynamo=True,
            verbose=False,
        )
