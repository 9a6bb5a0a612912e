"""How a net trains: optimizers, batches, epochs and steps."""

from contextlib import suppress

import torch
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from skorch.utils import TeeGenerator

from sklearn_alpha._fitting import all_or_nothing
from sklearn_alpha.neural_network._anchor import Anchor
from sklearn_alpha.neural_network._distributed import OneProcess, held_by, processes, reproducible
from sklearn_alpha.neural_network._divergence import StopAtDivergence
from sklearn_alpha.neural_network._early_stopping import (
    check_callbacks,
    renew_stopping,
    split_of,
    stopping,
)
from sklearn_alpha.neural_network._held_out import HeldOutAlpha, hold_out, set_requires_grad
from sklearn_alpha.neural_network._inputs import TEXT, read_inputs
from sklearn_alpha.neural_network._parameters import check_parameters
from sklearn_alpha.neural_network._schedule import LinearDecay
from sklearn_alpha.neural_network._skorch import SkorchNet
from sklearn_alpha.neural_network._sources import match_scale, weigh_sources
from sklearn_alpha.neural_network._start import LinearProbe
from sklearn_alpha.neural_network._texts import (
    Batches,
    Collate,
    EncodedRows,
    by_length,
    codes_of,
    in_order,
    lengths_of,
)
from sklearn_alpha.neural_network._validation import of_mean_one, validate, validation_rows


