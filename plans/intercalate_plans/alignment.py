"""Where the cells are on the sample changer."""

from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import MsgGenerator

from intercalate.beam_quality import BeamQuality
from intercalate.calibrations import Kind
from intercalate.devices.roles import MeasuresCells
from intercalate.orchestration.annotations import DIFFRACTOMETER, FURTHER_METADATA, for_queue, number, place
from intercalate.orchestration.calibrating import calibration_run, counted, keep
from intercalate.orchestration.checking import require_station
from intercalate.orchestration.events import whole_event
from intercalate.orchestration.waiting import in_thread, trigger_and_wait


@for_queue(
    "Find the centre and edges of a cell's window by transmission.",
    station=DIFFRACTOMETER,
    place=place(),
    half_range_mm=number("Scanned on either side of the position on paper, mm.", 0.5, 20),
    step_mm=number("Step, mm.", 0.02, 5),
    count_s=number("Counting time of each point, s.", 0.01, 60),
    md=FURTHER_METADATA,
)
def align_cell(
    station: MeasuresCells,
    place: str,
    half_range_mm: float = 4.5,
    step_mm: float = 0.25,
    count_s: float = 1.0,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Find the centre of a cell's window from two transmission scans, and keep it.

    Parameters
    ----------
    station
        Its monitors count before and behind the sample.
    place
        On the sample changer.
    half_range_mm
        Scanned on either side of where the centre was known to be; it must reach beyond both edges of the
        window, and not beyond the frame.
    step_mm, count_s
        Step, and counting time of each point in cell seconds.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run.

    Raises
    ------
    WindowError
        If no window with both edges is found; the centre stays as it was.
    LimitError
        Before anything moves, if the scan leaves the travel of an axis.
    """
    from intercalate.reduction.window import Window, find_window

    require_station(station, "xrd")
    if not 0 < step_mm < half_range_mm:
        raise ValueError(f"step_mm is {step_mm:g}; it must be above 0 and below half_range_mm")
    offsets = np.arange(-half_range_mm, half_range_mm + step_mm / 2, step_mm)
    changer, monitors = station.changer, station.monitors
    for corner in ((-half_range_mm, -half_range_mm), (half_range_mm, half_range_mm)):
        changer.position_mm((place, *corner))
    start_mm = changer.centre_mm(place)

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(monitors.count_time_s, count_s)
        yield from bps.mv(changer, place)
        yield from bps.mv(station.shutter, "open")
        across = yield from scan(changer.x_mm, start_mm[0])
        yield from bps.mv(changer.x_mm, across.centre_mm)
        down = yield from scan(changer.y_mm, start_mm[1])
        yield from bps.mv(changer.y_mm, down.centre_mm)
        on_paper = changer.places[place]
        values = {
            "x_mm": across.centre_mm,
            "x_sigma_mm": across.centre_sigma_mm,
            "y_mm": down.centre_mm,
            "y_sigma_mm": down.centre_sigma_mm,
            "width_mm": across.width_mm,
            "height_mm": down.width_mm,
            "transmission": across.transmission,
            "off_paper_mm": [across.centre_mm - on_paper.x_mm, down.centre_mm - on_paper.y_mm],
        }
        yield from keep(station, Kind.POSITION, run, values, key=place)

    def scan(axis: Any, centre_mm: float) -> MsgGenerator[Window]:
        found = []
        for offset in offsets:
            yield from bps.mv(axis, centre_mm + offset)
            yield from trigger_and_wait(monitors)
            reading = yield from whole_event("transmission", [monitors, changer])
            counts = counted(station, reading)
            i0, it = counts["i0_counts"], counts["it_counts"]
            # Without beam both monitors still count their own dark: a ratio of noise is no transmission.
            has_beam = i0 > 0 and monitors.quality.get() != BeamQuality.NONE
            found.append(it / i0 if has_beam else np.nan)
        return (yield from in_thread(lambda: find_window(centre_mm + offsets, np.array(found))))

    changes = (monitors.count_time_s,)
    return (
        yield from calibration_run(
            station, "align_cell", body, md, takes_frames=False, changes=changes, place=place
        )
    )
