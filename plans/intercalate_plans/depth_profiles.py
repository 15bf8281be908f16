"""Depth profiles: a surface is sputtered away in steps, with spectra after each."""

import itertools
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from intercalate.cell import Cell
from intercalate.devices.ion_column import Raster
from intercalate.devices.roles import MeasuresCells
from intercalate.dose import formula_of
from intercalate.materials.sputtering import artefacts
from intercalate.orchestration.annotations import (
    EXPOSURE,
    FURTHER_METADATA,
    device,
    for_queue,
    mapping,
    number,
    numbers,
    place,
    text,
    texts,
)
from intercalate.orchestration.calibrating import calibration_run, take
from intercalate.orchestration.checking import as_cell, check_exposure, require_station
from intercalate.orchestration.ion_beams import IonBeamRefused, IonDose
from intercalate.orchestration.sample_position import stage_target
from intercalate.orchestration.waiting import in_thread
from intercalate.problems import Problem
from intercalate.streams import XPS

BEYOND = 2.0
"""By which a raster is larger than the spot of the spectrometer at least, so that its walls are not seen."""


@for_queue(
    "Sputter a surface away in steps, for good, with spectra before and after each.",
    station=device("Photoelectron spectrometer with a sputter gun.", "xps"),
    at=place(),
    cell=mapping("The cell there, as in its file."),
    regions=texts("By name."),
    fluences_1e16_cm2=numbers(
        "Argon ions per area after each step, all steps before included, 1e16 per cm2."
    ),
    confirm=text("Sputtering cannot be undone: 'sputter NAME at PLACE', with the cell's name."),
    x_mm=number("Of the spot, from the centre of the place, mm.", -20, 20),
    y_mm=number("Of the spot, from the centre of the place, mm.", -20, 20),
    raster_um=number("Side of what is sputtered, um.", 1, 1e5),
    voltage_kv=number("Of the ions, kV.", 0.01, 10),
    current_na=number("Of the ions, nA.", 0.01, 1e6),
    exposure_s=EXPOSURE,
    md=FURTHER_METADATA,
)
def depth_profile(
    station: MeasuresCells,
    at: str,
    cell: Cell | dict[str, Any],
    regions: list[str],
    fluences_1e16_cm2: list[float],
    confirm: str,
    *,
    x_mm: float = 0.0,
    y_mm: float = 0.0,
    raster_um: float = 2000.0,
    voltage_kv: float = 0.5,
    current_na: float = 1000.0,
    exposure_s: float = 60.0,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Sputter a surface away in steps, and take spectra before the first and after each.

    This is destructive, and what is found below is not what was there: the start document names what ions
    make of the compounds that are looked for (`artefacts`).

    Parameters
    ----------
    station
        Photoelectron spectrometer with a sputter gun.
    at
        Place on the stage of the chamber.
    cell
        What is there; its `exposed_face` says which electrode is seen.
    regions
        Of the analyser, by name.
    fluences_1e16_cm2
        Argon ions per area after each step, ascending, with all that the place had before.
    confirm
        `sputter NAME at PLACE`, with the name of the cell and the place.
    x_mm, y_mm
        Spot on the cell, from the centre of its window.
    raster_um
        Side of the square that is sputtered.
    voltage_kv, current_na
        Of the ions.
    exposure_s
        Of each spectrum, in cell seconds.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run: spectra are in its stream `xps`, what was sputtered in `milling`.

    Raises
    ------
    IonBeamRefused, ValueError, RegionError, LimitError
        Before anything moves, if the confirmation is not as it must be, or something cannot be.
    MillingError
        If the gun was blanked before a step was whole; what was sputtered is noted.
    """
    from intercalate.xps_results import surface_model

    require_station(station, "xps")
    checked = as_cell(cell)
    check_exposure(exposure_s)
    model = surface_model(checked)
    if not regions:
        raise ValueError(f"no region is named; there are {', '.join(station.analyser.regions)}")
    for region in regions:
        station.analyser.check_value(region)
    steps = _steps(fluences_1e16_cm2, raster_um)
    asked = IonDose(station, at, checked, (x_mm, y_mm), voltage_kv, current_na)
    problems = asked.problems(steps[-1], confirm) + _of_raster(station, raster_um)
    if problems:
        raise IonBeamRefused("depth_profile", problems)
    target = stage_target(station, at, (x_mm, y_mm))
    station.changer.position_mm(target)
    yield from in_thread(lambda: station.dose.ledger.put(at, checked.name, formula_of(checked)))

    def spectra() -> MsgGenerator[None]:
        for region in regions:
            yield from bps.mv(station.analyser, region)
            yield from take(station, 1, exposure_s, *station.of_exposure, stream=XPS)

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.changer, target)
        yield from spectra()
        for step in steps:
            yield from asked.give(step, run)
            yield from spectra()

    metadata = {
        "sample": checked.name,
        "cell": checked.model_dump(mode="json", exclude_none=True),
        "place": at,
        "instrument": station.name,
        "regions": list(regions),
        "exposure_s": exposure_s,
        "sputtering": {
            "fluences_1e16_cm2": list(fluences_1e16_cm2),
            "raster_um": raster_um,
            "x_mm": x_mm,
            "y_mm": y_mm,
            "voltage_kv": voltage_kv,
            "current_na": current_na,
            "is_destructive": True,
            "artefacts": artefacts((*model.film, *model.substrate)),
        },
    }
    return (yield from calibration_run(station, "depth_profile", body, md, **metadata))


def _steps(fluences_1e16_cm2: list[float], raster_um: float) -> list[Raster]:
    """What is asked for after each other."""
    if not fluences_1e16_cm2:
        raise ValueError("no step is named; give the ions per area after each, as in [0.5, 1.0, 2.0]")
    steps = [Raster(raster_um, raster_um, one) for one in fluences_1e16_cm2]
    for before, after in itertools.pairwise(fluences_1e16_cm2):
        if not after > before:
            ascend = "each step includes those before, so they ascend"
            raise ValueError(f"fluences_1e16_cm2 has {after:g} after {before:g}; {ascend}")
    return steps


def _of_raster(station: MeasuresCells, raster_um: float) -> list[Problem]:
    """A raster whose walls would be seen."""
    least_um = BEYOND * 1000.0 * max(station.beam.size_mm())
    if raster_um >= least_um:
        return []
    limit = f"its walls would be seen: the spot of {station.name} needs {least_um:g} um at least"
    return [Problem("raster_um", raster_um, limit, "sputter more, or make the spot smaller")]
