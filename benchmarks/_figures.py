"""What the figures have in common."""

import numpy as np

# Okabe and Ito's palette, which the colour-blind can tell apart.
BLACK, ORANGE, BLUE, GREEN, RED = "#000000", "#E69F00", "#0072B2", "#009E73", "#D55E00"
# For many lines; red is for ours.
MANY = [
    BLUE,
    ORANGE,
    GREEN,
    BLACK,
    "#CC79A7",
    "#56B4E9",
    "#8B4513",
    "0.6",
    "#F0E442",
    "0.3",
    "#9ACD32",
]
ACROSS = {"left": 0.0, "center": 0.5, "right": 1.0}  # alignments, as shares of the width


def subplots(*args, **options):
    """Figure and axes of matplotlib's Agg backend: no display, no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=options.pop("figsize"), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(*args, **options)
    for ax in getattr(axes, "flat", [axes]):
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color="0.92", linewidth=0.8)
        ax.set_axisbelow(True)
    return figure, axes


def label_points(ax, x, y, texts, *, size="small"):
    """Write a text beside each point: the nearest place that covers no point, line or other text.

    Call it last: texts are placed in the axes as they are then. A text that is further away has a
    thin line to its point.

    Parameters
    ----------
    ax : matplotlib Axes
    x, y : sequence of float
        Points, in the units of the data.
    texts : sequence of str
    size : str or float, default="small"
        Of the font.

    Returns
    -------
    labels : list of matplotlib Annotation
    """
    figure = ax.figure
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # texts are to stay where they were measured
    renderer, axes = figure.canvas.get_renderer(), ax.get_window_extent()
    points = ax.transData.transform(list(zip(x, y)))
    taken = [_box_around(point, 6) for point in points]
    if ax.get_legend() is not None:
        taken.append(ax.get_legend().get_window_extent(renderer))
    drawn = [line for line in ax.get_lines() if line.get_linestyle() not in ("None", " ", "")]
    lines = [line.get_window_extent(renderer).padded(1) for line in drawn]
    labels = []
    for own, place, text in zip(points, zip(x, y), texts, strict=True):
        options = {"textcoords": "offset points", "va": "center", "fontsize": size}
        probe = ax.annotate(text, place, xytext=(0, 0), **options)
        for shift, side in _offsets():
            probe.set(position=shift, ha=side)
            box = probe.get_window_extent(renderer).padded(1)
            inside = axes.x0 <= box.x0 and box.x1 <= axes.x1
            inside = inside and axes.y0 <= box.y0 and box.y1 <= axes.y1
            across, height = ACROSS[side], np.clip((own[1] - box.y0) / box.height, 0, 1)
            end = box.p0 + box.size * (across, height)  # of the line from the point to the text
            way = [_box_around(own + t * (end - own), 1) for t in np.linspace(0, 1, 20)]
            others = [one for one in taken if not one.contains(*own)]
            free = not any(box.overlaps(other) for other in taken + lines)
            if inside and free and not any(a.overlaps(b) for a in way for b in others):
                break
        probe.remove()
        if np.abs(shift).sum() > 16:
            line = {"arrowstyle": "-", "color": "0.4", "linewidth": 0.6, "shrinkB": 3}
            options["arrowprops"] = line | {"relpos": (across, height)}
        labels.append(ax.annotate(text, place, xytext=shift, ha=side, **options))
        taken.append(box)
    return labels


def _box_around(point, half):
    """The square of this half width around a point, in pixels."""
    from matplotlib.transforms import Bbox

    return Bbox([point - half, point + half])


def _offsets():
    """Places for a text around its point, in points, near ones first and flat ones before steep."""
    for distance in (7, 12, 18, 25, 33, 42, 52, 64, 78):
        for angle in np.radians([0, 180, 30, -30, 150, -150, 60, -60, 120, -120, 90, -90]):
            dx, dy = distance * np.cos(angle), distance * np.sin(angle)
            yield (dx, dy), "center" if abs(dx) < 1 else "left" if dx > 0 else "right"


def save(figure, path):
    """Write a PNG of 150 dots per inch, without the version and date that would change it."""
    figure.savefig(path, dpi=150, metadata={"Software": None})
    return path
