"""What skorch asks of a net: its parameters, network, rows and logits."""

import inspect
import warnings
from typing import ClassVar

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNet
from skorch.utils import is_dataset

from sklearn_alpha.neural_network._base_model import fingerprint
from sklearn_alpha.neural_network._inputs import NUMBERS, read_dataset, read_inputs
from sklearn_alpha.neural_network._network import attach
from sklearn_alpha.neural_network._peft import alpha_parameters
from sklearn_alpha.neural_network._sources import load_sources, warn_of_other_labels
from sklearn_alpha.neural_network._state import build
from sklearn_alpha.neural_network._texts import EncodedRows, by_length, is_encoded, tokenize
from sklearn_alpha.neural_network._windows import COUNTS, mean_logits


class SkorchNet(NeuralNet):
    """A skorch net of `model` with adapters and α.

    `fit` sets `processes_`, `seed_`, `kind_`, `row_shape_` and what is known of the targets before
    it hands over to skorch. `ClassTargets` and `NumberTargets` have what depends on the targets.
    """

    fitting_ = False
    prefixes_: ClassVar = [*NeuralNet.prefixes_, "model"]  # it may be a torch module

    # ------------------------------------------------------------ parameters

    def _get_param_names(self):
        return [name for name in super()._get_param_names() if name != "module"]

    def set_params(self, **params):
        """As in skorch; `model` may be a torch module, which skorch would take for one to train."""
        if "model" in params:
            vars(self)["model"] = params.pop("model")
        return super().set_params(**params)

    def __repr__(self):
        signature = inspect.signature(type(self).__init__).parameters
        default = {name: p.default for name, p in signature.items()}
        shown = [*default.keys() & self.get_params(deep=False).keys(), *self._params_to_validate]
        changed = (
            f"{name}={getattr(self, name)!r}"
            for name in sorted(shown, key=[*default, *self._params_to_validate].index)
            if getattr(self, name) is not default.get(name)
        )
        return f"{type(self).__name__}({', '.join(changed)})"

    @property
    def _learns(self):
        """Whether α is learned; "learn" is the only string that it can be."""
        return isinstance(self.alpha, str)

    @property
    def _alpha_start(self):
        """Where α starts: a number, one array for each layer, or "auto"."""
        return self.alpha_init if self._learns else self.alpha

    def _alphas(self):
        return list(alpha_parameters(self.module_.network).values())

    # ------------------------------------------------------------ the network

    @property
    def module_(self):
        """The network. An unpickled net builds it when it is first used."""
        if "state_" in vars(self):
            build(self)
        try:
            return vars(self)["module_"]
        except KeyError:
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute 'module_'"
            ) from None

    @module_.setter
    def module_(self, module):
        vars(self)["module_"] = module

    def initialize_module(self):
        """The network of `model`, frozen, with adapters and α."""
        self.attached_ = {
            "rank": self.rank,
            "lora_alpha": self.lora_alpha,
            "lora_dropout": self.lora_dropout,
            "target_modules": self.target_modules,
        }
        base = self._load_base()
        warn_of_other_labels(base, self._labels)
        self._fit_units(base)
        self.new_modules_ = base.new
        self.fingerprint_ = fingerprint(base)
        start = self._alpha_start
        self.module_ = self._attach(base, alpha=1.0 if isinstance(start, str) else start)
        return self

    def _load_base(self):
        """The pretrained network and its tokenizer."""
        shares = getattr(self, "source_alpha_", None)
        return load_sources(self.model, self.tokenizer, self._labels, self.row_shape_, shares)

    def _attach(self, base, alpha):
        """Add adapters with the parameters that the net was fitted with."""
        self.tokenizer_, self.longest_ = base.tokenizer, base.longest
        return attach(base, **self.attached_, alpha=alpha)

    def torch_compile(self, module, name):
        """Compile a module in place if `compile` is true, so that its parameters keep their names.

        skorch would wrap it, and a saved state would name the parameters of the wrapper.
        """
        if self.compile:
            module.compile(**self.get_params_for("compile"))
        return module

    def initialize_criterion(self):
        """The criterion for each row: sample weights need it unreduced."""
        options = {**self.get_params_for("criterion"), "reduction": "none"}
        try:
            self.criterion_ = self._criterion(**options)
        except TypeError as error:
            if "reduction" not in str(error):
                raise
            raise ValueError(
                "criterion must be a class that takes reduction='none', as the losses of "
                "torch.nn do: each row has a weight."
            ) from error
        return self

    # ------------------------------------------------------------ rows and logits

    def check_data(self, X, y=None):
        """`fit` has checked them."""

    def get_dataset(self, X, y=None):
        """Encoded rows of texts or numbers, or of a torch dataset of them; y are as in `fit`."""
        if is_dataset(X):
            if is_encoded(X):
                return X
            X, y = read_dataset(X)
        codes = None if y is None else self._codes(self._check_targets(y))
        kind, columns = read_inputs(self, X, reset=False, allow_empty=True)
        self._check_kind(kind)
        return EncodedRows(self._encode(kind, columns), codes)

    def _check_kind(self, kind):
        if kind != self.kind_:
            raise ValueError(
                f"X holds {kind} but the net was fitted on {self.kind_}; pass {self.kind_}, or fit "
                "another net."
            )

    def _encode(self, kind, columns):
        """Arguments of the network for each row."""
        if kind == NUMBERS:
            return {"": torch.as_tensor(np.require(columns, requirements="W"))}  # may be read-only
        lengths = self.max_length, self.longest_, self.stride
        return tokenize(self.tokenizer_, columns, *lengths)

    def _logits(self, X):
        """Outputs of the network, (n_samples, n_classes) or (n_samples, n_outputs)."""
        check_is_fitted(self)
        rows, order = self.get_dataset(X), slice(None)
        if not self.fitting_:  # else skorch replays predictions in the order of validation rows
            rows, order = by_length(rows)
        found = torch.cat(list(self.forward_iter(rows))).cpu().numpy()
        bad = ~np.isfinite(found).all(axis=1)
        if bad.any() and not self.fitting_:
            found[bad] = np.nan
            warnings.warn(
                f"the logits of {bad.sum()} of {len(bad)} rows are not finite, and their "
                "predictions mean nothing; scale X, or use precision='float32'.",
                RuntimeWarning,
                stacklevel=3,
            )
        logits = np.empty_like(found)
        logits[order] = found
        return logits

    def infer(self, x, **fit_params):
        """Logits of a batch."""
        inputs, _ = x
        device = self.processes_.device
        inputs = {name: column.to(device) for name, column in inputs.items()}
        with self.processes_.autocast():
            if COUNTS in inputs:
                return mean_logits(self.module_, inputs, self.batch_size)
            return self.module_(inputs)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Weighted mean over the rows."""
        return self._losses(y_pred, y_true, X).mean()

    def _losses(self, logits, codes, inputs):
        losses = self.criterion_(logits, codes.to(logits.device))
        if losses.shape not in (codes.shape, codes.shape[:1]):
            raise ValueError(
                f"criterion returns losses of shape {tuple(losses.shape)} for {len(codes)} rows; "
                "with reduction='none' it must return one for each row."
            )
        if losses.ndim == 2:
            losses = losses.mean(dim=1)  # over the outputs
        return losses * inputs[1].to(logits.device)
