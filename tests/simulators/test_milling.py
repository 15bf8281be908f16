"""What ions remove: it takes time, it ends for a reason, and it is gone whatever is started again."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_world_beam import make_world, tell

from intercalate.contract import IonBeamState, MillingEnd
from intercalate.materials.ion_milling import um3_per_s
from intercalate_sims.link import InstrumentLink
from intercalate_sims.milling import ArgonGun, IonGun
from intercalate_sims.world import World


def cut(**changes: Any) -> dict[str, Any]:
    return {
        "content": "A1", "x_mm": 0.1, "y_mm": -0.2, "width_um": 10.0, "height_um": 8.0, "asked": 3.0,
        "temperature_c": 25.0, "um3_per_nc": 0.5, **changes,
    }  # fmt: skip


def gun(current_na: float = 1.0, share: float = 1.0) -> IonGun:
    return IonGun(30.0, current_na, share)


def deep_um(one: IonGun, content: str = "A1") -> list[float]:
    return [made["reached"] for made in one.cuts(content)]


@given(st.floats(0.01, 40.0), st.floats(2.0, 30.0), st.floats(0.1, 1.0))
def test_it_takes_the_time_of_the_volume_by_yield_and_current(
    current_na: float, voltage_kv: float, um3_per_nc: float
) -> None:
    one = IonGun(voltage_kv, current_na)
    one.set(0.0, {"mill": cut(um3_per_nc=um3_per_nc)})
    takes_s = 10.0 * 8.0 * 3.0 / um3_per_s(um3_per_nc, voltage_kv, current_na)
    one.live(0.5 * takes_s)
    assert deep_um(one) == [pytest.approx(1.5)]
    assert one.status(0.0)["state"] == IonBeamState.MILLING
    one.live(0.6 * takes_s)
    assert deep_um(one) == [3.0]
    assert (one.status(0.0)["state"], one.status(0.0)["ended"]) == (IonBeamState.BLANKED, MillingEnd.DONE)
    one.live(takes_s)
    assert deep_um(one) == [3.0]


def test_a_stronger_beam_than_its_scale_says_mills_faster() -> None:
    plain, strong = gun(), gun(share=1.2)
    for one in (plain, strong):
        one.set(0.0, {"mill": cut()})
        one.live(10.0)
    assert deep_um(strong)[0] == pytest.approx(1.2 * deep_um(plain)[0])


@pytest.mark.parametrize("why", [MillingEnd.STOPPED, MillingEnd.LEASE, MillingEnd.STAGE])
def test_a_blanked_beam_mills_no_more_and_says_why(why: MillingEnd) -> None:
    one = gun()
    one.set(0.0, {"mill": cut()})
    one.live(100.0)
    before = deep_um(one)
    one.set(0.0, {"blank": str(why)})
    one.live(1000.0)
    assert deep_um(one) == before
    assert one.status(0.0)["ended"] == why


@pytest.mark.parametrize("change", [{"interlock": False}, {"emission": False}])
def test_the_interlock_ends_a_cut_and_lets_none_begin(change: dict[str, bool]) -> None:
    one = gun()
    one.set(0.0, {"mill": cut()})
    one.live(100.0)
    one.set(0.0, change)
    assert one.status(0.0)["ended"] == MillingEnd.INTERLOCK
    with pytest.raises(ValueError, match="the ion beam is off"):
        one.set(0.0, {"mill": cut(x_mm=1.0)})
    assert one.status(0.0)["number"] == 1, "the one that was refused has no number"
    assert len(one.cuts("A1")) == 1


def test_a_cut_at_the_same_place_goes_on_and_one_beside_it_begins_anew() -> None:
    one = gun()
    one.set(0.0, {"mill": cut()})
    one.live(1e6)
    one.set(0.0, {"mill": cut(asked=5.0, x_mm=0.1001, temperature_c=-150.0)})
    assert one.status(0.0)["reached"] == 3.0
    one.live(1e6)
    one.set(0.0, {"mill": cut(x_mm=0.2)})
    one.live(1e6)
    assert deep_um(one) == [5.0, 3.0]
    assert one.cuts("A1")[0]["temperature_c"] == -150.0, "the last ions have polished it"


def test_a_shallower_cut_at_the_same_place_fills_nothing_in() -> None:
    one = gun()
    one.set(0.0, {"mill": cut()})
    one.live(1e6)
    one.set(0.0, {"mill": cut(asked=1.0)})
    one.live(2.0)
    assert deep_um(one) == [3.0]
    assert one.status(0.0)["ended"] == MillingEnd.DONE


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mill": cut(asked=0.0)}, "a cut of"),
        ({"voltage_kv": 100.0}, "voltage_kv is 100"),
        ({"current_na": -1.0}, "current_na is -1"),
        ({"blank": "because"}, "because"),
        ({"field": 1.0}, "has no 'field'"),
    ],
)
def test_what_it_cannot_do_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        gun().set(0.0, changes)


def test_two_cuts_at_once_are_refused() -> None:
    one = gun()
    one.set(0.0, {"mill": cut()})
    with pytest.raises(ValueError, match="another cut is being milled"):
        one.set(0.0, {"mill": cut(x_mm=1.0)})


def test_it_comes_back_blanked_with_all_that_it_removed() -> None:
    one = gun()
    one.set(0.0, {"mill": cut()})
    one.live(100.0)
    again = gun()
    again.restore(one.to_state())
    again.live(1e6)
    assert again.cuts("A1") == one.cuts("A1")
    assert again.status(0.0)["state"] == IonBeamState.BLANKED
    assert again.status(0.0)["number"] == 1


def with_ions(tmp_path: Path) -> World:
    return make_world(tmp_path, other_beams={"fib": gun(0.05)})


def test_an_exposure_is_told_what_had_been_removed_also_after_a_restart(tmp_path: Path) -> None:
    async def milled(world: World, link: InstrumentLink) -> None:
        ions = InstrumentLink(tmp_path / "world.json", "fib")
        linked = asyncio.ensure_future(ions.run())
        whole = await link.expose("A1", 10.0)
        link.done()
        assert whole["milled"] == []
        await ions.beam(mill=cut())
        while (await ions.beam())["reached"] < 0.05:
            await asyncio.sleep(0.002)
        # Nothing is said any more, and the world is shut down in the middle of the cut.
        linked.cancel()
        await asyncio.gather(linked, return_exceptions=True)

    async def seen(world: World, link: InstrumentLink) -> None:
        for _ in range(2):
            found.append((await link.expose("A1", 100.0))["milled"])
            link.done()

    found: list[Any] = []
    tell(tmp_path, with_ions(tmp_path), milled)
    tell(tmp_path, with_ions(tmp_path), seen)
    ((first,), (second,)) = found
    assert 0.05 <= first["reached"] < 3.0
    assert first == second, "nothing is milled after a restart"


def test_a_lost_server_of_the_column_blanks_the_beam(tmp_path: Path) -> None:
    async def story(world: World, link: InstrumentLink) -> None:
        ions = InstrumentLink(tmp_path / "world.json", "fib")
        linked = asyncio.ensure_future(ions.run())
        await ions.beam(mill=cut())
        linked.cancel()
        await asyncio.gather(linked, return_exceptions=True)
        other = InstrumentLink(tmp_path / "world.json", "fib")
        linked = asyncio.ensure_future(other.run())
        status = await other.beam()
        while status["state"] != IonBeamState.BLANKED:
            await asyncio.sleep(0.002)
            status = await other.beam()
        assert status["ended"] == MillingEnd.INSTRUMENT
        linked.cancel()
        await asyncio.gather(linked, return_exceptions=True)

    tell(tmp_path, with_ions(tmp_path), story)


@given(st.floats(10.0, 2e4), st.floats(100.0, 5000.0))
def test_argon_is_counted_by_ions_per_area(current_na: float, side_um: float) -> None:
    one = ArgonGun(0.5, current_na)
    one.set(0.0, {"mill": cut(width_um=side_um, height_um=side_um, asked=1e9)})
    one.live(10.0)
    ions = current_na * 1e-9 * 10.0 / 1.602176634e-19
    assert one.status(0.0)["reached"] == pytest.approx(ions / (side_um * 1e-4) ** 2 / 1e16)


def test_argon_and_gallium_are_told_apart(tmp_path: Path) -> None:
    async def story(world: World, link: InstrumentLink) -> None:
        for at, width_um in (("fib", 10.0), ("argon", 2000.0)):
            ions = InstrumentLink(tmp_path / "world.json", at)
            linked = asyncio.ensure_future(ions.run())
            await ions.beam(mill=cut(width_um=width_um, height_um=width_um, asked=1e-3))
            while (await ions.beam())["state"] != IonBeamState.BLANKED:
                await asyncio.sleep(0.002)
            linked.cancel()
            await asyncio.gather(linked, return_exceptions=True)
        answer = await link.expose("A1", 10.0)
        link.done()
        assert [one["width_um"] for one in answer["milled"]] == [10.0]
        assert [one["width_um"] for one in answer["sputtered"]] == [2000.0]

    beams = {"fib": gun(1.0), "argon": ArgonGun(0.5, 1000.0)}
    tell(tmp_path, make_world(tmp_path, other_beams=beams), story)
