"""All that one diffraction measurement takes, under one name."""

from typing import Any

from intercalate.devices.beam import BeamMonitors, Source
from intercalate.devices.calibrations import Calibrations
from intercalate.devices.changer import SampleChanger
from intercalate.devices.clocks import ClockComparison
from intercalate.devices.diffractometer import Diffractometer, Shutter
from intercalate.devices.dose import DoseMeter


class DiffractionStation:
    """Detector, shutter, monitors, beam, sample changer, clocks, calibrations and doses.

    Reading it gives beam and sample changer: a baseline.
    """

    parent = None

    def __init__(
        self,
        *,
        name: str,
        detector: Diffractometer,
        shutter: Shutter,
        monitors: BeamMonitors,
        beam: Source,
        changer: SampleChanger,
        clocks: ClockComparison,
        calibrations: Calibrations,
        dose: DoseMeter,
    ):
        self.name = name
        self.detector = detector
        self.shutter = shutter
        self.monitors = monitors
        self.beam = beam
        self.changer = changer
        self.clocks = clocks
        self.calibrations = calibrations
        self.dose = dose

    def __repr__(self) -> str:
        return f"DiffractionStation({self.name!r}: {self.detector.prefix})"

    def read(self) -> Any:
        """Values of beam and sample changer."""
        return dict(self.beam.read()) | dict(self.changer.read())

    def describe(self) -> Any:
        """Data keys of `read`."""
        return dict(self.beam.describe()) | dict(self.changer.describe())

    def read_configuration(self) -> Any:
        """Configuration of beam and sample changer."""
        return dict(self.beam.read_configuration()) | dict(self.changer.read_configuration())

    def describe_configuration(self) -> Any:
        """Data keys of `read_configuration`."""
        return dict(self.beam.describe_configuration()) | dict(self.changer.describe_configuration())
