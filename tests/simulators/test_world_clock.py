"""The world in this process: its clock, its clients, and what it keeps across a kill."""

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest

from channel_bench import Bench, charge, end, make_program, make_world, run, serve, until
from intercalate.contract import RECORD_COLUMNS, ControlMode, CyclerState, Fault, OnLoss
from intercalate_sims import world as world_module
from intercalate_sims.link import InstrumentLink
from intercalate_sims.state_file import StateFile
from intercalate_sims.wire import JsonLines, Message
from intercalate_sims.world import World

METHOD = (
    charge(1800),
    {"step": "constant_voltage", "voltage_V": 4.0, "until_rate_C": 0.5, "until_time_s": 7200},
    {"step": "open_circuit_voltage", "until_time_s": 600},
    charge(900, rate_C=-1.0),
    {"step": "loop", "loop_to": 3, "cycle_count": 2},
)


def test_neither_speed_nor_load_changes_a_record(tmp_path: Path) -> None:
    tables = []
    for name, rate, load_s in (("fast", 50000.0, 0.0), ("slow", 4000.0, 0.0), ("busy", 20000.0, 0.02)):
        (tmp_path / name).mkdir()
        bench = Bench(tmp_path / name, rate=rate)

        async def story(bench: Bench, load_s: float = load_s) -> None:
            async def burn() -> None:
                while load_s:
                    end = time.monotonic() + load_s
                    while time.monotonic() < end:
                        pass
                    await asyncio.sleep(0.03)

            burning = asyncio.ensure_future(burn())
            await bench.complete(make_program(*METHOD))
            burning.cancel()

        run(bench.live(story))
        assert bench.executor.state is CyclerState.COMPLETE
        tables.append(np.delete(bench.table(), RECORD_COLUMNS.index("unix_time_second"), axis=1))
    assert len(tables[0]) > 100
    for other in tables[1:]:
        assert np.array_equal(tables[0], other, equal_nan=True)


