import inspect
import json
import os
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

HOMES = [Path(__file__).parents[3] / "shared" / "data"]
if "SKLEARN_ALPHA_DATA" in os.environ:
    HOMES.insert(0, Path(os.environ["SKLEARN_ALPHA_DATA"]))

N_ROWS = {"books": 2000, "dvd": 1999, "elec": 1998, "kitchen": 1999}


@pytest.fixture(autouse=True)
def no_data(tmp_path, monkeypatch):
    """Hide whatever data the machine has: the only places searched are a test's own."""
    monkeypatch.delenv("SKLEARN_ALPHA_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "scikit_learn_data"))


@pytest.fixture
def real():
    """Calls a loader with the folder of the real files; the test is skipped where they are not."""

    def load(loader, *args, **options):
        if "download_if_missing" in inspect.signature(loader).parameters:
            options["download_if_missing"] = False
        for home in HOMES:
            try:
                return loader(*args, data_home=home, **options)
            except FileNotFoundError as error:
                missing = error
        pytest.skip(
            f"Put the files in ../shared/data or set SKLEARN_ALPHA_DATA to their folder. {missing}"
        )

    return load


class _Handler(BaseHTTPRequestHandler):
    """Serves one body for every request, cut short if asked to, and counts the requests."""

    def do_GET(self):
        self.server.n_requests += 1
        body = self.server.body
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.server.cut else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.body, server.cut, server.n_requests = b"", False, 0
        server.url = f"http://127.0.0.1:{server.server_port}/file"
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


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
