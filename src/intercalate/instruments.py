"""Makes the devices of each instrument, as the configuration says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from intercalate.beam_quality import BeamLimits
from intercalate.calibrations import CalibrationStore
from intercalate.config import Config
from intercalate.contract import STATION_NAMES
from intercalate.devices.analyser import Analyser
from intercalate.devices.beam import Beam, BeamMonitors, Tube
from intercalate.devices.calibrations import Calibrations, DetectorOnPaper
from intercalate.devices.chamber import Chamber
from intercalate.devices.changer import Place, SampleChanger
from intercalate.devices.clocks import ClockComparison
from intercalate.devices.cycler import Cycler
from intercalate.devices.dose import ElectronDoseMeter, LaserDoseMeter, SoftXRayDoseMeter, XRayDoseMeter
from intercalate.devices.frame_detector import FrameDetector
from intercalate.devices.goniometer import Goniometer
from intercalate.devices.ion_column import IonColumn, SputterGun
from intercalate.devices.objective import Objective
from intercalate.devices.pressure_cell import PressureCell
from intercalate.devices.scan import AnyScan, LossScan, OrientationScan, Scan, TransmissionScan
from intercalate.devices.shutter import Shutter
from intercalate.devices.sources import (
    ElectronGun,
    ElectronMonitors,
    Lamp,
    Laser,
    LaserMonitors,
    SoftXRays,
    SteadyMonitors,
    SteadySource,
)
from intercalate.devices.station import Station
from intercalate.dose_ledger import DoseLedger
from intercalate.instrument_sections import (
    AnalyserSection,
    CalibrationSection,
    CameraSection,
    ChamberSection,
    ChangerSection,
    CountersSection,
    DiffractometerSection,
    EbsdSection,
    EdsSection,
    EelsSection,
    ImagingSection,
    LaboratorySection,
    LossSpectrometerSection,
    OpticalCameraSection,
    OpticalSection,
    PatternDetectorSection,
    RamanSection,
    SemSection,
    SpectrometerSection,
    TemSection,
    VacuumSection,
    XpsSection,
    XrayDetectorSection,
)
from intercalate.operator_requests import RequestDesk

DOSE_LEDGER = "dose.sqlite"
"""In the storage folder."""

PREFIXES = {
    "xrd": "",
    "laboratory_xrd": "laboratory_",
    "raman": "raman_",
    "optical": "optical_",
    "xps": "xps_",
    "sem": "sem_",
    "eds": "eds_",
    "ebsd": "ebsd_",
    "tem": "tem_",
    "eels": "eels_",
}
"""Of the names of an instrument's devices."""


def make_stations(config: Config, cycler: Cycler) -> dict[str, Station]:
    """All instruments by name; `cycler` tells rate and time."""
    maker = _Maker(config, cycler)
    found: dict[str, Station] = {}
    if config.vacuum is not None:
        maker.make_vacuum(config.vacuum)
    for name in config.instruments:
        match config.instrument(name):
            case RamanSection() as section:
                found[name] = maker.raman(name, section, found[STATION_NAMES[0]].changer)
            case OpticalSection() as section:
                found[name] = maker.optical(name, section, found["raman"])
            case XpsSection() as section:
                found[name] = maker.xps(name, section)
            case SemSection() as section:
                found[name] = maker.sem(name, section)
            case EdsSection() as section:
                found[name] = maker.eds(name, section)
            case EbsdSection() as section:
                found[name] = maker.ebsd(name, section)
            case TemSection() as section:
                found[name] = maker.tem(name, section)
            case EelsSection() as section:
                found[name] = maker.eels(name, section)
            case section:
                found[name] = maker.diffraction(name, section)
    return found


@dataclass(frozen=True)
class _Vacuum:
    """A chamber, and the stage in it."""

    chamber: Chamber
    stage: SampleChanger

    @property
    def devices(self) -> Mapping[str, Any]:
        """As a station names them."""
        return {"chamber": self.chamber, "changer": self.stage}


@dataclass(frozen=True)
class _Column:
    """An electron column, and where it looks.

    Attributes
    ----------
    account
        Of doses: what the column does to a place counts, whatever is detected.
    """

    gun: ElectronGun
    vacuum: _Vacuum
    account: str


