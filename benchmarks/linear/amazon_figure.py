"""Figure 3 of the paper: accuracy against α on three Amazon transfers.

Source: ridge on all rows, γ_pre = 2; target: n = 40 rows, γ = .1. The curves are plain accuracy on
all other target rows, mean and standard error over the draws. The published α* is computed, as in
the paper, from the labels of all target rows. Ours is chosen from the n labels alone: by the
evidence at the same γ, which is a point of the curve, and by the default, which chooses γ as well
and need not lie on the curve.
"""

import numpy as np

from benchmarks._data.transfers import split
from benchmarks._figures import BLACK, BLUE, GREEN, ORANGE, RED, save, subplots
from benchmarks._results import publish
from benchmarks._runner import run_cells
from benchmarks._tables import number
from benchmarks.linear._comparison import pair_cells
from benchmarks.linear.amazon_table import load_transfer, published_alpha, ridge_coefficients
from sklearn_alpha import AlphaTransferClassifier

PAIRS = (("dvd", "books"), ("books", "kitchen"), ("kitchen", "electronics"))
N, GAMMA_PRE, GAMMA = 40, 2.0, 0.1
ALPHAS = np.linspace(-4, 4, 81)
PATH, SOURCE, PUBLISHED = "α given", "source alone", "published α* (from test labels)"
EVIDENCE, DEFAULT = "chosen by evidence, same γ", "default: α and γ chosen"


def add_arguments(parser):
    """Add the number of draws."""
    parser.add_argument("--draws", type=int, default=20, help="draws of the labelled target rows")


def main(args):
    """Compute the curves, write them down and draw them."""
    cells = pair_cells(PAIRS, [N], args.draws)
    frame = summarise(run_cells("amazon-figure", score, cells, resume=args.resume))
    folder = publish(
        frame,
        "amazon-figure",
        args,
        caption=f"Accuracy in % at n = {N}, mean and standard error of {args.draws} draws.",
        tables={"": table(frame)},
    )
    draw(frame, folder / "figure.png")
    draw(frame, folder / "figure-narrow.png", narrow=True)


def table(frame):
    """What is chosen, and the path at α = 0 and 1, as texts."""
    shown = frame[(frame.curve != PATH) | frame.alpha.isin([0, 1])]
    texts = {name: shown[name].map(number) for name in ("accuracy", "se")}
    texts["alpha"] = [number(alpha, ".2f") for alpha in shown.alpha]
    return shown.assign(**texts)


def score(source, target, n, seed):
    """Accuracy on one draw: along α, at the published and at our own choices."""
    transfer = load_transfer(source, target)
    coef = ridge_coefficients(transfer.X_source, transfer.y_source, GAMMA_PRE)
    train, test = split(transfer, n, seed)
    X, y = transfer.X[test], transfer.y[test]

    def fit(alpha="auto", gamma=GAMMA, selection="anchored", **options):
        estimator = AlphaTransferClassifier(
            coef, alpha=alpha, gamma=gamma, selection=selection, **options
        )
        return estimator.fit(transfer.X[train], transfer.y[train])

    # The weights are linear in α: two fits give the whole curve.
    low, high = (fit(alpha, fit_intercept=False).decision_function(X) for alpha in (0.0, 1.0))
    _, published = published_alpha(transfer, n, GAMMA_PRE, GAMMA)
    evidence = fit(selection="evidence", fit_intercept=False)
    alphas = [*ALPHAS.round(10), published]
    accuracies = ((low + np.outer(alphas, high - low) > 0) == (y > 0)).mean(axis=1)
    rows = list(zip([PATH] * len(ALPHAS) + [PUBLISHED], alphas, accuracies))
    rows += [
        (SOURCE, None, np.mean((X @ coef > 0) == (y > 0))),
        (EVIDENCE, float(np.ravel(evidence.alpha_)[0]), np.mean(evidence.predict(X) == y)),
        (DEFAULT, None, np.mean(fit(gamma="auto").predict(X) == y)),
    ]
    return [{"curve": curve, "alpha": a, "accuracy": accuracy} for curve, a, accuracy in rows]


def summarise(frame):
    """Mean and standard error over the draws, in per cent; a chosen α is averaged as well."""
    # A chosen α differs from draw to draw; each choice is one point of a panel.
    given = frame.alpha.where(frame.curve == PATH)
    groups = frame.groupby(
        ["source", "target", "curve", given.rename("given")], dropna=False, sort=False
    )
    result = groups.agg(
        alpha=("alpha", "mean"), accuracy=("accuracy", "mean"), se=("accuracy", "sem")
    )
    result[["accuracy", "se"]] *= 100
    return result.reset_index().drop(columns="given")


def draw(frame, path, narrow=False):
    """Draw one panel per transfer: side by side, or one below the other for a phone."""
    shape, size = ((len(PAIRS), 1), (4, 9)) if narrow else ((1, len(PAIRS)), (10, 4))
    figure, axes = subplots(*shape, figsize=size, sharex=True, sharey=True)
    for ax, (source, target) in zip(axes, PAIRS):
        panel = frame[(frame.source == source) & (frame.target == target)].set_index("curve")
        curve = panel.loc[PATH]
        band = curve.accuracy - curve.se, curve.accuracy + curve.se
        ax.plot(curve.alpha, curve.accuracy, color=BLUE, label="α given: mean ± s.e.")
        ax.fill_between(curve.alpha, *band, color=BLUE, alpha=0.25, linewidth=0)
        ax.axhline(panel.accuracy[SOURCE], color=BLACK, linestyle="--", label=SOURCE)
        ax.axhline(panel.accuracy[DEFAULT], color=GREEN, linestyle="-.", label=DEFAULT)
        for alpha, marker, label in ((0, "v", "α = 0: target alone"), (1, "s", "α = 1")):
            height = curve.accuracy[np.isclose(curve.alpha, alpha)]
            ax.plot(alpha, height, marker, color=ORANGE, markersize=8, label=label)
        for name, marker, color in ((PUBLISHED, "D", RED), (EVIDENCE, "o", GREEN)):
            ax.plot(*panel.loc[name, ["alpha", "accuracy"]], marker, color=color, label=name)
        ax.set(title=f"{source} → {target}", xlim=(-4.1, 4.1))
    figure.supxlabel("α", fontsize="medium")
    figure.supylabel("accuracy on the target, %", fontsize="medium")
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=1 if narrow else 3)
    return save(figure, path)
