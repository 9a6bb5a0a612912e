"""Long texts as overlapping windows, whose logits are averaged.

    logits(text) = mean over its windows of logits(window)

A window has as many tokens as the network takes, or `max_length`, and shares `stride` of them with
the one before. The mean of the log probabilities gives the same classes and probabilities.
"""

import torch
from torch.nn.utils.rnn import pad_sequence

COUNTS = "windows"  # of each row of a batch, among the arguments of the network


def check_windows(tokenizer, columns, length, stride):
    """Raise an error unless texts can be divided into windows.

    Parameters
    ----------
    tokenizer : transformers tokenizer
    columns : list of list of str
    length : int or None
        Tokens of a window.
    stride : int
    """
    if len(columns) > 1:
        raise ValueError(
            "stride divides single texts into windows, and X holds pairs; leave stride at None."
        )
    if not tokenizer.is_fast:
        raise ValueError(
            f"stride needs a fast tokenizer, and {type(tokenizer).__name__} is not one; pass "
            "another tokenizer, or leave stride at None."
        )
    if length is None:
        raise ValueError(
            "stride needs a length of the windows, and the model has no limit; set max_length."
        )
    own = length - tokenizer.num_special_tokens_to_add()
    if stride >= own:
        raise ValueError(
            f"stride={stride} is not below the {own} tokens that a window has of a text; lower it, "
            "or raise max_length."
        )


def grouped(tokens, rows):
    """Windows of each text.

    Parameters
    ----------
    tokens : dict of str to list
        Token lists of all windows.
    rows : list of int
        The text of each window, in their order.

    Returns
    -------
    tokens : dict of str to list of list
        One list of windows for each text.
    """
    texts = {name: [[] for _ in range(rows[-1] + 1)] for name in tokens}
    for name, windows in tokens.items():
        for row, window in zip(rows, windows):
            texts[name][row].append(window)
    return texts


def n_tokens(row):
    """Tokens of a text, or of all its windows."""
    return sum(map(len, row)) if row and isinstance(row[0], list) else len(row)


def windows_of(rows):
    """All windows of a batch, one after the other, and their number for each text.

    Parameters
    ----------
    rows : sequence of dict of str to list
        Texts, or lists of windows.

    Returns
    -------
    windows : list of dict of str to list
    counts : list of int or None
        None if the texts have no windows.
    """
    if not isinstance(rows[0]["input_ids"][0], list):
        return rows, None
    counts = [len(row["input_ids"]) for row in rows]
    windows = [
        {name: row[name][i] for name in row} for row, n in zip(rows, counts) for i in range(n)
    ]
    return windows, counts


def by_row(batch, counts):
    """A batch of windows (n_windows, n_tokens) with one entry for each text, as skorch asks.

    Returns
    -------
    batch : dict of str to tensor of shape (n_rows, most_windows, n_tokens)
        And `COUNTS` of shape (n_rows,).
    """
    rows = {
        name: pad_sequence(column.split(counts), batch_first=True) for name, column in batch.items()
    }
    return {**rows, COUNTS: torch.tensor(counts)}


def mean_logits(network, inputs, batch_size):
    """Logits (n_rows, n_classes) of a batch of windows.

    Parameters
    ----------
    network : callable
        From a dict of tensors to logits.
    inputs : dict
        As of `by_row`.
    batch_size : int
        Windows that are computed at once where no gradient is taken.
    """
    counts = inputs[COUNTS]
    n_rows, most = len(counts), int(counts.max())
    is_there = torch.arange(most, device=counts.device).expand(n_rows, most) < counts[:, None]
    windows = {name: column[is_there] for name, column in inputs.items() if name != COUNTS}
    size = int(counts.sum()) if torch.is_grad_enabled() else batch_size
    parts = zip(*(column.split(size) for column in windows.values()))
    logits = torch.cat([network(dict(zip(windows, part))) for part in parts])
    return torch.stack([part.mean(dim=0) for part in logits.split(counts.tolist())])
