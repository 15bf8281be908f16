from dataclasses import replace

import numpy as np
import pytest

from intercalate.materials.equations_of_state import MARKERS
from intercalate.reduction import FitOptions, Systematics, fit, graphite, layered_oxide, lithiated_graphite
from intercalate.reduction.integration import Pattern
from intercalate.reduction.pressure import fit_options, pressed_phases

from .powder_samples import carbon_lines, oxide_lines, pattern_of

OXIDE = (2.8412, 14.3671)
CELL = [layered_oxide("NMC811"), graphite(), lithiated_graphite()]


def cell_pattern(a=OXIDE[0], c=OXIDE[1], poor=40.0, rich=30.0, seed=0):
    lines = oxide_lines(a, c)
    if poor:
        lines |= carbon_lines(2.4757, 3.525, poor)
    if rich:
        lines |= carbon_lines(2.4860, 3.700, rich)
    return pattern_of(lines, seed)


def test_cold_start_finds_the_lattice():
    result = fit(pattern_of(oxide_lines(*OXIDE)), [layered_oxide("NMC811")])
    assert result.converged, result.message
    for name, truth in zip(("NMC811.a", "NMC811.c"), OXIDE):
        estimate = result.parameters[name]
        assert abs(estimate.value - truth) < 3 * estimate.sigma
        assert estimate.sigma_stat < 3e-4


@pytest.mark.parametrize("c", [13.6, 14.05, 14.47])
@pytest.mark.parametrize("a", [2.815, 2.872])
def test_cold_start_finds_every_lattice_of_the_table(a, c):
    result = fit(pattern_of(oxide_lines(a, c)), [layered_oxide("NMC811")])
    assert result.converged, result.message
    assert result.parameters["NMC811.c"].value == pytest.approx(c, abs=2e-3)
    assert result.parameters["NMC811.a"].value == pytest.approx(a, abs=5e-4)


def test_two_stages_are_told_apart():
    result = fit(cell_pattern(), CELL)
    assert result.converged, result.message
    truths = {"graphite.d": 3.525, "graphite.a": 2.4757, "LiC6.d": 3.700, "LiC6.a": 2.4860}
    for name, truth in truths.items():
        estimate = result.parameters[name]
        assert abs(estimate.value - truth) < 3 * estimate.sigma, name


def test_absent_phase_is_said_to_be_absent_and_has_no_values():
    result = fit(cell_pattern(rich=0.0), CELL)
    assert result.converged
    assert result.present == {"NMC811": True, "graphite": True, "LiC6": False}
    assert np.isnan(result.parameters["LiC6.d"].value)
    assert np.isnan(result.parameters["LiC6.d"].sigma)


def test_warm_start_takes_fewer_iterations_and_ends_in_the_same_place():
    first = fit(cell_pattern(), CELL)
    pattern = cell_pattern(c=OXIDE[1] + 0.004, seed=1)
    cold, warm = fit(pattern, CELL), fit(pattern, CELL, start=first)
    assert warm.iterations < cold.iterations
    for name in ("NMC811.a", "NMC811.c", "graphite.d"):
        difference = warm.parameters[name].value - cold.parameters[name].value
        assert abs(difference) < 0.3 * cold.parameters[name].sigma_stat


def test_warm_start_from_another_state_does_not_stay_behind():
    first = fit(cell_pattern(c=14.20, a=2.870), CELL)
    result = fit(cell_pattern(c=14.46, a=2.825), CELL, start=first)
    assert result.converged
    assert result.parameters["NMC811.c"].value == pytest.approx(14.46, abs=2e-3)


def test_spread_over_realisations_is_sigma_stat():
    pulls = []
    result = None
    for seed in range(60):
        result = fit(pattern_of(oxide_lines(*OXIDE), seed), [layered_oxide("NMC811")], start=result)
        a, c = result.parameters["NMC811.a"], result.parameters["NMC811.c"]
        pulls.append([(a.value - OXIDE[0]) / a.sigma_stat, (c.value - OXIDE[1]) / c.sigma_stat])
    assert np.std(pulls, axis=0, ddof=1) == pytest.approx(1.0, abs=0.28)


