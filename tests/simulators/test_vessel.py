"""The transfer vessel: what it refuses, how it leaks, and where the world finds the cell in it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercalate_sims.beam import Beam, Optics
from intercalate_sims.link import InstrumentLink
from intercalate_sims.ring import Ring
from intercalate_sims.state_file import StateFile
from intercalate_sims.vessel import FILL_MBAR, IN_VESSEL, OUTSIDE_MBAR, Vessel, dew_point_c
from intercalate_sims.world import World

LABORATORY = "laboratory_xrd"


def make_vessel() -> Vessel:
    return Vessel({"H1": "A1"}, transfer_s=600.0, o2_ppm=0.4, h2o_ppm=0.3)


def carried(vessel: Vessel, at_s: float = 0.0) -> Vessel:
    vessel.set(at_s, {"holder": "H1"})
    vessel.set(at_s, {"sealed": True})
    vessel.set(at_s, {"location": LABORATORY})
    return vessel


@pytest.mark.parametrize(
    ("ppm", "pressure_mbar", "expected_c"),
    # Saturation over ice: 611.15 Pa at 0 degC, 38.01 Pa at -30, 1.080 Pa at -60, 0.0547 Pa at -80; over water
    # 2339.3 Pa at 20 degC (Goff and Gratch, as tabulated by WMO).
    [(6032.0, 1013.25, 0.0), (375.2, 1013.25, -30.0), (10.66, 1013.25, -60.0), (0.540, 1013.25, -80.0),
     (23087.0, 1013.25, 20.0)],
)  # fmt: skip
def test_dew_points_are_those_of_the_tables(ppm: float, pressure_mbar: float, expected_c: float) -> None:
    assert dew_point_c(ppm, pressure_mbar) == pytest.approx(expected_c, abs=0.15)


@given(st.floats(1e-3, 1e4), st.floats(1.01, 10.0))
def test_more_water_has_a_higher_dew_point(ppm: float, factor: float) -> None:
    assert dew_point_c(ppm * factor, 1016.0) > dew_point_c(ppm, 1016.0)


def test_a_way_takes_its_time() -> None:
    vessel = carried(make_vessel(), 100.0)
    assert [str(vessel.location(time_s)) for time_s in (99.0, 699.0, 700.0)] == [
        "in transit",
        "in transit",
        LABORATORY,
    ]
    assert vessel.cell_at(LABORATORY, 699.0) is None
    assert vessel.cell_at(LABORATORY, 700.0) == "A1"


def test_what_makes_no_sense_is_refused_and_changes_nothing() -> None:
    vessel = make_vessel()
    for change, words in (
        ({"location": LABORATORY}, "open"),
        ({"holder": "H9"}, "no holder"),
        ({"leak_mbar_per_h": -1.0}, "0 or more"),
        ({"location": "in transit"}, "name a place|open"),
        ({"colour": 1}, "colour"),
    ):
        with pytest.raises(ValueError, match=words):
            vessel.set(0.0, change)
    assert vessel.status(0.0)["holder"] == ""
    carried(vessel)
    for change in ({"sealed": False}, {"holder": ""}):
        with pytest.raises(ValueError, match=r"sealed|glovebox alone"):
            vessel.set(700.0, change)
    assert vessel.cell == "A1"


@given(st.floats(0.0, 1e4), st.floats(0.0, 1e6), st.floats(0.0, 1e6))
def test_a_leak_raises_the_pressure_up_to_that_outside(rate: float, first_s: float, more_s: float) -> None:
    vessel = make_vessel()
    vessel.set(0.0, {"sealed": True})
    assert vessel.pressure_mbar(first_s) == FILL_MBAR
    vessel.set(first_s, {"leak_mbar_per_h": rate})
    expected = min(OUTSIDE_MBAR, FILL_MBAR + rate * more_s / 3600)
    assert vessel.pressure_mbar(first_s + more_s) == pytest.approx(expected, rel=1e-9)


def test_one_that_never_arrives_stays_in_transit_until_sent_again() -> None:
    vessel = make_vessel()
    vessel.set(0.0, {"never_arrives": True})
    carried(vessel)
    kept = json.loads(json.dumps(vessel.to_state()))
    again = make_vessel()
    again.restore(kept)
    assert again.location(1e9) == vessel.location(1e9) == "in transit"
    again.set(1e9, {"never_arrives": False})
    again.set(1e9, {"location": LABORATORY})
    assert again.location(1e9 + 600.0) == LABORATORY


def opened(vessel: Vessel, at_s: float = 0.0) -> Vessel:
    """Its cell taken apart, and the vessel on its way to the vacuum."""
    vessel.set(at_s, {"holder": "H1"})
    vessel.set(at_s, {"opened": "negative"})
    vessel.set(at_s, {"sealed": True})
    vessel.set(at_s, {"location": "vacuum"})
    return vessel


def test_instruments_of_a_chamber_meet_a_cell_once_the_vessel_is_open_there() -> None:
    vessel = opened(make_vessel())
    assert vessel.cell_at("xps", 700.0) is None
    with pytest.raises(ValueError, match="glovebox or at the vacuum chamber"):
        vessel.set(300.0, {"sealed": False})
    vessel.set(700.0, {"sealed": False})
    assert [vessel.cell_at(one, 700.0) for one in ("xps", "sem", LABORATORY)] == ["A1", "A1", None]
    assert vessel.told_of("A1", 700.0)["face"] == "negative"
    assert vessel.pressure_mbar(700.0) == 0.0
    # A lock lets it go sealed alone.
    with pytest.raises(ValueError, match="open"):
        vessel.set(800.0, {"location": "glovebox"})
    vessel.set(800.0, {"sealed": True})
    vessel.set(800.0, {"location": "glovebox"})
    assert vessel.pressure_mbar(900.0) == 0.0


def test_a_cell_that_was_taken_apart_stays_so_wherever_it_is() -> None:
    vessel = make_vessel()
    for change, words in (({"opened": "negative"}, "load it"), ({"opened": "both"}, "both")):
        with pytest.raises(ValueError, match=words):
            vessel.set(0.0, change)
    opened(vessel)
    with pytest.raises(ValueError, match="glovebox alone"):
        vessel.set(700.0, {"opened": "positive"})
    vessel.set(700.0, {"location": "glovebox"})
    vessel.set(1400.0, {"sealed": False})
    with pytest.raises(ValueError, match="for good"):
        vessel.set(1400.0, {"opened": "whole"})
    vessel.set(1400.0, {"holder": ""})
    again = make_vessel()
    again.restore(json.loads(json.dumps(vessel.to_state())))
    for one in (vessel, again):
        assert one.cell is None
        assert one.is_off("A1")
    whole = carried(make_vessel())
    assert whole.told_of("A1", 700.0)["face"] == ""
    assert not make_vessel().is_off("A1")


@given(st.floats(0.0, 100.0), st.lists(st.floats(1.0, 2000.0), min_size=1, max_size=5))
def test_air_is_counted_as_pressure_times_time(leak: float, looks_s: list[float]) -> None:
    vessel = make_vessel()
    vessel.set(0.0, {"holder": "H1"})
    vessel.set(500.0, {"sealed": True, "leak_mbar_per_h": leak})
    now_s = 500.0
    for one_s in looks_s:
        now_s += one_s
        met = vessel.told_of("A1", now_s)["air_mbar_s"]
    # Half a thousandth of a millibar in the glovebox, then a ramp.
    passed_s = now_s - 500.0
    in_box = 0.7e-6 * 1016.0 * 500.0
    assert met == pytest.approx(in_box + 0.22 * leak / 3600.0 * passed_s**2 / 2, rel=1e-6)


def make_world(folder: Path) -> World:
    tube = Beam(Ring(40.0, None), 1e8, Optics(17.479, 0.5, 0.5))
    return World(
        {"A1": "nmc811-graphite"},
        rate=3000.0,
        seed=1,
        dt_s=2.0,
        state_path=folder / "state",
        other_beams={LABORATORY: tube},
        vessel=make_vessel(),
    )


Story = Callable[[InstrumentLink, InstrumentLink], Awaitable[None]]


def tell(folder: Path, world: World, story: Story) -> None:
    """Let the world live while the story is told through the links of both instruments."""

    async def live() -> None:
        server = await asyncio.get_running_loop().create_server(world.connect, "127.0.0.1", 0)
        (folder / "world.json").write_text(json.dumps({"port": server.sockets[0].getsockname()[1]}))
        links = [InstrumentLink(folder / "world.json"), InstrumentLink(folder / "world.json", LABORATORY)]
        linked = [asyncio.ensure_future(link.run()) for link in links]
        while not all(link.up for link in links):
            await asyncio.sleep(0.002)
        world.start()
        try:
            await story(*links)
        finally:
            for one in linked:
                one.cancel()
            await asyncio.gather(*linked, return_exceptions=True)
            world.stop()
            server.close()
            await asyncio.sleep(0.02)

    asyncio.run(asyncio.wait_for(live(), 20.0))


async def exposed(link: InstrumentLink, cell: str) -> dict:
    try:
        return await link.expose(cell, 60.0)
    finally:
        link.done()


def test_each_instrument_meets_the_cell_only_where_it_is(tmp_path: Path) -> None:
    async def story(here: InstrumentLink, there: InstrumentLink) -> None:
        at_home = await exposed(here, "A1")
        assert (at_home["cell"], at_home["energy_kev"]) == ("A1", 25.0)
        assert (await exposed(there, IN_VESSEL))["cell"] is None
        await here.vessel(holder="H1")
        assert (await exposed(here, "A1"))["cell"] is None
        await here.vessel(sealed=True)
        await here.vessel(location=LABORATORY)
        while (await here.vessel())["location"] != LABORATORY:
            await asyncio.sleep(0.01)
        away = await exposed(there, IN_VESSEL)
        assert (away["cell"], away["energy_kev"]) == ("A1", 17.479)
        # The same cell, at open circuit since: not one atom of lithium went over.
        left, arrived = (one["states"][-1]["positive"]["li_content"] for one in (at_home, away))
        assert sum(left) / len(left) == pytest.approx(sum(arrived) / len(arrived), abs=2e-3)
        assert away["full_photons_s"] == pytest.approx(1e8)
        assert (await exposed(here, "A1"))["cell"] is None

    tell(tmp_path, make_world(tmp_path), story)


def test_a_dump_of_the_ring_leaves_the_tube_alone(tmp_path: Path) -> None:
    async def story(here: InstrumentLink, there: InstrumentLink) -> None:
        await here.beam(dump_s=1e5)
        assert (await exposed(here, "A1"))["photons_s"] == 0.0
        assert (await exposed(there, IN_VESSEL))["photons_s"] == pytest.approx(1e8)
        await there.beam(safety_open=False)
        assert (await here.beam())["safety_is_open"]

    tell(tmp_path, make_world(tmp_path), story)


def test_a_world_without_a_vessel_says_so(tmp_path: Path) -> None:
    world = World({"A1": "nmc811-graphite"}, rate=3000.0, seed=1, dt_s=2.0, state_path=tmp_path / "state")

    async def story(here: InstrumentLink, there: InstrumentLink) -> None:
        with pytest.raises(RuntimeError, match="no transfer vessel"):
            await here.vessel()
        with pytest.raises(RuntimeError, match="no beam at"):
            await exposed(there, "A1")

    tell(tmp_path, world, story)


def test_where_the_vessel_is_outlives_a_restart(tmp_path: Path) -> None:
    async def story(here: InstrumentLink, there: InstrumentLink) -> None:
        await here.vessel(holder="H1")
        await here.vessel(sealed=True)

    tell(tmp_path, make_world(tmp_path), story)
    assert StateFile(tmp_path / "state").state is not None

    async def again(here: InstrumentLink, there: InstrumentLink) -> None:
        status = await here.vessel()
        assert (status["holder"], status["sealed"]) == ("H1", True)

    tell(tmp_path, make_world(tmp_path), again)
