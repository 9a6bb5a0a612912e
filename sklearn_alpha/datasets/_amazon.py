"""The Amazon product reviews of four domains, as features and as texts."""

import html
import json
import os
import re

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from ._base import Archive, import_pandas, locate

# Rows of each domain's feature file; one or two positive reviews are missing in three of them.
_N_ROWS = {"books": 2000, "dvd": 1999, "electronics": 1998, "kitchen": 1999}
_N_FEATURES = 400
_N_REVIEWS_PER_CLASS = 1000
_TEXT_COLUMNS = {"id": object, "asin": object, "rating": float, "title": object, "text": object}

_FEATURES = Archive(
    url="https://figshare.com/ndownloader/files/46003500",
    sha256="a37a9702d44edcc5b6c6a8060f6f61b36f32d9127233ee6951eaf691c08ee4fb",
    member=re.compile(r"(?:.*/)?(?P<file>(?:books|dvd|elec|electronics|kitchen)(?:_400)?\.mat)"),
    folder="amazon_review",
)
_TEXTS = Archive(
    url="https://www.cs.jhu.edu/~mdredze/datasets/sentiment/domain_sentiment_data.tar.gz",
    # No checksum is published: the number of reviews and the agreement of their ratings with
    # their labels, checked at every reading, stand in for it.
    sha256=None,
    member=re.compile(
        r"(?:.*/)?(?P<file>(?:books|dvd|electronics|kitchen)/(?:negative|positive)\.review)"
    ),
    folder="sorted_data_acl",
)

_FEATURES_DESCR = """\
Amazon reviews, 400 features
============================
About 2000 product reviews of one domain ({domain}): for each of 400 words and word pairs, the
same in all four domains, its share among the occurrences of these terms in a review (title and
text). A row sums to one; most entries are zero. Target: 0 negative (1 or 2 stars), 1 positive
(4 or 5 stars). The positive rows come first.

J. Blitzer, M. Dredze, F. Pereira. Biographies, Bollywood, Boom-boxes and Blenders: Domain
Adaptation for Sentiment Classification. ACL 2007.
"""
_TEXTS_DESCR = """\
Amazon reviews, texts
=====================
2000 product reviews of one domain ({domain}), of the Multi-Domain Sentiment Dataset.
Target: 0 negative (1 or 2 stars), 1 positive (4 or 5 stars). The 1000 negative reviews come first.
Some texts occur more than once; copies share a number in `groups`.

J. Blitzer, M. Dredze, F. Pereira. Biographies, Bollywood, Boom-boxes and Blenders: Domain
Adaptation for Sentiment Classification. ACL 2007.
"""

_PARAMETERS = {
    "domain": [StrOptions({*_N_ROWS, "elec"})],
    "data_home": [str, os.PathLike, None],
    "download_if_missing": ["boolean"],
    "return_X_y": ["boolean"],
    "as_frame": ["boolean"],
}


