"""Text exports (`.mpt`) of BioLogic's EC-Lab and BT-Lab."""

import re
from datetime import tzinfo
from pathlib import Path

import numpy as np

from intercalate.cycling_files.dates import parse_started, unix_time
from intercalate.cycling_files.model import CyclingFile, CyclingFileError, checked_file
from intercalate.cycling_files.text import TextFile, read_columns, read_text

FORMAT = "BioLogic mpt"
MAGIC = ("EC-Lab ASCII FILE", "BT-Lab ASCII FILE")
STARTED = "Acquisition started on"

PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "n": 1e-9, "k": 1e3}

CHARGE = {"A.h": 1.0, "Ah": 1.0, "C": 1 / 3600}

COLUMNS: tuple[tuple[str, tuple[str, ...], dict[str, float]], ...] = (
    ("test_time_second", ("time",), {"s": 1.0}),
    ("voltage_volt", ("Ecell", "<Ecell>", "Ewe-Ece", "<Ewe-Ece>", "Ewe", "<Ewe>"), {"V": 1.0}),
    ("current_ampere", ("I", "<I>"), {"A": 1.0}),
    ("net_capacity_ah", ("(Q-Qo)",), CHARGE),
    ("surface_temperature_celsius", ("Temperature",), {"°C": 1.0}),
)
"""Names without their units, in the order of preference: the voltage of the cell before an electrode's."""

PLAIN = {"Ns": "step_id", "mode": "state", "cycle number": "cycle_count"}
"""Columns without units; `state` only marks steps."""


def read_mpt(path: str | Path, *, zone: tzinfo | None = None, day_first: bool | None = None) -> CyclingFile:
    """Read a text export.

    BioLogic counts an oxidising current of the working electrode as positive: it charges. `Ns` counts the
    steps of a technique from 0, `step_id` from 1.

    Parameters
    ----------
    path
        In UTF-8 or latin-1, with decimal commas or points.
    zone
        Of the cycler's PC; None for that of this machine.
    day_first
        Order of day and month in the header where both are possible.

    Raises
    ------
    CyclingFileError
        If it is no such file, was cut or damaged, or lacks time, voltage or current.
    OSError
        If it cannot be read.
    """
    file = read_text(Path(path))
    count = _header_lines(file)
    header = _header(file.lines[: count - 1])
    names = [name.strip() for name in file.lines[count - 1].split("\t")]
    while names and not names[-1]:
        names.pop()
    wanted, scales, warnings = _wanted(file, names, count)
    columns = read_columns(file, names, wanted, count, "\t")
    for name, scale in scales.items():
        columns[name] = columns[name] * scale
    if "current_ampere" not in columns:
        columns["current_ampere"] = np.zeros_like(columns["voltage_volt"])
    if "step_id" in columns:
        columns["step_id"] = columns["step_id"] + 1.0
    if STARTED in header:
        line = 1 + next(n for n, one in enumerate(file.lines) if one.strip().startswith(STARTED))
        local, assumed = parse_started(file.name, line, header[STARTED], day_first=day_first)
        began, note = unix_time(file.name, line, local, zone)
        warnings += [one for one in (assumed, note) if one]
        columns["unix_time_second"] = began + columns["test_time_second"]
    lines = range(count + 1, count + 1 + len(columns["test_time_second"]))
    made = CyclingFile(file.name, FORMAT, file.sha256, columns, header, tuple(warnings))
    return checked_file(made, lines)


def _header_lines(file: TextFile) -> int:
    """Number of lines of the header; the last holds the names of the columns."""
    if file.lines[0].strip() not in MAGIC:
        limit = f"a text export begins with {MAGIC[0]!r} or {MAGIC[1]!r}"
        raise CyclingFileError(file.name, "line 1", file.lines[0][:60], limit, "export it as text (.mpt)")
    second = file.lines[1] if len(file.lines) > 1 else ""
    match = re.fullmatch(r"\s*Nb header lines\s*:\s*(\d{1,6})\s*", second)
    if match is None:
        limit = "must say 'Nb header lines : N'"
        raise CyclingFileError(file.name, "line 2", second[:60] or "(absent)", limit, "export it again")
    count = int(match[1])
    named = [n for n, line in enumerate(file.lines, 1) if "time/s" in line.split("\t")]
    if count in named:
        return count
    if named:
        limit, fix = f"the columns are named in line {named[0]}", "the header was edited; export it again"
    elif count > len(file.lines):
        limit, fix = f"the file ends after line {len(file.lines)}", "it was cut; copy or export it again"
    else:
        limit = f"line {count} must name the columns, time/s among them; it reads " + repr(
            file.lines[count - 1][:60] if count else ""
        )
        fix = "export it again with the column time/s (relative time)"
    raise CyclingFileError(file.name, "line 2, Nb header lines", count, limit, fix)


def _header(lines: list[str]) -> dict[str, str]:
    """Entries `name : value` above the table; of names that come twice, all values."""
    found: dict[str, str] = {}
    if len(lines) > 3:
        found["Technique"] = lines[3].strip()
    for line in lines[2:]:
        name, colon, value = (part.strip() for part in line.partition(" :"))
        if colon and name:
            found[name] = f"{found[name]}; {value}" if name in found and value else value
    return found


def _wanted(
    file: TextFile, names: list[str], line: int
) -> tuple[dict[str, int], dict[str, float], list[str]]:
    """Positions and units of the columns that are read, and what had to be assumed."""
    wanted: dict[str, int] = {}
    scales: dict[str, float] = {}
    warnings: list[str] = []
    for column, quantities, units in COLUMNS:
        for quantity in quantities:
            known = {
                f"{quantity}/{prefix}{unit}": scale * factor
                for unit, factor in units.items()
                for prefix, scale in PREFIXES.items()
            }
            at = [n for n, name in enumerate(names) if name in known]
            if len(at) > 1:
                listed = ", ".join(names[n] for n in at)
                fix = "export it again, each quantity once"
                raise CyclingFileError(file.name, f"line {line}", listed, "name one quantity twice", fix)
            if at:
                wanted[column], scales[column] = at[0], known[names[at[0]]]
                break
    for name, column in PLAIN.items():
        if name in names:
            wanted[column] = names.index(name)
    technique = file.lines[3].strip() if len(file.lines) > 3 else ""
    if "current_ampere" not in wanted and technique.startswith("Open Circuit Voltage"):
        warnings.append("the technique is Open Circuit Voltage; the current is taken as 0")
    else:
        _require(file, wanted, line, "current_ampere", "I/mA or <I>/mA")
    _require(file, wanted, line, "test_time_second", "time/s")
    _require(file, wanted, line, "voltage_volt", "Ecell/V or Ewe/V")
    return wanted, scales, warnings


def _require(file: TextFile, wanted: dict[str, int], line: int, column: str, names: str) -> None:
    if column not in wanted:
        fix = f"export it again with the column {names}"
        raise CyclingFileError(file.name, f"line {line}, {names}", "(absent)", "this column is needed", fix)
