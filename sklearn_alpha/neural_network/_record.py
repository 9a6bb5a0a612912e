"""The record of a saved net: its parameters and fitted attributes as JSON, checked when read."""

import json
import os
import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from safetensors.torch import load, save

from sklearn_alpha.neural_network._card import model_card
from sklearn_alpha.neural_network._distributed import reproducible
from sklearn_alpha.neural_network._folders import (
    BASE,
    CARD,
    MANIFEST,
    NET,
    TOKENIZER,
    FolderError,
    damaged,
    digest,
    new_version,
    read_json,
    read_manifest,
    read_parts,
)
from sklearn_alpha.neural_network._hub import local_folder
from sklearn_alpha.neural_network._parameters import check_parameters
from sklearn_alpha.neural_network._record_checks import check_record, fitted_checks
from sklearn_alpha.neural_network._state import find_device, of_this_version, restore, trained_state
from sklearn_alpha.neural_network._validation import restored

RECORD, STATE = "net.json", "state.safetensors"
# Parameters with a place of their own, and one that would let skorch read pickles.
NOT_KEPT = ("model", "tokenizer", "torch_load_kwargs")
PREFIX = "network.base_model.model."  # of the layers' names in the state
REMOVED = ("alpha_batch_size",)  # parameters that folders of earlier versions name


# ---------------------------------------------------------------- writing


def save_net(net, folder):
    """Write a net into a folder, see `AlphaLoRANetClassifier.save`."""
    with new_version(folder) as draft:
        # not `save_file`, whose errors are not those of the system
        (draft / STATE).write_bytes(save(trained_state(net)))
        fitted = fitted_checks(net._targets)
        record = {
            "model": _save_model(net, draft),
            "tokenizer": _save_tokenizer(net.tokenizer, draft),
            "parameters": _plain_parameters(net),
            "targets": net._targets,
            "fitted": {name: _plain(vars(net)[name]) for name in fitted if name in vars(net)},
        }
        if "classes" in net._kinds:
            labels = net.classes_inferred_
            record |= {"classes": labels.tolist(), "dtype": labels.dtype.str}
        (draft / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False), "utf-8")
        (draft / f".{CARD}").write_text(model_card(net), "utf-8")


def _save_model(net, draft):
    """What represents `model` in a folder: its id or path, or a part of the folder."""
    if _is_part(net.model, BASE):
        return _copy(net.model, draft / BASE)
    if isinstance(net.model, str | os.PathLike):
        return str(net.model)
    if not net.module_.reads_text:
        return None
    with reproducible(net.seed_, net.processes_):
        base = net._load_base()
    base.network.save_pretrained(draft / BASE)
    base.tokenizer.save_pretrained(draft / BASE)
    return {"folder": BASE}


def _save_tokenizer(tokenizer, draft):
    if _is_part(tokenizer, TOKENIZER):
        return _copy(tokenizer, draft / TOKENIZER)
    if tokenizer is None or isinstance(tokenizer, str | os.PathLike):
        return None if tokenizer is None else str(tokenizer)
    tokenizer.save_pretrained(draft / TOKENIZER)
    return {"folder": TOKENIZER}


def _is_part(path, name):
    """Whether a parameter is the path of a part of a saved net, which `save` may remove."""
    if not isinstance(path, str | os.PathLike):
        return False
    path = Path(path)
    return path.name.partition("-")[0] == name and (path.parent / MANIFEST).exists()


def _copy(path, place):
    place.mkdir()
    for file in Path(path).iterdir():
        (place / file.name).write_bytes(file.read_bytes())
    return {"folder": place.name}


def _plain_parameters(net):
    plain = {}
    for name, value in net.get_params(deep=False).items():
        value = _plain(value)
        if name not in NOT_KEPT and _is_plain(value):
            plain[name] = value
    return plain


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


# ---------------------------------------------------------------- reading


def load_net(cls, folder, model):
    """Read a net from a folder, see `AlphaLoRANetClassifier.load`."""
    folder = local_folder(folder)
    manifest = read_manifest(folder)
    try:
        return _restored(*_read_net(cls, folder, manifest, model), folder)
    except FolderError:
        if _has_changed(folder, manifest):  # another process saved a net
            return load_net(cls, folder, model)
        raise


