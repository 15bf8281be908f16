"""The vacuum chamber with its stage, and the instruments in it, made from the settings."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intercalate_sims.chamber_maker import ChamberMaker
from intercalate_sims.chamber_settings import (
    ARGON,
    EBSD,
    EDS,
    FIB,
    SEM,
    XPS,
    EbsdServer,
    EdsServer,
    IonColumnServer,
    SemServer,
    VacuumServer,
    XpsServer,
)
from intercalate_sims.settings import SimulationSettings

if TYPE_CHECKING:
    from intercalate_sims.probes.sem_station import Specimens
    from intercalate_sims.sources import SteadyBeam

CURRENT_SIGMA = 0.05
"""Relative, of the scale of the probe current."""
REMOVAL_SIGMA = 0.15
"""Relative, of what ions remove over what tables say."""


def make_vacuum_sources(settings: SimulationSettings) -> "dict[str, SteadyBeam]":
    """Sources in the vacuum chamber, if there is one, by the names of their instruments."""
    from intercalate_sims.milling import ArgonGun, IonGun
    from intercalate_sims.noise import keyed_generator
    from intercalate_sims.sources import ElectronGun, SoftXRays

    sources: dict[str, SteadyBeam] = {}
    if settings.vacuum is None:
        return sources
    if (xps := settings.vacuum.xps) is not None:
        sources[XPS] = SoftXRays(xps.energy_kev, xps.spot_um, xps.power_w, xps.photons_per_s_w)
        if (gun := xps.sputter_gun) is not None:
            sources[ARGON] = ArgonGun(gun.voltage_kv, gun.current_na)
    if (sem := settings.vacuum.sem) is not None:
        share = 1.0 + CURRENT_SIGMA * float(keyed_generator(settings.seed, "gun", 0).standard_normal())
        sources[SEM] = ElectronGun(sem.voltage_kv, sem.current_na, sem.field_of_view_um, share)
        if (ions := sem.ion_column) is not None:
            off = REMOVAL_SIGMA * float(keyed_generator(settings.seed, "ions", 0).standard_normal())
            sources[FIB] = IonGun(ions.voltage_kv, ions.current_na, max(1.0 + off, 0.5))
    return sources


def make_vacuum(settings: SimulationSettings, folder: Path) -> list[Any]:
    """The vacuum chamber with its stage, and the instruments in it: groups of PVs with their tasks."""
    found = settings.vacuum
    assert found is not None
    maker = _Maker(settings, found, folder)
    if found.xps is not None:
        maker.xps(found.xps)
    if found.sem is not None:
        maker.sem(found.sem, found.eds, found.ebsd)
    return maker.parts


class _Maker(ChamberMaker):
    """Makes what is in the chamber of the microscopes."""

    def __init__(self, settings: SimulationSettings, vacuum: VacuumServer, folder: Path):
        super().__init__(settings, vacuum.prefix, vacuum.holders, "vacuum", folder)
        self._vacuum = vacuum

    def _seen(self, face: str) -> dict[str, str]:
        """Cells in the chamber, by which of their faces is seen, that are seen so."""
        return {
            one.content: one.face
            for one in self._vacuum.holders.values()
            if one.content in self._settings.cells and (one.face == "section") == (face == "section")
        }

    def xps(self, found: XpsServer) -> None:
        """The photoelectron spectrometer and its source; what is hidden is kept beside the truth."""
        from intercalate_sims.iocs.analyser import AnalyserPVs
        from intercalate_sims.iocs.ion_column import SputterGunPVs
        from intercalate_sims.iocs.laser import ObjectivePVs
        from intercalate_sims.iocs.monitors import SteadyMonitorPVs
        from intercalate_sims.iocs.sources import SoftXRayPVs
        from intercalate_sims.probes.faces import HiddenFace
        from intercalate_sims.probes.xps import Analyser, HiddenXps
        from intercalate_sims.probes.xps_station import XpsOnPaper, XpsStation

        seed = self._settings.seed
        hidden, face = HiddenXps.draw(seed), HiddenFace.draw(seed)
        others = {cell: str(one) for cell, one in found.faces.items()}
        self._keep_hidden(XPS, {"analyser": asdict(hidden), "face": face.as_json(), "faces": others})
        photons_s = found.power_w * found.photons_per_s_w
        paper = XpsOnPaper(found.points, photons_s, found.photons_per_count, Analyser())
        station = XpsStation(paper, hidden, face, self._seen("face"), seed, found.faces)
        asked = AnalyserPVs(prefix=found.prefix)
        objective = ObjectivePVs(prefix=found.source_prefix, beside_mm=(0.0, 0.0))
        instrument = self._add(XPS, XPS, found, station, SteadyMonitorPVs, asked, objective)
        self._add_source(SoftXRayPVs(prefix=found.source_prefix, link=instrument.link))
        if found.sputter_gun is not None:
            gun = SputterGunPVs(
                prefix=found.sputter_gun.prefix, link=self._link(ARGON), **self._at_the_stage()
            )
            self._add_source(gun)

    def sem(self, found: SemServer, eds: EdsServer | None, ebsd: EbsdServer | None) -> None:
        """The electron microscope, its column, and what else detects something on it, if it does."""
        from intercalate_sims.iocs.monitors import SpecimenMonitorPVs
        from intercalate_sims.iocs.scan import ScanPVs
        from intercalate_sims.iocs.sources import ElectronGunPVs
        from intercalate_sims.probes.sem_station import ImagingStation

        seed = self._settings.seed
        specimens = self._specimens(found)
        station = ImagingStation(specimens, found.shape, found.electrons_per_count, seed)
        asked = ScanPVs(prefix=found.prefix)
        instrument = self._add(SEM, SEM, found, station, SpecimenMonitorPVs, asked)
        self._add_source(ElectronGunPVs(prefix=found.column_prefix, link=instrument.link))
        if found.ion_column is not None:
            self._ions(found.ion_column)
        if eds is not None:
            self._eds(eds, found, specimens)
        if ebsd is not None:
            self._ebsd(ebsd, found, specimens)

    def _at_the_stage(self) -> dict[str, Any]:
        """What an ion beam meets."""
        return {
            "changer": self._changer,
            "stage": self._stage,
            "temperature_c": lambda: self._chamber.chamber.stage_c,
        }

    def _ions(self, found: IonColumnServer) -> None:
        """The ion column, and how fast it removes a face, or what is between the electrodes of a section."""
        from intercalate.materials.ion_milling import UM3_PER_NC
        from intercalate_sims.cell import make_cell
        from intercalate_sims.iocs.ion_column import IonColumnPVs
        from intercalate_sims.probes.sem_sample import IMAGED
        from intercalate_sims.probes.sem_station import between_material

        materials = {}
        for cell in self._seen("section"):
            materials[cell] = between_material(self._settings.cells[cell])
        for cell, side in self._seen("face").items():
            electrode = getattr(make_cell(self._settings.cells[cell]).probe_state(), side)
            materials[cell] = IMAGED.get(electrode.material, "lithium")
        column = IonColumnPVs(
            prefix=found.prefix,
            link=self._link(FIB),
            **self._at_the_stage(),
            um3_per_nc={cell: UM3_PER_NC[material][0] for cell, material in materials.items()},
        )
        self._add_source(column)

    def _specimens(self, found: SemServer) -> "Specimens":
        from intercalate_sims.cell import between_electrodes_m, make_cell
        from intercalate_sims.probes.sem_image import HiddenMicroscope
        from intercalate_sims.probes.sem_milled import Interior
        from intercalate_sims.probes.sem_sample import HiddenSection
        from intercalate_sims.probes.sem_station import SectionedCell, Specimens, between_material, films_of

        seed = self._settings.seed
        sections = {}
        for cell in self._seen("section"):
            model = self._settings.cells[cell]
            between_um = between_electrodes_m(model) * 1e6
            between = between_material(model)
            sections[cell] = SectionedCell(make_cell(model).probe_state(), between_um, between)
        hidden, microscope = HiddenSection.draw(seed), HiddenMicroscope.draw(seed)
        heating, faces = self._vacuum.heating, self._seen("face")
        films = films_of(self._settings.cells, faces)
        interior = Interior.REAL if found.ion_column is None else found.ion_column.interior
        more = films, found.thinning, interior
        specimens = Specimens(sections, hidden, found.law, microscope, seed, faces, heating, *more)
        self._keep_hidden(
            SEM,
            {
                "section": hidden.as_json(),
                "face": specimens.hidden_face.as_json(),
                "microscope": asdict(microscope),
                "law": str(found.law),
                "heating": str(heating),
                "thinning": {"law": str(found.thinning), **specimens.hidden_thinning.as_json()},
                "garnet": specimens.hidden_garnet.as_json(),
                "interior": {"law": str(interior), **specimens.hidden_interior.as_json()},
            },
        )
        return specimens

    def _eds(self, found: EdsServer, column: SemServer, specimens: "Specimens") -> None:
        from intercalate.materials.eds import STANDARD_DETECTOR, WINDOWLESS_DETECTOR
        from intercalate_sims.iocs.monitors import SpecimenMonitorPVs
        from intercalate_sims.probes.eds import HiddenDetector
        from intercalate_sims.probes.eds_station import XrayMapStation
        from intercalate_sims.probes.sem_station import XraySpectrumStation

        seed = self._settings.seed
        hidden = HiddenDetector.draw(seed)
        self._keep_hidden(EDS, asdict(hidden))
        detector = STANDARD_DETECTOR if found.detector == "standard" else WINDOWLESS_DETECTOR
        on_column = detector, hidden, column.electrons_per_count, seed
        station = (
            XraySpectrumStation(specimens, *on_column)
            if found.points == (1, 1)
            else XrayMapStation(specimens, *on_column, found.points)
        )
        self._add(EDS, SEM, found, station, SpecimenMonitorPVs)

    def _ebsd(self, found: EbsdServer, column: SemServer, specimens: "Specimens") -> None:
        from intercalate_sims.iocs.monitors import SpecimenMonitorPVs
        from intercalate_sims.iocs.scan import OrientationScanPVs
        from intercalate_sims.probes.ebsd import HiddenIndexing
        from intercalate_sims.probes.ebsd_station import OrientationStation

        seed = self._settings.seed
        hidden = HiddenIndexing.draw(seed)
        self._keep_hidden(EBSD, asdict(hidden))
        station = OrientationStation(specimens, found.points, hidden, column.electrons_per_count, seed)
        asked = OrientationScanPVs(prefix=found.prefix)
        self._add(EBSD, SEM, found, station, SpecimenMonitorPVs, asked)
