"""The calibrations of an instrument, as a device that plans write to and runs name."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, Kind, Signal

from intercalate.calibrations import Calibration, CalibrationStore
from intercalate.calibrations import Kind as CalibrationKind


@dataclass(frozen=True)
class DetectorOnPaper:
    """The detector as built.

    Attributes
    ----------
    beam_mm
        Where the beam meets it, down and across from the corner of its first pixel.
    polarisation
        pyFAI's factor, 1 for a beam polarised horizontally.
    """

    distance_mm: float
    pixel_mm: float
    beam_mm: tuple[float, float]
    saturation_counts: float
    polarisation: float = 0.99


class Calibrations(Device):
    """Keeps calibrations; reading it gives the one that was kept last.

    Attributes
    ----------
    store
        On disk.
    max_age_h
        Up to which one is trusted.
    calibration, sha256, found
        Of the last one: its name, its hash, and its values as JSON.
    """

    calibration = Cpt(Signal, value="", kind=Kind.normal)
    sha256 = Cpt(Signal, value="", kind=Kind.normal)
    found = Cpt(Signal, value="{}", kind=Kind.normal)

    def __init__(
        self,
        *,
        name: str,
        store: CalibrationStore,
        on_paper: Callable[[], Any],
        max_age_h: float,
        **kwargs: Any,
    ):
        super().__init__("", name=name, **kwargs)
        self.store = store
        self._make_on_paper = on_paper
        self.max_age_h = max_age_h

    @cached_property
    def on_paper(self) -> Any:
        """From which a calibration starts; made when it is first asked for, since its libraries are large."""
        return self._make_on_paper()

    def keep(self, *args: Any, **kwargs: Any) -> Calibration:
        """Keep a calibration; see `CalibrationStore.keep`."""
        kept = self.store.keep(*args, **kwargs)
        self.calibration.put(kept.name)
        self.sha256.put(kept.sha256)
        self.found.put(json.dumps(kept.values))
        return kept

    def centre_mm(self, place: str) -> tuple[float, float] | None:
        """Measured centre of a place of the sample changer, or None."""
        found = self.store.latest(CalibrationKind.POSITION, place)
        return None if found is None else (found.values["x_mm"], found.values["y_mm"])

    def turned_deg(self, place: str) -> float:
        """Measured rotation of the sample at a place against the stage; none where nobody has measured it."""
        found = self.store.latest(CalibrationKind.POSITION, place)
        return 0.0 if found is None else found.values.get("rotation_deg", 0.0)

    def beside_mm(self) -> tuple[float, float] | None:
        """Measured place of the beam on the sample, from where the changer means, or None."""
        found = self.store.latest(CalibrationKind.BESIDE)
        return None if found is None else (found.values["x_mm"], found.values["y_mm"])

    def focus_um(self, place: str) -> float | None:
        """Where the focus was found at a place of the sample changer, or None."""
        found = self.store.latest(CalibrationKind.FOCUS, place)
        return None if found is None else found.values["z_um"]