def test_pattern_of_something_else_is_a_failed_fit():
    draw = np.random.default_rng(3)
    foreign = pattern_of(dict.fromkeys(draw.uniform(1.3, 5.0, 25), 80.0))
    result = fit(foreign, [layered_oxide("NMC811")])
    assert not result.converged
    assert "weighted residual" in result.message


def test_too_few_iterations_are_a_failed_fit():
    result = fit(cell_pattern(), CELL, FitOptions(max_iterations=1))
    assert not result.converged
    assert "not converged after 1" in result.message


def test_noise_alone_holds_no_phase():
    result = fit(pattern_of({}), CELL)
    assert not any(result.present.values())
    assert all(np.isnan(result.parameters[name].value) for name in ("NMC811.a", "graphite.d"))


def test_too_short_a_pattern_is_refused():
    with pytest.raises(ValueError, match="too few"):
        fit(cell_pattern().between(5.0, 5.5), CELL)


def test_systematic_error_follows_its_declaration():
    pattern = pattern_of(oxide_lines(*OXIDE), noise=False)
    nothing = Systematics(
        profile_fraction=0.0, distribution_fraction=0.0, zero_deg=0.0, wavelength=0.0, displacement_um=0.0
    )
    bare = layered_oxide("NMC811", depth_sigma_um=0.0)
    base = fit(pattern, [bare], FitOptions(systematics=nothing)).parameters["NMC811.c"].sigma_sys
    by_wavelength = replace(nothing, wavelength=1e-3)
    sigma = fit(pattern, [bare], FitOptions(systematics=by_wavelength)).parameters["NMC811.c"].sigma_sys
    assert np.sqrt(sigma**2 - base**2) == pytest.approx(1e-3 * OXIDE[1], rel=0.02)


def test_wrong_wavelength_shifts_the_lattice_as_declared():
    pattern = pattern_of(oxide_lines(*OXIDE), noise=False)
    shifted = replace(pattern, wavelength_angstrom=pattern.wavelength_angstrom * 1.001)
    right, wrong = (
        fit(one, [layered_oxide("NMC811")]).parameters["NMC811.c"].value for one in (pattern, shifted)
    )
    assert wrong / right == pytest.approx(1.001, abs=1e-5)


def test_a_lattice_that_was_compressed_is_looked_for_from_where_it_was():
    """Lines have moved by two widths: moves find them, and a fit without says that it has failed."""
    marker = MARKERS["Au"]
    phases = pressed_phases("LFP", marker)
    two_theta = np.arange(4.5, 15.0, 0.01)
    wavelength = 0.495937

    def pattern(shrunk: float, marker: float | None = None) -> Pattern:
        total = np.full(two_theta.size, 1000.0)
        for phase, scale in zip(phases, (shrunk, marker or shrunk)):
            inverse = np.sqrt(phase.inverse_d_squared(np.array(phase.start) * scale))
            for number, one in enumerate(2 * np.degrees(np.arcsin(wavelength * inverse / 2))):
                total += (200.0 + 40.0 * (number % 5)) * np.exp(-(((two_theta - one) / 0.025) ** 2) / 2)
        return Pattern(two_theta, total, np.sqrt(total), wavelength, distance_mm=300.0)

    alone = FitOptions(range_deg=(4.5, 14.5))
    first = fit(pattern(1.0), phases, fit_options(alone))
    assert first.converged
    found = fit(pattern(0.988), phases, fit_options(alone), start=first)
    assert found.converged
    assert found.parameters["LFP.a"].value == pytest.approx(0.988 * 10.329, rel=3e-4)
    assert found.parameters["Au.a"].value == pytest.approx(0.988 * 4.0786, rel=3e-4)
    apart = fit(pattern(0.99, 0.996), phases, fit_options(alone), start=first)
    assert apart.parameters["LFP.c"].value == pytest.approx(0.99 * 4.691, rel=3e-4)
    assert apart.parameters["Au.a"].value == pytest.approx(0.996 * 4.0786, rel=3e-4)
    lost = fit(pattern(0.982), phases, replace(fit_options(alone), moves=()), start=first)
    assert not lost.converged
    assert "of the weight of the lines is not explained" in lost.message
