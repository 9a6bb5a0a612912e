"""Dropout on a CPU, where most of what PyTorch's takes is its draw.

    y = D ⊙ x / (1 − p),    D ~ Bernoulli(1 − p) in each entry

Attention drops entries of its own formula by the same D.
"""

import math
from contextlib import contextmanager

import torch
from torch import nn


class Dropout(nn.Dropout):
    """The formula with a quicker draw, where it is random and on a CPU."""

    def forward(self, x):
        if not (self.training and 0 < self.p < 1 and x.is_cpu) or self.inplace:
            return super().forward(x)
        return x * draw_kept(x.shape, self.p).div_(1 - self.p).to(x.dtype)


@contextmanager
def quick_dropout(network):
    """Inside, a network's layers of dropout are of the class `Dropout`."""
    try:
        for module in network.modules():
            if type(module) is nn.Dropout:
                module.__class__ = Dropout  # the same module, with its mode, rate and hooks
        yield
    finally:
        restore_dropout(network)


def restore_dropout(network):
    """PyTorch's own class for layers of dropout."""
    for module in network.modules():
        if type(module) is Dropout:
            module.__class__ = nn.Dropout


def draw_kept(shape, p):
    """D: of each 64 bits that are drawn four entries, so that p is a multiple of 2⁻¹⁶."""
    n = math.prod(shape)
    bits = torch.empty(-(-n // 4), dtype=torch.int64).random_(-(2**63), None)
    least = min(round(p * 2**16), 2**16 - 1) - 2**15
    kept = bits.view(torch.int16)[:n].view(shape) >= least
    return kept.view(torch.uint8).float()  # by bytes in a fifth of the time
