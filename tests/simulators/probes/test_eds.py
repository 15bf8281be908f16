"""X-ray spectra of a detector that nobody was told of, and what is made of them."""

import numpy as np
import pytest

from intercalate.materials.eds import STANDARD_DETECTOR, WINDOWLESS_DETECTOR
from intercalate.reduction.eds import (
    LithiumBond,
    LithiumVerdict,
    axis_on_paper,
    calibrated_axis,
    composition,
    element_maps,
    fit_lines,
    lithium,
    lithium_bond,
)
from intercalate_sims.probes.eds import EdsConditions, EdsProbe, HiddenDetector, XraySource

LLZO = XraySource({"La": 0.497, "Zr": 0.217, "O": 0.229, "Li": 0.058}, 5.1)
POLYMER = XraySource({"C": 0.6, "O": 0.4}, 1.2)
CONDITIONS = EdsConditions(15.0, 0.5, 60.0)


def instrument(seed, detector=STANDARD_DETECTOR):
    probe = EdsProbe(detector, HiddenDetector.draw(seed), seed)
    metals = {
        name: probe.spectrum(
            XraySource({name: 1.0}, 8.9), EdsConditions(15.0, 0.2, 60.0), 100.0 + number
        ).counts
        for number, name in enumerate(("Cu", "Co"))
    }
    return probe, calibrated_axis(metals, detector)


@pytest.mark.parametrize("seed", [1, 2])
def test_copper_and_cobalt_set_the_axis(seed):
    probe, axis = instrument(seed)
    counted = slice(50, 1000)
    assert np.abs(axis.energy_ev - probe.true_ev)[counted].max() < 3 * axis.sigma_ev
    paper = axis_on_paper(STANDARD_DETECTOR)
    assert np.abs(axis.energy_ev - probe.true_ev)[800] < np.abs(paper.energy_ev - probe.true_ev)[800]


@pytest.mark.parametrize("seed", [1, 2])
def test_composition_of_llzo_without_lithium(seed):
    probe, axis = instrument(seed)
    found = composition(
        fit_lines(
            probe.spectrum(LLZO, CONDITIONS, 1.0).counts, ("La", "Zr", "O"), axis, STANDARD_DETECTOR, 15.0
        ),
        STANDARD_DETECTOR,
        15.0,
    )
    assert found.converged
    assert "Li" not in found.mass_fraction
    for name in ("La", "Zr", "O"):
        true = LLZO.mass_fractions[name] / 0.943
        assert abs(found.mass_fraction[name].value - true) < 2.5 * found.mass_fraction[name].sigma
        assert found.mass_fraction[name].sigma < 0.12


def test_fluorine_under_iron_is_not_made_up():
    probe, axis = instrument(3)
    for fluorine, expected in ((0.0, False), (0.25, True)):
        source = XraySource({"Fe": 0.4, "O": 0.6 - fluorine, "F": fluorine}, 4.0)
        found = fit_lines(
            probe.spectrum(source, CONDITIONS, 2.0).counts, ("Fe", "O", "F"), axis, STANDARD_DETECTOR, 15.0
        )
        assert found.detected["F K"] is expected
        assert found.overlap["F K"][0] == "Fe L"


@pytest.mark.parametrize(
    ("bond", "fractions", "verdict"),
    [
        ("metal", {"Li": 1.0}, LithiumVerdict.DETECTED),
        ("carbide", {"Li": 0.366, "C": 0.634}, LithiumVerdict.DETECTED),
        ("carbonate", {"Li": 0.19, "C": 0.16, "O": 0.65}, LithiumVerdict.ABSENT),
        ("metal", {"C": 0.6, "O": 0.4}, LithiumVerdict.ABSENT),
    ],
)
def test_lithium_is_seen_by_its_bond(bond, fractions, verdict):
    probe, axis = instrument(4, WINDOWLESS_DETECTOR)
    counts = probe.spectrum(XraySource(fractions, 1.0, bond), EdsConditions(3.0, 0.3, 60.0), 3.0).counts
    assert lithium(counts, axis, WINDOWLESS_DETECTOR, 3.0).verdict is verdict


def test_maps_tell_llzo_from_polymer():
    probe = EdsProbe(STANDARD_DETECTOR, HiddenDetector(), 5)
    phase = np.zeros((16, 16), dtype=int)
    phase[:, 8:] = 1
    cube = probe.map([LLZO, POLYMER], phase, EdsConditions(15.0, 1.0, 0.1), 4.0)
    found = element_maps(
        cube, ("La", "Zr", "O", "C"), axis_on_paper(STANDARD_DETECTOR), STANDARD_DETECTOR, 15.0
    )
    assert np.all(found.counts["La L"] >= 0)
    ceramic, soft = found.mean("La L", phase == 0), found.mean("La L", phase == 1)
    assert ceramic.value > 50 * ceramic.sigma
    assert abs(soft.value) < 4 * soft.sigma
    assert found.mean("C K", phase == 1).value > 50 * found.mean("C K", phase == 1).sigma
    scatter = found.free["La L"][phase == 0].std() / np.sqrt(np.mean(found.sigma["La L"][phase == 0] ** 2))
    assert 0.8 < scatter < 1.25


def test_noise_follows_counting_and_the_key():
    probe = EdsProbe(STANDARD_DETECTOR, HiddenDetector(), 6)
    one, same, other = (probe.spectrum(POLYMER, CONDITIONS, start).counts for start in (1.0, 1.0, 2.0))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert probe.spectrum(POLYMER, EdsConditions(15.0, 5.0, 60.0), 1.0).live_s < 60.0 * 0.95


CARBIDE, METAL = XraySource({"Li": 0.366, "C": 0.634}, 1.65, "carbide"), XraySource({"Li": 1.0}, 0.534)
IN_AIR = XraySource({"Li": 1.0}, 0.534, carbon_film_nm=20.0)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kv", [2.0, 3.0, 5.0])
@pytest.mark.parametrize(
    ("parts", "bond"),
    [
        ([(1.0, CARBIDE)], LithiumBond.CARBIDE),
        ([(1.0, METAL)], LithiumBond.METAL),
        ([(1.0, IN_AIR)], LithiumBond.METAL),
        ([(0.7, CARBIDE), (0.3, POLYMER)], LithiumBond.UNCERTAIN),
        ([(0.6, METAL), (0.4, POLYMER)], LithiumBond.UNCERTAIN),
        ([(1.0, XraySource({"Li": 0.19, "C": 0.16, "O": 0.65}, 2.1, "carbonate"))], None),
    ],
)
def test_carbide_is_told_from_metal_where_nothing_else_is_in_view(seed, kv, parts, bond):
    probe, axis = instrument(seed, WINDOWLESS_DETECTOR)
    conditions = EdsConditions(kv, 0.5, 100.0)
    rates = [(share, *probe.rate(source, conditions)) for share, source in parts]
    expected = sum(share * live * per_s for share, per_s, live in rates)
    counts = np.random.default_rng(seed).poisson(expected * conditions.real_s)
    seen = lithium(counts, axis, WINDOWLESS_DETECTOR, kv)
    found = fit_lines(counts, ("C", "N", "O", "F", "S"), axis, WINDOWLESS_DETECTOR, kv)
    told = lithium_bond(seen, found, WINDOWLESS_DETECTOR, kv)
    assert (None if told is None else told.bond) == bond
    if bond is LithiumBond.CARBIDE:
        assert told.per_carbon.value < told.most_of_carbide
