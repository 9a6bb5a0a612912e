"""Saves of networks that are killed or run out of space, and folders that are damaged."""

import logging
import os
import random
import resource
import shutil
import signal
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
import transformers
from skorch.callbacks import Callback
from torch import nn

from benchmarks.reliability._outcomes import ANSWERED, REFUSED, WRONG, counted, outcome
from sklearn_alpha import AlphaLoRANetClassifier

P = 16
SAVES = "save, and then load"
N_DAMAGES = 40  # of each kind, to each file
N_LIMITS = 100  # to the length of files
N_ENTRIES = 3  # of the folder of a net: manifest, model card and one part


def perceptron(width=128):
    """A small network, the same each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Linear(P, width), nn.Tanh(), nn.Linear(width, width), nn.Linear(width, 2)
        )


MODULE = perceptron()  # which nets copy: threads share torch's generator


def rows(seed, n=40):
    """Rows and labels, and None for a source."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n, P)).astype(np.float32), np.arange(n) % 2
    X[:, 0] += y
    return X, y, None


def net(seed):
    """A net that is quickly fitted."""
    return AlphaLoRANetClassifier(MODULE, max_epochs=1, random_state=seed)


def fitted(seed):
    """Probabilities of a fit of its own."""
    X, y, _ = rows(seed)
    return net(seed).fit(X, y).predict_proba(X)


class Interrupt(Callback):
    """Ctrl-C after the first batch, which skorch takes as the end of training."""

    def on_batch_end(self, net, **options):
        raise KeyboardInterrupt


def interrupted(seed):
    """Whether a fit was interrupted."""
    X, y, _ = rows(seed)
    one = net(seed).set_params(callbacks=[Interrupt()], max_epochs=3).fit(X, y)
    return len(one.history_) < 3


def global_state():
    """What all code of a process shares, and a fit must leave as it was."""
    return (
        torch.get_rng_state().numpy().tobytes(),
        np.random.get_state()[1].tobytes(),  # noqa: NPY002  (the shared one is meant)
        random.getstate(),
        list(warnings.filters),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        logging.getLogger().level,
        transformers.logging.get_verbosity(),
    )


def shared_state():
    """The generators, warnings and settings of a process before and after a fit."""
    for case, work in (("a fit", fitted), ("a fit that Ctrl-C ends", interrupted)):
        outcomes = []
        for seed in range(5):
            before = global_state()
            done = np.any(work(seed)) and global_state() == before
            outcomes.append((ANSWERED, "") if done else (WRONG, "another state"))
        yield counted("global state, the same afterwards", case, outcomes)


def two_nets():
    """Two fitted nets, and their probabilities on the same rows."""
    X, y, _ = rows(0)
    nets = [net(seed).fit(X, y) for seed in (0, 1)]
    return nets, [one.predict_proba(X) for one in nets]


def read(folder):
    """Probabilities of the net in a folder."""
    return AlphaLoRANetClassifier.load(folder, model=MODULE).predict_proba(rows(0)[0])


def n_whole(folder, expected):
    """Number of the net that a folder holds; an error if it is neither."""
    found = read(folder)
    (number,) = (i for i, values in enumerate(expected) if np.array_equal(values, found))
    return number


def in_child(work):
    """The status of a process that does some work, as `os.waitpid` gives it, and its id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork is safe with one thread
        child = os.fork()
    if not child:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return child


def n_entries(folder):
    """Files and subfolders of a folder."""
    return len(list(folder.iterdir()))


def killed(n_kills):
    """Processes that save over a folder and are killed at a random moment of it."""
    nets, expected = two_nets()
    rng, outcomes = np.random.default_rng(0), []

    def save_in_turn(first):
        for turn in range(first, first + 10_000):
            nets[turn % 2].save(folder)

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "net"
        start = time.perf_counter()
        for turn in range(10):
            nets[turn % 2].save(folder)
        length = (time.perf_counter() - start) / 10
        for _ in range(n_kills):
            child = in_child(lambda: save_in_turn(int(rng.integers(2))))
            time.sleep(rng.uniform(0, 2 * length))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            found = outcome(lambda: n_whole(folder, expected), lambda number: True)
            outcomes.append((WRONG, "no net") if found[0] == REFUSED else found)
        nets[1].save(folder)
        is_clean = n_entries(folder) == N_ENTRIES and len(list(Path(place).iterdir())) == 1
        is_whole = n_whole(folder, expected) == 1
    last = (ANSWERED, "") if is_clean and is_whole else (WRONG, "files are left")
    yield counted(SAVES, "killed at a random moment: the old net or the new one", outcomes)
    yield counted(SAVES, "the save after these: the new net, and no other file", [last])


def full():
    """Saves into a place where no file may become longer than some bytes."""
    nets, expected = two_nets()
    rng, outcomes = np.random.default_rng(0), []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "net"
        nets[0].save(folder)
        largest = max(file.stat().st_size for file in folder.rglob("*") if file.is_file())

        def save_within(limit):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            nets[1].save(folder)

        for _ in range(N_LIMITS):
            limit = int(rng.integers(largest))
            child = in_child(lambda limit=limit: save_within(limit))
            failed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
            is_old = n_whole(folder, expected) == 0 and n_entries(folder) == N_ENTRIES
            outcomes.append((REFUSED, "") if failed and is_old else (WRONG, "not the old net"))
    yield counted(SAVES, "no space for a file: an OSError, and the old net", outcomes)


def damaged():
    """Folders in which one file is not as it was written."""
    nets, expected = two_nets()
    rng = np.random.default_rng(0)
    damages = {
        "one bit flipped": flipped,
        "truncated": lambda content, rng: content[: rng.integers(len(content))],
        "random bytes in the middle": overwritten,
        "missing": lambda content, rng: None,
    }
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "net"
        nets[0].save(folder)
        # the model card is for people, and not read
        files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "README.md")
        for case, damage in damages.items():
            outcomes = []
            for file in files:
                content = file.read_bytes()
                for _ in range(N_DAMAGES if case != "missing" else 1):
                    changed = damage(content, rng)
                    file.unlink() if changed is None else file.write_bytes(changed)
                    outcomes.append(
                        outcome(lambda: read(folder), lambda f: np.array_equal(f, expected[0]))
                    )
                    file.write_bytes(content)
            yield counted("load of a damaged folder", case, outcomes)
        shutil.rmtree(folder)


def flipped(content, rng):
    """Bytes with one bit changed."""
    changed = bytearray(content)
    changed[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def overwritten(content, rng):
    """Bytes with some in a row replaced."""
    start = int(rng.integers(len(content)))
    return content[:start] + rng.bytes(8) + content[start + 8 :]
