"""The honest comparison on scikit-learn's bundled digits: needs no download.

28 transfers from one pair of digits to another, drawn with a seed, most of them between unrelated
tasks: the source alone is near chance, and a rule that chooses α must notice. Pixels are z-scored
per pair without labels. Intervals are over the transfers.
"""

import numpy as np
from sklearn.preprocessing import StandardScaler

from benchmarks._data.transfers import Transfer
from benchmarks.linear._comparison import add_comparison_arguments, compare, score_methods
from sklearn_alpha.datasets import load_digits_transfer

SOURCE_NAMES = ("ridge γ_pre = 1", "LogisticRegressionCV")
N_TRANSFERS = 28


def add_arguments(parser):
    """Add the sizes and the number of draws."""
    add_comparison_arguments(parser, sizes=[10, 20, 60], draws=10)


def main(args):
    """Run the comparison."""
    compare("digits", score, pairs(), ["source", "target"], args)


def score(**cell):
    """Accuracy of every method on one draw."""
    return score_methods(load_transfer, SOURCE_NAMES, **cell)


def pairs(seed=0):
    """The transfers, ("6-8", "5-9") for instance; no digit occurs twice in one."""
    rng = np.random.default_rng(seed)
    drawn = (rng.choice(10, size=4, replace=False) for _ in range(N_TRANSFERS))
    return [(f"{a}-{b}", f"{c}-{d}") for a, b, c, d in drawn]


def load_transfer(source, target):
    """The transfer between two pairs of digits."""
    digits = load_digits_transfer(*(tuple(map(int, pair.split("-"))) for pair in (source, target)))
    return Transfer(
        StandardScaler().fit_transform(digits.X_source),
        2.0 * digits.y_source - 1.0,
        StandardScaler().fit_transform(digits.X_target),
        2.0 * digits.y_target - 1.0,
        stratify=True,  # ten rows drawn freely are sometimes of one class
    )
