"""Whether an instrument can take a cell: by its windows, and by what it gives off in a vacuum."""

from collections.abc import Sequence

from intercalate.cell import Cell
from intercalate.devices.roles import MeasuresCells
from intercalate.problems import Problem
from intercalate.techniques import Sample, table, takes


def problems_of_milled(
    station: MeasuresCells, cell: Cell, spots_mm: Sequence[tuple[float, float]]
) -> list[Problem]:
    """Spots at which ions have milled, where an instrument says nothing of such places."""
    why = table().techniques[station.technique].untouched
    if why is None:
        return []
    found = []
    for number, (x_mm, y_mm) in enumerate(spots_mm):
        deep_um = station.dose.removed_um(cell.name, station.dose.spot_at(x_mm, y_mm))
        if deep_um > 0:
            limit = f"ions have milled {deep_um:.3g} um deep there: {why}"
            found.append(Problem(f"spots_mm[{number}]", f"{x_mm:g}, {y_mm:g}", limit, "take another spot"))
    return found


def problems_of_sample(
    station: MeasuresCells, cell: Cell, temperatures_c: Sequence[float] = ()
) -> list[Problem]:
    """Why an instrument cannot take a cell that is cycled in it.

    Parameters
    ----------
    temperatures_c
        To which its stage will be brought.
    """
    technique = table().techniques[station.technique]
    found = []
    if technique.window == "optical" and cell.optical_window is None:
        limit = f"the cell {cell.name} has no optical window"
        fix = "say in the cell's file which electrode light meets: optical_window"
        found.append(Problem("", station.name, limit, fix))
    if station.chamber is None:
        return found
    now_c = float(station.chamber.temperature_c.get())
    sample = Sample(cell, temperature_c=max([now_c, *temperatures_c]))
    limits = {station.technique: station.chamber.vapour_limit_mbar}
    verdict = takes(station.technique, sample, "in_situ", limits)
    found += [
        Problem("", station.name, f"{station.technique} does not take {cell.name}", refusal)
        for refusal in verdict.refusals
    ]
    if cell.exposed_face is None:
        limit = f"nobody said what of the cell {cell.name} the vacuum meets"
        fix = "say in the cell's file: exposed_face, the electrode or a section"
        found.append(Problem("", station.name, limit, fix))
    return found


def problems_of_opened(
    station: MeasuresCells, cell: Cell, opened: str | None, temperatures_c: Sequence[float] = ()
) -> list[Problem]:
    """Why an instrument cannot take a cell that is carried to it.

    Parameters
    ----------
    opened
        Electrode that shows after it was taken apart, rinsed and dried; None for a cell as it is.
    temperatures_c
        To which its stage will be brought.
    """
    if opened is None:
        return [] if station.chamber is None else problems_of_sample(station, cell, temperatures_c)
    verdict = takes(station.technique, Sample(cell, dry=True), "ex_situ")
    return [
        Problem("opened", opened, f"{station.technique} does not take {cell.name}", refusal)
        for refusal in verdict.refusals
    ]
