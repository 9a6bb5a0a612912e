"""Several sources at once: two penalties of one source, and the three other domains.

A list of sources gets an α each. On pairs of domains, the list holds one transported source under
two penalties, and the best α of the single source *on the scored labels* stands beside it as a
mark. Then every domain is the target of the three others: as a list, against one source that was
trained on all their rows. Otherwise as in `amazon-table --protocol honest`.
"""

from functools import lru_cache

import numpy as np
from sklearn.frozen import FrozenEstimator

from benchmarks._comparison import add_comparison_arguments, report
from benchmarks._data import DOMAINS, PAIRS, Transfer, amazon_features, split
from benchmarks._names import ALONE, DEFAULT
from benchmarks._peers import logistic, ridge, transport
from benchmarks._runner import run_cells, version
from sklearn_alpha import AlphaTransferClassifier

ORACLE = "mark: γ = 100, best of 81 α on the scored labels"
ORACLE_ALPHAS = np.linspace(0, 40, 81)


def add_arguments(parser):
    """Add the sizes and the number of draws."""
    add_comparison_arguments(parser, sizes=[20, 40, 100, 400], draws=20)


def main(args):
    """Run both comparisons."""
    others = [("+".join(d for d in DOMAINS if d != target), target) for target in DOMAINS]
    for name, transfers in (("pairs", PAIRS), ("domains", others)):
        cells = [
            {"source": source, "target": target, "n": n, "seed": seed}
            for source, target in transfers
            for n in args.n
            for seed in range(args.draws)
        ]
        frame = run_cells(f"amazon-sources-{name}", score, cells, resume=args.resume)
        report(frame, f"amazon-sources-{name}", "seed", args)


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


@version(1, "sklearn_alpha.linear_model")
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
