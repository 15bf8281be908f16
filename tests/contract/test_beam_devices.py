"""The beam and its monitors as devices, over Channel Access."""

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from beamline import Beamline
from intercalate.devices import frame_detector
from intercalate.devices.beam import Beam, BeamMonitors, MonitorError
from intercalate.devices.connecting import connect_together
from intercalate.devices.frame_detector import FrameDetector
from intercalate.devices.shutter import Shutter
from polling import wait_for

pytestmark = [pytest.mark.service, pytest.mark.timeout(90)]


@pytest.fixture
def monitors(beamline: Beamline) -> Iterator[BeamMonitors]:
    device = BeamMonitors(beamline.config.monitors.prefix, name="monitors")
    device.wait_for_connection(timeout=20)
    device.count_time_s.set(10.0).wait(timeout=10)
    yield device
    device.destroy()


@pytest.fixture
def beam(beamline: Beamline) -> Iterator[Beam]:
    device = Beam(beamline.config.beam.prefix, name="beam")
    device.wait_for_connection(timeout=20)
    yield device
    device.destroy()


def counts(monitors: BeamMonitors) -> tuple[float, float]:
    """Most of two, 10 s each: while the ring tops up, for 4 s, there is less of the beam."""
    seen = []
    for _ in range(2):
        monitors.trigger().wait(timeout=30)
        reading = monitors.read()
        assert reading["monitors_live_time_s"]["value"] == 10.0
        assert reading["monitors_frame_id"]["value"] == -1
        seen.append((reading["monitors_i0_counts"]["value"], reading["monitors_it_counts"]["value"]))
    return max(seen)


def test_the_monitors_see_shutter_and_attenuator(
    beamline: Beamline, monitors: BeamMonitors, beam: Beam
) -> None:
    shutter = Shutter(beamline.config.shutter.prefix, name="shutter")
    shutter.wait_for_connection(timeout=20)
    try:
        shutter.set("closed").wait(timeout=20)
        dark, _ = counts(monitors)
        shutter.set("open").wait(timeout=20)
        full, behind = counts(monitors)
        assert full > 1000 * max(dark, 1.0)
        beam.attenuator.put(0.1)
        share = beam.attenuator.get(use_monitor=False)
        assert 0 < share < 0.5
        weak, weak_behind = counts(monitors)
        assert weak / full == pytest.approx(share, rel=0.02)
        # What the sample lets through does not depend on how much there is.
        assert weak_behind / weak == pytest.approx(behind / full, rel=0.02)
    finally:
        beam.attenuator.put(1.0)
        shutter.set("closed").wait(timeout=20)
        shutter.destroy()
    # Electrons are injected now and then, for some seconds of the ring.
    wait_for(lambda: beam.ring_state.get() == "stored", 20.0, "the beam is stored")
    assert beam.ring_current_ma.get() > 0


def test_monitors_that_are_not_there_fail_with_a_message(beamline: Beamline) -> None:
    device = BeamMonitors("NOBODY:Monitor:", name="nobody")
    status = device.trigger()
    with pytest.raises(MonitorError, match=r"NOBODY:Monitor: does not answer"):
        status.wait(timeout=30)
    device.destroy()


def test_a_frame_waits_for_an_ioc_that_is_busy_for_seconds(
    beamline: Beamline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PVs that ophyd would connect at first use, within a second each, are connected together before."""
    section = beamline.config.diffractometer
    detector = FrameDetector(
        section.prefix, name="xrd", frames_folder=beamline.config.stored(section.frames_folder)
    )
    detector.wait_for_connection(timeout=20)
    together: set[str] = set()

    def connect(*args: Any) -> None:
        connect_together(*args)
        together.update(names_of(detector))

    monkeypatch.setattr(frame_detector, "connect_together", connect)
    process = beamline.service("diffractometer").process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    waker = threading.Timer(4.0, process.send_signal, (signal.SIGCONT,))
    waker.start()
    try:
        detector.stage()
        detector.exposure_s.set(1.0).wait(10)
        detector.describe_configuration()
        detector.read_configuration()
        detector.trigger().wait(30)
        detector.describe()
        assert detector.read()["xrd_hdf_frame_index"]["value"] == 0
        assert not names_of(detector) - together
    finally:
        waker.join()
        detector.unstage()
        detector.destroy()


def names_of(detector: FrameDetector) -> set[str]:
    return {walk.dotted_name for walk in detector.walk_signals()}
