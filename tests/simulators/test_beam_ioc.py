"""Beam, monitors and sample changer over Channel Access, on a beamline with all its imperfections."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import epics
import h5py
import hdf5plugin
import numpy as np
import pytest

from beamline import Beamline, start_beamline
from intercalate.contract import DIAMOND_ANVIL_CELL
from intercalate_sims.assembly import make_beam_ioc, make_diffractometer
from intercalate_sims.hidden import Hidden
from intercalate_sims.settings import SimulationSettings
from polling import wait_for

pytestmark = pytest.mark.service

assert hdf5plugin.FILTERS

RATE = 100.0


class Client:
    """A client of the beamline that knows prefixes and nothing else."""

    def __init__(self, beamline: Beamline):
        self.beamline = beamline
        self.settings = SimulationSettings.from_file(beamline.folder / "simulation.toml")
        self.beam, self.xrd = self.settings.beam.prefix, self.settings.diffractometer.prefix

    def get(self, name: str, **options: Any) -> Any:
        return epics.caget(name, timeout=10, use_monitor=False, **options)

    def put(self, name: str, value: Any) -> None:
        assert epics.caput(name, value, wait=True, timeout=20) == 1, name

    def count(self, count_s: float = 10.0) -> tuple[float, float]:
        self.put(f"{self.xrd}Monitor:CountTime", count_s)
        self.put(f"{self.xrd}Monitor:Count", 1)
        assert self.get(f"{self.xrd}Monitor:LiveTime") == count_s
        return self.get(f"{self.xrd}Monitor:I0"), self.get(f"{self.xrd}Monitor:It")

    def move(self, motor: str, position_mm: float) -> None:
        self.put(motor, position_mm)
        wait_for(
            lambda: abs(self.get(f"{motor}.RBV") - position_mm) < 1e-6 and self.get(f"{motor}.DMOV") == 1,
            20,
            f"{motor} is at {position_mm}",
        )

    def shows(self, name: str, value: Any) -> None:
        wait_for(lambda: self.get(name, as_string=True) == value, 10, f"{name} shows {value}")

    def expose(self, exposure_s: float) -> int:
        """Take a frame; its `UniqueId`."""
        self.put(f"{self.xrd}cam1:AcquireTime", exposure_s)
        self.put(f"{self.xrd}cam1:Acquire", 1)
        return int(self.get(f"{self.xrd}HDF1:UniqueId_RBV"))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    running = start_beamline(tmp_path_factory.mktemp("real"), rate=RATE)
    one = Client(running)
    wait_for(lambda: one.get(f"{one.beam}Energy_RBV"), 20, "the beam is served")
    wait_for(lambda: one.get(f"{one.xrd}Simulated", as_string=True), 20, "the diffractometer is served")
    yield one
    running.services.stop()


@pytest.fixture
def lit(client: Client) -> Client:
    """The client, with the beam on the first cell."""
    client.put(f"{client.beam}SafetyShutter", "open")
    client.put(f"{client.xrd}Shutter", "open")
    client.put(f"{client.beam}Attenuator", 1.0)
    client.move(f"{client.xrd}StageX", 0.0)
    client.move(f"{client.xrd}StageY", 0.0)
    client.shows(f"{client.beam}SafetyShutter_RBV", "open")
    return client


def test_i0_is_near_a_million_per_second_and_dark_without_light(lit: Client) -> None:
    i0, it = lit.count(20.0)
    assert 0.7 < i0 / 20e6 < 1.05
    assert it / i0 == pytest.approx(2 * 0.62, rel=0.01)
    for shutter in (f"{lit.xrd}Shutter", f"{lit.beam}SafetyShutter"):
        lit.put(shutter, "closed")
        lit.shows(f"{shutter}_RBV", "closed")
        assert max(lit.count(20.0)) < 1000
        lit.put(shutter, "open")
        lit.shows(f"{shutter}_RBV", "open")


def test_monitors_of_a_frame_are_those_of_its_own_exposure(lit: Client) -> None:
    """Frames in bright and weak light take turns; a count in between marks itself as no frame's."""
    for attenuator, exposure_s in ((1.0, 4.0), (0.01, 8.0), (1.0, 2.0)):
        lit.put(f"{lit.beam}Attenuator", attenuator)
        frame = lit.expose(exposure_s)
        assert lit.get(f"{lit.xrd}Monitor:FrameId") == frame
        assert lit.get(f"{lit.xrd}Monitor:LiveTime") == exposure_s
        truth = lit.beamline.truth()[-1]
        assert truth["counter"] == frame
        assert truth["i0"] == lit.get(f"{lit.xrd}Monitor:I0")
        assert truth["photons_s"] == pytest.approx(4e9 * attenuator, rel=0.3)
        assert abs(truth["i0"] - truth["i0_expected"]) < 6 * np.sqrt(truth["i0_expected"])
        lit.count(1.0)
        assert lit.get(f"{lit.xrd}Monitor:FrameId") == -1


