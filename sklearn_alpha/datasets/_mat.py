"""Features and labels in MATLAB files."""

import numpy as np

from ._base import damaged


def read_features(path, *, shape, labels, content):
    """Return the arrays `fts` and `labels` of a .mat file, as float64 and int64.

    Raises
    ------
    ValueError
        If the features do not have this shape or are not finite, or if other labels occur than
        each of `labels`; the message says that the file is not `content`.
    """
    from scipy.io import loadmat

    try:
        variables = loadmat(path, variable_names=["fts", "labels"])
        data = np.ascontiguousarray(variables["fts"], dtype=np.float64)
        target = variables["labels"].ravel().astype(np.int64)
        valid = (
            data.shape == shape
            and target.shape == shape[:1]
            and np.isfinite(data).all()
            and np.array_equal(np.unique(target), labels)
        )
    except Exception as error:  # a damaged file makes the parser fail in many ways
        raise damaged(path, content) from error
    if not valid:
        raise damaged(path, content)
    return data, target
