"""One process, or several under accelerate: which computes which rows, and the sum of gradients."""

import os
import threading
from contextlib import contextmanager, nullcontext

import torch

drawing = threading.RLock()


class OneProcess:
    """Plain PyTorch on one device."""

    process, n_processes = 0, 1
    n_batches = 0  # whose gradients are accumulated so far

    def __init__(self, device, precision):
        self.device = torch.device(device)
        self.precision = precision

    def autocast(self):
        """Context of the forward pass."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, getattr(torch, self.precision))

    def backward(self, losses):
        """Gradient of the mean over the rows."""
        losses.mean().backward()

    def ready(self):
        """Whether all batches of a step have been computed."""
        return True

    def gather(self, *optimizers):
        """Turn the gradients of the optimizers' parameters into those of the mean over all rows."""

    def step(self, *optimizers):
        """Take a step with each optimizer."""
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()

    def agree(self, value):
        """The value of the first process, in all processes."""
        return value

    def mean(self, values):
        """Means of numbers over the processes."""
        return values


class Accelerated(OneProcess):
    """Several processes, accumulated gradients or float16, through `accelerate.Accelerator`.

    Each process adds up the gradients of its rows over the batches of one step. Sums and row counts
    are added over the processes, then divided. So a step equals that of one process with all these
    rows, however they are divided. Only gradients of trained parameters are communicated.
    """

    def __init__(self, precision, options, batch_size):
        from accelerate import Accelerator

        self.accelerator = Accelerator(**options)
        super().__init__(self.accelerator.device, precision)
        self.batch_size = batch_size
        self.process = self.accelerator.process_index
        self.n_processes = self.accelerator.num_processes
        self.n_rows, self.n_batches = 0, 0

    def autocast(self):
        # accelerate has one precision for the whole program; `precision` belongs to one net.
        if self.precision == "float32":
            return self.accelerator.autocast()
        return super().autocast()

    def backward(self, losses):
        accelerator = self.accelerator
        # `backward` divides by the number of batches, as the row count below already does.
        # The loss is about a mean because a sum may overflow in float16.
        mean = losses.sum() / self.batch_size
        accelerator.backward(mean * accelerator.gradient_accumulation_steps)
        self.n_rows += len(losses)
        self.n_batches += 1

    def ready(self):
        return self.n_batches >= self.accelerator.gradient_accumulation_steps

    def gather(self, *optimizers):
        held = [p for optimizer in optimizers for p in held_by(optimizer)]
        parameters = [p for p in held if p.grad is not None]
        n_rows = torch.tensor([float(self.n_rows)], device=self.device)
        total = torch.cat([n_rows, *(p.grad.ravel() for p in parameters)])
        total = self.accelerator.reduce(total, "sum")
        mean = total[1:] * (self.batch_size / total[0])
        mean = mean.split([p.numel() for p in parameters])
        for p, gradient in zip(parameters, mean):
            p.grad = gradient.view_as(p)
        if self.accelerator.scaler is not None:
            # after the sum, so that all processes skip the same steps
            for optimizer in optimizers:
                self.accelerator.scaler.unscale_(optimizer)
        self.n_rows, self.n_batches = 0, 0

    def step(self, *optimizers):
        scaler = self.accelerator.scaler
        if scaler is None:
            super().step(*optimizers)
            return
        for optimizer in optimizers:
            scaler.step(optimizer)
            optimizer.zero_grad()
        scaler.update()

    def agree(self, value):
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]

    def mean(self, values):
        values = torch.tensor(values, dtype=torch.float32, device=self.device)
        return self.accelerator.reduce(values, "mean").tolist()


def held_by(optimizer):
    """Parameters of an optimizer."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def processes(device, precision, accelerator, batch_size):
    """How this fit runs.

    Parameters
    ----------
    device : str
    precision : {"float32", "bfloat16"}
    accelerator : dict or None
        Arguments of `accelerate.Accelerator`. None uses one only if `accelerate launch` or
        `torchrun` started several processes.
    batch_size : int
        Roughly the rows of a batch: a scale of the loss that cancels in its gradient.
    """
    if accelerator is None and int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return OneProcess(device, precision)
    return Accelerated(precision, dict(accelerator or {}), batch_size)


@contextmanager
def reproducible(seed, process):
    """Seed torch's generators inside, and restore them afterwards.

    All threads share these generators, so only one thread is inside at a time.
    """
    devices = [process.device] if process.device.type == "cuda" else []
    with drawing, torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
