"""The estimator: texts or numbers in, labels out."""

import copy
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import torch
from scipy.special import log_softmax, softmax
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.validation import check_is_fitted
from skorch.utils import is_dataset

from sklearn_alpha._fitting import all_or_nothing
from sklearn_alpha.neural_network._alpha import alpha_parameters
from sklearn_alpha.neural_network._inputs import NUMBERS, TEXT, read_inputs, read_targets
from sklearn_alpha.neural_network._model import attach, fingerprint, load_base
from sklearn_alpha.neural_network._processes import processes, reproducible
from sklearn_alpha.neural_network._rows import Rows, by_length, tokenize
from sklearn_alpha.neural_network._storage import Storage
from sklearn_alpha.neural_network._training import Training


class AlphaLoRANetClassifier(Storage, Training):
    """DOC"""

    _parameter_constraints: ClassVar = {
        "rank": [Interval(Integral, 1, None, closed="left")],
        "lora_alpha": [Interval(Real, 0, None, closed="neither"), None],
        "lora_dropout": [Interval(Real, 0, 1, closed="left")],
        "target_modules": [str, list],
        "alpha": [StrOptions({"learn"}), Real, dict],
        "alpha_init": [Real, dict],
        "alpha_every": [Interval(Integral, 1, None, closed="left")],
        "alpha_lr": [Interval(Real, 0, None, closed="left")],
        "alpha_split": [Interval(Real, 0, 1, closed="left")],
        "alpha_batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "lr": [Interval(Real, 0, None, closed="left")],
        "max_epochs": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_length": [Interval(Integral, 1, None, closed="left"), None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "early_stopping": ["boolean", Interval(Integral, 1, None, closed="left")],
        "precision": [StrOptions({"float32", "bfloat16"})],
        "accelerator": [dict, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        model,
        *,
        rank=8,
        lora_alpha=None,
        lora_dropout=0.0,
        target_modules="auto",
        alpha="learn",
        alpha_init=1.0,
        alpha_every=1,
        alpha_lr=5e-3,
        alpha_split=0.0,
        alpha_batch_size=None,
        lr=1e-3,
        max_epochs=10,
        batch_size=16,
        max_length=None,
        tokenizer=None,
        class_weight=None,
        early_stopping=False,
        device="cpu",
        precision="float32",
        accelerator=None,
        random_state=None,
        verbose=0,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        train_split=None,
        **kwargs,
    ):
        super().__init__(
            kwargs.pop("module", None),  # skorch's name for what `model` is here; clones pass it
            criterion=criterion,
            optimizer=optimizer,
            lr=lr,
            max_epochs=max_epochs,
            batch_size=batch_size,
            train_split=train_split,
            device=device,
            verbose=verbose,
            **kwargs,
        )
        self.model = model
        self.rank = rank
        self.lora_alpha = lora_alpha
        self.lora_dropout = lora_dropout
        self.target_modules = target_modules
        self.alpha = alpha
        self.alpha_init = alpha_init
        self.alpha_every = alpha_every
        self.alpha_lr = alpha_lr
        self.alpha_split = alpha_split
        self.alpha_batch_size = alpha_batch_size
        self.max_length = max_length
        self.tokenizer = tokenizer
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.precision = precision
        self.accelerator = accelerator
        self.random_state = random_state

    # ------------------------------------------------------------ fit

    def fit(self, X, y, sample_weight=None):
        """Adapt the model to labelled rows.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, 2) of str, or of numbers
            Texts (list, array or Series), pairs of texts (two columns or a list of tuples), or
            numbers of shape (n_samples, ...) where `model` is a torch module that takes them.
        y : array-like of shape (n_samples,)
            Labels of any kind.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row in the loss; a row of weight 0 is no row.

        Returns
        -------
        self : AlphaLoRANetClassifier

        Raises
        ------
        ValueError
            If rows, labels, parameters and model do not fit together; the message says what to do.
            The net is then as it was.
        OSError
            If the model or tokenizer cannot be loaded.
        """
        return self._fit(X, y, sample_weight, goes_on=self.warm_start and self.initialized_)

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for `max_epochs` epochs from where the last call ended.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call where its `y` lacks some.

        Returns
        -------
        self : AlphaLoRANetClassifier
        """
        return self._fit(X, y, sample_weight, goes_on=self.initialized_, classes=classes)

    def _fit(self, X, y, sample_weight, *, goes_on, classes=None):
        with all_or_nothing(self):
            validate_parameter_constraints(
                self._parameter_constraints, self.get_params(deep=False), type(self).__name__
            )
            kind, columns = read_inputs(self, X, reset=not goes_on)
            classes = self.classes if classes is None else classes
            known = self.classes_ if goes_on else None if classes is None else np.unique(classes)
            n_rows = len(columns[0]) if kind == TEXT else len(columns)
            known, seen, codes, weights = read_targets(
                y, sample_weight, n_rows, classes=known, class_weight=self.class_weight
            )
            columns = [[c[i] for i in seen] for c in columns] if kind == TEXT else columns[seen]
            self.processes_ = processes(self.device, self.precision, self.accelerator)
            if not goes_on:
                seed = check_random_state(self.random_state).randint(2**31 - 1)
                self.seed_ = self.processes_.agree(int(seed))
                self.classes_inferred_, self.kind_ = known, kind
                self.row_shape_ = None if kind == TEXT else columns.shape[1:]
            with reproducible(self.seed_, self.processes_):
                if not goes_on:
                    self.initialize()
                elif "optimizer_" not in self.__dict__:  # pickles leave the optimizers out
                    self._initialize_criterion()
                    self._initialize_optimizer()
                rows = Rows(self._inputs_of(kind, columns), codes, weights)
                self.notify("on_train_begin", X=rows, y=codes)
                try:
                    self.fit_loop(rows, codes)
                except KeyboardInterrupt:
                    pass  # what is trained so far can be used
                self.notify("on_train_end", X=rows, y=codes)
        return self

    def initialize_module(self):
        """The network that `model` says, frozen, with adapters and α."""
        model, tokenizer = self.model, self.tokenizer
        while isinstance(model, FrozenEstimator):
            model = model.estimator
        if isinstance(model, AlphaLoRANetClassifier):
            if not model.initialized_:
                raise NotFittedError(
                    "model is a net that is not fitted; fit it first, and pass "
                    "FrozenEstimator(net) because clone(), which grid searches and "
                    "cross-validation call, un-fits any other estimator."
                )
            tokenizer = model.tokenizer_ if tokenizer is None else tokenizer
            model = model.merged_model()
        base = load_base(model, tokenizer, len(self.classes_inferred_), self.row_shape_)
        if base.reads_text != (self.kind_ == TEXT):
            raise ValueError(
                f"X holds {self.kind_} but model reads {TEXT if base.reads_text else NUMBERS}; "
                "text needs a transformers model, numbers any other torch module."
            )
        self.tokenizer_, self.longest_ = base.tokenizer, base.longest
        self.fingerprint_ = fingerprint(base)
        self.module_ = attach(
            base,
            rank=self.rank,
            lora_alpha=self.lora_alpha,
            lora_dropout=self.lora_dropout,
            target_modules=self.target_modules,
            alpha=self.alpha_init if self.alpha == "learn" else self.alpha,
        )
        return self

    # ------------------------------------------------------------ predict

    def _inputs_of(self, kind, columns):
        """Arguments of the network for each row."""
        if kind == NUMBERS:
            return {"": torch.as_tensor(columns)}
        return tokenize(self.tokenizer_, columns, self.max_length, self.longest_)

    def get_dataset(self, X, y=None):
        """Rows of this package, made of texts or numbers where X is none yet."""
        if is_dataset(X):
            return X
        kind, columns = read_inputs(self, X, reset=False)
        if kind != self.kind_:
            raise ValueError(f"X holds {kind} but the net was fitted on {self.kind_}.")
        return Rows(self._inputs_of(kind, columns))

    def _logits(self, X):
        """Logits (n_samples, n_classes)."""
        check_is_fitted(self)
        rows = self.get_dataset(X)
        if self.fitting_:  # skorch replays the predictions of the validation rows in their order
            return torch.cat(list(self.forward_iter(rows))).numpy()
        rows, order = by_length(rows)
        logits = np.empty((len(rows), len(self.classes_inferred_)), dtype=np.float32)
        logits[order] = torch.cat(list(self.forward_iter(rows))).numpy()
        return logits

    def decision_function(self, X):
        """Logits; of two classes the difference of the second's and the first's.

        Parameters
        ----------
        X : array-like
            As in `fit`.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict_proba(self, X):
        """P(class | x) = softmax(logits).

        Parameters
        ----------
        X : array-like
            As in `fit`.

        Returns
        -------
        P : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        return softmax(self._logits(X).astype(np.float64), axis=1)

    def predict_log_proba(self, X):
        """Logarithm of `predict_proba`.

        Parameters
        ----------
        X : array-like
            As in `fit`.

        Returns
        -------
        log_P : ndarray of shape (n_samples, n_classes)
        """
        return log_softmax(self._logits(X).astype(np.float64), axis=1)

    def predict(self, X):
        """Class of the largest logit.

        Parameters
        ----------
        X : array-like
            As in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        return self.classes_[self._logits(X).argmax(axis=1)]

    # ------------------------------------------------------------ what was fitted

    @property
    def classes_(self):
        """Labels, sorted; while skorch's callbacks score, their numbers, which they compare."""
        labels = self.classes_inferred_
        return np.arange(len(labels)) if self.fitting_ else labels

    @property
    def alpha_(self):
        """α of every adapted layer: layer name to array of shape (d_out,)."""
        return {
            name: p.detach().cpu().numpy().copy()
            for name, p in alpha_parameters(self.module_.network).items()
        }

    @property
    def n_trainable_parameters_(self):
        """Numbers that training moves: adapters, head and, where it is learned, α."""
        learned = alpha_parameters(self.module_.network).values()
        fixed = 0 if self.alpha == "learn" else sum(p.numel() for p in learned)
        return self.module_.n_trained - fixed

    def merged_model(self):
        """A plain model with α ⊙ W + s·B A in place of W.

        Returns
        -------
        model : torch.nn.Module
            A copy: a transformers model where the net reads text, in evaluation mode.
        """
        check_is_fitted(self)
        return copy.deepcopy(self.module_.network).merge_and_unload().cpu().eval()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.three_d_array = True
        tags.non_deterministic = self.random_state is None
        return tags
