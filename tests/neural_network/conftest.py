"""Tiny random transformers and modules, and texts that a network can learn from."""

import json

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from torch import nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertTokenizerFast,
    GPT2Config,
    GPT2ForSequenceClassification,
    PreTrainedTokenizerFast,
)

torch.set_num_threads(1)

WORDS = ["good", "fine", "great", "bad", "poor", "awful"]
WORDS += ["film", "book", "plot", "the", "a", "is", "was", "very", "not", "really"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def make_texts(n, seed=0, classes=("bad", "good")):
    """Texts of 2 to 9 words that name their class."""
    rng = np.random.default_rng(seed)
    labels = np.array(classes)[rng.integers(len(classes), size=n)]
    kinds = {"bad": ["bad", "poor", "awful"], "good": ["good", "fine", "great"]}
    texts = []
    for label in labels:
        words = list(rng.choice(WORDS[6:], size=rng.integers(1, 8)))
        words.insert(rng.integers(len(words) + 1), rng.choice(kinds.get(label, [label])))
        texts.append(" ".join(words))
    return texts, labels


def tiny_config(**options):
    return BertConfig(
        vocab_size=len(SPECIAL) + len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **options,
    )


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """Folder of a random BERT and its tokenizer, as `save_pretrained` writes them."""
    folder = tmp_path_factory.mktemp("tiny-bert")
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join([*SPECIAL, *WORDS]))
    tokenizer = BertTokenizerFast(str(vocabulary), model_max_length=32)
    tokenizer.save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertForSequenceClassification(tiny_config()).save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["hidden_size"] == 16
    return str(folder)


def make_module(n_in=4, n_out=2, seed=0):
    """A small perceptron."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(n_in, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, n_out)
        )


def make_numbers(n=40, p=4, n_classes=2, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % n_classes)
    return rng.normal(size=(n, p)) + 2 * np.eye(n_classes, p)[y], y


def words_only(**options):
    """A tokenizer without special tokens around a text."""
    words = Tokenizer(WordLevel({word: i for i, word in enumerate(["?", "end", *WORDS])}, "?"))
    words.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, **{"model_max_length": 32, **options})


def tiny_gpt():
    config = GPT2Config(vocab_size=30, n_embd=16, n_layer=1, n_head=2, n_positions=40)
    return GPT2ForSequenceClassification(config)
