import gc
import io
import os
import sys
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from sklearn_alpha.datasets import (
    _amazon_features,
    _amazon_text,
    fetch_amazon_review,
    fetch_amazon_text,
)


@pytest.fixture(scope="session")
def feature_zip(feature_files):
    """A zip like the public one, with the strays that such archives have."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in feature_files.iterdir():
            archive.write(path, f"amazon_review/{path.stem}_400.mat")
        archive.writestr("amazon_review/../../books.mat.txt", "stray")
        archive.writestr("__MACOSX/amazon_review/._books_400.mat", "stray")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def text_tar(review_files):
    """A tar.gz like the public one, with a member that would be written outside."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("sorted_data_acl/books/unlabeled.review", "../../outside.txt"):
            archive.addfile(tarfile.TarInfo(name))
        archive.add(review_files, "sorted_data_acl")
    return buffer.getvalue()


@pytest.fixture(params=["features", "texts"])
def source(request, server, monkeypatch):
    """A served archive, and the function that fetches from it."""
    module, fetch, fixture = {
        "features": (_amazon_features, fetch_amazon_review, "feature_zip"),
        "texts": (_amazon_text, fetch_amazon_text, "text_tar"),
    }[request.param]
    server.body = request.getfixturevalue(fixture)
    archive = module._ARCHIVE._replace(url=server.url)
    if archive.sha256 is not None:
        archive = archive._replace(sha256=sha256(server.body).hexdigest())
    monkeypatch.setattr(module, "_ARCHIVE", archive)
    server.fetch = fetch
    return server


def files(home):
    return [path for path in home.rglob("*") if path.is_file()]


def test_download_is_cached(source, tmp_path, capfd):
    home = tmp_path / "new" / "home"
    first = source.fetch("books", data_home=home)
    assert "100%" in capfd.readouterr().err
    for domain in ("books", "dvd", "electronics", "kitchen"):
        again = source.fetch(domain, data_home=home, download_if_missing=False)
    assert source.n_requests == 1
    assert capfd.readouterr().err == ""
    assert len(first.data) == 2000
    assert again.filename.startswith(str(home))


def test_download_keeps_only_what_is_wanted(source, tmp_path):
    home = tmp_path / "a" / "b" / "home"
    source.fetch("books", data_home=home)
    names = {path.relative_to(home).as_posix() for path in files(tmp_path)}
    if source.fetch is fetch_amazon_review:
        domains = ("books", "dvd", "elec", "kitchen")
        assert names == {f"amazon_review/{domain}_400.mat" for domain in domains}
    else:
        assert names == {
            f"sorted_data_acl/{domain}/{name}.review"
            for domain in ("books", "dvd", "electronics", "kitchen")
            for name in ("negative", "positive")
        }


def test_download_goes_to_the_folder_of_the_variable_else_to_the_cache(
    source, tmp_path, monkeypatch
):
    cached = source.fetch("books").filename
    assert cached.startswith(str(tmp_path / "scikit_learn_data" / "sklearn_alpha"))
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("SKLEARN_ALPHA_DATA", str(tmp_path / "named"))
    assert source.fetch("books").filename.startswith(str(tmp_path / "named"))


# pooch leaves a broken connection to the garbage collector
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("failure", ["not found", "cut short", "refused"])
def test_failed_download_leaves_nothing(source, tmp_path, failure):
    if failure == "not found":
        source.body = b""
    elif failure == "cut short":
        source.cut = True
    else:
        source.server_close()
    with pytest.raises(OSError, match=r"SKLEARN_ALPHA_DATA.*The download failed: ") as info:
        source.fetch("books", data_home=tmp_path / "home")
    assert str(tmp_path / "home") in str(info.value)
    assert not files(tmp_path)
    del info
    gc.collect()


def test_interrupted_download_leaves_nothing(source, tmp_path, monkeypatch):
    def interrupted(*_, path, **__):
        Path(path, "download").write_bytes(source.body[:1000])
        raise KeyboardInterrupt

    home = tmp_path / "home"
    with monkeypatch.context() as patch:
        patch.setattr("pooch.retrieve", interrupted)
        with pytest.raises(KeyboardInterrupt):
            source.fetch("books", data_home=home)
    assert not files(tmp_path)
    assert len(source.fetch("books", data_home=home).data) == 2000


def test_interruption_while_files_are_put_in_place(source, tmp_path, monkeypatch):
    # Kitchen comes last, and without its last file it must not be taken for complete.
    n_files = 4 if source.fetch is fetch_amazon_review else 8
    for n_moved in range(n_files):
        home, moves = tmp_path / str(n_moved), []

        def replace(start, end, *, moves=moves, stop=n_moved, move=os.rename):
            if len(moves) == stop:
                raise KeyboardInterrupt
            moves.append(end)
            move(start, end)

        with monkeypatch.context() as patch:
            patch.setattr("sklearn_alpha.datasets._base.os.replace", replace)
            with pytest.raises(KeyboardInterrupt):
                source.fetch("kitchen", data_home=home)
        with pytest.raises(OSError, match="SKLEARN_ALPHA_DATA"):
            source.fetch("kitchen", data_home=home, download_if_missing=False)


@pytest.mark.parametrize("source", ["features"], indirect=True)
def test_wrong_checksum(source, tmp_path):
    source.body += b"\0"
    with pytest.raises(OSError, match="checksum is not the expected one"):
        source.fetch("books", data_home=tmp_path / "home")
    assert not files(tmp_path)


@pytest.mark.parametrize(
    "body", [b"<html>Sign in</html>", b"PK\x03\x04 and no more", b"\x1f\x8b\x08 and no more"]
)
def test_what_arrives_is_no_archive(source, tmp_path, monkeypatch, body):
    monkeypatch.setattr(
        _amazon_features, "_ARCHIVE", _amazon_features._ARCHIVE._replace(sha256=None)
    )
    source.body = body
    with pytest.raises(OSError, match="The download failed"):
        source.fetch("books", data_home=tmp_path / "home")
    assert not files(tmp_path)


def test_truncated_archive(source, tmp_path, monkeypatch):
    monkeypatch.setattr(
        _amazon_features, "_ARCHIVE", _amazon_features._ARCHIVE._replace(sha256=None)
    )
    source.body = source.body[:-1000]
    with pytest.raises(OSError, match="the archive is damaged"):
        source.fetch("books", data_home=tmp_path / "home")
    assert not files(tmp_path)


def test_archive_without_the_domain(server, tmp_path, monkeypatch):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("amazon_review/toys_400.mat", "stray")
    server.body = buffer.getvalue()
    archive = _amazon_features._ARCHIVE._replace(
        url=server.url, sha256=sha256(server.body).hexdigest()
    )
    monkeypatch.setattr(_amazon_features, "_ARCHIVE", archive)
    with pytest.raises(OSError, match="SKLEARN_ALPHA_DATA"):
        fetch_amazon_review("books", data_home=tmp_path / "home")


@pytest.mark.parametrize("package", ["pooch", "tqdm"])
@pytest.mark.parametrize("fetch", [fetch_amazon_review, fetch_amazon_text])
def test_missing_packages(fetch, package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r'pip install "sklearn-alpha\[data\]"'):
        fetch("books", data_home=tmp_path)


def test_public_addresses():
    assert _amazon_features._ARCHIVE.url == "https://figshare.com/ndownloader/files/46003500"
    assert len(_amazon_features._ARCHIVE.sha256) == 64
    assert _amazon_text._ARCHIVE.url.startswith("https://www.cs.jhu.edu/~mdredze/")
