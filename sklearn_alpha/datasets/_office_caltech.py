"""Office-Caltech: pictures of ten kinds of things, from four places."""

from typing import NamedTuple

from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from ._base import PARAMETERS, File, locate_or_download
from ._docstrings import share_docstring
from ._mat import read_features


class _Domain(NamedTuple):
    """Name, number of rows and checksum of a domain's file."""

    stem: str
    n_rows: int
    sha256: str


_DOMAINS = {
    "amazon": _Domain(
        "amazon", 958, "df32548b994e18d364c99e1f317e1fae100597259f0423a41b90f4f68187bb1f"
    ),
    "caltech": _Domain(
        "Caltech10", 1123, "4f9334c8ced489d5054de97a5fd51a61f017f3bcd1f38c9a85c6d78cb9d7bda5"
    ),
    "dslr": _Domain(
        "dslr", 157, "44d673c68e1d07b837893aa74dba3b986e4a6cc3fd66f0dd357683bdef059216"
    ),
    "webcam": _Domain(
        "webcam", 295, "a6a9c78b4b7181dfbb58bcfd351d4ebd737f171c31247b8884948aa156d3f700"
    ),
}
_N_FEATURES = 800
_TARGET_NAMES = [
    "backpack", "bike", "calculator", "headphones", "keyboard",
    "laptop", "monitor", "mouse", "mug", "projector",
]  # fmt: skip
_FOLDER = "office_caltech"
_ADDRESS = (
    "https://raw.githubusercontent.com/jtahmores/MDA/149f9250d8b17142775c886f7943f273a6123440/data/"
)

_DESCR = """\
Office-Caltech
==============
{n_rows} pictures of one domain ({domain}). A row counts how often each of 800 visual words, SURF
descriptors of image patches, occurs in a picture. Target: one of ten kinds of things, the same in
the four domains.

No licence is stated for the data; use them for research.

B. Gong, Y. Shi, F. Sha, K. Grauman. Geodesic Flow Kernel for Unsupervised Domain Adaptation.
CVPR 2012. The pictures are those of K. Saenko, B. Kulis, M. Fritz, T. Darrell. Adapting Visual
Category Models to New Domains. ECCV 2010, and of G. Griffin, A. Holub, P. Perona. Caltech-256
Object Category Dataset. California Institute of Technology, 2007.
"""


@validate_params(
    PARAMETERS | {"domain": [StrOptions({*_DOMAINS})]}, prefer_skip_nested_validation=True
)
@share_docstring
def fetch_office_caltech(domain, *, data_home=None, download_if_missing=True, return_X_y=False):
    """Load the pictures of one domain of Office-Caltech as visual words (classification).

    Ten kinds of things in four domains [1]_: product pictures of an online shop, pictures that a
    search engine found, and pictures of one office by a good and by a poor camera. The SURF
    descriptors of a picture are counted by 800 visual words, the same in all four domains.

    ===========  =======  ===================  =================================
    Domain       Samples  Samples per class    Pictures
    ===========  =======  ===================  =================================
    amazon           958  82 to 100            of products [2]_
    caltech         1123  85 to 151            of Caltech-256 [3]_
    dslr             157  8 to 24              by a digital SLR camera [2]_
    webcam           295  21 to 43             by a webcam [2]_
    ===========  =======  ===================  =================================

    Parameters
    ----------
    domain : {"amazon", "caltech", "dslr", "webcam"}
        Where the pictures come from.

    data_home : str or path-like, default=None
        The folder that holds the files, or a folder `office_caltech` of them: `<domain>.mat` or
        `<domain>_SURF_L10.mat`, where the domain "caltech" is called `Caltech10`.
        {search}

    {download_if_missing}

    {return_X_y}

    Returns
    -------
    pictures : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes

        data : ndarray of shape (n_samples, 800), float64
            The counts of the visual words, not scaled.
        target : ndarray of shape (n_samples,), int
            Numbers of the classes, from 0 to 9. In the file they are 1 to 10.
        target_names : list of str
            The classes.
        {DESCR}
        {filename}

    {tuple}

    Raises
    ------
    {raises}

    Notes
    -----
    Pictures differ in size, so the sums of their rows do too. Experiments usually divide each row
    by its sum, and then scale each column in each domain to mean 0 and variance 1 [1]_.

    No licence is stated for the data. Use them for research, and do not pass them on.

    References
    ----------
    .. [1] B. Gong, Y. Shi, F. Sha, K. Grauman. Geodesic Flow Kernel for Unsupervised Domain
       Adaptation. CVPR 2012.
    .. [2] K. Saenko, B. Kulis, M. Fritz, T. Darrell. Adapting Visual Category Models to New
       Domains. ECCV 2010.
    .. [3] G. Griffin, A. Holub, P. Perona. Caltech-256 Object Category Dataset. California
       Institute of Technology, 2007.

    Examples
    --------
    >>> from sklearn_alpha.datasets import fetch_office_caltech
    >>> X, y = fetch_office_caltech("dslr", return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (157, 800)
    """
    stem, n_rows, _ = _DOMAINS[domain]
    path = locate_or_download(
        [f"{stem}_SURF_L10.mat", f"{stem}.mat"],
        [_FOLDER],
        public=_public(domain),
        data_home=data_home,
        download_if_missing=download_if_missing,
    )
    data, target = read_features(
        path,
        shape=(n_rows, _N_FEATURES),
        labels=range(1, 11),
        content=f"the one of Office-Caltech's domain '{domain}'",
    )
    target -= 1
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=[*_TARGET_NAMES],
        DESCR=_DESCR.format(domain=domain, n_rows=n_rows),
        filename=str(path),
    )


def _public(domain):
    """Return the public file of a domain."""
    name = f"{_DOMAINS[domain].stem}_SURF_L10.mat"
    return File(_ADDRESS + name, _DOMAINS[domain].sha256, f"{_FOLDER}/{name}")
