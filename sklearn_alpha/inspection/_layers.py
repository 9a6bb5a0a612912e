"""α of a network, layer by layer."""

from collections.abc import Mapping

import numpy as np

from sklearn_alpha.inspection._drawing import documented, subplots


@documented
class AlphaLayersDisplay:
    r"""Range, quartiles and median of α in every adapted layer of a network.

    ::

        y = α ⊙ (W x) + b + s·B A x            one α for each row of W; α = 1 is LoRA

    Layers are shown in the order of the network, and layers of one kind (query, value) share a
    colour. If the net has several sources, their shares α_k are shown above the layers.
    Create the display with `from_estimator`.

    Parameters
    ----------
    alphas : dict of str to ndarray of shape (d_out,)
        α by layer name.
    source_alpha : ndarray of shape (n_sources,), default=None
        The share α_k of each source.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    ranges_, quartiles_ : matplotlib LineCollection
        One line for each layer: from the smallest α to the largest, and between the quartiles.
    medians_ : dict of str to matplotlib Line2D
        The key is the kind of layer: the last part of its name, or "median" if that is a number.
    sources_ : matplotlib Line2D
        The α_k, from the first source on; only if there are several.

    See Also
    --------
    AlphaLoRANetClassifier : The estimator that learns these α.
    sklearn_alpha.neural_network.get_alpha : The same dict for a PEFT model.

    {references}

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_alpha.inspection import AlphaLayersDisplay
    >>> alpha = {"block.0.query": np.array([0.9, 1.0, 1.2]), "block.0.value": np.array([1.1, 1.3])}
    >>> display = AlphaLayersDisplay.from_estimator(alpha)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['query', 'value']
    """

    def __init__(self, *, alphas, source_alpha=None):
        self.alphas = alphas
        self.source_alpha = source_alpha

    @classmethod
    @documented
    def from_estimator(cls, estimator, *, ax=None):
        """Create a display from a fitted network.

        Parameters
        ----------
        estimator : AlphaLoRANetClassifier or dict of str to array-like of shape (d_out,)
            A fitted net, its `alpha_`, or the result of `get_alpha` for a PEFT model.
        {ax}

        Returns
        -------
        display : AlphaLayersDisplay

        Raises
        ------
        TypeError
            If `estimator` has no dict of α.
        ValueError
            If there is no layer, or an α is empty or not finite.
        {no_matplotlib}
        """
        # not check_is_fitted, because a dict is accepted too
        alphas = getattr(estimator, "alpha_", estimator)
        if not isinstance(alphas, Mapping):
            raise TypeError(
                f"{cls.__name__} shows a fitted AlphaLoRANetClassifier or a dict of α by layer, "
                f"not {type(estimator).__name__}; fit it first, or pass get_alpha(model)."
            )
        alphas = {
            str(name): np.atleast_1d(np.asarray(alpha, dtype=np.float64))
            for name, alpha in alphas.items()
        }
        if not alphas:
            raise ValueError("there is no layer with an α; fit with target_modules that match one.")
        for name, alpha in alphas.items():
            if alpha.ndim != 1 or not alpha.size or not np.isfinite(alpha).all():
                raise ValueError(
                    f"α of layer {name!r} must be finite and of shape (d_out,), got shape "
                    f"{alpha.shape}."
                )
        shares = getattr(estimator, "source_alpha_", None)
        return cls(alphas=alphas, source_alpha=shares).plot(ax=ax)

    @documented
    def plot(self, ax=None, *, line_kw=None):
        """Draw one line for each layer, and one point for each source.

        Parameters
        ----------
        {ax}
        line_kw : dict, default=None
            Keyword arguments for the lines between the quartiles.

        {plot_returns}

        Raises
        ------
        {no_matplotlib}
        """
        shares = [] if self.source_alpha is None else list(self.source_alpha)
        n_lines = len(self.alphas) + len(shares)
        (ax,) = subplots(self, ax, figsize=(6.4, 1.2 + 0.28 * n_lines))
        self.ax_, self.figure_ = ax, ax.figure
        kinds = [kind_of(name) for name in self.alphas]
        colour = {kind: f"C{number}" for number, kind in enumerate(dict.fromkeys(kinds))}
        colours = [colour[kind] for kind in kinds]
        place = np.arange(len(kinds))
        least, low, median, high, most = np.transpose(
            [np.quantile(alpha, [0, 0.25, 0.5, 0.75, 1]) for alpha in self.alphas.values()]
        )
        ax.axvline(1, color="0.35", linewidth=1, linestyle="--", label="α = 1: LoRA")
        self.ranges_ = ax.hlines(place, least, most, colours, linewidth=1)
        kw = {"linewidth": 5, "alpha": 0.6, **(line_kw or {})}
        self.quartiles_ = ax.hlines(place, low, high, colours, **kw)
        self.medians_ = {}
        for kind in colour:
            here = np.flatnonzero(np.array(kinds) == kind)
            (self.medians_[kind],) = ax.plot(
                median[here], place[here], "o", color=colour[kind], markersize=4, label=kind
            )
        names, above = short_names(list(self.alphas)), np.arange(-len(shares), 0)
        if shares:
            (self.sources_,) = ax.plot(shares, above, "D", color="0.35", markersize=5)
            names = [f"source {number}" for number in range(len(shares))] + names
        ax.set_yticks(np.append(above, place), names)
        ax.invert_yaxis()
        ax.set_xlabel("α: range, quartiles and median over the rows of a layer")
        if len(colour) <= 10:
            beside = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 5}
            ax.legend(fontsize="small", frameon=False, **beside)
        return self


def kind_of(name):
    """The last part of a layer's name, or "median" if that is a number."""
    last = name.rpartition(".")[2]
    return "median" if last.isdecimal() else last


def short_names(names):
    """The names without their common leading parts."""
    parts = [name.split(".") for name in names]
    shared = 0
    while all(len(p) > shared + 1 and p[shared] == parts[0][shared] for p in parts):
        shared += 1
    return [".".join(p[shared:]) for p in parts]
