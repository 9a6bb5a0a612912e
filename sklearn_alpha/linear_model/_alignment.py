"""Sources in the coordinates of the target: one row for each of its outputs, by label."""

import warnings

import numpy as np

from sklearn_alpha.linear_model._labels import ENCODED


def align_sources(sources, *, n_outputs, n_features, classes=None):
    """W̃ and b̃ of the sources.

    Parameters
    ----------
    sources : list of LinearSource
    n_outputs, n_features : int
        Of the target.
    classes : ndarray or None
        The target's classes; None in regression.

    Returns
    -------
    W : ndarray of shape (n_outputs, n_sources, n_features)
    b : ndarray of shape (n_outputs, n_sources)
    log_odds : ndarray of shape (n_sources,)
        What brings their values to log odds, or to the units of the target; nan where unknown.
    has_intercept : ndarray of shape (n_sources,)
        Whether their intercepts are known.
    """
    W = np.zeros((n_outputs, len(sources), n_features))
    b, log_odds = np.zeros((n_outputs, len(sources))), np.zeros(len(sources))
    for k, source in enumerate(sources):
        if source.coef.shape[1] != n_features:
            raise ValueError(
                f"{source.name} has coefficients of shape {source.coef.shape} but X has "
                f"{n_features} features; transform source and target rows by the same fitted steps"
                + (", or pass coef.T." if source.coef.shape == (n_features, n_outputs) else ".")
            )
        rows = np.column_stack([source.coef, source.intercept])
        seen, log_odds[k] = np.ones(n_outputs, dtype=bool), source.log_odds
        if source.classes is not None and classes is not None:
            rows, seen, factor = _by_label(rows, source, classes)
            log_odds[k] *= factor
        elif classes is not None and len(classes) == 2 and len(rows) == 2:
            rows = rows[1:] - rows[:1]  # a head with a row per class
        if len(rows) != n_outputs:
            raise ValueError(
                f"{source.name} has {len(rows)} row(s) of coefficients but the target needs "
                f"{n_outputs}"
                + (
                    f", one for each of its classes {classes.tolist()}; pass an array of shape "
                    "(n_classes, n_features), or name the source's classes: (coef, intercept, "
                    "classes)."
                    if n_outputs > 1 and classes is not None
                    else "; pass an array of shape (n_outputs, n_features)."
                )
            )
        if classes is not None and n_outputs > 1:
            # what the rows of all classes share moves no prediction
            rows = np.where(seen[:, None], rows - rows[seen].mean(axis=0), rows)
        W[:, k], b[:, k] = rows[:, :-1], rows[:, -1]
    return W, b, log_odds, np.array([source.has_intercept for source in sources], dtype=bool)


def _by_label(rows, source, classes):
    """Rows of a source classifier in the order of the target's classes, by label.

    Returns
    -------
    rows : ndarray of shape (n_outputs, n_features + 1)
    seen : ndarray of shape (n_outputs,)
        Which rows the source has.
    factor : float
        What brings the rows to log odds where the source's own are.
    """
    own, two = source.classes, len(classes) == 2
    where = {label: row for row, label in enumerate(own.tolist())}
    unseen = [label for label in classes.tolist() if label not in where]
    encoded = f" {ENCODED}" if 0 in unseen and 0 not in where else ""
    if len(unseen) == len(classes):
        raise ValueError(
            f"{source.name} knows the classes {own.tolist()} and none of the target's "
            f"{classes.tolist()}; name the target's classes as the source does, or pass its "
            f"coefficients as an array.{encoded}"
        )
    if len(rows) == 1:
        if two and not unseen:
            return (1 if own[1] == classes[1] else -1) * rows, np.ones(1, dtype=bool), 1.0
        if two:
            raise ValueError(
                f"{source.name} tells {own[0]!r} from {own[1]!r}, the target "
                f"{classes[0]!r} from {classes[1]!r}; pass the coefficients as an array if they "
                "are meant to carry over."
            )
        rows = np.vstack([-rows, rows]) / 2
    if unseen:
        warnings.warn(
            f"{source.name} never saw the classes {unseen}: their rows start from zero.{encoded}",
            UserWarning,
            stacklevel=2,
        )
    aligned = np.zeros((len(classes), rows.shape[1]))
    for row, label in enumerate(classes.tolist()):
        if label in where:
            aligned[row] = rows[where[label]]
    if two:
        # what ±1 codes are to one-hot codes: half the difference
        return (aligned[1:] - aligned[:1]) / 2, np.ones(1, dtype=bool), 2.0
    return aligned, np.isin(classes, own), 1.0
