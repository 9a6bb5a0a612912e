import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.io import loadmat, savemat

from sklearn_alpha.datasets import fetch_amazon_review, fetch_amazon_text

FETCHERS = [fetch_amazon_review, fetch_amazon_text]


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


# --- finding and reading files -----------------------------------------------------------------


@pytest.mark.parametrize("folder", ["", "amazon_features", "amazon_review"])
@pytest.mark.parametrize("suffix", ["", "_400"])
@pytest.mark.parametrize(
    ("domain", "stem"),
    [("books", "books"), ("elec", "elec"), ("electronics", "elec"), ("elec", "electronics")],
)
def test_review_accepts_both_names_in_each_folder(
    feature_files, home, folder, suffix, domain, stem
):
    (home / folder).mkdir(exist_ok=True)
    name = "books" if domain == "books" else "elec"
    path = home / folder / f"{stem}{suffix}.mat"
    shutil.copy(feature_files / f"{name}.mat", path)
    reviews = fetch_amazon_review(domain, data_home=home, download_if_missing=False)
    assert reviews.filename == str(path)
    assert_array_equal(reviews.data, loadmat(path)["fts"])
    assert_array_equal(reviews.target, loadmat(path)["labels"].ravel())


@pytest.mark.parametrize("folder", ["", "amazon_text"])
def test_text_reads_json_lines(text_files, home, folder):
    (home / folder).mkdir(exist_ok=True)
    shutil.copy(text_files / "electronics.jsonl", home / folder)
    reviews = fetch_amazon_text("elec", data_home=str(home), download_if_missing=False)
    assert reviews.data[0] == "A title, number 0. A negative word on electronics, number 1 & last."
    assert reviews.ids[-1] == "electronics-pos-0999"


@pytest.mark.parametrize("folder", ["", "sorted_data_acl"])
def test_text_reads_the_public_form_to_the_same_reviews(text_files, review_files, home, folder):
    shutil.copytree(review_files, home / folder, dirs_exist_ok=True)
    public = fetch_amazon_text("dvd", data_home=home, download_if_missing=False, as_frame=True)
    lines = fetch_amazon_text("dvd", data_home=text_files, as_frame=True)
    assert public.frame.equals(lines.frame)


def test_public_form_is_read_tolerantly(review_files, home):
    # No closing </review>, no title, a broken byte, a lone ampersand, angle brackets.
    shutil.copytree(review_files / "books", home / "books")
    path = home / "books" / "negative.review"
    _, *rest = path.read_bytes().split(b"<review>")[1:]
    odd = (
        b"<rating>2.0</rating><review_text>\tb\xffd &quot;is&quot; <b>less</b>\n\n"
        b"than 3 < 4 & so\xc2\xa0on</review_text>"
    )
    path.write_bytes(b"<review>".join([b"", odd, *rest]))
    reviews = fetch_amazon_text("books", data_home=home)
    assert reviews.data[0] == 'b\N{REPLACEMENT CHARACTER}d "is" <b>less</b> than 3 < 4 & so on'
    assert reviews.titles[0] == ""


def test_json_lines_may_hold_unicode_line_separators(text_files, home):
    content = (text_files / "books.jsonl").read_text("utf-8")
    (home / "books.jsonl").write_text(content.replace("A title", "A\u2028title", 1), "utf-8")
    assert fetch_amazon_text("books", data_home=home).titles[0] == "A\u2028title, number 0"


def test_places_are_searched_in_order(feature_files, home, tmp_path, monkeypatch):
    named, cached = tmp_path / "named", tmp_path / "scikit_learn_data" / "sklearn_alpha"
    shutil.copytree(feature_files, cached / "amazon_features")

    def found(**options):
        return fetch_amazon_review("dvd", download_if_missing=False, **options).filename

    assert found().startswith(str(cached))
    monkeypatch.setenv("SKLEARN_ALPHA_DATA", str(named))
    assert found().startswith(str(cached))  # the variable names a folder without the file
    shutil.copytree(feature_files, named)
    assert found().startswith(str(named))
    with pytest.raises(OSError, match=re.escape(str(home))):
        found(data_home=home)  # an argument is obeyed: nothing is taken from elsewhere
    shutil.copy(feature_files / "dvd.mat", home)
    assert found(data_home=home).startswith(str(home))


