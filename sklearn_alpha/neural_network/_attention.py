"""Attention that draws dropout on a CPU, where PyTorch's kernels take none.

    O = (D ⊙ softmax(s Q Kᵀ)) V / (1 − p),    D ~ Bernoulli(1 − p) in each entry,

the softmax over the keys that a query sees; in fewer passes over what is as large as Q Kᵀ than
PyTorch's own way takes, and a few sequences at a time, so that memory is used again and not asked
for anew.
"""

from contextlib import contextmanager

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from sklearn_alpha.neural_network._dropout import draw_kept
from sklearn_alpha.neural_network._first_token import first_is_read, one_query
from sklearn_alpha.neural_network._quiet import quiet

NAME = "sklearn_alpha_dropout"
AT_ONCE = 2**20  # entries of Q Kᵀ
# What attention's dropout is called in configurations of transformers.
DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop")


@contextmanager
def attention_with_dropout(network, device):
    """Inside, attention is computed in the way that is fastest in training."""
    model = network.get_base_model()
    config = getattr(model, "config", None)
    if (
        device.type != "cpu"
        or getattr(config, "_attn_implementation", None) != "sdpa"
        or not any(getattr(config, name, 0) for name in DROPOUTS)
    ):
        yield
        return
    try:
        with quiet():  # about models that have one way only
            model.set_attn_implementation(NAME)
        with one_query(network):
            yield
    finally:
        restore_attention(model)


def restore_attention(model):
    """The way to compute it that a model had before `fit`."""
    if getattr(model.config, "_attn_implementation", None) == NAME:
        with quiet():
            model.set_attn_implementation("sdpa")


def attention(module, query, key, value, attention_mask, dropout=0.0, scaling=None, **kwargs):
    """What transformers asks of an attention; all but the plain cases is PyTorch's."""
    M, causal = attention_mask, kwargs.get("is_causal")
    causal = getattr(module, "is_causal", True) if causal is None else causal
    if M is None and causal and query.shape[2] == key.shape[2]:
        M = torch.ones(1, 1, query.shape[2], key.shape[2], dtype=torch.bool).tril_()
    plain = (
        0 < dropout < 1
        and (not causal if M is None else M.dtype == torch.bool and M.ndim == 4)
        and all(kwargs.get(name) is None for name in ("position_bias", "cache", "softcap"))
        and query.shape[:2] == key.shape[:2]
        and {query.dtype, key.dtype, value.dtype} == {torch.float32}
        and query.is_cpu
        and not torch.is_autocast_enabled("cpu")
    )
    if not plain:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, **kwargs
        )
    s = query.shape[-1] ** -0.5 if scaling is None else scaling
    n_queries = query.shape[2]
    if first_is_read(module):
        query, M = query[:, :, :1], M if M is None else M[:, :, :1]
    O = dropout_attention(query, key, value, M, s, dropout).expand(-1, -1, n_queries, -1)
    return O.transpose(1, 2).contiguous(), None


def dropout_attention(Q, K, V, M, s, p):
    """O of the formula.

    Parameters
    ----------
    Q, K, V : tensor of shape (n, heads, queries or keys, width)
    M : tensor of bool, of shape (n or 1, heads or 1, queries, keys), or None
        Whether a query sees a key.
    s, p : float

    Returns
    -------
    O : tensor of shape (n, heads, queries, width)
    """
    hidden = torch.zeros(1, 1, 1, 1)
    if M is not None:
        hidden = torch.zeros_like(M, dtype=Q.dtype).masked_fill_(~M, torch.finfo(Q.dtype).min)
    hidden = hidden.expand(len(Q), -1, -1, -1)
    step = max(1, AT_ONCE // (Q.shape[1] * Q.shape[2] * K.shape[2]))
    whole = Q * s, K, V / (1 - p), hidden
    if step >= len(Q):
        return _of_part(*whole, p)
    parts = zip(*(each.split(step) for each in whole), strict=True)
    return torch.cat([_of_part(*part, p) for part in parts])


def _of_part(Q, K, V, hidden, p):
    P = torch.softmax((Q @ K.transpose(2, 3)).add_(hidden), dim=3)
    return (P * draw_kept(P.shape, p)) @ V


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
