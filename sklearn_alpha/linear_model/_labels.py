"""Class labels: their codes and their weights."""

import warnings

import numpy as np
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from sklearn_alpha.linear_model._data.validation import check_range

ENCODED = (  # what a message adds where y may have been given other names on the way
    "Some tools of scikit-learn encode y as 0, 1, 2, …, such as VotingClassifier and "
    "cross_val_predict(method='predict_proba'): fit the source on labels of this kind."
)


def codes(labels, n_classes):
    """±1 codes less their mean over the classes, and that mean, which changes no prediction.

    Two classes have one column, (n_rows, 1), and more have one each, (n_rows, n_classes).
    """
    member = np.eye(n_classes)[labels]
    member = member[:, 1:] if n_classes == 2 else member
    common = 2 / n_classes - 1
    return 2 * member - 1 - common, common


def labels_of_codes(Y):
    """The numbers of the classes that codes (n_rows, n_outputs) stand for, as of `codes`."""
    return Y.argmax(axis=1) if Y.shape[1] > 1 else (Y[:, 0] > 0).astype(int)


def check_labels(y):
    """Refuse missing labels and continuous targets, and warn of what looks like these."""
    if y.dtype.kind == "O" and any(label is None for label in y):
        raise ValueError("y contains None; leave out the rows that have no label.")
    # few whole numbers are classes for certain, and the check is slow
    if y.dtype.kind not in "biu" or len(np.unique(y)) > len(y) // 2:
        check_classification_targets(y)


def check_classes(classes):
    """Refuse fewer than two classes."""
    if len(classes) < 2:
        raise ValueError(
            f"y has rows of {len(classes)} class(es) with positive weight; "
            "pass rows of at least 2 classes."
        )


def warn_of_mask(classes, named):
    """Warn of −1 beside at least two labels ≥ 0, unless −1 is a class that has been named.

    Parameters
    ----------
    classes : ndarray
        Those of the rows.
    named : list of ndarray
        Those of the sources.
    """
    if classes.dtype.kind not in "if" or len(classes) < 3:
        return
    is_beside = classes[0] == -1 and classes[1] >= 0
    if is_beside and not any(-1 in known.tolist() for known in named):
        warnings.warn(
            f"y has the label -1 beside {classes[1:].tolist()}, which looks like a mask for rows "
            "without a label: leave these rows out. If -1 is a class, name it in the parameter "
            "classes.",
            UserWarning,
            stacklevel=2,
        )


def refuse_two_codings(shown, named):
    """Refuse labels 0 and 1 where a source tells −1 from 1, or the reverse.

    Their union has three classes, and means two.
    """
    codings = [-1, 1], [0, 1]
    for known in named:
        both = shown.tolist(), known.tolist()
        if both in (codings, codings[::-1]):
            raise ValueError(
                f"y has the labels {both[0]}, and the source knows {both[1]}. If these are two "
                "names of the same two classes, rename the labels of y; if they are three "
                f"classes, pass classes=[-1, 0, 1]. {ENCODED}"
            )


def classes_to_tell_apart(asked, shown, known):
    """The classes of an estimator.

    Parameters
    ----------
    asked : {"target"}, array-like or None
        The parameter.
    shown : ndarray
        The classes of the rows.
    known : list of ndarray or None
        The classes of each source, which None joins to those of the rows.
    """
    named = [classes for classes in known if classes is not None]
    if asked is None or isinstance(asked, str):
        warn_of_mask(shown, named)
    if asked is None:
        refuse_two_codings(shown, named)
        # names that the sources share none of are left to the alignment, which says so
        joined = named and np.isin(shown, np.concatenate(named)).any()
        classes = np.unique(np.concatenate([shown, *named])) if joined else shown
    elif isinstance(asked, str):
        classes = shown
    else:
        classes = np.unique(asked)
        unknown = np.setdiff1d(shown, classes)
        if len(unknown):
            raise ValueError(
                f"y has the labels {unknown.tolist()}, which are not among classes="
                f"{classes.tolist()}; name all of them, or pass classes=None."
            )
    check_classes(classes)
    return classes


def labels_of_chunk(y, classes, number):
    """The numbers of the labels of a chunk among the classes of the stream."""
    if len(classes) < 2:
        raise ValueError(f"classes are {classes}; pass at least 2.")
    unknown = np.setdiff1d(y, classes)
    if len(unknown):
        raise ValueError(
            f"chunk {number}: y has the labels {unknown}, which are not among the classes "
            f"{classes} of the first call; name all of them there."
        )
    return np.searchsorted(classes, y)


def class_weights(class_weight, classes, counts=None):
    """The weight of each class.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
    classes : ndarray of shape (n_classes,)
    counts : ndarray of shape (n_classes,) or None
        Rows of each class, repetitions counted; "balanced" needs them.

    Returns
    -------
    weights : ndarray of shape (n_classes,)

    Raises
    ------
    ValueError
        If a dict names labels that are none of the classes, or weights that are not positive.
    """
    if class_weight is None:
        return np.ones(len(classes))
    if isinstance(class_weight, str):
        shown = counts > 0
        return counts.sum() / (shown.sum() * np.where(shown, counts, 1))
    return positive(compute_class_weight(class_weight, classes=classes, y=classes), classes)


def some_class_weights(class_weight, classes):
    """As `class_weights` of a dict or None, for some of the classes: a dict may name others."""
    if class_weight is None:
        return np.ones(len(classes))
    weights = np.array([class_weight.get(label, 1.0) for label in classes.tolist()])
    return positive(weights, classes)


def positive(weights, classes):
    """The weights of classes, if all are positive and finite."""
    for label, weight in zip(classes.tolist(), weights):
        if not 0 < weight < np.inf:
            raise ValueError(
                f"class_weight gives class {label!r} the weight {weight:g}; pass positive numbers, "
                "and leave out the rows of a class that should not count."
            )
    return weights


def balance(Y, weights):
    """½ over the share of each code: weights (n_rows, n_outputs) under which both weigh the same.

    A share is at least 1e-30, which keeps powers of the weights finite.
    """
    check_range("sample_weight times class_weight", weights)
    shares = (np.maximum(weights @ part / weights.sum(), 1e-30) for part in (Y > 0, Y <= 0))
    return np.where(Y > 0, *(0.5 / share for share in shares))
