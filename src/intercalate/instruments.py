"""Makes the devices of each instrument, as the configuration says."""

from collections.abc import Mapping
from typing import Any

from intercalate.beam_quality import BeamLimits
from intercalate.calibrations import CalibrationStore
from intercalate.config import (
    CalibrationSection,
    Config,
    DiffractometerSection,
    LaboratorySection,
    RamanSection,
    SpectrometerSection,
)
from intercalate.contract import STATION_NAMES
from intercalate.devices.beam import Beam, BeamMonitors, Tube
from intercalate.devices.calibrations import Calibrations, DetectorOnPaper
from intercalate.devices.changer import Place, SampleChanger
from intercalate.devices.clocks import ClockComparison
from intercalate.devices.cycler import Cycler
from intercalate.devices.dose import LaserDoseMeter, XRayDoseMeter
from intercalate.devices.frame_detector import FrameDetector
from intercalate.devices.laser import Laser, LaserMonitors, Objective
from intercalate.devices.shutter import Shutter
from intercalate.devices.station import Station
from intercalate.dose_ledger import DoseLedger
from intercalate.raman_chain import RamanOnPaper

DOSE_LEDGER = "dose.sqlite"
"""In the storage folder."""

PREFIXES = {"xrd": "", "laboratory_xrd": "laboratory_", "raman": "raman_"}
"""Of the names of an instrument's devices."""


def make_stations(config: Config, cycler: Cycler) -> dict[str, Station]:
    """All instruments by name; `cycler` tells rate and time."""
    maker = _Maker(config, cycler)
    found: dict[str, Station] = {}
    for name in config.instruments:
        section = config.instrument(name)
        if isinstance(section, RamanSection):
            found[name] = maker.raman(name, section, found[STATION_NAMES[0]].changer)
        else:
            found[name] = maker.diffraction(name, section)
    return found


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
        calibrations = self._calibrations(prefix, section.calibration, on_paper)
        beam = (
            Beam(section.beam.prefix, name=f"{prefix}beam")
            if isinstance(section, Config)
            else Tube(section.tube.prefix, name=f"{prefix}beam")
        )
        places = {place: Place(**dict(one)) for place, one in section.changer.places.items()}
        changer = SampleChanger(
            section.changer.prefix, name=f"{prefix}changer", places=places, measured=calibrations.centre_mm
        )
        counting = section.monitors
        monitors = BeamMonitors(
            counting.prefix,
            name=f"{prefix}monitors",
            rate=self._rate,
            limits=BeamLimits(counting.full_i0_per_s, counting.weak_below, counting.none_below),
        )
        detector = self._detector(f"{prefix}diffractometer", found)
        return Station(
            name=name,
            technique="xrd",
            beam=beam,
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
        prefix, on_paper = PREFIXES[name], RamanOnPaper.of(section)
        laser = Laser(section.laser.prefix, name=f"{prefix}laser")
        objective = Objective(
            section.laser.prefix,
            name=f"{prefix}objective",
            spot_um=section.laser.spot_um,
            beside_mm=section.laser.beside_mm,
        )
        counting = section.monitors
        monitors = LaserMonitors(
            counting.prefix,
            name=f"{prefix}monitors",
            rate=self._rate,
            laser=laser,
            joules_per_count=counting.joules_per_count,
            weak_below=counting.weak_below,
            none_below=counting.none_below,
        )
        detector = self._detector(f"{prefix}spectrometer", section.spectrometer)
        return Station(
            name=name,
            technique="raman",
            beam=laser,
            objective=objective,
            changer=changer,
            monitors=monitors,
            calibrations=self._calibrations(prefix, section.calibration, on_paper),
            dose=LaserDoseMeter(
                name=f"{prefix}dose",
                technique="raman",
                laser=laser,
                objective=objective,
                joules_per_count=counting.joules_per_count,
                **self._accounts(monitors, changer),
            ),
            **self._around(prefix, section.shutter.prefix, detector),
        )

    def _detector(self, name: str, section: DiffractometerSection | SpectrometerSection) -> FrameDetector:
        return FrameDetector(
            section.prefix,
            name=name,
            frames_folder=self._config.stored(section.frames_folder),
            rate=self._rate,
        )

    def _calibrations(self, prefix: str, section: CalibrationSection, on_paper: Any) -> Calibrations:
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
        }
