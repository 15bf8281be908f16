"""Amounts of crystals by their structures: what is there, limits of what is not, and when nothing is said."""

import numpy as np
import pytest
from scipy.stats import gamma

from intercalate.materials.crystals import crystal, powder_lines
from intercalate.reduction.crystal_amounts import crystal_amounts, sulfur_crystals
from intercalate.reduction.integration import Pattern
from intercalate.reduction.phases import foil, lithium, separator

WAVELENGTH = 0.496
TWO_THETA = np.arange(4.0, 17.0, 0.008)
OTHERS = [foil("Al"), lithium(), separator()]


def lines_of(key: str, sigma_deg: float, more_displaced: float = 0.0) -> np.ndarray:
    """Pattern of a mol of atoms of sulfur in a crystal, by its own arithmetic."""
    found, atoms = crystal(key), {"S8": 128.0, "Li2S": 4.0}[key]
    lines = powder_lines(found, 1.0, least_d_angstrom=1.6)
    theta = np.arcsin(WAVELENGTH / 2 / lines.d_angstrom)
    power = lines.strength / float(found.volume_at(1.0)) / atoms / (np.sin(theta) * np.sin(2 * theta))
    b = {"S8": 3.0, "Li2S": 1.3}[key] + more_displaced
    power = power * np.exp(-b / (2 * lines.d_angstrom**2))
    away = TWO_THETA[:, None] - np.degrees(2 * theta)
    profile = np.exp(-((away / sigma_deg) ** 2) / 2) / (sigma_deg * np.sqrt(2 * np.pi))
    return 0.01 * profile @ power


def pattern(sulfur: float, sulfide: float, seed: int) -> Pattern:
    smooth = 40.0 + 10.0 * np.exp(-(((TWO_THETA - 7.0) / 3.0) ** 2))
    away = TWO_THETA - np.degrees(2 * np.arcsin(WAVELENGTH / 2 / (4.0495 / np.sqrt(3))))
    aluminium = 60.0 * np.exp(-((away / 0.02) ** 2) / 2)
    expected = smooth + aluminium + sulfur * lines_of("S8", 0.02) + sulfide * lines_of("Li2S", 0.06)
    sigma = 0.1 * np.sqrt(expected)
    noise = sigma * np.random.default_rng(seed).standard_normal(expected.size)
    return Pattern(TWO_THETA, expected + noise, sigma, WAVELENGTH, 300.0)


COURSE = [(1.0, 0.0), (0.7, 0.0), (0.3, 0.0), (0.0, 0.02), (0.0, 0.2), (0.0, 0.4)]


@pytest.fixture(scope="module")
def found():
    patterns = [pattern(*amounts, number) for number, amounts in enumerate(COURSE)]
    return crystal_amounts(patterns, sulfur_crystals(0.0), OTHERS)


@pytest.mark.parametrize(("key", "which"), [("S8", 0), ("Li2S", 1)])
def test_amounts_are_parts_of_the_first_sulfur(found, key, which):
    true = np.array([amounts[which] for amounts in COURSE])
    value, stat, sys = (found[f"amount.{key}{end}"].values for end in ("", "_sigma_stat", "_sigma_sys"))
    assert found["converged"].values.all()
    assert np.all(np.abs(value - true) < 4.0 * np.hypot(stat, sys))
    assert value == pytest.approx(true, abs=0.03)


def test_what_is_absent_has_a_limit_and_no_presence(found):
    assert found["present_S8"].values.tolist() == [True, True, True, False, False, False]
    assert not found["present_Li2S"].values[:3].any()
    assert found["present_Li2S"].values[-1]
    limit = found["limit.S8"].values
    assert np.isnan(limit[:3]).all()
    assert np.all((limit[3:] > 0.0) & (limit[3:] < 0.05))


def test_a_frame_without_a_pattern_is_a_gap_with_its_reason():
    patterns = [pattern(1.0, 0.0, 1), "no beam: I0 is below its limit", pattern(0.5, 0.1, 2)]
    found = crystal_amounts(patterns, sulfur_crystals(0.0), OTHERS)
    assert np.isnan(found["amount.S8"].values[1])
    assert not found["converged"].values[1]
    assert found["message"].values[1] == "no beam: I0 is below its limit"
    assert found["amount.S8"].values[2] == pytest.approx(0.5, abs=0.05)


def test_without_sulfur_in_the_first_pattern_nothing_is_measured_in_parts_of_it():
    found = crystal_amounts([pattern(0.0, 0.3, 1), pattern(0.0, 0.3, 2)], sulfur_crystals(0.0), OTHERS)
    assert np.isnan(found["amount.Li2S"].values).all()
    assert "S8 does not stand out in the first pattern" in found["message"].values[0]


def test_an_unknown_phase_is_not_taken_for_an_amount():
    one = pattern(1.0, 0.0, 1)
    away = TWO_THETA - 10.7
    strange = Pattern(
        TWO_THETA, one.intensity + 3000.0 * np.exp(-((away / 0.02) ** 2) / 2), one.sigma, WAVELENGTH, 300.0
    )
    found = crystal_amounts([one, strange], sulfur_crystals(0.0), OTHERS)
    assert found["converged"].values.tolist() == [True, False]
    assert np.isnan(found["amount.S8"].values[1])
    assert "a phase is missing" in found["message"].values[1]


def test_a_series_without_patterns_is_an_error():
    with pytest.raises(ValueError, match="the series holds no pattern: no beam"):
        crystal_amounts(["no beam"], sulfur_crystals(0.0), OTHERS)


