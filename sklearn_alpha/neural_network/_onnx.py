"""A fitted net as ONNX."""

import warnings
from importlib import import_module
from pathlib import Path

import torch

from sklearn_alpha.neural_network._base_model import Base
from sklearn_alpha.neural_network._network import Adapted


def write_onnx(net, file):
    """Write the merged model through `torch.onnx`, traced on a batch of two rows."""
    try:
        import_module("onnxscript")
    except ImportError as error:
        raise ImportError(
            "export_onnx needs onnxscript: pip install 'sklearn-alpha[onnx]'."
        ) from error
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
        warnings.simplefilter("ignore")  # torch's exporter warns of its own internals
        try:
            torch.onnx.export(
                model,
                kwargs={"inputs": inputs},
                f=Path(file),
                input_names=[name or "X" for name in inputs],
                output_names=["y" if net._targets == "numbers" else "logits"],
                dynamic_shapes=shapes,
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise ValueError(
                f"torch cannot export a {type(merged).__name__} to ONNX; keep the net with save, "
                "or as a plain model with merged_model()."
            ) from error
