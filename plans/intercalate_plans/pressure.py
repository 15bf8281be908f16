"""Plans for a diamond-anvil cell at the diffractometer."""

from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.utils import MsgGenerator

from intercalate.contract import ABSOLUTE_MAX_PRESSURE_GPA, DIAMOND_ANVIL_CELL
from intercalate.devices.roles import MeasuresCells
from intercalate.orchestration.annotations import (
    DIFFRACTOMETER,
    EXPOSURE,
    FURTHER_METADATA,
    for_queue,
    mapping,
    number,
    numbers,
    text,
)
from intercalate.orchestration.calibrating import calibration_run, take
from intercalate.orchestration.checking import check_exposure, require_station
from intercalate.orchestration.waiting import in_thread
from intercalate.problems import Problem

LONGEST_SETTLING_S = 86_400.0


@for_queue(
    "Press a sample between diamonds in steps, and take a pattern at each.",
    station=DIFFRACTOMETER,
    sample=mapping("The sample: name, material, marker, medium."),
    pressures_gpa=numbers("Of the membrane by its table, one after the other, GPa."),
    exposure_s=EXPOSURE,
    settle_s=number("After each approach, s.", 0, LONGEST_SETTLING_S),
    beam_mm=number("Width and height of the beam, mm.", 0.02, 1.0),
    rate_gpa_min=number("Of the approach, GPa/min.", 0.01, 5.0, optional=True),
    at=text("Place on the sample changer; the one with the cell if None.", optional=True),
    md=FURTHER_METADATA,
)
def pressure_scan(
    station: MeasuresCells,
    sample: dict[str, Any],
    pressures_gpa: list[float],
    exposure_s: float = 300.0,
    settle_s: float = 300.0,
    beam_mm: float = 0.08,
    rate_gpa_min: float | None = None,
    at: str | None = None,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Press a sample between diamonds in steps, and take a pattern at each.

    The pressure stays where it is in the end, whatever ended the plan: let down at once, a cell loses its
    gasket. A pressure of 0 at the end of the list lets it down slowly.

    Parameters
    ----------
    station
        Diffractometer with a diamond-anvil cell.
    sample
        As `PressedSample`: name, material, marker, medium.
    pressures_gpa
        Of the membrane, by its table. What the sample has follows from the lines of its marker.
    exposure_s
        Of each frame, in cell seconds.
    settle_s
        After each approach, until gasket and medium have followed, in cell seconds.
    beam_mm
        Width and height of the beam, which must miss the gasket; the slits are as before afterwards.
    rate_gpa_min
        Of the approach, and as before afterwards; as it is set if None.
    at
        Place on the sample changer.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run; the frames are in its stream `xrd`.

    Raises
    ------
    PressedError, ValueError
        Before anything moves, if a pressure is beyond what anvils or sample bear, or what is given is no
        sample, or there is no diamond-anvil cell.
    """
    from intercalate.pressed import PressedError, PressedSample, problems_of_pressures

    require_station(station, "xrd")
    checked = PressedSample.from_content(sample, "sample")
    check_exposure(exposure_s, len(pressures_gpa))
    cell = station.pressure_cell
    if cell is None:
        fix = "add [pressure_cell] to the configuration"
        raise PressedError(
            "pressure_scan", [Problem("station", station.name, "it has no diamond-anvil cell", fix)]
        )
    place = at or station.changer.find(content=DIAMOND_ANVIL_CELL)
    station.changer.position_mm(place)
    problems = problems_of_pressures(tuple(pressures_gpa), checked, cell.highest_gpa)
    problems += [
        Problem(f"pressures_gpa[{index}]", one, "a pressure is not below 0", "say 0 to let it down")
        for index, one in enumerate(pressures_gpa)
        if not 0 <= one <= ABSOLUTE_MAX_PRESSURE_GPA
    ]
    if problems:
        raise PressedError("pressure_scan", problems)

    slits = (station.settings["slit_h_mm"], station.settings["slit_v_mm"])

    def steps() -> MsgGenerator[None]:
        yield from bps.mv(station.changer, place)
        yield from bps.mv(*(word for slit in slits for word in (slit, beam_mm)))
        if rate_gpa_min is not None:
            yield from bps.mv(cell.rate_gpa_min, rate_gpa_min)
        for pressure_gpa in pressures_gpa:
            yield from bps.checkpoint()
            yield from bps.mv(cell.pressure_gpa, pressure_gpa)
            yield from bps.sleep(settle_s / cell.rate())
            yield from take(station, 1, exposure_s, *station.of_exposure, cell, stream=station.technique)

    def body(run: str) -> MsgGenerator[None]:
        before = []
        for slit in slits:
            before.append((yield from bps.rd(slit)))
        rate_before = yield from in_thread(cell.rate_gpa_min.get)

        def restore() -> MsgGenerator[None]:
            for slit, value in zip(slits, before):
                if value is not None:
                    yield from bps.mv(slit, value)
            if rate_gpa_min is not None:
                yield from bps.mv(cell.rate_gpa_min, rate_before)

        yield from bpp.finalize_wrapper(steps(), restore)

    return (
        yield from calibration_run(
            station,
            "pressure_scan",
            body,
            md,
            place=place,
            exposure_s=exposure_s,
            instrument=station.name,
            sample=checked.name,
            pressed_sample=checked.model_dump(mode="json", exclude_none=True),
            pressures_gpa=list(pressures_gpa),
            num_points=len(pressures_gpa),
        )
    )
