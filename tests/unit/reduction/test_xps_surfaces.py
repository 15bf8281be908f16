"""What is made of fitted lines: scales, species, composition, thickness."""

from dataclasses import replace

import numpy as np
import pytest

from intercalate.materials.xps import AL_K_ALPHA_EV, compound_named, level_named
from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate.reduction.xps import (
    AnalyserOnPaper,
    RegionSpectrum,
    Sensitivity,
    XpsError,
    XpsFit,
    carbon_reference,
    components_of,
    composition,
    energy_scale,
    identify,
    metal_reference,
    overlayer_thickness,
)

PAPER = AnalyserOnPaper()


def region(name, start, stop):
    energy = np.arange(start, stop, 0.1)
    blank = np.ones(energy.size)
    return RegionSpectrum(name, energy, blank, blank, blank > 0, 1.0, 20.0, PAPER)


REGIONS = (region("O 1s", 524, 540), region("C 1s", 280, 296), region("Li 1s", 48, 64))


def fit_with(areas, components, relative=0.01, converged=True):
    """A fit that found these areas, each on its own."""
    names = [one.name for one in components]
    values = np.array([areas[name] for name in names])
    sigma = relative * np.maximum(values, 1.0)
    estimates = {name: Estimate(value, error, 0.0) for name, value, error in zip(names, values, sigma)}
    return XpsFit(
        components=tuple(components),
        area=estimates if converged else dict.fromkeys(names, UNDETERMINED),
        centre={one.name: Estimate(one.binding_ev + 0.5, 0.01, 0.02) for one in components},
        width=estimates,
        shift={},
        separation={},
        present={name: converged and value > 5 * error for name, value, error in zip(names, values, sigma)},
        covariance_stat=np.diag(sigma**2),
        covariance_sys=np.zeros((len(names),) * 2),
        unknown=(),
        reduced_chi2=1.0,
        converged=converged,
        message="converged" if converged else "stopped",
        regions=(),
        spectra=REGIONS,
    )


def atom(level, binding, compound):
    """Counts of one atom per nm3 of a compound, by the formula."""
    path = compound_named(compound).mean_free_path_nm(AL_K_ALPHA_EV - binding)
    return level_named(level).cross_section * float(PAPER.transmission(binding, 20.0)) * path


def carbonate(**changed):
    components = components_of(["Li2CO3"], REGIONS)
    areas = {one.name: one.atoms * atom(one.level, one.binding_ev, "Li2CO3") for one in components}
    return fit_with(areas | changed, components)


def test_atoms_are_counted_as_in_the_formula():
    found = composition(carbonate())
    shares = {element: one.value for element, one in found.atomic_percent.items()}
    assert shares == pytest.approx({"Li": 100 / 3, "C": 100 / 6, "O": 50.0})
    assert found.by_component["Li2CO3 O 1s"].value == pytest.approx(50.0)


def test_errors_of_a_composition_are_those_of_drawn_sensitivities():
    """The propagated errors against a thousand compositions with other sensitivities."""
    fit = carbonate()
    levels = [level_named(one.level) for one in fit.components]
    binding = np.array([one.binding_ev for one in fit.components])
    covariance = Sensitivity(0.04, 0.06, 0.03, 0.0, 0.0).covariance(levels, binding)
    claimed = composition(fit, sensitivity=Sensitivity(0.04, 0.06, 0.03, 0.0, 0.0)).atomic_percent
    draw = np.random.default_rng(1).multivariate_normal(np.zeros(3), covariance, 1000)
    names = [one.name for one in fit.components]
    drawn = []
    for factors in np.exp(draw):
        areas = {name: fit.area[name].value * factor for name, factor in zip(names, factors)}
        drawn.append(composition(fit_with(areas, fit.components)).atomic_percent)
    for element, one in claimed.items():
        spread = np.std([each[element].value for each in drawn])
        assert one.sigma_sys == pytest.approx(spread, rel=0.1), element


def test_lithium_is_known_within_a_fifth_and_others_within_a_tenth():
    """Of the amount of one element against a surely known other one, by what is declared."""
    known = Sensitivity()
    levels, binding = [level_named("Li 1s"), level_named("F 1s")], np.array([55.0, 685.0])
    lithium, fluorine = np.sqrt(np.diag(known.covariance(levels, binding)))
    assert lithium == pytest.approx(0.2, abs=0.03)
    assert fluorine == pytest.approx(0.1, abs=0.03)


def test_a_failed_fit_has_no_composition():
    components = components_of(["Li2CO3"], REGIONS)
    found = composition(fit_with({one.name: 1.0 for one in components}, components, converged=False))
    assert np.isnan([one.value for one in found.atomic_percent.values()]).all()


def test_a_level_that_was_not_fitted_gives_no_element():
    with pytest.raises(XpsError, match="Li 2s is to give Li, but was not fitted"):
        composition(carbonate(), levels={"Li": "Li 2s"})
    with pytest.raises(XpsError, match="no component has an area"):
        composition(carbonate(**{f"Li2CO3 {level}": 0.0 for level in ("Li 1s", "C 1s", "O 1s")}))