def test_the_attenuator_shows_what_the_foils_give(lit: Client) -> None:
    bright = lit.count()[0]
    lit.put(f"{lit.beam}Attenuator", 0.12)
    assert lit.get(f"{lit.beam}Attenuator_RBV") == pytest.approx(0.1)
    assert lit.count()[0] / bright == pytest.approx(0.1, rel=0.3)


def test_slits_are_motors_that_cut_the_beam(lit: Client) -> None:
    bright = lit.count()[0]
    lit.move(f"{lit.beam}SlitV", 0.1)
    assert lit.count()[0] / bright == pytest.approx(0.22, rel=0.3)
    lit.move(f"{lit.beam}SlitV", 0.5)


def test_a_dump_is_seen_in_ring_and_monitors(lit: Client) -> None:
    assert lit.get(f"{lit.beam}RingCurrent") == pytest.approx(200.0, rel=0.01)
    lit.put(f"{lit.beam}Knob:Dump", 100.0)
    assert lit.get(f"{lit.beam}RingState", as_string=True) == "no beam"
    assert lit.get(f"{lit.beam}RingCurrent") == 0
    assert max(lit.count(5.0)) < 500
    lit.shows(f"{lit.beam}RingState", "stored")
    assert lit.count()[0] > 5e6


@pytest.mark.parametrize("device", ["beam", "xrd"])
def test_a_stuck_shutter_does_not_move(lit: Client, device: str) -> None:
    prefix = getattr(lit, device)
    name = f"{prefix}SafetyShutter" if device == "beam" else f"{prefix}Shutter"
    lit.put(f"{prefix}Knob:ShutterStuck", 1)
    try:
        lit.put(name, "closed")
        i0, _ = lit.count(20.0)
        assert lit.get(f"{name}_RBV", as_string=True) == "open"
        assert i0 > 1e7
    finally:
        lit.put(f"{prefix}Knob:ShutterStuck", 0)
    lit.put(name, "closed")
    lit.shows(f"{name}_RBV", "closed")


def test_every_place_of_the_changer_holds_what_it_should(lit: Client) -> None:
    for name, holder in lit.settings.holders.items():
        lit.move(f"{lit.xrd}StageX", holder.x_mm)
        lit.move(f"{lit.xrd}StageY", holder.y_mm)
        lit.expose(2.0)
        truth = lit.beamline.truth()[-1]
        # The beam is wider than the hole in the gasket of a diamond-anvil cell.
        is_hole = holder.content == DIAMOND_ANVIL_CELL
        assert (truth["holder"], truth["content"]) == (name, holder.content)
        assert (truth["window_share"] == 1.0) == (not is_hole)
        assert ("positive" in truth) == (holder.content in lit.settings.cells)


def test_a_stop_while_nothing_moves_does_not_hold_back_the_next_move(lit: Client) -> None:
    """Clients stop what they have moved when they are done with it, such as a RunEngine after each plan."""
    motor = f"{lit.xrd}StageX"
    lit.move(motor, 0.0)
    lit.put(f"{motor}.STOP", 1)
    lit.move(motor, 40.0)
    lit.put(motor, 0.0)
    wait_for(lambda: lit.get(f"{motor}.DMOV") == 0, 30, "the motor moves")
    lit.put(f"{motor}.STOP", 1)
    wait_for(lambda: lit.get(f"{motor}.DMOV") == 1, 30, "the motor has stopped")
    assert 0.0 < lit.get(f"{motor}.RBV") < 40.0
    lit.move(motor, 0.0)


