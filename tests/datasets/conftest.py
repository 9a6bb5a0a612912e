import json

import numpy as np
import pytest
from scipy.io import savemat

N_ROWS = {"books": 2000, "dvd": 1999, "elec": 1998, "kitchen": 1999}


@pytest.fixture(autouse=True)
def no_data(tmp_path, monkeypatch):
    """Hide whatever data the machine has: the only places searched are a test's own."""
    monkeypatch.delenv("SKLEARN_ALPHA_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "scikit_learn_data"))


@pytest.fixture(scope="session")
def feature_files(tmp_path_factory):
    """A folder with files of the right form: `<domain>.mat`, labels sorted as in the real ones."""
    folder = tmp_path_factory.mktemp("features")
    for number, (domain, n_rows) in enumerate(N_ROWS.items()):
        labels = np.arange(n_rows) < n_rows - 1000
        features = np.zeros((n_rows, 400))
        features[np.arange(n_rows), np.arange(n_rows) % 400] = 1 + number
        content = {"fts": features, "labels": labels[:, None].astype(np.uint8)}
        savemat(folder / f"{domain}.mat", content, do_compression=True)
    return folder


def review_texts(domain, name):
    """1000 invented texts, the first two of them equal."""
    return [f"A {name} word on {domain}, number {max(i, 1)} & last." for i in range(1000)]


@pytest.fixture(scope="session")
def text_files(tmp_path_factory):
    """A folder with invented reviews as JSON lines."""
    folder = tmp_path_factory.mktemp("texts")
    for domain in ("books", "dvd", "electronics", "kitchen"):
        reviews = [
            {
                "id": f"{domain}-{name[:3]}-{i:04d}",
                "label": label,
                "rating": 5.0 if label else 1.0,
                "asin": "0123456789",
                "title": f"A title, number {i}",
                "text": text,
            }
            for label, name in enumerate(("negative", "positive"))
            for i, text in enumerate(review_texts(domain, name))
        ]
        lines = "\n".join(map(json.dumps, reviews))
        (folder / f"{domain}.jsonl").write_text(lines + "\n", "utf-8")
    return folder


@pytest.fixture(scope="session")
def review_files(tmp_path_factory):
    """The same reviews as in `text_files`, as untidy `<domain>/{negative,positive}.review`."""
    folder = tmp_path_factory.mktemp("reviews")
    for domain in ("books", "dvd", "electronics", "kitchen"):
        (folder / domain).mkdir()
        for name, rating in (("negative", "1.0"), ("positive", "5.0")):
            content = "".join(
                f"<review>\n<unique_id>\n0123456789:{i}\n</unique_id>\n<asin>\n0123456789\n</asin>\n"
                f"<rating>\n{rating}\n</rating>\n<title>\nA title,\tnumber {i}\n</title>\n"
                f"<reviewer>\nsomeone\n</reviewer>\n<review_text>\n{raw}\n\n</review_text>\n"
                "</review>\n"
                for i, text in enumerate(review_texts(domain, name))
                for raw in [text.replace("&", "&amp;").replace(" word ", "\nword  ")]
            )
            (folder / domain / f"{name}.review").write_text(content, "utf-8")
    return folder
