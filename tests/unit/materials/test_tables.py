import re

import gemmi
import numpy as np
import pytest

from intercalate import materials
from intercalate.materials import GRAPHITE, NMC811, PHASES, CubicMetal, Graphite, LayeredOxide, Mark, Polymer
from intercalate.materials.tables import ELECTRODES


@pytest.mark.parametrize(
    ("key", "expected"),
    [("NMC811", 275.5), ("graphite", 371.9), ("Li", 3861.9)],
    ids=["oxide", "carbon", "metal"],
)
def test_specific_capacity_follows_from_molar_mass(key, expected):
    assert materials.electrode(key).capacity_mah_per_g_per_x == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("entry", ELECTRODES, ids=lambda entry: entry.key)
def test_molar_mass_is_that_of_the_reference_formula(entry):
    parts = re.findall(r"([A-Z][a-z]?)([0-9.]*)", entry.reference_formula)
    mass = sum(float(count or 1) * gemmi.Element(element).weight for element, count in parts)
    assert entry.molar_mass_g_mol == pytest.approx(mass, rel=1.5e-3)


def test_unknown_keys_are_refused_with_the_known_ones():
    with pytest.raises(KeyError, match="NMC811, graphite, Li"):
        materials.electrode("LMO")
    with pytest.raises(KeyError, match="Al, Cu, Li"):
        materials.metal("Ni")
    with pytest.raises(KeyError, match="PE, Kapton"):
        materials.polymer("Al")
    with pytest.raises(KeyError, match="2L"):
        GRAPHITE.stage("5")


def test_every_phase_of_the_brief_is_there_and_of_its_kind():
    kinds = {key: type(phase) for key, phase in PHASES.items()}
    assert kinds == {
        "NMC811": LayeredOxide,
        "graphite": Graphite,
        "Al": CubicMetal,
        "Cu": CubicMetal,
        "Li": CubicMetal,
        "PE": Polymer,
        "Kapton": Polymer,
    }


def test_oxide_reflections_and_multiplicities_are_those_of_the_space_group():
    group = gemmi.SpaceGroup("R -3 m:H")
    operations = group.operations()
    cell = gemmi.UnitCell(2.872, 2.872, 14.20, 90, 90, 120)
    region = gemmi.ReciprocalAsu(group)
    expected = {}
    for h in range(4):
        for k in range(4):
            for index_l in range(-20, 21):
                hkl = (h, k, index_l)
                if hkl == (0, 0, 0) or operations.is_systematically_absent(hkl):
                    continue
                if cell.calculate_d(hkl) < 1.06:
                    continue
                unique = tuple(region.to_asu(hkl, operations)[0])
                images = {tuple(operation.apply_to_hkl(unique)) for operation in operations.sym_ops}
                images |= {tuple(-index for index in image) for image in images}
                expected[unique] = len(images)
    found = {
        tuple(region.to_asu((r.h, r.k, int(r.l)), operations)[0]): r.multiplicity for r in NMC811.reflections
    }
    assert found == expected


@pytest.mark.parametrize(("key", "group"), [("Al", "F m -3 m"), ("Cu", "F m -3 m"), ("Li", "I m -3 m")])
def test_reflections_of_metals_are_allowed_and_complete(key, group):
    table = materials.metal(key)
    operations = gemmi.SpaceGroup(group).operations()
    last = max(r.h**2 + r.k**2 + r.l**2 for r in table.reflections)
    expected = {}
    for h in range(4):
        for k in range(h + 1):
            for index_l in range(k + 1):
                squared = h * h + k * k + index_l * index_l
                if 0 < squared <= last and not operations.is_systematically_absent((h, k, index_l)):
                    images = {tuple(o.apply_to_hkl((h, k, index_l))) for o in operations.sym_ops}
                    expected[(h, k, index_l)] = len(images)
    assert {(r.h, r.k, int(r.l)): r.multiplicity for r in table.reflections} == expected


def test_oxide_rows_fall_in_lithium_and_c_peaks_between_045_and_050():
    x = [row.li_content for row in NMC811.lattice]
    assert x == sorted(x, reverse=True)
    assert (x[0], x[-1]) == (1.0, 0.0)
    highest = max(NMC811.lattice, key=lambda row: row.c_angstrom)
    assert 0.45 <= highest.li_content <= 0.50
    assert sum(share for _, share in NMC811.metals) == pytest.approx(1.0)


def test_volume_change_on_charge_to_4_3_v_is_that_of_kondrakov():
    rows = {row.li_content: row for row in NMC811.lattice}
    volume = {x: rows[x].a_angstrom ** 2 * rows[x].c_angstrom for x in (1.0, 0.22)}
    assert volume[0.22] / volume[1.0] - 1 == pytest.approx(-0.051, abs=0.003)


def test_stages_are_in_order_and_spacings_grow():
    assert [stage.key for stage in GRAPHITE.stages] == ["1'", "4", "3", "2L", "2", "1"]
    for before, after in zip(GRAPHITE.stages[:-1], GRAPHITE.stages[1:]):
        assert before.li_content[1] < after.li_content[0]
        assert before.layer_spacing_angstrom[1] < after.layer_spacing_angstrom[0]
        assert before.in_plane_a_angstrom[1] < after.in_plane_a_angstrom[0]


def test_layer_structure_factors_follow_from_form_factors():
    def form_factor(element, d):
        return gemmi.Element(element).it92.calculate_sf(1 / (4 * d * d))

    for stage in GRAPHITE.stages:
        d, x = stage.layer_spacing_angstrom[1], stage.li_content[1]
        carbon, lithium = 6 * form_factor("C", d), form_factor("Li", d)
        if stage.key == "2":
            amplitude = carbon * np.cos(np.pi * 3.70 / d) + lithium / 2
        else:
            amplitude = carbon - x * lithium
        assert stage.layer_structure_factor == pytest.approx(abs(amplitude), abs=0.01), stage.key


def test_every_source_has_a_citation_and_a_mark():
    sources = [row.source for row in NMC811.lattice] + [stage.source for stage in GRAPHITE.stages]
    sources += [entry.source for entry in PHASES.values() if isinstance(entry, CubicMetal | Polymer)]
    sources += [
        line.source for entry in PHASES.values() if isinstance(entry, Polymer) for line in entry.lines
    ]
    for source in sources:
        assert source.citation
        assert isinstance(source.mark, Mark)


def test_names_of_reflections_are_unambiguous():
    for phase in PHASES.values():
        if isinstance(phase, Graphite):
            lists = list(phase.reflections.values())
        elif isinstance(phase, LayeredOxide | CubicMetal):
            lists = [phase.reflections]
        else:
            continue
        for reflections in lists:
            names = [reflection.name for reflection in reflections]
            assert len(set(names)) == len(names)
