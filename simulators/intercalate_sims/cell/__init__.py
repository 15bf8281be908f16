"""The battery of the simulated beamline: reduced models per chemistry behind one interface."""

from intercalate_sims.cell.factory import (
    LITHIUM_METAL,
    LITHIUM_SULFUR,
    REDUCED,
    REPLAY,
    between_electrodes_m,
    cell_specs,
    is_replay,
    make_cell,
    restore_cell,
)
from intercalate_sims.cell.interface import CellModel, ElectrodeState, ProbeState, Reading

__all__ = [
    "LITHIUM_METAL",
    "LITHIUM_SULFUR",
    "REDUCED",
    "REPLAY",
    "CellModel",
    "ElectrodeState",
    "ProbeState",
    "Reading",
    "between_electrodes_m",
    "cell_specs",
    "is_replay",
    "make_cell",
    "restore_cell",
]
