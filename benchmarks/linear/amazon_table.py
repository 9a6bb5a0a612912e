"""Table 1 of the paper, to the printed digit, and the same transfers compared honestly.

--protocol published repeats what the paper's script did. Read its columns with care: α* is
computed from the labels of all target rows, the scored ones included; accuracy is
max(acc, 1 - acc) on the scored rows; the column that the paper calls "No-FT" is ridge on the target
rows alone, and no column holds the source without fine-tuning.

--protocol honest uses no label of a scored row, reports plain accuracy, and adds the source alone,
the target alone and pooled training under their names. All target rows, the scored ones included,
are used without their labels to z-score the features and to move the rows of one source.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from benchmarks._data.amazon import PAIRS, amazon_features
from benchmarks._data.transfers import Transfer
from benchmarks._results import publish
from benchmarks._runner import run_cells
from benchmarks.linear._comparison import add_comparison_arguments, compare, score_methods
from benchmarks.linear._peers import SOURCES
from benchmarks.linear._published import published_optimal_alpha, table_constants
from sklearn_alpha import AlphaTransferClassifier

PAPER = Path(__file__).parent / "paper_table1.csv"
COLUMNS = {
    "target_only": "α = 0: target alone (“No-FT”)",
    "fine_tuning": "α = 1",
    "alpha_star_accuracy": "α*",
}


def add_arguments(parser):
    """Add the protocol and its options."""
    parser.add_argument("--protocol", choices=("published", "honest"), default="published")
    add_comparison_arguments(parser, sizes=None, draws=20)
    published = parser.add_argument_group("published protocol")
    published.add_argument("--gamma-pre", type=float, default=1.0, help="penalty of the source")
    published.add_argument("--gamma", type=float, default=1.0, help="penalty of the adapter")
    published.add_argument("--seeds", type=int, nargs="+", default=[1, 123, 404])


def main(args):
    """Run one of the two protocols."""
    if args.protocol == "honest":
        args.n = args.n or [20, 40, 100, 400]
        return compare("amazon-table-honest", score, PAIRS, "seed", args)
    args.n = args.n or [20, 40]
    options = {"gamma_pre": args.gamma_pre, "gamma": args.gamma, "seeds": args.seeds}
    seeds = published_seeds(args.n, **options, resume=args.resume)
    table, paper = published_table(seeds), paper_table(**options)
    publish(
        seeds,
        "amazon-table-published",
        args,
        caption=f"Table 1, published protocol. {agreement(table, paper)}".strip(),
        tables=published_tables(table, paper),
    )


def score(**cell):
    """Accuracy of every method of the honest protocol on one draw."""
    return score_methods(load_transfer, tuple(SOURCES), **cell)


@lru_cache(maxsize=2)
def load_transfer(source, target):
    """The transfer between two domains."""
    return Transfer(*amazon_features(source), *amazon_features(target))


def ridge_coefficients(X, y, gamma):
    """Ridge without an intercept, the paper's source."""
    return np.linalg.solve(X.T @ X / len(y) + gamma * np.eye(X.shape[1]), X.T @ y / len(y))


def published_alpha(transfer, n, gamma_pre, gamma):
    """β and the published α*, computed from *all* target labels as in the paper."""
    constants = table_constants(*transfer[:4])
    alpha = published_optimal_alpha(
        n_source=2000,  # as published, also where a domain has a row or two less
        n_target=n,
        n_features=transfer.X.shape[1],
        gamma_source=gamma_pre,
        gamma_target=gamma,
        **constants._asdict(),
    )
    return constants.beta, alpha


def score_published(source, target, n, gamma_pre, gamma, seed):
    """Accuracies of one seed, each the mean of ten draws, as the paper's script computed them."""
    transfer = load_transfer(source, target)
    X, y = transfer.X, transfer.y
    beta, alpha_star = published_alpha(transfer, n, gamma_pre, gamma)
    coef = ridge_coefficients(transfer.X_source, transfer.y_source, gamma_pre)
    # The three columns share one generator, in this order.
    generator = np.random.RandomState(seed)
    columns = {"alpha_star_accuracy": alpha_star, "target_only": 0.0, "fine_tuning": 1.0}
    accuracies = {}
    for column, alpha in columns.items():
        estimator = AlphaTransferClassifier(coef, alpha=alpha, gamma=gamma, fit_intercept=False)
        draws = []
        for _ in range(10):
            train, test = train_test_split(
                np.arange(len(y)), train_size=n / len(y), random_state=generator
            )
            accuracy = np.mean(estimator.fit(X[train], y[train]).predict(X[test]) == y[test])
            draws.append(max(accuracy, 1 - accuracy))
        accuracies[column] = np.mean(draws)
    return {"beta": beta, "alpha_star": alpha_star, **accuracies}


def published_seeds(sizes, *, gamma_pre=1.0, gamma=1.0, seeds=(1, 123, 404), **options):
    """Run the published protocol; one row per pair, n and seed. `options`: see `run_cells`."""
    penalties = {"gamma_pre": gamma_pre, "gamma": gamma}
    cells = [
        {"source": source, "target": target, "n": n, **penalties, "seed": seed}
        for n in sizes
        for source, target in PAIRS
        for seed in seeds
    ]
    return run_cells("amazon-table-published", score_published, cells, **options)


def published_table(seeds):
    """Mean and population standard deviation over the seeds, in per cent, two decimals."""
    groups = seeds.groupby(["source", "target", "n"], sort=False)
    table = groups[["beta", "alpha_star"]].first()
    for column in COLUMNS:
        table[column] = 100 * groups[column].mean()
        table[f"{column}_std"] = 100 * groups[column].std(ddof=0)
    return table.round(2)


def paper_table(gamma_pre=1.0, gamma=1.0, seeds=(1, 123, 404)):
    """Table 1 as printed, indexed like :func:`published_table`; empty for other options."""
    table = pd.read_csv(PAPER).set_index(["source", "target", "n"])
    printed = (gamma_pre, gamma) == (1, 1) and tuple(seeds) == (1, 123, 404)
    return table if printed else table.iloc[:0]


def agreement(table, paper):
    """How many numbers equal the printed ones, in a sentence; empty where none is printed."""
    shared = table.index.intersection(paper.index)
    equal = (table.loc[shared] == paper.loc[shared, table.columns]).to_numpy()
    return f"{equal.sum()} of {equal.size} numbers equal the paper's (=)." if equal.size else ""


def published_tables(table, paper):
    """A table for each n; "=" stands after a number that equals the printed one."""
    columns = ["transfer", "β", "α*", *(f"accuracy, {name}" for name in COLUMNS.values())]
    tables = {}
    for n, group in table.groupby("n"):
        rows = [
            [f"{index[0]} → {index[1]}", *_published_cells(row, paper.reindex([index]).iloc[0])]
            for index, row in group.iterrows()
        ]
        tables[f"n = {n}"] = pd.DataFrame(rows, columns=columns)
    return tables


def _published_cells(row, printed):
    if printed.isna().all():
        return _texts(row)
    pairs = zip(_texts(row), _texts(printed))
    return [
        f"{ours} =" if ours == theirs else f"{ours} (paper: {theirs})" for ours, theirs in pairs
    ]


def _texts(row):
    accuracies = [f"{row[column]:.2f}±{row[f'{column}_std']:.2f}" for column in COLUMNS]
    return [f"{row.beta:.2f}", f"{row.alpha_star:.2f}", *accuracies]
