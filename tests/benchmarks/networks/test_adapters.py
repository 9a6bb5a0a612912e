"""Every method trains what it says and nothing else, from the same start; tables are paired."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.frozen import FrozenEstimator

from benchmarks._names import LORA
from benchmarks.networks._adapters import AT_THE_PROBE, METHODS
from benchmarks.networks._comparison import against_lora, method_tables
from benchmarks.networks._training import PublishedStart, score, score_net, train
from tests.neural_network.conftest import make_module, make_numbers, make_texts

OPTIONS = {"max_epochs": 1, "batch_size": 8, "rank": 2}
ADAPTERS = {"dora": "lora_magnitude_vector", "probe-dora": "lora_magnitude_vector", "ia3": "ia3_l"}
ADAPTERS |= {"rslora": "lora_B"}
FULL = ("full", "lp-ft")
HELD = ("lora", "plain-lora", "quarter")  # α is given


@pytest.mark.parametrize("kind", ["text", "numbers"])
@pytest.mark.parametrize("method", METHODS)
def test_methods(method, kind, tiny_bert):
    model, (X, y) = (
        (tiny_bert, make_texts(40)) if kind == "text" else (make_module(), make_numbers(40))
    )
    net = train(method, model, X, y, lr=0.01, seed=0, **OPTIONS)
    start = train(method, model, X, y, lr=0.01, seed=0, **OPTIONS | {"max_epochs": 0})
    before = dict(start.module_.named_parameters())
    moved = {n for n, p in net.module_.named_parameters() if not torch.equal(p, before[n])}
    heads = {name for name in moved if re.search(r"model\.(classifier|4)\.", name)}
    body = moved - heads
    assert heads
    if method in FULL:
        assert not any("lora_" in name for name in body)
        weights = {name for name in before if "lora_" not in name and ".embeddings." not in name}
        assert {name for name in weights if name.endswith("weight")} <= moved
        return
    if method == "head":
        assert not body
    elif method in ADAPTERS:
        assert any(ADAPTERS[method] in name for name in body)
    else:
        assert any("lora_B" in name for name in body)
        assert any("lora_row_scale" in name for name in body) == (method not in HELD)
    assert not any("base_layer" in name or "original_module" in name for name in body)
    row = score_net(net, X, y)
    assert (row["alpha_moved"] is None) == (method in ADAPTERS)
    assert net.seconds_ > 0
    assert row["seconds"] > 0
    np.testing.assert_allclose(row["accuracy"], net.score(X, y))


def test_methods_at_the_probe_start_from_the_same_predictions(tiny_bert):
    X, y = make_texts(24)
    logits = [
        train(m, tiny_bert, X, y, lr=0.01, seed=3, **OPTIONS | {"max_epochs": 0}).decision_function(
            X
        )
        for m in AT_THE_PROBE
        if m != "quarter"  # which starts where no other may
    ]
    for other in logits[1:]:
        np.testing.assert_allclose(other, logits[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", sorted({*METHODS} - {*AT_THE_PROBE}))
def test_other_methods_start_from_the_predictions_of_the_source(method, tiny_bert):
    X, y = make_texts(24)
    source = train("lora", tiny_bert, X, y, lr=0.01, seed=3, **OPTIONS)
    start = OPTIONS | {"max_epochs": 0}
    net = train(method, FrozenEstimator(source), X, y, lr=0.01, seed=3, **start)
    P = source.predict_proba(X)
    np.testing.assert_allclose(net.predict_proba(X), P, rtol=1e-4, atol=1e-5)


def test_scale_of_rslora_is_root_of_the_rank():
    X, y = make_numbers(40)
    options = OPTIONS | {"rank": 4, "max_epochs": 0}
    scales = {}
    for method in ("plain-lora", "rslora"):
        net = train(method, make_module(), X, y, lr=0.01, seed=0, **options)
        layers = [m for m in net.module_.modules() if hasattr(m, "lora_A")]
        scales[method] = {layer.scaling["default"] for layer in layers}
    assert scales == {"plain-lora": {1.0}, "rslora": {2.0}}


def test_published_start_has_deviation_one_over_root_of_the_rank():
    X, y = make_numbers(20)
    net = train(
        "lora",
        torch.nn.Sequential(
            *(torch.nn.Linear(*widths) for widths in ((4, 300), (300, 300), (300, 2)))
        ),
        X,
        y,
        lr=0.0,
        seed=0,
        callbacks=[("published_start", PublishedStart())],
        **OPTIONS | {"rank": 4, "max_epochs": 0},
    )
    A = next(p for name, p in net.module_.named_parameters() if ".1.lora_A" in name)
    np.testing.assert_allclose(A.std().item(), 0.5, rtol=4 / np.sqrt(2 * A.numel()))


def test_score_is_scikit_learns():
    X, y = make_numbers(30)
    net = train("lora", make_module(), X, y, lr=0.01, seed=0, **OPTIONS)
    P = net.predict_proba(X)
    result = score(net, X, y, net.classes_)
    np.testing.assert_allclose(result["log_loss"], -np.log(P[np.arange(30), y]).mean())


def test_differences_are_paired_with_lora_on_the_same_draw():
    rows = [
        {"n": 5, "seed": seed, "method": method, "accuracy": base + gain, "log_loss": 1 - base}
        for seed, base in enumerate((0.5, 0.9, 0.6))
        for method, gain in ((LORA, 0.0), ("other", 0.02))
    ]
    summary = against_lora(pd.DataFrame(rows), ["n"]).set_index("method")
    columns = [f"accuracy_{name}" for name in ("difference", "low", "high")]
    np.testing.assert_allclose(summary.loc["other", columns].astype(float), 0.02)
    np.testing.assert_allclose(summary.accuracy[LORA], 2 / 3)
    table = method_tables(summary.reset_index(), ["n"])["n 5"]
    assert table["accuracy, %"].tolist() == ["66.7", "68.7 (+2.0 [+2.0, +2.0])"]
