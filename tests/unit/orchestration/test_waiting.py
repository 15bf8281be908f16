"""The RunEngine is real; the device is a status that the test ends."""

import threading
from collections.abc import Callable

import bluesky.preprocessors as bpp
import pytest
from bluesky import RunEngine
from bluesky.utils import FailedStatus, RunEngineInterrupted
from ophyd.status import Status

from intercalate.orchestration.waiting import trigger_and_wait


class Slow:
    """A device whose trigger ends when the test says so."""

    name = "slow"
    parent = None

    def __init__(self) -> None:
        self.status = Status()
        self.triggered = threading.Event()
        self.ends = 0

    def trigger(self) -> Status:
        self.triggered.set()
        return self.status


@pytest.fixture
def engine() -> RunEngine:
    return RunEngine({})


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_it_waits_for_the_end(engine: RunEngine) -> None:
    device, order = Slow(), []

    def end() -> None:
        device.triggered.wait(5)
        order.append("ended")
        device.status.set_finished()

    def plan():
        yield from trigger_and_wait(device)
        order.append("went on")

    in_thread(end)
    engine(plan())
    assert order == ["ended", "went on"]


def test_a_pause_does_not_end_the_wait(engine: RunEngine) -> None:
    device, order = Slow(), []

    def plan():
        yield from bpp.rewindable_wrapper(trigger_and_wait(device), False)
        order.append("went on")

    def pause() -> None:
        device.triggered.wait(5)
        engine.request_pause(defer=False)

    def end() -> None:
        # Long after the resumed plan would have gone on, if the pause had ended its wait.
        threading.Event().wait(0.3)
        order.append("ended")
        device.status.set_finished()

    in_thread(pause)
    with pytest.raises(RunEngineInterrupted):
        engine(plan())
    in_thread(end)
    engine.resume()
    assert order == ["ended", "went on"]


def test_a_failure_is_the_plan_s_failure(engine: RunEngine) -> None:
    device = Slow()

    def fail() -> None:
        device.triggered.wait(5)
        device.status.set_exception(RuntimeError("no frame"))

    in_thread(fail)
    with pytest.raises((FailedStatus, RuntimeError)):
        engine(trigger_and_wait(device))


def test_the_engine_keeps_nothing_of_what_is_done(engine: RunEngine) -> None:
    """Cost per point must not grow with the length of a run."""

    class Prompt(Slow):
        def trigger(self) -> Status:
            status = Status()
            status.set_finished()
            return status

    def plan():
        for _ in range(20):
            yield from trigger_and_wait(Prompt())
        kept.append((dict(engine._groups), dict(engine._status_objs)))

    kept: list[tuple[dict, dict]] = []
    engine(plan())
    assert kept == [({}, {})]
