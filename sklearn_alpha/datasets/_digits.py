"""From one pair of handwritten digits to another."""

from numbers import Integral

import numpy as np
from sklearn.datasets import load_digits
from sklearn.utils import Bunch

_DESCR = """\
Transfer between pairs of handwritten digits
============================================
Source: {source[0]} (class 0) against {source[1]} (class 1). Target: {target[0]} (class 0) against
{target[1]} (class 1). Images of 8 x 8 pixels, each an integer in 0..16, from
sklearn.datasets.load_digits: E. Alpaydin, C. Kaynak. Optical Recognition of Handwritten Digits.
UCI Machine Learning Repository, 1998.
"""


def load_digits_transfer(source=(6, 8), target=(5, 9)):
    """Load two binary tasks on scikit-learn's digits: one to learn from, one to transfer to.

    The first digit of either pair is class 0, the second class 1, so that a classifier fitted on
    the source speaks the labels of the target. The default tells 5 from 9 with the help of 6 and 8.

    Parameters
    ----------
    source : tuple of two int, default=(6, 8)
        The digits to learn from, those of class 0 and of class 1.

    target : tuple of two int, default=(5, 9)
        The digits to tell apart. No digit may occur twice among the four.

    Returns
    -------
    digits : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes

        X_source : ndarray of shape (n_source, 64), float64
            The pixels of the source's images, in 0..16 and in the order of
            :func:`~sklearn.datasets.load_digits`. They are not standardised: a scaler fitted on
            the training rows alone belongs to the user's pipeline.
        y_source : ndarray of shape (n_source,), int
            0 for `source[0]`, 1 for `source[1]`.
        X_target : ndarray of shape (n_target, 64), float64
            The pixels of the target's images.
        y_target : ndarray of shape (n_target,), int
            0 for `target[0]`, 1 for `target[1]`.
        source_digits, target_digits : tuple of two int
            The digits of class 0 and 1.
        feature_names : list of str
            The pixels' names.
        DESCR : str
            A description of the data.

    Raises
    ------
    ValueError
        If a pair is not two integers in 0..9, or a digit occurs twice.

    Examples
    --------
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_alpha.datasets import load_digits_transfer
    >>> digits = load_digits_transfer()
    >>> digits.X_source.shape, digits.X_target.shape
    ((355, 64), (362, 64))
    >>> source = RidgeClassifier().fit(digits.X_source, digits.y_source)
    >>> round(source.score(digits.X_target, digits.y_target), 2)  # without any fine-tuning
    0.68
    """
    source, target = _pair(source, "source"), _pair(target, "target")
    if len({*source, *target}) < 4:
        raise ValueError(f"No digit may occur twice; got source={source} and target={target}.")
    digits = load_digits()

    def select(pair):
        rows = np.isin(digits.target, pair)
        return digits.data[rows], (digits.target[rows] == pair[1]).astype(np.int64)

    X_source, y_source = select(source)
    X_target, y_target = select(target)
    return Bunch(
        X_source=X_source,
        y_source=y_source,
        X_target=X_target,
        y_target=y_target,
        source_digits=source,
        target_digits=target,
        feature_names=digits.feature_names,
        DESCR=_DESCR.format(source=source, target=target),
    )


def _pair(digits, name):
    """Return `digits` as a tuple of two plain integers."""
    pair = tuple(digits) if np.iterable(digits) else ()
    if len(pair) != 2 or not all(
        isinstance(digit, Integral) and not isinstance(digit, bool) and 0 <= digit <= 9
        for digit in pair
    ):
        raise ValueError(f"'{name}' must be two digits, each an integer in 0..9; got {digits!r}.")
    return tuple(int(digit) for digit in pair)
