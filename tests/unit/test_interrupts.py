"""Ctrl-C twice pauses a plan, whichever thread the system hands the signals to."""

import signal
import threading
import time

import bluesky.plan_stubs as bps
import pytest
from bluesky import RunEngine
from bluesky.utils import RunEngineInterrupted

from intercalate.interrupts import HearsSignals, unwound_by_requests_to_end

PLAN_S = 20.0


@pytest.mark.parametrize("to_main", [True, False])
@pytest.mark.parametrize("apart_s", [0.3, 0.8])
def test_both_signals_are_heard(to_main: bool, apart_s: float) -> None:
    engine = RunEngine({}, during_task=HearsSignals())

    def interrupt() -> None:
        time.sleep(0.5)
        for _ in range(2):
            target = threading.main_thread() if to_main else threading.current_thread()
            assert target.ident is not None
            signal.pthread_kill(target.ident, signal.SIGINT)
            time.sleep(apart_s)

    person = threading.Thread(target=interrupt)
    began = time.monotonic()
    person.start()
    with pytest.raises(RunEngineInterrupted):
        engine(bps.sleep(PLAN_S))
    assert time.monotonic() - began < PLAN_S / 2
    person.join()
    engine.abort("the test is over")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_unwinds_what_was_begun(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    stopped = []

    def work() -> None:
        with unwound_by_requests_to_end():
            try:
                signal.raise_signal(number)
            finally:
                stopped.append(number)

    with pytest.raises(SystemExit) as error:
        work()
    assert stopped == [number]
    assert error.value.code == 128 + number
    assert signal.getsignal(number) is before


def test_a_plan_is_left_where_the_process_is_asked_to_end() -> None:
    engine = RunEngine({}, during_task=HearsSignals())
    threading.Timer(0.5, signal.pthread_kill, (threading.main_thread().ident, signal.SIGTERM)).start()
    began = time.monotonic()
    with pytest.raises(SystemExit), unwound_by_requests_to_end():
        engine(bps.sleep(PLAN_S))
    assert time.monotonic() - began < PLAN_S / 2
