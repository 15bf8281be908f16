"""Fits of photoelectron lines against spectra that are made here by brute force, with another background."""

import numpy as np
import pytest

from intercalate.reduction.xps import (
    AnalyserOnPaper,
    Component,
    XpsError,
    XpsOptions,
    components_of,
    counted,
    fit_regions,
    metal_reference,
)
from intercalate.reduction.xps.model import ActiveFit, ActiveModel

PAPER = AnalyserOnPaper(dead_time_s=0.0)
ENERGY = np.arange(156.0, 174.0, 0.1)
INSTRUMENT_EV = PAPER.width_ev(20.0)


def gauss(centre, width):
    sigma = np.hypot(width, INSTRUMENT_EV) / 2.3548
    return np.exp(-0.5 * ((ENERGY - centre) / sigma) ** 2) / sigma / np.sqrt(2 * np.pi)


def spectrum(lines, seed=0, level=60.0, name="S 2p", step=0.004):
    """Gaussian lines (centre, width, area), each with a step behind it, on a slope; noise of counts."""
    total = level + 0.5 * (ENERGY - ENERGY[0])
    for centre, width, area in lines:
        line = area * gauss(centre, width)
        total = total + line + step * np.cumsum(line) * 0.1
    counts = np.random.default_rng(seed).poisson(total)
    return counted(name, ENERGY, counts, seconds=1.0, pass_energy_ev=20.0, analyser=PAPER)


def doublet(centre, width, area):
    return [(centre, width, area / 1.5), (centre + 1.17, width, area / 3.0)]


TERMINAL, BRIDGING = doublet(161.7, 0.9, 3000.0), doublet(163.1, 0.9, 6000.0)
NAMES = ("Li2S6 S 2p terminal", "Li2S6 S 2p bridging")
CLOSE = XpsOptions(search_ev=0.0)


def fitted(lines, seed=0, compounds=("Li2S6",), options=CLOSE, **made):
    spectra = [spectrum(lines, seed, **made)]
    return fit_regions(spectra, components_of(compounds, spectra), options)


def test_two_doublets_that_overlap_are_told_apart():
    found = fitted([*TERMINAL, *BRIDGING])
    assert found.converged, found.message
    for name, centre, area in zip(NAMES, (161.7, 163.1), (3000.0, 6000.0)):
        assert found.present[name]
        assert abs(found.centre[name].value - centre) < 3 * found.centre[name].sigma
        assert abs(found.area[name].value - area) < 3 * found.area[name].sigma
        assert found.area[name].sigma < 0.1 * area
    assert not found.unknown
    assert found.reduced_chi2 < 1.3


def test_the_statistical_errors_are_the_spread():
    found = [fitted([*TERMINAL, *BRIDGING], seed) for seed in range(150)]
    assert all(one.converged for one in found)
    for name in NAMES:
        for quantity in ("area", "centre", "width"):
            estimates = [getattr(one, quantity)[name] for one in found]
            spread = np.std([one.value for one in estimates], ddof=1)
            assert spread == pytest.approx(np.mean([one.sigma_stat for one in estimates]), rel=0.25), quantity


@pytest.mark.parametrize("shift", [-2.6, -1.0, 0.7, 2.6])
def test_a_layer_that_is_charged_is_found(shift):
    lines = [(centre + shift, width, area) for centre, width, area in (*TERMINAL, *BRIDGING)]
    found = fitted(lines, options=XpsOptions(search_ev=3.0))
    assert found.converged
    assert abs(found.shift["surface"].value - shift) < 3 * found.shift["surface"].sigma


def test_shifts_that_are_tried_together_fit_as_well_as_each_by_itself():
    gold = counted(
        "Au 4f",
        ENERGY - 78.0,
        spectrum([(161.0, 0.9, 4000.0), (164.6, 0.9, 3000.0)]).counts,
        seconds=1.0,
        pass_energy_ev=20.0,
        analyser=PAPER,
    )
    spectra = [spectrum([*TERMINAL, *BRIDGING]), gold]
    components = [*components_of(["Li2S6"], spectra, tied=True), *components_of(["Au"], spectra, "metal")]
    model = ActiveModel(spectra, components, XpsOptions())
    fit = ActiveFit(
        model,
        np.concatenate([one.counts for one in spectra]),
        np.concatenate([one.sigma for one in spectra]),
    )
    shifts = np.array([-2.0, -0.4, 0.0, 0.7])
    for layer in range(len(model.layers)):
        start = model.expected + 0.1 * model.expected_sigma
        alone = []
        for shift in shifts:
            moved = start.copy()
            moved[layer] = shift
            alone.append(fit.evaluate(moved).chi2)
        np.testing.assert_allclose(fit.chi2_of_shifts(start, layer, shifts), alone, rtol=1e-9)


def test_what_is_not_there_is_absent():
    found = fitted([*TERMINAL, *BRIDGING], compounds=("Li2S6", "LiTFSI"))
    assert found.converged
    assert not found.present["LiTFSI S 2p"]
    assert abs(found.area["LiTFSI S 2p"].value) < 4 * found.area["LiTFSI S 2p"].sigma
    assert 0 < found.area["LiTFSI S 2p"].sigma < 300.0