class _Maker:
    def __init__(self, config: Config, cycler: Cycler):
        self._config = config
        self._cycler = cycler

    def _rate(self) -> float:
        return float(self._cycler.rate.get())

    def diffraction(self, name: str, section: Config | LaboratorySection) -> Station:
        """A diffractometer."""
        found, prefix = section.diffractometer, PREFIXES[name]
        on_paper = DetectorOnPaper(
            found.distance_mm, found.pixel_mm, found.beam_mm, found.saturation_counts, found.polarisation
        )
        calibrations = self._calibrations(prefix, section.calibration, lambda: on_paper)
        beam = (
            Beam(section.beam.prefix, name=f"{prefix}beam")
            if isinstance(section, Config)
            else Tube(section.tube.prefix, name=f"{prefix}beam")
        )
        changer = _changer(section.changer, f"{prefix}changer", calibrations)
        counting = section.monitors
        monitors = BeamMonitors(
            counting.prefix,
            name=f"{prefix}monitors",
            rate=self._rate,
            limits=BeamLimits(counting.full_i0_per_s, counting.weak_below, counting.none_below),
        )
        detector = self._detector(f"{prefix}diffractometer", found)
        tilted = section.goniometer if isinstance(section, Config) else None
        pressed = section.pressure_cell if isinstance(section, Config) else None
        return Station(
            name=name,
            technique="xrd",
            beam=beam,
            goniometer=None if tilted is None else Goniometer(tilted.prefix, name=f"{prefix}goniometer"),
            pressure_cell=None
            if pressed is None
            else PressureCell(
                pressed.prefix,
                name=f"{prefix}pressure_cell",
                highest_gpa=pressed.highest_gpa,
                rate=self._rate,
            ),
            changer=changer,
            monitors=monitors,
            calibrations=calibrations,
            dose=XRayDoseMeter(
                name=f"{prefix}dose",
                technique="xrd",
                beam=beam,
                photons_per_count=counting.photons_per_count,
                **self._accounts(monitors, changer),
            ),
            **self._around(prefix, section.shutter.prefix, detector),
        )

    def raman(self, name: str, section: RamanSection, changer: SampleChanger) -> Station:
        """A Raman spectrometer that looks at the sample changer of the beamline."""
        prefix = PREFIXES[name]
        counting = section.monitors
        laser = Laser(
            section.laser.prefix,
            name=f"{prefix}laser",
            spot_um=section.laser.spot_um,
            per_count=counting.joules_per_count,
        )
        calibrations = self._calibrations(prefix, section.calibration, lambda: _raman_on_paper(section))
        objective = Objective(
            section.laser.prefix,
            name=f"{prefix}objective",
            beside_mm=section.laser.beside_mm,
            measured=calibrations.beside_mm,
        )
        monitors = self._steady_monitors(prefix, counting, laser, LaserMonitors)
        detector = self._detector(f"{prefix}spectrometer", section.spectrometer)
        return Station(
            name=name,
            technique="raman",
            beam=laser,
            objective=objective,
            changer=changer,
            monitors=monitors,
            calibrations=calibrations,
            dose=LaserDoseMeter(
                name=f"{prefix}dose",
                technique="raman",
                source=laser,
                objective=objective,
                **self._accounts(monitors, changer),
            ),
            **self._around(prefix, section.shutter.prefix, detector),
        )

    def optical(self, name: str, section: OpticalSection, raman: Station) -> Station:
        """A camera that looks through the objective of the Raman spectrometer, at the same place."""
        prefix = PREFIXES[name]
        lamp = Lamp(
            section.lamp.prefix,
            name=f"{prefix}lamp",
            field_mm=section.camera.field_mm,
            per_count=section.monitors.particles_per_count,
        )
        monitors = self._steady_monitors(prefix, section.monitors, lamp)
        return Station(
            name=name,
            technique="optical",
            beam=lamp,
            objective=raman.objective,
            changer=raman.changer,
            monitors=monitors,
            calibrations=self._calibrations(prefix, section.calibration, lambda: section.camera),
            dose=LaserDoseMeter(
                name=f"{prefix}dose",
                technique="optical",
                source=lamp,
                objective=raman.objective,
                **self._accounts(monitors, raman.changer),
            ),
            **self._around(
                prefix, section.shutter.prefix, self._detector(f"{prefix}detector", section.camera)
            ),
        )

    def make_vacuum(self, section: VacuumSection) -> None:
        """The chamber of the microscopes, and the stage in it, whose places the electron microscope finds."""
        sem = self._config.sem
        self._found = (
            None if sem is None else self._calibrations(PREFIXES["sem"], sem.calibration, lambda: sem.imaging)
        )
        stage = _changer(section.changer, "chamber_changer", self._found)
        self._vacuum = _Vacuum(self._chamber("chamber", section.chamber), stage)

    def _chamber(self, name: str, section: ChamberSection) -> Chamber:
        return Chamber(
            section.prefix,
            name=name,
            highest_mbar=section.highest_mbar,
            vapour_limit_mbar=section.vapour_limit_mbar,
            rate=self._rate,
        )

    def xps(self, name: str, section: XpsSection) -> Station:
        """A photoelectron spectrometer in the vacuum chamber."""
        prefix = PREFIXES[name]
        source = SoftXRays(
            section.source.prefix,
            name=f"{prefix}source",
            photons_per_s_w=section.source.photons_per_s_w,
            per_count=section.monitors.particles_per_count,
        )
        monitors = self._steady_monitors(prefix, section.monitors, source)
        objective = (
            Objective(section.source.prefix, name=f"{prefix}objective") if section.source.scans else None
        )
        analyser = Analyser(
            section.analyser.prefix, name=f"{prefix}analyser", regions=section.analyser.regions
        )
        ions = section.sputter_gun
        gun = (
            None
            if ions is None
            else SputterGun(ions.prefix, name="sputter_gun", field_um=ions.raster_um, rate=self._rate)
        )
        return Station(
            name=name,
            technique="xps",
            ion_column=gun,
            beam=source,
            objective=objective,
            analyser=analyser,
            read_with_frames=[source],
            monitors=monitors,
            calibrations=self._calibrations(prefix, section.calibration, lambda: section.analyser),
            dose=SoftXRayDoseMeter(
                name=f"{prefix}dose",
                technique="xps",
                source=source,
                objective=objective,
                **self._accounts(monitors, self._vacuum.stage),
            ),
            **self._vacuum.devices,
            **self._around(
                prefix, section.shutter.prefix, self._detector(f"{prefix}spectrometer", section.analyser)
            ),
        )

    def sem(self, name: str, section: SemSection) -> Station:
        """An electron microscope in the vacuum chamber."""
        gun = ElectronGun(
            section.column.prefix, name="column", per_count=section.monitors.particles_per_count
        )
        self._column = _Column(gun, self._vacuum, "sem")
        scan = Scan(section.imaging.prefix, name=f"{PREFIXES[name]}scan")
        assert self._found is not None, "made with the chamber"
        ions = section.ion_column
        column = (
            None
            if ions is None
            else IonColumn(ions.prefix, name="ion_column", field_um=ions.field_um, rate=self._rate)
        )
        return self._on_column(name, section, self._column, self._found, "detector", scan, column)

    def eds(self, name: str, section: EdsSection) -> Station:
        """A detector of X-rays on the column of the electron microscope."""
        calibrations = self._calibrations(PREFIXES[name], section.calibration, lambda: section.detector)
        return self._on_column(name, section, self._column, calibrations, "spectrometer")

    def ebsd(self, name: str, section: EbsdSection) -> Station:
        """A screen for diffraction patterns on the column."""
        calibrations = self._calibrations(PREFIXES[name], section.calibration, lambda: section.detector)
        detector = section.detector
        scan = OrientationScan(detector.prefix, name=f"{PREFIXES[name]}scan", points=detector.points)
        return self._on_column(name, section, self._column, calibrations, "detector", scan)

    def tem(self, name: str, section: TemSection) -> Station:
        """A transmission electron microscope, with a chamber and a stage of its own."""
        prefix = PREFIXES[name]
        calibrations = self._calibrations(prefix, section.calibration, lambda: section.detector)
        stage = _changer(section.changer, f"{prefix}changer", calibrations)
        vacuum = _Vacuum(self._chamber(f"{prefix}chamber", section.chamber), stage)
        gun = ElectronGun(
            section.column.prefix, name=f"{prefix}column", per_count=section.monitors.particles_per_count
        )
        self._transmission = _Column(gun, vacuum, "tem")
        scan = TransmissionScan(section.detector.prefix, name=f"{prefix}scan")
        return self._on_column(name, section, self._transmission, calibrations, "detector", scan)

    def eels(self, name: str, section: EelsSection) -> Station:
        """A spectrometer of electron losses on the column of the transmission microscope."""
        calibrations = self._calibrations(PREFIXES[name], section.calibration, lambda: section.detector)
        detector = section.detector
        scan = LossScan(detector.prefix, name=f"{PREFIXES[name]}scan", points=detector.points)
        return self._on_column(name, section, self._transmission, calibrations, "spectrometer", scan)

    def _on_column(
        self,
        name: str,
        section: SemSection | EdsSection | EbsdSection | TemSection | EelsSection,
        column: _Column,
        calibrations: Calibrations,
        detector: str,
        scan: AnyScan | None = None,
        ion_column: IonColumn | None = None,
    ) -> Station:
        prefix = PREFIXES[name]
        monitors = self._steady_monitors(prefix, section.monitors, column.gun, ElectronMonitors)
        return Station(
            name=name,
            technique=name,
            beam=column.gun,
            monitors=monitors,
            calibrations=calibrations,
            scan=scan,
            ion_column=ion_column,
            read_with_frames=[column.gun],
            dose=ElectronDoseMeter(
                name=f"{prefix}dose",
                technique=column.account,
                source=column.gun,
                scan=scan,
                **self._accounts(monitors, column.vacuum.stage),
            ),
            **column.vacuum.devices,
            **self._around(
                prefix, section.shutter.prefix, self._detector(f"{prefix}{detector}", section.detector)
            ),
        )

    def _steady_monitors(
        self,
        prefix: str,
        section: CountersSection,
        source: SteadySource,
        kind: type[SteadyMonitors] = SteadyMonitors,
    ) -> SteadyMonitors:
        return kind(
            section.prefix,
            name=f"{prefix}monitors",
            rate=self._rate,
            source=source,
            weak_below=section.weak_below,
            none_below=section.none_below,
        )

    def _detector(
        self,
        name: str,
        section: DiffractometerSection
        | SpectrometerSection
        | AnalyserSection
        | ImagingSection
        | XrayDetectorSection
        | PatternDetectorSection
        | CameraSection
        | OpticalCameraSection
        | LossSpectrometerSection,
    ) -> FrameDetector:
        return FrameDetector(
            section.prefix,
            name=name,
            frames_folder=self._config.stored(section.frames_folder),
            rate=self._rate,
        )

    def _calibrations(
        self, prefix: str, section: CalibrationSection, on_paper: Callable[[], Any]
    ) -> Calibrations:
        return Calibrations(
            name=f"{prefix}calibrations",
            store=CalibrationStore(self._config.stored(section.folder)),
            on_paper=on_paper,
            max_age_h=section.max_age_h,
        )

    def _accounts(self, monitors: Any, changer: SampleChanger) -> Mapping[str, Any]:
        ledger = DoseLedger(self._config.stored(DOSE_LEDGER))
        return {"ledger": ledger, "monitors": monitors, "changer": changer}

    def _around(self, prefix: str, shutter: str, detector: FrameDetector) -> Mapping[str, Any]:
        """Detector, shutter and the comparison of clocks."""
        clocks = ClockComparison(
            name=f"{prefix}clocks",
            cycler_clock=self._cycler.unix_time_s,
            instrument_clock=detector.clock_unix_s,
        )
        return {
            "detector": detector,
            "shutter": Shutter(shutter, name=f"{prefix}shutter"),
            "clocks": clocks,
            "requests": RequestDesk.of(self._config),
        }


def _changer(section: ChangerSection, name: str, calibrations: Calibrations | None = None) -> SampleChanger:
    """A sample changer, whose places are where `calibrations` has found them."""
    places = {place: Place(**dict(one)) for place, one in section.places.items()}
    marks = {"marks_mm": section.marks_mm, "mark_diameter_um": section.mark_diameter_um}
    if calibrations is None:
        return SampleChanger(section.prefix, name=name, places=places, **marks)
    found = {"measured": calibrations.centre_mm, "turned_deg": calibrations.turned_deg}
    return SampleChanger(section.prefix, name=name, places=places, **found, **marks)


def _raman_on_paper(section: RamanSection) -> Any:
    from intercalate.raman_chain import RamanOnPaper

    return RamanOnPaper.of(section)