class Training(SkorchNet):
    """The net with its training loop: one optimizer for adapters and head, one for α."""

    held_out_ = validation_ = None

    # ------------------------------------------------------------ fit

    def _fit(self, X, y, sample_weight, *, goes_on, **known):
        with all_or_nothing(self):
            check_parameters(self)
            if goes_on:
                check_is_fitted(self)  # builds the network of an unpickled net
            kind, columns = read_inputs(self, X, reset=not goes_on)
            if goes_on:
                self._check_kind(kind)
            n_rows = len(columns[0]) if kind == TEXT else len(columns)
            seen, targets, weights = self._read_targets(
                y, sample_weight, n_rows, goes_on=goes_on, **known
            )
            columns = [[c[i] for i in seen] for c in columns] if kind == TEXT else columns[seen]
            self.processes_ = processes(
                self.device, self.precision, self.accelerator, self.batch_size
            )
            if not goes_on:
                seed = check_random_state(self.random_state).randint(2**31 - 1)
                self.seed_ = self.processes_.agree(int(seed))
                self.kind_ = kind
                self.row_shape_ = None if kind == TEXT else columns.shape[1:]
            with reproducible(self.seed_, self.processes_):
                self._train(kind, columns, targets, weights, goes_on)
        return self

    def _train(self, kind, columns, targets, weights, goes_on):
        """Initialize what is needed and run skorch's epochs."""
        if not goes_on:
            self.history_ = None  # the old one is not changed
            self.starts_at_probe_, self.trained_share_ = False, 1.0
            pooled = weigh_sources(self, kind, columns, targets, weights)
            self.initialize()
            match_scale(self, pooled, kind, columns, targets, weights)
        renew_stopping(self)
        self.module_.to(self.processes_.device)
        self.criterion_.to(self.processes_.device)
        # A pickle has no optimizers, and `alpha` may have changed.
        learned = "alpha_optimizer_" in vars(self)
        if "optimizer_" not in vars(self) or self._learns != learned:
            self._initialize_optimizer()
        codes = self._codes(targets)
        rows = EncodedRows(self._encode(kind, columns), codes, weights)
        self.notify("on_train_begin", X=rows, y=codes)
        self.validation_ = self.validation_rows_ = None
        with suppress(KeyboardInterrupt):  # the net can be used as it is by then
            self.fit_loop(rows, codes)
        self.notify("on_train_end", X=rows, y=codes)
        self.validation_ = validate(self, self.validation_rows_)
        self.validation_rows_ = None

    @property
    def _default_callbacks(self):
        callbacks = [
            *super()._default_callbacks,
            ("linear_probe", LinearProbe()),
            ("lr_decay", LinearDecay()),
            ("divergence", StopAtDivergence()),
        ]
        if getattr(self, "processes_", OneProcess).process:  # only the first process prints
            callbacks = [(name, callback) for name, callback in callbacks if name != "print_log"]
        if self.early_stopping and self.max_epochs:
            callbacks.append(("early_stopping", stopping(self)))
        return [*callbacks, ("anchor", Anchor())]  # after the best epoch is back

    # ------------------------------------------------------------ optimizers

    def initialize_optimizer(self):
        """One optimizer for adapters and head, one for α."""
        alphas = self._alphas()
        held = {id(p) for p in alphas}
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
            self.alpha_optimizer_ = torch.optim.Adam(alphas, **options)
        else:
            if "alpha_optimizer_" in vars(self):  # of an earlier fit
                del self.alpha_optimizer_
            set_requires_grad(alphas, False)
        return self

    def _fused(self, options):
        """One kernel instead of ten, unless the user asks for another implementation."""
        if self.processes_.device.type not in ("cpu", "cuda"):
            return {}  # PyTorch chooses
        return {"fused": not options.get("foreach")}

    # ------------------------------------------------------------ rows and batches

    def get_split_datasets(self, X, y=None, **fit_params):
        """Rows of the adapter and of validation. Rows of α, if any, go to `held_out_`."""
        split = split_of(self)
        check_callbacks(self, validates=split is not None)
        shares = {"alpha_split": self.alpha_split if self._holds_out else 0}
        if split is not None and self.train_split is None:
            shares["early_stopping"] = self.validation_fraction
        self._check_shares(shares, y)
        train, valid = (X, None) if split is None else split(X, y)
        if valid is not None:
            train, valid = of_mean_one(train), of_mean_one(validation_rows(self, valid))
        if self._holds_out:
            strata = codes_of(train) if self._is_stratified else None
            train, held = hold_out(train, self.alpha_split, strata, self.seed_)
            self.held_out_ = HeldOutAlpha(held)
        # Callbacks pair predictions with labels in the order of the dataset.
        self.validation_rows_ = None if valid is None else by_length(valid)[0]
        return train, self.validation_rows_

    @property
    def _holds_out(self):
        return self._learns and self.alpha_split > 0

    def get_iterator(self, dataset, training=False):
        """Shuffled batches of similar lengths in training, the rows in their order otherwise."""
        options = self.get_params_for("iterator_train" if training else "iterator_valid")
        batch_size = int(options.pop("batch_size", self.batch_size))
        options.setdefault("collate_fn", Collate(self.tokenizer_))
        if training:
            batches = self._batches(dataset, batch_size, self._epoch_seed)
            return self.iterator_train(dataset, batch_sampler=batches, **options)
        # A DataLoader draws a seed even if nothing is shuffled; not from the global generator.
        options.setdefault("generator", torch.Generator())
        if self.tokenizer_ is None:
            return self.iterator_valid(dataset, batch_size=batch_size, **options)
        batches = in_order(lengths_of(dataset), batch_size)
        return self.iterator_valid(dataset, batch_sampler=batches, **options)

    def _batches(self, dataset, batch_size, seed):
        n_processes = self.processes_.n_processes
        left = len(dataset) % batch_size or batch_size
        if min(left, batch_size) < n_processes:
            raise ValueError(
                f"a batch of {min(left, batch_size)} row(s) cannot be shared by "
                f"{n_processes} processes; choose another batch_size."
            )
        generator = torch.Generator().manual_seed(seed)
        return Batches(dataset, batch_size, generator, self.processes_.process, n_processes)

    # ------------------------------------------------------------ steps

    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        """skorch's loop over the epochs."""
        self.fitting_, self.n_steps_ = True, 0
        self.module_.zero_grad()  # of a fit that was interrupted
        torch.manual_seed(self._epoch_seed + self.processes_.process)  # each its own dropout
        try:
            return super().fit_loop(X, y, epochs=epochs, **fit_params)
        finally:
            self.fitting_, self.held_out_ = False, None

    @property
    def _epoch_seed(self):
        """A new seed for every epoch, and the next number for that of held-out batches."""
        return self.seed_ + 2 * len(self.history)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """skorch's epoch, and a last step if gradients are still being accumulated."""
        super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
        if training and self.processes_.n_batches:
            self._step(batch=None)

    def train_step(self, batch, **fit_params):
        """Gradients of a batch, and a step once all its gradients are there.

        Without held-out rows α takes the gradient of the same batch; with them, of those alone.
        """
        if self._learns:
            alphas = held_by(self.alpha_optimizer_)
            set_requires_grad(alphas, self._learns_here() and not self._holds_out)
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
            self.held_out_.step(self)
        self.n_steps_ += 1

    def _learns_here(self):
        """Whether α moves in this step."""
        return self._learns and self.n_steps_ % self.alpha_every == 0

    def train_step_single(self, batch, **fit_params):
        """Forward and backward pass of a batch."""
        self._set_training(True)
        inputs, codes = batch
        logits = self.infer(inputs)
        losses = self._losses(logits, codes, inputs)
        self.processes_.backward(losses)
        return {"loss": losses.detach().mean(), "y_pred": logits.detach()}
