"""Lines of the calibrants against gemmi's structure factors and pyFAI's tables."""

import gemmi
import numpy as np
import pytest
from pyFAI.calibrant import get_calibrant

from intercalate_sims.probes import scattering
from intercalate_sims.probes.calibrant import CALIBRANTS

WAVELENGTH_ANGSTROM = 0.4959


def asymmetric_unit(name):
    if name == "LaB6":
        return "P m -3 m", [("La", (0, 0, 0), 0.4), ("B", (0.1991, 0.5, 0.5), 0.3)]
    return "F d -3 m:1", [("Si", (0, 0, 0), 0.5)]


def gemmi_intensities(name, a):
    """Spacing and multiplicity times |F|^2 of every family of planes down to 1 A."""
    group, sites = asymmetric_unit(name)
    structure = gemmi.SmallStructure()
    structure.cell = gemmi.UnitCell(a, a, a, 90, 90, 90)
    operations = gemmi.SpaceGroup(group).operations()
    for element, position, b in sites:
        images = {tuple(np.round(np.mod(op.apply_to_xyz(position), 1.0), 6) % 1.0) for op in operations}
        for number, image in enumerate(sorted(images)):
            site = gemmi.SmallStructure.Site()
            site.label, site.element, site.type_symbol = f"{element}{number}", gemmi.Element(element), element
            site.fract, site.occ, site.u_iso = gemmi.Fractional(*image), 1.0, b / (8 * np.pi**2)
            structure.add_site(site)
    calculator = gemmi.StructureFactorCalculatorX(structure.cell)
    found: dict[float, float] = {}
    for h, k, l in np.ndindex(13, 13, 13):  # noqa: E741
        hkl = [h - 6, k - 6, l - 6]
        if hkl == [0, 0, 0] or (d := structure.cell.calculate_d(hkl)) < 1.0:
            continue
        squared = abs(calculator.calculate_sf_from_small_structure(structure, hkl)) ** 2
        found[round(d, 6)] = found.get(round(d, 6), 0.0) + squared
    return found


@pytest.mark.parametrize(("name", "a"), [("LaB6", 4.156826), ("Si", 5.431179)])
def test_lines_are_where_gemmi_puts_them_and_as_strong(name, a):
    lines = CALIBRANTS[name].lines(WAVELENGTH_ANGSTROM, smallest_d_angstrom=1.0)
    cells = CALIBRANTS[name].thickness_um * 1e4 / a**3
    expected = gemmi_intensities(name, a)
    for inverse_d, fraction in zip(lines.inverse_d, lines.fraction):
        squared = expected.pop(round(1 / inverse_d, 6))
        alone = scattering.cone_fraction(
            np.array(squared), 1.0, a**3, cells, np.array(inverse_d), WAVELENGTH_ANGSTROM
        )
        assert fraction == pytest.approx(float(alone), rel=1e-4)
    assert max(expected.values(), default=0.0) < 1e-3


@pytest.mark.parametrize("name", ["LaB6", "Si"])
def test_spacings_are_those_of_the_certified_material(name):
    """pyFAI's own table is of the same standard, to within a few parts in 1e5 between its editions."""
    lines = CALIBRANTS[name].lines(WAVELENGTH_ANGSTROM)
    theirs = np.array(get_calibrant(name).dspacing[:12])
    ours = 1 / np.sort(lines.inverse_d)
    for d in theirs[theirs > 0.9]:
        assert np.abs(ours / d - 1).min() < 5e-5


def test_form_factors_of_the_calibrants_are_those_of_the_international_tables():
    for element in ("La", "B", "Si"):
        for inverse_d in (0.0, 0.3, 0.9):
            expected = gemmi.Element(element).it92.calculate_sf((inverse_d / 2) ** 2)
            assert scattering.form_factor(element, np.array(inverse_d)) == pytest.approx(expected, rel=1e-6)
