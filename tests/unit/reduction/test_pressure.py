"""Pressure by a marker, and equations of state: errors that are claims, and data that no law fits."""

from dataclasses import replace

import numpy as np
import pytest

from intercalate.reduction.pressure import (
    AXES,
    compressed,
    pressed_phases,
    pressures,
    volumes,
)
from pressed_lengths import GOLD, GPA, LAW, SHARES, made


def test_exact_lengths_give_the_law_back() -> None:
    lengths, gpa = made()
    found = compressed(lengths, GOLD)
    assert found.modulus_gpa.value == pytest.approx(130.0, abs=0.01)
    assert found.slope.value == pytest.approx(4.2, abs=0.01)
    assert found.volume_angstrom3.value == pytest.approx(LAW.volume_angstrom3, rel=1e-5)
    for share, axis in zip(SHARES, AXES):
        assert found.compressibility[axis].value == pytest.approx(share / 130.0, rel=0.01)
    assert found.excess["a", "b"].value == pytest.approx((0.413 - 0.237) / 130.0, rel=0.02)
    assert [one.value for one in pressures(lengths, GOLD)] == pytest.approx(gpa.tolist(), abs=1e-6)
    assert volumes(lengths, GOLD)[0].value == pytest.approx(LAW.volume_angstrom3)


@pytest.fixture(scope="module")
def realisations() -> list:
    """With errors of both kinds, as large as they are declared."""
    found = []
    for seed in range(60):
        lengths, gpa = made(seed, systematic=True)
        found.append((lengths, gpa, compressed(lengths, GOLD)))
    return found


def test_errors_are_covered_as_often_as_they_claim(realisations) -> None:
    truth = {"modulus_gpa": 130.0, "slope": 4.2, "volume_angstrom3": LAW.volume_angstrom3}
    for name, value in truth.items():
        pulls = np.array(
            [(getattr(one, name).value - value) / getattr(one, name).sigma for *_, one in realisations]
        )
        assert 0.5 < np.std(pulls) < 1.5, name
        assert np.mean(np.abs(pulls) < 2) > 0.85, name
    pulls = np.array(
        [
            (found.value - true) / found.sigma
            for lengths, gpa, _ in realisations
            for found, true in list(zip(pressures(lengths, GOLD), gpa))[3:]
        ]
    )
    assert np.mean(np.abs(pulls) < 2) > 0.85
    assert np.std(pulls) > 0.5


def test_what_errs_in_common_cancels_between_axes(realisations) -> None:
    for *_, found in realisations[:10]:
        alone = found.compressibility["a"].sigma
        assert found.excess["a", "c"].sigma < alone
        assert found.excess["a", "c"].value == -found.excess["c", "a"].value


def test_axes_that_give_way_alike_are_not_told_apart() -> None:
    pulls = []
    for seed in range(40):
        lengths, _ = made(seed, np.full(3, 1 / 3), systematic=True)
        found = compressed(lengths, GOLD)
        pulls += [found.excess[pair].value / found.excess[pair].sigma for pair in (("a", "c"), ("c", "b"))]
    assert np.mean(np.abs(pulls) > 3) <= 0.05


def test_a_step_of_the_volume_is_found_and_no_law_is_claimed_across_it() -> None:
    lengths, _ = made(1, step=0.03)
    found = compressed(lengths, GOLD)
    assert found.jump.value == pytest.approx(0.03, abs=0.003)
    assert np.isnan(found.modulus_gpa.value)
    assert made(1)[0].sample.shape == (12, 3)
    assert compressed(made(1)[0], GOLD).jump.value < 0.001


def test_too_few_pressures_are_undetermined_and_lost_frames_are_left_out() -> None:
    lengths, _ = made(2, gpa=GPA[:5])
    found = compressed(lengths, GOLD)
    assert np.isnan(found.modulus_gpa.value)
    assert np.isnan(found.jump.value)
    assert all(np.isnan(one.value) for one in found.compressibility.values())
    whole, _ = made(3)
    sample = whole.sample.copy()
    sample[4] = np.nan
    less = compressed(replace(whole, sample=sample), GOLD)
    assert less.modulus_gpa.value == pytest.approx(compressed(whole, GOLD).modulus_gpa.value, abs=1.5)
    assert np.isnan(volumes(replace(whole, sample=sample), GOLD)[4].value)


def test_phases_are_free_of_the_pressure_and_orthogonal() -> None:
    sample, marker = pressed_phases("LFP", GOLD)
    assert marker.reflections == ("111", "200")
    assert sample.low[0] < 0.92 * 10.329
    assert "200" in sample.reflections
    with pytest.raises(ValueError, match="hexagonal axes"):
        pressed_phases("NMC111", GOLD)
    with pytest.raises(ValueError, match="no crystal 'XYZ'"):
        pressed_phases("XYZ", GOLD)
