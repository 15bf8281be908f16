import numpy as np
import pytest

from intercalate.materials.xps import (
    AL_K_ALPHA_EV,
    COMPOUNDS,
    LEVELS,
    LITHIUM_OVERLAPS,
    XpsTableError,
    compound_named,
    level_named,
    separation_ev,
)


@pytest.mark.parametrize(("compound", "separation"), [("Li2O", 474.9), ("LiOH", 475.4), ("Li2CO3", 476.4)])
def test_oxygen_and_lithium_are_as_far_apart_as_decided(compound, separation):
    assert separation_ev(compound, "O 1s", "Li 1s") == pytest.approx(separation, abs=0.05)


@pytest.mark.parametrize("compound", COMPOUNDS.values(), ids=lambda one: one.key)
def test_a_compound_agrees_with_itself(compound):
    """Lines belong to its elements, and those of one level count all their atoms once."""
    for element, atoms in compound.elements.items():
        counted = {}
        for line in compound.levels:
            if LEVELS[line.level].element == element:
                counted[line.level] = counted.get(line.level, 0.0) + line.atoms
        for level, found in counted.items():
            assert found == pytest.approx(atoms, rel=0.01), level
        assert counted or element == "H"
    assert {LEVELS[line.level].element for line in compound.levels} <= set(compound.elements)
    names = [line.name for line in compound.levels]
    assert len(set(names)) == len(names)
    assert all((line.asymmetry > 0) <= compound.is_metallic for line in compound.levels)


@pytest.mark.parametrize("compound", COMPOUNDS.values(), ids=lambda one: one.key)
def test_electrons_come_from_nanometres(compound):
    paths = [compound.mean_free_path_nm(energy) for energy in (500.0, 800.0, 1200.0, 1430.0)]
    assert 0.5 < paths[0] < paths[-1] < 5.5
    assert np.all(np.diff(paths) > 0)


def test_the_mean_free_path_of_gold_is_that_of_optical_data():
    """1.78 nm at 1400 eV (Tanuma, Powell & Penn 1991, recalled); the equation is 10 % off (rms)."""
    assert COMPOUNDS["Au"].mean_free_path_nm(1400.0) == pytest.approx(1.78, rel=0.15)


def test_lines_that_overlap_with_lithium_are_near_it():
    for level, (binding, _) in LITHIUM_OVERLAPS.items():
        assert level in LEVELS
        assert abs(binding - 55.0) < 7.0


def test_every_line_can_be_excited():
    assert all(0 < line.binding_ev < AL_K_ALPHA_EV for one in COMPOUNDS.values() for line in one.levels)


def test_what_the_tables_do_not_hold_is_named():
    with pytest.raises(XpsTableError, match=r"'Li2O2'.*Li2CO3"):
        compound_named("Li2O2")
    with pytest.raises(XpsTableError, match="'Li 2s'"):
        level_named("Li 2s")
    with pytest.raises(XpsTableError, match="LiF has no line 'O 1s'; it has Li 1s, F 1s"):
        separation_ev("LiF", "O 1s", "Li 1s")
