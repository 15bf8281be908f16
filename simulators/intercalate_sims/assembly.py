"""The processes of the simulated beamline, made from its settings."""

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from intercalate.contract import DIAMOND_ANVIL_CELL
from intercalate_sims.beam import Beam, Optics
from intercalate_sims.changer import Changer, Holder
from intercalate_sims.hidden import Hidden
from intercalate_sims.irradiation import BeamEffect
from intercalate_sims.pressure import PressureCell
from intercalate_sims.ring import Ring
from intercalate_sims.settings import (
    LABORATORY,
    OPTICAL,
    RAMAN,
    DiffractometerServer,
    OpticalServer,
    SimulationSettings,
)
from intercalate_sims.settings_sections import HolderSettings
from intercalate_sims.vessel import Vessel

if TYPE_CHECKING:
    from intercalate_sims.iocs.beam import SimulatedBeam
    from intercalate_sims.iocs.frame_instrument import FrameInstrument
    from intercalate_sims.iocs.pressure_cell import PressureCellPVs
    from intercalate_sims.iocs.sources import SteadySourcePVs
    from intercalate_sims.iocs.transfer_vessel import SimulatedTransferVessel
    from intercalate_sims.probes.raman_station import HiddenRaman
    from intercalate_sims.sources import SteadyBeam
    from intercalate_sims.world import World


CHAMBER_RADIUS_MM = 0.15
"""Of the hole in the gasket between diamonds, where the sample is; gasket and seats let nothing through."""
ON_PINS = 0.2
"""Of the error with which other holders are put on the stage: a diamond-anvil cell sits on pins."""


@dataclass(frozen=True)
class Layout:
    """Where the processes of one simulated beamline keep what they share."""

    folder: Path
    address: Path = field(init=False)
    state: Path = field(init=False)
    settings: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", self.folder / "world.json")
        object.__setattr__(self, "state", self.folder / "world.state")
        object.__setattr__(self, "settings", self.folder / "settings.json")

    def read_settings(self) -> SimulationSettings:
        """The settings of this beamline."""
        return SimulationSettings.model_validate_json(self.settings.read_text())


def hidden_of(settings: SimulationSettings) -> Hidden:
    """By how much this beamline differs from its settings."""
    found = settings.beam_effect
    effect = None if found is None else BeamEffect(found.inactive_share, found.fluence_j_cm2)
    return Hidden.draw(
        settings.seed,
        settings.holders,
        settings.cells,
        hosts=settings.hosts,
        growth=settings.growth,
        beam_effect=effect,
        **({} if settings.pressure_cell is None else {"compression": settings.pressure_cell.compression}),
    )


def make_beam(settings: SimulationSettings) -> Beam:
    """The beam as it is found in the beginning."""
    found = settings.beam
    ring = Ring(
        found.ring_current_ma,
        settings.seed,
        list(found.dumps),
    )
    optics = Optics(
        found.energy_kev, found.slit_h_mm, found.slit_v_mm, safety_open=found.safety_shutter == "open"
    )
    return Beam(ring, found.flux_photons_s, optics)


def make_tube(settings: SimulationSettings) -> dict[str, Beam]:
    """The beam of the laboratory, if there is one, by the name of its instrument; steady."""
    found = settings.laboratory_xrd
    if found is None:
        return {}
    optics = Optics(found.energy_kev, found.slit_h_mm, found.slit_v_mm)
    return {LABORATORY: Beam(Ring(found.tube_current_ma, None), found.flux_photons_s, optics)}


def hidden_raman(settings: SimulationSettings) -> "HiddenRaman":
    """By how much the spectrometer differs from its settings."""
    from intercalate_sims.probes.raman_station import HiddenRaman

    return HiddenRaman.draw(settings.seed, tuple(settings.holders))


