"""Plans for a focused ion beam: a cut that opens a sample for good, and frames of what it has opened."""

from collections.abc import Mapping
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from intercalate.cell import Cell
from intercalate.devices.ion_column import Cut
from intercalate.devices.roles import MeasuresCells
from intercalate.dose import formula_of
from intercalate.dose_ledger import Spot
from intercalate.orchestration.annotations import (
    COUNT,
    EXPOSURE,
    FURTHER_METADATA,
    device,
    for_queue,
    mapping,
    number,
    place,
    text,
)
from intercalate.orchestration.calibrating import as_before, calibration_run, take
from intercalate.orchestration.checking import as_cell, check_exposure, require_station
from intercalate.orchestration.ion_beams import IonBeamRefused, IonDose
from intercalate.orchestration.sample_position import stage_target
from intercalate.orchestration.waiting import in_thread
from intercalate.problems import Problem

MICROSCOPE = device("Electron microscope with an ion column.", "sem")
DETECTOR = device("Electron microscope, or X-ray detector on its column.", "sem", "eds")
SECONDARY = "secondary electrons"
MOST_UM = 1000.0
WITHIN = 0.8
"""Of the smaller side of a cut, that an image of it shows."""
CELL = mapping("The cell there, as in its file.")
SPOT = number("Of the spot, from the centre of the place, mm.", -20, 20)


