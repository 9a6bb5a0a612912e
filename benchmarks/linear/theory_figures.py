"""Figures 1 and 2 of the paper and four more: the theory's lines and points of simulation.

accuracy         Figure 1: accuracy against α, for three β
optimal-alpha    Figure 2: α* against β, for three p/n
correction       where the published formula fails: N = n = p
decision-values  the decision values of a test point, against the predicted Gaussians
arbitrary        α* of an arbitrary source against its angle to the mean, for two covariances
regression       risk of the regression extension against α, for three n

Settings are the paper's where it states them: all of Figure 1, N and n of Figure 2. Lines are the
theory, points are simulation with two standard errors; where the published formula differs from the
corrected one it is drawn dashed.
"""

import numpy as np
import pandas as pd
from scipy.stats import norm

from benchmarks._figures import BLACK, BLUE, GREEN, ORANGE, save, subplots
from benchmarks._results import publish
from benchmarks._runner import run_cells
from benchmarks._tables import number
from benchmarks.linear._published import published_accuracy, published_optimal_alpha
from benchmarks.linear._simulation import (
    accuracies,
    ar1,
    best_alpha,
    fixed_source,
    histogram,
    regression_risk,
    ridge_source,
    standard_error,
    unit_vectors,
)
from sklearn_alpha.theory import (
    regression_asymptotics,
    ridge_source_asymptotics,
    target_asymptotics,
)

FIGURE_1 = {"n_source": 5000, "n_target": 40, "n_features": 1000}
FIGURE_1 |= {"source_mean_norm": 0.8, "gamma_source": 5.0, "gamma_target": 0.1}
FIGURE_2 = {"n_source": 2000, "n_target": 200}
FIGURE_2 |= {"source_mean_norm": 1.0, "gamma_source": 1.0, "gamma_target": 1.0}
CORRECTION = {"n_source": 600, "n_target": 600, "n_features": 600, "beta": 0.8}
CORRECTION |= {"source_mean_norm": 1.5, "gamma_source": 0.1, "gamma_target": 1.0}
DECISION = {"n_source": 1000, "n_target": 200, "n_features": 400, "beta": 0.8}
DECISION |= {"source_mean_norm": 1.0, "gamma_source": 1.0, "gamma_target": 1.0}
ARBITRARY = {"n_samples": 100, "n_features": 200, "gamma": 1.0}
REGRESSION = {"n_features": 200, "gamma": 0.5, "noise": 0.5}

PRE = r"$\gamma_\mathrm{pre}$"
# Title, label of x, label of y.
LABELS = {
    "accuracy": (
        f"Accuracy of an α-rescaled ridge source\nN = 5000, n = 40, p = 1000, {PRE} = 5, γ = 0.1",
        "α",
        "accuracy, %",
    ),
    "optimal-alpha": (
        f"The best α of a ridge source\nN = 2000, n = 200, {PRE} = γ = 1",
        "β, the source's share in the target mean",
        "optimal α",
    ),
    "correction": (
        f"The published formula and its correction\nN = n = p = 600, {PRE} = 0.1, γ = 1, β = 0.8",
        "α",
        "accuracy, %",
    ),
    "decision-values": (
        f"Decision values of a test point: N = 1000, n = 200, p = 400, {PRE} = γ = 1, β = 0.8",
        "decision value f(x)",
        "density",
    ),
    "arbitrary": (
        "The best α of an arbitrary source of unit norm\nn = 100, p = 200, γ = 1",
        "cosine between source and mean",
        "optimal α",
    ),
    "regression": (
        "Risk of an α-rescaled regressor\np = 200, γ = 0.5, noise 0.5",
        "α",
        "risk, squared units of y",
    ),
}


def add_arguments(parser):
    """Add the number of draws and their seed."""
    parser.add_argument("--seed", type=int, default=0, help="seed of the simulations")
    parser.add_argument("--draws", type=int, default=40, help="draws for each setting")
    parser.add_argument("--quick", action="store_true", help="5 draws, to see that it runs")


def main(args):
    """Compute the six figures, write them down and draw them."""
    how = {"draws": 5 if args.quick else args.draws, "seed": args.seed}
    figures = (accuracy, optimal_alpha, correction, decision_values, arbitrary, regression)
    frame = pd.concat([figure(how, args.resume) for figure in figures], ignore_index=True)
    folder = publish(
        frame,
        "theory-figures",
        args,
        caption="Distance of the simulation from the corrected and from the published formula.",
        tables={"": agreement(frame)},
    )
    for name in LABELS:
        draw(frame[frame.figure == name], folder / f"{name}.png")


