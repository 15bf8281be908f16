"""X-ray spectra: what is refused, and arithmetic that needs no simulator."""

from dataclasses import replace

import numpy as np
import pytest

from intercalate.materials.eds import STANDARD_DETECTOR, WINDOWLESS_DETECTOR
from intercalate.reduction.eds import (
    LithiumVerdict,
    SpectrumError,
    axis_on_paper,
    calibrated_axis,
    composition,
    element_maps,
    fit_lines,
    lithium,
)
from intercalate.reduction.eds.lines import line_shapes
from intercalate.reduction.results import Estimate

AXIS = axis_on_paper(STANDARD_DETECTOR)


def flat(level=20.0):
    return np.full(STANDARD_DETECTOR.channels, level)


def test_a_straight_background_has_no_lines():
    straight = 500.0 - 0.2 * np.arange(STANDARD_DETECTOR.channels)
    found = fit_lines(straight, ("Fe", "La"), AXIS, STANDARD_DETECTOR, 15.0)
    assert not any(found.detected.values())
    assert max(one.value for one in found.counts.values()) < 1.0


def test_areas_of_lines_come_back_and_unknown_ones_are_told():
    shapes = line_shapes(("P", "Zr", "Fe"), AXIS, STANDARD_DETECTOR, 15.0)
    true = dict(zip(shapes.names, (30000.0, 0.0, 20000.0, 0.0, 40000.0, 0.0)))
    spectrum = 30.0 + np.array([true[name] for name in shapes.names]) @ shapes.area
    found = fit_lines(spectrum, ("P", "Zr"), AXIS, STANDARD_DETECTOR, 15.0)
    for name in ("P K", "Zr L"):
        assert found.counts[name].value == pytest.approx(true[name], rel=0.02)
    iron = next(one for one in shapes.names if one.startswith("Fe") and true[one] > 0)
    assert iron
    assert found.overlap["P K"][0] == "Zr L"
    assert any(abs(energy - 6400) < 150 or abs(energy - 705) < 60 for energy in found.unknown_ev)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (np.zeros(STANDARD_DETECTOR.channels), "0 counts"),
        (np.full(STANDARD_DETECTOR.channels, np.nan), "no counts"),
        (np.full(STANDARD_DETECTOR.channels, -1.0), "no counts"),
        (np.ones(100), "shape"),
    ],
)
def test_what_is_no_spectrum_is_refused(counts, words):
    with pytest.raises(SpectrumError, match=words):
        fit_lines(counts, ("Fe",), AXIS, STANDARD_DETECTOR, 15.0)
    with pytest.raises(SpectrumError, match=words):
        lithium(counts, AXIS, STANDARD_DETECTOR, 3.0)


def test_lines_that_cannot_be_excited_are_refused():
    with pytest.raises(SpectrumError, match="Si has no line"):
        fit_lines(flat(), ("Si",), AXIS, STANDARD_DETECTOR, 1.5)
    with pytest.raises(SpectrumError, match="not quantified"):
        fit_lines(flat(), ("Li", "O"), AXIS, STANDARD_DETECTOR, 3.0)
    with pytest.raises(SpectrumError, match="no element was detected"):
        composition(fit_lines(flat(), ("Fe",), AXIS, STANDARD_DETECTOR, 15.0), STANDARD_DETECTOR, 15.0)
    with pytest.raises(SpectrumError, match="lines were found"):
        calibrated_axis({"Cu": flat()}, STANDARD_DETECTOR)
    with pytest.raises(SpectrumError, match="rows, columns"):
        element_maps(flat(), ("Fe",), AXIS, STANDARD_DETECTOR, 15.0)


@pytest.mark.parametrize("more", ["P K", "Zr L", "O K"])
def test_fractions_are_as_uncertain_as_they_answer_to_areas(more):
    """The matrix answers too: an area that alone is off moves all fractions by their errors."""
    shapes = line_shapes(("P", "Zr", "O"), AXIS, STANDARD_DETECTOR, 15.0)
    # Zirconium is measured by its L lines: its K lines are as good as absent.
    true = {"P K": 3e4, "Zr L": 6e4, "O K": 2e4}
    spectrum = 30.0 + np.array([true.get(name, 0.0) for name in shapes.names]) @ shapes.area
    fit = fit_lines(spectrum, ("P", "Zr", "O"), AXIS, STANDARD_DETECTOR, 15.0)
    at, area = list(fit.counts).index(more), fit.counts[more]
    covariance = np.zeros_like(fit.covariance_stat)
    covariance[at, at] = (0.01 * area.value) ** 2
    said = composition(replace(fit, covariance_stat=covariance), STANDARD_DETECTOR, 15.0)
    moved = fit.counts | {more: Estimate(1.01 * area.value, area.sigma_stat, area.sigma_sys)}
    other = composition(replace(fit, counts=moved), STANDARD_DETECTOR, 15.0)
    for now, then in (
        (said.mass_fraction, other.mass_fraction),
        (said.atomic_fraction, other.atomic_fraction),
    ):
        for name, one in now.items():
            assert one.sigma_stat == pytest.approx(abs(then[name].value - one.value), rel=0.05, abs=2e-5)


def test_lithium_is_not_detectable_where_it_cannot_be():
    assert lithium(flat(), AXIS, STANDARD_DETECTOR, 3.0).verdict is LithiumVerdict.NOT_DETECTABLE
    soft = axis_on_paper(WINDOWLESS_DETECTOR)
    deep = lithium(np.full(WINDOWLESS_DETECTOR.channels, 20.0), soft, WINDOWLESS_DETECTOR, 15.0)
    assert deep.verdict is LithiumVerdict.NOT_DETECTABLE
    assert "5 kV are the most" in deep.reason


def test_maps_of_empty_masks_and_unknown_names():
    cube = np.random.default_rng(0).poisson(2.0, (6, 6, STANDARD_DETECTOR.channels))
    found = element_maps(cube, ("Fe",), AXIS, STANDARD_DETECTOR, 15.0)
    assert np.all(found.counts["Fe K"] >= 0)
    with pytest.raises(SpectrumError, match="no map of O K"):
        found.mean("O K")
    with pytest.raises(SpectrumError, match="no pixel"):
        found.mean("Fe K", np.zeros((6, 6), dtype=bool))
