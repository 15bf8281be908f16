"""The processes of the simulated beamline, made from its settings."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from intercalate_sims.beam import Beam, Optics
from intercalate_sims.changer import Changer, Holder
from intercalate_sims.hidden import Hidden
from intercalate_sims.irradiation import BeamEffect
from intercalate_sims.ring import Ring
from intercalate_sims.settings import SimulationSettings

if TYPE_CHECKING:
    from intercalate_sims.iocs.beam import SimulatedBeam
    from intercalate_sims.iocs.diffractometer import SimulatedDiffractometer
    from intercalate_sims.world import World


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
        settings.seed, settings.holders, settings.cells, hosts=settings.hosts, beam_effect=effect
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


def make_changer(settings: SimulationSettings, hidden: Hidden) -> Changer:
    """The holders where they really are."""
    holders = []
    for name, holder in settings.holders.items():
        x_mm, y_mm = hidden.holder_mm(name)
        holders.append(Holder(name, holder.content, holder.x_mm + x_mm, holder.y_mm + y_mm))
    return Changer(holders)


def make_world(settings: SimulationSettings, layout: Layout) -> "World":
    """The world, going on from its saved state if there is one."""
    from intercalate_sims.world import World

    hidden = hidden_of(settings)
    return World(
        settings.cells,
        rate=settings.rate,
        seed=settings.seed,
        dt_s=settings.dt_s,
        state_path=layout.state,
        beam=make_beam(settings),
        active_mass={name: hidden.cell(name).active_mass for name in settings.cells},
        hosts={name: hidden.cell(name).host for name in settings.hosts},
        beam_effect=hidden.beam_effect,
    )


def make_beam_ioc(settings: SimulationSettings, folder: Path) -> "SimulatedBeam":
    """The beam's PVs."""
    from intercalate_sims.iocs.beam import SimulatedBeam
    from intercalate_sims.link import InstrumentLink

    description = {"simulated": True, "seed": settings.seed}
    return SimulatedBeam(settings.beam.prefix, InstrumentLink(Layout(folder).address), description)


def make_diffractometer(settings: SimulationSettings, folder: Path) -> "SimulatedDiffractometer":
    """The diffractometer; what is hidden of it goes to a file beside the truth about its frames."""
    from intercalate_sims.iocs.diffractometer import DiffractometerSettings, SimulatedDiffractometer
    from intercalate_sims.link import InstrumentLink
    from intercalate_sims.probes.detector import DetectorGeometry
    from intercalate_sims.probes.powder import makeup_of
    from intercalate_sims.probes.station import HC_KEV_ANGSTROM, DiffractionStation

    found, hidden = settings.diffractometer, hidden_of(settings)
    nominal = DetectorGeometry(
        wavelength_angstrom=HC_KEV_ANGSTROM / settings.beam.energy_kev,
        distance_mm=found.distance_mm,
        pixel_mm=found.pixel_mm,
        shape=found.shape,
        beam_mm=found.beam_mm,
        beamstop_radius_mm=found.beamstop_radius_mm,
    )
    makeups = {name: makeup_of(model) for name, model in settings.cells.items()}
    station = DiffractionStation(nominal, hidden, makeups, settings.seed)
    hidden.write(folder / "hidden.json", station.geometry.poni())
    return SimulatedDiffractometer(
        found.prefix,
        InstrumentLink(Layout(folder).address),
        station,
        make_changer(settings, hidden),
        DiffractometerSettings(
            description={"simulated": True, "seed": settings.seed},
            truth_path=folder / "truth.jsonl",
            clock_offset_s=found.clock_offset_s,
            clock_drift_ppm=found.clock_drift_ppm,
        ),
    )