def make_laser(settings: SimulationSettings) -> "dict[str, SteadyBeam]":
    """Laser and lamp of the spectrometer, if there is one, by the names of their instruments."""
    from intercalate_sims.sources import LampBeam, LaserBeam

    found = settings.raman
    if found is None:
        return {}
    # The area of a square of this side is that of the spot.
    side_mm = math.sqrt(math.pi / 4) * found.spot_um / 1000.0
    share = hidden_raman(settings).power_share
    laser: dict[str, SteadyBeam] = {RAMAN: LaserBeam(found.wavelength_nm, side_mm, found.power_mw, share)}
    if (camera := found.optical) is None:
        return laser
    rows, columns = camera.shape
    field_mm = (columns * camera.pixel_um / 1000.0, rows * camera.pixel_um / 1000.0)
    return {**laser, OPTICAL: LampBeam(field_mm, camera.power_mw)}


def make_vessel(settings: SimulationSettings) -> Vessel | None:
    """The transfer vessel, which takes any holder with a cell."""
    found = settings.transfer_vessel
    if found is None:
        return None
    cells = {name: one.content for name, one in settings.holders.items() if one.content in settings.cells}
    return Vessel(cells, found.transfer_s, found.glovebox_o2_ppm, found.glovebox_h2o_ppm)


def make_pressure_cell(settings: SimulationSettings) -> PressureCell | None:
    """Diamonds and membrane, if there are any."""
    found = settings.pressure_cell
    return None if found is None else PressureCell(hidden_of(settings).pressed, found.rate_gpa_min)


def make_changer(named: Mapping[str, HolderSettings], hidden: Hidden) -> Changer:
    """The holders where they really are."""
    holders = []
    for name, holder in named.items():
        x_mm, y_mm = hidden.holder_mm(name)
        if holder.content == DIAMOND_ANVIL_CELL:
            x_mm, y_mm = ON_PINS * x_mm, ON_PINS * y_mm
        window = {"window_radius_mm": CHAMBER_RADIUS_MM} if holder.content == DIAMOND_ANVIL_CELL else {}
        holders.append(Holder(name, holder.content, holder.x_mm + x_mm, holder.y_mm + y_mm, **window))
    return Changer(holders)


def make_world(settings: SimulationSettings, layout: Layout) -> "World":
    """The world, going on from its saved state if there is one."""
    from intercalate_sims.transmission import make_transmission_sources
    from intercalate_sims.vacuum import make_vacuum_sources
    from intercalate_sims.world import World

    hidden = hidden_of(settings)
    return World(
        settings.cells,
        rate=settings.rate,
        seed=settings.seed,
        dt_s=settings.dt_s,
        state_path=layout.state,
        beam=make_beam(settings),
        other_beams={
            **make_tube(settings),
            **make_laser(settings),
            **make_vacuum_sources(settings),
            **make_transmission_sources(settings),
        },
        vessel=make_vessel(settings),
        pressure_cell=make_pressure_cell(settings),
        active_mass={name: hidden.cell(name).active_mass for name in settings.cells},
        hosts={name: hidden.cell(name).host for name in settings.hosts},
        growth={name: hidden.cell(name).growth for name in settings.growth},
        beam_effect=hidden.beam_effect,
    )


def make_beam_ioc(settings: SimulationSettings, folder: Path) -> "SimulatedBeam":
    """The beam's PVs."""
    from intercalate_sims.iocs.beam import SimulatedBeam
    from intercalate_sims.link import InstrumentLink

    description = {"simulated": True, "seed": settings.seed}
    return SimulatedBeam(settings.beam.prefix, InstrumentLink(Layout(folder).address), description)


def make_vessel_ioc(settings: SimulationSettings, folder: Path) -> "SimulatedTransferVessel":
    """The PVs of the transfer vessel and its glovebox."""
    from intercalate_sims.iocs.transfer_vessel import SimulatedTransferVessel
    from intercalate_sims.link import InstrumentLink

    assert settings.transfer_vessel is not None
    description = {"simulated": True, "seed": settings.seed}
    return SimulatedTransferVessel(
        settings.transfer_vessel.prefix, InstrumentLink(Layout(folder).address), description
    )