def _has_changed(folder, manifest):
    try:
        return read_manifest(folder) != manifest
    except FolderError:
        return False


@contextmanager
def _as_damage(folder):
    """Turn the errors of wrong files into one; lack of memory or of a package is not damage."""
    try:
        yield
    except (FolderError, MemoryError, ImportError):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".strip().split("\n")[0]
        raise damaged(folder, reason) from error


def _read_net(cls, folder, manifest, model):
    """A net without its network, and the state of that."""
    with _as_damage(folder):
        parts, record = _read_record(folder, manifest)
        state = load((parts[NET] / STATE).read_bytes())
        _check_kind(cls, record, folder)
        left_out = (*REMOVED, *NOT_KEPT)
        parameters = of_this_version(record["parameters"])
        parameters = {name: v for name, v in parameters.items() if name not in left_out}
        check_record(cls, record, parameters, state)
        saved, tokenizer = record["model"], record["tokenizer"]
        if model is None and saved is None:
            raise FolderError(
                f"{folder} does not hold the torch module that the net was trained on; pass it as "
                "model=."
            )
        model = _place(saved, parts) if model is None else model
        net = cls(model, tokenizer=_place(tokenizer, parts), **parameters)
        check_parameters(net)
        vars(net).update(record["fitted"])
        net.attached_["target_modules"] = _layers(net.attached_["target_modules"], state)
        if "feature_names_in_" in vars(net):
            net.feature_names_in_ = np.array(net.feature_names_in_, dtype=object)
        net.validation_ = restored(net.validation_)
        for name in ("row_shape_", "target_shape_"):
            if vars(net).get(name) is not None:
                vars(net)[name] = tuple(vars(net)[name])
        for name in ("source_alpha_", "target_mean_", "target_scale_"):
            if name in vars(net):
                vars(net)[name] = np.array(vars(net)[name])
        if "classes" in net._kinds:
            net.classes_inferred_ = np.asarray(record["classes"], dtype=np.dtype(record["dtype"]))
        return net, state


def _check_kind(cls, record, folder):
    """Raise an error if the folder holds a net of the other estimator."""
    names = dict.fromkeys(("classes", "labels"), "AlphaLoRANetClassifier")
    names["numbers"] = "AlphaLoRANetRegressor"
    found = record.setdefault("targets", "classes")  # earlier versions had classes only
    if found in names and found not in cls._kinds:
        raise FolderError(f"{folder} holds an {names[found]}; load it with {names[found]}.load.")


def _layers(target_modules, state):
    """`target_modules`; for a pattern the layers that it found, as a hostile one may not end."""
    if not isinstance(target_modules, str) or target_modules in ("auto", "all-linear"):
        return target_modules
    names = (name.partition(PREFIX)[2].partition(".lora_A.") for name in state)
    return "|".join(re.escape(layer) for layer, found, _ in names if found)


def _read_record(folder, manifest):
    """The parts of a folder and the record, after the checks of their checksums."""
    if manifest["format"] > 1:
        parts = read_parts(folder, manifest)
        return parts, read_json((parts[NET] / RECORD).read_bytes(), folder, RECORD)
    if digest(folder / STATE) != manifest["sha256"]:
        raise damaged(folder, f"{STATE} has changed")
    return {NET: folder, BASE: folder / BASE, TOKENIZER: folder / TOKENIZER}, manifest


def _place(saved, parts):
    """What a record says of a model or tokenizer: an id, a path, or a part of the folder."""
    return str(parts[saved["folder"]]) if isinstance(saved, dict) else saved


def _restored(net, state, folder):
    """The net with its network."""
    with _as_damage(folder):
        find_device(net)
        try:
            restore(net, state)
        except (ValueError, OSError) as error:
            raise FolderError(
                f"{folder} holds a net that does not fit its base model; pass the model that it "
                f"was trained on as model=, or train and save it again ({error})"
            ) from error
        net._initialize_callbacks()
        net._initialize_history()
        net.initialized_ = True
    return net
