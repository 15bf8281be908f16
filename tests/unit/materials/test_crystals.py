"""Crystals: against gemmi's space groups, bond lengths, known spacings and the old table of NMC811."""

from itertools import pairwise

import gemmi
import numpy as np
import pytest

from intercalate.materials import NMC811, Mark, electrode
from intercalate.materials.crystals import (
    crystal,
    crystal_phases,
    phase_diagram,
    powder_lines,
    unit_cell,
)
from intercalate.materials.tables import ELECTRODES

GROUPS = {
    "R-3m": "R -3 m:H",
    "Pnma": "P n m a",
    "Fd-3m": "F d -3 m:2",
    "Fm-3m": "F m -3 m",
    "Fddd": "F d d d:2",
}


def cartesian(phase, places, x=1.0):
    a, b, c = phase.lengths_at(x)
    if phase.group.is_hexagonal:
        axes = np.array([[a, 0, 0], [-b / 2, b * np.sqrt(0.75), 0], [0, 0, c]])
    else:
        axes = np.diag([a, b, c])
    return places @ axes


def shortest(phase, one, other, x=1.0):
    """Shortest distance from an atom of `one` to the atoms of `other` around it, in A."""
    cell = unit_cell(phase, x)
    first = next(places for element, places, _ in cell if element == one)[0]
    distances = []
    for element, places, _ in cell:
        if element != other:
            continue
        for shift in np.ndindex(3, 3, 3):
            difference = places + np.array(shift) - 1.0 - first
            distances.extend(np.linalg.norm(cartesian(phase, difference, x), axis=1))
    return min(d for d in distances if d > 0.1)


