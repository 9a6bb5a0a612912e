"""SetFit: a sentence encoder trained on pairs of labelled texts, then logistic regression."""

import contextlib
import tempfile
from importlib import metadata, util

import torch

from benchmarks.networks._training import clock, device, one_thread, score


def version():
    """Version of SetFit, or None if it is not installed."""
    return metadata.version("setfit") if util.find_spec("setfit") else None


@one_thread()
def score_setfit(model, X, y, X_scored, y_scored, *, lr, seed, tokens, batch_size, n_steps):
    """Scores of SetFit after `n_steps` batches of pairs, and the time of its fit."""
    from datasets import Dataset, disable_progress_bars
    from setfit import SetFitModel, Trainer, TrainingArguments
    from transformers.utils import logging

    disable_progress_bars()
    logging.disable_progress_bar()
    start = clock()
    net = SetFitModel.from_pretrained(model, device=device())
    net.model_body.max_seq_length = tokens
    rows = Dataset.from_dict({"text": list(X), "label": [int(label) for label in y]})
    with tempfile.TemporaryDirectory() as folder, torch.autocast(device(), torch.bfloat16):
        options = TrainingArguments(
            output_dir=folder,
            batch_size=batch_size,
            max_steps=n_steps,
            body_learning_rate=lr,
            seed=seed,
            report_to="none",
            save_strategy="no",
            show_progress_bar=False,
        )
        with contextlib.redirect_stdout(None):
            Trainer(model=net, args=options, train_dataset=rows).train()
        seconds = clock() - start
        return score(_Probabilities(net), X_scored, y_scored, [0, 1]) | {"seconds": seconds}


class _Probabilities:
    """SetFit's model with scikit-learn's method."""

    def __init__(self, net):
        self.net = net

    def predict_proba(self, X):
        return self.net.predict_proba(list(X), as_numpy=True, show_progress_bar=False)
