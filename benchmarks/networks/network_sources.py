"""Three networks of other domains' reviews, adapted to a fourth domain with n labelled reviews.

Each source is MiniLM, fine-tuned by LoRA (α = 1) on the reviews of one domain. The target is a
fourth domain, and the reviews of the sources are not used. The methods are the sources alone, the
mean of their log odds, which costs three networks, the mean of their weights, and
`AlphaLoRANetClassifier` from the first source and from the list of three. The list is merged into
one network, which is scored without training too. By default the trained network moves from there
only as far as left-out rows say; without the anchor it stays where the same training ends. A target
review that is also among the labelled ones, or among those of a source, is not scored.
"""

import hashlib
import json
from functools import lru_cache

import numpy as np
from scipy.special import softmax
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss

from benchmarks import _runner
from benchmarks._data.amazon import DOMAINS
from benchmarks._data.embeddings import minilm_path
from benchmarks._data.transfers import Transfer, split
from benchmarks._results import publish
from benchmarks._runner import run_cells
from benchmarks._statistics import FEW, paired_differences
from benchmarks._tables import compared, number
from benchmarks.networks._reviews import reviews
from benchmarks.networks._training import device, one_thread, packages
from sklearn_alpha.neural_network import AlphaLoRANetClassifier
from sklearn_alpha.neural_network._anchor import Anchor
from sklearn_alpha.neural_network._dropout import copy_of_state

NAME = "network-sources"
MEAN = "mean of the weights"
DEFAULTS = {"draws": 2, "n_source": 800, "n_scored": 200, "tokens": 48, "epochs": 3}
HELP = {
    "draws": "draws of the labelled reviews per target",
    "n_source": "reviews that a source is trained on",
    "n_scored": "target reviews scored in a draw",
    "tokens": "where texts are cut",
    "epochs": "passes over the rows of the target; a source is trained for 2",
}
LR, SOURCE_LR, SOURCE_EPOCHS = 1e-3, 2e-3, 2


def add_arguments(parser):
    """Add the sizes; the defaults take less than half an hour on one core."""
    parser.add_argument("--targets", nargs="+", choices=DOMAINS, default=["books", "kitchen"])
    parser.add_argument(
        "--n", type=int, nargs="+", default=[20, 50], help="labelled target reviews"
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
    nets = {"n_source": args.n_source, "tokens": args.tokens}
    cells = [
        {"target": target, "n": n, "seed": seed, "n_scored": args.n_scored}
        | {"epochs": args.epochs, "nets": nets, "on": device()}
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
        f"reviews for each source, {args.epochs} epochs, step size {LR:g}. In brackets "
        "the difference from the "
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


class BeforeAndAfter(Anchor):
    """The anchor, which keeps the state of the network from before it."""

    def on_train_end(self, net, X=None, y=None, **kwargs):
        self.trained_ = copy_of_state(net)
        super().on_train_end(net, X, y, **kwargs)


def source_rows(domain, n_source):
    """Texts and labels that a source is trained on."""
    texts, y, _ = reviews(domain)
    rows = np.random.default_rng(0).permutation(len(y))[:n_source]
    return texts[rows], y[rows]


def source_folder(domain, n_source, tokens):
    """Folder of a source net, which is trained if there is none."""
    what = [NAME, minilm_path(), domain, n_source, tokens, SOURCE_LR, SOURCE_EPOCHS]
    key = hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]
    folder = _runner.CACHE / "nets" / f"{domain}-{key}"
    if not folder.exists():
        options = {"lr": SOURCE_LR, "max_epochs": SOURCE_EPOCHS, "max_length": tokens}
        net = AlphaLoRANetClassifier(minilm_path(), alpha=1.0, random_state=0, **options)
        net.fit(*source_rows(domain, n_source)).save(folder)
    return folder


@lru_cache(maxsize=4)
def source(domain, **nets):
    """The source net of a domain."""
    return FrozenEstimator(AlphaLoRANetClassifier.load(source_folder(domain, **nets)))


@one_thread()
def score_draw(target, n, seed, n_scored, epochs, nets, on):
    """All methods on one draw; `on` tells devices apart."""
    domains = [domain for domain in DOMAINS if domain != target]
    sources = [source(domain, **nets) for domain in domains]
    options = {"tokenizer": sources[0].tokenizer_, "max_length": nets["tokens"]}
    options |= {"random_state": seed, "device": on, "lr": LR}
    texts, y, groups = reviews(target)
    own, scored = split(Transfer(None, None, texts, y, groups), n, seed)
    known = {text for domain in domains for text in source_rows(domain, nets["n_source"])[0]}
    scored = np.array([row for row in scored if texts[row] not in known])
    scored = np.random.default_rng(seed).choice(scored, min(n_scored, len(scored)), replace=False)

    def fitted(model, **more):
        return AlphaLoRANetClassifier(model, **options, **more).fit(texts[own], y[own])

    def scores(P):
        return {
            "accuracy": np.mean(P.argmax(axis=1) == y[scored]),
            "log_loss": log_loss(y[scored], P),
        }

    log_P = np.array(
        [fitted(model, max_epochs=0).predict_log_proba(texts[scored]) for model in sources]
    )
    alone = [scores(P) for P in np.exp(log_P)]
    rows = [
        {"method": "source alone, mean of three"}
        | {measure: np.mean([found[measure] for found in alone]) for measure in alone[0]},
        {"method": "first source alone"} | alone[0],
        {"method": "mean of the log odds, three networks"}
        | scores(softmax(log_P.mean(axis=0), axis=1)),
    ]
    for method, model in ((MEAN, mean_of(sources)), ("list of three, not trained", sources)):
        still = fitted(model, max_epochs=0)
        rows.append({"method": method} | scores(still.predict_proba(texts[scored])))
    for name, model in (("first source", sources[0]), ("list of three", sources)):
        anchor = BeforeAndAfter()
        net = fitted(model, max_epochs=epochs, callbacks__anchor=anchor)
        kept = {"trained_share": net.trained_share_}
        rows.append(
            {"method": f"{name}, default"} | kept | scores(net.predict_proba(texts[scored]))
        )
        anchor = dict(net.callbacks_)["anchor"]
        net.module_.load_state_dict(anchor.trained_)
        found = scores(net.predict_proba(texts[scored]))
        rows.append({"method": f"{name}, without the anchor"} | found)
    return rows


def mean_of(sources):
    """A plain model with the equal mean of the weights of the sources."""
    models = [net.estimator.merged_model() for net in sources]
    states = [model.state_dict() for model in models]
    mean = {name: sum(state[name] for state in states) / len(states) for name in states[0]}
    models[0].load_state_dict(mean)
    return models[0]
