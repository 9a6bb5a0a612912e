"""How a fitted net is kept or passed on: pickles, folders, merged models, DoRA and ONNX."""

import copy
import inspect
import warnings

from peft import PeftModel
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sklearn_alpha.neural_network._dora import export_dora
from sklearn_alpha.neural_network._labels import set_labels
from sklearn_alpha.neural_network._onnx import write_onnx
from sklearn_alpha.neural_network._quantised import dequantised
from sklearn_alpha.neural_network._record import load_net, save_net
from sklearn_alpha.neural_network._state import find_device, of_this_version, pickled


class SavingMixin:
    """The methods of a net that keep it or pass it on."""

    def __getstate__(self):
        return pickled(self)

    def __setstate__(self, state):
        parameters = inspect.signature(type(self).__init__).parameters
        new = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
        vars(self).update(of_this_version({**new, **state}))
        find_device(self)

    def save(self, folder):
        """Write the fitted net into a folder: adapters, α, head and parameters.

        If `model` is a hub id or a folder, the base model is not written but loaded from there
        again. If `model` is a fitted net, its merged weights are written. Parameters that are not
        plain data (callbacks, your own optimizer) are not kept: predictions do not depend on them.
        README.md is a model card with labels, base model, versions and, if rows were held out,
        metrics; one that you wrote stays. The folder can be uploaded to the Hugging Face hub.
        The folder holds the earlier net or this one completely, also if the process is killed or
        the disk is full. One process at a time may save into a folder.

        Parameters
        ----------
        folder : path-like
            A new folder, or one that `save` wrote, whose net is then replaced.

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
            Or the id of a repository of the Hugging Face hub, "owner/name", to which such a folder
            was uploaded. It is kept in the hub's cache.
        model : torch.nn.Module, str, path or None, default=None
            The base model. Needed if it was your own torch module; None loads the one that the
            folder names.

        Returns
        -------
        net : AlphaLoRANetClassifier or AlphaLoRANetRegressor
            Of the class whose method this is.

        Raises
        ------
        ValueError
            If `save` did not write the folder, if it is damaged, if it holds a net of the other
            class, or if `model` is not the one that the net was trained on.
        OSError
            If there is neither such a folder nor such a repository.
        """
        return load_net(cls, folder, model)

    def merged_model(self):
        """A plain model with α ⊙ W + s·B A in place of W.

        Returns
        -------
        model : torch.nn.Module
            A copy, in evaluation mode. It returns the logits of the classes, or predictions in the
            units of y. If the net reads text, it is a transformers model that knows the labels; its
            tokenizer is `tokenizer_`.
        """
        check_is_fitted(self)
        model = dequantised(self._copy_in_units()).merge_and_unload().cpu().eval()
        if self.module_.reads_text:
            model.config.problem_type = self._problem_type  # a source may have another
            set_labels(model.config, self._labels)
        return model

    def _copy_in_units(self):
        """A copy of PEFT's model whose outputs are logits, or numbers in the units of y."""
        network = copy.deepcopy(self.module_.network)
        self._to_units(network.get_base_model())
        return network

    def export_dora(self, folder):
        """Write an adapter folder that plain PEFT loads on the base model, head included.

        See `sklearn_alpha.neural_network.export_dora`.

        Parameters
        ----------
        folder : path-like
            A new folder, or one with an earlier adapter.

        Warns
        -----
        UserWarning
            If `model` is a fitted net, an adapter, or a list: the new adapter belongs on the merged
            source. `save` writes that of nets and lists into a folder base-…, which transformers
            loads, and the export of the loaded net names it. That of an adapter is what
            ``merge_and_unload()`` of PEFT returns.

        Raises
        ------
        ValueError
            If a row's α is 0, or a row of the summed weights.
        FileExistsError
            If the folder holds something else.
        """
        check_is_fitted(self)
        network = self._copy_in_units()
        export_dora(network, folder)
        has_name = network.peft_config["default"].base_model_name_or_path
        is_module = isinstance(self.model, nn.Module) and not isinstance(self.model, PeftModel)
        if not has_name and not is_module:
            warnings.warn(
                "the adapter belongs on the merged source, and not on the model that the source "
                "was trained from: keep the merged source with it, as the documentation of "
                "export_dora says, or use merged_model(), which has both in one.",
                UserWarning,
                stacklevel=2,
            )

    def export_onnx(self, file):
        """Write the merged model as ONNX, for any number of rows and tokens.

        Parameters
        ----------
        file : path-like
            The inputs have the tokenizer's names, or the name "X" for numbers. The output is
            "logits", or "y" of a regression.
        """
        check_is_fitted(self)
        write_onnx(self, file)