@for_queue(
    "Mill a section into a cell with the ion beam, for good, and take images of it. Last in the order.",
    station=MICROSCOPE,
    at=place(),
    cell=CELL,
    width_um=number("Of the cut, um.", 0.01, MOST_UM),
    height_um=number("Of the cut, um.", 0.01, MOST_UM),
    depth_um=number("Of the cut, um.", 0.01, MOST_UM),
    confirm=text("Milling cannot be undone: 'mill NAME at PLACE', with the cell's name."),
    x_mm=SPOT,
    y_mm=SPOT,
    voltage_kv=number("Of the ions, kV.", 0.1, 100),
    current_na=number("Of the ions, nA.", 1e-4, 1000),
    field_of_view_um=number(
        "Side of the images afterwards, um; within the cut, if not given.", 0.5, 2000, optional=True
    ),
    images=number("How many images afterwards.", 0, 100, integer=True),
    exposure_s=EXPOSURE,
    md=FURTHER_METADATA,
)
def mill_section(
    station: MeasuresCells,
    at: str,
    cell: Cell | dict[str, Any],
    width_um: float,
    height_um: float,
    depth_um: float,
    confirm: str,
    *,
    x_mm: float = 0.0,
    y_mm: float = 0.0,
    voltage_kv: float = 30.0,
    current_na: float = 0.1,
    field_of_view_um: float | None = None,
    images: int = 1,
    exposure_s: float = 20.0,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Mill a rectangle into a cell with the focused ion beam, and take images of what it opens.

    This is destructive. It is done last: what assumes an untouched surface is refused at this spot ever
    after. Lithium is milled cold, or at low current (`materials.ion_milling`).

    Parameters
    ----------
    station
        Electron microscope with an ion column.
    at
        Place on the stage of the chamber.
    cell
        What is there.
    width_um, height_um, depth_um
        Of the cut, whose middle is at the spot. One at the same spot and of the same size goes on from where
        the one before ended.
    confirm
        `mill NAME at PLACE`, with the name of the cell and the place.
    x_mm, y_mm
        Spot on the cell, from the centre of its window.
    voltage_kv, current_na
        Of the ions.
    field_of_view_um
        Side of the images; within the cut where None, since what lies around it is not judged.
    images
        How many are taken afterwards, with secondary electrons, `exposure_s` each.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run: what was milled is in its stream `milling`, the images in `sem`.

    Raises
    ------
    IonBeamRefused, ValueError, LimitError
        Before anything moves, if the confirmation is not as it must be, or something cannot be.
    MillingError
        If the beam was blanked before the cut was whole; what was milled is noted.
    """
    require_station(station, "sem")
    checked = as_cell(cell)
    cut = Cut(width_um, height_um, depth_um)
    if images:
        check_exposure(exposure_s, images)
    asked = IonDose(station, at, checked, (x_mm, y_mm), voltage_kv, current_na)
    problems = asked.problems(cut, confirm)
    if problems:
        raise IonBeamRefused("mill_section", problems)
    target = stage_target(station, at, (x_mm, y_mm))
    station.changer.position_mm(target)
    yield from in_thread(lambda: station.dose.ledger.put(at, checked.name, formula_of(checked)))

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.changer, target)
        yield from asked.give(cut, run)
        if images:
            side_um = WITHIN * min(width_um, height_um) if field_of_view_um is None else field_of_view_um
            asking = {station.scan.image_detector: SECONDARY, station.beam.field_of_view_um: side_um}
            yield from _frames(station, images, exposure_s, asking)

    metadata = {
        **_of_cell(station, at, checked, exposure_s),
        "milling": {
            "width_um": width_um,
            "height_um": height_um,
            "depth_um": depth_um,
            "x_mm": x_mm,
            "y_mm": y_mm,
            "voltage_kv": voltage_kv,
            "current_na": current_na,
            "is_destructive": True,
        },
        "num_points": images,
    }
    return (yield from calibration_run(station, "mill_section", body, md, **metadata))


@for_queue(
    "Take images or X-ray spectra of a section that the ion beam has milled.",
    station=DETECTOR,
    at=place(),
    cell=CELL,
    x_mm=SPOT,
    y_mm=SPOT,
    field_of_view_um=number("Side of what is scanned, um.", 0.5, 2000),
    voltage_kv=number("Of the electrons, kV; as it is, if not given.", 0.1, 100, optional=True),
    count=COUNT,
    exposure_s=EXPOSURE,
    md=FURTHER_METADATA,
)
def view_section(
    station: MeasuresCells,
    at: str,
    cell: Cell | dict[str, Any],
    *,
    x_mm: float = 0.0,
    y_mm: float = 0.0,
    field_of_view_um: float = 6.0,
    voltage_kv: float | None = None,
    count: int = 1,
    exposure_s: float = 20.0,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Take images or X-ray spectra of a section that the ion beam has milled.

    Parameters
    ----------
    station
        Electron microscope, or an X-ray detector on its column.
    at, cell, x_mm, y_mm
        As of `mill_section`.
    field_of_view_um
        Side of what is scanned.
    voltage_kv
        Of the electrons; as it is where None. Lithium is seen at low voltage only.
    count, exposure_s
        Of frames, in cell seconds each.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run; the frames are in the stream of the technique.

    Raises
    ------
    IonBeamRefused, LimitError
        Before anything moves, if nothing was milled there.
    """
    require_station(station)
    checked = as_cell(cell)
    check_exposure(exposure_s, count)
    target = stage_target(station, at, (x_mm, y_mm))
    station.changer.position_mm(target)
    here = Spot(x_mm, y_mm, field_of_view_um / 1000.0, field_of_view_um / 1000.0)
    if not station.dose.removed_um(checked.name, here) > 0:
        limit = f"by the account of doses nothing of {checked.name} was milled in this field of view"
        raise IonBeamRefused(
            "view_section",
            [Problem("x_mm, y_mm", f"{x_mm:g}, {y_mm:g}", limit, "mill_section opens a place")],
        )

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.changer, target)
        asking: dict[Any, Any] = {station.beam.field_of_view_um: field_of_view_um}
        if voltage_kv is not None:
            asking[station.beam.voltage_kv] = voltage_kv
        if station.scan is not None:
            asking[station.scan.image_detector] = SECONDARY
        yield from _frames(station, count, exposure_s, asking)

    metadata = {**_of_cell(station, at, checked, exposure_s), "num_points": count}
    return (yield from calibration_run(station, "view_section", body, md, **metadata))


def _of_cell(station: MeasuresCells, at: str, cell: Cell, exposure_s: float) -> dict[str, Any]:
    """Start metadata by which frames are reduced as those of a cell."""
    return {
        "sample": cell.name,
        "cell": cell.model_dump(mode="json", exclude_none=True),
        "place": at,
        "instrument": station.name,
        "exposure_s": exposure_s,
    }


def _frames(
    station: MeasuresCells, count: int, exposure_s: float, asking: Mapping[Any, Any]
) -> MsgGenerator[None]:
    """Take frames with some signals set, which are set back."""

    def inner() -> MsgGenerator[None]:
        yield from bps.mv(*(part for pair in asking.items() for part in pair))
        yield from take(station, count, exposure_s, *station.of_exposure, stream=station.technique)

    yield from as_before(inner(), list(asking))
