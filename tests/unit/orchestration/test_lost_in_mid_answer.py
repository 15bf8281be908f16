"""A server may go away in the middle of an answer: an occasion is lost, and nothing else."""

import threading
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import epics
import pytest
from bluesky import RunEngine
from ophyd import Device, Signal
from ophyd.status import DeviceStatus, Status
from ophyd.utils.errors import DisconnectedError

from intercalate.devices.beam import Optics
from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS
from intercalate.devices.statuses import end_in_thread, end_when
from intercalate.orchestration.measuring import Measuring, OpenDetector

ERRORS = [
    TimeoutError("no answer"),
    DisconnectedError("not connected"),
    epics.ca.ChannelAccessGetFailure("Get failed; status code: 192", 0, 192),
    epics.ca.CASeverityException("get", "Virtual circuit disconnect"),
]


def test_every_error_of_channel_access_is_tried_here() -> None:
    kinds = [kind for kind in CHANNEL_ACCESS_ERRORS if kind is not epics.ca.ChannelAccessException]
    assert all(any(isinstance(error, kind) for error in ERRORS) for kind in kinds)


class Detector:
    """Goes away while it is triggered."""

    name = "detector"
    parent = None

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.exposure_s = self

    def set(self, value: float) -> Status:
        status = Status()
        status.set_finished()
        return status

    def unavailable(self) -> str:
        return ""

    def stage(self) -> list[Any]:
        return [self]

    def unstage(self) -> list[Any]:
        raise self.error

    def for_run(self, key: str) -> None:
        pass

    def trigger(self) -> Status:
        raise self.error


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_frame_is_missed_with_the_reason_and_the_plan_goes_on(error: Exception) -> None:
    detector: Any = Detector(error)
    measuring = Measuring(OpenDetector(detector), (), bps.null, 10.0)
    reasons: list[str] = []

    def plan():
        for _ in range(2):
            reasons.append((yield from measuring.expose()))

    RunEngine({})(bpp.run_wrapper(plan()))
    assert type(error).__name__ in reasons[0]
    assert len(reasons) == 2
    assert measuring.taken == 0


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_status_that_looks_goes_on_looking(error: Exception) -> None:
    signal, looked = Signal(name="signal", value=0), threading.Event()

    def look() -> bool:
        if not looked.is_set():
            looked.set()
            raise error
        return True

    status = DeviceStatus(Device("", name="device"))
    end_when(status, look, signal)
    assert looked.wait(5)
    signal.put(1)
    status.wait(5)
    assert status.success


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_status_that_works_in_a_thread_fails_with_it(error: Exception) -> None:
    def work() -> None:
        raise error

    status = DeviceStatus(Device("", name="device"))
    end_in_thread(status, work)
    with pytest.raises(type(error)):
        status.wait(5)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_beam_that_cannot_be_asked_is_nothing_against_measuring(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: Optics) -> str:
        raise error

    monkeypatch.setattr(Optics, "_obstacle", gone)
    assert Optics("T:", name="optics").unavailable() == ""
