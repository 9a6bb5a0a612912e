"""Batches: every row once per pass, similar lengths, shares of processes, padding."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from torch.utils.data import Subset

from sklearn_alpha.neural_network._texts import (
    FULL,
    Batches,
    Collate,
    EncodedRows,
    by_length,
    in_order,
    lengths_of,
)
from tests.neural_network.conftest import make_texts


def rows_of(lengths):
    return EncodedRows({"input_ids": [[i] * n for i, n in enumerate(lengths)]})


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@settings(deadline=None, max_examples=60)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=120),
    batch_size=st.integers(1, 20),
    n_processes=st.integers(1, 4),
)
def test_a_pass_has_every_row_once_and_processes_share_each_batch(lengths, batch_size, n_processes):
    rows = rows_of(lengths)
    shares = [
        list(Batches(rows, batch_size, generator(), process, n_processes))
        for process in range(n_processes)
    ]
    (whole,) = [list(Batches(rows, batch_size, generator()))]
    assert sorted(i for batch in whole for i in batch) == list(range(len(rows)))
    assert all(len(batch) <= batch_size for batch in whole)
    for k, batch in enumerate(whole):
        assert sorted(i for share in shares for i in share[k]) == sorted(batch)
    assert len(Batches(rows, batch_size, generator())) == len(whole)


def test_each_pass_is_another_order_and_a_seed_the_same():
    batches = Batches(rows_of([3] * 50), 8, generator())
    first, second = list(batches), list(batches)
    assert first != second
    again = Batches(rows_of([3] * 50), 8, generator())
    assert [first, second] == [list(again), list(again)]


def test_batches_hold_alike_lengths():
    lengths = np.random.default_rng(0).integers(1, 200, size=1000)
    batches = list(Batches(rows_of(lengths), 10, generator()))
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert padded < 1.1 * lengths.sum()
    # and their order tells nothing of the length
    means = [lengths[batch].mean() for batch in batches]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3


@settings(deadline=None, max_examples=60)
@given(
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=150),
    batch_size=st.integers(1, 20),
    ordered=st.booleans(),
)
def test_batches_of_predictions_keep_the_order_and_are_full(lengths, batch_size, ordered):
    lengths = np.array(sorted(lengths) if ordered else lengths)
    batches = in_order(lengths, batch_size)
    assert [i for batch in batches for i in batch] == list(range(len(lengths)))
    for k, batch in enumerate(batches):
        padded = len(batch) * lengths[batch].max()
        assert len(batch) <= batch_size or padded <= FULL
        if k + 1 < len(batches):  # one row more would be too many
            more = lengths[[*batch, batches[k + 1][0]]]
            assert len(batch) >= batch_size
            assert len(more) * more.max() > FULL


def test_order_by_length_of_a_subset():
    rows = Subset(rows_of([5, 1, 4, 1, 3]), [4, 0, 3, 1])
    assert_array_equal(lengths_of(rows), [3, 5, 1, 1])
    ordered, order = by_length(rows)
    assert_array_equal(order, [2, 3, 0, 1])
    assert [ordered[i][0]["input_ids"][0] for i in range(4)] == [3, 1, 4, 0]


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("pairs", [False, True])
def test_padding_is_that_of_the_tokenizer(tiny_bert, side, pairs):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert, padding_side=side)
    columns = [make_texts(7, seed=seed)[0] for seed in range(1 + pairs)]
    tokens = tokenizer(*columns)
    (batch, weights), codes = Collate(tokenizer)(
        [EncodedRows(dict(tokens), np.arange(7))[i] for i in range(7)]
    )
    expected = tokenizer(*columns, padding=True, return_tensors="pt")
    assert batch.keys() == expected.keys()
    assert all(torch.equal(batch[name], expected[name]) for name in batch)
    assert_array_equal(codes, range(7))
    assert_array_equal(weights, 1)
