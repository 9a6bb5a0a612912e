"""What happens when training diverges."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback


class StopAtDivergence(Callback):
    """Ends a fit whose loss or parameters are infinite or NaN, and restores the best epoch.

    The best epoch has the lowest validation loss, or training loss if no rows validate. Before the
    first epoch has ended it is the start. Only the last loss of an epoch counts, because with
    float16 a step that overflows is skipped.
    """

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.best_ = None

    def on_epoch_begin(self, net, **kwargs):
        if self.best_ is None:
            self.best_ = np.inf, 0, _copy(net)

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        values = net.module_.state_dict().values()
        finite = all(value.isfinite().all() for value in values)
        losses = [batch["train_loss"] for batch in row["batches"] if "train_loss" in batch]
        finite &= bool(np.isfinite(losses[-1]))
        loss = row.get("valid_loss", row.get("train_loss", -row["epoch"]))
        # All processes have the same parameters, but each has its own losses.
        finite, loss = net.processes_.mean([float(finite), loss])
        if finite < 1:
            self._return_to_best(net, row["epoch"])
        if loss < self.best_[0]:
            self.best_ = loss, row["epoch"], _copy(net)

    def _return_to_best(self, net, epoch):
        _, best, state = self.best_
        net.module_.load_state_dict(state)
        net.initialize_optimizer()  # its moments are not finite either
        kept = f"of epoch {best}" if best else "before training"
        warnings.warn(
            f"training diverged in epoch {epoch}: the loss or a parameter became infinite or "
            f"NaN. The net is now in its state {kept}; lower lr={net.lr:g}.",
            ConvergenceWarning,
            stacklevel=2,
        )
        raise KeyboardInterrupt  # skorch's way to end a fit

    def on_train_end(self, net, X=None, y=None, **kwargs):
        self.best_ = None  # pickles do not keep it


def _copy(net):
    return {name: value.detach().clone() for name, value in net.module_.state_dict().items()}
