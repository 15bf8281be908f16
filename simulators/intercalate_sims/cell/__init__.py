"""The battery of the simulated beamline: reduced models per chemistry behind one interface."""

from intercalate_sims.cell.factory import REDUCED, REPLAY, cell_specs, is_replay, make_cell, restore_cell
from intercalate_sims.cell.interface import CellModel, ElectrodeState, ProbeState, Reading

__all__ = [
    "REDUCED",
    "REPLAY",
    "CellModel",
    "ElectrodeState",
    "ProbeState",
    "Reading",
    "cell_specs",
    "is_replay",
    "make_cell",
    "restore_cell",
]
