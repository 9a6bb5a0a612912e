"""Dropout: the formula, its draw, and that `fit` alone has it."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn
from torch.testing import assert_close

from sklearn_alpha import AlphaLoRANetClassifier
from sklearn_alpha.neural_network import _dropout
from sklearn_alpha.neural_network._dropout import Dropout, draw_kept, quick_dropout
from tests.neural_network.conftest import make_numbers


@pytest.mark.parametrize("p", [2**-16, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(1,), (3, 5, 7), (50, 10, 20, 20)])
def test_each_entry_is_kept_as_often_as_it_should(p, shape):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        draws = torch.stack([draw_kept(shape, p) for _ in range(max(1, 4000 // np.prod(shape)))])
        again = draw_kept(shape, p)
        torch.manual_seed(0)
        assert torch.equal(draw_kept(shape, p), draws[0])
    assert again.shape == shape
    assert again.dtype == torch.float32
    assert set(draws.unique().tolist()) <= {0.0, 1.0}
    # 4.5 standard errors, and some for rare events
    n = draws.numel()
    assert abs(float(draws.double().mean()) - (1 - p)) < 4.5 * np.sqrt(p * (1 - p) / n) + 3 / n
    # the four entries of 64 bits are drawn apart
    fours = draws.flatten()[: n // 4 * 4].view(-1, 4).double() - (1 - p)
    covariance = (fours.T @ fours / len(fours)).fill_diagonal_(0)
    assert covariance.abs().max() < 4.5 * p * (1 - p) / np.sqrt(len(fours)) + 3 / n


def test_nearly_all_may_be_dropped():
    with torch.random.fork_rng():
        torch.manual_seed(0)  # the least that can be kept is an entry in 2¹⁶: a few draws have one
        assert draw_kept((1000,), 1 - 2**-20).sum() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_it_is_the_formula_and_its_gradient(dtype, monkeypatch):
    D = (torch.arange(30).view(5, 6) % 4 > 0).float()
    monkeypatch.setattr(_dropout, "draw_kept", lambda shape, p: D.clone())
    x = torch.linspace(-1, 2, 30, dtype=dtype).view(5, 6).requires_grad_()
    layer = Dropout(0.2)
    y = layer(x)
    assert y.dtype == dtype
    assert_close(y, (D / 0.8).to(dtype) * x)
    y.sum().backward()
    assert_close(x.grad, (D / 0.8).to(dtype))
    assert layer.eval()(x) is x


@pytest.mark.parametrize("layer", [Dropout(0.0), Dropout(1.0), Dropout(0.3, inplace=True)])
def test_what_is_not_random_or_in_place_is_pytorchs(layer, monkeypatch):
    monkeypatch.delattr(_dropout, "draw_kept")
    results = []
    for each in (layer, nn.Dropout(layer.p, layer.inplace)):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            results.append(each(torch.ones(100)))
    assert torch.equal(*results)


def test_layers_draw_quickly_inside_and_are_as_they_were_outside():
    """Whatever is done to them meanwhile."""
    twice = nn.Dropout(0.3)
    network = nn.ModuleDict(
        {
            "plain": nn.Dropout(0.1),
            "deep": nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)),
            "of channels": nn.Dropout1d(0.1),
            "one": twice,
            "two": twice,
        }
    )
    before = dict(network.named_modules())
    kinds = {name: type(m) for name, m in before.items()}
    seen = []
    twice.register_forward_hook(lambda *args: seen.append(args))

    def fails():
        with quick_dropout(network):
            own = {name for name, m in network.named_modules() if type(m) is Dropout}
            assert own == {"plain", "deep.1", "one"}
            network["two"](torch.ones(2))
            twice.p = 0.2
            network.eval()
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert dict(network.named_modules()) == before
    assert {name: type(m) for name, m in network.named_modules()} == kinds
    assert len(seen) == 1
    assert twice.p == 0.2
    assert not any(m.training for m in network.modules())


class Watch(Callback):
    """Kinds of dropout in a fit's steps, and in the model that is merged meanwhile."""

    def __init__(self):
        self.kinds, self.merged = set(), set()

    def on_batch_end(self, net, **kwargs):
        self.kinds.add(type(net.module_.network.get_base_model()[1]))

    def on_epoch_end(self, net, **kwargs):
        self.merged.add(type(net.merged_model()[1]))


def test_fit_has_it_and_leaves_nothing():
    X, y = make_numbers()
    module = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2))
    watch = Watch()
    options = {"rank": 2, "max_epochs": 2, "random_state": 0, "lr": 0.01}
    net = AlphaLoRANetClassifier(module, callbacks=[watch], **options).fit(X, y)
    assert watch.kinds == {Dropout}
    assert watch.merged == {nn.Dropout}
    assert type(net.module_.network.get_base_model()[1]) is nn.Dropout
    assert type(net.merged_model()[1]) is nn.Dropout
    again = AlphaLoRANetClassifier(module, **options).fit(X, y)
    np.testing.assert_array_equal(again.decision_function(X), net.decision_function(X))
