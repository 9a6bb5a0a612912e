"""What the figures have in common."""

# Okabe and Ito's palette, which the colour-blind can tell apart.
BLACK, ORANGE, BLUE, GREEN, RED = "#000000", "#E69F00", "#0072B2", "#009E73", "#D55E00"


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


def save(figure, path):
    """Write a PNG of 150 dots per inch, without the version and date that would change it."""
    figure.savefig(path, dpi=150, metadata={"Software": None})
    return path
