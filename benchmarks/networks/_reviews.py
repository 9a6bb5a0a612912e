"""What `amazon-text` starts from: reviews, draws of them, source nets, and features of texts."""

import hashlib
import json
from functools import lru_cache

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler
from transformers import AutoModel, AutoTokenizer

from benchmarks import _runner
from benchmarks._code import digest
from benchmarks._data.amazon import amazon_texts
from benchmarks._data.embeddings import mean_states, minilm_path
from benchmarks._data.transfers import Transfer, draw_rows, split
from benchmarks.networks._training import device, train
from sklearn_alpha.neural_network import AlphaLoRANetClassifier

SOURCE_LR, BATCH_SIZE = 1e-3, 16


reviews = lru_cache(maxsize=4)(amazon_texts)


def source_rows(domain, n_source):
    """Texts and labels that a source is trained on; all rows for None."""
    texts, y, _ = reviews(domain)
    rows = draw_rows(y, n_source, seed=0)
    return texts[rows], y[rows]


def draw(source, target, n, seed, n_source, n_scored):
    """Texts and labels of the target, its n labelled rows, and the rows that are scored."""
    texts, y, groups = reviews(target)
    own, scored = split(Transfer(None, None, texts, y, groups), n, seed)
    known = set(source_rows(source, n_source)[0])
    scored = np.array([row for row in scored if texts[row] not in known])
    if n_scored is not None:
        scored = np.random.default_rng(seed).choice(scored, min(n_scored, len(scored)), False)
    return texts, y, own, scored


@lru_cache(maxsize=1)  # cells come pair by pair
def source_net(source, n_source, tokens, epochs):
    """MiniLM fine-tuned on a source domain by LoRA."""
    return AlphaLoRANetClassifier.load(source_folder(source, n_source, tokens, epochs))


def source_folder(source, n_source, tokens, epochs):
    """Folder of the source net, which is trained if there is none."""
    what = [source, n_source, tokens, epochs, device(), digest(__name__)]
    key = hashlib.sha256(json.dumps([minilm_path(), *what]).encode()).hexdigest()[:16]
    folder = _runner.CACHE / "nets" / f"{source}-{key}"
    if not folder.exists():
        net = train(
            "lora",
            minilm_path(),
            *source_rows(source, n_source),
            lr=[SOURCE_LR],
            seed=0,
            max_length=tokens,
            max_epochs=epochs,
            batch_size=BATCH_SIZE,
        )
        folder.parent.mkdir(parents=True, exist_ok=True)
        net.save(folder)
    return folder


def features(kind, source, target, n_source, tokens, epochs):
    """Features of the source's rows and of all of the target's; the latter without labels."""
    domains = [source_rows(source, n_source)[0], reviews(target)[0]]
    if kind == "TF-IDF":
        vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2, ngram_range=(1, 2))
        vectorizer.fit(np.concatenate(domains))
        return [vectorizer.transform(texts) for texts in domains]
    if kind == "source net":
        net = source_net(source, n_source, tokens, epochs)
        model, tokenizer = net.merged_model().base_model, net.tokenizer_
    else:
        model = AutoModel.from_pretrained(minilm_path()).eval()
        tokenizer = AutoTokenizer.from_pretrained(minilm_path())
    model = model.to(device())
    return [
        StandardScaler().fit_transform(
            mean_states(model, tokenizer, texts, max_length=tokens, progress=kind).astype(float)
        )
        for texts in domains
    ]
