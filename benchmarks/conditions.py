"""What it costs to ask conditions of a record."""

import time

import numpy as np

from benchmarks.report import verdict
from intercalate.contract import RECORD_COLUMNS, StepType, code_of
from intercalate.orchestration.occasions import Occasions
from intercalate.orchestration.when import When

RECORDS = 20_000
CONDITIONS = 20
GOAL_MS = 1.0


def course() -> np.ndarray:
    """Records of a charge, one every 10 s."""
    rows = np.zeros((RECORDS, len(RECORD_COLUMNS)))
    share = np.linspace(0, 1, RECORDS)
    columns = {
        "record_seq": np.arange(RECORDS),
        "test_time_second": 10.0 * np.arange(RECORDS),
        "unix_time_second": 1.8e9 + 10.0 * np.arange(RECORDS),
        "voltage_volt": 3.0 + 1.2 * share + 0.01 * np.sin(60 * share),
        "net_capacity_ah": 7.5e-3 * share,
        "soc": share,
        "step_type": code_of(StepType.CONSTANT_CURRENT),
    }
    for name, values in columns.items():
        rows[:, RECORD_COLUMNS.index(name)] = values
    return rows


def conditions() -> When:
    """As many as the goal names, of every kind."""
    kinds = (
        {"every": {"time_s": 600.0, "soc": 0.01}},
        {"at": {"voltage_V": [3.4, 3.6, 3.8, 4.0], "direction": "up"}},
        {"on": {"plateau": {"below_mV_per_h": 20.0}}},
        {"on": {"dqdv_peak": {"width_mV": 5.0}}},
        {"every": {"capacity_mAh": 0.2}, "cooldown_s": 1200.0},
    )
    return When.of({"any": [kinds[number % len(kinds)] for number in range(CONDITIONS)]})


def measure() -> str:
    """Time per record, of the first and of the last tenth."""
    rows = course()
    occasions = Occasions(conditions())
    taken = []
    for row in rows:
        began = time.perf_counter()
        occasions.see(row)
        taken.append(time.perf_counter() - began)
        occasions.take()
    tenth = RECORDS // 10
    first_ms, last_ms = (1e3 * float(np.median(part)) for part in (taken[:tenth], taken[-tenth:]))
    slow_ms = 1e3 * float(np.percentile(taken, 99))
    return (
        f"{CONDITIONS} conditions of five kinds, {RECORDS:,} records: median {first_ms:.3f} ms per record in "
        f"the first tenth, {last_ms:.3f} ms in the last; 99 % within {slow_ms:.3f} ms (goal {GOAL_MS:g} ms, "
        f"{verdict(slow_ms, GOAL_MS)})."
    )
