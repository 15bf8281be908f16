import numpy as np
import pytest

from intercalate_sims.probes.monitors import DARK_PER_S, I0_PER_PHOTON, IT_PER_PHOTON, count_monitors


def test_counts_are_poisson_about_what_is_expected():
    generator = np.random.default_rng(2)
    drawn = [count_monitors(4e6, 0.5, 10.0, generator) for _ in range(4000)]
    for counts, per_photon, passed in (
        ([one.i0 for one in drawn], I0_PER_PHOTON, 1.0),
        ([one.it for one in drawn], IT_PER_PHOTON, 0.5),
    ):
        mean = 4e6 * passed * per_photon + 10 * DARK_PER_S
        assert np.mean(counts) == pytest.approx(mean, abs=5 * np.sqrt(mean / 4000))
        assert np.var(counts) == pytest.approx(mean, rel=0.12)


def test_the_chambers_are_independent():
    generator = np.random.default_rng(3)
    drawn = [count_monitors(4e6, 0.5, 10.0, generator) for _ in range(4000)]
    assert abs(np.corrcoef([one.i0 for one in drawn], [one.it for one in drawn])[0, 1]) < 5 / np.sqrt(4000)


def test_without_beam_there_is_only_the_dark_current():
    counts = count_monitors(0.0, 0.5, 100.0, np.random.default_rng(1))
    assert counts.i0_expected == counts.it_expected == 100 * DARK_PER_S
    assert 0 < counts.i0 < 200 * DARK_PER_S


def test_at_full_beam_i0_is_near_a_million_per_second():
    counts = count_monitors(4e9, 1.0, 1.0, np.random.default_rng(1))
    assert 5e5 < counts.i0 < 2e6