def agreement(frame):
    """Distance of the simulation from both formulas: the largest, and in standard errors."""
    dots = frame.dropna(subset="simulated")
    far = pd.DataFrame(
        {
            "figure": dots.figure,
            "theory": (dots.simulated - dots.theory).abs(),
            # A bin of the histogram that no draw hits has no standard error.
            "standard errors": ((dots.simulated - dots.theory) / dots.se.where(dots.se > 0)).abs(),
            "published": (dots.simulated - dots.published).abs(),
        }
    )
    groups = far.groupby("figure", sort=False)
    worst = groups.max().add_prefix("worst: ")
    worst.insert(0, "dots", groups.size())
    worst.insert(3, "median: standard errors", groups["standard errors"].median())
    return worst.map(lambda value: number(value, ".3g")).reset_index()


# --- the figures' data: one row per x, with the theory and where there is one the simulation ----


def accuracy(how, resume):
    """Figure 1."""
    settings = [
        FIGURE_1 | {"beta": beta, "orthogonal_norm": 0.8 * np.sqrt(1 - beta**2)}
        for beta in (0.2, 0.5, 0.9)
    ]
    alphas = np.linspace(-6, 16, 23)
    return accuracy_against_alpha("accuracy", settings, alphas, 0.8, how, resume)


def correction(how, resume):
    """The setting in which the published formula was found to fail."""
    setting = CORRECTION | {"orthogonal_norm": 0.6}
    alphas = np.linspace(-3, 4, 29)
    return accuracy_against_alpha("correction", [setting], alphas, 1.0, how, resume)


def accuracy_against_alpha(figure, settings, alphas, orthogonal_scale, how, resume):
    draws = run_cells(
        "theory-figures", ridge_source, [s | how for s in settings], resume=resume
    ).groupby("beta")
    parts = []
    for setting in settings:
        theory, beta = ridge_source_asymptotics(**setting), setting["beta"]
        simulated = accuracies(draws.get_group(beta), alphas)
        part = tidy(
            figure,
            f"β = {beta}, α* = {theory.optimal_alpha:.2f}",
            x=np.linspace(alphas[0], alphas[-1], 10 * len(alphas) - 9),
            theory=lambda x, theory=theory: theory.accuracy(x),
            published=lambda x, setting=setting: published_accuracy(
                x, **as_published(setting, orthogonal_scale)
            ),
            dots=(alphas, simulated.mean(axis=0), standard_error(simulated)),
        )
        part[["theory", "published", "simulated", "se"]] *= 100
        parts.append(part)
    return pd.concat(parts)


def optimal_alpha(how, resume):
    """Figure 2."""

    def setting(eta, beta):
        p = round(eta * FIGURE_2["n_target"])
        orthogonal_norm = np.sqrt(1 - beta**2)
        return FIGURE_2 | {"n_features": p, "beta": beta, "orthogonal_norm": orthogonal_norm}

    ratios, betas = (0.2, 1.0, 5.0), np.linspace(-0.9, 0.9, 7).round(10)
    cells = [setting(eta, beta) | how for eta in ratios for beta in betas]
    draws = run_cells("theory-figures", ridge_source, cells, resume=resume)
    draws = draws.groupby(["n_features", "beta"])
    parts = []
    for eta in ratios:
        p = setting(eta, 0.0)["n_features"]
        dots = [best_alpha(draws.get_group((p, beta))) for beta in betas]
        part = tidy(
            "optimal-alpha",
            f"p/n = {eta:g}",
            x=np.linspace(-0.99, 0.99, 199),
            theory=np.vectorize(
                lambda beta, eta=eta: ridge_source_asymptotics(**setting(eta, beta)).optimal_alpha
            ),
            published=np.vectorize(
                lambda beta, eta=eta: published_optimal_alpha(
                    **as_published(setting(eta, beta), 1.0)
                )
            ),
            dots=(betas, *np.transpose(dots)),
        )
        parts.append(part)
    return pd.concat(parts)


def decision_values(how, resume):
    """Histogram of the decision values of fresh points of either class."""
    setting = DECISION | {"orthogonal_norm": 0.6}
    theory = ridge_source_asymptotics(**setting)
    alphas = {"α = 0": 0.0, "α = 1": 1.0, f"α* = {theory.optimal_alpha:.2f}": theory.optimal_alpha}
    cells = [setting | how | {"alpha": alpha} for alpha in alphas.values()]
    draws = run_cells("theory-figures", histogram, cells, resume=resume)
    parts = []
    for (label, alpha), cell in zip(alphas.items(), cells):
        for y in (-1, 1):
            counted = draws[(draws.alpha == cell["alpha"]) & (draws.y == y)]
            law = norm(y * theory.margin_mean(alpha), np.sqrt(theory.margin_variance(alpha)))
            part = tidy(
                "decision-values",
                "class +1" if y > 0 else "class −1",
                x=np.linspace(-3, 3, 201),
                theory=law.pdf,
                dots=(counted.f, counted.density, counted.se),
            )
            parts.append(part.assign(panel=label))
    return pd.concat(parts)


