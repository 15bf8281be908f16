"""Settings that a plan changes are as before, however it ends; what cannot be set back hides no error."""

from typing import Any

import bluesky.plan_stubs as bps
import pytest
from bluesky import RunEngine
from bluesky.utils import FailedStatus, MsgGenerator
from ophyd.status import Status

from intercalate.orchestration.calibrating import as_before


class Setting:
    """A signal whose readback is a little beside what it was told."""

    parent = None

    def __init__(self, name: str, told: float):
        self.name = name
        self.told = told
        self.hangs = False

    def get_setpoint(self, *, use_monitor: bool) -> float:
        assert not use_monitor, "a monitor may be late"
        return self.told

    def set(self, value: float) -> Status:
        status = Status()
        if self.hangs:
            status.set_exception(TimeoutError(f"{self.name}: no answer"))
        else:
            self.told = value
            status.set_finished()
        return status


class Axis:
    """As a motor record: what it was told is a signal of its own."""

    parent = None
    name = "axis"

    def __init__(self, told: float):
        self.user_setpoint = Setting("axis_setpoint", told)

    def set(self, value: float) -> Status:
        return self.user_setpoint.set(value)


@pytest.fixture
def engine() -> RunEngine:
    return RunEngine({})


@pytest.fixture
def voltage() -> Setting:
    return Setting("voltage", 5.0)


@pytest.fixture
def focus() -> Axis:
    return Axis(12.0)


def changing(*settings: Any, fails: bool) -> MsgGenerator[str]:
    for setting in settings:
        yield from bps.mv(setting, 99.0)
    if fails:
        raise KeyError("the first error")
    return "done"


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("only_if_it_fails", [False, True])
def test_settings_are_as_before(
    engine: RunEngine, voltage: Setting, focus: Axis, fails: bool, only_if_it_fails: bool
) -> None:
    came: list[str] = []

    def plan() -> MsgGenerator[None]:
        whole = as_before(
            changing(voltage, focus, fails=fails), (voltage, focus), only_if_it_fails=only_if_it_fails
        )
        came.append((yield from whole))

    if fails:
        with pytest.raises(KeyError, match="the first error"):
            engine(plan())
    else:
        engine(plan())
        assert came == ["done"]
    stays = only_if_it_fails and not fails
    assert (voltage.told, focus.user_setpoint.told) == ((99.0, 99.0) if stays else (5.0, 12.0))


def test_what_cannot_be_set_back_hides_no_error_and_keeps_nothing_else_from_it(
    engine: RunEngine, voltage: Setting, focus: Axis
) -> None:
    def body() -> MsgGenerator[None]:
        yield from bps.mv(voltage, 99.0, focus, 99.0)
        voltage.hangs = True
        raise KeyError("the first error")

    with pytest.raises(KeyError, match="the first error"):
        engine(as_before(body(), (voltage, focus)))
    assert focus.user_setpoint.told == 12.0


def test_where_all_went_well_what_cannot_be_set_back_is_an_error(
    engine: RunEngine, voltage: Setting, focus: Axis
) -> None:
    def body() -> MsgGenerator[None]:
        yield from bps.mv(voltage, 99.0, focus, 99.0)
        voltage.hangs = True

    with pytest.raises(FailedStatus):
        engine(as_before(body(), (voltage, focus)))
    assert focus.user_setpoint.told == 12.0
