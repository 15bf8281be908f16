"""Lines and detectors of X-ray spectra against figures that are known otherwise."""

import numpy as np
import pytest

from intercalate.materials.eds import (
    LITHIUM_K_EV,
    STANDARD_DETECTOR,
    WINDOWLESS_DETECTOR,
    emission_lines,
    mass_absorption_cm2_g,
)
from intercalate.materials.electron_range import (
    IMAGED_MATERIALS,
    backscatter_coefficient,
    electron_range_um,
)


def strongest(element, family):
    lines = [one for one in emission_lines(element) if one.family == family]
    return max(lines, key=lambda one: one.branching * one.shell_electrons).energy_ev / 1e3


@pytest.mark.parametrize(
    ("element", "family", "kev"),
    [
        ("C", "K", 0.277),
        ("O", "K", 0.525),
        ("F", "K", 0.677),
        ("P", "K", 2.010),
        ("Fe", "K", 6.400),
        ("Co", "K", 6.925),
        ("Cu", "K", 8.041),
        ("La", "L", 4.649),
        ("Zr", "L", 2.042),
        ("Fe", "L", 0.705),
    ],
)
def test_energies_of_the_reference(element, family, kev):
    assert strongest(element, family) == pytest.approx(kev, abs=0.008)


def test_lithium_has_one_line_and_other_names_are_refused():
    (line,) = emission_lines("Li")
    assert line.energy_ev == LITHIUM_K_EV
    with pytest.raises(ValueError, match="no element 'Xx'"):
        emission_lines("Xx")


def test_only_a_windowless_detector_sees_lithium():
    soft = np.array([LITHIUM_K_EV])
    assert WINDOWLESS_DETECTOR.efficiency(soft)[0] > 0.5
    assert STANDARD_DETECTOR.efficiency(soft)[0] < 0.05
    assert STANDARD_DETECTOR.efficiency(np.array([5000.0]))[0] > 0.7
    assert STANDARD_DETECTOR.efficiency(np.array([277.0]))[0] > 0.05


def test_resolution_at_manganese_is_that_of_good_detectors():
    assert 120 < STANDARD_DETECTOR.width_ev(5895.0) < 135


def test_absorption_jumps_at_an_edge():
    below, above = mass_absorption_cm2_g("O", np.array([540.0, 545.0]))
    assert above > 10 * below


def test_range_and_backscattering():
    # Carbon at 20 kV: some micrometres; heavier elements send more electrons back.
    assert 2.0 < electron_range_um(20.0, 12.01, 6.0, 2.2) < 5.0
    assert 4 * electron_range_um(5.0, 12.01, 6.0, 2.2) < electron_range_um(20.0, 12.01, 6.0, 2.2)
    back = backscatter_coefficient(np.array([3.0, 6.0, 29.0, 79.0]))
    assert np.all(np.diff(back) > 0)
    assert back[-1] == pytest.approx(0.49, abs=0.04)
    for material in IMAGED_MATERIALS.values():
        assert sum(share for _, share in material.mass_fractions) == pytest.approx(1.0)
