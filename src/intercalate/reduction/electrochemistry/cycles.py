"""Capacities, efficiencies and mean voltages of each cycle."""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from intercalate.reduction.electrochemistry.records import DEFAULT_ACCURACY, Accuracy, checked, column
from intercalate.reduction.results import UNDETERMINED, Estimate


@dataclass(frozen=True, slots=True)
class CycleSummary:
    """What one cycle passed.

    An efficiency is discharge over charge, also where a cell is discharged first; NaN where one of the
    two is missing. Energies are the cycler's own sums; a mean voltage is energy over charge.
    """

    cycle: int
    charge_capacity_ah: Estimate
    discharge_capacity_ah: Estimate
    coulombic_efficiency: Estimate
    energy_efficiency: Estimate
    mean_charge_voltage_v: Estimate
    mean_discharge_voltage_v: Estimate


@dataclass(frozen=True, slots=True)
class _Passed:
    """What passed in one direction: charge, energy, time under current, charge of doubtful cycle."""

    charge_ah: float
    energy_wh: float
    time_h: float
    doubtful_ah: float

    @property
    def mean_v(self) -> float:
        return self.energy_wh / self.charge_ah if self.charge_ah > 0 else math.nan

    @property
    def offset_weight(self) -> float:
        """Relative error of the charge per ampere of offset."""
        return self.time_h / self.charge_ah


def cycles(records: np.ndarray, accuracy: Accuracy = DEFAULT_ACCURACY) -> list[CycleSummary]:
    """Summarise each cycle.

    Parameters
    ----------
    records
        Of one program, shape (n, len(RECORD_COLUMNS)).
    accuracy
        Of the cycler. `sigma_sys` holds what comes of it; `sigma_stat` the charge that passed between
        two records of which one belongs to the next cycle, where `steps_end_on_record` is False.

    Raises
    ------
    ValueError
        If these are no records.
    """
    rows = checked(records)
    number = column(rows, "cycle_count")
    edges = np.concatenate([[0], np.flatnonzero(np.diff(number)) + 1, [len(rows)]])
    return [
        _summary(rows, int(first), int(end), accuracy)
        for first, end in itertools.pairwise(edges)
        if end > first
    ]


def _summary(rows: np.ndarray, first: int, end: int, accuracy: Accuracy) -> CycleSummary:
    up = _passed(rows, first, end, "charging", accuracy)
    down = _passed(rows, first, end, "discharging", accuracy)
    return CycleSummary(
        cycle=int(column(rows, "cycle_count")[first]),
        charge_capacity_ah=_capacity(up, accuracy, accuracy.current_gain),
        discharge_capacity_ah=_capacity(
            down, accuracy, math.hypot(accuracy.current_gain, accuracy.current_gain_mismatch)
        ),
        coulombic_efficiency=_efficiency(up, down, accuracy, of_energy=False),
        energy_efficiency=_efficiency(up, down, accuracy, of_energy=True),
        mean_charge_voltage_v=_mean_voltage(up, accuracy),
        mean_discharge_voltage_v=_mean_voltage(down, accuracy),
    )


def _passed(rows: np.ndarray, first: int, end: int, direction: str, accuracy: Accuracy) -> _Passed:
    """Differences of the cycler's counters since the last record of the cycle before."""
    start = max(first - 1, 0)
    charge_ah = column(rows, f"{direction}_capacity_ah")[start:end]
    energy_wh = column(rows, f"{direction}_energy_wh")[start:end]
    time_s = column(rows, "test_time_second")[start:end]
    flowing_s = float(np.sum(np.diff(time_s)[np.diff(charge_ah) > 0]))
    doubtful_ah = 0.0
    if not accuracy.steps_end_on_record:
        total_ah = column(rows, f"{direction}_capacity_ah")
        before = total_ah[first] - total_ah[start]
        after = total_ah[min(end, len(rows) - 1)] - total_ah[end - 1]
        doubtful_ah = math.hypot(before, after)
    return _Passed(
        float(charge_ah[-1] - charge_ah[0]),
        float(energy_wh[-1] - energy_wh[0]),
        flowing_s / 3600.0,
        doubtful_ah,
    )


def _boundary_ah(passed: _Passed) -> float:
    """Standard uncertainty of charge that belongs here by any share from none to all of it."""
    return passed.doubtful_ah / math.sqrt(12.0)


def _capacity(passed: _Passed, accuracy: Accuracy, gain: float) -> Estimate:
    from_gain = passed.charge_ah * gain
    from_offset = accuracy.current_offset_a * passed.time_h
    return Estimate(passed.charge_ah, _boundary_ah(passed), math.hypot(from_gain, from_offset))


def _efficiency(up: _Passed, down: _Passed, accuracy: Accuracy, *, of_energy: bool) -> Estimate:
    """Discharge over charge: the gain cancels, the offset counts twice, once in each direction."""
    if up.charge_ah <= 0 or down.charge_ah <= 0:
        return UNDETERMINED
    if of_energy and (up.energy_wh <= 0 or down.energy_wh <= 0):
        return UNDETERMINED
    ratio = down.energy_wh / up.energy_wh if of_energy else down.charge_ah / up.charge_ah
    relative = [
        accuracy.current_gain_mismatch,
        accuracy.current_offset_a * (up.offset_weight + down.offset_weight),
    ]
    if of_energy:
        relative.append(accuracy.voltage_offset_v * (1 / down.mean_v - 1 / up.mean_v))
    doubtful = math.hypot(_boundary_ah(up) / up.charge_ah, _boundary_ah(down) / down.charge_ah)
    return Estimate(ratio, abs(ratio) * doubtful, abs(ratio) * math.hypot(*relative))


def _mean_voltage(passed: _Passed, accuracy: Accuracy) -> Estimate:
    if passed.charge_ah <= 0:
        return UNDETERMINED
    mean_v = passed.mean_v
    return Estimate(mean_v, 0.0, math.hypot(accuracy.voltage_offset_v, accuracy.voltage_gain * mean_v))
