"""Texts beside points cover nothing."""

import numpy as np
import pytest
from matplotlib.text import Text

from benchmarks._figures import label_points, subplots


@pytest.mark.parametrize("seed", range(5))
def test_texts_cover_no_point_line_legend_or_other_text(seed):
    rng = np.random.default_rng(seed)
    x, y = 10 ** rng.uniform(-1, 1, 9), rng.normal(75, 2, 9)
    x[1], y[1] = 1.02 * x[0], y[0] + 0.1  # as good as the same point
    texts = [f"a method of {'words ' * (k % 3)}{k}" for k in range(9)]
    figure, ax = subplots(figsize=(8, 5))
    ax.plot(x, y, "o")
    ax.axhline(74, label="a line")
    ax.set(xscale="log")
    ax.margins(x=0.3, y=0.4)
    ax.legend(loc="lower right")
    labels = label_points(ax, x, y, texts)
    assert [label.get_text() for label in labels] == texts
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    boxes = [Text.get_window_extent(label, renderer) for label in labels]
    legend = ax.get_legend().get_window_extent(renderer)
    points, area = ax.transData.transform(np.column_stack([x, y])), ax.get_window_extent()
    height = ax.transData.transform((1, 74))[1]
    for k, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in [legend, *boxes[:k]])
        assert not any(box.contains(*point) for point in points)
        assert not box.y0 <= height <= box.y1
        assert area.x0 <= box.x0 < box.x1 <= area.x1
        assert area.y0 <= box.y0 < box.y1 <= area.y1
