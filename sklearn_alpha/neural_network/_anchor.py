"""A source that knows the task is left only as far as left-out rows say.

    θ(t) = θ̃ + t (θ̂ − θ̃),    P(t, β | rows) ∝ π(t) π(β) Π_i p(y_i | x_i; β, θ₋ᵢ(t))

    t̂ = E[t],    β̂ = exp E[log β]

θ̃ is the network as it came, with its own head, and θ̂ the network after the closed-form start and
training. θ₋ᵢ is θ̂ of the rows outside the fold of row i: the rows are divided into folds, and for
each the network is trained once more, from θ̃, on the others. Of the prior π .9 is on t = 0 if the
head has the names of the classes, and ½ if it has as many outputs without names; the rest is
divided between ¼, ½, ¾ and 1. The network is then θ(t̂). In the weights the path is linear: W(t) =
α(t) ⊙ W + t·s·B̂Â, with α(t) = α̃ + t (α̂ − α̃).

p(y | x; β, θ) is the probability of the class, or of all labels, from logits that are multiplied by
β: sources are often too sure of themselves on other data. log β ~ N(0, 0.2²), and β̂ becomes part
of the head, so that exported networks have it too. Numbers have a normal density and no β
(`_number_targets.py`). If rows are held out for validation, they stand for the left-out rows, and θ̂
for every θ₋ᵢ.

Of few rows the likelihood hardly differs between the t, and t̂ stays near its prior mean: a few
labels do not move a strong source far. More than `MOST_ROWS` rows need no such care.
"""

import copy
import warnings
from contextlib import suppress

import numpy as np
import torch
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback, LRScheduler
from skorch.history import History
from torch.utils.data import Subset

from sklearn_alpha.neural_network._divergence import StopAtDivergence
from sklearn_alpha.neural_network._dropout import copy_of_state
from sklearn_alpha.neural_network._schedule import LinearDecay
from sklearn_alpha.neural_network._start import LinearProbe, inputs_of
from sklearn_alpha.neural_network._texts import by_length, codes_of

MOST_ROWS, N_FOLDS = 1000, 2
GRID = np.array([0, 0.25, 0.5, 0.75, 1])
NAMED, UNNAMED = 0.9, 0.5  # π(0)
WIDTH, LOG_BETA = 0.2, np.linspace(-1.5, 0.75, 19)
# Callbacks that belong to training; the user's others see one fit.
OF_TRAINING = (LinearProbe, LinearDecay, StopAtDivergence, LRScheduler)


class Anchor(Callback):
    """Moves a trained net back towards its source, unless the head of that is new.

    The source of a regression must be one too, with as many outputs. Only the first fit of a net
    does this, not `partial_fit` on a trained one, and only if one process trains.
    """

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.source_ = None
        first = not len(net.history)
        if first and is_source(net) and net.processes_.n_processes == 1 and len(X) <= MOST_ROWS:
            self.source_ = copy_of_state(net)

    def on_train_end(self, net, X=None, y=None, **kwargs):
        source, valid = self.source_, net.validation_rows_
        self.source_ = None  # pickles do not keep it
        if source is None or not len(net.history):
            return
        found = []
        if valid is not None:
            found.append(outputs_on_path(net, source, copy_of_state(net), valid))
        else:
            codes = codes_of(X)
            strata = codes if net._is_stratified else np.zeros(len(codes))
            for rest, fold in folds(strata, net.seed_):
                part = trained_on(net, source, Subset(X, rest))
                found.append(outputs_on_path(part, source, copy_of_state(part), Subset(X, fold)))
        log_beta = LOG_BETA if has_temperature(net, X) else np.zeros(1)
        log_likelihood = path_likelihood(net, found, log_beta)
        of_step = prior(NAMED if net.module_.knows_classes else UNNAMED)
        net.trained_share_, beta = posterior_means(log_likelihood, log_beta, of_step)
        move(net, source, copy_of_state(net), net.trained_share_)
        net.module_.multiply_logits(beta)


