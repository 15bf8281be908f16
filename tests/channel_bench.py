"""A simulated channel on a world in the same process, with an executor: no Channel Access, no processes."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np

from intercalate.cell import Cell
from intercalate.contract import IMPEDANCE_COLUMNS, Capability, CyclerState, OnLoss
from intercalate.cycler_server.executor import ChannelExecutor
from intercalate.cycler_server.ledger import ProgramLedger
from intercalate.cycler_server.records import RecordFile
from intercalate.protocol import BoundProgram, Protocol, SiteLimits, bind
from intercalate_sims.channel import SimulatedRig
from intercalate_sims.world import World

SITE = SiteLimits(
    min_voltage_V=-0.5,
    max_voltage_V=5.0,
    max_current_mA=100.0,
    min_temperature_C=0.0,
    max_temperature_C=60.0,
    max_duration_s=1e7,
    interlock_delay_s=10.0,
    capabilities=frozenset(Capability),
)
CELL = Cell.from_dict(
    {
        "name": "test cell",
        "format": "coin",
        "positive": {"material": "NMC811"},
        "negative": {"material": "graphite"},
        "working": "positive",
        "one_c_current_mA": 7.0,
        "one_c_basis": "nominal",
        "min_voltage_V": 2.5,
        "max_voltage_V": 4.3,
    }
)


def make_program(*method: dict[str, Any]) -> BoundProgram:
    content = {"record": {"time_s": 30, "voltage_V": 0.01}, "method": list(method)}
    return bind(Protocol.from_dict(content), CELL, SITE)


def charge(time_s: float, **more: Any) -> dict[str, Any]:
    return {"step": "constant_current", "rate_C": 1.0, "until_time_s": time_s, **more}


def run(coroutine: Coroutine[Any, Any, None], deadline_s: float = 80.0) -> None:
    """Run to the end, within a deadline."""
    asyncio.run(asyncio.wait_for(coroutine, deadline_s))


async def until(condition: Callable[[], Any], deadline_s: float = 40.0) -> None:
    """Wait until something is true."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "the condition did not become true in time"
        await asyncio.sleep(0.002)


def make_world(folder: Path, **changes: Any) -> World:
    options: dict[str, Any] = {"rate": 3000.0, "seed": 1, "dt_s": 2.0, "state_path": folder / "state"}
    return World({"A1": "nmc811-graphite"}, **(options | changes))


async def serve(world: World, folder: Path) -> asyncio.Server:
    server = await asyncio.get_running_loop().create_server(world.connect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    (folder / "world.json").write_text(json.dumps({"port": port}))
    return server


async def end(world: World, server: asyncio.Server) -> None:
    """Stop, and give the connections a moment to close."""
    world.stop()
    server.close()
    await asyncio.sleep(0.02)


class Bench:
    """A world, a rig on it and an executor."""

    def __init__(self, folder: Path, **changes: Any):
        self.folder = folder
        self.world = make_world(folder, **changes)
        self.rig = SimulatedRig(folder / "world.json", {"CH1": "A1"})
        self.channel = self.rig.channels["CH1"]
        self.executor = ChannelExecutor(
            self.channel,
            RecordFile(folder / "r.f8"),
            RecordFile(folder / "i.f8", IMPEDANCE_COLUMNS),
            ProgramLedger(folder / "p.jsonl"),
            SITE,
        )

    async def live(self, story: Callable[["Bench"], Awaitable[None]]) -> None:
        """Serve the world and the rig while the story is told; the clock starts with it."""
        server = await serve(self.world, self.folder)
        rig = asyncio.ensure_future(self.rig.run())
        await until(lambda: self.rig.up)
        self.world.start()
        try:
            await story(self)
        finally:
            rig.cancel()
            await asyncio.gather(rig, return_exceptions=True)
            await end(self.world, server)

    async def complete(self, program: BoundProgram, deadline_s: float = 40.0) -> None:
        """Start a program at the first reading and wait for its end."""
        self.executor.load("p", program, OnLoss.REST)

        def start() -> None:
            if self.executor.state is CyclerState.LOADED and self.executor.lost is None:
                self.executor.start("p")

        self.executor.on_change = start
        await until(lambda: self.executor.run is not None)
        await until(lambda: self.executor.run is None, deadline_s)

    def table(self) -> np.ndarray:
        self.executor.records.sync()
        return self.executor.records.read(0, 10**6)

    def spectra(self) -> np.ndarray:
        self.executor.impedances.sync()
        return self.executor.impedances.read(0, 10**6)
