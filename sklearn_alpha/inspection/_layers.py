"""What a network learned about its frozen layers."""

from collections.abc import Mapping

import numpy as np

from sklearn_alpha.inspection._drawing import subplots


class AlphaLayersDisplay:
    r"""α of every adapted layer of a network: its range, quartiles and median.

    ::

        y = α ⊙ (W x) + b + s·B A x            one α for each row of W; α = 1 is LoRA

    Layers stand in the network's order, those of one kind (query, value) in one colour.

    Use `from_estimator` to make one.

    Parameters
    ----------
    alphas : dict of str to ndarray of shape (d_out,)
        α by layer name.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    ranges_, quartiles_ : matplotlib LineCollection
        A line for each layer, from the least α to the largest, and between the quartiles.
    medians_ : dict of str to matplotlib Line2D
        By kind of layer: the last part of its name, "median" where that is a number.

    See Also
    --------
    AlphaLoRANetClassifier : The estimator that has such α's.
    sklearn_alpha.neural_network.get_alpha : The same dict, of a PEFT model.

    References
    ----------
    .. [1] El Firdoussi, Chayti, Seddik, Jaggi, "α-LoRA: Effective Fine-Tuning via Base Model
       Rescaling", arXiv 2510.21345.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_alpha.inspection import AlphaLayersDisplay
    >>> alpha = {"block.0.query": np.array([0.9, 1.0, 1.2]), "block.0.value": np.array([1.1, 1.3])}
    >>> display = AlphaLayersDisplay.from_estimator(alpha)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['query', 'value']
    """

    def __init__(self, *, alphas):
        self.alphas = alphas

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Read α of a fitted network, and draw.

        Parameters
        ----------
        estimator : AlphaLoRANetClassifier or dict of str to array-like of shape (d_out,)
            Fitted; or its `alpha_`, or what `get_alpha` returns for a PEFT model.
        ax : matplotlib Axes, default=None
            None is a new figure.

        Returns
        -------
        display : AlphaLayersDisplay

        Raises
        ------
        TypeError
            If `estimator` has no α by layer.
        ValueError
            If there is no layer, or one without numbers.
        ImportError
            If matplotlib is missing (extra ``plot``).
        """
        # not check_is_fitted: a dict is as good
        alphas = getattr(estimator, "alpha_", estimator)
        if not isinstance(alphas, Mapping):
            raise TypeError(
                f"{cls.__name__} shows a fitted AlphaLoRANetClassifier, or a dict of its α's by "
                f"layer, not {type(estimator).__name__}; fit it first, or pass get_alpha(model)."
            )
        alphas = {
            str(name): np.atleast_1d(np.asarray(alpha, dtype=np.float64))
            for name, alpha in alphas.items()
        }
        if not alphas:
            raise ValueError("there is no layer with an α; fit with target_modules that match.")
        for name, alpha in alphas.items():
            if alpha.ndim != 1 or not alpha.size or not np.isfinite(alpha).all():
                raise ValueError(
                    f"α of layer {name!r} has shape {alpha.shape}; pass finite numbers (d_out,)."
                )
        return cls(alphas=alphas).plot(ax=ax)

    def plot(self, ax=None, *, line_kw=None):
        """Draw a line for each layer.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None is a new figure.
        line_kw : dict, default=None
            Keywords of the lines between the quartiles.

        Returns
        -------
        display : AlphaLayersDisplay
            With the artists as attributes.

        Raises
        ------
        ImportError
            If matplotlib is missing (extra ``plot``).
        """
        (ax,) = subplots(self, ax, figsize=(6.4, 1.2 + 0.28 * len(self.alphas)))
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
        ax.set_yticks(place, short_names(list(self.alphas)))
        ax.invert_yaxis()
        ax.set_xlabel("α: range, quartiles and median over the rows of a layer")
        if len(colour) <= 10:
            beside = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 5}
            ax.legend(fontsize="small", frameon=False, **beside)
        return self


def kind_of(name):
    """The last part of a layer's name, unless it is a number."""
    last = name.rpartition(".")[2]
    return "median" if last.isdecimal() else last


def short_names(names):
    """Names without the leading parts that all of them share."""
    parts = [name.split(".") for name in names]
    shared = 0
    while all(len(p) > shared + 1 and p[shared] == parts[0][shared] for p in parts):
        shared += 1
    return [".".join(p[shared:]) for p in parts]
