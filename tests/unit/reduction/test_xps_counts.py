"""Counts of an electron analyser are checked before anything is made of them."""

import numpy as np
import pytest

from intercalate.reduction.xps import AnalyserOnPaper, XpsError, counted

ENERGY = np.arange(280.0, 296.0, 0.1)
ANALYSER = AnalyserOnPaper(dead_time_s=1e-7)


def region(energy=ENERGY, counts=None, **changed):
    given = {"seconds": 1.0, "pass_energy_ev": 20.0, "analyser": ANALYSER} | changed
    return counted("C 1s", energy, np.full(energy.shape, 400.0) if counts is None else counts, **given)


def test_a_falling_axis_is_turned():
    counts = np.linspace(100.0, 200.0, ENERGY.size)
    found = region(ENERGY[::-1], counts)
    np.testing.assert_allclose(found.binding_ev, ENERGY)
    assert found.counts[-1] == pytest.approx(100.0, rel=1e-4)


def test_dead_time_is_made_up_for():
    """A counter that is dead for tau after each count sees n / (1 + n tau)."""
    true = np.full(ENERGY.size, 1e6)
    found = region(counts=true / (1 + true * 1e-7))
    np.testing.assert_allclose(found.counts, true)
    scatter = np.random.default_rng(1).poisson(true / (1 + true * 1e-7), (2000, ENERGY.size))
    spread = np.std(scatter / (1 - scatter * 1e-7))
    assert found.sigma.mean() == pytest.approx(spread, rel=0.02)
    assert found.expected_sigma(true).mean() == pytest.approx(spread, rel=0.02)


def test_points_at_which_the_counter_is_dead_are_not_used():
    counts = np.full(ENERGY.size, 400.0)
    counts[20:25] = 5e6
    assert (~region(counts=counts).used).nonzero()[0].tolist() == [20, 21, 22, 23, 24]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"counts": np.zeros(ENERGY.size)}, "nothing was counted"),
        ({"counts": np.where(ENERGY > 290, np.nan, 5.0)}, r"60 counts .* nan at 290"),
        ({"counts": np.where(ENERGY > 290, -1.0, 5.0)}, "negative"),
        ({"counts": np.full(ENERGY.size, 9e6)}, "100% of the points the counter was dead"),
        ({"counts": np.ones(5)}, r"\(160,\) and counts \(5,\)"),
        ({"energy": ENERGY[:5]}, "5 points; 12"),
        ({"energy": np.sort(np.append(ENERGY, ENERGY[50]))}, "neither rise nor fall"),
        ({"energy": np.where(ENERGY > 290, np.nan, ENERGY)}, "neither rise nor fall"),
        ({"seconds": 0.0}, "counting time is 0"),
        ({"pass_energy_ev": float("nan")}, "pass energy is nan"),
    ],
)
def test_what_is_no_spectrum_is_refused(changed, message):
    with pytest.raises(XpsError, match=message):
        region(**changed)