def is_source(net):
    """Whether the head may predict the targets as it is."""
    module = net.module_
    if module.head is None or module.head_is_new:
        return False
    # classes may have places alone, but numbers have units
    return module.knows_classes or net._has_temperature


def folds(strata, seed):
    """Rows outside and in each fold; every class is spread over the folds."""
    order = np.random.default_rng(seed).permutation(len(strata))
    order = order[np.argsort(strata[order], kind="stable")]
    for number in range(N_FOLDS):
        held = order[number::N_FOLDS]
        if len(held) and len(held) < len(strata):
            yield np.setdiff1d(order, held).tolist(), held.tolist()


def trained_on(net, source, rows):
    """A copy of the net, trained from the source on these rows for as many epochs."""
    part = object.__new__(type(net))
    vars(part).update(vars(net))
    # Frozen weights are shared.
    shared = {id(p): p for p in net.module_.parameters() if not p.requires_grad}
    module = copy.deepcopy(net.module_, shared)
    module.load_state_dict(source)
    callbacks = [(name, copy.copy(c)) for name, c in net.callbacks_ if isinstance(c, OF_TRAINING)]
    vars(part).update(
        module_=module,
        callbacks_=callbacks,
        history_=History(),
        max_epochs=len(net.history),
        early_stopping=False,
        train_split=None,
        alpha_split=0.0,
        verbose=0,
    )
    part._initialize_optimizer()
    codes = codes_of(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the net itself has warned
        part.notify("on_train_begin", X=rows, y=codes)
        with suppress(KeyboardInterrupt):  # it has diverged
            part.fit_loop(rows, codes)
    return part


def outputs_on_path(net, source, trained, rows):
    """Outputs (n_steps, n_rows, n_outputs) at each t of the grid, codes and weights of the rows."""
    rows = by_length(rows)[0]
    outputs = []
    for t in GRID:
        move(net, source, trained, t)
        batches = list(net.get_iterator(rows))
        net.module_.eval()
        with torch.no_grad():
            outputs.append(torch.cat([net.infer(inputs) for inputs, _ in batches]).cpu())
    codes = np.concatenate([codes.numpy() for _, codes in batches])
    weights = np.concatenate([inputs[1].numpy() for inputs, _ in batches])
    move(net, source, trained, 1.0)
    return torch.stack(outputs).double().numpy(), codes, weights


def has_temperature(net, rows):
    """Whether the net has classes, and its logits are those of the head."""
    head = net.module_.get_submodule(net.module_.head)
    return net._has_temperature and inputs_of(head, net, Subset(rows, [0])) is not None


def path_likelihood(net, found, log_beta):
    """Σ_i log p(y_i | x_i; β, θ(t)), (n_steps, n_betas), from the outputs of all folds."""
    if not found:  # one row
        return np.zeros((len(GRID), len(log_beta)))
    outputs, codes, weights = zip(*found)
    outputs, codes = np.concatenate(outputs, axis=1), np.concatenate(codes)
    weights = np.concatenate(weights)
    log_likelihood = [
        [net._log_likelihood(beta * f, codes, weights) for beta in np.exp(log_beta)]
        for f in outputs
    ]
    return np.nan_to_num(log_likelihood, nan=-np.inf)


def prior(at_source):
    """π(t)."""
    return np.where(GRID == 0, at_source, (1 - at_source) / (len(GRID) - 1))


def posterior_means(log_likelihood, log_beta, of_step):
    """t̂ and β̂, with the prior `of_step` of t."""
    log_prior = np.log(of_step)[:, None] - (log_beta / WIDTH) ** 2 / 2
    P = softmax(log_likelihood + log_prior)
    return float(P.sum(axis=1) @ GRID), float(np.exp(P.sum(axis=0) @ log_beta))


def move(net, source, trained, t):
    """Set the parameters to θ(t)."""
    state = {}
    for name, end in trained.items():
        start = source[name]
        # The product BA is linear in t if A is.
        is_fixed = ".lora_A." in name or not end.is_floating_point()
        state[name] = end if is_fixed else torch.lerp(start, end, t)
    net.module_.load_state_dict(state)