def make_tube_ioc(settings: SimulationSettings, folder: Path) -> "SimulatedBeam":
    """The PVs of the laboratory's tube."""
    from intercalate_sims.iocs.beam import SimulatedBeam, TubePVs
    from intercalate_sims.link import InstrumentLink

    assert settings.laboratory_xrd is not None
    description = {"simulated": True, "seed": settings.seed}
    link = InstrumentLink(Layout(folder).address, LABORATORY)
    return SimulatedBeam(settings.laboratory_xrd.beam_prefix, link, description, TubePVs)


def make_diffractometer(settings: SimulationSettings, folder: Path) -> "FrameInstrument":
    """The diffractometer at the beamline."""
    hidden = hidden_of(settings)
    changer = make_changer(settings.holders, hidden)
    return _diffractometer(
        settings, settings.diffractometer, settings.beam.energy_kev, changer, hidden, folder
    )


def make_laboratory(settings: SimulationSettings, folder: Path) -> "FrameInstrument":
    """The diffractometer to which cells are carried."""
    found = settings.laboratory_xrd
    assert found is not None
    hidden = Hidden.of_laboratory(settings.seed, found.holders, settings.cells, LABORATORY)
    changer = make_changer(found.holders, hidden)
    return _diffractometer(settings, found, found.energy_kev, changer, hidden, folder, at=LABORATORY)


def _diffractometer(
    settings: SimulationSettings,
    found: DiffractometerServer,
    energy_kev: float,
    changer: Changer,
    hidden: Hidden,
    folder: Path,
    at: str | None = None,
) -> "FrameInstrument":
    """A diffractometer; what is hidden of it goes to a file beside the truth about its frames.

    Parameters
    ----------
    at
        Its name, where cells are carried to it: its tube is not polarised, and it has its own noise.
    """
    from intercalate.materials.constants import HC_KEV_ANGSTROM
    from intercalate_sims.iocs.frame_instrument import FrameInstrument, InstrumentSettings
    from intercalate_sims.iocs.goniometer import GoniometerPVs
    from intercalate_sims.link import InstrumentLink
    from intercalate_sims.probes.detector import DetectorGeometry
    from intercalate_sims.probes.powder import makeup_of
    from intercalate_sims.probes.station import DiffractionStation

    nominal = DetectorGeometry(
        wavelength_angstrom=HC_KEV_ANGSTROM / energy_kev,
        distance_mm=found.distance_mm,
        pixel_mm=found.pixel_mm,
        shape=found.shape,
        beam_mm=found.beam_mm,
        beamstop_radius_mm=found.beamstop_radius_mm,
        **({} if at is None else {"polarisation": 0.0}),
    )
    makeups = {name: makeup_of(model) for name, model in settings.cells.items()}
    seed = settings.seed if at is None else settings.seed ^ zlib.crc32(at.encode())
    station = DiffractionStation(nominal, hidden, makeups, seed)
    suffix = "" if at is None else f"_{at}"
    hidden.write(folder / f"hidden{suffix}.json", station.geometry.poni())
    return FrameInstrument(
        found.prefix,
        InstrumentLink(Layout(folder).address, at),
        station,
        changer,
        InstrumentSettings(
            description={"simulated": True, "seed": settings.seed},
            truth_path=folder / f"truth{suffix}.jsonl",
            clock_offset_s=found.clock_offset_s,
            clock_drift_ppm=found.clock_drift_ppm,
        ),
        settings_of_exposures=GoniometerPVs(prefix=found.prefix) if at is None else None,
    )


def make_pressure_ioc(settings: SimulationSettings, beamline: "FrameInstrument") -> "PressureCellPVs":
    """The controller of the pressure cell, beside the diffractometer."""
    from intercalate_sims.iocs.pressure_cell import PressureCellPVs

    found = settings.pressure_cell
    assert found is not None
    return PressureCellPVs(prefix=found.prefix, link=beamline.link, highest_gpa=found.highest_gpa)


