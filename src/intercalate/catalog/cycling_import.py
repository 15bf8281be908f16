"""Brings the files of a cycler that nobody connected to a measured run, and a cell that was entered later."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from intercalate import streams
from intercalate.catalog.alignment import FrameTimes, exposures_of
from intercalate.catalog.client import image_streams
from intercalate.catalog.clock import ClockModel
from intercalate.catalog.linked import (
    CELL_OF,
    CYCLING_OF,
    is_linked,
    linked_starts,
    who_now,
    write_linked_run,
)
from intercalate.cell import Cell
from intercalate.cycling_files import CyclingFile, CyclingSeries, claims_of
from intercalate.problems import Problem, ProblemsError

HOUR_S = 3600.0
ZONE_STEP_S = HOUR_S / 4
"""Zones differ by multiples of this."""

WIDEST_ZONE_S = 26 * HOUR_S
"""Two zones differ by no more."""

MASS_TOLERANCE = 1e-6


class ImportRefusedError(ProblemsError):
    """Files or a cell do not belong to a run."""

    def __init__(self, where: str, value: object, limit: str, fix: str) -> None:
        super().__init__("import", [Problem(where, value, limit, fix)])


@dataclass(frozen=True)
class Imported:
    """What an import has made.

    Attributes
    ----------
    uid
        Of the new run.
    version, replaces
        Number of the import to this run from 1, and the uid of the one that counted before.
    frames, covered
        Of the measured run, and those that lie within the records.
    warnings
        Of the readers, the clock and the times.
    """

    uid: str
    version: int
    replaces: str | None
    frames: int
    covered: int
    warnings: tuple[str, ...]


def import_cycling(
    run: Any,
    series: CyclingSeries,
    clock: ClockModel,
    *,
    journals: Path,
    who: str | None = None,
    reason: str = "",
    charged_before_mah: float | None = None,
) -> Imported:
    """Attach the files of a cycler to a run, as a run of its own that names it.

    Parameters
    ----------
    run
        Of the catalog, that was measured without its cycler.
    series
        The files.
    clock
        From the beamline's clock, by which the frames are stamped, to the cycler's.
    journals
        Folder that the forwarder watches.
    who
        The login where None.
    reason
        Why these replace what was imported before; needed where something was.
    charged_before_mah
        Charge in the cell before the first record, beyond its discharged state; None where nobody knows.

    Raises
    ------
    ImportRefusedError
        If the run has records of its own, the files were imported to it already, others were and no
        reason is given, or no frame lies within the files.
    JournalError
        If the journal cannot be written.
    """
    measured = _measured(run)
    if streams.CYCLING in run:
        fix = "import files only to runs that were measured without their cycler"
        raise ImportRefusedError("run", measured["uid"], "has records of its own cycler", fix)
    before = linked_starts(run, CYCLING_OF, journals)
    _check_new(series, before, reason)
    series, clock = _with_unix_time(series, clock)
    exposed = _exposures(run)
    covered = covered_frames(series, clock, exposed)
    warnings = [*series.warnings, *_clock_warnings(clock), *_cover_warnings(series, clock, exposed, covered)]
    warnings += [f"not used: {claim}" for claim in claims_of(series.files)]
    metadata = {
        "plan_name": "import_cycling",
        "files": [_described(one) for one in series.files],
        "clock": clock.to_dict(),
        "restarts": [asdict(one) for one in series.restarts],
        "claims": [asdict(one) for one in claims_of(series.files)],
        "import_warnings": warnings,
        "imported_by": who_now(who),
        **_version(before, reason),
    }
    if charged_before_mah is not None:
        metadata["charged_before_mAh"] = charged_before_mah
    uid = write_linked_run(journals, CYCLING_OF, measured, metadata, series.columns)
    count = len(exposed.start_unix_s)
    replaces = metadata.get("replaces")
    return Imported(uid, metadata["version"], replaces, count, int(covered.sum()), tuple(warnings))


def _version(before: Sequence[Mapping[str, Any]], reason: str) -> dict[str, Any]:
    """Number of what is written now, why it is, and what counted before."""
    replaced = {"replaces": before[-1]["uid"]} if before else {}
    return {"version": len(before) + 1, "reason": reason.strip(), **replaced}


def _measured(run: Any) -> dict[str, Any]:
    """Start document of a run that was measured."""
    start = dict(run.metadata["start"])
    if is_linked(start):
        other = start.get(CYCLING_OF) or start.get(CELL_OF)
        limit = f"only says something of run {other}"
        raise ImportRefusedError("run", start["uid"], limit, "name that one")
    return start


def _described(file: CyclingFile) -> dict[str, Any]:
    return {
        "name": file.name,
        "format": file.format,
        "sha256": file.sha256,
        "rows": file.rows,
        "header": dict(file.header),
    }


def _check_new(series: CyclingSeries, before: list[dict[str, Any]], reason: str) -> None:
    if not before or reason.strip():
        return
    latest = before[-1]
    known = [one["sha256"] for start in before for one in start["files"]]
    again = [one.name for one in series.files if one.sha256 in known]
    if again:
        limit = f"was imported to this run by {latest['imported_by']} (run {latest['uid'][:8]})"
        fix = "nothing needs to be done; with --replace REASON it becomes another version, which counts then"
        raise ImportRefusedError("files", ", ".join(again), limit, fix)
    names = ", ".join(one["name"] for one in latest["files"])
    limit = f"the run has records from {names} (run {latest['uid'][:8]})"
    fix = "give all files of the run at once, with --replace REASON: the latest import counts alone"
    raise ImportRefusedError("files", ", ".join(one.name for one in series.files), limit, fix)


def _with_unix_time(series: CyclingSeries, clock: ClockModel) -> tuple[CyclingSeries, ClockModel]:
    """A series without absolute time, given that of its beginning by the clock; others as they are."""
    if series.has_absolute_time:
        return series, clock
    if not clock.pairs and clock.offset_s == 0.0:
        fix = "say --offset (unix time at test time 0), --clock-check or --marker"
        limit = "the file does not say when it was"
        raise ImportRefusedError("time", ", ".join(one.name for one in series.files), limit, fix)
    began = float(np.round(-clock.offset_s))
    columns = {**series.columns, "unix_time_second": series.columns["test_time_second"] + began}
    return replace(series, columns=columns), replace(clock, offset_s=clock.offset_s + began)


def _exposures(run: Any) -> FrameTimes:
    """Exposures of all streams with images, or the whole run as one where there are none."""
    found = [exposures_of(run, name)[0] for name in image_streams(run)]
    if found:
        return FrameTimes(
            np.concatenate([one.index for one in found]),
            np.concatenate([one.start_unix_s for one in found]),
            np.concatenate([one.exposure_s for one in found]),
        )
    start, stop = run.metadata["start"]["time"], (run.metadata.get("stop") or {}).get("time")
    length_s = 0.0 if stop is None else stop - start
    return FrameTimes(np.zeros(1, int), np.array([start]), np.array([length_s]))


def covered_frames(series: CyclingSeries, clock: ClockModel, exposed: FrameTimes) -> np.ndarray:
    """Which exposures overlap the time of the records.

    Raises
    ------
    ImportRefusedError
        If none does; says by how much, and whether another zone or order of the date explains it.
    """
    start = clock.to_cycler(exposed.start_unix_s)
    end = start + exposed.exposure_s
    covered = _covered(series, start, end)
    if covered.any():
        return covered
    first_s, last_s = float(series.clock_s[0]), float(series.clock_s[-1])
    beside_s = first_s - float(end.max()) if end.max() < first_s else last_s - float(start.min())
    limit = (
        f"the records lie {abs(beside_s) / HOUR_S:.2f} h {'after' if beside_s > 0 else 'before'} the "
        f"{len(start)} exposures of the run"
    )
    assumed = [note for note in series.warnings if "taken as" in note]
    fix = _zone_hint(series, start, end) or "name the run that these files belong to, or correct the clock"
    names = ", ".join(one.name for one in series.files)
    raise ImportRefusedError("time", names, "; ".join([limit, *assumed]), fix)


def _covered(series: CyclingSeries, start: np.ndarray, end: np.ndarray, later_s: float = 0.0) -> np.ndarray:
    """Which exposures overlap the records, were these so much later."""
    return (end >= series.clock_s[0] + later_s) & (start <= series.clock_s[-1] + later_s)


def _zone_hint(series: CyclingSeries, start: np.ndarray, end: np.ndarray) -> str:
    """By which difference of zones more exposures would lie within the records; empty if by none.

    Of those that are as good, whole hours and the smallest come first.
    """
    steps = np.arange(-WIDEST_ZONE_S, WIDEST_ZONE_S + 1, ZONE_STEP_S)
    counts = np.array([int(_covered(series, start, end, later_s).sum()) for later_s in steps])
    if counts.max() <= _covered(series, start, end).sum():
        return ""
    best = steps[counts == counts.max()]
    whole = best[best % HOUR_S == 0]
    likely = whole if whole.size else best
    hours = float(likely[np.abs(likely).argmin()]) / HOUR_S
    return (
        f"{counts.max()} of {len(start)} would be within if the files were {abs(hours):g} h "
        f"{'later' if hours > 0 else 'earlier'}: say --timezone, if the cycler's PC has another one"
    )


def _clock_warnings(clock: ClockModel) -> list[str]:
    if np.isnan(clock.systematic_s):
        return ["nobody said how certain the clock of the cycler's PC is: voltage and capacity have no error"]
    return []


def _cover_warnings(
    series: CyclingSeries, clock: ClockModel, exposed: FrameTimes, covered: np.ndarray
) -> list[str]:
    if covered.all():
        return []
    start = clock.to_cycler(exposed.start_unix_s)
    hint = _zone_hint(series, start, start + exposed.exposure_s)
    beside = f"{int((~covered).sum())} of {len(covered)} exposures lie beside the records"
    return [f"{beside}; {hint}" if hint else beside]


def enter_cell(
    run: Any, cell: Cell, reason: str, *, journals: Path, who: str | None = None
) -> tuple[str, int]:
    """Say what cell a run was of; the lithium content follows from the latest that was entered.

    Parameters
    ----------
    cell
        Whole, with the mass that a person weighed.
    reason
        Where it comes from, such as `weighed after the experiment`.

    Returns
    -------
    str, int
        Uid of the new run, and the number of the entry from 1.

    Raises
    ------
    ImportRefusedError
        If there is no reason, nothing changes, or a mass is the one that a file's header claims and that is
        doubted.
    JournalError
        If the journal cannot be written.
    """
    measured = _measured(run)
    if not reason.strip():
        raise ImportRefusedError("reason", "(nothing)", "where the numbers come from must be said", "say it")
    for start in linked_starts(run, CYCLING_OF, journals):
        _check_mass(cell, start)
    content = cell.model_dump(mode="json", exclude_none=True)
    before = linked_starts(run, CELL_OF, journals)
    if before and before[-1]["cell"] == content:
        limit = f"was entered by {before[-1]['entered_by']} already"
        raise ImportRefusedError("cell", cell.name, limit, "nothing needs to be done")
    metadata = {
        "plan_name": "enter_cell",
        "cell": content,
        "entered_by": who_now(who),
        **_version(before, reason),
    }
    return write_linked_run(journals, CELL_OF, measured, metadata), len(before) + 1


def _check_mass(cell: Cell, imported: Mapping[str, Any]) -> None:
    for side in ("positive", "negative"):
        mass_mg = getattr(cell, side).mass_mg
        for claim in imported["claims"]:
            claimed_mg, doubt = claim["mass_mg"], claim["doubt"]
            if mass_mg is None or claimed_mg is None or not doubt:
                continue
            if abs(mass_mg - claimed_mg) <= MASS_TOLERANCE * claimed_mg:
                limit = f"is what the header of the cycler's file says ({claim['name']}: {doubt})"
                raise ImportRefusedError(f"{side}.active_mass_mg", mass_mg, limit, "weigh the electrode")
