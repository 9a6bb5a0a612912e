"""The estimator: texts or numbers in, labels out."""

import copy
import inspect
from contextlib import suppress
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
from sklearn_alpha.neural_network._base_model import attach, fingerprint, load_base
from sklearn_alpha.neural_network._distributed import processes, reproducible
from sklearn_alpha.neural_network._inputs import NUMBERS, TEXT, read_inputs, read_targets
from sklearn_alpha.neural_network._peft import alpha_parameters
from sklearn_alpha.neural_network._storage import Storage
from sklearn_alpha.neural_network._texts import Rows, by_length, tokenize
from sklearn_alpha.neural_network._training import Training

OWN_ORDER = ("shuffle", "sampler", "batch_sampler", "drop_last")  # of a DataLoader


class AlphaLoRANetClassifier(Storage, Training):
    r"""Fine-tuning of a transformer, or any network, with α-LoRA.

    ::

        y = α ⊙ (W x) + b + s·B A x            in each adapted linear layer

    W and b are the frozen source, one α for each row of W rescales it, and A (rank × d_in),
    B (d_out × rank) are the trained adapter; s is `lora_alpha` / `rank`. α = 1 is LoRA [1]_. The
    head is trained as a whole, from a start in closed form: the linear probe β(α v + a) of the
    frozen network [2]_, where v is the head that the source brings along, if any, and α, β and a
    are those of `AlphaTransferClassifier`; left-out rows of this probe say where α starts. Without
    it (``callbacks__linear_probe=None``) training starts from v, or from random numbers, and at
    α = 1. Adapters are PEFT's, training is skorch's: `lr`, `callbacks`,
    `optimizer__weight_decay`, `iterator_train__num_workers` and all of skorch's other parameters
    work as they do there.

    Texts are tokenised once, batched with others of about their length and padded to the longest
    of the batch. Step sizes fall linearly to zero (``callbacks__lr_decay=None`` leaves them).

    Parameters
    ----------
    model : str, path, torch.nn.Module or AlphaLoRANetClassifier
        What is adapted: the id of a model on the Hugging Face hub or the folder of one, for texts;
        any torch module with linear layers that returns logits, for numbers (its last linear layer
        is the head, and is replaced where it has another width than there are classes; lazy layers
        take their width from X); or a fitted net, best as ``FrozenEstimator(net)``, whose merged
        weights are then the source.
    rank : int, default=8
        Rank of A and B.
    lora_alpha : float or None, default=None
        Numerator of s = lora_alpha / rank; None is `rank`, s = 1. Not the α of the formula.
    lora_dropout : float, default=0.0
        Dropout before A.
    target_modules : "auto", str or list of str, default="auto"
        Layers that are adapted, in PEFT's terms. "auto" is PEFT's own choice where it knows the
        architecture, mostly query and value, and "all-linear" otherwise: all linear layers but
        the head.
    alpha : "learn", float or dict, default="learn"
        α is learned, or held at a number, or at an array for each layer name.
    alpha_init : "auto", float or dict, default="auto"
        Where a learned α starts. "auto" is one α from ½ to 1 for all layers, chosen before the
        first step by the log loss of rows left out of the linear probe, which takes two passes
        over the rows, 1000 of them at most, without gradients; it is 1 where there is no probe,
        since a class has no row, the head is adapted itself, or its output is not the logits.
        1.0 is the paper's.
    alpha_every : int, default=1
        T: α moves every T steps of the adapter.
    alpha_lr : float, default=1e-3
        Step size of α, by Adam.
    alpha_split : float, default=0.0
        Share of the training rows that only α is trained on (stratified); the adapter and the head
        never see their gradient. 0 trains α on the batches of the adapter.
    lr : float, default=1e-3
        Step size of adapter and head.
    max_epochs : int, default=10
        Passes over the rows.
    batch_size : int, default=16
        Rows of a step; over all processes where there are several. Predictions take more short
        texts at a time.
    max_length : int or None, default=None
        Tokens at which texts are cut. None is as many as the model takes, and warns when it cuts.
    tokenizer : str, path, tokenizer or None, default=None
        None is the model's own.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss, multiplied into `sample_weight`.
    early_stopping : bool or int, default=False
        Whether to hold out a tenth of the rows (stratified), stop when their loss has not fallen
        for 3 epochs, or for that many, and return to the best epoch. `train_split` is skorch's way
        to say which rows.
    device : str, default="cpu"
        Device of torch.
    precision : {"float32", "bfloat16"}, default="float32"
        Of the matrix products; parameters, α and logits are float32 in either case.
    accelerator : dict or None, default=None
        Arguments of `accelerate.Accelerator`, `mixed_precision` and `gradient_accumulation_steps`
        for instance. None takes accelerate's own where several processes were started by
        ``accelerate launch``; every process is to call `fit` with all rows.
    random_state : int, RandomState instance or None, default=None
        Seed of all that is drawn: new layers, A, the order of the rows, dropout. Torch's own
        generators are left as they were.
    verbose : int, default=0
        1 prints a line for each epoch.
    criterion, optimizer, train_split, **kwargs
        skorch's. The default criterion is cross-entropy, the optimizer AdamW, and no row is held
        out for validation.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    alpha_ : dict of str to ndarray of shape (d_out,)
        α of every adapted layer, by its name in the model.
    history_ : skorch.history.History
        What was recorded in each epoch.
    n_trainable_parameters_ : int
        Numbers that were trained: adapters, α and head.
    module_ : torch.nn.Module
        The network; ``module_.network`` is PEFT's.
    n_features_in_ : int
        Where X holds numbers.
    feature_names_in_ : ndarray of shape (n_features,)
        Where X is a frame of numbers whose columns have names.
    tokenizer_ : transformers tokenizer
        Where X holds texts.

    See Also
    --------
    AlphaTransferClassifier : The same idea for linear models, in closed form.
    sklearn_alpha.neural_network.add_alpha : α on a PEFT model, without an estimator.

    Notes
    -----
    A pickle holds adapters, α, head and parameters, and loads the base model again when it is first
    used; so do `save` and `load`. `export_dora` writes an adapter that PEFT loads alone.

    References
    ----------
    .. [1] El Firdoussi, Chayti, Seddik, Jaggi, "α-LoRA: Effective Fine-Tuning via Base Model
       Rescaling", arXiv 2510.21345.
    .. [2] Kumar, Raghunathan, Jones, Ma, Liang, "Fine-Tuning can Distort Pretrained Features and
       Underperform Out-of-Distribution", arXiv 2202.10054.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from sklearn_alpha import AlphaLoRANetClassifier
    >>> _ = torch.manual_seed(0)
    >>> source = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> rng = np.random.default_rng(0)
    >>> y = np.array(["left", "right"])[np.arange(60) % 2]
    >>> X = rng.normal(size=(60, 2)) + 3 * (y == "right")[:, None]
    >>> net = AlphaLoRANetClassifier(source, rank=2, lr=0.02, random_state=0).fit(X, y)
    >>> float(net.score(X, y)) > 0.9
    True
    >>> {name: alpha.shape for name, alpha in net.alpha_.items()}
    {'0': (8,)}
    """

    # skorch lets nothing else hold a torch module
    prefixes_: ClassVar = [*Training.prefixes_, "model"]
    _parameter_constraints: ClassVar = {
        "rank": [Interval(Integral, 1, None, closed="left")],
        "lora_alpha": [Interval(Real, 0, None, closed="neither"), None],
        "lora_dropout": [Interval(Real, 0, 1, closed="left")],
        "target_modules": [str, list],
        "alpha": [StrOptions({"learn"}), Real, dict],
        "alpha_init": [StrOptions({"auto"}), Real, dict],
        "alpha_every": [Interval(Integral, 1, None, closed="left")],
        "alpha_lr": [Interval(Real, 0, None, closed="left")],
        "alpha_split": [Interval(Real, 0, 1, closed="left")],
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
        alpha_init="auto",
        alpha_every=1,
        alpha_lr=1e-3,
        alpha_split=0.0,
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
            None,  # skorch's `module`, which `model` stands for
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
        self.max_length = max_length
        self.tokenizer = tokenizer
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.precision = precision
        self.accelerator = accelerator
        self.random_state = random_state

    def _get_param_names(self):
        return [name for name in super()._get_param_names() if name != "module"]

    def set_params(self, **params):
        """As in skorch; `model` may be a torch module, which skorch takes for one to train."""
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
            self._check_of_skorch()
            if goes_on:
                check_is_fitted(self)  # builds the network of a pickled net
            kind, columns = read_inputs(self, X, reset=not goes_on)
            classes = self.classes if classes is None else classes
            known = None if classes is None else np.unique(classes)
            if goes_on:
                self._check_kind(kind)
                if known is not None and not np.array_equal(known, self.classes_):
                    raise ValueError(
                        f"classes are {known.tolist()} but were {self.classes_.tolist()} in the "
                        "first fit; fit a new net for others."
                    )
                known = self.classes_
            n_rows = len(columns[0]) if kind == TEXT else len(columns)
            known, seen, codes, weights = read_targets(
                y, sample_weight, n_rows, classes=known, class_weight=self.class_weight
            )
            columns = [[c[i] for i in seen] for c in columns] if kind == TEXT else columns[seen]
            self.processes_ = processes(
                self.device, self.precision, self.accelerator, self.batch_size
            )
            if not goes_on:
                seed = check_random_state(self.random_state).randint(2**31 - 1)
                self.seed_ = self.processes_.agree(int(seed))
                self.classes_inferred_, self.kind_ = known, kind
                self.row_shape_ = None if kind == TEXT else columns.shape[1:]
            with reproducible(self.seed_, self.processes_):
                if not goes_on:
                    self.history_ = None  # the old one stays as it is
                    self.initialize()
                self.module_.to(self.processes_.device)
                self.criterion_.to(self.processes_.device)
                # pickles leave the optimizers out, and α may have become free
                learned = "alpha_optimizer_" in vars(self)
                if "optimizer_" not in vars(self) or self._learns != learned:
                    self._initialize_optimizer()
                rows = Rows(self._inputs_of(kind, columns), codes, weights)
                self.notify("on_train_begin", X=rows, y=codes)
                with suppress(KeyboardInterrupt):  # what is trained by then can be used
                    self.fit_loop(rows, codes)
                self.notify("on_train_end", X=rows, y=codes)
        return self

    def _check_of_skorch(self):
        """Refuse parameters of skorch's that would do something else here, or nothing."""
        for name in self._params_to_validate:
            if name.startswith(("module__", "model__")):
                raise ValueError(
                    f"{name} is not possible: model is adapted as it comes; build the network with "
                    "the arguments that you want, and pass it as model."
                )
            iterator, _, option = name.partition("__")
            if iterator in ("iterator_train", "iterator_valid") and option in OWN_ORDER:
                raise ValueError(
                    f"{name} is not possible: rows are batched by length, shuffled in training and "
                    "in their order otherwise; leave it out."
                )
        if inspect.isclass(self.optimizer) and issubclass(self.optimizer, torch.optim.LBFGS):
            raise ValueError(
                "optimizer=LBFGS evaluates the loss several times a step, which adapters and α in "
                "turn do not allow; pass AdamW, SGD or another optimizer of one gradient a step."
            )

    def initialize_module(self):
        """The network that `model` says, frozen, with adapters and α."""
        self.attached_ = {
            "rank": self.rank,
            "lora_alpha": self.lora_alpha,
            "lora_dropout": self.lora_dropout,
            "target_modules": self.target_modules,
        }
        base = self._load_base()
        self.new_modules_ = base.new
        self.fingerprint_ = fingerprint(base)
        start = self._alpha_start
        self.module_ = self._attach(base, alpha=1.0 if isinstance(start, str) else start)
        return self

    def _attach(self, base, alpha):
        """Adapters as they were asked for when the net was fitted."""
        self.tokenizer_, self.longest_ = base.tokenizer, base.longest
        return attach(base, **self.attached_, alpha=alpha)

    def _load_base(self):
        """The network that `model` says and its tokenizer."""
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
        return base

    # ------------------------------------------------------------ predict

    def _check_kind(self, kind):
        if kind != self.kind_:
            raise ValueError(
                f"X holds {kind} but the net was fitted on {self.kind_}; pass {self.kind_}, or fit "
                "another net."
            )

    def _inputs_of(self, kind, columns):
        """Arguments of the network for each row."""
        if kind == NUMBERS:
            return {"": torch.as_tensor(columns)}
        return tokenize(self.tokenizer_, columns, self.max_length, self.longest_)

    def get_dataset(self, X, y=None):
        """Rows of this package, made of texts or numbers where X is none yet; y are labels."""
        if is_dataset(X):
            return X
        codes = None if y is None else np.searchsorted(self.classes_inferred_, y)
        kind, columns = read_inputs(self, X, reset=False)
        self._check_kind(kind)
        return Rows(self._inputs_of(kind, columns), codes)

    def _logits(self, X):
        """Logits (n_samples, n_classes)."""
        check_is_fitted(self)
        rows, order = self.get_dataset(X), slice(None)
        if not self.fitting_:  # else skorch replays predictions in the order of the validation rows
            rows, order = by_length(rows)
        found = torch.cat(list(self.forward_iter(rows))).cpu().numpy()
        logits = np.empty_like(found)
        logits[order] = found
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
        codes = self._logits(X).argmax(axis=1)
        return self.classes_[codes]

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
        fixed = 0 if self._learns else sum(p.numel() for p in learned)
        return self.module_.n_trained - fixed

    def merged_model(self):
        """A plain model with α ⊙ W + s·B A in place of W.

        Returns
        -------
        model : torch.nn.Module
            A copy, in evaluation mode. Where the net reads text it is a transformers model that
            knows the labels; its tokenizer is `tokenizer_`.
        """
        check_is_fitted(self)
        model = copy.deepcopy(self.module_.network).merge_and_unload().cpu().eval()
        if self.kind_ == TEXT:
            labels = dict(enumerate(map(str, self.classes_)))
            model.config.id2label = labels
            model.config.label2id = {label: code for code, label in labels.items()}
        return model

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.three_d_array = True
        tags.non_deterministic = self.random_state is None
        return tags
