"""What `amazon-text` starts from: reviews, draws of them, and source nets."""

import hashlib
import json
from functools import lru_cache

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from torch import nn

from benchmarks import _runner
from benchmarks._code import digest
from benchmarks._data.amazon import DOMAINS, amazon_texts
from benchmarks._data.embeddings import minilm_path
from benchmarks._data.transfers import Transfer, draw_rows, split
from benchmarks.networks._training import device, train
from sklearn_alpha.neural_network import AlphaLoRANetClassifier

SOURCE_LR, SOURCE_EPOCHS, BATCH_SIZE = 1e-3, 3, 16


reviews = lru_cache(maxsize=4)(amazon_texts)


def source_rows(domain, n_source):
    """Texts and labels that a source is trained on; all rows for None."""
    texts, y, _ = reviews(domain)
    rows = draw_rows(y, n_source, seed=0)
    return texts[rows], y[rows]


def draw(target, n, seed, n_source, n_scored):
    """Texts and labels of the target, its n labelled rows, and the rows that are scored."""
    texts, y, groups = reviews(target)
    own, scored = split(Transfer(None, None, texts, y, groups, stratify=True), n, seed)
    others = [source_rows(domain, n_source)[0] for domain in DOMAINS if domain != target]
    known = set(np.concatenate(others))
    scored = np.array([row for row in scored if texts[row] not in known])
    if n_scored is not None:
        scored = np.random.default_rng(seed).choice(scored, min(n_scored, len(scored)), False)
    return texts, y, own, scored


@lru_cache(maxsize=4)
def source_net(source, n_source, tokens, precision):
    """MiniLM fine-tuned on a source domain by LoRA."""
    folder = source_folder(source, n_source, tokens, precision)
    return AlphaLoRANetClassifier.load(folder)


@lru_cache(maxsize=1)  # cells come target by target
def source_model(source, **options):
    """The merged weights of the source net, which every method starts from."""
    return source_net(source, **options).merged_model()


def source_folder(source, n_source, tokens, precision):
    """Folder of the source net, which is trained if there is none."""
    what = [source, n_source, tokens, precision, device(), digest(__name__)]
    key = hashlib.sha256(json.dumps([minilm_path(), *what]).encode()).hexdigest()[:16]
    folder = _runner.CACHE / "nets" / f"{source}-{key}"
    if not folder.exists():
        net = train(
            "lora",
            minilm_path(),
            *source_rows(source, n_source),
            lr=SOURCE_LR,
            seed=0,
            max_length=tokens,
            max_epochs=SOURCE_EPOCHS,
            batch_size=BATCH_SIZE,
            precision=precision,
        )
        folder.parent.mkdir(parents=True, exist_ok=True)
        net.save(folder)
    return folder


def averaged_net(target, **options):
    """A net whose weights are the mean of those of the other domains' nets (arXiv 2203.05482)."""
    sources = [source_net(domain, **options) for domain in DOMAINS if domain != target]
    models = [net.merged_model() for net in sources]
    states = [model.state_dict() for model in models]
    mean = {
        name: torch.stack([state[name].double() for state in states]).mean(dim=0)
        for name, value in states[0].items()
        if value.is_floating_point()
    }
    models[0].load_state_dict(states[0] | mean)
    return AlphaLoRANetClassifier(
        models[0],
        tokenizer=sources[0].tokenizer_,
        alpha=1.0,
        max_epochs=0,
        max_length=options["tokens"],
        precision=options["precision"],
        device=device(),
    ).fit(["a", "b"], sources[0].classes_)


def states_and_source(net, X):
    """Inputs of the head, and the head as the logistic regression that it is on them."""
    name = net.module_.head
    head = net.module_.get_submodule(name)
    net.module_.set_submodule(name, nn.Identity())
    try:
        Z = net.decision_function(X).astype(float)
    finally:
        net.module_.set_submodule(name, head)
    weight, bias = (p.detach().double().cpu().numpy() for p in (head.weight, head.bias))
    source = LogisticRegression()
    source.coef_, source.intercept_ = weight[1:] - weight[:1], bias[1:] - bias[:1]
    source.classes_, source.n_features_in_ = net.classes_, Z.shape[1]
    return Z, FrozenEstimator(source)
