"""What a trench shows: by the state of the cell, once it is deep enough, and nowhere beside it."""

from dataclasses import replace

import numpy as np
import pytest

from intercalate.milled_results import wall_of
from intercalate.reduction.micrographs import Inside, micrograph
from intercalate_sims.cell.interface import ElectrodeState
from intercalate_sims.changer import Holder, InBeam
from intercalate_sims.milling import Cut
from intercalate_sims.probes.sem_image import HiddenMicroscope, ImageConditions
from intercalate_sims.probes.sem_milled import HiddenInterior, Interior, opened_isle, opened_place
from intercalate_sims.probes.sem_sample import HiddenSection, SectionLaw
from intercalate_sims.probes.sem_section import CrossSection, SectionBodies, SectionLayer
from intercalate_sims.probes.sem_station import ImagingStation, Specimens
from intercalate_sims.probes.shot import Shot

from .cells import full_cell_state

NEEDLES = ("needles", 0.1, 2.0, 9.0)
MOSS = ("moss", 0.3, 4.0, 4.0)
HIDDEN = HiddenInterior()


def lithium(*deposits: tuple[str, float, float, float]) -> ElectrodeState:
    return ElectrodeState("Li", (), (), 50.0, 0.0, deposits=deposits)


def cut(**changes: float) -> Cut:
    values = {"x_mm": 0.1, "y_mm": 0.0, "width_um": 8.0, "height_um": 8.0, "asked": 3.0, **changes}
    return Cut(**{"temperature_c": 25.0, "um3_per_nc": 0.5, "reached": 3.0, **values})


def shot(*cuts: Cut, field_um: float = 6.0, at_mm: float = 0.1, start_s: float = 50.0) -> Shot:
    state = replace(full_cell_state(0.5, 0.5), negative=lithium(NEEDLES, MOSS))
    return Shot(
        start_s=start_s,
        exposure_s=20.0,
        photons_s=3e9,
        full_photons_s=3e9,
        energy_kev=5.0,
        size_mm=(field_um / 1000.0, field_um / 1000.0),
        in_beam=InBeam(Holder("V1", "C1", 0.0, 0.0), 1.0, 0.0, (at_mm, 0.0)),
        settings={"detector": "secondary electrons", "temperature_c": 25.0},
        states=[(1.0, state)],
        milled=cuts,
    )


def specimens(seed: int = 5, interior: Interior = Interior.REAL) -> Specimens:
    microscope = HiddenMicroscope.draw(seed)
    faces = {"C1": "negative"}
    return Specimens({}, HiddenSection(), SectionLaw.REAL, microscope, seed, faces, interior=interior)


def image(one: Shot, seed: int = 5, interior: Interior = Interior.REAL) -> np.ndarray:
    station = ImagingStation(specimens(seed, interior), (512, 512), 1e4, seed)
    return station.take(one, 1)[0].astype(np.uint8)


@pytest.mark.parametrize(
    ("law", "hollow", "materials", "perforated"),
    [
        (Interior.REAL, True, {"lithium carbide"}, True),
        (Interior.FILLED, False, {"lithium carbide"}, False),
        (Interior.METAL, False, {"lithium"}, False),
    ],
)
def test_a_needle_is_as_the_law_says(
    law: Interior, hollow: bool, materials: set[str], perforated: bool
) -> None:
    place = opened_place(lithium(NEEDLES, MOSS), HIDDEN, law, "polymer electrolyte")
    assert place is not None
    assert (place.wall_um is not None, {place.shell, place.interior}) == (hollow, materials)
    assert (place.diameter_um, place.perforated, place.under) == (2.0, perforated, "polymer electrolyte")


def test_the_tallest_is_what_a_cut_is_aimed_at_and_moss_is_metal_below_its_film() -> None:
    place = opened_place(lithium(MOSS), HIDDEN, Interior.REAL, "LLZO")
    assert place is not None
    assert (place.wall_um, place.shell, place.interior) == (None, "passivated lithium", "lithium")
    assert opened_place(lithium(), HIDDEN, Interior.REAL, "LLZO") is None


