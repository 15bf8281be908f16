"""The simulated diamond-anvil cell: slow, with friction, and holding whatever dies."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from intercalate.contract import PressureState
from intercalate_sims.link import InstrumentLink
from intercalate_sims.pressure import Compression, HiddenPressed, PressureCell
from intercalate_sims.state_file import StateFile
from intercalate_sims.world import World
from world_stories import tell

HIDDEN = HiddenPressed(gain=1.1, play_gpa=0.5)


def make_world(folder: Path, **changes: Any) -> World:
    options: dict[str, Any] = {"rate": 3000.0, "seed": 1, "dt_s": 2.0, "state_path": folder / "state"}
    return World({"A1": "nmc811-graphite"}, **(options | changes))


def pressed(target_gpa: float, cell: PressureCell | None = None) -> PressureCell:
    """At a set point, with everything settled."""
    cell = cell or PressureCell(HIDDEN, 0.5)
    cell.set({"target_gpa": target_gpa})
    while cell.state is PressureState.APPROACHING:
        cell.live(2.0)
    cell.live(3600.0)
    return cell


def test_the_membrane_goes_at_its_rate_and_the_sample_follows() -> None:
    cell = PressureCell(HIDDEN, 0.5)
    cell.set({"target_gpa": 2.0})
    cell.live(60.0)
    assert cell.membrane_gpa == pytest.approx(0.5)
    assert cell.state is PressureState.APPROACHING
    assert 0 < cell.marker_gpa < 1.1 * 0.5
    cell.live(600.0)
    assert cell.state is PressureState.HOLDING
    assert cell.membrane_gpa == 2.0


def test_the_sample_has_not_what_the_membrane_shows() -> None:
    assert pressed(10.0).marker_gpa == pytest.approx(11.0)


def test_friction_keeps_the_pressure_on_the_way_back_until_the_membrane_is_empty() -> None:
    cell = pressed(10.0)
    assert pressed(9.0, cell).marker_gpa == pytest.approx(1.1 * 9.0 + 0.5)
    assert pressed(9.2, cell).marker_gpa == pytest.approx(1.1 * 9.0 + 0.5)
    assert pressed(0.0, cell).marker_gpa == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("changes", [{"target_gpa": -1.0}, {"rate_gpa_min": 0.0}, {"nonsense": 1.0}])
def test_what_is_no_pressure_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        PressureCell(HIDDEN, 0.5).set(changes)


def test_worlds_differ_in_how_the_sample_gives_way_and_in_nothing_else() -> None:
    one, other = HiddenPressed.draw(7), HiddenPressed.draw(7, Compression.ISOTROPIC)
    assert one != other
    assert one == HiddenPressed.draw(7)
    assert {**vars(one), "compression": None} == {**vars(other), "compression": None}


def test_a_controller_that_dies_in_the_middle_leaves_the_pressure(tmp_path: Path) -> None:
    """And one that is there again finds it, also in a world that was restarted."""
    world = make_world(tmp_path, pressure_cell=PressureCell(HIDDEN, 0.5))

    async def story(world: World, link: InstrumentLink) -> None:
        other = InstrumentLink(tmp_path / "world.json")
        linked = asyncio.ensure_future(other.run())
        while not other.up:
            await asyncio.sleep(0.002)
        await other.pressure(target_gpa=20.0)
        while (await link.pressure())["membrane_gpa"] < 2.0:
            await asyncio.sleep(0.002)
        linked.cancel()
        await asyncio.gather(linked, return_exceptions=True)
        while (await link.pressure())["state"] != PressureState.HOLDING:
            await asyncio.sleep(0.002)
        left = (await link.pressure())["membrane_gpa"]
        assert 2.0 <= left < 20.0
        passed = (await link.status())["time_s"]
        while (await link.status())["time_s"] < passed + 600.0:
            await asyncio.sleep(0.002)
        assert (await link.pressure())["membrane_gpa"] == left
        shot = await link.expose(None, 10.0)
        assert shot["marker_gpa"] == pytest.approx(1.1 * left, rel=0.02)
        link.done()

    tell(tmp_path, world, story)
    kept = StateFile(tmp_path / "state").state
    assert kept is not None
    again = PressureCell(HIDDEN, 0.5)
    again.restore(kept["pressure_cell"])
    assert again.state is PressureState.HOLDING
    assert again.membrane_gpa == kept["pressure_cell"]["membrane_gpa"] > 2.0


def test_without_a_cell_nothing_is_pressed(tmp_path: Path) -> None:
    async def story(world: World, link: InstrumentLink) -> None:
        with pytest.raises(RuntimeError, match="there is no pressure cell"):
            await link.pressure(target_gpa=1.0)

    tell(tmp_path, make_world(tmp_path), story)
