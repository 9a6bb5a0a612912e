"""The Amazon product reviews of four domains, as 400 features."""

import re

from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from ._base import PARAMETERS, Archive, import_pandas, locate_or_download
from ._docstrings import share_docstring
from ._mat import read_features

# Rows of each domain's feature file; one or two positive reviews are missing in three of them.
_N_ROWS = {"books": 2000, "dvd": 1999, "electronics": 1998, "kitchen": 1999}
_N_FEATURES = 400

_ARCHIVE = Archive(
    url="https://figshare.com/ndownloader/files/46003500",
    sha256="a37a9702d44edcc5b6c6a8060f6f61b36f32d9127233ee6951eaf691c08ee4fb",
    member=re.compile(r"(?:.*/)?(?P<file>(?:books|dvd|elec|electronics|kitchen)(?:_400)?\.mat)"),
    folder="amazon_review",
)
_DESCR = """\
Amazon reviews, 400 features
============================
About 2000 product reviews of one domain ({domain}): for each of 400 words and word pairs, the
same in all four domains, its share among the occurrences of these terms in a review (title and
text). A row sums to one; most entries are zero. Target: 0 negative (1 or 2 stars), 1 positive
(4 or 5 stars). The positive rows come first.

J. Blitzer, M. Dredze, F. Pereira. Biographies, Bollywood, Boom-boxes and Blenders: Domain
Adaptation for Sentiment Classification. ACL 2007.
"""

CONTENT = "the one of the Amazon reviews' domain '{}'"  # what an error says of a file
AMAZON_PARAMETERS = PARAMETERS | {
    "domain": [StrOptions({*_N_ROWS, "elec"})],
    "as_frame": ["boolean"],
}


@validate_params(AMAZON_PARAMETERS, prefer_skip_nested_validation=True)
@share_docstring
def fetch_amazon_review(
    domain, *, data_home=None, download_if_missing=True, return_X_y=False, as_frame=False
):
    """Load the 400-feature Amazon reviews of one domain (classification).

    About 2000 product reviews in each of four domains [1]_, every one described by the relative
    frequency of the same 400 words and word pairs. Rows and columns are in the order of
    the public files. One download brings all four domains.

    =================  ==============================
    Classes                                         2
    Samples per class                     998 to 1000
    Dimensionality                                400
    Features           real, in [0, 1], rows sum to 1
    =================  ==============================

    Parameters
    ----------
    {amazon_domain}

    data_home : str or path-like, default=None
        The folder that holds the files, or a folder `amazon_features` or `amazon_review` of
        them: `<domain>.mat` or `<domain>_400.mat`.
        {search}

    {download_if_missing}

    {return_X_y}

    as_frame : bool, default=False
        Whether `data` and `target` are a DataFrame and a Series of pandas, which must be installed.

    Returns
    -------
    reviews : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes

        data : ndarray or DataFrame of shape (n_samples, 400), float64
            The shares of the 400 terms, not scaled.
        target : ndarray or Series of shape (n_samples,), int
            0 for a negative review, 1 for a positive one.
        {amazon_target_names}
        feature_names : list of str
            `"term_0"` to `"term_399"`: the files do not name the terms.
        frame : DataFrame of shape (n_samples, 401) or None
            `data` and `target` together, if `as_frame` is True.
        {DESCR}
        {filename}

    {tuple}

    Raises
    ------
    {raises}

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
    {amazon_reference}
    .. [2] A. El Firdoussi, E. M. Chayti, M. E. A. Seddik, M. Jaggi. α-LoRA: Effective Fine-Tuning
       via Base Model Rescaling. arXiv 2510.21345.

    Examples
    --------
    >>> from sklearn_alpha.datasets import fetch_amazon_review
    >>> X, y = fetch_amazon_review("books", return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (2000, 400)
    """
    domain = canonical(domain)
    stems = ["electronics", "elec"] if domain == "electronics" else [domain]
    path = locate_or_download(
        [f"{stem}{suffix}.mat" for stem in stems for suffix in ("_400", "")],
        ["amazon_review", "amazon_features"],
        public=_ARCHIVE,
        data_home=data_home,
        download_if_missing=download_if_missing,
    )
    data, target = read_features(
        path, shape=(_N_ROWS[domain], _N_FEATURES), labels=[0, 1], content=CONTENT.format(domain)
    )
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
        DESCR=_DESCR.format(domain=domain),
        filename=str(path),
    )


def canonical(domain):
    """Return the name of a domain that the text files use."""
    return "electronics" if domain == "elec" else domain
