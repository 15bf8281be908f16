"""The same program on fresh cells, at different speeds of the clock and of the machine."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from beamline import start_beamline
from intercalate.contract import RECORD_COLUMNS

from .cycling import charge, make_device, records_of, start

pytestmark = [pytest.mark.long, pytest.mark.service, pytest.mark.timeout(150)]

WITHOUT_CLOCK = [name for name in RECORD_COLUMNS if name != "unix_time_second"]

EXACT = (
    "record_seq",
    "test_time_second",
    "cycle_count",
    "step_count",
    "step_id",
    "step_type",
    "state",
    "fault",
)

BURN = "import os\nwhile os.getppid() == {parent}:\n    pass\n"


def test_speed_and_load_change_no_record(tmp_path: Path) -> None:
    """Fresh cells at 1000 and 250 cell seconds per second, and at 500 beside a busy process."""
    tables = []
    method = (
        charge(1200, 1.0),
        {"step": "constant_voltage", "voltage_V": 3.9, "until_rate_C": 0.3, "until_time_s": 3600},
        {"step": "open_circuit_voltage", "until_time_s": 300},
        charge(600, -1.0),
    )
    for rate, busy in ((1000.0, False), (250.0, False), (500.0, True)):
        folder = tmp_path / f"at{rate:g}"
        folder.mkdir()
        burner = None
        beamline = start_beamline(folder, rate=rate)
        try:
            if busy:
                text = BURN.format(parent=os.getpid())
                burner = subprocess.Popen([sys.executable, "-c", text])
            device = make_device(beamline)
            start(device, *method)
            device.complete().wait(60)
            tables.append(np.delete(records_of(device), RECORD_COLUMNS.index("unix_time_second"), axis=1))
            device.drop_lease()
            device.destroy()
        finally:
            if burner is not None:
                burner.kill()
                burner.wait(10)
            beamline.services.stop()
    fast, *others = tables
    assert len(fast) > 200
    exact = [WITHOUT_CLOCK.index(name) for name in EXACT]
    for slow in others:
        assert fast.shape == slow.shape
        assert np.array_equal(fast[:, exact], slow[:, exact])
        # The fresh cells had rested for different times, and so differ by less than a nanovolt.
        apart = np.nan_to_num(abs(fast - slow)).max(axis=0)
        assert np.allclose(fast, slow, rtol=1e-8, atol=1e-9, equal_nan=True), apart
