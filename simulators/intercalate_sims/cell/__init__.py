"""The battery of the simulated beamline: reduced models per chemistry behind one interface."""

from intercalate_sims.cell.factory import cell_specs, make_cell, restore_cell
from intercalate_sims.cell.interface import CellModel, ElectrodeState, ProbeState, Reading

__all__ = ["CellModel", "ElectrodeState", "ProbeState", "Reading", "cell_specs", "make_cell", "restore_cell"]
