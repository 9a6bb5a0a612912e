"""Methods at several learning rates: each at its own best, and all along the rates.

For a method and a group of draws the best rate is the one of least mean `choice_loss`, the log loss
on rows that are not scored there. The gain of α-LoRA over a method is its difference from it on the
same draws, each at its best rate.
"""

import numpy as np
import pandas as pd

from benchmarks._figures import BLACK, BLUE, GREEN, ORANGE, RED, save, subplots
from benchmarks._names import ALPHA_LORA
from benchmarks._results import publish, write_csv
from benchmarks._statistics import FEW, paired_differences
from benchmarks._tables import interval, number
from benchmarks.networks._training import device, packages

MEASURES = ["accuracy", "log_loss", "seconds"]
COLUMNS = ["method", "rate", *MEASURES, "alpha_moved", "choice_loss"]
GAIN = (
    f"The gain is that of “{ALPHA_LORA}” over the method of the row on the same draws, with its "
    f"95 % interval (bootstrap; Student's for fewer than {FEW} draws). α-LoRA is better if it is "
    "above 0 in accuracy, and below 0 in log loss."
)
_COLOURS = [BLUE, ORANGE, GREEN, RED, BLACK, "#CC79A7", "#56B4E9", "#8B4513", "0.6"]


def at_best(frame, by):
    """The rows of each method at its best rate, and those of methods without a rate.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns `method`, `rate` (missing if there is none), `choice_loss` and those of `by`.
    by : list of str
        A rate is chosen for each of these groups.
    """
    groups = [*by, "method"]
    swept = frame[frame.rate.notna()]
    mean = swept.groupby([*groups, "rate"], sort=False).choice_loss.mean()
    best = mean.groupby(groups, sort=False).idxmin().map(lambda place: place[-1])
    chosen = swept.merge(best.rename("best").reset_index(), on=groups)
    chosen = chosen[chosen.rate == chosen.best].drop(columns="best")
    return pd.concat([frame[frame.rate.isna()], chosen], ignore_index=True)


def by_other_groups(frame, group):
    """The frame with `choice_loss`, the mean log loss of the same method and rate elsewhere."""
    of_group = frame.groupby(["method", "rate", group]).log_loss.mean().reset_index()
    losses = [
        of_group[of_group[group] != own].groupby(["method", "rate"]).log_loss.mean().rename(own)
        for own in frame[group].unique()
    ]
    table = pd.concat(losses, axis=1).stack().rename("choice_loss")
    table.index.names = ["method", "rate", group]
    return frame.drop(columns="choice_loss", errors="ignore").merge(
        table.reset_index(), on=["method", "rate", group], how="left"
    )


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
    best = at_best(frame, chosen_by or by)
    summary = _compare(best, by, unit)
    tables = {}
    if overall:
        heading, units = overall
        mean = _compare(best.assign(all=0), ["all"], units)
        tables[heading] = _table(mean)
    groups = {_heading(by, place): group for place, group in summary.groupby(by, sort=False)}
    tables["At the best rate"] = {heading: _table(group) for heading, group in groups.items()}
    curves = frame.groupby([*by, "method", "rate"], sort=False, dropna=False)
    curves = curves[MEASURES].mean().reset_index()
    tables["At every rate"] = {
        _heading(by, place): _curve_table(group) for place, group in curves.groupby(by, sort=False)
    }
    times = "CPU seconds of one fit on one thread" if device() == "cpu" else "seconds of one fit"
    folder = publish(
        summary,
        name,
        args,
        caption=f"{caption} {GAIN} Time: {times}; of the sweep, for all its rates.",
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
    found = paired_differences(best, by, unit=unit, baseline=ALPHA_LORA, measures=MEASURES)
    for measure in ("accuracy", "log_loss"):
        # What is found is the row's difference from α-LoRA; the gain has the other sign.
        names = [f"{measure}_{end}" for end in ("difference", "low", "high")]
        gain, high, low = (-found.pop(name) for name in names)
        found = found.assign(
            **{f"{measure}_gain": gain, f"{measure}_gain_low": low, f"{measure}_gain_high": high}
        )
    found = found.drop(columns=[c for c in found if c.startswith("seconds_")])
    groups = best.groupby([*by, "method"], sort=False)
    rates = groups.rate.agg(lambda rates: " ".join(f"{r:g}" for r in sorted({*rates.dropna()})))
    return found.merge(rates.reset_index(), on=[*by, "method"])


def _table(group):
    group = group.sort_values("accuracy", kind="stable")
    rows = [row for _, row in group.iterrows()]
    return pd.DataFrame(
        {
            "method": group.method,
            "rate": group.rate,
            "accuracy, %": [number(100 * value) for value in group.accuracy],
            "gain, points": [_gain(row, "accuracy", unit=100) for row in rows],
            "log loss": [number(value, ".3f") for value in group.log_loss],
            "gain": [_gain(row, "log_loss", digits=3) for row in rows],
            "fit, s": [number(seconds, ".2f") for seconds in group.seconds],
        }
    )


def _gain(row, measure, **form):
    if row.method == ALPHA_LORA:
        return ""
    return interval(*(row[f"{measure}_gain{end}"] for end in ("", "_low", "_high")), **form)


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
    n_columns = min(4, len(groups))
    n_rows = -(-len(groups) // n_columns)
    size = (2 + 2.6 * n_columns, 1.2 + 2.6 * n_rows)
    figure, axes = subplots(n_rows, n_columns, figsize=size, squeeze=False)
    methods = curves[curves.rate.notna()].method.unique()
    colours = dict(zip(methods, np.resize(np.array(_COLOURS, dtype=object), len(methods))))
    for ax, (place, group) in zip(axes.flat, groups):
        own = summary[(summary[by] == list(place)).all(axis=1)].set_index("method")
        for method, curve in group[group.rate.notna()].groupby("method", sort=False):
            curve = curve.sort_values("rate")
            ax.plot(curve.rate, 100 * curve.accuracy, ".-", color=colours[method], label=method)
            for rate in map(float, own.rate[method].split()):
                at = 100 * curve.accuracy[curve.rate == rate]
                ax.plot([rate], at, "*", color=colours[method], markersize=11)
        for style, (_, row) in zip((":", "--", "-."), group[group.rate.isna()].iterrows()):
            ax.axhline(100 * row.accuracy, color="0.4", linestyle=style, label=row.method)
        ax.set_xscale("log")
        ax.set_title(", ".join(map(str, place)), fontsize="medium")
    for ax in axes.flat[len(groups) :]:
        ax.set_visible(False)
    figure.supxlabel("learning rate")
    figure.supylabel("accuracy, %")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=4, fontsize="small")
    return save(figure, path)


def draw_times(mean, path):
    """Accuracy of every method at its best rate against the time of a fit."""
    figure, ax = subplots(figsize=(6.4, 4.2))
    timed = mean[mean.seconds.notna()]
    ax.plot(timed.seconds, 100 * timed.accuracy, "o", color=BLUE)
    for _, row in timed.iterrows():
        place = (row.seconds, 100 * row.accuracy)
        ax.annotate(row.method, place, xytext=(4, 3), textcoords="offset points", fontsize="small")
    for style, (_, row) in zip((":", "--"), mean[mean.seconds.isna()].iterrows()):
        ax.axhline(100 * row.accuracy, color="0.4", linestyle=style, label=row.method)
    ax.set(xscale="log", xlabel="seconds of a fit", ylabel="accuracy, %")
    ax.legend(fontsize="small")
    return save(figure, path)
