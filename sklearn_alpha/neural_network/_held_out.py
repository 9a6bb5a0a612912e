"""α learned on rows of its own: Algorithm 1 of the α-LoRA paper (arXiv 2510.21345).

Every step:      θ ← θ − η ∇_θ L(batch of training rows),     θ = (A, B, head)
Every T steps:   α ← α − η_α ∇_α L(batch of held-out rows)
"""

import math

import numpy as np
from sklearn.model_selection import train_test_split
from torch.utils.data import Subset

from sklearn_alpha.neural_network._distributed import held_by
from sklearn_alpha.neural_network._texts import Collate


class HeldOutAlpha:
    """The step of α on held-out rows.

    Parameters
    ----------
    rows : Subset
        Rows that neither the adapter nor the head is trained on.
    """

    def __init__(self, rows):
        self.rows = rows
        self.batches = None

    def step(self, net):
        """α ← α − η_α ∇_α L of the next batch; A, B and the head stay."""
        if self.batches is None:
            self.batches = self._draw_batches(net)
        theta = [p for p in held_by(net.optimizer_) if p.requires_grad]
        set_requires_grad(theta, False)
        set_requires_grad(held_by(net.alpha_optimizer_), True)
        try:
            net.train_step_single(next(self.batches))
            net.processes_.gather(net.alpha_optimizer_)
            net.processes_.step(net.alpha_optimizer_)
        finally:
            set_requires_grad(theta, True)

    def _draw_batches(self, net):
        """Batches of the held-out rows, without end."""
        size = min(net.batch_size, len(self.rows))
        collate = Collate(net.tokenizer_)
        batches = net._batches(self.rows, size, net._epoch_seed + 1)
        while True:
            for batch in batches:
                yield collate([self.rows[i] for i in batch])


def hold_out(rows, share, strata, seed):
    """Split rows, stratified unless `strata` is None, into those of the adapter and those of α."""
    own, held = train_test_split(
        np.arange(len(rows)), test_size=share, stratify=strata, random_state=seed
    )
    return Subset(rows, own.tolist()), Subset(rows, held.tolist())


def check_shares(shares, codes, classes):
    """Raise an error unless every class can be on both sides of every split.

    Parameters
    ----------
    shares : dict of str to float
        The share of the rows that each parameter holds out; 0 holds out none.
    codes : ndarray of int
        Class numbers of the rows.
    classes : ndarray
        Labels.
    """
    counts = np.bincount(codes)
    rare = np.flatnonzero(counts == 1)
    for name, share in shares.items():
        n_held = math.ceil(share * len(codes))
        advice = f"add rows, or leave {name} at its default."
        if share and len(rare):
            raise ValueError(
                f"the class {classes.tolist()[rare[0]]!r} has one row, but {name} holds out rows "
                f"of every class; {advice}"
            )
        if share and min(n_held, len(codes) - n_held) < len(counts):
            raise ValueError(
                f"{name} splits {len(codes)} rows into {len(codes) - n_held} and {n_held}, too "
                f"few for {len(counts)} classes; {advice}"
            )


def check_random_shares(shares, n_rows):
    """Raise an error unless there is a row on both sides of every split without classes."""
    for name, share in shares.items():
        n_held = math.ceil(share * n_rows)
        if share and not 0 < n_held < n_rows:
            raise ValueError(
                f"{name} splits {n_rows} rows into {n_rows - n_held} and {n_held}; add rows, or "
                f"leave {name} at its default."
            )


def set_requires_grad(parameters, flag):
    """Say of each parameter whether it takes a gradient."""
    for p in parameters:
        p.requires_grad_(flag)
