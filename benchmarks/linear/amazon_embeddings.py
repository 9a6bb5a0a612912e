"""The honest comparison on MiniLM sentence embeddings of the Amazon reviews (p = 384).

The embeddings of "title. text" (all-MiniLM-L6-v2, mean of the first 128 tokens' vectors, z-scored
per domain without labels) are computed once and kept in benchmarks/cache, which is not part of the
repository. Some reviews occur more than once: a target row whose text is also among the labelled
rows is not scored.
"""

from benchmarks._data.amazon import PAIRS
from benchmarks._data.embeddings import embeddings
from benchmarks._data.transfers import Transfer
from benchmarks.linear._comparison import add_comparison_arguments, compare, score_methods
from benchmarks.linear._peers import SOURCES


def add_arguments(parser):
    """Add the sizes and the number of draws."""
    add_comparison_arguments(parser, sizes=[20, 40, 100, 400], draws=20)


def main(args):
    """Run the comparison."""
    for domain in {domain: None for pair in PAIRS for domain in pair}:
        embeddings(domain)  # before any worker needs them
    compare("amazon-embeddings", score, PAIRS, "seed", args)


def score(**cell):
    """Accuracy of every method on one draw."""
    return score_methods(load_transfer, tuple(SOURCES), **cell)


def load_transfer(source, target):
    """The transfer between two domains."""
    X_source, y_source, _ = embeddings(source)
    return Transfer(X_source, y_source, *embeddings(target))