def test_the_accounts_agree_with_the_cell(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def story(bench: Bench) -> None:
        await bench.complete(make_program(*METHOD))
        await until(lambda: bench.executor.ledger.entries["p"].settled)

    run(bench.live(story))
    cell_ah = bench.world.slots["A1"].cell.reading().charge_ah
    assert bench.executor.ledger.entries["p"].charge_ah == pytest.approx(cell_ah, abs=1e-12)
    assert bench.table()[-1][RECORD_COLUMNS.index("net_capacity_ah")] == pytest.approx(cell_ah, abs=1e-12)


def test_a_world_killed_and_started_again_has_spent_the_gap_at_open_circuit(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rate=1000.0)

    async def story(bench: Bench) -> None:
        bench.executor.load("p", make_program(charge(3000)), OnLoss.REST)
        await until(lambda: bench.executor.lost is None)
        bench.executor.start("p")
        await until(lambda: bench.world.time_s > 200)

    run(bench.live(story))
    before = bench.world
    later = time.time() + 50.0
    after = make_world(tmp_path, rate=1000.0, wall=lambda: later)
    gap_s = after.time_s - before.time_s
    assert gap_s == pytest.approx(50_000, abs=3000)
    assert after.t0_unix_s == before.t0_unix_s
    cell = after.slots["A1"].cell.reading()
    assert cell.current_a == 0
    assert cell.charge_ah == before.slots["A1"].cell.reading().charge_ah > 0
    assert cell.voltage_v < before.slots["A1"].cell.reading().voltage_v


def test_not_a_step_is_lost_by_a_kill(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def story(bench: Bench) -> None:
        await until(lambda: bench.world.time_s > 100)

    run(bench.live(story))
    saved = StateFile(tmp_path / "state").state
    assert saved is not None
    assert saved["steps"] * 2.0 == bench.world.time_s


def test_a_long_gap_moves_the_clock_at_once(tmp_path: Path) -> None:
    wall = 1_700_000_000.0
    first = make_world(tmp_path, wall=lambda: wall)
    first.stop()
    started = time.monotonic()
    after = make_world(tmp_path, wall=lambda: wall + 30 * 86400.0)
    assert after.time_s == pytest.approx(30 * 86400.0 * 3000.0, abs=2.0)
    assert time.monotonic() - started < 10


def test_the_clock_keeps_the_rate(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rate=500.0)

    async def story(bench: Bench) -> None:
        wall, cell_s = time.monotonic(), bench.world.time_s
        await until(lambda: bench.world.time_s > 300)
        assert bench.world.time_s - cell_s == pytest.approx((time.monotonic() - wall) * 500, rel=0.3)
        assert bench.rig.unix_time_s() == pytest.approx(
            bench.world.t0_unix_s + bench.world.now_s(), abs=2 * bench.world.dt_s
        )

    run(bench.live(story))


def test_other_cells_or_another_step_than_saved_are_refused(tmp_path: Path) -> None:
    make_world(tmp_path).stop()
    with pytest.raises(ValueError, match="holds the cells"):
        World({"B": "graphite-li"}, rate=1.0, seed=1, dt_s=2.0, state_path=tmp_path / "state")
    with pytest.raises(ValueError, match="steps of 2 s"):
        make_world(tmp_path, dt_s=1.0)
    with pytest.raises(ValueError, match="rate is 0"):
        make_world(tmp_path, rate=0.0)


class Controller:
    """A controller by hand, which answers or does not."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.gone = False
        self.answers = True
        self.lines: JsonLines | None = None

    async def connect(self, server: asyncio.Server) -> None:
        port = server.sockets[0].getsockname()[1]

        def hear(lines: JsonLines, message: Message) -> None:
            self.heard.append(message)
            if message["op"] == "readings" and self.answers:
                lines.send({"op": "apply", "apply": {}, "continue": True})

        def lost(_: JsonLines) -> None:
            self.gone = True

        _, self.lines = await asyncio.get_running_loop().create_connection(
            lambda: JsonLines(hear, lost), "127.0.0.1", port
        )
        self.lines.send({"op": "control", "cells": ["A1"]})
        await until(lambda: self.heard)

    def apply(self, mode: str, setpoint: float) -> None:
        assert self.lines is not None
        self.lines.send({"op": "apply", "apply": {"A1": [mode, setpoint]}, "continue": False})


@pytest.mark.parametrize("hangs", [True, False])
def test_a_controller_that_hangs_or_dies_leaves_its_cell_at_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    monkeypatch.setattr(world_module, "HOLD_LIMIT_S", 0.3)
    world = make_world(tmp_path)

    async def story() -> None:
        server = await serve(world, tmp_path)
        controller, other = Controller(), Controller()
        await controller.connect(server)
        await other.connect(server)
        assert other.heard[0]["op"] == "refused"
        world.start()
        controller.apply("CURRENT", 0.001)
        slot = world.slots["A1"]
        await until(lambda: slot.cell.reading().charge_ah > 0)
        if hangs:
            controller.answers = False
        else:
            assert controller.lines is not None
            controller.lines.close()
        await until(lambda: slot.mode is ControlMode.REST)
        charge_ah = slot.cell.reading().charge_ah
        stood_s = world.time_s
        await until(lambda: world.time_s > stood_s + 100)
        assert slot.cell.reading().charge_ah == charge_ah
        assert slot.owner is None
        await until(lambda: controller.gone)
        await Controller().connect(server)
        assert slot.owner is not None
        await end(world, server)

    run(story())


def test_a_setpoint_that_is_no_number_is_not_applied(tmp_path: Path) -> None:
    world = make_world(tmp_path)

    async def story() -> None:
        server = await serve(world, tmp_path)
        controller = Controller()
        await controller.connect(server)
        assert controller.lines is not None
        controller.lines._transport.write(  # type: ignore[union-attr]
            b'{"op":"apply","apply":{"A1":["CURRENT",1e999]},"continue":false}\n'
        )
        world.start()
        await until(lambda: world.time_s > 50 or controller.gone)
        assert world.slots["A1"].mode is ControlMode.REST
        await end(world, server)

    run(story())


def test_the_clock_stands_still_while_an_instrument_computes(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def story(bench: Bench) -> None:
        link = InstrumentLink(tmp_path / "world.json")
        linked = asyncio.ensure_future(link.run())
        await until(lambda: link.up)
        message = await link.expose("A1", 60.0)
        stood_s = bench.world.time_s
        await asyncio.sleep(0.05)
        assert bench.world.time_s == stood_s
        assert message["end_unix_s"] - message["start_unix_s"] == 60
        assert len(message["states"]) == 4
        link.done()
        await until(lambda: bench.world.time_s > stood_s)
        with pytest.raises(RuntimeError, match="no cell"):
            await link.expose("B7", 1.0)
        linked.cancel()

    run(bench.live(story))


def test_a_world_that_goes_away_interrupts_the_program(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def story(bench: Bench) -> None:
        bench.executor.load("p", make_program(charge(30000)), OnLoss.REST)
        await until(lambda: bench.executor.lost is None)
        bench.executor.start("p")
        await until(lambda: bench.world.slots["A1"].cell.reading().charge_ah > 0)
        owner = bench.world.slots["A1"].owner
        assert owner is not None
        owner.close()
        await until(lambda: bench.executor.fault is Fault.CHANNEL_LOST)
        await until(lambda: bench.executor.lost is None)
        await until(lambda: bench.executor.ledger.entries["p"].settled)

    run(bench.live(story))
    assert bench.executor.ledger.entries["p"].charge_ah == pytest.approx(
        bench.world.slots["A1"].cell.reading().charge_ah, abs=1e-12
    )


def test_a_torn_save_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "state"
    file = StateFile(path)
    file.save({"n": 1})
    file.save({"n": 2})
    file.close()
    raw = bytearray(path.read_bytes())
    newest = raw.index(b'{"n":2}')
    raw[newest + 5] ^= 1
    path.write_bytes(bytes(raw))
    assert StateFile(path).state == {"n": 1}
    with pytest.raises(ValueError, match="larger than a slot"):
        StateFile(tmp_path / "small", slot_bytes=64).save({"text": "x" * 100})
