"""Fixtures of the whole test suite."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from beamline import (
    BEAM_PORT,
    CYCLER_PORT,
    DIFFRACTOMETER_PORT,
    LABORATORY_PORT,
    REPEATER_PORT,
    TRANSMISSION_PORT,
    VACUUM_PORT,
    VESSEL_PORT,
    Beamline,
    start_beamline,
)
from intercalate.config import LONGEST_SEARCH_S

REAL_DATA = Path(__file__).parents[2] / "shared" / "data"

os.environ.update(
    EPICS_CA_ADDR_LIST=" ".join(
        f"127.0.0.1:{port}"
        for port in (
            CYCLER_PORT,
            DIFFRACTOMETER_PORT,
            BEAM_PORT,
            LABORATORY_PORT,
            VESSEL_PORT,
            VACUUM_PORT,
            TRANSMISSION_PORT,
        )
    ),
    EPICS_CA_AUTO_ADDR_LIST="NO",
    EPICS_CA_MAX_ARRAY_BYTES="16000000",
    EPICS_CA_MAX_SEARCH_PERIOD=str(LONGEST_SEARCH_S),
    EPICS_CA_REPEATER_PORT=str(REPEATER_PORT),
)

# The same examples every time; `--hypothesis-profile exploring` looks for others.
# How fast examples are drawn says how busy the machine is, and every test has its own deadline.
by_machine = [HealthCheck.too_slow]
settings.register_profile("repeatable", derandomize=True, suppress_health_check=by_machine)
settings.register_profile("exploring", suppress_health_check=by_machine)
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with long files: at the end, one of them would leave the other worker without work."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of files made elsewhere; tests that need it are skipped where it is not."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data beside the repository ({REAL_DATA})")
    return REAL_DATA


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    """A simulated beamline with a fresh full cell at 400 cell seconds per second."""
    running = start_beamline(tmp_path_factory.mktemp("beamline"), rate=400.0)
    yield running
    running.services.stop()
