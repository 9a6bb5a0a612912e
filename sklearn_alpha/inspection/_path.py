"""The score as a function of α and γ."""

import numpy as np
from sklearn.base import is_classifier

from sklearn_alpha.inspection._drawing import check_transfer, documented, subplots

# Entries of `path_` with a score for each γ. If there are several α, the best score is drawn.
SCORES = {
    "loo_score": "leave-one-out score",
    "cv_score": "cross-validation score",
    "predicted_score": "predicted score",
}


@documented
class AlphaPathDisplay:
    r"""Score against α, and evidence or score of each γ.

    ::

        score of w(α, γ) = α w̃ + Q(γ) X₀ᵀ(y₀ − αX₀w̃)/n         at the fitted γ, as α varies
        exp(ℓ(γ) − max ℓ)                                       the evidence, α profiled out

    for an estimator fitted on the rows (X₀, y₀). Marks show α = 0 (target alone), α = 1 (ordinary
    fine-tuning), each source alone, and the model: its own score at each of its α. If one pair
    (α, γ) was chosen, the model lies on the curve. It may lie beside the curve if γ was averaged
    ("evidence" and "blend"), or if α differs between outputs or sources.

    A classifier of the selection "anchored" keeps its adapter as α varies. At α = 0 the adapter is
    alone, and this is not the model of the target alone; nor is α = 1 fine-tuning.

    Figure 3 of the paper [1]_ is such a path. Create the display with `from_estimator`.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        α of the curve, the same for every output and source.
    scores : ndarray of shape (n_alphas,)
        Accuracy or R².
    chosen_alphas : ndarray of shape (n_outputs, n_sources)
        α of the model.
    chosen_score : float
        The model's own score.
    target_alone_score, fine_tuning_score : float
        Scores at α = 0 and α = 1.
    source_scores : ndarray of shape (n_sources,)
        Score of each source as it is, without the target rows.
    score_name : str
    gamma : float
        γ of the model, or its posterior mean; inf for "generative".
    gammas : ndarray of shape (n_gammas,) or None, default=None
        Grid of γ; None if γ was not chosen from a grid.
    gamma_curves : dict of str to ndarray of shape (n_gammas,)
        Curves over γ: "evidence" and "posterior", each relative to its largest value, or the score
        that the selection used.
    adapter_follows : bool, default=True
        Whether the adapter is fitted anew for each α. Else α = 0 and α = 1 are marked as such.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The panel with the scores.
    gamma_ax_ : matplotlib Axes or None
        The panel with the curves over γ.
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        Score against α.
    chosen_ : matplotlib Line2D
        The model.
    references_ : dict of str to matplotlib Line2D
        "target alone", "fine-tuning" and "source alone" ("source 0 alone" and so on for several);
        "adapter alone" and "α = 1" in place of the first two where the adapter does not follow α.
    gamma_lines_ : dict of str to matplotlib Line2D

    See Also
    --------
    AlphaTransferClassifier.alpha_path : The scores, without a figure.
    SourceContributionDisplay : The share of each source in the predictions.

    {references}

    Examples
    --------
    >>> from sklearn_alpha import AlphaTransferClassifier
    >>> from sklearn_alpha.datasets import make_domain_transfer
    >>> from sklearn_alpha.inspection import AlphaPathDisplay
    >>> data = make_domain_transfer(n_target=40, random_state=0)
    >>> model = AlphaTransferClassifier(data.source_mean).fit(data.X_target, data.y_target)
    >>> display = AlphaPathDisplay.from_estimator(model, data.X_test, data.y_test)
    >>> display.ax_.get_xlabel(), display.gamma_ax_.get_xlabel()
    ('α', 'γ')
    """

    def __init__(
        self,
        *,
        alphas,
        scores,
        chosen_alphas,
        chosen_score,
        target_alone_score,
        fine_tuning_score,
        source_scores,
        score_name,
        gamma,
        gammas=None,
        gamma_curves=None,
        adapter_follows=True,
    ):
        self.alphas = alphas
        self.scores = scores
        self.chosen_alphas = chosen_alphas
        self.chosen_score = chosen_score
        self.target_alone_score = target_alone_score
        self.fine_tuning_score = fine_tuning_score
        self.source_scores = source_scores
        self.score_name = score_name
        self.gamma = gamma
        self.gammas = gammas
        self.gamma_curves = gamma_curves or {}
        self.adapter_follows = adapter_follows

    @classmethod
    @documented
    def from_estimator(cls, estimator, X, y, *, alphas=None, sample_weight=None, ax=None):
        """Create a display from a fitted estimator, scored on (X, y) for each α.

        Parameters
        ----------
        estimator : AlphaTransferClassifier or AlphaTransferRegressor
            Fitted, with a source.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to score on. They should not be rows of the fit.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.
        alphas : array-like of shape (n_alphas,), default=None
            α, the same for every output and source. None gives 81 values from −1 to 3 times the
            largest fitted α.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the score.
        ax : matplotlib Axes or array-like of one or two, default=None
            Axes for the scores and for the curves over γ. The curves are left out if only one is
            given. None creates a figure.

        Returns
        -------
        display : AlphaPathDisplay

        Raises
        ------
        TypeError
            If `estimator` is not one of these estimators.
        ValueError
            If it has no source, `alphas` is not 1-D, or X and y do not match the fit.
        {no_matplotlib}
        """
        check_transfer(cls, estimator)
        if alphas is not None and np.ndim(alphas) != 1:
            raise ValueError(f"alphas has {np.ndim(alphas)} dimensions; pass a 1-D array.")
        path = estimator.alpha_path(X, y, alphas=alphas, sample_weight=sample_weight)
        ends = estimator.alpha_path(X, y, alphas=[0.0, 1.0], sample_weight=sample_weight).scores
        gammas, curves = over_gamma(estimator.path_)
        display = cls(
            alphas=path.alphas,
            scores=path.scores,
            chosen_alphas=estimator.alpha_,
            chosen_score=float(estimator.score(X, y, sample_weight=sample_weight)),
            target_alone_score=float(ends[0]),
            fine_tuning_score=float(ends[1]),
            source_scores=source_scores(estimator, X, y, sample_weight),
            score_name="accuracy" if is_classifier(estimator) else "R²",
            gamma=estimator.gamma_,
            gammas=gammas,
            gamma_curves=curves,
            adapter_follows="trust" not in estimator.path_,
        )
        return display.plot(ax=ax)

    @documented
    def plot(self, ax=None, *, line_kw=None):
        """Draw the scores and, if γ was chosen from a grid, the curves over γ beside them.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of one or two, default=None
            None creates a figure.
        line_kw : dict, default=None
            Keyword arguments of matplotlib's `plot` for the line of the scores.

        {plot_returns}

        Raises
        ------
        ValueError
            If there are more axes than panels.
        {no_matplotlib}
        """
        n_panels = 1 if self.gammas is None else 2
        axes = subplots(self, ax, n_panels=n_panels, figsize=(4.2 * n_panels + 0.6, 3.6))
        self.ax_, self.figure_ = axes[0], axes[0].figure
        self.gamma_ax_ = axes[1] if len(axes) > 1 else None
        self._plot_scores(self.ax_, line_kw or {})
        self.gamma_lines_ = {} if self.gamma_ax_ is None else self._plot_gammas(self.gamma_ax_)
        return self

    def _plot_scores(self, ax, line_kw):
        (self.line_,) = ax.plot(self.alphas, self.scores, **{"color": "C0", **line_kw})
        several = len(self.source_scores) > 1
        self.references_ = {}
        for k, score in enumerate(self.source_scores):
            name = f"source {k} alone" if several else "source alone"
            self.references_[name] = ax.axhline(
                score, color="0.35", linewidth=1, linestyle=(0, (4, 2 + 2 * k)), label=name
            )
        marks = [
            (0, self.target_alone_score, "v", "target alone", "target alone, α = 0"),
            (1, self.fine_tuning_score, "s", "fine-tuning", "fine-tuning, α = 1"),
        ]
        if not self.adapter_follows:
            marks[0] = (*marks[0][:3], "adapter alone", "adapter alone, α = 0")
            marks[1] = (*marks[1][:3], "α = 1", "α = 1")
        for alpha, score, marker, name, label in marks:
            (self.references_[name],) = ax.plot(
                [alpha], [score], marker, color="C1", markersize=7, label=label
            )
        chosen = np.sort(self.chosen_alphas, axis=None)
        label = f"chosen, α = {chosen[0]:.3g}" if chosen.size == 1 else "chosen"
        (self.chosen_,) = ax.plot(
            chosen,
            np.full(chosen.size, self.chosen_score),
            "o-",
            color="C2",
            markersize=8,
            linewidth=1,
            label=label,
        )
        ax.set(xlabel="α", ylabel=self.score_name)
        ax.legend(fontsize="small")

    def _plot_gammas(self, ax):
        lines = {}
        for number, (name, values) in enumerate(self.gamma_curves.items()):
            (lines[name],) = ax.plot(self.gammas, values, ".-", color=f"C{number}", label=name)
        if np.isfinite(self.gamma):
            lines["chosen"] = ax.axvline(
                self.gamma, color="C2", linewidth=1, label=f"chosen, γ = {self.gamma:.3g}"
            )
        relative = len(self.gamma_curves) > 1
        ax.set(
            xlabel="γ",
            xscale="log",
            ylabel="relative to the largest" if relative else next(iter(self.gamma_curves)),
        )
        ax.legend(fontsize="small")
        return lines


def source_scores(estimator, X, y, sample_weight):
    """Score of each source alone, by scikit-learn's model with the weights of the source."""
    model, scores = estimator.to_sklearn(), []
    W, b = np.moveaxis(estimator.source_coef_, 1, 0), estimator.source_intercept_.T
    for w_k, b_k in zip(W, b):
        model.coef_ = w_k.reshape(model.coef_.shape)
        model.intercept_ = b_k.reshape(np.shape(model.intercept_))
        scores.append(model.score(X, y, sample_weight=sample_weight))
    return np.array(scores)


def over_gamma(path):
    """The grid of γ in a `path_` and the curves over it; (None, {}) if there is no grid."""
    if "gammas" not in path or len(path.gammas) < 2:
        return None, {}
    if "posterior" in path:
        curves = {"posterior": path.posterior / path.posterior.max()}
        if "log_evidence" in path:
            evidence = np.exp(path.log_evidence - path.log_evidence.max())
            curves = {"evidence": evidence, **curves}
        return path.gammas, curves
    (key,) = SCORES.keys() & path.keys()
    return path.gammas, {SCORES[key]: path[key].reshape(len(path.gammas), -1).max(axis=1)}
