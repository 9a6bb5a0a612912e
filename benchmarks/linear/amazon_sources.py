"""Several sources at once: two penalties of one source, and the three other domains.

Each source of a list has an α of its own. On pairs of domains, the list holds one transported
source under two penalties, and the best α of the single source *on the scored labels* is shown for
reference. Then every domain is the target of the three others: as a list, against one source that
was trained on all their rows. All else is as in `amazon-table --protocol honest`.
"""

from functools import lru_cache

import numpy as np
from sklearn.frozen import FrozenEstimator

from benchmarks._data.amazon import DOMAINS, PAIRS, amazon_features
from benchmarks._data.transfers import Transfer, split
from benchmarks._names import ALONE, DEFAULT
from benchmarks.linear._comparison import add_comparison_arguments, compare
from benchmarks.linear._peers import logistic, ridge, transport
from sklearn_alpha import AlphaTransferClassifier

ORACLE = "reference: γ = 100, best of 81 α on the scored labels"
ORACLE_ALPHAS = np.linspace(0, 40, 81)


def add_arguments(parser):
    """Add the sizes and the number of draws."""
    add_comparison_arguments(parser, sizes=[20, 40, 100, 400], draws=20)


def main(args):
    """Run both comparisons."""
    others = [("+".join(d for d in DOMAINS if d != target), target) for target in DOMAINS]
    for name, transfers in (("pairs", PAIRS), ("domains", others)):
        compare(f"amazon-sources-{name}", score, transfers, "seed", args)


@lru_cache(maxsize=2)
def prepare(source, target):
    """The target, and its sources by name: lists of fitted classifiers."""
    X, y = amazon_features(target)
    rows = [amazon_features(domain) for domain in source.split("+")]
    moved = [(transport(rows_X, X), rows_y) for rows_X, rows_y in rows]
    penalties = {gamma: [ridge(*m, gamma) for m in moved] for gamma in (10.0, 100.0)}
    sources = {
        "transported ridge γ_pre = 10": penalties[10.0],
        "transported ridges γ_pre = 10 and 100": penalties[10.0] + penalties[100.0],
    }
    if len(rows) > 1:
        pooled = tuple(map(np.concatenate, zip(*rows)))
        sources["LogisticRegressionCV"] = [logistic(*r) for r in rows]
        sources["one LogisticRegressionCV on all rows"] = [logistic(*pooled)]
    return Transfer(*rows[0], X, y), sources


def score(source, target, n, seed):
    """Accuracy of each list of sources on one draw, alone and with α chosen."""
    transfer, lists = prepare(source, target)
    train, test = split(transfer, n, seed)
    X, y = transfer.X[train], transfer.y[train]
    frame = []

    def add(model, method, predicted):
        accuracy = np.mean(predicted == transfer.y[test])
        frame.append({"model": model, "method": method, "accuracy": accuracy})

    for model, sources in lists.items():
        units = [s.decision_function(transfer.X[test]) / np.linalg.norm(s.coef_) for s in sources]
        add(model, ALONE, np.sign(np.sum(units, axis=0)))
        frozen = [FrozenEstimator(s) for s in sources]
        chosen = AlphaTransferClassifier(frozen).fit(X, y)
        add(model, DEFAULT, chosen.predict(transfer.X[test]))
        if len(sources) == 1 and "transported" in model:
            fixed = AlphaTransferClassifier(frozen, alpha=1.0, gamma=100.0).fit(X, y)
            path = fixed.alpha_path(transfer.X[test], transfer.y[test], alphas=ORACLE_ALPHAS)
            frame.append({"model": model, "method": ORACLE, "accuracy": path.scores.max()})
    return frame
