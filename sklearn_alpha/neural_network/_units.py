"""Units of the targets of a regression: the network predicts them standardised.

    z = (y − m) / s        m: weighted means of y, s: weighted standard deviations, per output

so that step sizes and losses do not depend on the units. The last layer v·x + b is in units of z
while the net trains; it returns to those of y as s v·x + (s b + m). A head without bias cannot hold
m: then m = 0 and s² is the mean of y². If the outputs of a module are not those of its last linear
layer, nothing is standardised: m = 0, s = 1.
"""

import numpy as np
import torch
from peft.tuners.lora.layer import LoraLayer

from sklearn_alpha.neural_network._weights import stores_transpose


def moments(Y, weights):
    """Means and standard deviations (n_outputs,), of the rows repeated by their weights."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.average(Y, axis=0, weights=weights)
        return mean, np.sqrt(np.average((Y - mean) ** 2, axis=0, weights=weights))


def units_for(base, row_shape, mean, deviation):
    """m and s that the last layer of a network can hold."""
    if row_shape is not None and not ends_with_its_last_layer(base, row_shape):
        return np.zeros_like(mean), np.ones_like(deviation)
    if base.network.get_submodule(base.last_layer).bias is None:
        mean, deviation = np.zeros_like(mean), np.hypot(mean, deviation)
    # a column of one value, up to rounding
    is_constant = deviation <= 1e-12 * abs(mean)
    return mean, np.where(is_constant, 1.0, deviation)


def ends_with_its_last_layer(base, row_shape):
    """Whether a network of numbers returns what its last linear layer does."""
    found = []
    layer = base.network.get_submodule(base.last_layer)
    hook = layer.register_forward_hook(lambda module, inputs, output: found.append(output))
    rows = torch.randn(4, *row_shape, generator=torch.Generator().manual_seed(0))
    base.network.eval()
    try:
        with torch.no_grad():
            outputs = base.network(rows)
    finally:
        hook.remove()
    return len(found) == 1 and torch.equal(found[0], outputs)


def to_standardised(layer, mean, scale):
    """Turn a linear layer from units of y to those of z."""
    rescale(layer, -mean / scale, 1 / scale)


def to_units(layer, mean, scale):
    """Turn a linear layer, also one with an adapter, from units of z to those of y."""
    rescale(layer, mean, scale)


@torch.no_grad()
def rescale(layer, shift, factor):
    """Let a layer return factor·f(x) + shift instead of f(x)."""
    plain = layer.get_base_layer() if isinstance(layer, LoraLayer) else layer
    factor, shift = torch.as_tensor(factor), torch.as_tensor(shift)
    # on the CPU, because not every device has float64
    rows = plain.weight.cpu().double()
    plain.weight.copy_(rows * (factor if stores_transpose(layer) else factor[:, None]))
    if plain.bias is not None:
        plain.bias.copy_(plain.bias.cpu().double() * factor + shift)
    if isinstance(layer, LoraLayer):
        for B in layer.lora_B.values():
            B.weight.copy_(B.weight.cpu().double() * factor[:, None])
