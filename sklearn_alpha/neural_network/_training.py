"""What skorch asks of a net while it trains: modules, optimizers, batches, steps."""

import math

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EarlyStopping
from skorch.dataset import ValidSplit
from skorch.utils import TeeGenerator, noop
from torch.utils.data import Subset

from sklearn_alpha.neural_network._distributed import OneProcess, held_by
from sklearn_alpha.neural_network._peft import alpha_parameters
from sklearn_alpha.neural_network._start import LinearProbe
from sklearn_alpha.neural_network._texts import (
    Batches,
    Collate,
    by_length,
    codes_of,
    in_order,
    lengths_of,
)

VALIDATION_SHARE = 0.1  # of early stopping


class LinearDecay(Callback):
    """Step sizes from their start to zero, linearly over the steps of the fit."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self._reset()  # what a fit that failed has left
        self.start_ = [(group, group["lr"]) for group in _groups(net)]
        self.step_, self.n_steps_ = 0, None

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        if self.n_steps_ is None:
            batch_size = net.get_params_for("iterator_train").get("batch_size", net.batch_size)
            self.n_steps_ = net.max_epochs * -(-len(dataset_train) // batch_size)

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            left = max(0.0, 1 - self.step_ / self.n_steps_)
            for group, start in self.start_:
                group["lr"] = start * left
            self.step_ += 1

    def on_train_end(self, net, X=None, y=None, **kwargs):
        self._reset()  # a later `partial_fit` starts there again

    def _reset(self):
        for group, start in getattr(self, "start_", []):
            group["lr"] = start
        self.start_ = []


def _groups(net):
    for name in net._optimizers:
        yield from getattr(net, f"{name}_").param_groups


class Training(NeuralNetClassifier):
    """The training half of `AlphaLoRANetClassifier`.

    `fit` leaves `processes_` and `seed_` before it hands over to skorch.
    """

    fitting_ = False

    @property
    def _default_callbacks(self):
        callbacks = [
            *super()._default_callbacks,
            ("linear_probe", LinearProbe()),
            ("lr_decay", LinearDecay()),
        ]
        if getattr(self, "processes_", OneProcess).process:  # one process speaks for all
            callbacks = [(name, callback) for name, callback in callbacks if name != "print_log"]
        if self.early_stopping and self.max_epochs:
            patience = 3 if self.early_stopping is True else self.early_stopping
            sink = print if self.verbose else noop
            stop = EarlyStopping(patience=patience, load_best=True, sink=sink)
            callbacks.append(("early_stopping", stop))
        return callbacks

    # ------------------------------------------------------------ what is trained

    @property
    def _learns(self):
        """Whether α is learned; "learn" is the one name that it can have."""
        return isinstance(self.alpha, str)

    @property
    def _alpha_start(self):
        """Where α starts: a number, one array for each layer, or "auto"."""
        return self.alpha_init if self._learns else self.alpha

    def initialize_criterion(self):
        """The criterion for each row: sample weights need it unreduced."""
        options = {**self.get_params_for("criterion"), "reduction": "none"}
        self.criterion_ = self.criterion(**options)
        return self

    def initialize_optimizer(self):
        """One optimizer for adapters and head, one for α."""
        alphas = alpha_parameters(self.module_.network)
        held = {id(p) for p in alphas.values()}
        trained = [
            (name, p)
            for name, p in self.module_.named_parameters()
            if p.requires_grad and id(p) not in held
        ]
        args, options = self.get_params_for_optimizer("optimizer", trained)
        fused = self._fused(options) if self.optimizer is torch.optim.AdamW else {}
        self.optimizer_ = self.optimizer(*args, **{"lr": self.lr, **fused, **options})
        if self._learns:
            options = self.get_params_for("alpha_optimizer")
            options = {"lr": self.alpha_lr, "betas": (0.9, 0.99), **self._fused(options), **options}
            self.alpha_optimizer_ = torch.optim.Adam(alphas.values(), **options)
        else:
            if "alpha_optimizer_" in vars(self):  # of an earlier fit
                del self.alpha_optimizer_
            for p in alphas.values():
                p.requires_grad_(False)
        return self

    def _fused(self, options):
        """One pass over a parameter instead of ten, unless the user asks for another way."""
        if self.processes_.device.type not in ("cpu", "cuda"):
            return {}  # PyTorch chooses
        return {"fused": not options.get("foreach")}

    # ------------------------------------------------------------ rows and batches

    def check_data(self, X, y=None):
        """`fit` has done it."""

    def get_split_datasets(self, X, y=None, **fit_params):
        """Rows of the adapter and of validation; those of α go to `alpha_rows_`."""
        self._check_held_out(y)
        split = self.train_split
        if split is None and self.early_stopping:
            split = ValidSplit(VALIDATION_SHARE, stratified=True, random_state=self.seed_)
        train, valid = (X, None) if split is None else split(X, y)
        if self._holds_out:
            codes = codes_of(train)
            own, held = train_test_split(
                np.arange(len(train)),
                test_size=self.alpha_split,
                stratify=codes,
                random_state=self.seed_,
            )
            self.alpha_rows_ = Subset(train, held.tolist())
            train = Subset(train, own.tolist())
        # Callbacks pair predictions with labels in the order of the dataset.
        return train, None if valid is None else by_length(valid)[0]

    def _check_held_out(self, codes):
        """Every class must be on both sides of a split."""
        shares = {"alpha_split": self.alpha_split if self._holds_out else 0}
        if self.early_stopping and self.train_split is None:
            shares["early_stopping"] = VALIDATION_SHARE
        counts = np.bincount(codes)
        for name, share in shares.items():
            rare = np.flatnonzero(counts == 1)
            n_held = math.ceil(share * len(codes))
            mend = f"add rows, or leave {name} at its default."
            if share and len(rare):
                label = self.classes_inferred_.tolist()[rare[0]]
                raise ValueError(
                    f"the class {label!r} has one row, but {name} holds rows of every class out; "
                    + mend
                )
            if share and min(n_held, len(codes) - n_held) < len(counts):
                raise ValueError(
                    f"{name} parts {len(codes)} rows into {len(codes) - n_held} and {n_held}, too "
                    f"few for {len(counts)} classes; " + mend
                )

    @property
    def _holds_out(self):
        return self._learns and self.alpha_split > 0

    def get_iterator(self, dataset, training=False):
        """Shuffled batches of alike lengths in training, the rows in their order otherwise."""
        options = self.get_params_for("iterator_train" if training else "iterator_valid")
        batch_size = int(options.pop("batch_size", self.batch_size))
        options.setdefault("collate_fn", Collate(self.tokenizer_))
        if not training:
            # its own, from which a DataLoader draws a seed though nothing is drawn by it
            options.setdefault("generator", torch.Generator())
            if self.tokenizer_ is None:
                return self.iterator_valid(dataset, batch_size=batch_size, **options)
            batches = in_order(lengths_of(dataset), batch_size)
            return self.iterator_valid(dataset, batch_sampler=batches, **options)
        batches = self._batches(dataset, batch_size, self._seed_now)
        return self.iterator_train(dataset, batch_sampler=batches, **options)

    def _batches(self, dataset, batch_size, seed):
        together = self.processes_
        left = len(dataset) % batch_size or batch_size
        if min(left, batch_size) < together.n_processes:
            raise ValueError(
                f"a batch of {min(left, batch_size)} row(s) cannot be shared by "
                f"{together.n_processes} processes; choose another batch_size."
            )
        generator = torch.Generator().manual_seed(seed)
        return Batches(dataset, batch_size, generator, together.process, together.n_processes)

    def _alpha_batches(self):
        """Batches of the rows held out for α, without end."""
        rows = self.alpha_rows_
        size = min(self.batch_size, len(rows))
        collate = Collate(self.tokenizer_)
        batches = self._batches(rows, size, self._seed_now + 1)
        while True:
            for batch in batches:
                yield collate([rows[i] for i in batch])

    # ------------------------------------------------------------ steps

    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        """skorch's loop, between a start and an end of ours."""
        self.fitting_, self.n_steps_, self.alpha_iterator_ = True, 0, None
        self.module_.zero_grad()  # of a fit that was interrupted
        torch.manual_seed(self._seed_now + self.processes_.process)  # of dropout, each its own
        try:
            return super().fit_loop(X, y, epochs=epochs, **fit_params)
        finally:
            # Generators do not pickle, and the rows are the user's.
            self.fitting_, self.alpha_iterator_, self.alpha_rows_ = False, None, None

    @property
    def _seed_now(self):
        """Another one whenever training goes on; two for each epoch."""
        return self.seed_ + 2 * len(self.history)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """skorch's, and the step of gradients that were still being accumulated."""
        super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
        if training and self.processes_.n_batches:
            self._step(batch=None)

    def train_step(self, batch, **fit_params):
        """Gradients of a batch, and a step where they are all there.

        Held-out rows reach α only, the others only the adapter; without held-out rows α takes the
        gradient of the same batch.
        """
        if self._learns:
            _require(held_by(self.alpha_optimizer_), self._learns_here() and not self._holds_out)
        step = self.train_step_single(batch, **fit_params)
        if self.processes_.ready():
            self._step(batch)
        return step

    def _step(self, batch):
        """A step of the adapter and, every `alpha_every` steps, one of α."""
        learns = self._learns_here()
        moving = [self.optimizer_]
        if learns and not self._holds_out:
            moving.append(self.alpha_optimizer_)
        self.processes_.gather(*moving)
        named = self.get_all_learnable_params()
        trained = TeeGenerator((name, p) for name, p in named if p.requires_grad)
        self.notify("on_grad_computed", named_parameters=trained, batch=batch, training=True)
        self.processes_.step(*moving)
        if learns and self._holds_out:
            self._alpha_step()
        self.n_steps_ += 1

    def _alpha_step(self):
        """One step of α on rows that the adapter is not trained on."""
        if self.alpha_iterator_ is None:
            self.alpha_iterator_ = self._alpha_batches()
        rest = [p for p in held_by(self.optimizer_) if p.requires_grad]
        _require(rest, False)
        _require(held_by(self.alpha_optimizer_), True)
        try:
            self.train_step_single(next(self.alpha_iterator_))
            self.processes_.gather(self.alpha_optimizer_)
            self.processes_.step(self.alpha_optimizer_)
        finally:
            _require(rest, True)

    def _learns_here(self):
        return self._learns and self.n_steps_ % self.alpha_every == 0

    def _alphas(self):
        return list(alpha_parameters(self.module_.network).values())

    def train_step_single(self, batch, **fit_params):
        """Forward and backward of a batch."""
        self._set_training(True)
        inputs, codes = batch
        logits = self.infer(inputs)
        losses = self._losses(logits, codes, inputs)
        self.processes_.backward(losses)
        return {"loss": losses.detach().mean(), "y_pred": logits.detach()}

    def infer(self, x, **fit_params):
        """Logits of a batch."""
        inputs, _ = x
        device = self.processes_.device
        inputs = {name: column.to(device) for name, column in inputs.items()}
        with self.processes_.autocast():
            return self.module_(inputs)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Weighted mean over the rows."""
        return self._losses(y_pred, y_true, X).mean()

    def _losses(self, logits, codes, inputs):
        losses = self.criterion_(logits, codes.to(logits.device))
        return losses * inputs[1].to(logits.device)


def _require(parameters, flag):
    for p in parameters:
        p.requires_grad_(flag)