def arbitrary(how, resume):
    """α* of a source at a given angle, whatever it was trained on."""
    correlations, cosines = (0.0, 0.8), np.linspace(-0.9, 0.9, 10).round(10)
    cells = [
        ARBITRARY | {"correlation": correlation, "cosine": cosine} | how
        for correlation in correlations
        for cosine in cosines
    ]
    draws = run_cells("theory-figures", fixed_source, cells, resume=resume)
    draws = draws.groupby(["correlation", "cosine"])
    parts = []
    for correlation in correlations:

        def theory(cosine, correlation=correlation):
            mean, source = unit_vectors(ARBITRARY["n_features"], cosine)
            return target_asymptotics(
                mean,
                source,
                n_samples=ARBITRARY["n_samples"],
                gamma=ARBITRARY["gamma"],
                covariance=ar1(len(mean), correlation),
            ).optimal_alpha

        dots = [best_alpha(draws.get_group((correlation, cosine))) for cosine in cosines]
        part = tidy(
            "arbitrary",
            f"Σ = AR(1), correlation {correlation}" if correlation else "Σ = I",
            x=np.linspace(-1, 1, 41),
            theory=np.vectorize(theory),
            dots=(cosines, *np.transpose(dots)),
        )
        parts.append(part)
    return pd.concat(parts)


def regression(how, resume):
    """Risk against α: for Σ = I all minima lie at the same α, whatever n."""
    sizes, alphas = (50, 200, 800), np.linspace(-1, 3, 17)
    coef, source = unit_vectors(REGRESSION["n_features"], 0.7)
    cells = [REGRESSION | {"n_samples": n, "cosine": 0.7} | how for n in sizes]
    draws = run_cells("theory-figures", regression_risk, cells, resume=resume)
    parts = []
    for n in sizes:
        options = {key: REGRESSION[key] for key in ("gamma", "noise")}
        theory = regression_asymptotics(coef, source, n_samples=n, **options)
        r0, r1, r2 = draws[draws.n_samples == n][["r0", "r1", "r2"]].to_numpy().T[..., None]
        risks = r0 + 2 * alphas * r1 + alphas**2 * r2
        part = tidy(
            "regression",
            f"n = {n}, α* = {theory.optimal_alpha:.2f}",
            x=np.linspace(-1, 3, 81),
            theory=theory.risk,
            dots=(alphas, risks.mean(axis=0), standard_error(risks)),
        )
        parts.append(part)
    return pd.concat(parts)


def tidy(figure, series, *, x, theory, dots, published=None):
    """The line's points and the dots in one frame."""
    line = pd.DataFrame({"x": np.asarray(x)})
    dots = pd.DataFrame(dict(zip(("x", "simulated", "se"), map(np.asarray, dots))))
    frame = pd.concat([line, dots], ignore_index=True)
    frame["theory"] = theory(frame.x.to_numpy())
    frame["published"] = np.nan if published is None else published(frame.x.to_numpy())
    frame.insert(0, "series", series)
    frame.insert(0, "panel", "")
    frame.insert(0, "figure", figure)
    return frame


def as_published(setting, orthogonal_scale):
    """The published function's names for a setting: there ‖μ_⊥‖ is √(1 − β²) times a scale."""
    same = {k: v for k, v in setting.items() if k not in ("source_mean_norm", "orthogonal_norm")}
    return same | {"m": setting["source_mean_norm"], "mu_perp": orthogonal_scale}


# --- drawing ------------------------------------------------------------------------------------


def draw(frame, path):
    """One panel for each `panel`, one colour and marker for each `series`."""
    title, xlabel, ylabel = LABELS[frame.figure.iloc[0]]
    panels = frame.panel.unique()
    figure, axes = subplots(
        1, len(panels), figsize=(max(6, 3.4 * len(panels)), 4.2), sharey=True, squeeze=False
    )
    for ax, panel in zip(axes.flat, panels):
        departs = False
        series = frame[frame.panel == panel].groupby("series", sort=False)
        for (label, data), color, marker in zip(series, (BLUE, ORANGE, GREEN), "os^"):
            data = data.sort_values("x")
            ax.plot(data.x, data.theory, color=color, label=label)
            # Dashes under a line that they coincide with would only blur it.
            if (data.published - data.theory).abs().max() > 0.02 * np.ptp(data.theory):
                ax.plot(data.x, data.published, color=color, linestyle="--", linewidth=1)
                departs = True
            dots = data.dropna(subset="simulated")
            style = {"fmt": marker, "color": color, "markersize": 4, "capsize": 2}
            ax.errorbar(dots.x, dots.simulated, 2 * dots.se, **style)
        if departs:
            ax.plot([], [], color=BLACK, linestyle="--", linewidth=1, label="as published")
        ax.errorbar([], [], [], fmt="o", color=BLACK, markersize=4, capsize=2, label="simulation")
        ax.set(title=panel, xlabel=xlabel)
    axes[0, 0].set_ylabel(ylabel)
    axes[0, 0].legend(fontsize="small")
    figure.suptitle(title, fontsize="medium")
    return save(figure, path)
