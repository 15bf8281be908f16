"""A plan that measures spectra of known compounds, by which electron losses of an unknown sample are read."""

from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from intercalate.calibrations import Kind
from intercalate.devices.roles import MeasuresCells
from intercalate.orchestration.annotations import (
    EXPOSURE,
    FURTHER_METADATA,
    device,
    for_queue,
    number,
    texts,
)
from intercalate.orchestration.calibrating import calibration_run, keep, take
from intercalate.orchestration.checking import check_exposure, require_station
from intercalate.orchestration.sample_position import stage_target
from intercalate.orchestration.waiting import in_thread
from intercalate.problems import did_you_mean
from intercalate_plans.transmission import STAGE_C, at_temperature, check_stage

STEP_NM = (0.1, 100.0)
"""Of scans, as the spectrometer takes them."""


@for_queue(
    "Measure spectra of films of known compounds, by which electron losses of other samples are read.",
    station=device("Spectrometer of electron losses with all that is around it.", "eels"),
    compounds=texts("Of the films; all that the configuration has, if not given.", optional=True),
    exposure_s=EXPOSURE,
    step_nm=number("Between two pixels of a film, nm.", *STEP_NM),
    temperature_c=number("Of the stage, in degrees Celsius.", *STAGE_C),
    md=FURTHER_METADATA,
)
def take_references(
    station: MeasuresCells,
    compounds: list[str] | None = None,
    exposure_s: float = 70.0,
    step_nm: float = 100.0,
    temperature_c: float = -150.0,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Measure spectra of films of known compounds, check them, and keep each as a calibration.

    Parameters
    ----------
    station
        Spectrometer of electron losses, whose configuration has the films (`films`).
    compounds
        Of the films, each the content of a place on the stage; all that the configuration has, if None.
    exposure_s
        Of the scan of each film, in cell seconds.
    step_nm
        Between two pixels, in rows and columns: so far that hardly any dose is put into a film.
    temperature_c
        Of the stage.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run. What is kept of each compound is its spectrum, with the thickness that the film
        is said to have, and the dose that it had.

    Raises
    ------
    ValueError
        Before anything moves, if a film is not in the configuration or has no place.
    EelsError
        If a film is not what it is said to be, or is damaged; those before it are kept.
    """
    from intercalate.loss_references import film_of

    require_station(station, "eels")
    paper = station.calibrations.on_paper
    wanted = list(paper.films) if compounds is None else list(compounds)
    if not wanted:
        raise ValueError(f"the configuration of {station.name} has no films; give some under detector.films")
    for one in wanted:
        if one not in paper.films:
            raise ValueError(f"there is no film of {one!r}: {did_you_mean(one, paper.films)}")
    check_exposure(exposure_s, len(wanted))
    check_stage(temperature_c)
    low_nm, high_nm = STEP_NM
    if not low_nm <= step_nm <= high_nm:
        raise ValueError(f"step_nm is {step_nm:g}; scans have steps of {low_nm:g} to {high_nm:g} nm")
    places = {one: station.changer.find(content=one) for one in wanted}
    for at in places.values():
        station.changer.position_mm(stage_target(station, at))

    def body(run: str) -> MsgGenerator[None]:
        scan = station.scan
        yield from bps.mv(scan.step_nm, step_nm, scan.row_step_nm, step_nm, scan.bias_v, 0.0)
        for compound, at in places.items():
            yield from bps.mv(station.changer, stage_target(station, at))
            (taken,) = yield from take(station, 1, exposure_s, *station.of_exposure)
            dose_e_per_a2 = yield from in_thread(lambda: _had(station, at))  # noqa: B023
            values, arrays = yield from in_thread(
                lambda: film_of(taken.frame, compound, dose_e_per_a2, temperature_c, paper)  # noqa: B023
            )
            yield from keep(station, Kind.COMPOUND, run, values, key=compound, arrays=arrays)

    scan = station.scan
    return (
        yield from calibration_run(
            station,
            "take_references",
            at_temperature(station, temperature_c, body),
            md,
            changes=(scan.step_nm, scan.row_step_nm),
            compounds=wanted,
            exposure_s=exposure_s,
            instrument=station.name,
        )
    )


def _had(station: MeasuresCells, at: str) -> float:
    """Electrons per area that the film at a place has had, by the account of doses."""
    dose = station.dose
    return dose.account(dose.ledger.occupant(at).cell, "", dose.spot_at(0.0, 0.0))
