"""Rows that ride along: the gradients of two separate passes, and batches of alike length."""

import numpy as np
import pytest
import torch
from torch.utils.data import Subset

from benchmarks._riding import RidingBatches, RidingNetClassifier
from sklearn_alpha.neural_network._peft import alpha_parameters
from sklearn_alpha.neural_network._texts import Batches, Collate, EncodedRows
from tests.neural_network.conftest import make_module, make_numbers, make_texts


def fitted(kind, tiny_bert):
    """A net away from its start, where B = 0 and α = 1 would hide mistakes, and its rows."""
    if kind == "text":
        model, (X, y) = tiny_bert, make_texts(30)
    else:
        model, (X, y) = make_module(), make_numbers(30)
    net = RidingNetClassifier(
        model, rank=2, lora_alpha=3, alpha_split=0.2, max_epochs=1, lr=0.02, random_state=0
    )
    net.fit(X, y)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        for p in net.module_.parameters():
            if p.requires_grad:
                p.add_(0.1 * torch.randn(p.shape, generator=generator))
    rows = net.get_dataset(X)
    rows.codes = np.searchsorted(net.classes_, y)
    rows.weights = np.linspace(0.5, 1.5, len(y)).astype(np.float32)
    return net, rows


@pytest.mark.parametrize("kind", ["text", "numbers"])
def test_gradients_are_those_of_two_passes(kind, tiny_bert):
    net, rows = fitted(kind, tiny_bert)
    (inputs, weights), codes = Collate(net.tokenizer_)([rows[i] for i in range(12)])
    # in double precision, so that sums in another order differ by nothing that counts
    net.module_.double()
    inputs = {name: t.double() if t.is_floating_point() else t for name, t in inputs.items()}
    batch = (inputs, weights.double()), codes
    alphas = {id(p) for p in alpha_parameters(net.module_.network).values()}
    trained = [(name, p) for name, p in net.module_.named_parameters() if p.requires_grad]
    k = 4

    def gradients(backward):
        net.module_.zero_grad()
        backward()
        return {name: p.grad.clone() for name, p in trained}

    def apart():
        inputs, codes = batch
        losses = net._losses(net.infer(inputs), codes, inputs)
        of_alpha = [p for _, p in trained if id(p) in alphas]
        of_rest = [p for _, p in trained if id(p) not in alphas]
        for part, own in ((losses[:-k], of_rest), (losses[-k:], of_alpha)):
            for p, gradient in zip(own, torch.autograd.grad(part.mean(), own, retain_graph=True)):
                p.grad = gradient

    net.module_.eval()
    together, expected = gradients(lambda: net.backward(batch, k)), gradients(apart)
    assert any(id(p) in alphas for _, p in trained)
    for name, gradient in expected.items():
        torch.testing.assert_close(together[name], gradient, rtol=1e-6, atol=1e-9, msg=name)
        assert gradient.abs().max() > 0


@pytest.mark.parametrize("kind", ["text", "numbers"])
def test_predictions_are_those_of_alpha_lora(kind, tiny_bert):
    net, rows = fitted(kind, tiny_bert)
    merged = net.merged_model()
    (inputs, _), _ = Collate(net.tokenizer_)([rows[i] for i in range(6)])
    with torch.no_grad():
        expected = merged(**inputs).logits if kind == "text" else merged(inputs[""])
        net.module_.eval()
        torch.testing.assert_close(net.module_(inputs), expected, rtol=1e-4, atol=1e-5)


def test_batches_carry_every_held_out_row_equally_often_and_by_length():
    lengths = np.arange(1, 41)
    rows = EncodedRows({"input_ids": [[0] * length for length in lengths]})
    own, held = Subset(rows, list(range(0, 40, 2))), Subset(rows, list(range(1, 40, 2)))
    batches = Batches(own, 4, torch.Generator().manual_seed(0))
    riding = RidingBatches(batches, held, 4, torch.Generator().manual_seed(1))
    seen, longest = [], []
    assert len(riding) == 5
    for batch in riding:
        assert len(batch) == 8
        assert all(i < 20 for i in batch[:4])
        assert all(i >= 20 for i in batch[4:])
        seen += batch
        longest.append([max(lengths[::2][batch[:4]]), max(lengths[1::2][np.array(batch[4:]) - 20])])
    assert sorted(seen) == list(range(40))
    longest = np.array(longest)
    np.testing.assert_array_equal(np.argsort(longest[:, 0]), np.argsort(longest[:, 1]))
