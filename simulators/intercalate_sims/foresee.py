"""What a program would do to a cell: its records, from the model of that chemistry, as fast as it computes.

The cycler server's own executor and a simulated channel run as on the simulated beamline.
"""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from intercalate.cell import Cell
from intercalate.contract import IMPEDANCE_COLUMNS, Capability, ControlMode, CyclerState, OnLoss
from intercalate.cycler_server.executor import ChannelExecutor
from intercalate.cycler_server.ledger import ProgramLedger
from intercalate.cycler_server.records import RecordFile
from intercalate.protocol import BoundProgram, SiteLimits
from intercalate.protocol.program import Back
from intercalate_sims.cell import make_cell
from intercalate_sims.cell.interface import HasImpedance
from intercalate_sims.cell.parameters import CELLS, lithium_cell, sulfur_cell, sulfur_cell_names
from intercalate_sims.channel import SimulatedChannel

_MODELS = {
    ("NMC811", "graphite", "liquid"): "nmc811-graphite",
    ("NMC622", "graphite", "liquid"): "nmc622-graphite",
    ("LFP", "graphite", "liquid"): "lfp-graphite",
    ("graphite", "Li", "liquid"): "graphite-li",
    ("graphite", "Li", "polymer"): "graphite-polymer-li",
    ("NMC622", "Li", "liquid"): "nmc622-li",
    ("NMC622", "Li", "polymer"): "nmc622-polymer-li",
    ("NMC111", "Li", "liquid"): "nmc111-li",
    ("LCO", "Li", "liquid"): "lco-li",
    ("LFP", "Li", "liquid"): "lfp-li",
    ("LFP", "Li", "polymer"): "lfp-polymer-li",
    ("LMNO", "Li", "liquid"): "lmno-li",
    ("LMNO-Cr", "Li", "liquid"): "lmno-cr-li",
    ("LMNO-Co", "Li", "liquid"): "lmno-co-li",
    ("LMNO-Al", "Li", "liquid"): "lmno-al-li",
    ("LMNO-Cu", "Li", "liquid"): "lmno-cu-li",
    ("LMNO-Mg", "Li", "liquid"): "lmno-mg-li",
    ("LTO", "Li", "liquid"): "lto-li",
    ("LVO", "Li", "liquid"): "lvo-li",
    ("LVO", "Li", "polymer"): "lvo-polymer-li",
    ("Li-rich NMC", "Li", "liquid"): "lirich-li",
    ("Si", "Li", "liquid"): "si-li",
    ("SiO", "Li", "liquid"): "sio-li",
    ("LCO", "Si", "glass"): "lco-lipon-si",
    ("S", "Li", "liquid"): "sulfur-li",
    ("Li", "Li", "liquid"): "li-liquid-li",
    ("Li", "Li", "polymer"): "li-polymer-li",
    # No model has its potential; what is at rest needs none.
    ("LiAl", "Li", "polymer"): "li-polymer-li",
    # Of these there is a model in a liquid alone.
    ("LTO", "Li", "polymer"): "lto-li",
    ("LCO", "Li", "polymer"): "lco-li",
    ("NMC111", "Li", "polymer"): "nmc111-li",
    ("S", "Li", "polymer"): "sulfur-li",
    ("Li", "Li", "ceramic"): "li-llzo-li",
    ("Li10Mg", "Li10Mg", "ceramic"): "li10mg-llzo-li10mg",
}
"""By both materials, and the kind of electrolyte; what is neither solid nor a polymer counts as liquid."""
_GRAPHITE_BY_SOLVENTS = {
    frozenset({"EC", "DEC"}): "graphite-ecdec-li",
    frozenset({"PC"}): "graphite-pc-li",
    frozenset({"THF"}): "graphite-thf-li",
    frozenset({"DMC", "H2O"}): "graphite-wetdmc-li",
}
"""Half cells of graphite whose solvents make another film than carbonates with EC and EMC."""
_SULFUR_BY_SOLVENTS = {
    frozenset({"PY13-FSI"}): "sulfur-py13fsi-li",
    frozenset({"DOL", "DME"}): "sulfur-ether-li",
}
"""Cells of sulfur in which it is followed what of it dissolves."""
_KINDS = ("polymer", "ceramic", "glass")
T0_UNIX_S = 0.0
PROGRAM = "foreseen"


