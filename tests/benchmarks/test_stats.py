"""The bootstrap interval of a mean of paired differences."""

import numpy as np
import pytest

from benchmarks._stats import paired_bootstrap


@pytest.mark.parametrize("draw", ["normal", "laplace", "uniform"])
def test_coverage(draw):
    rng = np.random.default_rng(0)
    samples = getattr(rng, draw)(size=(1000, 20))
    centre = 0.5 if draw == "uniform" else 0.0
    intervals = [paired_bootstrap(x, n_resamples=1000) for x in samples]
    covered = np.mean([low <= centre <= high for _, low, high in intervals])
    # Three standard errors, and what resampling loses beside Student's interval.
    assert 0.95 - 0.03 < covered < 0.95 + 0.02


def test_interval_moves_and_scales_with_the_data():
    x = np.random.default_rng(0).normal(size=20)
    interval = np.array(paired_bootstrap(x))
    np.testing.assert_allclose(paired_bootstrap(3 + 2 * x), 3 + 2 * interval)
    np.testing.assert_allclose(paired_bootstrap(-x), -interval[[0, 2, 1]], atol=1e-12)


def test_equal_differences_have_no_width():
    assert paired_bootstrap(np.full(5, 0.25)) == (0.25, 0.25, 0.25)


def test_one_draw_has_no_interval():
    mean, low, high = paired_bootstrap([0.5])
    assert mean == 0.5
    assert np.isnan([low, high]).all()
