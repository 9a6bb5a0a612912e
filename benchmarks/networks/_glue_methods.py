"""One way of `glue` to adapt a model to a task, at one rate, on one draw of training rows."""

from sklearn.dummy import DummyClassifier

from benchmarks._data.embeddings import minilm_path
from benchmarks._data.glue import glue_rows
from benchmarks.networks._adapters import METHODS
from benchmarks.networks._training import PublishedStart, one_thread, score, score_net, train

SHARES = "shares of the classes"
# Further options of the published code.
PUBLISHED = {
    "batch_size": 64,
    "held_out": 0.1,
    "optimizer__betas": (0.9, 0.99),
    "callbacks": [("published_start", PublishedStart())],
    "callbacks__linear_probe": None,
}


@one_thread()
def score_way(task, seed, way, lr, n, n_scored, model, tokens, precision, hub, epochs, preset, on):
    """Scores of the epoch of least loss on the validation rows; `on` tells devices apart."""
    X, y = glue_rows(task, "train", n, seed, hub=hub)
    X_dev, y_dev = glue_rows(task, "dev", n_scored, seed=0, hub=hub)
    if way == SHARES:
        shares = DummyClassifier(strategy="prior").fit(X, y)
        return {"method": SHARES, "rate": None} | score(shares, X_dev, y_dev, shares.classes_)
    net = train(
        way,
        minilm_path() if model == "MiniLM" else model,
        X,
        y,
        lr=lr,
        seed=seed,
        max_length=tokens,
        max_epochs=epochs,
        precision=precision,
        early_stopping=True,
        n_iter_no_change=epochs,  # never stops, and restores the best epoch
        **(PUBLISHED if preset == "paper" else {"batch_size": 16}),
    )
    best = min(net.history, key=lambda epoch: epoch["valid_loss"])
    return score_net(net, X_dev, y_dev) | {
        "method": METHODS[way][0],
        "rate": lr,
        "seconds": net.seconds_,
        "choice_accuracy": best["valid_acc"],
        "choice_log_loss": best["valid_loss"],
    }
