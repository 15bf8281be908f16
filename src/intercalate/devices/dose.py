"""What the beam does to the cell in it, as a device: reserves before an exposure, commits after it."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, Kind, Signal

from intercalate.devices.beam import BeamMonitors, Source
from intercalate.devices.changer import SampleChanger
from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS
from intercalate.dose import dose_gy, energy_fluence_j_cm2
from intercalate.dose_ledger import DoseLedger, Occupant, Spot

log = logging.getLogger(__name__)

UNIT = "J/cm2"
HOLDER_RADIUS_MM = 5.0
"""From the centre of a place within which the beam meets what is there."""


class DoseMeterError(RuntimeError):
    """The dose cannot be reckoned: something that it depends on does not answer."""


@contextmanager
def _answered(what: str) -> Iterator[None]:
    try:
        yield
    except CHANNEL_ACCESS_ERRORS as error:
        raise DoseMeterError(f"{what}: the dose cannot be reckoned: {error}") from error


class DoseMeter(Device):
    """Keeps the account of every spot of every cell that the beam meets.

    Which cell and which spot is told by where the sample changer stands, how much by I0.

    Parameters
    ----------
    ledger
        On disk.
    technique
        Whose accounts these are.
    photons_per_count
        Of I0.

    Attributes
    ----------
    exposure_gy, spot_gy
        Dose of the last exposure, and of its spot with all that it ever got: in the material that its cell
        declares as working electrode. NaN where no cell is in the beam, or nobody said of what it is made.
    fluence_j_cm2
        Energy per area of the last exposure.
    """

    exposure_gy = Cpt(Signal, value=float("nan"), kind=Kind.normal)
    spot_gy = Cpt(Signal, value=float("nan"), kind=Kind.normal)
    fluence_j_cm2 = Cpt(Signal, value=0.0, kind=Kind.normal)

    def __init__(
        self,
        *,
        name: str,
        ledger: DoseLedger,
        technique: str,
        beam: Source,
        monitors: BeamMonitors,
        changer: SampleChanger,
        photons_per_count: float,
        **kwargs: Any,
    ):
        super().__init__("", name=name, **kwargs)
        self.ledger = ledger
        self.technique = technique
        self._beam = beam
        self._monitors = monitors
        self._changer = changer
        self._photons_per_count = photons_per_count
        self._pending: tuple[int, Occupant, Spot, float] | None = None

    def begin(self, exposure_s: float, run: str = "") -> None:
        """Reserve the dose of an exposure that is about to begin, where a cell is in the beam.

        Raises
        ------
        DoseLedgerError, DoseMeterError
            If the account cannot be kept: then nothing may be exposed.
        """
        self._pending = None
        with _answered(self._beam.prefix):
            found = self._in_beam()
            if found is None:
                return
            occupant, spot = found
            energy_kev = float(self._beam.energy_kev.get())
            expected = self._expected_j_cm2(exposure_s, spot.area_mm2, energy_kev)
        number = self.ledger.reserve(
            occupant.cell, self.technique, UNIT, spot, energy_kev, expected, time.time(), run
        )
        self._pending = (number, occupant, spot, energy_kev)

    def end(self) -> None:
        """Commit the exposure reserved last, by the counts of I0; without counts it stays reserved."""
        pending, self._pending = self._pending, None
        if pending is None:
            self._show(0.0, float("nan"), float("nan"))
            return
        number, occupant, spot, energy_kev = pending
        try:
            photons = float(self._monitors.i0_counts.get(use_monitor=False)) * self._photons_per_count
        except CHANNEL_ACCESS_ERRORS as error:
            log.warning("the exposure counts as reserved: I0 does not answer: %s", error)
        else:
            fluence = energy_fluence_j_cm2(photons, energy_kev, spot.area_mm2)
            self.ledger.commit(number, fluence)
            self._show(
                fluence,
                dose_gy(fluence, occupant.formula, energy_kev) if occupant.formula else float("nan"),
                self.account_gy(occupant.cell, occupant.formula, spot),
            )

    def account_gy(self, cell: str, formula: str, spot: Spot | None = None) -> float:
        """Dose of a spot of a cell, with all that overlaps it; without a spot, of the one that got most.

        NaN where nobody said of what it is made.
        """
        if not formula:
            return float("nan")
        totals = self.ledger.totals(cell, self.technique)
        spots = [spot] if spot is not None else [one.spot for one in totals]
        return max(
            (
                sum(
                    dose_gy(one.amount, formula, one.energy_kev)
                    for one in self.ledger.totals(cell, self.technique, here)
                )
                for here in spots
            ),
            default=0.0,
        )

    def expected_gy(self, formula: str, exposure_s: float) -> float:
        """Dose of an exposure with all the beam there should be, through the attenuator as it is.

        Raises
        ------
        DoseMeterError
            If the beamline does not answer.
        """
        spot = self.spot_at(0.0, 0.0)
        with _answered(self._beam.prefix):
            energy_kev = float(self._beam.energy_kev.get())
            expected = self._expected_j_cm2(exposure_s, spot.area_mm2, energy_kev)
        return dose_gy(expected, formula, energy_kev)

    def spot_at(self, x_mm: float, y_mm: float) -> Spot:
        """A spot, with the slits as they are.

        Raises
        ------
        DoseMeterError
            If the beamline does not answer.
        """
        slits = (self._beam.slit_h_mm, self._beam.slit_v_mm)
        with _answered(self._beam.prefix):
            return Spot(x_mm, y_mm, *(abs(float(slit.user_readback.get())) for slit in slits))

    def _expected_j_cm2(self, exposure_s: float, area_mm2: float, energy_kev: float) -> float:
        limits = self._monitors.limits
        counts_per_s = 0.0 if limits is None else limits.full_i0_per_s
        photons = counts_per_s * self._photons_per_count * float(self._beam.attenuator.get()) * exposure_s
        return energy_fluence_j_cm2(photons, energy_kev, area_mm2)

    def _in_beam(self) -> tuple[Occupant, Spot] | None:
        """Cell and spot in the beam, by where the changer stands."""
        x_mm, y_mm = (float(axis.user_readback.get()) for axis in (self._changer.x_mm, self._changer.y_mm))
        for name, place in self._changer.places.items():
            centre_x_mm, centre_y_mm = self._changer.centre_mm(name)
            dx_mm, dy_mm = x_mm - centre_x_mm, y_mm - centre_y_mm
            if place.takes_cells and dx_mm**2 + dy_mm**2 < HOLDER_RADIUS_MM**2:
                return self.ledger.occupant(name), self.spot_at(dx_mm, dy_mm)
        return None

    def _show(self, fluence_j_cm2: float, exposure_gy: float, spot_gy: float) -> None:
        self.fluence_j_cm2.put(fluence_j_cm2)
        self.exposure_gy.put(exposure_gy)
        self.spot_gy.put(spot_gy)
