"""Renders frames once more, from nothing but the settings, the program and the times of the exposures.

The cell is driven again, step by step, as the program and the times at which its steps ended say; every
exposure of the simulator's sidecar is lived through again, and the station takes its frame anew. What comes
of it is bit for bit what the detector wrote, or the frame is not that of its exposure.
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faults.evidence import frame_truth, read_image, world_state
from intercalate.config import Config
from intercalate.contract import RECORD_COLUMNS, ControlMode, EndReason
from intercalate.protocol import BoundProgram, ProgramCursor
from intercalate_sims.assembly import Layout, hidden_of, make_beam, make_diffractometer
from intercalate_sims.exposures import Exposure
from intercalate_sims.slots import fresh_slots

UNIX, STEP, VOLTAGE = (
    RECORD_COLUMNS.index(column) for column in ("unix_time_second", "step_count", "voltage_volt")
)
NOISE_V = 2e-4
"""No reading is off by more: ten sigmas of the channel."""

Control = tuple[float, ControlMode, float]
"""Until when, in unix seconds, and how the cell was controlled."""


def controls(program: BoundProgram, records: np.ndarray, dt_s: float) -> list[Control]:
    """What was applied to the cell: at rest before the program, and each step until its last record.

    A start is obeyed with the answer to the next reading, one step of the world later.
    """
    cursor, found = ProgramCursor(program), [(float(records[0, UNIX]) + dt_s, ControlMode.REST, 0.0)]
    for step in np.unique(records[:, STEP]):
        segment = cursor.next(EndReason.NONE if len(found) == 1 else EndReason.TIME)
        assert segment is not None
        found.append((float(records[records[:, STEP] == step, UNIX].max()), segment.mode, segment.setpoint))
    return found


class SecondWorld:
    """The first cell of a beamline, and its detector, made once more and driven as they were.

    Parameters
    ----------
    config
        Of the beamline, whose settings and clock are taken.
    program, records
        By which the cell was driven; what it shows now must be what they say.
    """

    def __init__(self, config: Config, program: BoundProgram, records: np.ndarray):
        settings = Layout(config.stored("simulator")).read_settings()
        hidden = hidden_of(settings)
        masses = {name: hidden.cell(name).active_mass for name in settings.cells}
        self._name = next(iter(settings.cells))
        hosts = {name: hidden.cell(name).host for name in settings.hosts}
        slots = fresh_slots(settings.cells, settings.seed, settings.dt_s, masses, hosts, settings.growth)
        self._cell = slots[self._name].cell
        self._beam = make_beam(settings)
        with tempfile.TemporaryDirectory() as folder:
            self._instrument = make_diffractometer(settings, Path(folder))
        self._t0_unix_s = world_state(config)["t0_unix_s"]
        self._instrument.world = {"t0_unix_s": self._t0_unix_s}
        self._dt_s, self._time_s = settings.dt_s, 0.0
        self._read = {float(row[UNIX]): float(row[VOLTAGE]) for row in records}
        self._controls = iter(controls(program, records, self._dt_s))
        self._until_s, self._mode, self._setpoint = next(self._controls)

    def _step(self) -> None:
        unix_s = self._t0_unix_s + self._time_s
        if unix_s >= self._until_s:
            rest = (float("inf"), ControlMode.REST, 0.0)
            self._until_s, self._mode, self._setpoint = next(self._controls, rest)
        shown_v = self._cell.advance(self._mode, self._setpoint).voltage_v
        self._time_s += self._dt_s
        off_v = abs(shown_v - self._read.get(unix_s + self._dt_s, shown_v))
        if off_v > NOISE_V:
            raise RuntimeError(f"driven again, the cell is {off_v:g} V away at {self._time_s:g} s")

    def _state(self) -> dict[str, Any]:
        return asdict(self._cell.probe_state())

    def frame(self, entry: dict[str, Any]) -> np.ndarray:
        """The frame of an entry of the sidecar; to be asked for in their order, for a detector remembers.

        Raises
        ------
        RuntimeError
            If the cell does not show the voltages of the records.
        """
        start_s, end_s = (entry[f"{edge}_unix_s"] - self._t0_unix_s for edge in ("start", "end"))
        while self._time_s < start_s:
            self._step()
        nobody: Any = None
        exposure = Exposure.begin(
            nobody, 0, self._name, start_s, end_s - start_s, dt_s=self._dt_s, beam=self._beam
        )
        while self._time_s < end_s:
            self._step()
            exposure.live(self._time_s - self._dt_s, self._time_s, True, self._state)
        message = json.loads(json.dumps(exposure.answer(self._t0_unix_s)))
        instrument = self._instrument
        in_beam = instrument.changer.in_beam(*instrument.stage.position_mm, tuple(message["size_mm"]))
        frame, _, _ = instrument.station.take(
            instrument.shot(message, end_s - start_s, in_beam), entry["counter"]
        )
        return frame


def frames_that_differ(config: Config, program: BoundProgram, records: np.ndarray) -> tuple[int, int]:
    """Render every frame of a beamline's first program again.

    Returns
    -------
    rendered, differing
        Number of frames, and of those in which a pixel is not what the detector wrote.
    """
    again, truth = SecondWorld(config, program, records), frame_truth(config)
    differing = 0
    for entry in truth:
        written = read_image(Path(entry["file"]), entry["frame_index"])
        differing += not np.array_equal(again.frame(entry), written)
    return len(truth), differing