@pytest.mark.parametrize("nm", [0.3, 1.0, 3.0, 6.0])
def test_a_thickness_is_had_back_from_its_attenuation(nm):
    components = [*components_of(["Li2O"], REGIONS), *components_of(["Li"], REGIONS, "metal")]
    oxide, metal = compound_named("Li2O"), compound_named("Li")
    own, other = (oxide.mean_free_path_nm(AL_K_ALPHA_EV - binding) for binding in (53.6, 54.8))
    areas = {
        "Li2O Li 1s": 2 * oxide.units_per_nm3 * atom("Li 1s", 53.6, "Li2O") * -np.expm1(-nm / own),
        "Li2O O 1s": 1.0,
        "metal: Li Li 1s": metal.units_per_nm3 * atom("Li 1s", 54.8, "Li") * np.exp(-nm / other),
    }
    lines = {"overlayer_line": "Li2O Li 1s", "substrate_line": "metal: Li Li 1s"}
    found = overlayer_thickness(fit_with(areas, components), overlayer="Li2O", substrate="Li", **lines)
    assert found.nm.value == pytest.approx(nm, rel=1e-6)
    # Of a thin layer the path in it cancels, and that in the substrate stays.
    assert 0.06 * nm < found.nm.sigma_sys < 0.12 * nm
    gone = fit_with(areas | {"metal: Li Li 1s": 0.0}, components)
    least = overlayer_thickness(gone, overlayer="Li2O", substrate="Li", **lines)
    assert np.isnan(least.nm.value)
    assert least.at_least_nm > 5.0
    assert np.isnan(found.at_least_nm)


def test_a_thickness_of_nothing_is_refused():
    components = [*components_of(["Li2O"], REGIONS), *components_of(["Li"], REGIONS, "metal")]
    nothing = fit_with({one.name: 0.0 for one in components}, components)
    known = {"overlayer": "Li2O", "substrate": "Li", "substrate_line": "metal: Li Li 1s"}
    with pytest.raises(XpsError, match="neither Li2O Li 1s nor metal: Li Li 1s stands out"):
        overlayer_thickness(nothing, overlayer_line="Li2O Li 1s", **known)
    with pytest.raises(XpsError, match="F 1s was not fitted"):
        overlayer_thickness(nothing, overlayer_line="F 1s", **known)
    with pytest.raises(XpsError, match="is a line of Li, not of Li2O"):
        overlayer_thickness(nothing, overlayer_line="metal: Li Li 1s", **known)


def lines(compound, shift, **moved):
    """Positions of all lines of a compound, all shifted."""
    found = {line.level: line.binding_ev + shift for line in compound_named(compound).levels}
    return {level: Estimate(energy + moved.get(level[0], 0.0), 0.01, 0.02) for level, energy in found.items()}


@pytest.mark.parametrize("compound", ["Li2O", "LiOH", "Li2CO3", "LiF", "Li3N", "Li2S"])
@pytest.mark.parametrize("shift", [-2.0, 0.0, 4.0])
def test_separations_name_a_compound_whatever_the_charge(compound, shift):
    found = identify(lines(compound, shift), ["Li2O", "LiOH", "Li2CO3", "LiF", "Li3N", "Li2S"])
    assert found.compound == compound
    assert abs(found.shift_ev.value - shift) < 1e-6
    assert found.shift_ev.sigma < 0.15


def test_what_fits_no_compound_is_none():
    """Li2O with oxygen at 531.3 eV, as a database has it, is not Li2O."""
    found = identify(lines("Li2O", 0.0, O=1.4), ["Li2O"])
    assert found.compound == ""
    assert found.fitting == ()
    assert np.isnan(found.shift_ev.value)
    assert found.separations["O 1s - Li 1s"].value == pytest.approx(476.3)


def test_two_compounds_that_fit_are_not_decided_between():
    found = identify(lines("LiOH", 0.0, O=-0.25), ["Li2O", "LiOH"])
    assert found.compound == ""
    assert set(found.fitting) == {"Li2O", "LiOH"}


def test_one_line_says_nothing_of_separations():
    with pytest.raises(XpsError, match=r"1 levels were determined \(O 1s\)"):
        identify({"O 1s": Estimate(531.0, 0.01, 0.0), "Li 1s": UNDETERMINED}, ["Li2O"])


def test_two_metals_set_offset_and_gain():
    gain, offset = 2e-5, 0.12
    read = {true: true + offset + gain * (true - 226.1) for true in (84.0, 368.2)}
    scale = energy_scale([(Estimate(value, 0.003, 0.01), true) for true, value in read.items()])
    assert scale.offset_ev == pytest.approx(offset, abs=0.005)
    corrected = scale.corrected(Estimate(284.8 + offset + gain * (284.8 - 226.1), 0.005, 0.0))
    assert abs(corrected.value - 284.8) < corrected.sigma_sys < 0.03
    one = energy_scale([(Estimate(84.1, 0.003, 0.0), 84.0)])
    assert one.corrected(Estimate(685.0, 0.0, 0.0)).sigma > 0.05


def test_a_scale_needs_references():
    with pytest.raises(XpsError, match="no reference line"):
        energy_scale([])
    with pytest.raises(XpsError, match="at 84 eV was not determined"):
        energy_scale([(UNDETERMINED, 84.0)])


def test_carbon_is_a_reference_within_a_fifth_of_an_electronvolt():
    components = components_of(["adventitious carbon", "Li2CO3"], REGIONS)
    fit = fit_with({one.name: 100.0 for one in components}, components)
    reference = carbon_reference(fit)
    assert reference.shift_ev.value == pytest.approx(0.5)
    assert 0.2 <= reference.shift_ev.sigma_sys < 0.22
    corrected = reference.corrected(fit.centre["Li2CO3 O 1s"])
    assert corrected.value == pytest.approx(531.5)
    assert corrected.sigma_sys > 0.2
    metal = metal_reference(fit, "adventitious carbon C 1s C-C", 284.8)
    assert metal.shift_ev.sigma < 0.05
    with pytest.raises(XpsError, match="graphite C 1s was not fitted"):
        carbon_reference(fit, "graphite C 1s")
    weak = replace(fit, present=dict.fromkeys(fit.present, False))
    with pytest.raises(XpsError, match="is too weak in it"):
        carbon_reference(weak)
