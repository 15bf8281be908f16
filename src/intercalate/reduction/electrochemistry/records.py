"""Cycler records as arrays, and how well the cycler measures."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from intercalate.contract import RECORD_COLUMNS


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How well a cycler measures: standard uncertainties, from its data sheet or its calibration.

    A data sheet that states limits of error e means e / sqrt(3) here.

    Attributes
    ----------
    current_gain
        Relative error of every current, charge and discharge alike.
    current_gain_mismatch
        Relative error of discharge against charge.
    current_offset_a
        Added to every current that flows; at open circuit none is counted.
    voltage_gain
        Relative.
    voltage_offset_v, voltage_noise_v
        Constant, and from one record to the next.
    steps_end_on_record
        Whether the last record of a step is at its end, as the cycler server writes it. Otherwise the
        charge between two records around the end of a cycle may belong to either.
    """

    current_gain: float = 5e-4
    current_gain_mismatch: float = 1e-4
    current_offset_a: float = 1e-6
    voltage_gain: float = 2e-4
    voltage_offset_v: float = 5e-4
    voltage_noise_v: float = 5e-5
    steps_end_on_record: bool = True

    def __post_init__(self) -> None:
        """Refuse what is no uncertainty.

        Raises
        ------
        ValueError
            If a figure is negative or not finite.
        """
        for name in self.__slots__:
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value}; give a standard uncertainty, 0 or above")


DEFAULT_ACCURACY = Accuracy()
"""Of a common battery cycler with a range of 5 V and 10 mA."""


def checked(records: np.ndarray) -> np.ndarray:
    """Records as an array of floats.

    Raises
    ------
    ValueError
        If the array has not one column for each of `RECORD_COLUMNS`, or its time goes back.
    """
    rows = np.asarray(records, dtype=float)
    if rows.ndim != 2 or rows.shape[1] != len(RECORD_COLUMNS):
        raise ValueError(f"records have the shape {rows.shape}; (n, {len(RECORD_COLUMNS)}) is needed")
    backwards = np.flatnonzero(np.diff(rows[:, RECORD_COLUMNS.index("test_time_second")]) < 0)
    if backwards.size:
        raise ValueError(
            f"test_time_second goes back after record {backwards[0]}; "
            "give the records of one program, in order"
        )
    return rows


def column(records: np.ndarray, name: str) -> np.ndarray:
    """One column of the records by its name in `RECORD_COLUMNS`, shape (n,)."""
    return records[:, RECORD_COLUMNS.index(name)]


def steps(records: np.ndarray) -> Iterator[np.ndarray]:
    """The records of each executed step, in order."""
    count = column(records, "step_count")
    yield from np.split(records, np.flatnonzero(np.diff(count)) + 1) if len(records) else ()


def sweep(records: np.ndarray, cycle: int, *, charging: bool) -> np.ndarray:
    """Records of one cycle in which current flows in one direction.

    Parameters
    ----------
    records
        Shape (n, len(RECORD_COLUMNS)).
    cycle
        Its number in `cycle_count`.
    charging
        Which direction.

    Returns
    -------
    ndarray, shape (m, len(RECORD_COLUMNS))
        May be empty.
    """
    rows = checked(records)
    current_a = column(rows, "current_ampere")
    return rows[(column(rows, "cycle_count") == cycle) & (current_a > 0 if charging else current_a < 0)]
