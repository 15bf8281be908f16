"""The drawn alloy, and what the whole chain of its map makes of it."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.faces_in_process import faced
from intercalate_plans.studies import Finding, Quantity, World, load_study
from intercalate_sims.probes.xps_alloy import PITCH_UM, Alloy

AT_UM = np.arange(-100.0, 100.5, 2.0)


def shares(alloy: Alloy, spot_um: float) -> np.ndarray:
    return np.array([[alloy.share(x, y, spot_um) for x in AT_UM] for y in AT_UM])


def test_irregularities_cover_what_they_are_drawn_to_cover_whatever_the_spot() -> None:
    alloy = Alloy(5)
    every = alloy.irregularities(0.0, 0.0)
    drawn = sum(
        one.area_um2 for one in every if abs(one.x_um) < PITCH_UM / 2 and abs(one.y_um) < PITCH_UM / 2
    )
    (middle,) = [one for one in every if np.hypot(one.x_um, one.y_um) < PITCH_UM / 2]
    inside = np.hypot(AT_UM[None, :] - middle.x_um, AT_UM[:, None] - middle.y_um) < PITCH_UM / 2
    for spot_um in (0.0, 8.0):
        seen = shares(alloy, spot_um)
        assert seen[inside].sum() * 4.0 == pytest.approx(drawn, rel=0.03)
        assert seen.min() == 0.0
    sharp, blurred = shares(alloy, 0.0), shares(alloy, 8.0)
    assert set(np.unique(sharp)) == {0.0, 1.0}
    assert np.any((blurred > 0.2) & (blurred < 0.8))


def test_irregularities_never_touch_and_depend_on_the_seed_alone() -> None:
    for seed in range(10):
        every = Alloy(seed).irregularities(1000.0, -500.0)
        for number, one in enumerate(every):
            for other in every[number + 1 :]:
                apart = np.hypot(one.x_um - other.x_um, one.y_um - other.y_um)
                assert apart > max(one.semi_x_um, one.semi_y_um) + max(other.semi_x_um, other.semi_y_um)
    assert Alloy(3).irregularities(0.0, 0.0) == Alloy(3).irregularities(0.0, 0.0)
    assert Alloy(3).irregularities(0.0, 0.0) != Alloy(4).irregularities(0.0, 0.0)


def test_an_even_alloy_lacks_nothing_but_is_as_rough() -> None:
    even, uneven = Alloy(7, is_even=True), Alloy(7)
    assert not shares(even, 8.0).any()
    assert even.irregularities(0.0, 0.0) == []
    bright = np.array([[even.brightness(x, y) for x in AT_UM[::10]] for y in AT_UM[::10]])
    assert 0.02 < bright.std() < 0.08
    assert even.brightness(12.0, 30.0) == uneven.brightness(12.0, 30.0)


SURELY_WHOLE_UM = 60.0
"""From the middle of the map: farther away a place may reach its edge in what is true, or in what is seen."""


def places_of(finding: Finding) -> list[list[Quantity]]:
    """x, y and diameter of each irregularity."""
    count = sum(one.name.startswith("diameter_") for one in finding.quantities)
    names = ("x", "y", "diameter")
    return [[finding.quantity(f"{name}_{number}") for name in names] for number in range(1, count + 1)]


def test_a_map_of_spectra_finds_what_was_drawn_and_nothing_in_an_even_alloy(tmp_path: Path) -> None:
    study = load_study("S34")
    for world in (World.EFFECT, World.NULL):
        folder = tmp_path / world
        folder.mkdir()
        measured = faced(study, study.told(world), 7, folder)
        finding = study.analyse(measured.cells)
        assert finding.recovered is (world is World.EFFECT)
        if world is World.EFFECT:
            # Each is numbered by what is seen of it, so neighbours may change their numbers.
            true = places_of(study.analyse(measured.true_cells))
            for place in places_of(finding):
                if np.hypot(place[0].value, place[1].value) >= SURELY_WHOLE_UM:
                    continue
                away = [
                    sum((one.value - other.value) ** 2 for one, other in zip(place[:2], its)) for its in true
                ]
                for one, its in zip(place, true[int(np.argmin(away))]):
                    assert abs(one.value - its.value) < 3.5 * one.sigma, str(one)
