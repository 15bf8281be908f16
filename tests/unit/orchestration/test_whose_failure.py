"""A failing status is thrown into whatever a plan does: a cell must not end for an instrument's."""

from typing import Any

import bluesky.plan_stubs as bps
import pytest
from bluesky import RunEngine
from bluesky.utils import FailedStatus
from ophyd import Component, Device, Signal
from ophyd.status import DeviceStatus

from intercalate.contract import OnLoss
from intercalate.orchestration.cells import CyclingCell


class Instrument(Device):
    step = Component(Signal, value=0)


def failed(device: Any) -> FailedStatus:
    status = DeviceStatus(device)
    status.set_exception(RuntimeError("it broke"))
    with pytest.raises(RuntimeError):
        status.wait(5)
    return FailedStatus(status)


class Cell(CyclingCell):
    """One whose collection meets an error."""

    def __init__(self, cycler: Any, error: Exception):
        super().__init__(cycler, *([None] * 2), {}, OnLoss.CONTINUE, OnLoss.CONTINUE)  # type: ignore[arg-type]
        self._is_running = True
        self._error = error

    def _collect(self):
        yield from bps.null()
        raise self._error


@pytest.mark.parametrize("part", ["itself", "step"])
def test_the_failure_of_its_own_cycler_ends_a_cell(part: str) -> None:
    cycler = Instrument("T:", name="cycler")
    error = failed(cycler if part == "itself" else cycler.step)
    cell = Cell(cycler, error)
    RunEngine({})(cell.collect())
    assert cell.failure is error


def test_the_failure_of_an_instrument_goes_to_who_waits_for_it() -> None:
    cell = Cell(Instrument("T:", name="cycler"), failed(Instrument("D:", name="detector")))
    with pytest.raises(FailedStatus):
        RunEngine({})(cell.collect())
    assert cell.failure is None
    assert cell.is_running
