import gemmi
import numpy as np
import pytest

from intercalate.materials import GRAPHITE, NMC811
from intercalate_sims.probes import scattering


def gemmi_structure(cell, group, sites):
    """Structure in P1 with every image of every site, so that occupancies are those of the sites."""
    structure = gemmi.SmallStructure()
    structure.cell = gemmi.UnitCell(*cell)
    operations = gemmi.SpaceGroup(group).operations()
    for element, position, occupancy, u_iso in sites:
        images = {
            tuple(np.round(np.mod(operation.apply_to_xyz(position), 1.0), 6) % 1.0)
            for operation in operations
        }
        for number, image in enumerate(sorted(images)):
            site = gemmi.SmallStructure.Site()
            site.label = f"{element}{number}"
            site.element = gemmi.Element(element)
            site.type_symbol = element
            site.fract = gemmi.Fractional(*image)
            site.occ = occupancy
            site.u_iso = u_iso
            structure.add_site(site)
    return structure


@pytest.mark.parametrize("element", ["Li", "C", "O", "Al", "Mn", "Co", "Ni", "Cu"])
def test_form_factors_are_those_of_the_international_tables(element):
    for inverse_d in (0.0, 0.2, 0.5, 0.9):
        expected = gemmi.Element(element).it92.calculate_sf((inverse_d / 2) ** 2)
        assert scattering.form_factor(element, np.array(inverse_d)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("x", "a", "c"), [(1.0, 2.872, 14.20), (0.4, 2.8205, 14.43)])
def test_oxide_structure_factors_are_those_of_gemmi(x, a, c):
    z = NMC811.oxygen_z[0] + NMC811.oxygen_z[1] * (1 - x)
    u_iso = scattering.DEBYE_WALLER_B_ANGSTROM2["oxide"] / (8 * np.pi**2)
    sites = [(metal, (0, 0, 0), share, u_iso) for metal, share in NMC811.metals]
    sites += [("Li", (0, 0, 0.5), x, u_iso), ("O", (0, 0, z), 1.0, u_iso)]
    structure = gemmi_structure((a, a, c, 90, 90, 120), "R -3 m:H", sites)
    calculator = gemmi.StructureFactorCalculatorX(structure.cell)
    for r in NMC811.reflections:
        hkl = (r.h, r.k, int(r.l))
        inverse_d = scattering.inverse_d_hexagonal(r.h, r.k, r.l, np.array(a), np.array(c))
        assert 1 / inverse_d == pytest.approx(structure.cell.calculate_d(hkl), rel=1e-9)
        expected = abs(calculator.calculate_sf_from_small_structure(structure, hkl)) ** 2
        found = scattering.oxide_structure_factor_squared(NMC811, np.array(r.l), np.array(x), inverse_d)
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-3), hkl


def test_stage_1_structure_factors_are_those_of_lithium_carbide_c6():
    a_host, d = 2.486, 3.70
    u_iso = scattering.DEBYE_WALLER_B_ANGSTROM2["graphite"] / (8 * np.pi**2)
    a = a_host * np.sqrt(3)
    sites = [("Li", (0, 0, 0.5), 1.0, u_iso), ("C", (0.333333333, 0, 0), 1.0, u_iso)]
    structure = gemmi_structure((a, a, d, 90, 90, 120), "P 6/m m m", sites)
    calculator = gemmi.StructureFactorCalculatorX(structure.cell)
    for r in GRAPHITE.reflections["AA"]:
        hkl = (r.h + 2 * r.k, r.h - r.k, int(r.l)) if (r.h, r.k) != (0, 0) else (0, 0, int(r.l))
        inverse_d = scattering.inverse_d_hexagonal(r.h, r.k, r.l, np.array(a_host), np.array(d))
        assert 1 / inverse_d == pytest.approx(structure.cell.calculate_d(hkl), rel=1e-9), r.name
        expected = abs(calculator.calculate_sf_from_small_structure(structure, hkl)) ** 2 / 9
        found = scattering.graphite_structure_factor_squared(
            "1", r.h, r.k, r.l, np.array(1.0), np.array(d), inverse_d
        )
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-3), r.name


def test_empty_graphite_structure_factors_are_those_of_gemmi():
    a, d = 2.461, 3.355
    u_iso = scattering.DEBYE_WALLER_B_ANGSTROM2["graphite"] / (8 * np.pi**2)
    sites = [("C", (0, 0, 0.25), 1.0, u_iso), ("C", (0.333333333, 0.666666667, 0.25), 1.0, u_iso)]
    structure = gemmi_structure((a, a, 2 * d, 90, 90, 120), "P 63/m m c", sites)
    calculator = gemmi.StructureFactorCalculatorX(structure.cell)
    for r in GRAPHITE.reflections["AB"]:
        hkl = (r.h, r.k, int(2 * r.l))
        inverse_d = scattering.inverse_d_hexagonal(r.h, r.k, r.l, np.array(a), np.array(d))
        expected = abs(calculator.calculate_sf_from_small_structure(structure, hkl)) ** 2 / 4
        found = scattering.graphite_structure_factor_squared(
            "1'", r.h, r.k, r.l, np.array(0.0), np.array(d), inverse_d
        )
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-3), r.name


def test_texture_of_platelets_weakens_basal_lines_and_strengthens_the_others():
    inverse_d = np.array([1 / 3.7, 1 / 2.15])
    factor = scattering.march_dollase(inverse_d, np.array([1 / 3.7, 0.0]), 1.4)
    assert factor[0] == pytest.approx(1.4**-3)
    assert factor[1] == pytest.approx(1.4**1.5)
    np.testing.assert_allclose(scattering.march_dollase(inverse_d, np.zeros(2), 1.0), 1.0)
