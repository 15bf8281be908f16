"""How late a phase forms, against a phase that relaxes towards the lever rule."""

import math

import numpy as np
import pytest

from intercalate.reduction.electrochemistry import formation_lag

CURRENT_A, NOISE = 1e-3, 0.03
EXPECTED_AH = (2e-3, 4e-3)


def forming(seed, delay_s, *, shift_ah=0.0, frames=60):
    """Frames of a phase whose share follows the lever rule with a time constant."""
    generator = np.random.default_rng(seed)
    time = np.linspace(0, 21_600, 216_001)
    charge = CURRENT_A * time / 3600
    goal = np.clip((charge - EXPECTED_AH[0] - shift_ah) / (EXPECTED_AH[1] - EXPECTED_AH[0]), 0, 1)
    share, now, step = np.empty_like(goal), 0.0, time[1]
    for index, value in enumerate(goal):
        now += (value - now) * (step / delay_s if delay_s else 1.0)
        share[index] = now
    at = np.linspace(60, 21_500, frames)
    seen = np.interp(at, time, share) + NOISE * generator.standard_normal(frames)
    return CURRENT_A * at / 3600, seen, np.full(frames, NOISE)


@pytest.mark.parametrize("delay_s", [0.0, 300.0])
def test_a_lag_is_found_within_its_error(delay_s):
    scores = []
    for seed in range(40):
        shift_ah = 1e-5 * np.random.default_rng([seed, 7]).standard_normal()
        found = formation_lag(
            *forming(seed, delay_s, shift_ah=shift_ah),
            expected_ah=EXPECTED_AH,
            expected_sigma_ah=1e-5,
            current_a=CURRENT_A,
        )
        scores.append((found.time_s.value - delay_s) / found.time_s.sigma)
        assert found.charge_ah.value == pytest.approx(found.time_s.value * CURRENT_A / 3600)
        assert found.reduced_chi2 < 2
    assert 0.5 <= np.mean(np.abs(scores) < 1) <= 0.85
    assert abs(np.mean(scores)) < 0.6


def test_no_frames_in_the_transition_give_no_lag():
    charge = np.linspace(0, 1e-4, 10)
    found = formation_lag(
        charge, np.zeros(10), np.full(10, NOISE), expected_ah=EXPECTED_AH, expected_sigma_ah=1e-5
    )
    assert math.isnan(found.charge_ah.value)
    few = formation_lag(charge[:2], charge[:2], np.ones(2), expected_ah=EXPECTED_AH, expected_sigma_ah=1e-5)
    assert math.isnan(few.charge_ah.value)
    assert math.isnan(few.time_s.value)


def test_what_cannot_be_is_refused():
    charge = np.linspace(0, 1e-3, 10)
    with pytest.raises(ValueError, match="after it begins"):
        formation_lag(charge, charge, charge + 1, expected_ah=(1, 1), expected_sigma_ah=0)
    with pytest.raises(ValueError, match="above 0"):
        formation_lag(charge, charge, 0 * charge, expected_ah=(0, 1), expected_sigma_ah=0)
