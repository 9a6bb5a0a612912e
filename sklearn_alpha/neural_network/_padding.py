"""How a transformer treats padding, found out from the network itself."""

import torch
from torch import nn

from sklearn_alpha.neural_network._texts import Collate, tokenize


def n_unused_positions(network):
    """How many position embeddings no token uses.

    RoBERTa and its relatives number positions from the one after their padding token, and give
    that embedding a padding index.
    """
    for name, module in network.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            return 0 if module.padding_idx is None else module.padding_idx + 1
    return 0


def set_padding_token(tokenizer, config):
    """Give a tokenizer that has no padding token that of the model, or else the end token."""
    if tokenizer.pad_token_id is not None:
        return
    own = getattr(config, "pad_token_id", None)
    known = own is not None and 0 <= own < len(tokenizer)
    token = tokenizer.convert_ids_to_tokens(own) if known else None
    if token is None and tokenizer.eos_token is None:
        raise ValueError(
            "the tokenizer has neither a padding token nor an end token; set tokenizer.pad_token "
            "to one of its tokens, and pass it as tokenizer."
        )
    tokenizer.pad_token = token or tokenizer.eos_token


def set_padding_side(tokenizer, network):
    """Pad on the side where padding leaves the logits of a text as they are.

    That is the right side for most models: they read the first token or the last one that is not
    padding, and number positions from the left. XLNet reads the last token, padding or not. If
    both sides are right, or none is, the tokenizer's stays.
    """
    network.eval()
    inputs = tokenize(tokenizer, [["a b c", "a b c d e f g h"]], None, None)
    short, long = ({name: column[i] for name, column in inputs.items()} for i in range(2))
    before = tokenizer.padding_side
    alone = _logits(network, tokenizer, [short])
    if alone is None:
        return
    for side in (before, "left" if before == "right" else "right"):
        tokenizer.padding_side = side
        padded = _logits(network, tokenizer, [short, long])
        if (padded[0] - alone[0]).abs().max() <= 0.01 * alone.abs().max():
            return
    tokenizer.padding_side = before


def _logits(network, tokenizer, rows):
    """Logits of a batch, or None if the network does not return one row for each text."""
    device = next(network.parameters()).device
    inputs = {name: column.to(device) for name, column in Collate(tokenizer).pad(rows).items()}
    with torch.no_grad():
        logits = getattr(network(**inputs), "logits", None)
    return logits if logits is not None and logits.ndim == 2 else None
