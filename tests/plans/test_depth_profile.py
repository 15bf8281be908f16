"""A sputter gun at the photoelectron spectrometer: refusals, a profile, a pause in the middle of a step."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from bluesky.utils import RunEngineInterrupted
from ophyd.utils.errors import LimitError

from beamline import Beamline, start_beamline
from intercalate.cell import Cell
from intercalate.config import EXAMPLES
from intercalate.contract import IonBeamState
from intercalate.devices.ion_column import SputterGun
from intercalate.devices.station import Station
from intercalate.orchestration.ion_beams import IonBeamRefused
from intercalate.session import Session
from intercalate_plans import depth_profile, take_regions
from polling import wait_for

from .conftest import Documents

pytestmark = [pytest.mark.long, pytest.mark.service, pytest.mark.timeout(120)]

CONFIRM = "sputter lithium-polymer-lithium-face at V1"


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    """With layers on lithium at V1."""
    running = start_beamline(
        tmp_path_factory.mktemp("argon"),
        rate=2000.0,
        vacuum=True,
        replaced={
            'C1 = "graphite-polymer-li"': 'C1 = "li-polymer-li"',
            'face = "positive"': 'face = "negative"',
            "[vacuum.xps.sputter_gun]": (
                '[vacuum.xps.faces]\nC1 = "Li2CO3, Li3N and Li2O on Li"\n\n[vacuum.xps.sputter_gun]'
            ),
        },
    )
    yield running
    running.services.stop()


@pytest.fixture(scope="module")
def cell() -> Cell:
    return Cell.from_file(EXAMPLES / "cells" / "lithium_polymer_face.toml")


@pytest.fixture
def xps(session: Session) -> Station:
    return session.stations["xps"]


@pytest.fixture
def gun(xps: Station) -> SputterGun:
    assert isinstance(xps.ion_column, SputterGun)
    return xps.ion_column


def ask(xps: Any, cell: Cell, fluences: list[float], **changes: Any) -> Any:
    values = {"at": "V1", "regions": ["C 1s"], "confirm": CONFIRM, "exposure_s": 20.0, **changes}
    return depth_profile(xps, values.pop("at"), cell, values.pop("regions"), fluences, **values)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"confirm": "mill lithium-polymer-lithium-face at V1"},
            f"sputtering cannot be undone; say exactly '{CONFIRM}'",
        ),
        ({"raster_um": 9000.0}, "reaches 5000 um"),
        ({"raster_um": 300.0}, "its walls would be seen: the spot of xps needs 400 um"),
        ({"voltage_kv": 9.0}, "the column gives 0.1 to 5"),
        ({"current_na": 1.0}, "more than 12 h"),
        ({"at": "Au"}, "holds Au, by which others calibrate"),
    ],
)
def test_what_must_not_be_sputtered_is_refused_before_anything_moves(
    xps: Station, gun: SputterGun, session: Session, cell: Cell, changes: dict[str, Any], words: str
) -> None:
    number = gun.number.get()
    with pytest.raises(IonBeamRefused, match=words):
        session.RE(ask(xps, cell, [1.0, 2.0], **changes))
    assert gun.number.get() == number
    assert xps.dose.ledger.totals(cell.name, "argon") == []


def test_what_nobody_can_mean_is_refused(xps: Station, session: Session, cell: Cell) -> None:
    with pytest.raises(ValueError, match="they ascend"):
        session.RE(ask(xps, cell, [2.0, 1.0]))
    with pytest.raises(ValueError, match="no region is named"):
        session.RE(ask(xps, cell, [1.0], regions=[]))
    with pytest.raises(LimitError):
        session.RE(ask(xps, cell, [1.0], x_mm=1000.0))
    with pytest.raises(TypeError, match="measures sem, not xps"):
        session.RE(ask(session.stations["sem"], cell, [1.0]))


def test_a_profile_says_of_each_spectrum_what_its_spot_received(
    xps: Station, session: Session, cell: Cell, documents: Documents, beamline: Beamline
) -> None:
    session.RE(ask(xps, cell, [0.5, 4.0]))
    received = [one["data"]["xps_dose_sputtered_1e16_cm2"] for one in documents.events("xps")]
    assert received == pytest.approx([0.0, 0.5, 4.0])
    assert [one["data"]["sputter_gun_ended"] for one in documents.events("milling")] == ["done", "done"]
    (start,) = (document for name, document in documents.all if name == "start")
    assert any("Li2CO3 turns into Li2O" in one for one in start["sputtering"]["artefacts"])
    stacks = [one["stack"] for one in beamline.truth("truth_xps")[-3:]]
    thickness = [sum(layer["thickness_nm"] for layer in one[:-1]) for one in stacks]
    assert thickness[0] > thickness[1] > thickness[2]
    # It stays so for whoever looks again.
    session.RE(take_regions(xps, "V1", ["C 1s"], 20.0))
    assert beamline.truth("truth_xps")[-1]["stack"] == stacks[-1]
    assert documents.events("xps")[-1]["data"]["xps_dose_sputtered_1e16_cm2"] == pytest.approx(4.0)


def test_a_pause_blanks_the_gun_and_a_plan_that_goes_on_ends_the_step(
    xps: Station, gun: SputterGun, session: Session, cell: Cell, documents: Documents
) -> None:
    def pause() -> None:
        wait_for(lambda: gun.state.get() == IonBeamState.MILLING, 20, "it sputters")
        session.RE.request_pause()

    thread = threading.Thread(target=pause)
    thread.start()
    with pytest.raises(RunEngineInterrupted):
        session.RE(ask(xps, cell, [10.0], x_mm=2.0, raster_um=1500.0))
    thread.join(5)
    wait_for(lambda: gun.state.get(use_monitor=False) == IonBeamState.BLANKED, 30, "it is blanked")
    assert 0 < gun.reached.get(use_monitor=False) < 10.0
    session.RE.resume()
    (event,) = documents.events("milling")
    assert event["data"]["sputter_gun_sputtered_1e16_cm2"] == pytest.approx(10.0)
