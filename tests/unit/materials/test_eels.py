import numpy as np
import pytest

from intercalate.materials.eels import (
    COBALT_WHITE_LINES,
    COMPOUNDS,
    CRITICAL_DOSES,
    EDGES,
    PLASMONS,
    critical_dose,
    mean_free_path_nm,
)
from intercalate.materials.model import Mark

MASSES = {
    "Li": 6.94, "C": 12.011, "N": 14.007, "O": 15.999, "F": 18.998, "Si": 28.085, "P": 30.974, "Co": 58.933,
}  # fmt: skip


def test_edges_are_found_by_element_and_shell_and_m_edges_lie_on_that_of_lithium():
    assert EDGES["O K"].onset_ev == 532.0
    lithium = EDGES["Li K"].onset_ev
    for metal in ("Mn", "Fe", "Co", "Ni"):
        assert abs(EDGES[f"{metal} M2,3"].onset_ev - lithium) < 15.0


@pytest.mark.parametrize("compound", COMPOUNDS.values(), ids=lambda one: one.key)
def test_masses_are_those_of_the_atoms(compound):
    expected = sum(MASSES[element] * count for element, count in compound.atoms)
    assert compound.molar_mass_g_mol == pytest.approx(expected, rel=0.005)


def test_atoms_of_lithium_oxide_are_those_of_its_cell():
    """Fm-3m, a 4.619 A, eight lithium and four oxygen."""
    assert COMPOUNDS["Li2O"].atoms_per_nm3("Li") == pytest.approx(8 / 0.4619**3, rel=0.01)
    assert COMPOUNDS["Li2O"].atoms_per_nm3("Co") == 0.0


def test_mean_free_paths_are_those_of_200_kev():
    """Between 80 and 250 nm, the shorter the denser, the longer the faster."""
    paths = [mean_free_path_nm(density, 200.0, 10.0, 20.0) for density in (0.5, 2.3, 5.0)]
    assert np.all(np.diff(paths) < 0)
    assert 80.0 < paths[-1] < paths[0] < 250.0
    assert mean_free_path_nm(2.3, 300.0, 10.0, 20.0) > paths[1] > mean_free_path_nm(2.3, 100.0, 10.0, 20.0)


def test_cold_samples_last_longer_and_unknown_ones_have_no_row():
    for row in CRITICAL_DOSES:
        cold = critical_dose(row.compound, True)
        warm = critical_dose(row.compound, False)
        assert cold is not None
        assert warm is not None
        assert cold.electrons_per_a2 > warm.electrons_per_a2
    carbonate = critical_dose("Li2CO3", False)
    assert carbonate is not None
    assert carbonate.electrons_per_a2 == 750.0
    assert critical_dose("Si", False) is None


def test_white_lines_fall_with_valence_and_hardly_above_three():
    ratios = [row.ratio for row in COBALT_WHITE_LINES]
    assert np.all(np.diff([row.valence for row in COBALT_WHITE_LINES]) > 0)
    assert np.all(np.diff(ratios) < 0)
    assert ratios[-2] - ratios[-1] < 0.1 * (ratios[0] - ratios[-2])


def test_what_was_chosen_for_illustration_is_marked():
    assert PLASMONS["LiPON"].source.mark is Mark.ILLUSTRATION
    assert PLASMONS["Li"].source.mark is Mark.RECALLED
