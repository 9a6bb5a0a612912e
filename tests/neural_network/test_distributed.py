"""Several processes, accumulated gradients and mixed precision: the steps of one plain process."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sklearn_alpha import AlphaLoRANetClassifier
from sklearn_alpha.neural_network import _distributed
from sklearn_alpha.neural_network._distributed import Accelerated
from sklearn_alpha.neural_network._state import trained_state
from tests.neural_network.conftest import make_module, make_numbers, make_texts

X, Y = make_numbers(44)
WEIGHT = np.random.default_rng(0).uniform(0.2, 3, size=44)
# 9 rows are shared as 5 and 4, and the last 8 of a pass as 4 and 4
OPTIONS = {"max_epochs": 3, "rank": 2, "batch_size": 9, "lr": 0.02, "alpha_lr": 0.05}
OPTIONS |= {"callbacks__anchor": None}  # which several processes do not have


def fit(**options):
    net = AlphaLoRANetClassifier(make_module(), random_state=0, **{**OPTIONS, **options})
    return net.fit(X, Y, sample_weight=WEIGHT)


ACCUMULATE = {"gradient_accumulation_steps": 2}


def launch(program, *arguments):
    """Run a program in two processes under accelerate, on the CPU."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    # accelerate starts several processes by its launcher of that name; the devices are its own.
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"]
    command += ["--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"]
    command += ["--dynamo_backend", "no", "--main_process_port", str(port)]
    command += [str(program), *map(str, arguments)]
    environment = {
        **os.environ,
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.getcwd(),
    }
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]


CASES = {
    "numbers": {},
    "held out": {"alpha_split": 0.5, "alpha_every": 2, "batch_size": 5},
    "early stopping": {
        "early_stopping": True,
        "n_iter_no_change": 2,
        "max_epochs": 6,
        "batch_size": 7,
    },
    "text": {},
}
PROGRAM = """
import sys, torch
from tests.neural_network.test_distributed import CASES, fit_case
from sklearn_alpha.neural_network._state import trained_state
bert, out = sys.argv[1:]
nets = {case: fit_case(case, bert) for case in CASES}
assert all(net.processes_.n_processes == 2 for net in nets.values())
if nets["text"].processes_.process == 1:  # any will do: all hold the same
    torch.save({case: trained_state(net) for case, net in nets.items()}, out)
torch.distributed.barrier()  # else one of them may end while the other still sends
torch.distributed.destroy_process_group()
"""


def fit_case(case, bert):
    if case == "text":
        options = {"max_epochs": 2, "rank": 2, "batch_size": 8, "random_state": 0}
        options |= {"callbacks__anchor": None}
        return AlphaLoRANetClassifier(bert, **options).fit(*make_texts(44))
    return fit(**CASES[case])


def test_two_processes_train_what_one_does(tmp_path, tiny_bert):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    launch(program, tiny_bert, tmp_path / "states.pt")
    states = torch.load(tmp_path / "states.pt")
    for case in CASES:
        expected = trained_state(fit_case(case, tiny_bert))
        assert states[case].keys() == expected.keys()
        for name in expected:
            assert_allclose(states[case][name], expected[name], atol=2e-5, err_msg=name)


@pytest.mark.parametrize("split", [0.0, 0.25])
def test_accumulated_gradients_are_those_of_the_large_batch(split):
    # One batch holds all rows, so that the order in which small ones come does not matter.
    n = 44 if split == 0 else 33
    small = fit(
        batch_size=11,
        alpha_split=split,
        alpha_every=2,
        callbacks__lr_decay=None,
        accelerator={"cpu": True, "gradient_accumulation_steps": n // 11},
    )
    large = fit(
        batch_size=n,
        alpha_split=split,
        alpha_every=2,
        callbacks__lr_decay=None,
    )
    assert_allclose(small.decision_function(X), large.decision_function(X), atol=1e-4)
    assert small.n_steps_ == large.n_steps_ == 3


def test_batches_left_over_at_the_end_of_an_epoch_make_a_step():
    options = {"batch_size": 12, "callbacks__lr_decay": None}  # 12 + 12 + 12 + 8 rows
    net = fit(**options, accelerator={"cpu": True, "gradient_accumulation_steps": 3})
    assert net.processes_.n_batches == 0
    assert net.n_steps_ == 6


def test_unequal_batches_weigh_by_their_rows():
    # 30 and 14 rows make one step, which is that of all 44
    options = {"callbacks__lr_decay": None, "accelerator": {"cpu": True}}
    parts = fit(batch_size=30, **options | {"accelerator": {"cpu": True, **ACCUMULATE}})
    assert parts.n_steps_ == 3
    whole = fit(batch_size=44, **options)
    assert_allclose(parts.decision_function(X), whole.decision_function(X), atol=1e-4)


def test_an_accelerator_of_one_process_changes_nothing():
    plain, accelerated = fit(), fit(accelerator={"cpu": True})
    assert_allclose(accelerated.decision_function(X), plain.decision_function(X), atol=1e-5)


@pytest.fixture
def scaled(monkeypatch):
    """Losses scaled as for float16, which is the GPU's alone."""

    def make(*arguments):
        made = Accelerated(*arguments)
        made.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
        return made

    monkeypatch.setattr(_distributed, "Accelerated", make)
    return make


@pytest.mark.usefixtures("scaled")
@pytest.mark.parametrize("options", [{}, {"alpha_split": 0.5, "alpha_every": 2}])
def test_scaled_losses_make_the_same_steps(options):
    plain = fit(**options)
    net = fit(accelerator={"cpu": True}, **options)
    assert net.processes_.accelerator.scaler.get_scale() == 2.0**10
    assert_allclose(net.decision_function(X), plain.decision_function(X), atol=1e-4)


@pytest.mark.parametrize("overflows", [False, True])
def test_a_step_that_overflows_in_any_process_is_left_out_in_all(scaled, overflows):
    """Also in those whose own gradients are finite: else they would drift apart."""
    w = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer, together = torch.optim.SGD([w], lr=1.0), scaled("float32", {"cpu": True}, 4)
    together.backward(w.sum() * torch.tensor([1.0, 2.0, 3.0]))
    if overflows:
        together.accelerator.reduce = lambda total, how: total * torch.tensor([1, np.inf, 1])
    together.gather(optimizer)
    together.step(optimizer)
    moved = torch.tensor([1.0, 2.0]) - (0 if overflows else 2)
    assert torch.equal(w.detach(), moved)
    assert together.accelerator.scaler.get_scale() == 2.0 ** (9 if overflows else 10)


def test_bfloat16_rounds_products_only():
    plain, half = fit(), fit(precision="bfloat16")
    assert {p.dtype for p in half.module_.parameters()} == {torch.float32}
    assert half.decision_function(X).dtype == np.float32
    difference = half.decision_function(X) - plain.decision_function(X)
    assert 0 < np.abs(difference).max() < 0.2


def test_a_batch_that_cannot_be_shared_is_refused():
    net = AlphaLoRANetClassifier(make_module(), **OPTIONS)
    net.processes_ = type("Two", (), {"n_processes": 2, "process": 0})()
    with pytest.raises(ValueError, match=r"a batch of 1 row\(s\) cannot be shared by 2 processes"):
        net._batches([0] * 9, 8, 0)
