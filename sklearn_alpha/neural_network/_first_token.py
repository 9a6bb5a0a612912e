"""The last layer for the first token alone, where no other is read.

BERT and its kin classify by the output of their first token. The last layer needs the others in
attention, as keys and values; what follows it in that layer it would compute for them and nobody
reads. A hook leaves them out, inside `only_first_token` alone: a network that is called by itself
answers for all tokens.
"""

from contextlib import contextmanager, nullcontext
from contextvars import ContextVar

import torch

# Names in BERT: what follows attention, on what it found and on the layer's input; and its query.
OUTPUT, QUERY = ".attention.output", ".attention.self.query"

_only_first = ContextVar("only_first_token", default=False)


@contextmanager
def only_first_token():
    """Inside, in this thread, networks with the hook compute no more than they read."""
    before = _only_first.set(True)
    try:
        yield
    finally:
        _only_first.reset(before)


def add_hook(network):
    """Give a network that reads text the hook, where its logits depend on the first token alone."""
    outputs = [m for name, m in network.named_modules() if name.endswith(OUTPUT)]
    # a layer that is computed again for its gradient must be computed as it was
    again = any(getattr(m, "gradient_checkpointing", False) for m in network.modules())
    if outputs and not again and _others_are_not_read(network, outputs[-1]):
        outputs[-1].register_forward_pre_hook(_first_of)


def remove_hook(network):
    """Take it from a copy that is to stand alone."""
    for module in network.modules():
        hooks = module._forward_pre_hooks
        for key in [key for key, hook in hooks.items() if hook is _first_of]:
            del hooks[key]


def one_query(network):
    """Inside, attention of a layer with the hook has in training one query, expanded to all."""
    for name, module in network.named_modules():
        if _first_of in module._forward_pre_hooks.values():
            query = dict(network.named_modules()).get(name.removesuffix(OUTPUT) + QUERY)
            return query.register_forward_hook(_first_for_all) if query else nullcontext()
    return nullcontext()


def _first_of(module, states):
    """Of (rows, tokens, width) the first token, (rows, 1, width)."""
    return tuple(z[:, :1] for z in states) if _only_first.get() else None


def _first_for_all(module, states, queries):
    return queries[:, :1].expand_as(queries) if module.training and _only_first.get() else None


def _others_are_not_read(network, output):
    """Whether NaN in place of the other tokens leaves the logits as they are, to the last bit."""
    ids = torch.zeros(1, 3, dtype=torch.int64, device=next(network.parameters()).device)
    tokens = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with torch.no_grad():
        expected = network(**tokens).logits
        with output.register_forward_pre_hook(_spoil_others):
            return torch.equal(network(**tokens).logits, expected)


def _spoil_others(module, states):
    return tuple(torch.cat([z[:, :1], torch.full_like(z[:, 1:], torch.nan)], dim=1) for z in states)
