"""Files as cyclers write them, of a course that is known in closed form."""

from pathlib import Path

import numpy as np

CURRENT_MA = 0.5
PERIOD_S = 30.0


def course(rows: int = 60, *, rest_rows: int = 10) -> dict[str, np.ndarray]:
    """A rest, then a charge: one record every 30 s; voltage rises by 1 mV a record."""
    number = np.arange(rows, dtype=float)
    charging = np.maximum(number - rest_rows, 0.0)
    flowing = number > rest_rows
    return {
        "mode": np.where(flowing, 1.0, 3.0),
        "ox/red": np.ones(rows),
        "Ns": flowing.astype(float),
        "time/s": number * PERIOD_S,
        "control/V/mA": CURRENT_MA * flowing,
        "Ewe/V": 3.4 + 1e-3 * charging,
        "(Q-Qo)/mA.h": CURRENT_MA * charging * PERIOD_S / 3600.0,
        "<I>/mA": CURRENT_MA * flowing,
        "cycle number": np.zeros(rows),
    }


def mpt_text(
    columns: dict[str, np.ndarray] | None = None,
    *,
    started: str | None = "07/26/2022 22:38:30.190",
    mark: str = ",",
    header: tuple[str, ...] = (),
    technique: str = "Galvanostatic Cycling with Potential Limitation",
    end: str = "\r\n",
) -> str:
    """Text of an export of EC-Lab."""
    columns = course() if columns is None else columns
    above = ["", technique, "", "Run on channel : 6 (SN 6042)"]
    if started is not None:
        above.append(f"Acquisition started on : {started}")
    above += ["Comments : Grüße, 25 µA", *header, ""]
    lines = ["EC-Lab ASCII FILE", f"Nb header lines : {len(above) + 3}                          ", *above]
    lines.append("\t".join(columns) + "\t")
    for row in zip(*columns.values(), strict=True):
        lines.append("\t".join(_field(name, value, mark) for name, value in zip(columns, row, strict=True)))
    return end.join(lines) + end


def _field(name: str, value: float, mark: str) -> str:
    if name in ("mode", "ox/red", "Ns"):
        return f"{int(value)}"
    return f"{value:.15E}".replace(".", mark)


def write_mpt(path: Path, columns: dict[str, np.ndarray] | None = None, **options) -> Path:
    """The text in a file, in latin-1 unless `encoding` says otherwise."""
    encoding = options.pop("encoding", "latin-1")
    path.write_bytes(mpt_text(columns, **options).encode(encoding))
    return path


def bdf_columns(rows: int = 60, *, labels: bool = True, unix: bool = True) -> dict[str, np.ndarray]:
    """The same course by the names of the Battery Data Format."""
    known = course(rows)
    columns = {
        "Test Time / s" if labels else "test_time_second": known["time/s"],
        "Voltage / V" if labels else "voltage_volt": known["Ewe/V"],
        "Current / A" if labels else "current_ampere": known["<I>/mA"] / 1000,
        "Net Capacity / Ah" if labels else "net_capacity_ah": known["(Q-Qo)/mA.h"] / 1000,
        "Step Count / 1" if labels else "step_count": known["Ns"] + 1,
    }
    if unix:
        columns["Unix Time / s" if labels else "unix_time_second"] = 1658867910.19 + known["time/s"]
    return columns


def csv_text(columns: dict[str, np.ndarray], separator: str = ",", mark: str = ".") -> str:
    """Text of a table."""
    lines = [separator.join(columns)]
    for row in zip(*columns.values(), strict=True):
        lines.append(separator.join(repr(float(value)).replace(".", mark) for value in row))
    return "\n".join(lines) + "\n"