@validate_params(_PARAMETERS, prefer_skip_nested_validation=True)
def fetch_amazon_review(
    domain, *, data_home=None, download_if_missing=True, return_X_y=False, as_frame=False
):
    """Load the 400-feature Amazon reviews of one domain (classification).

    About 2000 product reviews in each of four domains [1]_, every one described by the relative
    frequency of the same 400 words and word pairs. Rows and columns stand as in the public files.

    =================  ==============================
    Classes                                         2
    Samples per class                     998 to 1000
    Dimensionality                                400
    Features           real, in [0, 1], rows sum to 1
    =================  ==============================

    Parameters
    ----------
    domain : {"books", "dvd", "electronics", "kitchen"}
        The kind of product reviewed. "elec", the files' own name, means "electronics".

    data_home : str or path-like, default=None
        The folder that holds the files, or a folder `amazon_features` or `amazon_review` of
        them: `<domain>.mat` or `<domain>_400.mat`. By default the folder named by the environment
        variable `SKLEARN_ALPHA_DATA`, then `sklearn_alpha` in scikit-learn's own
        :func:`~sklearn.datasets.get_data_home`, are searched, and a download goes to the first of
        them that is set.

    download_if_missing : bool, default=True
        Whether to download all four domains when the file is not found.

    return_X_y : bool, default=False
        Whether to return `(data, target)` instead of a Bunch.

    as_frame : bool, default=False
        Whether `data` and `target` are a pandas DataFrame and Series.

    Returns
    -------
    reviews : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes

        data : ndarray or DataFrame of shape (n_samples, 400), float64
            The shares of the 400 terms, not scaled.
        target : ndarray or Series of shape (n_samples,), int
            0 for a negative review, 1 for a positive one.
        target_names : list of str
            `["negative", "positive"]`.
        feature_names : list of str
            `"term_0"` to `"term_399"`: the files do not name the terms.
        frame : DataFrame of shape (n_samples, 401) or None
            `data` and `target` together, if `as_frame` is True.
        DESCR : str
            A description of the data.
        filename : str
            The path of the file read.

    (data, target) : tuple if `return_X_y` is True

    Raises
    ------
    OSError
        If the file is not found and is not, or cannot be, downloaded.
    ValueError
        If the file is damaged or holds something else.
    ImportError
        If a download needs pooch and tqdm, or `as_frame` pandas, and they are not installed.

    Notes
    -----
    The files do not say what their labels mean. That 1 is positive follows from the texts: in all
    four domains `term_13`, for one, occurs in as many reviews of class 0 and of class 1 as the
    word "waste" does in the negative and the positive reviews of :func:`fetch_amazon_text` (80 and
    5 of the books). The experiments of [2]_ use y = 1 - 2 * target, that is +1 for a negative
    review.

    Some reviews occur more than once, so some rows are equal.

    References
    ----------
    .. [1] J. Blitzer, M. Dredze, F. Pereira. Biographies, Bollywood, Boom-boxes and Blenders:
       Domain Adaptation for Sentiment Classification. ACL 2007.
    .. [2] A. El Firdoussi, E. M. Chayti, M. E. A. Seddik, M. Jaggi. α-LoRA: Effective Fine-Tuning
       via Base Model Rescaling. arXiv 2510.21345.

    Examples
    --------
    >>> from sklearn_alpha.datasets import fetch_amazon_review
    >>> X, y = fetch_amazon_review("books", return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (2000, 400)
    """
    domain = _canonical(domain)
    stems = ["electronics", "elec"] if domain == "electronics" else [domain]
    path = locate(
        [f"{stem}{suffix}.mat" for stem in stems for suffix in ("_400", "")],
        ["amazon_review", "amazon_features"],
        archive=_FEATURES,
        data_home=data_home,
        download_if_missing=download_if_missing,
    )
    data, target = _read_features(path, domain)
    feature_names = [f"term_{j}" for j in range(_N_FEATURES)]
    frame = None
    if as_frame:
        pandas = import_pandas()
        data = pandas.DataFrame(data, columns=feature_names)
        target = pandas.Series(target, name="target")
        frame = pandas.concat([data, target], axis=1)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=["negative", "positive"],
        feature_names=feature_names,
        frame=frame,
        DESCR=_FEATURES_DESCR.format(domain=domain),
        filename=str(path),
    )


@validate_params(_PARAMETERS, prefer_skip_nested_validation=True)
def fetch_amazon_text(
    domain, *, data_home=None, download_if_missing=True, return_X_y=False, as_frame=False
):
    """Load the texts of the Amazon reviews of one domain (classification).

    1000 negative, then 1000 positive reviews in each of four domains: the labelled part of the
    Multi-Domain Sentiment Dataset [1]_, white space collapsed and entities unescaped.

    Parameters
    ----------
    domain : {"books", "dvd", "electronics", "kitchen"}
        The kind of product reviewed. "elec" means "electronics".

    data_home : str or path-like, default=None
        The folder that holds the files, or a folder `amazon_text` or `sorted_data_acl` of them:
        `<domain>.jsonl` (JSON lines with id, label, rating, asin, title, text), or the public
        `<domain>/negative.review` and `<domain>/positive.review`. By default the folder named by
        the environment variable `SKLEARN_ALPHA_DATA`, then `sklearn_alpha` in scikit-learn's own
        :func:`~sklearn.datasets.get_data_home`, are searched, and a download goes to the first of
        them that is set.

    download_if_missing : bool, default=True
        Whether to download all four domains when the file is not found.

    return_X_y : bool, default=False
        Whether to return `(data, target)` instead of a Bunch.

    as_frame : bool, default=False
        Whether `data` and `target` are pandas Series.

    Returns
    -------
    reviews : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes

        data : ndarray of shape (2000,), dtype object, or Series
            The texts, without their titles.
        target : ndarray or Series of shape (2000,), int
            0 for a negative review (1 or 2 stars), 1 for a positive one (4 or 5 stars).
        target_names : list of str
            `["negative", "positive"]`.
        titles : ndarray of shape (2000,), dtype object
            The titles of the reviews.
        ids : ndarray of shape (2000,), dtype object
            A name for each review, such as `"books-neg-0000"`.
        groups : ndarray of shape (2000,), int
            Equal for copies of one text and only for them; pass it to
            :class:`~sklearn.model_selection.GroupShuffleSplit` and its like, so that copies stay
            on one side of a split.
        frame : DataFrame of shape (2000, 7) or None
            The columns id, asin, rating, title, text, group and target, if `as_frame` is True.
        DESCR : str
            A description of the data.
        filename : str
            The path of the file read (of the positive reviews, if there are two).

    (data, target) : tuple if `return_X_y` is True

    Raises
    ------
    OSError
        If the file is not found and is not, or cannot be, downloaded.
    ValueError
        If the file is damaged or holds something else.
    ImportError
        If a download needs pooch and tqdm, or `as_frame` pandas, and they are not installed.

    References
    ----------
    .. [1] J. Blitzer, M. Dredze, F. Pereira. Biographies, Bollywood, Boom-boxes and Blenders:
       Domain Adaptation for Sentiment Classification. ACL 2007.

    Examples
    --------
    >>> from sklearn_alpha.datasets import fetch_amazon_text
    >>> reviews = fetch_amazon_text("kitchen")  # doctest: +SKIP
    >>> reviews.titles[0]  # doctest: +SKIP
    "Doesn't keep my yappy Cairn from barking..."
    """
    domain = _canonical(domain)
    path = locate(
        # The positive reviews are the last to be put in place by a download.
        [f"{domain}.jsonl", f"{domain}/positive.review"],
        ["amazon_text", "sorted_data_acl"],
        archive=_TEXTS,
        data_home=data_home,
        download_if_missing=download_if_missing,
    )
    columns, target = _read_texts(path, domain)
    data = columns["text"]
    numbers = {}
    groups = np.array([numbers.setdefault(text, len(numbers)) for text in data])
    frame = None
    if as_frame:
        pandas = import_pandas()
        frame = pandas.DataFrame({**columns, "group": groups, "target": target})
        data, target = frame["text"], frame["target"]
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=["negative", "positive"],
        titles=columns["title"],
        ids=columns["id"],
        groups=groups,
        frame=frame,
        DESCR=_TEXTS_DESCR.format(domain=domain),
        filename=str(path),
    )


