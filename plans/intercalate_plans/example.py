"""A plan to copy: charge, rest, scan, discharge, scan, in ten lines."""

from typing import Any

from bluesky.utils import MsgGenerator

from intercalate.cell import Cell
from intercalate.contract import CYCLER_NAMES
from intercalate.devices.roles import CyclesCells, MovesSample, TakesFrames
from intercalate.orchestration import charge, cycling_records, discharge, rest
from intercalate.orchestration.annotations import device, for_queue, mapping
from intercalate.orchestration.checking import as_cell
from intercalate_plans.diffraction import count_frames, scan_sample


@for_queue(
    "Charge to 3.9 V, rest, scan; discharge to 3.0 V, take frames.",
    cycler=device("Channel the cell is on.", *CYCLER_NAMES),
    detector=device("Takes the frames.", "diffractometer"),
    changer=device("Moves the sample.", "changer"),
    cell=mapping("The cell."),
)
def charge_scan_discharge(
    cycler: CyclesCells, detector: TakesFrames, changer: MovesSample, cell: Cell | dict[str, Any]
) -> MsgGenerator[None]:
    """Charge to 3.9 V, rest, scan three points; discharge to 3.0 V, take two frames.

    The records of all steps are in one run, each scan in one of its own.
    """
    sample = as_cell(cell)

    def steps() -> MsgGenerator[None]:
        yield from charge(cycler, sample, rate_C=1.0, until_voltage_V=3.9)
        yield from rest(cycler, sample, until_time_s=600)
        yield from scan_sample(detector, changer, -0.5, 0.5, 3, exposure_s=30)
        yield from discharge(cycler, sample, rate_C=1.0, until_voltage_V=3.0)
        yield from count_frames(detector, 2, exposure_s=30)

    yield from cycling_records(steps(), cycler, sample)