THICK_UM = 90.0
"""Of a coating of LFP, from which on its model is that of a thick one."""


def model_of(cell: Cell) -> str | None:
    """Name of the model of a cell's chemistry; None where there is none, or nobody said its capacity."""
    if cell.capacity_mAh is None:
        return None
    electrolyte = cell.electrolyte
    kind = electrolyte.kind if electrolyte is not None and electrolyte.kind in _KINDS else "liquid"
    found = _MODELS.get((cell.positive.material, cell.negative.material, kind))
    if found == "graphite-li" and electrolyte is not None:
        return _GRAPHITE_BY_SOLVENTS.get(frozenset(electrolyte.solvents), found)
    if found == "lfp-li" and (cell.positive.thickness_um or 0.0) > THICK_UM:
        return "lfp-thick-li"
    if found == "sulfur-li" and electrolyte is not None:
        return _SULFUR_BY_SOLVENTS.get(frozenset(electrolyte.solvents), found)
    return found


def _nominal_ah_m2(model: str) -> float:
    """Charge of 1C in an hour, per electrode area of a model."""
    if model in sulfur_cell_names():
        return sulfur_cell(model).nominal_capacity_ah_m2
    parameters = CELLS[model] if model in CELLS else lithium_cell(model)
    return parameters.nominal_capacity_ah_m2


def once(program: BoundProgram) -> BoundProgram:
    """The program with every loop passed once."""
    blocks = [
        block.model_copy(update={"passes": 1}) if isinstance(block, Back) else block
        for block in program.blocks
    ]
    return program.model_copy(update={"blocks": tuple(blocks)})


class _Rig:
    """A channel on a cell of its own, in the place of the world: one step of cell time after the other."""

    up = True
    rate = 1.0

    def __init__(self, model: Any):
        self.dt_s = model.dt_s
        self.time_s = T0_UNIX_S
        self.channel = SimulatedChannel("CH1", "A1", self)  # type: ignore[arg-type]
        if isinstance(model, HasImpedance):
            self.channel.capabilities |= {Capability.IMPEDANCE_SPECTROSCOPY}
        self._model: Any = model
        self._control: tuple[ControlMode, float] = (ControlMode.REST, 0.0)

    def unix_time_s(self) -> float:
        return self.time_s

    def apply(self, cell: str, mode: ControlMode, setpoint: float, *, at_once: bool = False) -> None:
        self._control = (mode, setpoint)

    def ask_impedance(self, cell: str, frequencies_hz: list[float]) -> None:
        self.channel.take_impedance(list(self._model.impedance(np.array(frequencies_hz))))

    def step(self) -> None:
        mode, setpoint = self._control
        reading = self._model.advance(mode, setpoint)
        self.time_s += self.dt_s
        message = {"reading": asdict(reading), "mode": mode, "setpoint": setpoint}
        self.channel.take(self.time_s, message)


def foresee(program: BoundProgram, cell: Cell, site: SiteLimits) -> np.ndarray:
    """Records of one pass of a program.

    Returns
    -------
    ndarray, shape (n, len(RECORD_COLUMNS))
        Until its end, or until an interlock ended it.

    Raises
    ------
    ValueError
        If there is no model of this chemistry.
    """
    name = model_of(cell)
    if name is None or cell.capacity_mAh is None:
        raise ValueError(f"there is no model of {cell.positive.material}|{cell.negative.material}")
    area_cm2 = 1e4 * 1e-3 * cell.capacity_mAh / _nominal_ah_m2(name)
    # A cell that was never charged is as it was assembled, which no state of charge says.
    charged = program.initial_soc or None
    rig = _Rig(make_cell(name, area_cm2=area_cm2, initial_soc=charged))
    with tempfile.TemporaryDirectory() as folder:
        executor = ChannelExecutor(
            rig.channel,
            RecordFile(Path(folder) / "records.f8"),
            RecordFile(Path(folder) / "impedances.f8", IMPEDANCE_COLUMNS),
            ProgramLedger(Path(folder) / "programs.jsonl"),
            site,
        )
        rig.channel.found()
        rig.step()
        executor.load(PROGRAM, once(program), OnLoss.CONTINUE)
        executor.start(PROGRAM)
        while executor.state is CyclerState.RUNNING:
            rig.step()
        executor.records.sync()
        return executor.records.read(0, len(executor.records))