@pytest.mark.parametrize("key", crystal_phases())
def test_operations_and_number_of_atoms_are_those_of_the_space_group(key):
    phase = crystal(key)
    group = gemmi.SpaceGroup(GROUPS[phase.group.name])
    assert len(phase.group.rotations) == len(list(group.operations()))
    operations = list(group.operations())
    for atom, (_, places, _) in zip(phase.atoms, unit_cell(phase)):
        images = np.array([operation.apply_to_xyz(list(atom.at)) for operation in operations]) % 1.0
        apart = np.abs((images[:, None, :] - places[None, :, :] + 0.5) % 1.0 - 0.5).max(axis=2)
        # Each image is one of the places, and all places are as often an image.
        assert np.all(apart.min(axis=1) < 1e-6)
        assert set(np.bincount(apart.argmin(axis=1), minlength=len(places))) == {len(images) // len(places)}


@pytest.mark.parametrize("key", crystal_phases())
def test_lines_are_allowed_and_as_many_as_gemmi_says(key):
    phase = crystal(key)
    operations = gemmi.SpaceGroup(GROUPS[phase.group.name]).operations()
    lines = powder_lines(phase, least_d_angstrom=1.2)
    assert np.all(np.diff(lines.d_angstrom) < 0)
    for hkl, multiplicity in zip(lines.hkl, lines.multiplicity):
        index = tuple(int(i) for i in hkl)
        assert not operations.is_systematically_absent(index)
        images = {tuple(op.apply_to_hkl(index)) for op in operations.sym_ops}
        images |= {tuple(-i for i in image) for image in images}
        # Planes that happen to have the same spacing are one line.
        assert multiplicity >= len(images)


@pytest.mark.parametrize(
    ("key", "one", "other", "expected"),
    [
        ("LFP", "P", "O", 1.54),
        ("FePO4", "P", "O", 1.52),
        ("S8", "S", "S", 2.05),
        ("LMNO I", "Mn", "O", 1.94),
        ("LTO", "Ti", "O", 1.98),
        ("NMC111", "Ni", "O", 1.96),
        ("Li2S", "Li", "S", 2.475),
        ("LiF", "Li", "F", 2.013),
        ("Si", "Si", "Si", 2.352),
    ],
)
def test_bonds_are_as_long_as_known(key, one, other, expected):
    assert shortest(crystal(key), one, other) == pytest.approx(expected, abs=0.035)


DENSITIES = {"S8": 2.07, "Li2S": 1.66, "LiF": 2.64, "FePO4": 3.69, "LCO H1": 5.05, "LMNO I": 4.45}
DENSITIES |= {entry.key: entry.density_g_cm3 for entry in ELECTRODES if entry.key in crystal_phases()}


@pytest.mark.parametrize(("key", "expected"), DENSITIES.items())
def test_the_density_of_the_cell_is_that_of_the_tables(key, expected):
    phase = crystal(key)
    x = 0.0 if key in ("FePO4", "LTO") else 1.0
    mass = sum(
        gemmi.Element(element).weight * occupancy * len(places)
        for element, places, occupancy in unit_cell(phase, x)
    )
    assert mass / 0.602214 / phase.volume_at(x) == pytest.approx(expected, rel=0.04)


def test_volumes_change_as_known():
    lfp, fp = crystal("LFP"), crystal("FePO4")
    assert fp.volume_at(0.0) / lfp.volume_at(1.0) - 1 == pytest.approx(-0.066, abs=0.002)
    one, two, three = (crystal(f"LMNO {n}").volume_at(x) for n, x in (("I", 1.0), ("II", 0.5), ("III", 0.0)))
    assert two / one - 1 == pytest.approx(-0.029, abs=0.002)
    assert three / two - 1 == pytest.approx(-0.033, abs=0.002)
    nmc = crystal("NMC111")
    assert nmc.volume_at(0.38) / nmc.volume_at(1.0) - 1 == pytest.approx(-0.012, abs=0.006)


def test_known_lines_are_strong_and_where_they_are():
    lfp = powder_lines(crystal("LFP"))
    strong = lfp.d_angstrom[np.argsort(lfp.strength / lfp.d_angstrom**-2)[::-1][:6]]
    for d in (5.16, 4.28, 3.49, 3.00, 2.52):
        assert np.abs(strong - d).min() < 0.02
    lmno = powder_lines(crystal("LMNO I"))
    assert lmno.d_angstrom[0] == pytest.approx(8.17 / np.sqrt(3))
    assert lmno.d_angstrom[np.argmax(lmno.strength / lmno.d_angstrom**-2)] == pytest.approx(8.17 / np.sqrt(3))
    s8 = powder_lines(crystal("S8"), 0.0, least_d_angstrom=2.0)
    strongest = s8.d_angstrom[np.argmax(s8.strength / s8.d_angstrom**-2)]
    assert strongest == pytest.approx(3.845, abs=0.01)


def test_layered_lines_are_those_of_the_table_of_nmc811():
    lines = powder_lines(crystal("NMC622"), least_d_angstrom=1.06)
    found = {int(m) for m in lines.multiplicity}
    assert found <= {2, 6, 12, 24}
    tabulated = {(r.h, r.k, int(r.l)) for r in NMC811.reflections}
    assert len(lines.d_angstrom) == pytest.approx(len(tabulated), abs=2)


def test_anomalous_scattering_changes_iron_near_its_edge():
    far, near = (powder_lines(crystal("LFP"), energy_kev=e).strength for e in (25.0, 7.15))
    plain = powder_lines(crystal("LFP")).strength
    assert np.median(np.abs(far / plain - 1)) < 0.05
    assert np.median(np.abs(near / plain - 1)) > 0.05


def test_shares_obey_the_lever_rule():
    x = np.linspace(0.0, 1.0, 101)
    for material in ("LFP", "LMNO", "LCO", "NMC111", "LTO"):
        shares = phase_diagram(material).shares(x)
        total = sum(share for share, _ in shares.values())
        content = sum(share * inside for share, inside in shares.values())
        assert total == pytest.approx(1.0)
        assert content == pytest.approx(x)
        assert all(key in crystal_phases() for key in shares)
    shares = phase_diagram("LFP").shares(0.5)
    assert shares["LFP"][0] == pytest.approx((0.5 - 0.04) / (0.93 - 0.04))


def test_windows_rise_and_lie_apart_and_every_source_is_marked():
    for key in crystal_phases():
        phase = crystal(key)
        contents = [row.li_content for row in phase.lattice]
        assert contents == sorted(contents)
        for source in (phase.structure, *(row.source for row in phase.lattice)):
            assert source.citation
            assert isinstance(source.mark, Mark)
    for entry in ELECTRODES:
        if entry.key in ("NMC811", "graphite", "Li", "LVO", "Si", "SiO", "S"):
            continue
        windows = phase_diagram(entry.key).windows
        assert electrode(entry.key)
        for before, after in pairwise(windows):
            assert before[2] < after[1]


def test_what_is_not_known_or_out_of_range_is_refused():
    with pytest.raises(KeyError, match="known are NMC111"):
        crystal("NCA")
    with pytest.raises(KeyError, match="known are NMC111"):
        phase_diagram("NCA")
    with pytest.raises(ValueError, match="li_content"):
        powder_lines(crystal("LFP"), 1.5)
    with pytest.raises(ValueError, match="least_d_angstrom"):
        powder_lines(crystal("LFP"), least_d_angstrom=0.01)
