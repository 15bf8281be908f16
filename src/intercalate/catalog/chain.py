"""An experiment that was continued, read as one: runs of one program, or of what was left of it, in turn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from intercalate import streams
from intercalate.catalog.alignment import align
from intercalate.catalog.client import CatalogError, image_streams, records, stream_of
from intercalate.catalog.linked import is_linked

RUN = "run"
"""Coordinate of a frame: the run that it is of."""


@dataclass(frozen=True)
class CellOfExperiment:
    """What there is of one cell.

    Attributes
    ----------
    name
        Its place, or its own name.
    runs
        Of its program and of what was left of it, in the order of their start.
    records
        Of the cycler, from the first: a run that was continued has read all of its program's.
    frames
        By stream, aligned, of all runs along `frame`, with the coordinate `run`.
    gaps_unix_s
        Start and end of the times in which no session was there to measure, by the cycler's clock, shape
        (n, 2). The records have none, but where a program was interrupted.
    """

    name: str
    runs: tuple[Any, ...]
    records: xr.Dataset
    frames: dict[str, xr.Dataset]
    gaps_unix_s: np.ndarray


def experiment(catalog: Any, uid: str) -> list[CellOfExperiment]:
    """Read an experiment as one, however often it was continued.

    Parameters
    ----------
    uid
        Of the experiment, or of one of its runs.

    Raises
    ------
    CatalogError
        If there is no such experiment.
    """
    from tiled.queries import Key

    runs = _in_order(catalog.search(Key("start.experiment_uid") == uid).values())
    if not runs:
        try:
            runs = runs_of_experiment(catalog, catalog[uid])
        except (KeyError, ValueError):
            raise CatalogError(
                f"the catalog has no experiment and no run {uid!r}; `intercalate runs` lists the runs"
            ) from None
    return [_cell_of(group) for group in cells_of(runs)]


def _cell_of(runs: Sequence[Any]) -> CellOfExperiment:
    tables = [_records(run) for run in runs]
    known = [[one for number in group if (one := tables[number]) is not None] for group in programs_of(runs)]
    longest = [max(group, key=lambda table: table.sizes["record"]) for group in known if group]
    if not longest:
        raise CatalogError(f"run {runs[0].metadata['start']['uid']} has no records")
    names = {name: None for run in runs for name in image_streams(run)}
    start = runs[0].metadata["start"]
    return CellOfExperiment(
        name=str(start.get("place") or start["sample"]),
        runs=tuple(runs),
        records=xr.concat(longest, "record"),
        frames={name: _frames(runs, name) for name in names},
        gaps_unix_s=gaps_unix_s(runs),
    )


def _frames(runs: Sequence[Any], stream: str) -> xr.Dataset:
    parts = []
    for run in runs:
        if stream in image_streams(run):
            part = align(run, stream)
            uid = run.metadata["start"]["uid"]
            parts.append(part.assign_coords({RUN: ("frame", np.full(part.sizes["frame"], uid))}))
    whole = xr.concat(parts, "frame", combine_attrs="drop_conflicts")
    return whole.assign_coords(frame=np.arange(whole.sizes["frame"]))


def runs_of_experiment(catalog: Any, run: Any) -> list[Any]:
    """All runs of the experiment that a run belongs to, in the order of their start."""
    from tiled.queries import Key

    uid = run.metadata["start"].get("experiment_uid")
    return [run] if uid is None else _in_order(catalog.search(Key("start.experiment_uid") == uid).values())


def _in_order(runs: Iterable[Any]) -> list[Any]:
    """Runs of cells that were cycled, in the order of their start; not what followed a transfer."""
    measured = [
        one for one in runs if not is_linked(one.metadata["start"]) and "follows" not in one.metadata["start"]
    ]
    return sorted(
        measured, key=lambda one: (one.metadata["start"]["time"], one.metadata["start"].get("place", ""))
    )


def cells_of(runs: Iterable[Any]) -> list[list[Any]]:
    """Runs of each cell; those that took up a program, or its rest, follow the run that started it."""
    groups: dict[tuple[str, str], list[Any]] = {}
    first: dict[str, str] = {}
    for run in runs:
        start, program = run.metadata["start"], _program(run)
        before = (start.get("begin") or {}).get("program_id", program)
        first[program] = first.get(before, program)
        groups.setdefault((start.get("place", ""), first[program]), []).append(run)
    return list(groups.values())


def programs_of(runs: Sequence[Any]) -> list[list[int]]:
    """Positions of the runs of each program, in the order of its first."""
    groups: dict[str, list[int]] = {}
    for number, run in enumerate(runs):
        groups.setdefault(_program(run), []).append(number)
    return list(groups.values())


def _program(run: Any) -> str:
    start = run.metadata["start"]
    return str(start.get("program_id", start["uid"]))


def gaps_unix_s(runs: Sequence[Any]) -> np.ndarray:
    """Times between the last record of a run and the first that its successor looked at, shape (n, 2)."""
    found = []
    for before, after in pairwise(runs):
        table, looked_s = _records(before), _looked_unix_s(after)
        if table is not None and looked_s > (last_s := float(table["unix_time_second"][-1])):
            found.append((last_s, looked_s))
    return np.array(found, float).reshape(-1, 2)


def _records(run: Any) -> xr.Dataset | None:
    try:
        table = records(run)
    except CatalogError:
        return None
    return table if table.sizes["record"] else None


def _looked_unix_s(run: Any) -> float:
    """Time of the record from which on the session of a run looked after the cell; NaN if it never did."""
    try:
        table = stream_of(run, streams.AVAILABLE).base["internal"].read()
    except (CatalogError, KeyError):
        return float("nan")
    return float(table["available_unix_s"].min())
