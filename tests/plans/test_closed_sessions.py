"""A session that is closed in a process that lives on leaves no hot stage, and others go on."""

from collections.abc import Iterator

import epics
import pytest

from beamline import Beamline, start_beamline
from intercalate.devices.chamber import LEASE_S
from intercalate.session import open_session
from intercalate_plans import take_images
from polling import wait_for

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    running = start_beamline(tmp_path_factory.mktemp("closed"), rate=1000.0, transmission=True)
    yield running
    running.services.stop()


def test_a_hot_stage_goes_to_rest(beamline: Beamline) -> None:
    session = open_session(beamline.config)
    tem = session.stations["tem"]
    chamber = tem.chamber
    assert chamber is not None
    chamber.heat(60.0).wait(30)
    rest_c, stage = float(chamber.rest_c.get()), f"{chamber.prefix}Temperature"
    assert rest_c < 60.0
    session.close()
    # At once, and not when its lease has run out: the last word of it is three quarters of it ago at most.
    wait_for(lambda: epics.caget(stage, timeout=5.0) == rest_c, 0.6 * LEASE_S, "the stage goes to rest")


@pytest.mark.parametrize("set_c", [-150.0, 45.0])
def test_a_stage_that_is_cold_or_was_set_by_hand_stays(beamline: Beamline, set_c: float) -> None:
    session = open_session(beamline.config)
    chamber = session.stations["tem"].chamber
    assert chamber is not None
    stage = f"{chamber.prefix}Temperature"
    if set_c < 0:
        chamber.heat(set_c).wait(30)
    else:
        assert epics.caput(stage, set_c, wait=True, timeout=5.0)
        wait_for(lambda: chamber.temperature_c.get_setpoint() == set_c, 30, "the stage was set by hand")
    session.close()
    assert epics.caget(stage, timeout=5.0) == set_c


def test_another_session_goes_on(beamline: Beamline) -> None:
    first, second = open_session(beamline.config), open_session(beamline.config)
    first.close()
    tem = second.stations["tem"]
    second.RE(take_images(tem, "empty", 1, 1.0))
    assert tem.beam.voltage_kv.get(use_monitor=False) == 200.0
    second.close()