def test_home_folder_is_expanded(feature_files, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    shutil.copytree(feature_files, tmp_path / "data")
    assert fetch_amazon_review("dvd", data_home="~/data", download_if_missing=False).data.any()


@pytest.mark.parametrize("fetch", FETCHERS)
def test_missing_file_without_download(fetch, home, monkeypatch):
    monkeypatch.setattr("pooch.retrieve", lambda *_, **__: pytest.fail("tried to download"))
    with pytest.raises(OSError, match=r"books.*unpack https://.*SKLEARN_ALPHA_DATA") as info:
        fetch("books", data_home=home, download_if_missing=False)
    assert str(home) in str(info.value)
    assert not list(home.iterdir())


# --- what is returned ---------------------------------------------------------------------------


def test_review_bunch(feature_files):
    reviews = fetch_amazon_review("kitchen", data_home=feature_files)
    assert reviews.data.shape == (1999, 400)
    assert reviews.data.dtype == np.float64
    assert reviews.target.shape == (1999,)
    assert reviews.target.dtype == np.int64
    assert reviews.target_names == ["negative", "positive"]
    assert len(reviews.feature_names) == 400
    assert reviews.frame is None
    assert "Blitzer" in reviews.DESCR
    X, y = fetch_amazon_review("kitchen", data_home=feature_files, return_X_y=True)
    assert_array_equal(X, reviews.data)
    assert_array_equal(y, reviews.target)


def test_review_frame(feature_files):
    reviews = fetch_amazon_review("kitchen", data_home=feature_files, as_frame=True)
    assert list(reviews.data.columns) == reviews.feature_names
    assert list(reviews.frame.columns) == [*reviews.feature_names, "target"]
    assert_array_equal(reviews.frame["target"], reviews.target)
    X, y = fetch_amazon_review("kitchen", data_home=feature_files, as_frame=True, return_X_y=True)
    assert X.equals(reviews.data)
    assert y.equals(reviews.target)


def test_text_bunch(text_files):
    reviews = fetch_amazon_text("kitchen", data_home=text_files)
    assert reviews.data.shape == reviews.titles.shape == reviews.ids.shape == (2000,)
    assert all(isinstance(text, str) for text in reviews.data)
    assert_array_equal(reviews.target, np.repeat([0, 1], 1000))
    assert reviews.target_names == ["negative", "positive"]
    assert reviews.frame is None
    assert "Blitzer" in reviews.DESCR
    X, y = fetch_amazon_text("kitchen", data_home=text_files, return_X_y=True)
    assert_array_equal(X, reviews.data)
    assert_array_equal(y, reviews.target)


def test_text_starts_with_its_title_or_stands_alone(text_files):
    with_titles = fetch_amazon_text("kitchen", data_home=text_files)
    alone = fetch_amazon_text("kitchen", titles=False, data_home=text_files)
    pairs = zip(alone.titles, alone.data)
    assert_array_equal(with_titles.data, [f"{title}. {text}" for title, text in pairs])
    for name in ("target", "titles", "ids", "groups"):
        assert_array_equal(with_titles[name], alone[name])


def test_text_groups_are_the_copies(text_files):
    reviews = fetch_amazon_text("kitchen", titles=False, data_home=text_files)
    same_group = reviews.groups[:, None] == reviews.groups
    assert_array_equal(same_group, reviews.data[:, None] == reviews.data)
    assert len(np.unique(reviews.groups)) == 1998


def test_text_frame(text_files):
    reviews = fetch_amazon_text("kitchen", data_home=text_files, as_frame=True)
    assert list(reviews.frame) == ["id", "asin", "rating", "title", "text", "group", "target"]
    assert reviews.frame["rating"].dtype == np.float64
    options = {"data_home": text_files, "as_frame": True, "return_X_y": True}
    X, y = fetch_amazon_text("kitchen", **options)
    assert X.equals(reviews.frame["title"] + ". " + reviews.frame["text"])
    assert y.equals(reviews.frame["target"])
    X, y = fetch_amazon_text("kitchen", titles=False, **options)
    assert X.equals(reviews.frame["text"])


@pytest.mark.parametrize("fetch", FETCHERS)
def test_frame_without_pandas(fetch, feature_files, text_files, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    home = feature_files if fetch is fetch_amazon_review else text_files
    with pytest.raises(ImportError, match="pip install pandas"):
        fetch("books", data_home=home, as_frame=True)


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fetch", FETCHERS)
@pytest.mark.parametrize(
    "domain", ["", "Books", "../books", "/etc/passwd", "books\0", "books_400.mat", None, 0, ["dvd"]]
)
def test_hostile_domain(fetch, domain, home):
    with pytest.raises(ValueError, match="'domain' parameter of fetch_amazon"):
        fetch(domain, data_home=home)


@pytest.mark.parametrize("fetch", FETCHERS)
def test_wrong_options(fetch, home):
    with pytest.raises(ValueError, match="'as_frame'"):
        fetch("books", data_home=home, as_frame="yes")
    with pytest.raises(ValueError, match="'data_home'"):
        fetch("books", data_home=3)


def test_wrong_titles(text_files):
    with pytest.raises(ValueError, match="'titles'"):
        fetch_amazon_text("books", titles=". ", data_home=text_files)


def _content(**changes):
    content = {"fts": np.eye(2000, 400), "labels": np.arange(2000)[:, None] % 2}
    return {key: value for key, value in (content | changes).items() if value is not None}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a MATLAB file" * 100,
        "truncated",
        _content(fts=None),
        _content(labels=None),
        _content(fts=np.eye(1999, 400)),
        _content(fts=np.eye(2000, 399)),
        _content(fts=np.full((2000, 400), np.nan)),
        _content(labels=np.ones((2000, 1))),
        _content(labels=np.arange(2000)[:, None] % 3),
        _content(labels=np.arange(1999)[:, None] % 2),
    ],
)
def test_wrong_feature_file(content, feature_files, home):
    path = home / "books.mat"
    if content == "truncated":
        content = (feature_files / path.name).read_bytes()[:-2000]
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        savemat(path, content)
    with pytest.raises(ValueError, match=r"^The file '.*books.mat' is damaged or .*'books'"):
        fetch_amazon_review("books", data_home=home)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"label": 0', '"label": 1'),
        ('"rating": 1.0', '"rating": 5.0'),
        ('"rating": 1.0', '"rating": "none"'),
        ('"text"', '"body"'),
        ('"text": "A negative word on books, number 1 & last."', '"text": ""'),
        ("{", "["),
        ("\n", ""),
        ("\n", "\n[]\n"),
    ],
)
def test_wrong_text_file(old, new, text_files, home):
    content = (text_files / "books.jsonl").read_text("utf-8")
    assert old in content
    (home / "books.jsonl").write_text(content.replace(old, new, 1), "utf-8")
    with pytest.raises(ValueError, match=r"^The file '.*books.jsonl' is damaged or .*'books'"):
        fetch_amazon_text("books", data_home=home)


