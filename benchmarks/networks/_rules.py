"""Ways to choose α in a network, other than the default."""

import numpy as np
import torch
from sklearn.model_selection import train_test_split

from sklearn_alpha.neural_network import AlphaLoRANetClassifier
from sklearn_alpha.neural_network._held_out import set_requires_grad


class RuleNet(AlphaLoRANetClassifier):
    """The estimator, with hooks: `allowed` says when α moves, `moved` changes it after a step."""

    def allowed(self):
        """Whether α may move now."""
        return True

    def moved(self, alphas, before):
        """After a step of α from `before`."""

    def _learns_here(self):
        return super()._learns_here() and self.allowed()

    def _step(self, batch):
        alphas = self._alphas()
        before = [alpha.detach().clone() for alpha in alphas]
        moves = self._learns_here()
        super()._step(batch)
        if moves:
            with torch.no_grad():
                self.moved(alphas, before)


class PerLayer(RuleNet):
    """One α for a layer: the mean of its rows'."""

    def moved(self, alphas, before):
        for alpha in alphas:
            alpha.fill_(alpha.mean())


class LogScale(RuleNet):
    """The step is one of log α: α = e^θ stays positive."""

    def moved(self, alphas, before):
        for alpha, old in zip(alphas, before):
            alpha.copy_(old * torch.exp((alpha - old) / old.clamp(min=1e-3)).clamp(0.5, 2))


class Decayed(RuleNet):
    """α ← α − lr·λ(α − 1) after every step: a Gaussian prior around 1."""

    strength = 5.0

    def moved(self, alphas, before):
        rate = self.alpha_optimizer_.param_groups[0]["lr"]
        for alpha in alphas:
            alpha.lerp_(torch.ones_like(alpha), min(1.0, rate * self.strength))


class SecondHalf(RuleNet):
    """α moves only in the second half of the epochs, when the adapter changes little."""

    def allowed(self):
        return len(self.history) > self.max_epochs / 2


class FirstEpoch(RuleNet):
    """α moves only in the first epoch, in which every row is new to the adapter."""

    def allowed(self):
        return len(self.history) <= 1


class CrossFitted(RuleNet):
    """Half of each batch trains the adapter and the other half α, then the reverse."""

    def train_step(self, batch, **fit_params):
        (inputs, weights), codes = batch
        alphas = self._alphas()
        rest = [p for p in self.module_.parameters() if p.requires_grad]
        rest = [p for p in rest if all(p is not alpha for alpha in alphas)]
        order = torch.arange(len(codes))
        halves = [
            (({name: column[part] for name, column in inputs.items()}, weights[part]), codes[part])
            for part in (order[::2], order[1::2])
            if len(part)
        ]
        for own, other in (halves, halves[::-1]) if len(halves) == 2 else (halves * 2,):
            set_requires_grad(alphas, False)
            step = self.train_step_single(own, **fit_params)
            set_requires_grad(alphas, True)
            set_requires_grad(rest, False)
            self.train_step_single(other, **fit_params)
            set_requires_grad(rest, True)
            self.processes_.step(self.optimizer_, self.alpha_optimizer_)
        self.n_steps_ += 1
        return step


def validation_split(y, random_state):
    """Indices of four fifths of the rows, and of the last fifth."""
    return train_test_split(np.arange(len(y)), test_size=0.2, stratify=y, random_state=random_state)


def log_losses(net, X, y):
    """Log loss of each row."""
    P = net.predict_proba(X)
    return -np.log(P[np.arange(len(y)), np.searchsorted(net.classes_, y)])


def longer(model, X, y, options, random_state):
    """LoRA with twice the epochs, for comparison with rules that take longer."""
    twice = options | {"max_epochs": 2 * options["max_epochs"]}
    return AlphaLoRANetClassifier(model, **twice, alpha=1.0).fit(X, y)


def accepted(model, X, y, options, random_state):
    """α learned, or held at 1, as held-out rows decide.

    Both are trained on four fifths of the rows; α is learned on all rows only where the mean
    difference of the losses on the last fifth is larger than its standard error.
    """
    own, held = validation_split(y, random_state)
    losses = []
    for alpha in ("learn", 1.0):
        net = AlphaLoRANetClassifier(model, **options, alpha=alpha).fit(X[own], y[own])
        losses.append(log_losses(net, X[held], y[held]))
    gain = losses[1] - losses[0]
    learns = gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain))
    return AlphaLoRANetClassifier(model, **options, alpha="learn" if learns else 1.0).fit(X, y)


def strength_chosen(model, X, y, options, random_state):
    """`Decayed` with the strength, 0, 2, 10 or infinite, of least loss on a fifth of the rows."""
    own, held = validation_split(y, random_state)

    def fit(strength, rows):
        net = Decayed(model, **options) if np.isfinite(strength) else None
        if net is None:
            return AlphaLoRANetClassifier(model, **options, alpha=1.0).fit(X[rows], y[rows])
        net.strength = strength
        return net.fit(X[rows], y[rows])

    def loss(strength):
        return log_losses(fit(strength, own), X[held], y[held]).mean()

    return fit(min((0.0, 2.0, 10.0, np.inf), key=loss), np.arange(len(y)))
