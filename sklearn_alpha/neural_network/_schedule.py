"""The step size over a fit."""

from skorch.callbacks import Callback, LRScheduler


class LinearDecay(Callback):
    """Step sizes η_t = η₀ (1 − t/T), from their start to zero over the T steps of the fit.

    It does nothing if the net has an `LRScheduler`, which is then the user's choice.
    """

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self._reset()  # an earlier fit may have failed before its end
        chosen = any(isinstance(callback, LRScheduler) for _, callback in net.callbacks_)
        self.start_ = [] if chosen else [(group, group["lr"]) for group in _groups(net)]
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
        self._reset()  # a later `partial_fit` begins at η₀ again

    def _reset(self):
        for group, start in getattr(self, "start_", []):
            group["lr"] = start
        self.start_ = []


def _groups(net):
    for name in net._optimizers:
        yield from getattr(net, f"{name}_").param_groups
