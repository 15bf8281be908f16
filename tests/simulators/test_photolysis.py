"""What a strong laser makes on a spot: more with every dose, nothing at harmless powers, and it stays."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_world_beam import make_world, tell

from intercalate.materials.raman import HARMLESS_W_CM2
from intercalate_sims.irradiation import Spot
from intercalate_sims.link import InstrumentLink
from intercalate_sims.photolysis import CARBIDE_J_CM2, Burnt, carbide_share
from intercalate_sims.sources import LaserBeam
from intercalate_sims.world import World

HERE = Spot(0.0, 0.0, 0.002, 0.002)
AREA_CM2 = 4e-8


@given(st.lists(st.floats(0.0, 1e8), min_size=1, max_size=20), st.floats(1.01, 50.0))
def test_the_dose_is_the_sum_of_what_is_more_than_harmless(
    tmp_path_factory: pytest.TempPathFactory, fluences: list[float], times: float
) -> None:
    burnt = Burnt(tmp_path_factory.mktemp("burnt") / "burnt")
    for fluence in fluences:
        burnt.expose("A1", HERE, fluence, times * HARMLESS_W_CM2)
    assert burnt.on("A1", HERE) == pytest.approx(sum(fluences) * (1.0 - 1.0 / times))
    assert 0.0 <= carbide_share(burnt.on("A1", HERE)) <= 1.0


def test_a_harmless_laser_does_nothing_however_long(tmp_path: Path) -> None:
    burnt = Burnt(tmp_path / "burnt")
    burnt.expose("A1", HERE, 1e12, HARMLESS_W_CM2)
    assert burnt.on("A1", HERE) == carbide_share(0.0) == 0.0
    assert not list(tmp_path.iterdir())


def test_other_spots_and_cells_have_nothing_half_a_spot_half_and_it_outlives_the_process(
    tmp_path: Path,
) -> None:
    burnt = Burnt(tmp_path / "burnt")
    burnt.expose("A1", HERE, 1e7, 2.0 * HARMLESS_W_CM2)
    for one in (burnt, Burnt(tmp_path / "burnt")):
        assert one.on("A1", HERE) == pytest.approx(5e6)
        assert one.on("A1", Spot(0.001, 0.0, 0.002, 0.002)) == pytest.approx(2.5e6)
        assert one.on("A1", Spot(0.002, 0.0, 0.002, 0.002)) == one.on("B1", HERE) == 0.0


def test_a_world_burns_the_spot_in_the_laser_and_nothing_through_a_closed_shutter(tmp_path: Path) -> None:
    laser = LaserBeam(532.0, 0.002, 10.0)
    found: list[float] = []

    async def story(world: World, link: InstrumentLink) -> None:
        async def expose() -> None:
            answer = await link.expose("A1", 20.0)
            assert answer["energy_kev"] < 0.01
            found.append(answer["burnt_j_cm2"])
            link.done()

        link.shutter(False)
        await link.beam()
        await expose()
        link.shutter(True)
        await link.beam()
        for power_mw in (10.0, 0.5, 0.5):
            laser.set(world.time_s, {"power_mw": power_mw})
            await expose()

    tell(tmp_path, make_world(tmp_path, beam=laser), story)
    burnt = 20.0 * (10e-3 / AREA_CM2 - HARMLESS_W_CM2)
    assert found == [0.0, 0.0, pytest.approx(burnt, rel=1e-6), pytest.approx(burnt, rel=1e-6)]
    assert carbide_share(burnt) == pytest.approx(-math.expm1(-burnt / CARBIDE_J_CM2))