def test_noise_alone_holds_no_line():
    for seed in range(20):
        found = fitted([], seed, level=500.0)
        assert not any(found.present.values())
        assert not found.unknown


def test_a_line_that_nobody_asked_for_is_reported():
    for seed in range(5):
        found = fitted([*TERMINAL, *BRIDGING, (168.3, 1.0, 1200.0)], seed)
        (line,) = found.unknown
        assert abs(line.binding_ev.value - 168.3) < 3 * line.binding_ev.sigma
        assert abs(line.area.value - 1200.0) < 3 * line.area.sigma


def test_lines_that_are_tied_keep_the_strength_of_their_formula():
    """Terminal sulfur half as strong as bridging sulfur, where a line of something else lies on it."""
    spectra = [spectrum([*TERMINAL, *BRIDGING])]
    found = fit_regions(spectra, components_of(["Li2S6"], spectra, tied=True), CLOSE)
    ratio = found.area[NAMES[0]].value / found.area[NAMES[1]].value
    assert ratio == pytest.approx(0.5, rel=0.05)
    alone = fit_regions(spectra, components_of(["Li2S6"], spectra), CLOSE)
    assert found.area[NAMES[0]].sigma_stat < alone.area[NAMES[0]].sigma_stat


def test_a_fit_that_did_not_end_has_no_numbers():
    found = fitted([*TERMINAL, *BRIDGING], options=XpsOptions(search_ev=0.0, max_iterations=1))
    assert not found.converged
    assert "not converged" in found.message
    estimates = [*found.area.values(), *found.centre.values(), *found.width.values(), *found.shift.values()]
    assert np.isnan([one.value for one in estimates]).all()
    assert not any(found.present.values())


def test_a_line_that_is_not_where_it_was_looked_for_has_no_position():
    spectra = [spectrum(doublet(163.0, 0.9, 5000.0))]
    line = Component("off", "S 2p", "S 2p", "surface", 162.0, 0.9, binding_sigma_ev=0.01)
    found = fit_regions(spectra, [line], XpsOptions(search_ev=0.0, shift_sigma_ev=0.02))
    assert np.isnan(found.centre["off"].value)
    assert np.isnan(found.shift["surface"].value)
    with pytest.raises(XpsError, match=r"cannot be referred to off"):
        metal_reference(found, "off", 162.0)


def test_a_fitted_region_adds_up():
    found = fitted([*TERMINAL, *BRIDGING])
    shown = found.region("S 2p")
    np.testing.assert_allclose(shown.background + shown.components.sum(axis=1), shown.model)
    assert shown.component_names == NAMES
    assert np.mean(shown.residual**2) == pytest.approx(1.0, abs=0.3)
    with pytest.raises(XpsError, match="no region 'F 1s' was fitted; there are S 2p"):
        found.region("F 1s")


def test_what_cannot_be_fitted_is_refused():
    spectra = [spectrum([*TERMINAL, *BRIDGING])]
    good = components_of(["Li2S6"], spectra)
    with pytest.raises(XpsError, match=r"no line of LiF lies in the regions \(S 2p 156-173\.9 eV\)"):
        components_of(["LiF"], spectra)
    with pytest.raises(XpsError, match="nothing to fit"):
        fit_regions(spectra, [])
    with pytest.raises(XpsError, match="two components have the same name: Li2S6"):
        fit_regions(spectra, [*good, good[0]])
    with pytest.raises(XpsError, match="two regions have the same name"):
        fit_regions([*spectra, *spectra], good)
    with pytest.raises(XpsError, match="no component lies in region other"):
        fit_regions([*spectra, spectrum([], name="other")], good)
    with pytest.raises(XpsError, match="which was not measured"):
        fit_regions(spectra, [Component("x", "O 1s", "O 1s", "surface", 530.0, 1.0)])
    with pytest.raises(
        XpsError, match=r"200 eV lies outside of region S 2p, which reaches from 156 to 173\.9"
    ):
        fit_regions(spectra, [Component("x", "S 2p", "S 2p", "surface", 200.0, 1.0)])
    short = counted("S 2p", ENERGY[:16], np.ones(16), seconds=1, pass_energy_ev=20, analyser=PAPER)
    many = [Component(str(n), "S 2p", "S 2p", "surface", 156.5, 1.0) for n in range(4)]
    with pytest.raises(XpsError, match="16 points that can be used, too few for 4"):
        fit_regions([short], many)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"width_ev": 0.0}, "width is 0"),
        ({"binding_sigma_ev": -1.0}, "position is -1"),
        ({"tied": -1.0}, "tie"),
    ],
)
def test_a_component_without_sense_is_refused(changed, message):
    given = {
        "name": "x",
        "region": "S 2p",
        "level": "S 2p",
        "layer": "a",
        "binding_ev": 160.0,
        "width_ev": 1.0,
    }
    with pytest.raises(XpsError, match=message):
        Component(**given | changed)
