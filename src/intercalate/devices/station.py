"""All that a measurement with one instrument takes, under one name."""

from collections.abc import Sequence
from typing import Any

from intercalate.devices.analyser import Analyser
from intercalate.devices.beam import Monitors, Source
from intercalate.devices.calibrations import Calibrations
from intercalate.devices.chamber import Chamber
from intercalate.devices.changer import SampleChanger
from intercalate.devices.clocks import ClockComparison
from intercalate.devices.dose import DoseMeter
from intercalate.devices.frame_detector import FrameDetector
from intercalate.devices.goniometer import Goniometer
from intercalate.devices.ion_column import IonBeam
from intercalate.devices.objective import Objective
from intercalate.devices.pressure_cell import PressureCell
from intercalate.devices.scan import AnyScan
from intercalate.devices.shutter import Shutter
from intercalate.devices.sources import SteadySource
from intercalate.operator_requests import RequestDesk


class Station:
    """Detector, shutter, monitors, beam, sample changer, clocks, calibrations and doses.

    Reading it gives what a baseline needs: beam and sample changer, and what else is around the sample.

    Parameters
    ----------
    technique
        What it measures: `xrd`, `raman`, `xps`.
    objective
        Moves the beam over the sample, where something does.
    chamber
        In which it is, where it is in a vacuum.
    analyser
        Set to a region before a spectrum, where there are regions.
    scan
        How images or maps are made, where they are.
    ion_column
        Mills or sputters the sample at the place that the beam meets, where there is one.
    goniometer
        Tilts the sample, where something does.
    pressure_cell
        Presses a sample at a place of the changer, where there is one. Frames of other samples do not
        need it.
    read_with_frames
        Devices that say how a frame was taken, besides these.
    requests
        Where people leave what they ask of a running experiment; None where nobody can.
    """

    parent = None

    def __init__(
        self,
        *,
        name: str,
        technique: str,
        detector: FrameDetector,
        shutter: Shutter,
        monitors: Monitors,
        beam: Source | SteadySource,
        changer: SampleChanger,
        clocks: ClockComparison,
        calibrations: Calibrations,
        dose: DoseMeter,
        objective: Objective | None = None,
        chamber: Chamber | None = None,
        analyser: Analyser | None = None,
        scan: AnyScan | None = None,
        ion_column: IonBeam | None = None,
        goniometer: Goniometer | None = None,
        pressure_cell: PressureCell | None = None,
        read_with_frames: Sequence[Any] = (),
        requests: RequestDesk | None = None,
    ):
        self.name = name
        self.technique = technique
        self.detector = detector
        self.shutter = shutter
        self.monitors = monitors
        self.beam = beam
        self.changer = changer
        self.clocks = clocks
        self.calibrations = calibrations
        self.dose = dose
        self.objective = objective
        self.chamber = chamber
        self.analyser = analyser
        self.scan = scan
        self.ion_column = ion_column
        self.goniometer = goniometer
        self.pressure_cell = pressure_cell
        self.requests = requests
        self._read_with_frames = list(read_with_frames)

    def __repr__(self) -> str:
        return f"Station({self.name!r}: {self.technique}, {self.detector.prefix})"

    @property
    def beside_mm(self) -> tuple[float, float]:
        """Where the beam meets the sample, from where the sample changer means."""
        return (0.0, 0.0) if self.objective is None else self.objective.beside_mm

    @property
    def _around_sample(self) -> list[Any]:
        others = (self.objective, self.chamber, self.goniometer)
        return [self.beam, self.changer, *(one for one in others if one is not None)]

    @property
    def settings(self) -> dict[str, Any]:
        """What a measurement may ask to be set before its frames, by name."""
        devices = (self.scan, self.analyser, self.beam, self.chamber, self.goniometer)
        return {
            name: getattr(device, name)
            for device in devices
            if device is not None
            for name in device.settable
        }

    @property
    def of_exposure(self) -> list[Any]:
        """What a frame must be read with, besides the monitors: where it was taken, and how."""
        own = (self.objective, self.analyser, self.scan, self.chamber, self.goniometer)
        found = [one for one in own if one is not None]
        return [*found, *self._read_with_frames]

    def unavailable(self) -> str:
        """Why nothing can be measured now, whatever the detector says; empty if something can."""
        return self.beam.unavailable() or ("" if self.chamber is None else self.chamber.unavailable())

    @property
    def devices(self) -> list[Any]:
        """All of it, each device by itself."""
        own = (self.detector, self.shutter, self.monitors, self.clocks, self.calibrations, self.dose)
        around = self._around_sample
        own += tuple(one for one in (self.ion_column, self.pressure_cell) if one is not None)
        return [*own, *around, *(one for one in self.of_exposure if all(one is not two for two in around))]

    def _merged(self, what: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for device in self._around_sample:
            found.update(getattr(device, what)())
        return found

    def read(self) -> Any:
        """Values of what is around the sample."""
        return self._merged("read")

    def describe(self) -> Any:
        """Data keys of `read`."""
        return self._merged("describe")

    def read_configuration(self) -> Any:
        """Configuration of what is around the sample."""
        return self._merged("read_configuration")

    def describe_configuration(self) -> Any:
        """Data keys of `read_configuration`."""
        return self._merged("describe_configuration")
