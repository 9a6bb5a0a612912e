"""The parts that the docstrings of several loaders share, each written once."""

from sklearn_alpha._docstrings import shared

_PARTS = {
    "search": """\
By default, the folder named by the environment variable `SKLEARN_ALPHA_DATA` is searched,
then the folder `sklearn_alpha` in scikit-learn's :func:`~sklearn.datasets.get_data_home`.""",
    "download_if_missing": """\
download_if_missing : bool, default=True
    Whether to download the public file when no file is found. The download goes to
    `data_home`, by default to the first of the folders above that is set.""",
    "return_X_y": """\
return_X_y : bool, default=False
    Whether to return `(data, target)` instead of a Bunch.""",
    "DESCR": """\
DESCR : str
    A description of the data.""",
    "filename": """\
filename : str
    The path of the file read.""",
    "tuple": """\
(data, target) : tuple if `return_X_y` is True
    The same two of the Bunch, alone.""",
    "raises": """\
OSError
    If the file is not found and is not, or cannot be, downloaded.
ValueError
    If the file is damaged or holds something else.
ImportError
    If a download needs pooch and tqdm and they are not installed.""",
    "amazon_domain": """\
domain : {"books", "dvd", "electronics", "kitchen"}
    The kind of product reviewed. "elec", the name in the feature files, means "electronics".""",
    "amazon_target_names": """\
target_names : list of str
    `["negative", "positive"]`.""",
    "amazon_reference": """\
.. [1] J. Blitzer, M. Dredze, F. Pereira. Biographies, Bollywood, Boom-boxes and Blenders:
   Domain Adaptation for Sentiment Classification. ACL 2007.""",
}

share_docstring = shared(**_PARTS)