def test_the_transmission_drops_at_the_edges_of_a_window_at_its_hidden_place(lit: Client) -> None:
    """What an alignment scan sees, along one axis."""
    x = np.arange(-4.0, 4.01, 0.5)
    ratio = []
    for position in x:
        lit.move(f"{lit.xrd}StageX", float(position))
        i0, it = lit.count(5.0)
        ratio.append(it / i0)
    inside = np.array(ratio) > 0.62
    assert np.ptp(x[inside]) == pytest.approx(6.0, abs=0.6)
    hidden_mm = Hidden.draw(lit.settings.seed, ["H1"], []).holder_mm("H1")[0]
    assert x[inside].mean() == pytest.approx(hidden_mm, abs=0.3)
    assert max(np.array(ratio)[np.abs(x) > 3.9]) < 0.05


def test_settings_of_the_beam_outlive_its_ioc(lit: Client) -> None:
    lit.put(f"{lit.beam}Energy", 24.7)
    lit.put(f"{lit.beam}Attenuator", 0.36)
    lit.move(f"{lit.beam}SlitH", 0.3)
    lit.beamline.kill("beam")
    lit.beamline.restart("beam")
    wait_for(lambda: lit.get(f"{lit.beam}SlitH.RBV") == 0.3, 30, "the beam is served again")
    assert lit.get(f"{lit.beam}Energy_RBV") == lit.get(f"{lit.beam}Energy") == 24.7
    assert lit.get(f"{lit.beam}Attenuator_RBV") == pytest.approx(0.36)
    assert lit.get(f"{lit.beam}SafetyShutter", as_string=True) == "open"
    lit.put(f"{lit.beam}Energy", 25.0)
    lit.move(f"{lit.beam}SlitH", 0.5)


def numbers_in(content: Any) -> Iterator[float]:
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list):
        for entry in content:
            yield from numbers_in(entry)
    elif isinstance(content, (int, float)) and not isinstance(content, bool):
        yield float(content)


def test_no_client_can_read_what_is_hidden(lit: Client, tmp_path: Path) -> None:
    """Neither in a PV, nor in a file of frames, nor in what runs carry as metadata."""
    lit.put(f"{lit.xrd}HDF1:FilePath", str(tmp_path))
    lit.put(f"{lit.xrd}HDF1:FileName", "frames")
    lit.put(f"{lit.xrd}HDF1:Capture", 1)
    lit.expose(2.0)
    lit.put(f"{lit.xrd}HDF1:Capture", 0)
    (path,) = tmp_path.glob("*.h5")
    with h5py.File(path) as file:
        attributes = {key: str(value) for key, value in file["entry"].attrs.items()}
    stored = lit.beamline.config.stored("simulator")
    hidden = json.loads((stored / "hidden.json").read_text())
    poni = hidden.pop("poni")
    secrets = {value for value in numbers_in(hidden) if value not in (0.0, 1.0)}
    secrets |= {
        float(line.split()[-1]) for line in poni.splitlines() if line.startswith(("Dist", "Poni", "Rot1"))
    }
    assert len(secrets) > 15
    settings = lit.settings
    readable = [json.dumps(attributes), (stored / "simulation.json").read_text()]
    readable += [(stored / "settings.json").read_text()]
    for ioc in (make_beam_ioc(settings, tmp_path), make_diffractometer(settings, tmp_path)):
        for name in ioc.pvdb:
            value = lit.get(name, as_string=True)
            readable.append(str(value))
            readable.append(repr(lit.get(name)))
    assert len(readable) > 400
    assert all(is_told(secret, json.dumps(hidden) + poni) for secret in secrets)
    assert not any(is_told(secret, text) for secret in secrets for text in readable)
    assert not any(one.suffix in (".poni", ".npy") for one in stored.iterdir())


def is_told(value: float, text: str) -> bool:
    """Whether the first significant digits of a number stand in a text, with whatever unit or exponent."""
    return f"{abs(value):.14f}".replace(".", "").lstrip("0")[:6] in text.replace(".", "")
