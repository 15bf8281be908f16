"""Photoelectrons in, surfaces out: the XPS reduction against a simulator that shares nothing but tables."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.honesty.xps import (
    SEI_GROUPS,
    SEI_HOURS,
    Count,
    Lithiated,
    StepsOfAmounts,
    StepsOfSpectra,
    layer_amounts,
)
from intercalate.materials.xps import COMPOUNDS, compound_named
from intercalate.reduction.xps import (
    AnalyserOnPaper,
    XpsError,
    XpsOptions,
    carbon_reference,
    components_of,
    composition,
    counted,
    fit_regions,
    overlayer_thickness,
    read_survey,
)
from intercalate_sims.probes.xps import Analyser, HiddenXps, Region, RegionError, expected_rate, spectrum
from intercalate_sims.probes.xps_map import Grid, chemical_map, lithium_aluminium
from intercalate_sims.probes.xps_samples import Layer, StackError, checked_stack, sputtered
from intercalate_sims.probes.xps_sei import GROUPS, SeiGrowth, SeiWorld

O1S = Region("O 1s", 524.0, 540.0, sweeps=10)
C1S = Region("C 1s", 280.0, 296.0, sweeps=10)
LI1S = Region("Li 1s", 48.0, 64.0, sweeps=40)
F1S = Region("F 1s", 680.0, 694.0, sweeps=10)
S2P = Region("S 2p", 156.0, 176.0, sweeps=10)
AU4F = Region("Au 4f", 78.0, 94.0, sweeps=2)
NOMINAL = Analyser()
FLOODED = Analyser(flood_gun=True)
PAPER = AnalyserOnPaper(
    NOMINAL.transmission_exponent, NOMINAL.width_per_pass, NOMINAL.source_width_ev, NOMINAL.dead_time_s
)
IDEAL = HiddenXps()
SKIN = Layer("adventitious carbon", 0.4)


def measured(stack, regions, seed, key=0, analyser=FLOODED):
    """Regions of a sample by an instrument that nobody was told of."""
    hidden = HiddenXps.draw(seed)
    return [
        counted(
            region.name,
            region.binding_ev(),
            spectrum(stack, region, analyser, hidden, seed, key),
            seconds=region.dwell_s * region.sweeps,
            pass_energy_ev=region.pass_energy_ev,
            analyser=PAPER,
        )
        for region in regions
    ]


def peak(stack, region, analyser=NOMINAL, hidden=IDEAL):
    """Binding energy and height above the low-energy side of the strongest line."""
    rate = expected_rate(stack, region, analyser, hidden)
    return region.binding_ev()[np.argmax(rate)], rate.max() - rate[0]


def test_a_layer_lets_through_what_its_mean_free_path_says():
    path = COMPOUNDS["adventitious carbon"].mean_free_path_nm(1486.6 - 84.0)
    heights = [peak([Layer("adventitious carbon", nm), Layer("Au")], AU4F)[1] for nm in (0.0, 1.0, 2.0)]
    assert heights[1] / heights[0] == pytest.approx(np.exp(-1.0 / path), rel=0.01)
    assert heights[2] / heights[0] == pytest.approx(np.exp(-2.0 / path), rel=0.01)
    half = [Layer("adventitious carbon", 2.0, coverage=0.5), Layer("Au")]
    assert peak(half, AU4F)[1] == pytest.approx((heights[0] + heights[2]) / 2, rel=0.01)


def test_at_grazing_emission_the_surface_is_seen():
    stack = [Layer("adventitious carbon", 1.0), Layer("Au")]
    ratios = []
    for angle in (0.0, 60.0):
        tilted = replace(NOMINAL, emission_angle_deg=angle)
        ratios.append(peak(stack, C1S, tilted)[1] / peak(stack, AU4F, tilted)[1])
    assert ratios[1] > 2.0 * ratios[0]


def test_layers_that_are_all_alike_are_one():
    one = expected_rate([Layer("Li2CO3")], O1S, FLOODED, IDEAL)
    three = expected_rate([Layer("Li2CO3", 1.0), Layer("Li2CO3", 2.0), Layer("Li2CO3")], O1S, FLOODED, IDEAL)
    np.testing.assert_allclose(three, one, rtol=0.02)


def test_noise_depends_on_seed_and_key_alone():
    keys = ((1, 2), (1, 2), (1, 3), (2, 2))
    first, again, other, third = (
        spectrum([Layer("Li2O")], O1S, NOMINAL, IDEAL, seed, key) for seed, key in keys
    )
    assert first.dtype == np.uint32
    assert (first == again).all()
    assert (first != other).any()
    assert (first != third).any()


def test_a_counter_that_is_dead_misses_counts():
    slow = replace(NOMINAL, dead_time_s=1e-5)
    rate = expected_rate([Layer("Au")], AU4F, slow, IDEAL)
    region = replace(AU4F, sweeps=500)
    seen = spectrum([Layer("Au")], region, slow, IDEAL, 1, 1) / (region.dwell_s * region.sweeps)
    np.testing.assert_allclose(seen, rate / (1 + rate * 1e-5), rtol=0.05)
    assert seen.max() < 0.9 * rate.max()


def test_an_insulator_charges_and_slow_electrons_hold_it():
    hidden = replace(IDEAL, charging_ev_per_nm=0.15, flood_ev=-0.8)
    alone, on_metal = [Layer("LLZO")], [Layer("Li2O", 3.0), Layer("Li")]
    assert peak(alone, O1S, NOMINAL, hidden)[0] > peak(alone, O1S)[0] + 1.5
    assert 0.1 < peak(on_metal, O1S, NOMINAL, hidden)[0] - peak(on_metal, O1S)[0] < 0.6
    assert peak(alone, O1S, FLOODED, hidden)[0] == pytest.approx(peak(alone, O1S)[0] - 0.8, abs=0.11)


def test_a_potential_shifts_all_lines_of_a_layer():
    for region in (O1S, LI1S):
        moved = [Layer("Li2O", 20.0, shift_ev=1.0), Layer("Li")]
        still = [Layer("Li2O", 20.0), Layer("Li")]
        assert peak(moved, region)[0] - peak(still, region)[0] == pytest.approx(1.0, abs=0.11)


def test_argon_makes_fluoride_of_salt_and_oxide_of_carbonate():
    stack = [Layer({"LiPF6": 0.5, "LiTFSI": 0.5}, 2.0), Layer("Li2CO3", 4.0), Layer("Li")]
    after = sputtered(stack, 0.5)
    assert after[0].shares["LiF"] > 0.4
    assert any("Li2O" in layer.shares and "Li2CO3" in layer.shares for layer in after)
    assert after[-1].shares == {"Li": 1.0}
    before, later = (sum(one.thickness_nm for one in layers[:-1]) for layers in (stack, after))
    assert later == pytest.approx(before - 0.5)
    assert sputtered(stack, 0.0)[0].shares == Layer(stack[0].compound, 2.0).shares
    assert [one.shares for one in sputtered(stack, 50.0)] == [{"Li": 1.0}]


def test_the_last_of_a_layer_is_mixed_into_what_lies_below_and_leaves_slowly():
    stack = [Layer("LiF", 2.0), Layer("Li")]
    left = [
        sum(one.thickness_nm for one in sputtered(stack, fluence)[:-1])
        for fluence in np.linspace(0.0, 6.0, 25)
    ]
    assert left[0] == 2.0
    assert np.all(np.diff(left) < 0)
    at = dict(zip(np.linspace(0.0, 6.0, 25).round(2).tolist(), left))
    assert at[1.0] == pytest.approx(1.0)
    assert 0.2 < at[2.0] < 0.4
    assert at[3.0] / at[2.0] == pytest.approx(np.exp(-1.0 / 0.8))
    # No jump where the even part ends and the mixed one begins.
    assert np.diff(left).min() > -0.26


@given(
    st.lists(
        st.tuples(st.sampled_from(list(COMPOUNDS)), st.floats(0.0, 5.0), st.floats(0.0, 1.0)), max_size=4
    ),
    st.floats(0.0, 5.0),
)
def test_every_stack_gives_counts_and_can_be_sputtered(layers, fluence):
    stack = [*(Layer(key, nm, coverage=part) for key, nm, part in layers), Layer("Li")]
    survey = Region("survey", 0.0, 1100.0, 10.0, 160.0)
    for one in (stack, sputtered(stack, fluence)):
        rate = expected_rate(one, survey, NOMINAL, IDEAL)
        assert np.isfinite(rate).all()
        assert (rate > 0).all()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: checked_stack([]), StackError, "no layer"),
        (
            lambda: checked_stack([Layer("Li"), Layer("Au")]),
            StackError,
            "layer 0 from the outside has no end",
        ),
        (lambda: Layer("Li", -1.0), StackError, "-1 nm thick"),
        (lambda: Layer("Li", 1.0, coverage=1.5), StackError, "covers 1.5"),
        (lambda: Layer({"Li": 0.0}, 1.0), StackError, "holds nothing"),
        (lambda: Layer({"Li": -1.0, "LiF": 2.0}), StackError, "share of Li is -1"),
        (lambda: Layer("Li", shift_ev=float("nan")), StackError, "potential"),
        (lambda: Layer("unobtainium"), ValueError, "unobtainium"),
        (lambda: sputtered([Layer("Li")], -1.0), StackError, "cannot be negative"),
        (lambda: Region("x", 10.0, 5.0), RegionError, "ascend"),
        (lambda: Region("x", 5.0, 10.0, 0.0), RegionError, "step_ev is 0"),
        (lambda: Region("x", 5.0, 10.0, dwell_s=float("nan")), RegionError, "dwell_s is nan"),
        (lambda: Region("x", 5.0, 1e4), RegionError, "1486"),
        (lambda: Analyser(emission_angle_deg=89.0), RegionError, "89 deg"),
    ],
)
def test_what_there_cannot_be_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("seed", range(6))
def test_lithium_carbonate_has_the_composition_of_lithium_carbonate(seed):
    spectra = measured([Layer("Li2CO3")], (O1S, C1S, LI1S), seed, analyser=NOMINAL)
    fit = fit_regions(spectra, components_of(["Li2CO3"], spectra), XpsOptions(search_ev=6.0))
    assert fit.converged, fit.message
    found = composition(fit).atomic_percent
    for element, truth in (("Li", 100 / 3), ("C", 100 / 6), ("O", 50.0)):
        assert abs(found[element].value - truth) < 3 * found[element].sigma, element
        assert found[element].sigma < 0.2 * truth
    assert np.isclose(sum(one.value for one in found.values()), 100.0)


@pytest.mark.parametrize(
    ("compound", "regions"),
    [
        ("LFP", (O1S, Region("Fe 2p", 702, 735), Region("P 2p", 126, 142), Region("Li 1s", 46, 72))),
        ("LCO", (O1S, Region("Co 2p", 772, 805), Region("Li 1s", 46, 72, sweeps=20))),
        ("LTO", (O1S, Region("Ti 2p", 450, 474), Region("Li 1s", 46, 66, sweeps=20))),
        ("NMC111", (O1S, *(Region(f"{m} 2p", *e) for m, e in (("Co", (772, 805)), ("Ni", (846, 885)))))),
        ("LLZO", (O1S, Region("Zr 3d", 174, 192), Region("La 3d", 824, 866), LI1S)),
        ("LiPON", (O1S, Region("P 2p", 126, 142), Region("N 1s", 390, 406), LI1S)),
        ("graphite", (C1S,)),
    ],
)
def test_electrodes_and_electrolytes_are_fitted_with_nothing_left(compound, regions):
    """Composition within its errors, and no line reported that is not there."""
    material = compound_named(compound)
    for seed in range(4):
        spectra = measured([Layer(compound)], regions, seed)
        fit = fit_regions(spectra, components_of([compound], spectra, tied=True))
        assert fit.converged, fit.message
        assert not fit.unknown
        found = composition(fit, matrix=compound).atomic_percent
        whole = sum(material.elements[element] for element in found)
        for element, one in found.items():
            truth = 100 * material.elements[element] / whole
            assert abs(one.value - truth) < 3.5 * max(one.sigma, 1e-9), (element, seed)


def test_layers_on_lithium_are_told_apart():
    """Oxide on metal, carbonate and fluoride above, whose lines of lithium lie within two electronvolts."""
    stack = [SKIN, Layer({"Li2CO3": 0.5, "LiF": 0.5}, 2.0, shift_ev=0.3), Layer("Li2O", 2.0), Layer("Li")]
    for seed in range(4):
        spectra = measured(stack, (O1S, C1S, F1S, LI1S), seed)
        components = [
            *components_of(["Li2CO3", "LiF", "LiOH", "adventitious carbon"], spectra, "outer", tied=True),
            *components_of(["Li2O"], spectra, "oxide"),
            *components_of(["Li"], spectra, "metal"),
        ]
        fit = fit_regions(spectra, components)
        assert fit.converged, fit.message
        seen = {name for name, is_there in fit.present.items() if is_there}
        assert {"outer: Li2CO3 C 1s", "outer: LiF F 1s", "oxide: Li2O O 1s", "metal: Li Li 1s"} <= seen
        assert not any("LiOH" in name for name in seen)
        assert not fit.unknown
        apart = fit.shift["outer"].value - fit.shift["oxide"].value
        sigma = np.hypot(fit.shift["outer"].sigma, fit.shift["oxide"].sigma)
        assert abs(apart - 0.3) < 3 * sigma < 0.4


@pytest.mark.parametrize(
    ("hidden", "share", "level", "binding"),
    [("LiPF6", 0.05, "F 1s", 687.4), ("Li2S2O3", 0.3, "S 2p", 167.1)],
)
def test_a_species_that_nobody_asked_for_is_reported(hidden, share, level, binding):
    region = F1S if level == "F 1s" else S2P
    known = "LiF" if level == "F 1s" else "Li2S6"
    for seed in range(4):
        spectra = measured(
            [SKIN, Layer({known: 1 - share, hidden: share}, 4.0), Layer("Li")], (region,), seed
        )
        fit = fit_regions(spectra, components_of([known], spectra))
        assert [line.region for line in fit.unknown] == [level]
        shift = HiddenXps.draw(seed).flood_ev - HiddenXps.draw(seed).work_function_ev
        assert abs(fit.unknown[0].binding_ev.value - binding - shift) < 1.5


def test_fluoride_that_argon_made_is_seen_as_fluoride():
    """A warning to those who sputter: the salt was all there was. The charge is known here, by flood gun."""
    fresh = [Layer("LiPF6", 6.0), Layer("Li")]
    known = HiddenXps.draw(2).flood_ev - HiddenXps.draw(2).work_function_ev
    shares = []
    for stack in (fresh, sputtered(fresh, 1.0)):
        spectra = measured(stack, (F1S,), 2)
        lines = components_of(["LiPF6", "LiF"], spectra)
        lines = [replace(one, binding_ev=one.binding_ev + known) for one in lines]
        fit = fit_regions(spectra, lines, XpsOptions(search_ev=0.0, shift_sigma_ev=0.2))
        assert fit.converged, fit.message
        shares.append(composition(fit).by_component["LiF F 1s"])
    assert abs(shares[0].value) < 3 * shares[0].sigma + 1.0
    assert shares[1].value > 20.0


def test_one_region_of_unknown_charge_does_not_decide_between_species():
    """A single line of fluorine is the salt, or fluoride that is charged by two volts more."""
    for seed in range(6):
        spectra = measured([Layer("LiPF6", 6.0), Layer("Li")], (F1S,), seed)
        fit = fit_regions(spectra, components_of(["LiPF6", "LiF"], spectra))
        assert set(fit.other_shifts) == {"surface"}, seed
        found = composition(fit)
        assert np.isnan(found.by_component["LiF F 1s"].value)
        assert found.atomic_percent["F"].value == pytest.approx(100.0)
        phosphorus = Region("P 2p", 126.0, 144.0, sweeps=10)
        both = measured([Layer("LiPF6", 6.0), Layer("Li")], (F1S, phosphorus), seed)
        decided = fit_regions(both, components_of(["LiPF6", "LiF"], both))
        assert not decided.other_shifts
        assert decided.present["LiPF6 F 1s"]
        assert not decided.present["LiF F 1s"]


def test_carbon_sets_the_charge_within_its_error():
    for seed in range(5):
        spectra = measured([SKIN, Layer("Li2CO3", 5.0), Layer("Li")], (C1S, O1S), seed)
        components = components_of(["adventitious carbon", "Li2CO3"], spectra)
        reference = carbon_reference(fit_regions(spectra, components))
        hidden = HiddenXps.draw(seed)
        off = reference.shift_ev.value - (hidden.flood_ev - hidden.work_function_ev)
        assert abs(off) < 2.5 * reference.shift_ev.sigma


@pytest.mark.parametrize("nm", [0.8, 3.0])
def test_oxide_is_as_thick_as_it_is(nm):
    for seed in range(5):
        spectra = measured([SKIN, Layer("Li2O", nm), Layer("Li")], (O1S, LI1S), seed)
        components = [*components_of(["Li2O"], spectra), *components_of(["Li"], spectra, "metal")]
        found = overlayer_thickness(
            fit_regions(spectra, components),
            overlayer="Li2O",
            substrate="Li",
            overlayer_line="Li2O Li 1s",
            substrate_line="metal: Li Li 1s",
        )
        assert abs(found.nm.value - nm) < 3 * found.nm.sigma < 0.6 * nm


def test_oxide_that_hides_the_metal_is_thick_at_least():
    spectra = measured([Layer("Li2O", 40.0), Layer("Li")], (O1S, LI1S), 1)
    components = [*components_of(["Li2O"], spectra), *components_of(["Li"], spectra, "metal")]
    lines = {"overlayer_line": "Li2O O 1s", "substrate_line": "metal: Li Li 1s"}
    found = overlayer_thickness(fit_regions(spectra, components), overlayer="Li2O", substrate="Li", **lines)
    assert np.isnan(found.nm.value)
    assert 3.0 < found.at_least_nm < 40.0


def test_species_and_irregularities_are_sorted_right():
    for sorting in (Lithiated(), Count()):
        pairs = [sorting.sort(number) for number in range(6)]
        assert all(true == found for true, found in pairs), pairs


def test_a_map_depends_on_its_seed_and_shows_its_irregularities():
    grid = Grid(20, 24)
    sample = lithium_aluminium(3, 1, grid)
    region = Region("Al 2p", 66.0, 80.0, 0.5, 80.0, 0.05, 1)
    first, again, other = (
        chemical_map(sample, grid, (region,), NOMINAL, IDEAL, 3, key)["Al 2p"] for key in (1, 1, 2)
    )
    assert first.shape == (24, 20, region.binding_ev().size)
    assert (first == again).all()
    assert (first != other).any()
    (one,) = sample.irregularities
    total = first.sum(axis=2)
    column, row = round(one.x_um / grid.step_um), round(one.y_um / grid.step_um)
    assert total[row, column] > 1.1 * np.median(total)


def test_growth_in_steps_is_recovered_and_nothing_else():
    """Forty cells of each world, with errors of amounts as a reduction has them."""
    sorting = StepsOfAmounts()
    wrong = [number for number in range(160) if len(set(sorting.sort(number))) > 1]
    assert len(wrong) <= 2


def test_growth_in_steps_is_recovered_from_spectra():
    sorting = StepsOfSpectra(SEI_HOURS[::2])
    assert sorting.sort(0) == ("in steps", "in steps")


def test_amounts_of_a_layer_follow_its_growth():
    growth = SeiGrowth.draw(4, SeiWorld.STEPS, float(SEI_HOURS[-1]))
    before, after = (layer_amounts(growth.stack(hours), 4, 0) for hours in (0.0, 20.0))
    assert list(GROUPS) == list(SEI_GROUPS)
    for group in SEI_GROUPS:
        assert after[group].value > before[group].value + 3 * after[group].sigma_stat


SURVEY = Region("survey", 0.0, 1350.0, 0.5, 80.0, 0.1, 4)
LOOKED_FOR = [
    *("Li 1s", "C 1s", "N 1s", "O 1s", "F 1s", "P 2p", "S 2p"),
    *("Ti 2p", "Mn 2p", "Fe 2p", "Co 2p", "Ni 2p"),
]


@pytest.mark.parametrize("compound", ["Li2CO3", "LiTFSI", "LTO", "LiF", "LFP", "NMC111"])
def test_a_survey_shows_the_elements_that_are_there_and_no_others(compound):
    """Carbon of the skin aside, as in the formula; lithium under iron or manganese is not given, and one atom
    in sixteen may not be seen.
    """
    true = {element: atoms for element, atoms in compound_named(compound).elements.items() if element != "H"}
    for seed in range(2):
        (survey,) = measured([SKIN, Layer(compound)], (SURVEY,), seed)
        found = read_survey(survey, LOOKED_FOR)
        unseen = {"Li"} if compound == "LiTFSI" else set()
        assert set(found.atomic_percent) | unseen == {*true, "C"}, seed
        known = {element: one for element, one in found.atomic_percent.items() if np.isfinite(one.value)}
        assert bool(found.overlapped) == (compound in ("LFP", "NMC111"))
        assert not (found.overlapped and "Li" in known)
        others = [element for element in known if element != "C"]
        whole = sum(true[element] for element in others)
        seen = sum(known[element].value for element in others)
        for element in others:
            off = known[element].value / seen - true[element] / whole
            assert abs(off) < 3.5 * known[element].sigma / seen, (element, seed)


def test_a_survey_that_shows_nothing_is_refused():
    (survey,) = measured([Layer("Au")], (SURVEY,), 1)
    with pytest.raises(XpsError, match="none of F 1s stands out in the survey survey"):
        read_survey(survey, ["F 1s"])
    with pytest.raises(XpsError, match="each named once; got O 1s, O 1s"):
        read_survey(survey, ["O 1s", "O 1s"])
    with pytest.raises(XpsError, match="no compound of the table has a line 'Mg 2p'"):
        read_survey(survey, ["Mg 2p"])
    with pytest.raises(XpsError, match="0 points that can be used from 1400 to 1450 eV"):
        survey.between(1400.0, 1450.0, "beyond")
