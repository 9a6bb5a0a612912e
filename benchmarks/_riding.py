"""Held-out rows that ride in the training batch: α moves in every step, at their cost alone.

Of a batch the first rows are the adapter's, the last k were held out for α. One forward and one
backward pass give

    ∇_{A, B, head} of the loss of the first rows,     ∇_α of the loss of the last k,

the gradients of two separate passes: in every adapted layer the first rows meet α, and the last
rows A and B, as constants. (The two kinds of rows must not meet elsewhere, as in a batch norm.)
"""

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import ConcatDataset

from sklearn_alpha.neural_network import AlphaLoRANetClassifier
from sklearn_alpha.neural_network._peft import RowScale, alpha_layers
from sklearn_alpha.neural_network._texts import Collate, lengths_of


class SplitRows(RowScale):
    """`RowScale` of which the last `n_riders` rows of a batch reach α only, the others A and B."""

    n_riders = 0

    def forward(self, module, active_adapter, x, result, **kwargs):
        k = self.n_riders
        if not k:
            return super().forward(module, active_adapter, x, result, **kwargs)
        alpha = self.alpha(module, active_adapter)
        A, B = module.lora_A[active_adapter].weight, module.lora_B[active_adapter].weight
        x = module.lora_dropout[active_adapter](x)
        parts = (
            (x[:-k], result[:-k], alpha.detach(), A, B),
            (x[-k:], result[-k:], alpha, A.detach(), B.detach()),
        )
        bias = module.get_base_layer().bias
        outputs = []
        for rows, frozen, scale, down, up in parts:
            low = functional.linear(rows, down) * module.scaling[active_adapter]
            delta = functional.linear(low, up)
            if bias is not None and not self.scale_bias:
                delta = delta + (1 - scale) * bias
            outputs.append(torch.addcmul(delta, scale, frozen))
        return torch.cat(outputs)


class RidingBatches:
    """Batches of a `batch_sampler`, each with k rows held out, of about the batch's length.

    Of the held-out rows, in random order and repeated as often as it takes, k go to every batch;
    the shorter ones to the batches of shorter rows, so that they add little padding.

    Parameters
    ----------
    batches : Batches
        Of the adapter's rows.
    held : Subset
        Rows held out; their numbers follow those of the adapter's rows.
    k : int
    generator : torch.Generator
    """

    def __init__(self, batches, held, k, generator):
        self.batches, self.k, self.generator = batches, k, generator
        self.lengths = torch.from_numpy(lengths_of(held))

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        batches = list(self.batches)
        n_own, n_held = len(self.batches.lengths), len(self.lengths)
        passes = -(-self.k * len(batches) // n_held)
        order = torch.cat([torch.randperm(n_held, generator=self.generator) for _ in range(passes)])
        order = order[: self.k * len(batches)]
        order = order[torch.argsort(self.lengths[order], stable=True)] + n_own
        longest = [int(self.batches.lengths[batch].max()) for batch in batches]
        riders = order.view(len(batches), self.k)[np.argsort(np.argsort(longest, kind="stable"))]
        for batch, extra in zip(batches, riders.tolist()):
            yield batch + extra


class RidingNetClassifier(AlphaLoRANetClassifier):
    """`AlphaLoRANetClassifier` whose held-out rows ride along; `alpha_every` is 1.

    `alpha_split` must be positive; a quarter of `batch_size` rows ride in each
    batch. In one process only.
    """

    def initialize_module(self):
        """The network, with variants that can tell the two kinds of rows apart."""
        super().initialize_module()
        for layer in alpha_layers(self.module_.network).values():
            layer.lora_variant["default"] = SplitRows(layer.lora_variant["default"].scale_bias)
        return self

    def get_iterator(self, dataset, training=False):
        """Batches of both kinds of rows in training."""
        if not training:
            return super().get_iterator(dataset, training)
        held = self.held_out_.rows
        self.riders_ = min(max(1, self.batch_size // 4), len(held))
        batches = RidingBatches(
            self._batches(dataset, self.batch_size, self._epoch_seed),
            held,
            self.riders_,
            torch.Generator().manual_seed(self._epoch_seed + 1),
        )
        both = ConcatDataset([dataset, held])
        return self.iterator_train(both, batch_sampler=batches, collate_fn=Collate(self.tokenizer_))

    def train_step(self, batch, **fit_params):
        """A step of everything."""
        self._set_training(True)
        step = self.backward(batch, self.riders_)
        trained = [(name, p) for name, p in self.get_all_learnable_params() if p.requires_grad]
        self.notify("on_grad_computed", named_parameters=trained, batch=batch, training=True)
        self.processes_.step(self.optimizer_, self.alpha_optimizer_)
        self.n_steps_ += 1
        return step

    def backward(self, batch, k):
        """Gradients of a batch whose last `k` rows ride."""
        inputs, codes = batch
        layers = alpha_layers(self.module_.network).values()
        for layer in layers:
            layer.lora_variant["default"].n_riders = k
        try:
            logits = self.infer(inputs)
        finally:
            for layer in layers:
                layer.lora_variant["default"].n_riders = 0
        losses = self._losses(logits, codes, inputs)
        own, held = losses[:-k].mean(), losses[-k:].mean()
        # The head has no constants to hand out: the graph from the loss to it is short, so its
        # gradient is taken beforehand, from the adapter's rows alone.
        named = self.module_.named_parameters()
        head = [p for name, p in named if p.requires_grad and "lora_" not in name]
        kept = torch.autograd.grad(own, head, retain_graph=True)
        (own + held).backward()
        for p, gradient in zip(head, kept):
            p.grad = gradient
        return {"loss": own.detach(), "y_pred": logits[:-k]}
