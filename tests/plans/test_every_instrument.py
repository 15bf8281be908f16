"""Every instrument counts and scans, by the plans of this package and by those of bluesky."""

from collections.abc import Iterator
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.plans as bp
import numpy as np
import pytest

from beamline import Beamline, start_beamline
from intercalate.contract import STATION_NAMES
from intercalate.devices.station import Station
from intercalate.session import Session
from intercalate_plans import count_frames, scan_sample

from .conftest import Documents

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]

EXPOSURE_S = 20.0


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    folder = tmp_path_factory.mktemp("every_instrument")
    running = start_beamline(folder, raman=True, vacuum=True, transmission=True, ex_situ=True)
    yield running
    running.services.stop()


@pytest.fixture(params=STATION_NAMES)
def station(request: pytest.FixtureRequest, session: Session) -> Station:
    return session.stations[request.param]


def frame_numbers(documents: Documents, station: Station) -> list[int]:
    key = f"{station.detector.name}_hdf_frame_index"
    return [one["data"][key] for one in documents.events("primary")]


def test_frames_are_counted(session: Session, station: Station, documents: Documents) -> None:
    session.RE(count_frames(station.detector, 2, exposure_s=EXPOSURE_S))
    assert frame_numbers(documents, station) == [0, 1]
    assert np.asarray(station.detector.last_frame()).ndim == 2


def test_frames_are_counted_by_bluesky_with_what_belongs_to_them(
    session: Session, station: Station, documents: Documents
) -> None:
    def counted() -> Any:
        yield from bps.mv(station.detector.exposure_s, EXPOSURE_S)
        yield from bp.count([station.detector, station.changer, *station.of_exposure], 2)

    session.RE(counted())
    assert frame_numbers(documents, station) == [0, 1]


def test_a_sample_is_scanned(session: Session, station: Station, documents: Documents) -> None:
    session.RE(scan_sample(station.detector, station.changer, -0.5, 0.5, 3, exposure_s=EXPOSURE_S))
    assert frame_numbers(documents, station) == [0, 1, 2]
    key = station.changer.x_mm.name
    at_mm = [one["data"][key] for one in documents.events("primary")]
    assert at_mm == pytest.approx([-0.5, 0.0, 0.5], abs=0.01)


def test_a_sample_is_scanned_by_bluesky(session: Session, station: Station, documents: Documents) -> None:
    def scanned() -> Any:
        yield from bps.mv(station.detector.exposure_s, EXPOSURE_S)
        yield from bp.scan([station.detector], station.changer.y_mm, -0.2, 0.2, 2)

    session.RE(scanned())
    assert frame_numbers(documents, station) == [0, 1]
