"""Methods at several learning rates: each at its own best, and all along the rates.

The best rate of a method for a group of draws is that of the highest mean accuracy, or the least
mean log loss, on rows that are not scored there: `choice_accuracy`, `choice_log_loss`. Differences
are those of α-LoRA from a method on the same draws, each at its best rate.
"""

from itertools import cycle

import pandas as pd

from benchmarks._figures import BLUE, MANY, RED, label_points, save, subplots
from benchmarks._names import ALPHA_LORA
from benchmarks._results import publish, write_csv
from benchmarks._statistics import FEW, paired_differences
from benchmarks._tables import interval, number
from benchmarks.networks._training import device, packages

BEST = {"accuracy": "idxmax", "log_loss": "idxmin"}
CHOICE = {measure: f"choice_{measure}" for measure in BEST}
COLUMNS = ["method", "rate", *BEST, "seconds", "alpha_moved", *CHOICE.values()]
DIFFERENCES = (
    "α-LoRA less it: the difference of α-LoRA from the method of the row on the same draws, with "
    f"its 95 % interval (bootstrap; Student's for fewer than {FEW} draws). α-LoRA is better if it "
    "is above 0 in accuracy, and below 0 in log loss."
)


def at_best(frame, by, measure):
    """The rows of each method at its best rate, and those of methods without a rate.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns `method`, `rate` (missing if there is none), the choice of the measure and `by`.
    by : list of str
        A rate is chosen for each of these groups.
    measure : {"accuracy", "log_loss"}
    """
    groups = [*by, "method"]
    swept = frame[frame.rate.notna()]
    mean = swept.groupby([*groups, "rate"], sort=False)[CHOICE[measure]].mean()
    best = mean.groupby(groups, sort=False).agg(BEST[measure]).map(lambda place: place[-1])
    chosen = swept.merge(best.rename("best").reset_index(), on=groups)
    chosen = chosen[chosen.rate == chosen.best].drop(columns="best")
    return pd.concat([frame[frame.rate.isna()], chosen], ignore_index=True)


def by_other_groups(frame, group):
    """The frame with choices that are the means of the same method and rate in other groups."""
    place = ["method", "rate"]
    mean = frame.groupby([*place, group])[list(BEST)].mean().reset_index()
    others = [
        mean[mean[group] != own].groupby(place)[list(BEST)].mean().assign(**{group: own})
        for own in frame[group].unique()
    ]
    choices = pd.concat(others).rename(columns=CHOICE).reset_index()
    kept = frame.drop(columns=list(CHOICE.values()), errors="ignore")
    return kept.merge(choices, on=[*place, group], how="left")


def publish_sweep(frame, name, args, by, caption, *, chosen_by=None, unit="seed", overall=None):
    """Write down the methods at their best rates, the curves over the rates, and the figure.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows of cells: `COLUMNS`, `unit` and the columns of `by`.
    name, args, caption
        As of :func:`benchmarks._results.publish`.
    by : list of str
        Columns that split the tables.
    chosen_by : list of str, optional
        Groups for which a rate is chosen; `by` by default.
    unit : str or list of str
        What is random, see `paired_differences`.
    overall : (str, list of str), optional
        Heading of a first table over all groups, and what is random there.

    Returns
    -------
    folder : pathlib.Path
    """
    best = {measure: at_best(frame, chosen_by or by, measure) for measure in BEST}
    summary = _compare(best, by, unit)
    tables = {}
    if overall:
        heading, units = overall
        together = {measure: rows.assign(all=0) for measure, rows in best.items()}
        mean = _compare(together, ["all"], units)
        tables[heading] = _table(mean)
    groups = {_heading(by, place): group for place, group in summary.groupby(by, sort=False)}
    tables["At the best rate"] = {heading: _table(group) for heading, group in groups.items()}
    curves = frame.groupby([*by, "method", "rate"], sort=False, dropna=False)
    curves = curves[[*BEST, "seconds"]].mean().reset_index()
    tables["At every rate"] = {
        _heading(by, place): _curve_table(group) for place, group in curves.groupby(by, sort=False)
    }
    times = "CPU seconds of one fit on one thread" if device() == "cpu" else "seconds of one fit"
    folder = publish(
        summary,
        name,
        args,
        caption=f"{caption} {DIFFERENCES} Time: {times}; of the sweep, for all its rates.",
        tables=tables,
        packages=packages(),
    )
    write_csv(curves, folder / "curves.csv")
    draw_curves(curves, summary, by, folder / "figure.png")
    if overall:
        draw_times(mean, folder / "seconds.png")
    return folder


def _heading(by, place):
    return ", ".join(f"{name} {value}" for name, value in zip(by, place))


