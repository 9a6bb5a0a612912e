"""The Amazon product reviews of four domains, as texts."""

import html
import json
import re

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from ._amazon_features import AMAZON_PARAMETERS, CONTENT, canonical
from ._base import Archive, damaged, import_pandas, locate_or_download
from ._docstrings import share_docstring

_N_REVIEWS_PER_CLASS = 1000
_TEXT_COLUMNS = {"id": object, "asin": object, "rating": float, "title": object, "text": object}

_ARCHIVE = Archive(
    url="https://www.cs.jhu.edu/~mdredze/datasets/sentiment/domain_sentiment_data.tar.gz",
    # No checksum is published: the number of reviews and the agreement of their ratings with
    # their labels, checked at every reading, stand in for it.
    sha256=None,
    member=re.compile(
        r"(?:.*/)?(?P<file>(?:books|dvd|electronics|kitchen)/(?:negative|positive)\.review)"
    ),
    folder="sorted_data_acl",
)

_DESCR = """\
Amazon reviews, texts
=====================
2000 product reviews of one domain ({domain}), of the Multi-Domain Sentiment Dataset.
Target: 0 negative (1 or 2 stars), 1 positive (4 or 5 stars). The 1000 negative reviews come first.
Some texts occur more than once; copies share a number in `groups`.

J. Blitzer, M. Dredze, F. Pereira. Biographies, Bollywood, Boom-boxes and Blenders: Domain
Adaptation for Sentiment Classification. ACL 2007.
"""


@validate_params(AMAZON_PARAMETERS | {"titles": ["boolean"]}, prefer_skip_nested_validation=True)
@share_docstring
def fetch_amazon_text(
    domain,
    *,
    titles=True,
    data_home=None,
    download_if_missing=True,
    return_X_y=False,
    as_frame=False,
):
    """Load the texts of the Amazon reviews of one domain (classification).

    1000 negative, then 1000 positive reviews in each of four domains: the labelled part of the
    Multi-Domain Sentiment Dataset [1]_, white space collapsed and entities unescaped. One
    download brings all four domains.

    Parameters
    ----------
    {amazon_domain}

    titles : bool, default=True
        Whether `data` starts each text with the title of its review: `"title. text"`, or the text
        alone where the title is empty. The title often says most clearly what the reviewer thinks.

    data_home : str or path-like, default=None
        The folder that holds the files, or a folder `amazon_text` or `sorted_data_acl` of them:
        `<domain>.jsonl` (JSON lines with id, label, rating, asin, title, text), or the public
        `<domain>/negative.review` and `<domain>/positive.review`.
        {search}

    {download_if_missing}

    {return_X_y}

    as_frame : bool, default=False
        Whether `data` and `target` are Series of pandas, which must be installed.

    Returns
    -------
    reviews : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes

        data : ndarray of shape (2000,), dtype object, or Series
            The texts, with their titles if `titles` is True.
        target : ndarray or Series of shape (2000,), int
            0 for a negative review (1 or 2 stars), 1 for a positive one (4 or 5 stars).
        {amazon_target_names}
        titles : ndarray of shape (2000,), dtype object
            The titles of the reviews.
        ids : ndarray of shape (2000,), dtype object
            A name for each review, such as `"books-neg-0000"`.
        groups : ndarray of shape (2000,), int
            Equal for copies of one text, whatever their titles, and only for them; pass it to
            :class:`~sklearn.model_selection.GroupShuffleSplit` and its like, so that copies stay
            on one side of a split.
        frame : DataFrame of shape (2000, 7) or None
            The columns id, asin, rating, title, text, group and target, if `as_frame` is True.
        {DESCR}
        filename : str
            The path of the file read (of the positive reviews, if there are two).

    {tuple}

    Raises
    ------
    {raises}

    References
    ----------
    {amazon_reference}

    Examples
    --------
    >>> from sklearn_alpha.datasets import fetch_amazon_text
    >>> reviews = fetch_amazon_text("kitchen")  # doctest: +SKIP
    >>> reviews.data[645]  # doctest: +SKIP
    'glass is fragile. The glass is quite fragile. I had two break'
    """
    domain = canonical(domain)
    path = locate_or_download(
        # The positive reviews are the last to be put in place by a download.
        [f"{domain}.jsonl", f"{domain}/positive.review"],
        ["amazon_text", "sorted_data_acl"],
        public=_ARCHIVE,
        data_home=data_home,
        download_if_missing=download_if_missing,
    )
    columns, target = _read_texts(path, domain)
    data = columns["text"]
    numbers = {}
    groups = np.array([numbers.setdefault(text, len(numbers)) for text in data])
    if titles:
        pairs = zip(columns["title"], columns["text"])
        data = np.array([f"{title}. {text}" if title else text for title, text in pairs], object)
    frame = None
    if as_frame:
        pandas = import_pandas()
        frame = pandas.DataFrame({**columns, "group": groups, "target": target})
        data, target = pandas.Series(data, name="text"), frame["target"]
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
        DESCR=_DESCR.format(domain=domain),
        filename=str(path),
    )


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
        raise damaged(path, CONTENT.format(domain)) from error
    if not valid:
        raise damaged(path, CONTENT.format(domain))
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
