"""The bootstrap interval of a mean of paired differences."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from benchmarks._statistics import paired_interval


@pytest.mark.parametrize("n_draws", [10, 20])
@pytest.mark.parametrize("draw", ["normal", "laplace", "uniform"])
def test_coverage(draw, n_draws):
    rng = np.random.default_rng(0)
    samples = getattr(rng, draw)(size=(1000, n_draws))
    centre = 0.5 if draw == "uniform" else 0.0
    intervals = [paired_interval(x, n_resamples=1000) for x in samples]
    covered = np.mean([low <= centre <= high for _, low, high in intervals])
    # Three standard errors, and what resampling loses beside Student's interval.
    assert 0.95 - 0.03 < covered < 0.95 + 0.02


@pytest.mark.parametrize("n_draws", [2, 3, 7])
def test_few_draws_have_students_interval(n_draws):
    x = np.random.default_rng(0).normal(size=n_draws)
    expected = ttest_1samp(x, 0).confidence_interval(0.95)
    np.testing.assert_allclose(paired_interval(x), [x.mean(), *expected])


def test_interval_moves_and_scales_with_the_data():
    x = np.random.default_rng(0).normal(size=20)
    interval = np.array(paired_interval(x))
    np.testing.assert_allclose(paired_interval(3 + 2 * x), 3 + 2 * interval)
    np.testing.assert_allclose(paired_interval(-x), -interval[[0, 2, 1]], atol=1e-12)


def test_equal_differences_have_no_width():
    assert paired_interval(np.full(5, 0.25)) == (0.25, 0.25, 0.25)


def test_one_draw_has_no_interval():
    mean, low, high = paired_interval([0.5])
    assert mean == 0.5
    assert np.isnan([low, high]).all()
