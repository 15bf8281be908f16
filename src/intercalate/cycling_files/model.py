"""What was read of a cycler: one file, and several of one cell in their order."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from intercalate.contract import (
    ABSOLUTE_MAX_CURRENT_A,
    ABSOLUTE_MAX_TEMPERATURE_C,
    ABSOLUTE_MAX_VOLTAGE_V,
    ABSOLUTE_MIN_TEMPERATURE_C,
    ABSOLUTE_MIN_VOLTAGE_V,
)
from intercalate.problems import Problem, ProblemsError

REQUIRED = ("test_time_second", "voltage_volt", "current_ampere")

LIMITS: dict[str, tuple[float, float, str]] = {
    "voltage_volt": (ABSOLUTE_MIN_VOLTAGE_V, ABSOLUTE_MAX_VOLTAGE_V, "V"),
    "current_ampere": (-ABSOLUTE_MAX_CURRENT_A, ABSOLUTE_MAX_CURRENT_A, "A"),
    "surface_temperature_celsius": (ABSOLUTE_MIN_TEMPERATURE_C, ABSOLUTE_MAX_TEMPERATURE_C, "degC"),
}
"""Beyond these a number is a damaged line or another unit."""

OPPOSITE_V = 0.1
"""By how much charging has to lower the voltage, over a whole file, for its sign to be called wrong."""

CAPACITY_DISAGREEMENT = 0.05
"""Of the charge that passed: a counter that is further from the integral of the current is doubted."""


class CyclingFileError(ProblemsError):
    """A file was refused; `problems` say which line, what stands there and what to do."""

    def __init__(self, source: str, where: str, value: Any, limit: str, fix: str) -> None:
        super().__init__(source, [Problem(where, value, limit, fix)])


@dataclass(frozen=True)
class CyclingFile:
    """One file, as read.

    Attributes
    ----------
    name, format, sha256
        Of the file.
    columns
        float64 arrays of shape (n,) by names of `contract.RECORD_COLUMNS`: always `test_time_second`,
        `voltage_volt`, `current_ampere` (+ charges), `net_capacity_ah` (from the file's beginning),
        `step_count`; `unix_time_second` where the file has an absolute time; `step_id`, `cycle_count`,
        `surface_temperature_celsius` where it has those.
    header
        What stands above the table, by the instrument's own names.
    warnings
        What a reader had to assume or leave out.
    """

    name: str
    format: str
    sha256: str
    columns: Mapping[str, np.ndarray] = field(repr=False)
    header: Mapping[str, str] = field(repr=False)
    warnings: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Number of records."""
        return len(self.columns["test_time_second"])

    @property
    def has_absolute_time(self) -> bool:
        """Whether the file says when it was."""
        return "unix_time_second" in self.columns


@dataclass(frozen=True)
class Restart:
    """Where one file ends and the next begins, in s of the series' clock.

    Attributes
    ----------
    charge_ah
        What the last current would have passed meanwhile: by so much the capacity after may be off.
    """

    end_s: float
    start_s: float
    charge_ah: float


@dataclass(frozen=True)
class CyclingSeries:
    """Files of one cell, one after the other.

    Attributes
    ----------
    columns
        As of a file, with `record_seq`; test time and capacity go on from file to file.
    """

    files: tuple[CyclingFile, ...]
    columns: Mapping[str, np.ndarray] = field(repr=False)
    restarts: tuple[Restart, ...]
    warnings: tuple[str, ...]

    @property
    def clock_s(self) -> np.ndarray:
        """Time of each record by the cycler's clock: unix time, or test time where there is none."""
        return self.columns.get("unix_time_second", self.columns["test_time_second"])

    @property
    def has_absolute_time(self) -> bool:
        """Whether `clock_s` is unix time."""
        return "unix_time_second" in self.columns


def checked_file(file: CyclingFile, lines: Sequence[int]) -> CyclingFile:
    """The file with charge and steps made up where it has none, if its columns can be those of a cell.

    Parameters
    ----------
    file
        With the columns as they stand in it.
    lines
        Line of each record, for the messages.

    Raises
    ------
    CyclingFileError
        If there are fewer than two records, time goes back, a value is out of any cell's reach, or
        charging lowers the voltage.
    """
    if file.rows < 2:
        where = f"line {lines[-1]}" if len(lines) else "table"
        raise CyclingFileError(file.name, where, file.rows, "needs two records at least", "export it again")
    _check_values(file, lines)
    file, lines = _without_doubles(file, lines)
    _check_times(file, lines)
    _check_sign(file)
    columns, warnings = dict(file.columns), list(file.warnings)
    columns["net_capacity_ah"] = _net_capacity_ah(columns, warnings)
    columns.pop("charging_capacity_ah", None)
    columns.pop("discharging_capacity_ah", None)
    columns["step_count"] = _step_count(columns)
    columns.pop("state", None)
    return replace(file, columns=columns, warnings=tuple(warnings))


def _check_values(file: CyclingFile, lines: Sequence[int]) -> None:
    for column, (low, high, unit) in LIMITS.items():
        if column not in file.columns:
            continue
        values = file.columns[column]
        bad = np.flatnonzero((values < low) | (values > high))
        if bad.size:
            where = f"line {lines[bad[0]]}, {column}"
            limit = f"must be {low:g} to {high:g} {unit}"
            fix = "the line is damaged, or its unit is not the one in the name of the column; export it again"
            raise CyclingFileError(file.name, where, float(values[bad[0]]), limit, fix)


def _without_doubles(file: CyclingFile, lines: Sequence[int]) -> tuple[CyclingFile, Sequence[int]]:
    """Leave out lines that stand there twice."""
    table = np.array(list(file.columns.values()))
    same = (table[:, 1:] == table[:, :-1]) | (np.isnan(table[:, 1:]) & np.isnan(table[:, :-1]))
    kept = np.append(True, ~same.all(axis=0))
    if kept.all():
        return file, lines
    first = lines[int(np.flatnonzero(~kept)[0])]
    note = f"{int((~kept).sum())} lines repeat the one before and are left out, the first is line {first}"
    columns = {name: values[kept] for name, values in file.columns.items()}
    warnings = (*file.warnings, note)
    return replace(file, columns=columns, warnings=warnings), np.asarray(lines)[kept].tolist()


def _check_times(file: CyclingFile, lines: Sequence[int]) -> None:
    for column in ("test_time_second", "unix_time_second"):
        if column not in file.columns:
            continue
        times = file.columns[column]
        back = np.flatnonzero(np.diff(times) < 0)
        if back.size:
            row = int(back[0]) + 1
            raise CyclingFileError(
                file.name,
                f"line {lines[row]}, {column}",
                float(times[row]),
                f"time goes back, the line before has {times[row - 1]:.10g} s",
                "lines are exchanged or several tests are in one file; export each test by itself",
            )


def _check_sign(file: CyclingFile) -> None:
    """Refuse a file whose positive current lowers the voltage: there + is discharge."""
    current, voltage = file.columns["current_ampere"], file.columns["voltage_volt"]
    sign = np.sign(current)
    steady = (sign[1:] == sign[:-1]) & (sign[1:] != 0)
    rise_v = np.diff(voltage) * sign[1:] * steady
    if rise_v.sum() < -OPPOSITE_V:
        raise CyclingFileError(
            file.name,
            "current",
            f"{-rise_v.sum():.3g} V",
            "fall of the voltage under positive current in all; + must charge, which raises the voltage",
            "invert the sign of the current in the export; here + is charge, as in BioLogic and BDF files",
        )


def _net_capacity_ah(columns: Mapping[str, np.ndarray], warnings: list[str]) -> np.ndarray:
    """Charge from the beginning: the instrument's own count where there is one, else from the current."""
    integral = _integral_ah(columns["test_time_second"], columns["current_ampere"])
    if "net_capacity_ah" in columns:
        counted = columns["net_capacity_ah"] - columns["net_capacity_ah"][0]
    elif {"charging_capacity_ah", "discharging_capacity_ah"} <= set(columns):
        counted = _unrolled(columns["charging_capacity_ah"]) - _unrolled(columns["discharging_capacity_ah"])
    else:
        warnings.append("the file counts no charge; the capacity is the integral of the current")
        return integral
    if not np.isfinite(counted).all():
        warnings.append("the file's count of charge has holes; the capacity is the integral of the current")
        return integral
    time, current = columns["test_time_second"], columns["current_ampere"]
    passed = _integral_ah(time, np.abs(current))[-1]
    off = float(np.abs(counted - integral).max())
    if off > CAPACITY_DISAGREEMENT * passed:
        warnings.append(
            f"the file's count of charge is up to {off:.3g} Ah away from the integral of its current, while "
            f"{passed:.3g} Ah passed; the count is taken"
        )
    return counted


def _integral_ah(time_s: np.ndarray, current_a: np.ndarray) -> np.ndarray:
    steps = np.diff(time_s) * (current_a[1:] + current_a[:-1]) / 7200.0
    return np.append(0.0, np.cumsum(steps))


def _unrolled(counter: np.ndarray) -> np.ndarray:
    """A counter that falls back to zero now and then, as if it never did."""
    grown = np.diff(counter)
    return np.append(0.0, np.cumsum(np.where(grown >= 0, grown, counter[1:])))


def _step_count(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Executed steps from 1: as counted, or by changes of step and mode, or by the sign of the current."""
    if "step_count" in columns and np.isfinite(columns["step_count"]).all():
        return columns["step_count"]
    marks = [columns[name] for name in ("step_id", "state") if name in columns]
    if not marks:
        marks = [np.sign(columns["current_ampere"])]
    changed = np.any([np.diff(one) != 0 for one in marks], axis=0)
    return np.append(1.0, 1.0 + np.cumsum(changed))


def stitch(files: Sequence[CyclingFile]) -> CyclingSeries:
    """Put files of one cell one after the other, in the order of their time.

    Parameters
    ----------
    files
        In any order where they have an absolute time; a single one may have none.

    Raises
    ------
    CyclingFileError
        If one of several has no absolute time, or two overlap.
    """
    if len(files) > 1:
        for one in files:
            if not one.has_absolute_time:
                fix = "export it with its absolute time, or import it alone"
                limit = "several files are put in order by their absolute times"
                raise CyclingFileError(one.name, "start of the acquisition", "(absent)", limit, fix)
        files = sorted(files, key=lambda one: one.columns["unix_time_second"][0])
    merged = {name: values.copy() for name, values in files[0].columns.items()}
    restarts: list[Restart] = []
    warnings = [f"{one.name}: {note}" for one in files for note in one.warnings]
    for before, one in itertools.pairwise(files):
        restarts.append(_append(merged, before, one, warnings))
    count = len(merged["test_time_second"])
    columns = {"record_seq": np.arange(count, dtype=float), **merged}
    return CyclingSeries(tuple(files), columns, tuple(restarts), tuple(warnings))


def _append(
    merged: dict[str, np.ndarray], before: CyclingFile, one: CyclingFile, warnings: list[str]
) -> Restart:
    """Continue the merged columns with another file."""
    end_s, start_s = float(merged["unix_time_second"][-1]), float(one.columns["unix_time_second"][0])
    if start_s <= end_s:
        limit = f"begins {end_s - start_s:.1f} s before {before.name} ends"
        fix = "give each file once; if they are of different cells, import each to its own run"
        raise CyclingFileError(one.name, "start of the acquisition", start_s, limit, fix)
    columns = dict(one.columns)
    columns["test_time_second"] = (
        columns["unix_time_second"] - merged["unix_time_second"][-1] + merged["test_time_second"][-1]
    )
    columns["net_capacity_ah"] = columns["net_capacity_ah"] + merged["net_capacity_ah"][-1]
    columns["step_count"] = columns["step_count"] - columns["step_count"][0] + merged["step_count"][-1] + 1
    if {"cycle_count"} <= set(columns) & set(merged):
        cycle = columns["cycle_count"]
        columns["cycle_count"] = cycle - cycle[0] + merged["cycle_count"][-1]
    charge_ah = abs(float(before.columns["current_ampere"][-1])) * (start_s - end_s) / 3600.0
    warnings.append(
        f"{before.name} ends {start_s - end_s:.1f} s before {one.name} begins; the cell is taken to have "
        f"rested, else the capacity after is off by up to {charge_ah:.2g} Ah"
    )
    length = len(merged["test_time_second"])
    for name in set(merged) | set(columns):
        left = merged.get(name, np.full(length, np.nan))
        merged[name] = np.concatenate([left, columns.get(name, np.full(one.rows, np.nan))])
    return Restart(end_s, start_s, charge_ah)
