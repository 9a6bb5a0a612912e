"""Every way of `amazon-text` to get a classifier of the target, on one draw."""

from benchmarks._data.embeddings import minilm_path
from benchmarks._names import ALONE
from benchmarks.networks._adapters import METHODS
from benchmarks.networks._reviews import (
    averaged_net,
    draw,
    source_model,
    source_net,
    states_and_source,
)
from benchmarks.networks._setfit import score_setfit
from benchmarks.networks._training import clock, one_thread, score, score_net, train
from benchmarks.networks._wise_ft import score_full
from sklearn_alpha import AlphaTransferClassifier

SOURCES = {"books": "dvd", "kitchen": "books", "electronics": "kitchen", "dvd": "electronics"}
CLOSED_FORM = "AlphaTransferClassifier, no training"
ADAPTERS, WEIGHTS = [3e-4, 1e-3, 3e-3, 1e-2, 3e-2], [1e-5, 3e-5, 1e-4, 3e-4]
RATES = {
    "plain-lora": ADAPTERS,
    "lora": ADAPTERS,
    "alpha": ADAPTERS,
    "free": ADAPTERS,
    "dora": ADAPTERS,
    "rslora": ADAPTERS,
    "ia3": [1e-3, 3e-3, 1e-2, 3e-2],
    "full": WEIGHTS,
    "lp-ft": WEIGHTS,
    "setfit": [5e-6, 2e-5, 5e-5, 1e-4, 3e-4],
}
BATCH_SIZE, PAIRS = 8, 8  # rows, and pairs of SetFit


@one_thread()
def score_way(
    target, seed, way, lr, n_source, tokens, precision, n, n_scored, epochs, setfit_steps, on
):
    """One way to adapt on one draw, or all that train nothing; `on` tells devices apart."""
    nets = {"n_source": n_source, "tokens": tokens, "precision": precision}
    texts, y, own, scored = draw(target, n, seed, n_source, n_scored)
    rows, there = (texts[own], y[own]), (texts[scored], y[scored])
    if way == "setfit":
        options = {"tokens": tokens, "batch_size": PAIRS, "n_steps": setfit_steps}
        row = score_setfit(minilm_path(), *rows, *there, lr=lr, seed=seed, **options)
        return row | {"method": "SetFit", "rate": lr}
    net = source_net(SOURCES[target], **nets)
    if way == "untrained":
        averaged = averaged_net(target, **nets)
        return [
            *untrained(net, *rows, *there, ALONE, CLOSED_FORM),
            *untrained(averaged, *rows, *there, "averaged sources", f"{CLOSED_FORM}, averaged"),
        ]
    model = source_model(SOURCES[target], **nets)
    options = {"max_length": tokens, "max_epochs": epochs, "batch_size": BATCH_SIZE}
    options |= {"precision": precision, "tokenizer": net.tokenizer_}
    if way == "full":
        found = score_full(model, *rows, *there, lr=lr, seed=seed, **options)
        return [row | {"rate": lr} for row in found]
    adapted = train(way, model, *rows, lr=lr, seed=seed, **options)
    return score_net(adapted, *there) | {
        "method": METHODS[way][0],
        "rate": lr,
        "seconds": adapted.seconds_,
    }


def untrained(net, X, y, X_scored, y_scored, alone, closed_form):
    """A net alone, and the closed form on its states."""
    start = clock()
    Z, source = states_and_source(net, X)
    model = AlphaTransferClassifier(source).fit(Z, y)
    seconds = clock() - start
    Z_scored, _ = states_and_source(net, X_scored)
    return [
        {"method": alone} | score(source, Z_scored, y_scored, net.classes_),
        {"method": closed_form, "seconds": seconds}
        | score(model, Z_scored, y_scored, net.classes_),
    ]
