"""The world's beam: what an exposure is told of it, and what outlives a restart."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from intercalate_sims.beam import Beam, Optics
from intercalate_sims.link import InstrumentLink
from intercalate_sims.ring import Ring
from intercalate_sims.state_file import StateFile
from intercalate_sims.world import World
from world_stories import tell

FLUX = 4e9


def make_beam(seed: int | None = 3, dumps: list[tuple[float, float]] | None = None) -> Beam:
    return Beam(Ring(200.0, seed, dumps), FLUX, Optics(25.0, 0.5, 0.5))


def make_world(folder: Path, **changes: Any) -> World:
    options: dict[str, Any] = {"rate": 3000.0, "seed": 1, "dt_s": 2.0, "state_path": folder / "state"}
    options["beam"] = make_beam()
    return World({"A1": "nmc811-graphite"}, **(options | changes))


def test_an_exposure_is_told_the_mean_of_its_own_time(tmp_path: Path) -> None:
    """Also where it is no whole number of steps, and no whole number of steps per part."""

    async def story(world: World, link: InstrumentLink) -> None:
        ring = world.beam.ring
        for exposure_s in (1.0, 7.0, 33.0, 250.0):
            message = await link.expose("A1", exposure_s)
            start_s = message["start_unix_s"] - world.t0_unix_s
            times = start_s + (np.arange(5000) + 0.5) / 5000 * exposure_s
            fine = np.mean([ring.brightness(float(t)) for t in times]) * FLUX
            assert message["photons_s"] == pytest.approx(fine, rel=2e-4)
            assert message["full_photons_s"] == pytest.approx(FLUX)
            assert sum(message["weights"]) == pytest.approx(1.0)
            assert len(message["weights"]) == len(message["states"])
            link.done()

    tell(tmp_path, make_world(tmp_path), story)


def test_states_count_by_the_photons_that_met_them(tmp_path: Path) -> None:
    """The beam is lost for the second half of the exposure."""
    world = make_world(tmp_path, beam=make_beam(None))

    async def story(world: World, link: InstrumentLink) -> None:
        world.beam.ring.dump(world.time_s + 20.0, 500.0)
        message = await link.expose("A1", 40.0)
        start_s = message["start_unix_s"] - world.t0_unix_s
        dumped_s = world.beam.ring.dumps[0][0]
        link.done()
        lit = [max(0.0, min(dumped_s - (start_s + 10 * part), 10.0)) for part in range(4)]
        np.testing.assert_allclose(message["weights"], np.array(lit) / sum(lit), atol=1e-9)
        assert message["photons_s"] == pytest.approx(FLUX * sum(lit) / 40.0)
        dark = await link.expose("A1", 10.0)
        assert dark["photons_s"] == 0
        assert dark["weights"] == [0.25] * 4
        link.done()

    tell(tmp_path, world, story)


def test_a_closed_shutter_stops_photons_of_this_instrument_only(tmp_path: Path) -> None:
    async def story(world: World, link: InstrumentLink) -> None:
        other = InstrumentLink(tmp_path / "world.json")
        linked = asyncio.ensure_future(other.run())
        while not other.up:
            await asyncio.sleep(0.002)
        link.shutter(False)
        await link.beam()
        closed, opened = await asyncio.gather(link.expose(None, 10.0), other.expose(None, 10.0))
        assert closed["photons_s"] == 0 < opened["photons_s"]
        assert closed["states"] == []
        link.done()
        other.done()
        linked.cancel()
        await asyncio.gather(linked, return_exceptions=True)

    tell(tmp_path, make_world(tmp_path), story)


@pytest.mark.parametrize("exposure_s", [0.0, -1.0, float("inf")])
def test_impossible_exposures_are_refused(tmp_path: Path, exposure_s: float) -> None:
    async def story(world: World, link: InstrumentLink) -> None:
        with pytest.raises(RuntimeError, match="an exposure of"):
            await link.expose(None, exposure_s)

    tell(tmp_path, make_world(tmp_path), story)


def test_what_cannot_be_set_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async def story(world: World, link: InstrumentLink) -> None:
        before = world.beam.optics
        for changes in ({"energy_kev": 100.0}, {"attenuator": "thick"}, {"nonsense": 1}):
            with pytest.raises(RuntimeError):
                await link.beam(**changes)
        assert world.beam.optics == before

    tell(tmp_path, make_world(tmp_path), story)


def test_beam_settings_and_dumps_outlive_the_world(tmp_path: Path) -> None:
    async def story(world: World, link: InstrumentLink) -> None:
        await link.beam(energy_kev=24.9, attenuator=0.36, slit_h_mm=0.3, safety_open=False, dump_s=1e5)

    before = make_world(tmp_path)
    tell(tmp_path, before, story)
    after = make_world(tmp_path)
    assert after.beam.optics == before.beam.optics
    assert after.beam.optics.attenuator == 0.36
    assert after.beam.ring.dumps == before.beam.ring.dumps
    status = after.beam.status(after.time_s)
    assert status["ring_state"] == "no beam"
    assert not status["safety_is_open"]


def test_a_saved_world_without_a_beam_is_refused(tmp_path: Path) -> None:
    make_world(tmp_path).stop()
    file = StateFile(tmp_path / "state")
    assert file.state is not None
    file.save({key: value for key, value in file.state.items() if key not in ("beam", "format")})
    file.close()
    with pytest.raises(ValueError, match="format 1, this program keeps 2"):
        make_world(tmp_path)


def test_more_active_mass_is_more_capacity_and_stays_untold(tmp_path: Path) -> None:
    for folder in ("nominal", "more"):
        (tmp_path / folder).mkdir()
    nominal = make_world(tmp_path / "nominal")
    more = make_world(tmp_path / "more", active_mass={"A1": 1.05})
    true = [world.slots["A1"].cell.describe()["nominal_capacity_ah"] for world in (nominal, more)]
    assert true[1] / true[0] == pytest.approx(1.05)
    told = [world.status()["cells"]["A1"] for world in (nominal, more)]
    for key in ("area_cm2", "nominal_capacity_ah"):
        assert told[1].pop(key) == pytest.approx(told[0].pop(key))
    assert told[1] == told[0]
    more.stop()
    again = make_world(tmp_path / "more", active_mass={"A1": 1.05})
    assert again.slots["A1"].cell.describe()["nominal_capacity_ah"] == pytest.approx(true[1])
