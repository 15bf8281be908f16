"""A recorded experiment on the simulated beamline: the cycler sees the recording, whatever it demands."""

from collections.abc import Iterator

import numpy as np
import pytest

from beamline import Beamline, start_beamline
from contract.cycling import make_device, records_of, start, state_of
from intercalate.contract import RECORD_COLUMNS, CyclerState, Fault
from polling import wait_for
from unit.cycling_files.samples import CURRENT_MA, PERIOD_S, course, write_mpt

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def replaying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    folder = tmp_path_factory.mktemp("replaying")
    recorded = write_mpt(folder / "cell.mpt", course(200))
    running = start_beamline(folder, rate=500.0, cell_model=f"replay:{recorded}")
    yield running
    running.services.stop()


def column(rows: np.ndarray, name: str) -> np.ndarray:
    return rows[:, RECORD_COLUMNS.index(name)]


def test_the_recorded_protocol_runs_through_and_the_rest_is_a_fault(replaying: Beamline) -> None:
    cycler = make_device(replaying)
    try:
        charge = {"step": "constant_current", "current_mA": CURRENT_MA, "until_time_s": 3000}
        start(cycler, {"step": "open_circuit_voltage", "until_time_s": 100}, charge)
        # The recording goes on when the program is over: a current that should not be there.
        wait_for(lambda: state_of(cycler) is CyclerState.FAULT, 60, "what still flows is noticed")
        assert cycler.fault.get(use_monitor=False) == Fault.OVER_CURRENT
        rows = records_of(cycler)
        assert cycler.program_info()["status"] == "complete"
        flowing = rows[column(rows, "step_id") == 2]
        known = course(200)
        played_s = column(flowing, "test_time_second") - 100.0
        recorded_v = np.interp(10 * PERIOD_S + played_s, known["time/s"], known["Ewe/V"])
        assert len(flowing) >= 300
        # The channel's own noise is 0.02 mV; a step of 2 s is 0.07 mV.
        assert np.abs(column(flowing, "voltage_volt") - recorded_v).max() < 4e-4
        passed_ah = CURRENT_MA / 1000 * 3000 / 3600
        assert column(flowing, "net_capacity_ah")[-1] == pytest.approx(passed_ah, rel=0.01)
        assert column(rows, "voltage_volt")[:5] == pytest.approx(known["Ewe/V"][0], abs=2e-4)
    finally:
        cycler.destroy()
