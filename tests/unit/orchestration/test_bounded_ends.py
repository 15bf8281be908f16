"""What fails while a plan ends, or while an instrument hangs, hides no error and ends no experiment."""

from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import pytest
from bluesky import RunEngine
from ophyd.status import Status

from intercalate.contract import OnLoss
from intercalate.orchestration.cycling import apply_on_abort
from intercalate.orchestration.measuring import OpenDetector


class Silent:
    """A cycler's verb whose server does not answer."""

    name = "verb"
    parent = None

    def set(self, verb: str, **arguments: Any) -> Status:
        status = Status()
        status.set_exception(TimeoutError("no answer"))
        return status


class SilentCycler:
    channel = "CH1"
    verb = Silent()


class Detector:
    """A detector that is connected, and may hang."""

    name = "detector"
    parent = None

    def __init__(self) -> None:
        self.hangs = False
        self.done: list[str] = []
        self.exposure_s = Setting()

    def unavailable(self) -> str:
        return ""

    def stage(self) -> list[Any]:
        self._do("stage")
        return [self]

    def unstage(self) -> list[Any]:
        self._do("unstage")
        return [self]

    def _do(self, what: str) -> None:
        if self.hangs:
            raise TimeoutError(f"{what}: no answer")
        self.done.append(what)


class Setting:
    name = "exposure"
    parent = None

    def set(self, value: float) -> Status:
        status = Status()
        status.set_finished()
        return status


@pytest.fixture
def engine() -> RunEngine:
    return RunEngine({})


def test_a_cycler_that_does_not_answer_hides_no_error(engine: RunEngine) -> None:
    cycler: Any = SilentCycler()

    def body():
        yield from bps.null()
        raise KeyError("the first error")

    def plan():
        yield from bpp.contingency_wrapper(
            body(), except_plan=lambda _: apply_on_abort(cycler, OnLoss.REST, "program")
        )

    with pytest.raises(KeyError, match="the first error"):
        engine(plan())


def test_a_detector_that_hangs_is_left_alone_until_it_answers(engine: RunEngine) -> None:
    detector: Any = Detector()
    opened = OpenDetector(detector)
    refused: list[str] = []

    def plan():
        yield from opened.prepare(10.0)
        detector.hangs = True
        yield from opened.end()
        try:
            yield from opened.prepare(10.0)
        except RuntimeError as error:
            refused.append(str(error))
        detector.hangs = False
        yield from opened.prepare(10.0)
        yield from opened.end()

    engine(plan())
    assert refused == ["detector does not let go of its last file"]
    assert detector.done == ["stage", "unstage"] * 2


def test_a_staging_that_failed_is_taken_back_before_the_next(engine: RunEngine) -> None:
    detector: Any = Detector()
    opened = OpenDetector(detector)
    detector.hangs = True

    def plan():
        try:
            yield from opened.prepare(10.0)
        except TimeoutError:
            detector.hangs = False
        yield from opened.end()
        yield from opened.prepare(10.0)
        yield from opened.end()

    engine(plan())
    assert detector.done == ["unstage", "stage", "unstage"]
