"""The share of each source and of the adapter in the predictions."""

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import validate_data

from sklearn_alpha.inspection._drawing import (
    check_names,
    check_transfer,
    documented,
    subplots,
)


@documented
class SourceContributionDisplay:
    r"""Share of each source and of the adapter in the decision values.

    ::

        f(x) = Σₖ αₖ(w̃ₖᵀx + b̃ₖ) + (aᵀx + b)         share of a part fₖ = cov(fₖ, f)/var(f)

    over the rows of X. The shares of one output sum to one. Unlike α, they do not depend on the
    scale of a source. The share of a part that works against the others is negative.

    Create the display with `from_estimator`.

    Parameters
    ----------
    shares : ndarray of shape (n_outputs, n_sources + 1)
        The last column is the adapter's.
    alphas : ndarray of shape (n_outputs, n_sources)
        α of each source in each output.
    source_names : list of str of length n_sources
    output_names : list of str of length n_outputs

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    bars_ : list of matplotlib BarContainer
        One for each output; its bars are in the order of `shares`.
    texts_ : list of matplotlib Annotation
        The α beside the bar of each source.

    See Also
    --------
    AlphaPathDisplay : The score as a function of α.

    {references}

    Examples
    --------
    >>> from sklearn_alpha import AlphaTransferClassifier
    >>> from sklearn_alpha.datasets import make_domain_transfer
    >>> from sklearn_alpha.inspection import SourceContributionDisplay
    >>> data = make_domain_transfer(n_sources=2, beta=[0.8, 0.0], random_state=0)
    >>> model = AlphaTransferClassifier(list(data.source_mean)).fit(data.X_target, data.y_target)
    >>> display = SourceContributionDisplay.from_estimator(model, data.X_test)
    >>> display.shares.shape, display.shares.sum(axis=1).round(6)
    ((1, 3), array([1.]))
    """

    def __init__(self, *, shares, alphas, source_names, output_names):
        self.shares = shares
        self.alphas = alphas
        self.source_names = source_names
        self.output_names = output_names

    @classmethod
    @documented
    def from_estimator(cls, estimator, X, *, source_names=None, output_names=None, ax=None):
        """Create a display from a fitted estimator and rows.

        Parameters
        ----------
        estimator : AlphaTransferClassifier or AlphaTransferRegressor
            Fitted, with a source.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows of the target, without labels.
        source_names : list of str, default=None
            None gives "source 0", "source 1" and so on.
        output_names : list of str, default=None
            None gives the classes, or "output 0" and so on.
        {ax}

        Returns
        -------
        display : SourceContributionDisplay

        Raises
        ------
        TypeError
            If `estimator` is not one of these estimators.
        ValueError
            If it has no source, the decision values of X are constant, or the number of names is
            wrong.
        {no_matplotlib}
        """
        check_transfer(cls, estimator)
        n_outputs, n_sources = estimator.alpha_.shape
        alphas = estimator.alpha_
        source_names = check_names(
            "source_names", source_names, n_sources, [f"source {k}" for k in range(n_sources)]
        )
        default = [f"output {c}" for c in range(n_outputs)]
        if is_classifier(estimator):
            classes = [str(label) for label in estimator.classes_]
            default = classes if n_outputs > 1 else [f"{classes[0]} or {classes[1]}"]
        output_names = check_names("output_names", output_names, n_outputs, default)

        X = validate_data(estimator, X, accept_sparse="csr", reset=False, dtype=np.float64)
        parts = source_outputs(estimator, X) * alphas
        # without intercepts, which do not change a covariance
        whole = safe_sparse_dot(X, np.atleast_2d(estimator.coef_).T, dense_output=True)
        parts = np.concatenate([parts, (whole - parts.sum(axis=2))[:, :, None]], axis=2)
        centred = whole - whole.mean(axis=0)
        variance = (centred**2).sum(axis=0)
        if not (variance > 1e-24 * (1 + whole**2).sum(axis=0)).all():
            raise ValueError("the decision values of X are constant; pass rows that differ.")
        shares = np.einsum("nck,nc->ck", parts - parts.mean(axis=0), centred) / variance[:, None]
        display = cls(
            shares=shares, alphas=alphas, source_names=source_names, output_names=output_names
        )
        return display.plot(ax=ax)

    @documented
    def plot(self, ax=None, *, bar_kw=None):
        """Draw one group of bars for each source and for the adapter, with one bar for each output.

        Parameters
        ----------
        {ax}
        bar_kw : dict, default=None
            Keyword arguments of matplotlib's `barh`.

        {plot_returns}

        Raises
        ------
        {no_matplotlib}
        """
        n_outputs, n_parts = self.shares.shape
        height = 0.6 + n_parts * (0.28 + 0.2 * n_outputs)
        (ax,) = subplots(self, ax, figsize=(6.4, height))
        self.ax_, self.figure_ = ax, ax.figure
        self.bars_, self.texts_ = [], []
        thickness = 0.8 / n_outputs
        for c, (shares, name) in enumerate(zip(self.shares, self.output_names, strict=True)):
            place = np.arange(n_parts) + (c - (n_outputs - 1) / 2) * thickness
            kw = {"height": 0.9 * thickness, "color": f"C{c}", "label": name, **(bar_kw or {})}
            bars = ax.barh(place, shares, **kw)
            labels = [f"α = {alpha:.3g}" for alpha in self.alphas[c]]
            self.bars_.append(bars)
            self.texts_ += ax.bar_label(bars, [*labels, ""], padding=3, fontsize="small")[:-1]
        ax.axvline(0, color="0.35", linewidth=0.8)
        ax.margins(x=0.15)
        ax.set_yticks(np.arange(n_parts), [*self.source_names, "adapter"])
        ax.invert_yaxis()
        ax.set_xlabel("share of the variance of the decision values")
        if n_outputs > 1:
            ax.legend(fontsize="small")
        return self


def source_outputs(estimator, X):
    """X w̃ + b̃ of shape (n_rows, n_outputs, n_sources)."""
    W, b = estimator.source_coef_, estimator.source_intercept_
    S = safe_sparse_dot(X, W.reshape(b.size, -1).T, dense_output=True)
    return S.reshape(X.shape[0], *b.shape) + b