def _canonical(domain):
    return "electronics" if domain == "elec" else domain


def _read_features(path, domain):
    """Return the features and labels in a .mat file, checked."""
    from scipy.io import loadmat

    shape = (_N_ROWS[domain], _N_FEATURES)
    try:
        content = loadmat(path, variable_names=["fts", "labels"])
        data = np.ascontiguousarray(content["fts"], dtype=np.float64)
        target = content["labels"].ravel().astype(np.int64)
        valid = (
            data.shape == shape
            and target.shape == shape[:1]
            and np.isfinite(data).all()
            and np.array_equal(np.unique(target), [0, 1])
        )
    except Exception as error:  # a damaged file makes the parser fail in many ways
        raise _unreadable(path, domain) from error
    if not valid:
        raise _unreadable(path, domain)
    return data, target


def _read_texts(path, domain):
    """Return the columns and labels in a .jsonl file, or in a pair of .review files, checked."""
    try:
        if path.suffix == ".jsonl":
            reviews = [json.loads(line) for line in path.read_text("utf-8").strip().split("\n")]
        else:
            reviews = [
                {"id": f"{domain}-{name[:3]}-{i:04d}", "label": label, **review}
                for label, name in enumerate(["negative", "positive"])
                for i, review in enumerate(_parse_reviews(path.with_name(f"{name}.review")))
            ]
        columns = {
            name: np.array([review[name] for review in reviews], dtype=dtype)
            for name, dtype in _TEXT_COLUMNS.items()
        }
        target = np.array([review["label"] for review in reviews])
        valid = (
            np.array_equal(target, np.repeat([0, 1], _N_REVIEWS_PER_CLASS))
            and np.array_equal(columns["rating"] > 3, target)
            and all(columns["text"])
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _unreadable(path, domain) from error
    if not valid:
        raise _unreadable(path, domain)
    return columns, target


def _parse_reviews(path):
    """Return the reviews in a file that looks like XML but is not: nothing encloses, all is raw."""
    content = path.read_text("utf-8", errors="replace")
    reviews = [
        {tag: _field(review, tag) for tag in ("rating", "asin", "title", "review_text")}
        for review in content.split("<review>")[1:]
    ]
    for review in reviews:
        review["rating"] = float(review["rating"])
        review["text"] = review.pop("review_text")
    return reviews


def _field(review, tag):
    """Return what stands in the first `tag` of a review, in one line; "" if there is none."""
    match = re.search(rf"<{tag}>(.*?)</{tag}>", review, re.DOTALL)
    return " ".join(html.unescape(match[1]).split()) if match else ""


def _unreadable(path, domain):
    return ValueError(
        f"The file '{path}' is damaged or is not the one of the Amazon reviews' domain "
        f"'{domain}'; delete it to have it downloaded again."
    )