def _compare(best, by, unit):
    """Means of methods, differences of α-LoRA, and rates; times are those of best accuracy."""
    found = None
    for measure, rows in best.items():
        measures = [measure] if found is not None else [measure, "seconds"]
        part = paired_differences(rows, by, unit=unit, baseline=ALPHA_LORA, measures=measures)
        # What is found is the row's difference from α-LoRA, which is shown with the other sign.
        ends = [part.pop(f"{measure}_{end}") for end in ("difference", "high", "low")]
        part = part.drop(columns=[c for c in part if c.startswith("seconds_")])
        for end, values in zip(("alpha_less", "alpha_less_low", "alpha_less_high"), ends):
            part[f"{measure}_{end}"] = -values
        rates = rows.groupby([*by, "method"], sort=False).rate.agg(_listed)
        part = part.merge(rates.rename(f"{measure}_rate").reset_index(), on=[*by, "method"])
        found = part if found is None else found.merge(part, on=[*by, "method"])
    return found


def _listed(rates):
    return " ".join(f"{rate:g}" for rate in sorted({*rates.dropna()}))


def _table(group):
    group = group.sort_values("accuracy", kind="stable")
    rows = [row for _, row in group.iterrows()]
    return pd.DataFrame(
        {
            "method": group.method,
            "accuracy, %": [number(100 * value) for value in group.accuracy],
            "its rate": group.accuracy_rate,
            "α-LoRA less it, points": [_difference(row, "accuracy", unit=100) for row in rows],
            "log loss": [number(value, ".3f") for value in group.log_loss],
            "its rate ": group.log_loss_rate,
            "α-LoRA less it": [_difference(row, "log_loss", digits=3) for row in rows],
            "fit, s": [number(seconds, ".2f") for seconds in group.seconds],
        }
    )


def _difference(row, measure, **form):
    if row.method == ALPHA_LORA:
        return ""
    return interval(*(row[f"{measure}_alpha_less{end}"] for end in ("", "_low", "_high")), **form)


def _curve_table(group):
    swept = group[group.rate.notna()]
    values = [f"{100 * row.accuracy:.1f}, {row.log_loss:.3f}" for _, row in swept.iterrows()]
    wide = swept.assign(value=values).pivot(index="method", columns="rate", values="value")
    wide = wide.reindex(swept.method.unique()).fillna("")
    wide["sweep, s"] = [number(s, ".2f") for s in swept.groupby("method", sort=False).seconds.sum()]
    wide.columns = [c if isinstance(c, str) else f"{c:g}" for c in wide.columns]
    return wide.reset_index()


def draw_curves(curves, summary, by, path):
    """Accuracy along the rates, a panel for each group; a star marks the best rate."""
    groups = list(curves.groupby(by, sort=False))
    n_columns = min(3, len(groups))
    n_rows = -(-len(groups) // n_columns)
    size = (2.4 + 2.6 * n_columns, 1.4 + 2.6 * n_rows)
    figure, axes = subplots(n_rows, n_columns, figsize=size, squeeze=False)
    methods = curves[curves.rate.notna()].method.unique()
    others = [method for method in methods if method != ALPHA_LORA]
    colours = dict(zip(others, cycle(MANY))) | {ALPHA_LORA: RED}
    for ax, (place, group) in zip(axes.flat, groups):
        own = summary[(summary[by] == list(place)).all(axis=1)].set_index("method")
        for method, curve in group[group.rate.notna()].groupby("method", sort=False):
            curve = curve.sort_values("rate")
            ax.plot(curve.rate, 100 * curve.accuracy, ".-", color=colours[method], label=method)
            for rate in map(float, own.accuracy_rate[method].split()):
                at = 100 * curve.accuracy[curve.rate == rate]
                ax.plot([rate], at, "*", color=colours[method], markersize=11)
        for style, (_, row) in zip((":", "--", "-."), group[group.rate.isna()].iterrows()):
            ax.axhline(100 * row.accuracy, color="0.4", linestyle=style, label=row.method)
        ax.set_xscale("log")
        ax.set_title(_heading(by, place), fontsize="small")
    for ax in axes.flat[len(groups) :]:
        ax.set_visible(False)
    for ax in axes[-1]:
        ax.set_xlabel("learning rate")
    for row in axes:
        row[0].set_ylabel("accuracy, %")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=4, fontsize="small")
    return save(figure, path)


def draw_times(mean, path):
    """Accuracy of every method at its best rate against the time of a fit."""
    figure, ax = subplots(figsize=(6.4, 4.2))
    timed = mean[mean.seconds.notna()]
    ax.plot(timed.seconds, 100 * timed.accuracy, "o", color=BLUE)
    for style, (_, row) in zip((":", "--"), mean[mean.seconds.isna()].iterrows()):
        ax.axhline(100 * row.accuracy, color="0.4", linestyle=style, label=row.method)
    ax.margins(x=0.25, y=0.1)
    ax.set(xscale="log", xlabel="seconds of a fit", ylabel="accuracy, %")
    ax.legend(fontsize="small", loc="lower right")
    label_points(ax, timed.seconds, 100 * timed.accuracy, timed.method)
    return save(figure, path)