def test_wrong_public_text_files(review_files, home):
    shutil.copytree(review_files / "books", home / "books")
    path = home / "books" / "negative.review"
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(ValueError, match="damaged"):
        fetch_amazon_text("books", data_home=home)
    path.unlink()
    with pytest.raises(ValueError, match="damaged"):
        fetch_amazon_text("books", data_home=home)


def test_import_is_light():
    code = (
        "import sys, sklearn.datasets; before = set(sys.modules); import sklearn_alpha.datasets;"
        "assert not {'pooch', 'tqdm', 'pandas', 'scipy.io'} & (set(sys.modules) - before)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- the real files -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "n"), [("books", 2000), ("dvd", 1999), ("electronics", 1998), ("kitchen", 1999)]
)
def test_real_features(amazon_data_home, domain, n):
    X, y = fetch_amazon_review(domain, data_home=amazon_data_home, return_X_y=True)
    assert X.shape == (n, 400)
    assert_array_equal(y, np.arange(n) < n - 1000)
    np.testing.assert_allclose(X.sum(axis=1), 1)


@pytest.mark.parametrize("domain", ["books", "dvd", "elec", "kitchen"])
def test_real_labels_mean_the_same_in_features_and_texts(amazon_text_home, domain):
    features = fetch_amazon_review(domain, data_home=amazon_text_home)
    texts = fetch_amazon_text(domain, data_home=amazon_text_home)
    words = [re.findall(r"\w+", text.lower()) for text in texts.data]
    waste = np.array(["waste" in review for review in words])
    for label in (0, 1):
        occurrences = np.count_nonzero(features.data[features.target == label, 13])
        assert occurrences == waste[texts.target == label].sum()
    alone = fetch_amazon_text(domain, titles=False, data_home=amazon_text_home)
    assert len(np.unique(texts.groups)) == len(set(alone.data)) < 2000