def make_raman(
    settings: SimulationSettings, folder: Path, beamline: "FrameInstrument"
) -> "list[FrameInstrument | SteadySourcePVs]":
    """The spectrometer and its laser, and the camera behind its objective, at the beamline's stage."""
    from intercalate_sims.iocs.frame_instrument import FrameInstrument, InstrumentSettings
    from intercalate_sims.iocs.laser import LaserMonitorPVs, ObjectivePVs
    from intercalate_sims.iocs.sources import LaserPVs
    from intercalate_sims.link import InstrumentLink
    from intercalate_sims.probes.raman import Spectrograph
    from intercalate_sims.probes.raman_station import RamanStation

    found, hidden = settings.raman, hidden_raman(settings)
    assert found is not None
    (folder / f"hidden_{RAMAN}.json").write_text(json.dumps(hidden.as_json(), indent=1))
    beside_mm = (found.beside_mm[0] + hidden.beside_mm[0], found.beside_mm[1] + hidden.beside_mm[1])
    link = InstrumentLink(Layout(folder).address, RAMAN)
    instrument = FrameInstrument(
        found.prefix,
        link,
        RamanStation(
            Spectrograph(laser_nm=found.wavelength_nm, first_nm=found.first_nm),
            hidden,
            settings.cells,
            settings.seed,
        ),
        beamline.changer,
        InstrumentSettings(
            description={"simulated": True, "seed": settings.seed},
            truth_path=folder / f"truth_{RAMAN}.jsonl",
            clock_offset_s=found.clock_offset_s,
            clock_drift_ppm=found.clock_drift_ppm,
        ),
        stage=beamline.stage,
        objective=ObjectivePVs(prefix=found.laser_prefix, beside_mm=beside_mm),
        monitors=LaserMonitorPVs,
    )
    parts: list[FrameInstrument | SteadySourcePVs] = [
        instrument,
        LaserPVs(prefix=found.laser_prefix, link=link),
    ]
    if found.optical is not None:
        parts += _optical(settings, found.optical, folder, instrument)
    return parts


def _optical(
    settings: SimulationSettings, found: OpticalServer, folder: Path, raman: "FrameInstrument"
) -> "list[FrameInstrument | SteadySourcePVs]":
    """The camera behind the objective of the spectrometer, and its lamp."""
    from intercalate_sims.iocs.frame_instrument import FrameInstrument, InstrumentSettings
    from intercalate_sims.iocs.monitors import SteadyMonitorPVs
    from intercalate_sims.iocs.sources import LampPVs
    from intercalate_sims.link import InstrumentLink
    from intercalate_sims.probes.optical import HiddenCamera, OpticalStation

    link = InstrumentLink(Layout(folder).address, OPTICAL)
    station = OpticalStation(
        found.shape,
        found.pixel_um,
        HiddenCamera.draw(settings.seed),
        hidden_raman(settings),
        settings.cells,
        found.particles_per_count,
        settings.seed,
    )
    (folder / f"hidden_{OPTICAL}.json").write_text(json.dumps(station.as_json(), indent=1))
    camera = FrameInstrument(
        found.prefix,
        link,
        station,
        raman.changer,
        InstrumentSettings(
            description={"simulated": True, "seed": settings.seed},
            truth_path=folder / f"truth_{OPTICAL}.jsonl",
            clock_offset_s=found.clock_offset_s,
            clock_drift_ppm=found.clock_drift_ppm,
        ),
        stage=raman.stage,
        objective=raman.objective,
        shares_objective=True,
        monitors=SteadyMonitorPVs,
    )
    camera.takes_turns_with(raman)
    return [camera, LampPVs(prefix=found.lamp_prefix, link=link)]