def test_the_noise_of_the_pattern_that_amounts_are_parts_of_is_in_their_errors():
    crystals, courses = sulfur_crystals(0.0), []
    for number in range(12):
        patterns = [pattern(1.0, 0.0, 10 + 2 * number), pattern(0.0, 2.0, 11 + 2 * number)]
        courses.append(crystal_amounts(patterns, crystals, OTHERS))
    value = np.array([float(one["amount.Li2S"][1]) for one in courses])
    stat = np.array([float(one["amount.Li2S_sigma_stat"][1]) for one in courses])
    unit = np.array([float(one["amount.S8_sigma_stat"][0]) for one in courses])
    assert np.all(stat > value * unit / 2.0)
    assert 0.5 < value.std(ddof=1) / np.median(stat) < 1.6


def misfitting(sulfur: float, sulfide: float, seed: int, aluminium: float) -> Pattern:
    """With lines of sulfur and of the foil that have shoulders, which no fitted profile has."""
    one = pattern(sulfur, sulfide, seed)
    narrow = np.roll(lines_of("S8", 0.01), 6)
    away = TWO_THETA - np.degrees(2 * np.arcsin(WAVELENGTH / 2 / (4.0495 / np.sqrt(3)))) - 0.06
    shoulder = 0.2 * sulfur * narrow + aluminium * np.exp(-((away / 0.015) ** 2) / 2)
    return Pattern(TWO_THETA, one.intensity + shoulder, one.sigma, WAVELENGTH, 300.0)


def test_what_does_not_fit_in_any_pattern_is_not_an_error_of_their_ratio():
    crystals = sulfur_crystals(0.0)
    fits, misfits = (
        crystal_amounts([make(1.0, 0.0, 1), make(0.6, 0.1, 2), make(0.0, 0.1, 3)], crystals, OTHERS)
        for make in (pattern, lambda *of: misfitting(*of, aluminium=20.0))
    )
    assert misfits["reduced_chi2"].values[1] > 2.0 * fits["reduced_chi2"].values[1]
    value, stat, sys = (misfits[f"amount.S8{end}"].values[1] for end in ("", "_sigma_stat", "_sigma_sys"))
    assert abs(value - 0.6) < 3.0 * np.hypot(stat, sys)
    assert sys < stat * np.sqrt(misfits["reduced_chi2"].values[1] - 1.0)


def test_a_misfit_that_comes_later_is_an_error():
    crystals = sulfur_crystals(0.0)
    series = [misfitting(1.0, 0.0, 1, 0.0), misfitting(0.6, 0.1, 2, 0.0)]
    strange = series[1].intensity + 0.15 * np.roll(lines_of("S8", 0.01), 12)
    later = [series[0], Pattern(TWO_THETA, strange, series[1].sigma, WAVELENGTH, 300.0)]
    alike, changed = (
        float(crystal_amounts(of, crystals, OTHERS)["amount.S8_sigma_sys"][1]) for of in (series, later)
    )
    assert changed > 2.0 * alike


def exactly(*parts: np.ndarray) -> Pattern:
    """Without noise."""
    expected = np.sum([np.full(TWO_THETA.size, 40.0), *parts], axis=0)
    return Pattern(TWO_THETA, expected, 0.1 * np.sqrt(expected), WAVELENGTH, 300.0)


def sulfur_of(*patterns: Pattern) -> tuple[np.ndarray, np.ndarray]:
    found = crystal_amounts(patterns, sulfur_crystals(0.0), OTHERS)
    return found["amount.S8"].values, found["amount.S8_sigma_stat"].values


def test_profiles_of_metals_do_not_move_sulfur_beside_their_lines():
    lithium_deg = np.degrees(2 * np.arcsin(WAVELENGTH / 2 * np.sqrt(2) / 3.51))
    few_grains = sum(
        height * np.exp(-(((TWO_THETA - lithium_deg - off) / 0.01) ** 2) / 2)
        for height, off in ((90.0, -0.05), (40.0, 0.0), (120.0, 0.03))
    )
    sulfur = lines_of("S8", 0.02)
    value, stat = sulfur_of(
        exactly(few_grains, sulfur), exactly(few_grains, 0.4 * sulfur), exactly(few_grains)
    )
    assert np.all(np.abs(value - [1.0, 0.4, 0.0]) < 0.1 * stat)


def test_sizes_of_what_grows_do_not_move_sulfur_under_its_lines():
    # Of a gamma distribution, by its quantiles; a width goes with one over the size.
    smaller = gamma(8.0).ppf((np.arange(20) + 0.5) / 20) / 8.0
    sizes = np.mean([lines_of("Li2S", 0.05 / size) for size in smaller], axis=0)
    sulfur = lines_of("S8", 0.02)
    series = [exactly(sulfur), exactly(0.4 * sulfur, 0.3 * sizes), exactly(0.8 * sizes)]
    value, stat = sulfur_of(*series)
    assert np.all(np.abs(value - [1.0, 0.4, 0.0]) < 0.2 * stat)
    grown = crystal_amounts(series, sulfur_crystals(0.0), OTHERS)["amount.Li2S"].values
    assert grown == pytest.approx([0.0, 0.3, 0.8], rel=0.03, abs=0.002)


def test_what_does_not_fit_of_sulfur_is_the_same_part_of_all_its_amounts():
    # Strong lines weigh less the more sulfur there is: with weights of its own each would find another part.
    displaced = lines_of("S8", 0.02, more_displaced=2.0)
    value, _ = sulfur_of(exactly(displaced), exactly(0.5 * displaced), exactly(0.05 * displaced))
    assert value == pytest.approx([1.0, 0.5, 0.05], abs=2e-4)
