"""Texts for a network: tokenised once, put in batches of similar lengths, padded to the longest."""

import threading
import warnings

import numpy as np
import torch
from torch.utils.data import BatchSampler, Dataset, Subset

from sklearn_alpha.neural_network._windows import (
    by_row,
    check_windows,
    grouped,
    n_tokens,
    windows_of,
)

# Rows are sorted by length within this many batches: enough for batches with little padding, and no
# more, so that the rows of a batch differ from pass to pass.
POOL = 200
# Tokens of a batch in predictions; up to here, more rows make matrix products faster.
FULL = 512

_tokenizing = threading.Lock()


class EncodedRows(Dataset):
    """Rows of numbers or tokens, with their codes and weights.

    Parameters
    ----------
    inputs : dict of str to list or tensor
        Arguments of the network's `forward`, each with one entry per row: token lists, or lists of
        windows, under the tokenizer's names, or the array of numbers under the name "".
    codes : ndarray, or None
        Class numbers (n_rows,), or standardised targets (n_rows, n_outputs) of a regression.
    weights : ndarray of float, or None
    """

    def __init__(self, inputs, codes=None, weights=None):
        self.inputs = inputs
        n_rows = len(next(iter(inputs.values())))
        self.codes = np.zeros(n_rows, dtype=np.int64) if codes is None else codes
        self.weights = np.ones(n_rows, dtype=np.float32) if weights is None else weights

    def __len__(self):
        return len(self.codes)

    def __getitem__(self, i):
        row = {name: column[i] for name, column in self.inputs.items()}
        return row, self.codes[i], self.weights[i]

    @property
    def lengths(self):
        """Number of tokens of each row, which is 1 for numbers."""
        if "" in self.inputs:
            return np.ones(len(self), dtype=np.int64)
        return np.fromiter(map(n_tokens, self.inputs["input_ids"]), dtype=np.int64, count=len(self))


