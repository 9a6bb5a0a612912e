"""The last layer for the first token alone, where no other is read.

BERT and its kin classify by the output of their first token. The last layer needs the others in
attention, as keys and values; what follows it in that layer it would compute for them and nobody
reads. A hook leaves them out, inside `only_first_token` alone: a network that is called by itself
answers for all tokens.
"""

from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

# Their heads read the first token, and one module follows attention, on all that is needed.
MODEL_TYPES = ("bert", "roberta", "xlm-roberta", "camembert", "electra", "deberta", "deberta-v2")
HEAD, OUTPUT, ATTENTION = "ForSequenceClassification", ".attention.output", ".attention.self"
# Modules that a user has put in may read more.
KNOWN = ("transformers.", "torch.nn.", "peft.")
MARK = "only_first_token_is_read"

_only_first = ContextVar("only_first_token", default=False)
_n_tokens = ContextVar("n_tokens")


@contextmanager
def only_first_token(flag=True):
    """Inside, in this thread, networks with the hook compute no more than they read."""
    before = _only_first.set(flag)
    try:
        yield
    finally:
        _only_first.reset(before)


def add_hook(network):
    """Give a transformers model, plain or PEFT's, the hook if it reads its first token alone."""
    model = network.get_base_model() if hasattr(network, "get_base_model") else network
    if (
        model.config.model_type in MODEL_TYPES
        and type(model).__name__.endswith(HEAD)
        and all(type(m).__module__.startswith(KNOWN) for m in model.modules())
        and model.config.chunk_size_feed_forward <= 1  # which wants as many tokens at least
    ):
        modules = dict(model.named_modules())
        last = [name for name in modules if name.endswith(OUTPUT)][-1]
        modules[last].register_forward_pre_hook(_first_of)
        setattr(modules[last.removesuffix(OUTPUT) + ATTENTION], MARK, True)


def remove_hook(network):
    """Take it from a copy that is to stand alone."""
    for module in network.modules():
        vars(module).pop(MARK, None)
        hooks = module._forward_pre_hooks
        for key in [key for key, hook in hooks.items() if hook is _first_of]:
            del hooks[key]


def first_is_read(attention):
    """Whether what this attention finds for the first token is all that is read."""
    return _only_first.get() and hasattr(attention, MARK)


@contextmanager
def one_query(network):
    """Inside, such an attention has in training the first token's query, expanded to all."""
    layers = [m.query for m in network.modules() if hasattr(m, MARK) and hasattr(m, "query")]
    with ExitStack() as hooks:
        for layer in layers:
            hooks.enter_context(layer.register_forward_pre_hook(_ask_once))
            hooks.enter_context(layer.register_forward_hook(_ask_for_all))
        yield


def _ask_once(layer, states):
    if layer.training and _only_first.get():
        _n_tokens.set(states[0].shape[1])
        return states[0][:, :1]
    return None


def _ask_for_all(layer, states, queries):
    if layer.training and _only_first.get():
        return queries.expand(-1, _n_tokens.get(), -1)
    return None


def _first_of(output, states):
    """Of (rows, tokens, width) the first token, (rows, 1, width)."""
    return tuple(z[:, :1] for z in states) if _only_first.get() else None