def test_an_isle_of_a_section_is_metal_and_where_there_is_none_there_is_none() -> None:
    layers = [SectionLayer("lithium", 15.0, 0.6), SectionLayer("polymer electrolyte", 25.0, 0.6)]
    place = opened_isle(CrossSection(layers, isles=SectionBodies(20.0, 6.0, 3.0)))
    assert place is not None
    assert (place.interior, place.under) == ("lithium", "polymer electrolyte")
    assert opened_isle(CrossSection(layers)) is None


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize(
    ("law", "inside", "perforated"),
    [
        (Interior.REAL, Inside.HOLLOW, "yes"),
        (Interior.FILLED, Inside.FILLED, "no"),
        (Interior.METAL, Inside.FILLED, "no"),
    ],
)
def test_the_wall_is_read_back(seed: int, law: Interior, inside: Inside, perforated: str) -> None:
    found = wall_of(micrograph(image(shot(cut()), seed, law), 6.0 / 512, 0.03 * 6.0 / 512))
    assert (found.inside, found.perforated) == (inside, perforated)
    wall = found.quantities["milled.wall_um"]
    assert np.isfinite(wall.value) == (law is Interior.REAL)
    if law is Interior.REAL:
        true_um = 2.0 * HiddenInterior.draw(seed).wall_share
        assert abs(wall.value - true_um) < 3 * wall.sigma


@pytest.mark.parametrize("seed", [100, 101, 102, 103, 104, 105])
@pytest.mark.parametrize(
    ("law", "wrong"),
    [(Interior.REAL, Inside.FILLED), (Interior.FILLED, Inside.HOLLOW), (Interior.METAL, Inside.HOLLOW)],
)
def test_a_wall_that_heat_has_moved_is_judged_where_it_is_or_not_at_all(
    seed: int, law: Interior, wrong: Inside
) -> None:
    """Milled cold with much current, and looked at when it is warm again."""
    cold = cut(temperature_c=-150.0, current_na=5.0)
    found = wall_of(micrograph(image(shot(cold), seed, law), 6.0 / 512, 0.03 * 6.0 / 512))
    assert found.inside != wrong
    if not found.quantities:
        assert found.note


def test_before_the_cut_has_reached_its_middle_there_is_a_pit() -> None:
    one = specimens()
    grid = one.probe.grid(ImageConditions(columns=64, rows=64, pixel_um=0.1, x_um=100.0), 50.0)
    whole = one.relief(shot(), grid)
    pit = one.relief(shot(cut(reached=0.5)), grid)
    assert np.array_equal(pit.material, whole.material)
    assert np.allclose(whole.height_um - pit.height_um, 0.5)
    opened = one.relief(shot(cut(reached=1.1)), grid)
    assert "lithium carbide" in {opened.materials[one] for one in np.unique(opened.material)}


def test_beside_the_cut_all_is_as_before() -> None:
    one = specimens()
    grid = one.probe.grid(ImageConditions(columns=128, rows=128, pixel_um=0.2, x_um=100.0), 50.0)
    whole, milled = one.relief(shot(), grid), one.relief(shot(cut()), grid)
    x = grid.x_um[None, :] + grid.shift_um[:, None] - 100.0
    y = np.broadcast_to(grid.y_um[:, None], grid.shape)
    inside = (np.abs(x) < 4.0) & (np.abs(y) < 4.0)
    assert np.array_equal(whole.height_um[~inside], milled.height_um[~inside])
    assert not np.array_equal(whole.height_um[inside], milled.height_um[inside])
    assert not any((covered & inside).any() for covered in milled.covered.values())


def test_another_place_of_the_cell_shows_nothing_of_it() -> None:
    elsewhere = shot(at_mm=0.5)
    assert np.array_equal(image(elsewhere), image(replace(elsewhere, milled=[cut()])))


def test_a_warm_cut_of_much_current_leaves_a_rougher_wall_than_a_cold_one() -> None:
    one = specimens()
    grid = one.probe.grid(ImageConditions(columns=128, rows=128, pixel_um=0.05, x_um=100.0), 50.0)
    cold, warm, rapid = (
        one.relief(shot(replace(cut(), **changes)), grid).height_um
        for changes in ({"temperature_c": -150.0}, {}, {"temperature_c": -150.0, "current_na": 20.0})
    )
    rough = [float(np.abs(np.diff(heights, axis=1)).mean()) for heights in (cold, warm, rapid)]
    assert rough[0] < min(rough[1:])