def is_encoded(dataset):
    """Whether a dataset is of encoded rows or a (nested) subset of them."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    return isinstance(dataset, EncodedRows)


def lengths_of(dataset):
    """Token counts of encoded rows or of a (nested) subset of them."""
    if isinstance(dataset, Subset):
        return lengths_of(dataset.dataset)[np.asarray(dataset.indices)]
    return dataset.lengths


def codes_of(dataset):
    """Codes of encoded rows or of a (nested) subset of them."""
    if isinstance(dataset, Subset):
        return codes_of(dataset.dataset)[np.asarray(dataset.indices)]
    return dataset.codes


def by_length(dataset):
    """The same rows from short to long, and the place where each of them was."""
    order = np.argsort(lengths_of(dataset), kind="stable")
    return Subset(dataset, order.tolist()), order


def in_order(lengths, batch_size):
    """Batches of row numbers in their order: `batch_size` rows, or more if they are short.

    Parameters
    ----------
    lengths : ndarray of int
        Tokens of each row.
    batch_size : int

    Returns
    -------
    batches : list of list of int
        A batch of more than `batch_size` rows has at most `FULL` tokens, padding included.
    """
    batches, start, longest = [], 0, 0
    for i, length in enumerate(lengths.tolist()):
        longest = max(longest, length)
        n = i + 1 - start
        if n > batch_size and n * longest > FULL:
            batches.append(list(range(start, i)))
            start, longest = i, length
    return [*batches, list(range(start, len(lengths)))]


class Batches(BatchSampler):
    """Shuffled batches of rows of similar length; each process takes its share of every batch.

    Parameters
    ----------
    dataset : EncodedRows or Subset
    batch_size : int
        EncodedRows in a batch, over all processes.
    generator : torch.Generator
        Draws a new order in each pass.
    process, n_processes : int
        Process r of R takes rows r, r + R, ... of each batch.
    """

    def __init__(self, dataset, batch_size, generator, process=0, n_processes=1):
        self.lengths = torch.from_numpy(lengths_of(dataset))
        self.batch_size = int(batch_size)
        self.generator = generator
        self.process, self.n_processes = process, n_processes

    def __len__(self):
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self):
        order = torch.randperm(len(self.lengths), generator=self.generator)
        batches = []
        for pool in order.split(POOL * self.batch_size):
            pool = pool[torch.argsort(self.lengths[pool], stable=True)]
            batches += pool.split(self.batch_size)
        for i in torch.randperm(len(batches), generator=self.generator).tolist():
            batch = batches[i].tolist()
            yield batch[self.process :: self.n_processes]


class Collate:
    """A batch: arguments of the network, codes and weights. Tokens are padded.

    Parameters
    ----------
    tokenizer : transformers tokenizer, or None for numbers
    """

    def __init__(self, tokenizer=None):
        self.tokenizer = tokenizer

    def __call__(self, rows):
        inputs, codes, weights = zip(*rows)
        if self.tokenizer is None:
            batch = {"": torch.stack([row[""] for row in inputs])}
        else:
            windows, counts = windows_of(inputs)
            batch = self.pad(windows)
            batch = batch if counts is None else by_row(batch, counts)
        return (batch, torch.as_tensor(np.array(weights))), torch.as_tensor(np.array(codes))

    def pad(self, inputs):
        """What `tokenizer.pad` returns, without its detour through Python objects."""
        longest = max(len(row["input_ids"]) for row in inputs)
        fill = {
            "input_ids": self.tokenizer.pad_token_id,
            "token_type_ids": self.tokenizer.pad_token_type_id,
        }
        left = self.tokenizer.padding_side == "left"
        batch = {}
        for name in inputs[0]:
            padded = np.full((len(inputs), longest), fill.get(name, 0), dtype=np.int64)
            for i, row in enumerate(inputs):
                tokens = row[name]
                padded[i, slice(longest - len(tokens), None) if left else slice(len(tokens))] = (
                    tokens
                )
            batch[name] = torch.from_numpy(padded)
        return batch


def tokenize(tokenizer, columns, max_length, longest, stride=None):
    """Token lists of one or two columns of text, under the names of the network's arguments.

    Parameters
    ----------
    tokenizer : transformers tokenizer
    columns : list of list of str
        One or two.
    max_length : int or None
        Tokens at which texts are cut. None is `longest`, with a warning if a text is cut.
    longest : int or None
        Most tokens that the network takes.
    stride : int or None
        Tokens that the windows of a long text share; None cuts texts. With windows, each text has a
        list of token lists.
    """
    with _tokenizing:
        tokens = _tokenize(tokenizer, columns, max_length, longest, stride)
    texts = tokens.get("overflow_to_sample_mapping")
    tokens = {name: tokens[name] for name in tokenizer.model_input_names if name in tokens}
    special = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    fill = {"input_ids": next((i for i in special if i is not None), 0), "attention_mask": 1}
    for i in [i for i, row in enumerate(tokens["input_ids"]) if not row]:
        for name in tokens:  # a network takes one token at least
            tokens[name][i] = [fill.get(name, 0)]
    return tokens if texts is None else grouped(tokens, texts)


def _tokenize(tokenizer, columns, max_length, longest, stride):
    """What the tokenizer returns; it keeps its truncation, so only one thread may call it."""
    if max_length is not None and longest is not None and max_length > longest:
        raise ValueError(
            f"max_length={max_length} but the model takes at most {longest} tokens; lower it."
        )
    if stride is not None and columns[0]:
        length = max_length or longest
        check_windows(tokenizer, columns, length, stride)
        options = {"max_length": length, "stride": stride, "return_overflowing_tokens": True}
        return tokenizer(*columns, truncation=True, padding=False, **options)
    cut = {"truncation": True, "max_length": max_length or longest, "padding": False}
    if max_length is None and longest is not None:
        tokens = tokenizer(*columns, padding=False, verbose=False)
        n_long = sum(len(row) > longest for row in tokens["input_ids"])
        if n_long:
            warnings.warn(
                f"{n_long} of {len(columns[0])} texts are longer than the {longest} tokens that "
                "the model takes and were cut; set max_length to cut them without this warning.",
                UserWarning,
                stacklevel=6,
            )
            tokens = tokenizer(*columns, **cut)
        return tokens
    return tokenizer(*columns, **(cut if max_length else {"padding": False}))
