"""Cells and the clock they live by, in a process of their own.

The world advances every cell in fixed steps of cell time. A *controller* (the cycler server) is asked
after every step and the clock stands still until it has answered, so cut-offs and interlocks act at the
same step of cell time whatever the speed of the machine. An *instrument* asks for the state of a cell
during an exposure; from the end of the exposure until the instrument is done the clock stands still too.
The world owns the beam as well: an exposure is told how many photons there were.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from intercalate.contract import ControlMode, MillingEnd
from intercalate_sims.beam import Beam, steady_beam
from intercalate_sims.cell.habits import Growth
from intercalate_sims.cell.hosts import Host
from intercalate_sims.cell.interface import HasImpedance
from intercalate_sims.exposures import Exposure, Light
from intercalate_sims.irradiation import BeamEffect, Irradiated
from intercalate_sims.milling import ArgonGun, IonGun
from intercalate_sims.photolysis import VISIBLE_KEV, Burnt
from intercalate_sims.pressure import PressureCell
from intercalate_sims.slots import STATE_FORMAT, Slot, fresh_slots, saved_slots
from intercalate_sims.state_file import StateFile
from intercalate_sims.vessel import IN_VESSEL, Vessel
from intercalate_sims.wire import JsonLines, Message

log = logging.getLogger(__name__)

HOLD_LIMIT_S = 10.0
"""Wall seconds for which one client may hold the clock; after that it counts as hung."""

CATCH_UP_S = 0.05
"""Wall seconds of delay that are made up for; a longer delay lowers the speed instead."""

LONGEST_GAP_S = 172_800.0
"""Cell seconds of a gap that the cells live through step by step. They have relaxed after two days at open
circuit; the rest of a longer gap moves the clock alone."""

T0_PER_SECOND = 1024
"""The clock starts at a multiple of 1/1024 s, so that sums with whole steps of time are exact."""


class World:
    """All cells, the clock, and the clients attached to them.

    Parameters
    ----------
    slots
        Model specification by name of the cell, as `make_cell` takes it.
    rate
        Cell seconds per wall second.
    seed
        Of the cells' own scatter.
    dt_s
        Fixed step of cell time.
    beam
        At the sample; one that never changes by itself where none is given.
    other_beams
        Of the other instruments, by the name of the instrument.
    vessel
        In which they are carried.
    pressure_cell
        Diamonds and membrane, where there are such.
    active_mass
        True over nominal active mass of each cell that differs; `status` tells the nominal.
    hosts
        The graphite of each cell that has another than the real one; `status` tells of the real one.
    growth
        How lithium grows in each cell in which it does not as in the real one; nobody is told.
    state_path
        Where the state is kept; if it exists, the cells go on from there, after the time that has
        passed meanwhile at open circuit.
    beam_effect
        What the beam does to the spots that it meets; kept in `state_path` with the suffix `.spots`.
    wall
        Wall clock in unix seconds; injected in tests.
    """

    def __init__(
        self,
        slots: dict[str, str],
        *,
        rate: float,
        seed: int,
        dt_s: float,
        state_path: Path,
        beam: Beam | None = None,
        other_beams: Mapping[str, Light] | None = None,
        vessel: Vessel | None = None,
        pressure_cell: PressureCell | None = None,
        active_mass: Mapping[str, float] | None = None,
        hosts: Mapping[str, Host] | None = None,
        growth: Mapping[str, Growth] | None = None,
        beam_effect: BeamEffect | None = None,
        wall: Callable[[], float] = time.time,
    ):
        if not rate > 0:
            raise ValueError(f"rate is {rate}; it must be above 0 cell seconds per wall second")
        self.rate = rate
        self.dt_s = dt_s
        self.seed = seed
        self.beam = steady_beam() if beam is None else beam
        self._other_beams = dict(other_beams or {})
        self._ions = [one for one in self._other_beams.values() if isinstance(one, IonGun)]
        self._millers: dict[JsonLines, IonGun] = {}
        self._vessel = vessel
        self._pressure_cell = pressure_cell
        self._presses: JsonLines | None = None
        self._wall = wall
        self._file = StateFile(state_path)
        self._irradiated = Irradiated(beam_effect, state_path.with_suffix(".spots"))
        self._burnt = Burnt(state_path.with_suffix(".burnt"))
        self._exposures: list[Exposure] = []
        self._holds: dict[JsonLines, float] = {}
        self._controllers: set[JsonLines] = set()
        self._waiting: set[JsonLines] = set()
        self._clients: set[JsonLines] = set()
        self._shut: set[JsonLines] = set()
        self._runs = False
        self._next: asyncio.TimerHandle | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._begin(slots, active_mass or {}, hosts or {}, growth or {})
        self._due = 0.0
        self._tick_mono = time.monotonic()

    def _begin(
        self,
        specs: dict[str, str],
        active_mass: Mapping[str, float],
        hosts: Mapping[str, Host],
        growth: Mapping[str, Growth],
    ) -> None:
        saved = self._file.state
        if saved is None:
            self.t0_unix_s = round(self._wall() * T0_PER_SECOND) / T0_PER_SECOND
            self._steps = 0
            self.slots = fresh_slots(specs, self.seed, self.dt_s, active_mass, hosts, growth)
            self._save()
            return
        self.slots = saved_slots(saved, specs, self.dt_s, active_mass)
        self.t0_unix_s, self._steps = saved["t0_unix_s"], saved["steps"]
        self.beam.restore(saved["beam"])
        for name, kept in saved.get("other_beams", {}).items():
            if name in self._other_beams:
                self._other_beams[name].restore(kept)
        if self._vessel is not None and saved.get("vessel"):
            self._vessel.restore(saved["vessel"])
        if self._pressure_cell is not None and saved.get("pressure_cell"):
            self._pressure_cell.restore(saved["pressure_cell"])
        self._pass_gap(max(0.0, self._wall() - saved["wall_s"]) * self.rate)
        self._save()

    def _pass_gap(self, gap_s: float) -> None:
        """Let the time pass during which the world was not there."""
        steps = int(gap_s / self.dt_s)
        lived = min(steps, int(LONGEST_GAP_S / self.dt_s))
        log.info("the world goes on after %.0f s of cell time at open circuit", steps * self.dt_s)
        for slot in self.slots.values():
            for _ in range(lived):
                slot.cell.advance(ControlMode.REST, 0.0)
        self._steps += steps

    @property
    def time_s(self) -> float:
        """Cell time at the end of the last step."""
        return self._steps * self.dt_s

    def _save(self) -> None:
        self._file.save(
            {
                "format": STATE_FORMAT,
                "t0_unix_s": self.t0_unix_s,
                "steps": self._steps,
                "dt_s": self.dt_s,
                "wall_s": self._wall(),
                "cells": {name: slot.cell.to_state() for name, slot in self.slots.items()},
                "beam": self.beam.to_state(),
                "other_beams": {name: one.to_state() for name, one in self._other_beams.items()},
                "vessel": None if self._vessel is None else self._vessel.to_state(),
                "pressure_cell": None if self._pressure_cell is None else self._pressure_cell.to_state(),
            }
        )

    # Clock

    def start(self) -> None:
        """Let time pass; needs a running event loop."""
        self._runs = True
        self._due = time.monotonic()
        self._schedule()
        self._watch()

    def stop(self) -> None:
        """Stand still, let the clients go and keep the state."""
        self._runs = False
        for handle in (self._next, self._watchdog):
            if handle is not None:
                handle.cancel()
        for client in list(self._clients):
            client.close()
        self._save()
        self._file.close()

    def now_s(self) -> float:
        """Cell time, interpolated within the current step."""
        return self.time_s + min((time.monotonic() - self._tick_mono) * self.rate, self.dt_s)

    def _schedule(self) -> None:
        """Plan the next step, unless somebody holds the clock or it is planned already."""
        if not self._runs or self._holds or self._waiting or self._next is not None:
            return
        now = time.monotonic()
        self._due = max(self._due + self.dt_s / self.rate, now - CATCH_UP_S)
        self._next = asyncio.get_running_loop().call_later(max(0.0, self._due - now), self._tick)

    def _tick(self) -> None:
        """One step of cell time."""
        self._next = None
        readings = {name: self._advance(name, slot) for name, slot in self.slots.items()}
        for ions in self._ions:
            ions.live(self.dt_s)
        if self._pressure_cell is not None:
            self._pressure_cell.live(self.dt_s)
        self._steps += 1
        self._tick_mono = time.monotonic()
        self._save()
        self._expose()
        self._ask_controllers(readings)
        self._schedule()

    def _advance(self, name: str, slot: Slot) -> dict[str, Any]:
        """One step of one cell; one that was carried away is at open circuit, whatever is commanded."""
        commanded = {"mode": slot.mode, "setpoint": slot.setpoint}
        if self._vessel is None or not self._vessel.is_off(name):
            return {**commanded, "reading": slot.cell.advance(slot.mode, slot.setpoint)}
        reading = slot.cell.advance(ControlMode.REST, 0.0)
        return {**commanded, "reading": replace(reading, voltage_v=0.0, current_a=0.0)}

    def _watch(self) -> None:
        """Cut off clients that hold the clock for too long: hung, but not dead."""
        deadline = time.monotonic() - HOLD_LIMIT_S
        hung = [client for client, since in self._holds.items() if since < deadline]
        if self._tick_mono < deadline:
            hung += self._waiting
        for client in hung:
            log.warning("a client held the clock for %.0f s and is cut off", HOLD_LIMIT_S)
            client.close()
            self._drop(client)
        self._watchdog = asyncio.get_running_loop().call_later(HOLD_LIMIT_S / 10, self._watch)

    # Controllers

    def _ask_controllers(self, readings: dict[str, dict[str, Any]]) -> None:
        """Tell each controller what its cells read, under which control, and when the step was made.

        By the clock that all processes of a computer share: however long the message is on its way, all
        instruments agree on the time.
        """
        for client in self._controllers:
            mine = {n: readings[n] for n, slot in self.slots.items() if slot.owner is client}
            if mine:
                step = {"time_s": self.time_s, "made_monotonic_s": self._tick_mono}
                client.send({"op": "readings", **step, "cells": mine})
                self._waiting.add(client)

    def _apply(self, client: JsonLines, message: Message) -> None:
        for name, (mode, setpoint) in message["apply"].items():
            slot = self.slots[name]
            if slot.owner is client and math.isfinite(setpoint):
                slot.mode, slot.setpoint = ControlMode(mode), float(setpoint)
        if message["continue"]:
            self._waiting.discard(client)
            self._schedule()

    def _answer_impedance(self, client: JsonLines, message: Message) -> None:
        """Impedance of a cell as it stands, to its controller."""
        slot = self.slots[message["cell"]]
        if slot.owner is client and isinstance(slot.cell, HasImpedance):
            found = slot.cell.impedance(np.array(message["frequencies_hz"], dtype=float))
            answer = {"real_ohm": np.real(found).tolist(), "imaginary_ohm": np.imag(found).tolist()}
            client.send({"op": "impedance", "cell": message["cell"], **answer})

    # Instruments

    def _begin_exposure(self, client: JsonLines, message: Message) -> None:
        # JSON has no infinity; it arrives as null.
        key, name, exposure_s = message["key"], message["cell"], float(message["exposure_s"] or 0)
        try:
            beam, name = self._beam_of(message), self._met(name, message.get("at"))
        except ValueError as error:
            client.send({"op": "refused", "key": key, "why": str(error)})
            return
        if not 0 < exposure_s < math.inf:
            client.send({"op": "refused", "key": key, "why": f"an exposure of {exposure_s:g} s"})
            return
        x_mm, y_mm = message.get("place_mm", (0.0, 0.0))
        exposure = Exposure.begin(
            client, key, name, self.time_s, exposure_s, dt_s=self.dt_s, beam=beam, place_mm=(x_mm, y_mm)
        )
        if name is not None:
            exposure.inactive = self._irradiated.inactive(name, exposure.spot)
            exposure.burnt_j_cm2 = self._burnt.on(name, exposure.spot)
            for ions in self._ions:
                kept = exposure.sputtered if isinstance(ions, ArgonGun) else exposure.milled
                kept += ions.cuts(name)
        self._exposures.append(exposure)

    def _expose(self) -> None:
        """Let the exposures live through the last step, and end those that are over."""
        for exposure in list(self._exposures):
            is_open = exposure.client not in self._shut
            exposure.live(self.time_s - self.dt_s, self.time_s, is_open, self._probe(exposure))
            if exposure.end_s <= self.time_s:
                self._end_exposures(lambda one, ended=exposure: one is ended)
                self._holds[exposure.client] = time.monotonic()
                carried = {} if self._vessel is None else self._vessel.told_of(exposure.slot, self.time_s)
                pressed = (
                    {} if self._pressure_cell is None else {"marker_gpa": self._pressure_cell.marker_gpa}
                )
                exposure.client.send({**exposure.answer(self.t0_unix_s), **carried, **pressed})

    def _end_exposures(self, ended: Callable[[Exposure], bool]) -> None:
        """End exposures, whole or given up; the cell has got what it got."""
        for exposure in [one for one in self._exposures if ended(one)]:
            self._exposures.remove(exposure)
            if exposure.slot is not None and exposure.beam.is_x_ray:
                state = self.slots[exposure.slot].cell.probe_state()
                self._irradiated.expose(exposure.slot, exposure.spot, exposure.fluence_j_cm2, state)
            if exposure.slot is not None and exposure.energy_kev < VISIBLE_KEV:
                self._burnt.expose(
                    exposure.slot, exposure.spot, exposure.fluence_j_cm2, exposure.intensity_w_cm2
                )

    def _probe(self, exposure: Exposure) -> Callable[[], dict[str, Any]] | None:
        if exposure.slot is None:
            return None
        cell = self.slots[exposure.slot].cell
        return lambda: asdict(cell.probe_state())

    def _beam_of(self, message: Message) -> Light:
        """The beam of the instrument that asks."""
        at = message.get("at")
        if at is None:
            return self.beam
        if at not in self._other_beams:
            raise ValueError(f"there is no beam at {at!r}")
        return self._other_beams[at]

    def _met(self, name: str | None, at: str | None) -> str | None:
        """The cell that an instrument meets where it looks for one; none where it was carried away."""
        if name == IN_VESSEL:
            return None if self._vessel is None else self._vessel.cell_at(at or "", self.time_s)
        if name is not None and name not in self.slots:
            raise ValueError(f"no cell {name!r}")
        is_off = name is not None and self._vessel is not None and self._vessel.is_off(name)
        return None if is_off else name

    def _answer_vessel(self, client: JsonLines, message: Message) -> None:
        """Change the vessel as asked, and say how it is."""
        try:
            if self._vessel is None:
                raise ValueError("there is no transfer vessel")
            self._vessel.set(self.time_s, message.get("set", {}))
        except (ValueError, TypeError) as error:
            client.send({"op": "refused", "key": message["key"], "why": str(error)})
            return
        client.send({"op": "vessel", "key": message["key"], **self._vessel.status(self.time_s)})

    def _answer_pressure(self, client: JsonLines, message: Message) -> None:
        """Change the pressure cell as asked, and say how it is."""
        try:
            if self._pressure_cell is None:
                raise ValueError("there is no pressure cell")
            changes = message.get("set", {})
            self._pressure_cell.set(changes)
        except (ValueError, TypeError) as error:
            client.send({"op": "refused", "key": message["key"], "why": str(error)})
            return
        if changes:
            self._presses = client
        client.send({"op": "pressure", "key": message["key"], **self._pressure_cell.status()})

    def _answer_beam(self, client: JsonLines, message: Message) -> None:
        """Change the beam as asked, and say how it is."""
        try:
            beam = self._beam_of(message)
            changes = message.get("set", {})
            beam.set(self.time_s, changes)
        except (ValueError, TypeError) as error:
            client.send({"op": "refused", "key": message["key"], "why": str(error)})
            return
        if "mill" in changes and isinstance(beam, IonGun):
            self._millers[client] = beam
        client.send({"op": "beam", "key": message["key"], **beam.status(self.time_s)})

    # Connections

    def connect(self) -> JsonLines:
        """Make the protocol of a new connection, for `loop.create_server`."""
        client = JsonLines(self._on_message, self._drop)
        self._clients.add(client)
        return client

    def _on_message(self, client: JsonLines, message: Message) -> None:
        match message["op"]:
            case "control":
                self._attach_controller(client, message["cells"])
            case "apply":
                self._apply(client, message)
            case "expose":
                self._begin_exposure(client, message)
            case "impedance":
                self._answer_impedance(client, message)
            case "cancel":
                self._end_exposures(lambda one: one.client is client and one.key == message["key"])
            case "shutter":
                (self._shut.discard if message["open"] else self._shut.add)(client)
            case "beam":
                self._answer_beam(client, message)
            case "vessel":
                self._answer_vessel(client, message)
            case "pressure":
                self._answer_pressure(client, message)
            case "done":
                self._holds.pop(client, None)
                self._schedule()
            case "status":
                client.send({"op": "status", "key": message.get("key"), **self.status()})
            case other:
                client.send({"op": "refused", "key": message.get("key"), "why": f"no operation {other!r}"})

    def status(self) -> dict[str, Any]:
        """Clock, cells and their models, JSON-able."""
        return {
            "unix_s": self.t0_unix_s + self.now_s(),
            "t0_unix_s": self.t0_unix_s,
            "time_s": self.time_s,
            "rate": self.rate,
            "dt_s": self.dt_s,
            "seed": self.seed,
            "cells": {name: slot.describe() for name, slot in self.slots.items()},
        }

    def _attach_controller(self, client: JsonLines, names: list[str]) -> None:
        taken = [n for n in names if n not in self.slots or self.slots[n].owner is not None]
        if taken:
            client.send({"op": "refused", "why": f"cells {taken} do not exist or have another controller"})
            return
        self._controllers.add(client)
        for name in names:
            self.slots[name].owner = client
        client.send({"op": "attached", **self.status()})

    def _drop(self, client: JsonLines) -> None:
        """A client is gone: its cells go to open circuit, its holds, exposures and its cut end."""
        for slot in self.slots.values():
            if slot.owner is client:
                slot.owner, slot.mode, slot.setpoint = None, ControlMode.REST, 0.0
        if (ions := self._millers.pop(client, None)) is not None:
            ions.blank(MillingEnd.INSTRUMENT)
        if client is self._presses and self._pressure_cell is not None:
            self._pressure_cell.hold()
            self._presses = None
        self._clients.discard(client)
        self._shut.discard(client)
        self._controllers.discard(client)
        self._end_exposures(lambda one: one.client is client)
        self._holds.pop(client, None)
        self._waiting.discard(client)
        self._schedule()
