"""All that a measurement with one instrument takes, under one name."""

from typing import Any

from intercalate.devices.beam import Monitors, Source
from intercalate.devices.calibrations import Calibrations
from intercalate.devices.changer import SampleChanger
from intercalate.devices.clocks import ClockComparison
from intercalate.devices.dose import DoseMeter
from intercalate.devices.frame_detector import FrameDetector
from intercalate.devices.laser import Laser, Objective
from intercalate.devices.shutter import Shutter


class Station:
    """Detector, shutter, monitors, beam, sample changer, clocks, calibrations and doses.

    Reading it gives what a baseline needs: beam and sample changer, and the objective where there is one.

    Parameters
    ----------
    technique
        What it measures: `xrd`, `raman`.
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
        beam: Source | Laser,
        changer: SampleChanger,
        clocks: ClockComparison,
        calibrations: Calibrations,
        dose: DoseMeter,
        objective: Objective | None = None,
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

    def __repr__(self) -> str:
        return f"Station({self.name!r}: {self.technique}, {self.detector.prefix})"

    @property
    def beside_mm(self) -> tuple[float, float]:
        """Where the beam meets the sample, from where the sample changer means."""
        return (0.0, 0.0) if self.objective is None else self.objective.beside_mm

    @property
    def _around_sample(self) -> list[Any]:
        return [self.beam, self.changer, *([] if self.objective is None else [self.objective])]

    @property
    def devices(self) -> list[Any]:
        """All of it, each device by itself."""
        own = (self.detector, self.shutter, self.monitors, self.clocks, self.calibrations, self.dose)
        return [*own, *self._around_sample]

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
