"""What each source gives to a fit: its α, its share of the predictions, and what the fit gains.

f = Σₖ fₖ + (aᵀx + b),   fₖ = αₖ sₖ          share of a source = cov(fₖ, f)/var(f)

gain = score of left-out predictions − score of the source alone, on the same rows
"""

from html import escape

import numpy as np
from sklearn.utils import Bunch

from sklearn_alpha.linear_model._calibration import logits
from sklearn_alpha.linear_model._solution import TINY

IGNORED = 0.05  # of the variance
AS_IT_IS = 1.25  # Σ α between 1/1.25 and 1.25


class SourceReport(list):
    """A list of `Bunch`, one for each output and source, that prints as a table."""

    def _lines(self):
        yield "output", "source", "alpha", "share", "gain", "use"
        for one in self:
            gain = "" if np.isnan(one.gain) else f"{one.gain:+.3g} ± {one.standard_error:.2g}"
            cells = one.output, one.source, f"{one.alpha:.3g}", f"{one.share:.0%}", gain, one.use
            yield tuple(map(str, cells))

    def __repr__(self):
        if not self:
            return "no source"
        lines = list(self._lines())
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )

    def _repr_html_(self):
        if not self:
            return repr(self)
        rows = ("".join(f"<td>{escape(cell)}</td>" for cell in line) for line in self._lines())
        return f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def source_report(outputs, alpha, share, unit, gain, standard_error):
    """The `SourceReport` of arrays (n_outputs, n_sources), and of `unit` (n_sources,)."""
    return SourceReport(
        Bunch(
            output=output,
            source=k,
            alpha=float(alpha[c, k]),
            share=float(share[c, k]),
            gain=float(gain[c, k]),
            standard_error=float(standard_error[c, k]),
            use=word(alpha[c, k], share[c, k], (alpha[c] / unit).sum()),
        )
        for c, output in enumerate(outputs)
        for k in range(alpha.shape[1])
    )


def word(alpha, share, total):
    """What was done with a source, whose α and those of the others sum to `total`."""
    if abs(share) < IGNORED:
        return "ignored"
    if alpha < 0:
        return "reversed"
    return "used" if 1 / AS_IT_IS <= total <= AS_IT_IS else "rescaled"


def unit_of_alpha(problem):
    """The α's (n_sources,) that leave each source as it is."""
    known = problem.log_odds.copy()
    if not (problem.is_classifier and problem.is_anchored):
        known[:] = 1
    return np.where(np.isnan(known), 1.0, known)


def report_of_rows(problem, coef, intercept, alpha, index, gain_of):
    """The arrays of a report, from rows.

    Parameters
    ----------
    problem : Problem
    coef : ndarray of shape (n_outputs, n_features)
    intercept : ndarray of shape (n_outputs,)
    alpha : ndarray of shape (n_outputs, n_sources)
    index : ndarray of shape (n_index,)
        Numbers of the rows that were left out.
    gain_of : callable
        The gain of each of these rows (n_index, n_outputs, n_sources) over the sources' outputs
        there, of the same shape.
    """
    if not alpha.shape[1]:
        return report_without_gain(alpha, problem)
    weights = problem.rows.weights[index]
    W = np.concatenate([problem.W, coef[:, None]], axis=1)
    values = problem.rows_at(index).outputs(W, np.column_stack([problem.b, intercept]))
    S, f = values[:, :, :-1], centred(values[:, :, -1], weights)
    covariance = np.einsum("i,ick,ic->ck", weights, S, f)
    variance = np.einsum("i,ic,ic->c", weights, f, f)
    mean, error = mean_and_error(gain_of(S), weights)
    return {
        **report_without_gain(alpha * covariance / np.maximum(variance, TINY)[:, None], problem),
        "gain": mean,
        "standard_error": error,
    }


def report_of_moments(problem, coef, alpha, covariance):
    """The arrays of a report, from the covariance of the features; gains need left-out rows."""
    with_f = coef @ covariance
    shares = alpha * np.einsum("ckp,cp->ck", problem.W, with_f)
    variance = np.einsum("cp,cp->c", coef, with_f)
    return report_without_gain(shares / np.maximum(variance, TINY)[:, None], problem)


def report_without_gain(share, problem):
    unknown = np.full(problem.shape, np.nan)
    unit = unit_of_alpha(problem)
    return {"share": share, "unit": unit, "gain": unknown, "standard_error": unknown}


def accuracy_gain(values, labels):
    """How much better left-out decision values are than a source's, row by row: −1, 0 or 1."""

    def gain(S):
        own = labels[:, None]
        right = logits(values).argmax(axis=1)[:, None] == own
        alone = np.stack([logits(S[:, :, k]).argmax(axis=1) for k in range(S.shape[2])], axis=1)
        return np.repeat((right * 1.0 - (alone == own))[:, None], S.shape[1], axis=1)

    return gain


def squared_error_gain(values, Y):
    """How much less the squared error of left-out predictions is than a source's, row by row."""
    return lambda S: (Y[:, :, None] - S) ** 2 - ((Y - values) ** 2)[:, :, None]


def left_out_accuracy(values, labels, weights):
    """The share of rows that their left-out decision values classify rightly."""
    return float(np.average(logits(values).argmax(axis=1) == labels, weights=weights))


def left_out_r2(values, Y, weights):
    """R² of left-out predictions, averaged over the targets; nan where a target is constant."""
    error, spread = weights @ (Y - values) ** 2, weights @ centred(Y, weights) ** 2
    return float((1 - error / np.where(spread > 0, spread, np.nan)).mean())


def centred(values, weights):
    return values - np.tensordot(weights, values, axes=1) / weights.sum()


def mean_and_error(values, weights):
    """The weighted mean over the first axis, and its standard error; nan of one repetition."""
    n = weights.sum()
    mean = np.tensordot(weights, values, axes=1) / n
    variance = np.tensordot(weights, (values - mean) ** 2, axes=1) / n
    return mean, np.sqrt(variance / (n - 1)) if n > 1 else np.full_like(mean, np.nan)
