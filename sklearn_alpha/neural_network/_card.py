"""The model card of a saved net: README.md, with the metadata that the Hugging Face hub reads."""

import json
import os
from contextlib import suppress
from pathlib import Path

import peft
import torch
import transformers
from huggingface_hub import ModelCardData, metadata_load, try_to_load_from_cache
from huggingface_hub.utils import HFValidationError, validate_repo_id

from sklearn_alpha import __version__
from sklearn_alpha.neural_network._folders import CARD, CARD_IS_OURS

LOAD = """\
```python
from sklearn_alpha import {estimator}

net = {estimator}.load({arguments})
net.{method}(X)
```

`folder` is the path of this folder, or "owner/name" for the repository of the Hugging Face hub
that it was uploaded to."""

PLAIN = """\
## Without sklearn_alpha

`merged_model` gives a plain transformers model. Write it once:

```python
net.merged_model().save_pretrained("model")
net.tokenizer_.save_pretrained("model")
```

and load it with transformers alone:

```python
from transformers import pipeline

classify = pipeline("text-classification", "model")
```"""

DORA = """\
The adapters here are α-LoRA, which PEFT does not read. After `net.export_dora("adapter")`, PEFT
loads the same weights as a DoRA adapter of the base model:

```python
from peft import AutoPeftModelForSequenceClassification

network = AutoPeftModelForSequenceClassification.from_pretrained(
    "adapter", num_labels={n_outputs}, ignore_mismatched_sizes=True
)
```"""


def model_card(net):
    """Text of the card.

    Parameters
    ----------
    net : AlphaLoRANetClassifier or AlphaLoRANetRegressor
        Fitted.

    Returns
    -------
    text : str
        YAML between two lines of three hyphens, then Markdown. It names no local path.
    """
    reads_text, found = net.module_.reads_text, net.validation_
    classifies = net._targets != "numbers"
    base, licence = base_of(net), licence_of(net)
    data = ModelCardData(
        library_name="sklearn-alpha",
        base_model=base,
        license=licence,
        pipeline_tag="text-classification" if reads_text else None,
        tags=["sklearn-alpha", "alpha-lora", "lora"],
        metrics=None if found is None else ["accuracy" if classifies else "mse"],
    )
    versions = f"sklearn_alpha {__version__}, peft {peft.__version__}, torch {torch.__version__}"
    if reads_text:
        versions += f", transformers {transformers.__version__}"
    facts = {
        "Base model": f"`{base}`" if base else "not one of the Hugging Face hub",
        "Licence of the base model": f"`{one_line(licence)}`" if licence else "not stated by it",
        "Adapters": f"α-LoRA of rank {net.attached_['rank']} on {len(net.alpha_)} layers",
        "Trained parameters": f"{net.n_trainable_parameters_:,}",
        "Written by": versions,
    }
    parts = [
        f"---\n{data.to_yaml()}\n---",
        f"# α-LoRA {'classifier of' if classifies else 'regression on'} "
        f"{'texts' if reads_text else 'numbers'}",
        "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {v} |" for name, v in facts.items())]),
        *(labels_of_classes(net) if classifies else units_of_numbers(net)),
    ]
    if found is not None:
        parts += [
            "## Metrics",
            f"Of the {found['n_rows']} rows that were held out for validation:",
            *(metrics_of_classes(net) if classifies else metrics_of_numbers(net)),
        ]
    use = {
        "estimator": "AlphaLoRANetClassifier" if classifies else "AlphaLoRANetRegressor",
        "arguments": "folder" if reads_text else "folder, model=module",
        "method": "predict_proba" if classifies else "predict",
    }
    parts += ["## Use", LOAD.format(**use)]
    if reads_text:
        dora = DORA.format(n_outputs=len(net._labels))
        parts += [PLAIN, dora] if base else [PLAIN]
        if found is not None and classifies:
            function = "logistic function" if net.n_labels_ else "softmax"
            parts.append(
                f"The logits are those of the net. Its probabilities are the {function} of "
                f"{net.inverse_temperature_:.4g} times the logits."
            )
    return "\n\n".join([*parts, CARD_IS_OURS]) + "\n"


def labels_of_classes(net):
    """The labels."""
    labels = json.dumps(net.classes_.tolist(), ensure_ascii=False)
    return ["## Labels", f"```json\n{labels}\n```"]


def units_of_numbers(net):
    """What the outputs are."""
    rows = zip(net.target_mean_, net.target_scale_)
    return [
        "## Outputs",
        "Predictions are in the units of y. Its means and scales in training:",
        "| output | mean | scale |\n| --- | --- | --- |\n"
        + "\n".join(f"| {i} | {m:.6g} | {s:.6g} |" for i, (m, s) in enumerate(rows)),
    ]


def metrics_of_classes(net):
    """A table, and what else the rows were used for."""
    found = net.validation_
    chosen = "temperature of the probabilities"
    if net.n_labels_:
        thresholds = ", ".join(f"{c:.3f}" for c in net.thresholds_)
        chosen += f" and the thresholds of the labels ({thresholds})"
    return [
        f"| accuracy | log loss |\n| --- | --- |\n"
        f"| {found['accuracy']:.3f} | {found['log_loss']:.3f} |",
        f"These rows have also chosen the {chosen}"
        + (", and the epoch." if net.early_stopping else "."),
    ]


def metrics_of_numbers(net):
    """The same of a regression."""
    found = net.validation_
    table = (
        f"| R² | mean squared error |\n| --- | --- |\n"
        f"| {found['r2']:.3f} | {found['mean_squared_error']:.4g} |"
    )
    return [table, *(["These rows have also chosen the epoch."] if net.early_stopping else [])]


def base_of(net):
    """Id of the base model on the hub, or None."""
    names = [net.model] if isinstance(net.model, str | os.PathLike) else []
    if net.module_.reads_text:
        names.append(config_of(net).name_or_path)
    for name in map(str, names):
        with suppress(HFValidationError, OSError, ValueError):
            validate_repo_id(name)
            if not Path(name).exists():
                return name
    return None


def licence_of(net):
    """Licence of the base model: of its configuration, its tokenizer or its card, or None."""
    if not net.module_.reads_text:
        return None
    config = config_of(net)
    found = [
        getattr(config, "license", None),
        getattr(net.tokenizer_, "init_kwargs", {}).get("license"),
    ]
    base = base_of(net)
    card = try_to_load_from_cache(base, CARD) if base else Path(config.name_or_path) / CARD
    if isinstance(card, str | Path):
        with suppress(Exception):  # a card that cannot be read says nothing
            found.append((metadata_load(card) or {}).get("license"))
    return next((licence for licence in found if isinstance(licence, str) and licence), None)


def config_of(net):
    """transformers' configuration of the base model."""
    return net.module_.network.get_base_model().config


def one_line(text):
    """A text for a cell of a table."""
    return " ".join(text.split()).replace("`", "'").replace("|", "/")
