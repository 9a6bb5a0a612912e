"""MiniLM fine-tuned on the reviews of one domain, then adapted to another with n labelled reviews.

The source net is LoRA (α = 1) on reviews of the source domain; every network method starts from its
merged weights. The linear methods are logistic regression on the same source reviews, alone and
under `AlphaTransferClassifier`, on three kinds of features: mean hidden states of the source net,
those of MiniLM, both z-scored per domain, and TF-IDF of the texts of both domains; for these the
unlabelled target texts are used. Nets and hidden states see the same tokens of "title. text",
TF-IDF all words. A target review that is also among the labelled ones, or among the source's, is
not scored.
"""

import time
from itertools import product

import joblib
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from benchmarks._data.amazon import PAIRS
from benchmarks._data.embeddings import minilm_path
from benchmarks._names import ALONE
from benchmarks._results import publish
from benchmarks._runner import run_cells
from benchmarks.networks._adapters import METHODS, add_net_arguments
from benchmarks.networks._comparison import against_lora, conditions, method_tables
from benchmarks.networks._reviews import (
    BATCH_SIZE,
    draw,
    features,
    source_folder,
    source_net,
    source_rows,
)
from benchmarks.networks._training import (
    device,
    one_thread,
    packages,
    score,
    score_net,
    train,
)
from sklearn_alpha import AlphaTransferClassifier

SOME = (("dvd", "books"), ("books", "kitchen"))
FEATURES = {"source net": "source net's states", "MiniLM": "MiniLM's states", "TF-IDF": "TF-IDF"}
# For one or two hours on a CPU, and for a GPU.
SMALL = {"n": [50, 200], "draws": 5, "epochs": 3, "n_source": 400, "n_scored": 400, "tokens": 48}
FULL = {"n": [50, 200], "draws": 20, "epochs": 3, "n_source": None, "n_scored": None, "tokens": 256}
HELP = {
    "n": "labelled target reviews",
    "draws": "draws of these per transfer",
    "epochs": "passes over the rows, of source and target",
    "n_source": "source reviews",
    "n_scored": "target reviews scored in a draw",
    "tokens": "where texts are cut",
}


def add_arguments(parser):
    """Add the sizes; `--full` has other defaults."""
    parser.add_argument(
        "--full", action="store_true", help="all transfers, rows and 256 tokens: for a GPU"
    )
    for name, text in HELP.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=int,
            nargs="+" if name == "n" else None,
            help=f"{text} (default {SMALL[name]}; {FULL[name] or 'all'} with --full)",
        )
    add_net_arguments(parser, lr=[1e-3])


def main(args):
    """Train and score all, and write it down."""
    for name, value in (FULL if args.full else SMALL).items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    pairs = PAIRS if args.full else SOME
    minilm_path()
    nets = {"n_source": args.n_source, "tokens": args.tokens, "epochs": args.epochs}
    # before any worker needs them
    joblib.Parallel()(joblib.delayed(source_folder)(source, **nets) for source in dict(pairs))
    draws = [
        {"source": source, "target": target, "n": n, "seed": seed, "n_scored": args.n_scored}
        for source, target in pairs
        for n in args.n
        for seed in range(args.draws)
    ]
    of_nets = [
        cell | {"method": method, "lr": args.lr, "on": device(), "nets": nets}
        for cell in draws
        for method in ["alone", *args.methods]
    ]
    # One cell for all draws: features of all rows cost more than the fits.
    linear = [
        {"source": source, "target": target, "kind": kind, "nets": nets}
        | {"ns": args.n, "seeds": args.draws, "n_scored": args.n_scored}
        for source, target in pairs
        for kind in FEATURES
    ]
    frames = [
        run_cells("amazon-text", score_method, of_nets, resume=args.resume),
        run_cells("amazon-text", score_linear, linear, resume=args.resume),
    ]
    report(pd.concat(frames, ignore_index=True), args, len(pairs))


def report(frame, args, n_pairs):
    """Write down the mean of all transfers, and each transfer."""
    name = "amazon-text-full" if args.full else "amazon-text"
    by = ["source", "target", "n"]
    pairs, means = against_lora(frame, by), against_lora(frame, ["n"], [*by[:2], "seed"])
    caption = (
        f"Mean of {n_pairs} transfers x {args.draws} draws. {conditions(args)} The intervals of "
        "the mean treat the draws of all transfers as independent."
    )
    tables = {
        "Mean of all transfers": method_tables(means, ["n"]),
        "Each transfer": method_tables(pairs, by),
    }
    publish(pairs, name, args, caption=caption, tables=tables, packages=packages())


@one_thread()
def score_method(source, target, n, seed, n_scored, method, lr, on, nets):
    """One network method on one draw, or the source net alone; `on` tells devices apart."""
    net = source_net(source, **nets)
    texts, y, own, scored = draw(source, target, n, seed, nets["n_source"], n_scored)
    if method == "alone":
        return {"method": ALONE} | score(net, texts[scored], y[scored], net.classes_)
    options = {"max_length": nets["tokens"], "max_epochs": nets["epochs"], "batch_size": BATCH_SIZE}
    frozen = FrozenEstimator(net)
    adapted = train(method, frozen, texts[own], y[own], lr=lr, seed=seed, **options)
    return score_net(adapted, texts[scored], y[scored]) | {"method": METHODS[method][0]}


@one_thread()
def score_linear(source, target, ns, seeds, n_scored, kind, nets):
    """Logistic regression of the source, alone and fine-tuned in closed form, on all draws."""
    X_source, X = features(kind, source, target, **nets)
    y_source = source_rows(source, nets["n_source"])[1]
    alone = LogisticRegression(max_iter=1000).fit(X_source, y_source)
    rows = []
    for n, seed in product(ns, range(seeds)):
        _, y, own, scored = draw(source, target, n, seed, nets["n_source"], n_scored)
        start = time.perf_counter()
        tuned = AlphaTransferClassifier(FrozenEstimator(alone)).fit(X[own], y[own])
        seconds = time.perf_counter() - start
        there, there_y = X[scored], y[scored]
        rows += [
            {"n": n, "seed": seed, "method": f"{ALONE}, {FEATURES[kind]}"}
            | score(alone, there, there_y, alone.classes_),
            {"n": n, "seed": seed, "method": f"AlphaTransferClassifier, {FEATURES[kind]}"}
            | {"seconds": seconds}
            | score(tuned, there, there_y, tuned.classes_),
        ]
    return rows
