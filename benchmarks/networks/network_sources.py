"""Three networks of other domains' reviews, adapted to a fourth domain with n labelled reviews.

Each source is MiniLM, fine-tuned by LoRA (α = 1) on the reviews of one domain. The target is a
fourth domain, and the reviews of the sources are not used. The
methods are the sources alone (their mean score), the mean of their log odds, which costs three
networks, the equal mean of their weights, and `AlphaLoRANetClassifier` from a list of the three and
from one of them, the first. Without the anchor, training ends where it ends; with it, the default,
the network moves only as far as left-out rows say. A target review that is also among the labelled
ones, or among those of a source, is not scored.
"""

import numpy as np
from scipy.special import softmax
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss

from benchmarks._data.amazon import DOMAINS
from benchmarks._data.embeddings import minilm_path
from benchmarks._data.transfers import Transfer, split
from benchmarks._results import publish
from benchmarks._runner import run_cells
from benchmarks._statistics import FEW, paired_differences
from benchmarks._tables import compared, number
from benchmarks.networks._reviews import reviews, source_net, source_rows
from benchmarks.networks._training import device, one_thread, packages
from sklearn_alpha.neural_network import AlphaLoRANetClassifier

NAME = "network-sources"
MEAN = "mean of the weights"
DEFAULTS = {"draws": 3, "n_source": 800, "n_scored": 200, "tokens": 32, "epochs": 3}
HELP = {
    "draws": "draws of the labelled reviews per target",
    "n_source": "reviews that a source is trained on",
    "n_scored": "target reviews scored in a draw",
    "tokens": "where texts are cut",
    "epochs": "passes over the rows, of source and target",
}
LR = 1e-3


def add_arguments(parser):
    """Add the sizes; the defaults take less than half an hour on one core."""
    parser.add_argument("--targets", nargs="+", choices=DOMAINS, default=["books", "kitchen"])
    parser.add_argument(
        "--n", type=int, nargs="+", default=[20, 50, 200], help="labelled target reviews"
    )
    for name, text in HELP.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=int,
            default=DEFAULTS[name],
            help=f"{text} (default {DEFAULTS[name]})",
        )


def main(args):
    """Train the sources, adapt them, and write the scores down."""
    minilm_path()
    nets = {"n_source": args.n_source, "tokens": args.tokens, "epochs": args.epochs}
    cells = [
        {"target": target, "n": n, "seed": seed, "n_scored": args.n_scored}
        | {"nets": nets, "on": device()}
        for target in args.targets
        for n in args.n
        for seed in range(args.draws)
    ]
    frame = run_cells(NAME, score_draw, cells, resume=args.resume).drop(columns=["nets", "on"])
    summary = paired_differences(
        frame,
        ["n"],
        unit=["target", "seed"],
        baseline=MEAN,
        measures=["accuracy", "log_loss", "trained_share"],
    )
    caption = (
        f"Mean of {len(args.targets)} targets ({', '.join(args.targets)}) x {args.draws} draws, "
        f"{args.n_scored} scored reviews each. MiniLM, {args.tokens} tokens, {args.n_source} "
        f"reviews for each source, {args.epochs} epochs. In brackets the difference from the "
        f"{MEAN} on the same draws, with its 95 % interval (bootstrap; Student's for fewer than "
        f"{FEW} draws), as if draws of one target were independent. The last column is t, the "
        "share of the training that is kept."
    )
    tables = {f"n = {n}": _table(group) for n, group in summary.groupby("n", sort=False)}
    publish(frame, NAME, args, caption=caption, tables=tables, packages=packages())


def _table(group):
    rows = [row for _, row in group.iterrows()]
    return group[["method"]].assign(
        **{
            "accuracy, %": [_cell(row, "accuracy", unit=100) for row in rows],
            "log loss": [_cell(row, "log_loss", digits=3) for row in rows],
            "t": [number(row.trained_share, ".2f") for row in rows],
        }
    )


def _cell(row, measure, **form):
    difference = [row[f"{measure}{end}"] for end in ("_difference", "_low", "_high")]
    if row.method == MEAN:
        difference = [None] * 3
    return compared(row[measure], *difference, **form)


@one_thread()
def score_draw(target, n, seed, n_scored, nets, on):
    """All methods on one draw; `on` tells devices apart."""
    domains = [domain for domain in DOMAINS if domain != target]
    sources = [source_net(domain, **nets) for domain in domains]
    texts, y, groups = reviews(target)
    own, scored = split(Transfer(None, None, texts, y, groups), n, seed)
    known = {text for domain in domains for text in source_rows(domain, nets["n_source"])[0]}
    scored = np.array([row for row in scored if texts[row] not in known])
    scored = np.random.default_rng(seed).choice(scored, min(n_scored, len(scored)), replace=False)
    X, labels = texts[scored], y[scored]
    log_P = np.array([net.predict_log_proba(X) for net in sources])
    alone = [_scores(P, labels) for P in np.exp(log_P)]
    rows = [
        {"method": "source alone"} | {m: np.mean([s[m] for s in alone]) for m in alone[0]},
        {"method": "first source alone"} | alone[0],
        {"method": "mean of the log odds, three networks"}
        | _scores(softmax(log_P.mean(axis=0), axis=1), labels),
    ]
    frozen = [FrozenEstimator(net) for net in sources]
    options = {"max_length": nets["tokens"], "random_state": seed, "device": on, "lr": LR}
    for method, model in ((MEAN, mean_of(sources)), ("mean, shares by the labels", frozen)):
        still = AlphaLoRANetClassifier(
            model, tokenizer=sources[0].tokenizer_, max_epochs=0, **options
        ).fit(texts[own], y[own])
        rows.append({"method": method} | _scores(still.predict_proba(X), labels))
    for model, name in ((frozen[0], "first source"), (frozen, "list")):
        for anchor, kind in (({"callbacks__anchor": None}, "without the anchor"), ({}, "default")):
            net = AlphaLoRANetClassifier(model, max_epochs=nets["epochs"], **options, **anchor)
            net.fit(texts[own], y[own])
            rows.append(
                {"method": f"{name} fine-tuned, {kind}", "trained_share": net.trained_share_}
                | _scores(net.predict_proba(X), labels)
            )
    return rows


def mean_of(nets):
    """A plain model with the equal mean of the weights of some nets."""
    models = [net.merged_model() for net in nets]
    states = [model.state_dict() for model in models]
    mean = {name: sum(state[name] for state in states) / len(states) for name in states[0]}
    models[0].load_state_dict(mean)
    return models[0]


def _scores(P, y):
    return {"accuracy": np.mean(P.argmax(axis=1) == y), "log_loss": log_loss(y, P)}
