"""What a beam does to the cell in it, as a device: reserves before an exposure, commits after it."""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from ophyd import Component as Cpt
from ophyd import Device, Kind, Signal

from intercalate.devices.beam import Monitors, Source
from intercalate.devices.changer import SampleChanger
from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS
from intercalate.devices.objective import Objective
from intercalate.devices.scan import ColumnScan
from intercalate.devices.sources import SteadySource
from intercalate.dose import (
    ABSORBED,
    ELECTRONS,
    LIGHT,
    DoseScale,
    fluence_j_cm2,
    photons_j,
)
from intercalate.dose_ledger import DoseLedger, Occupant, Spot, most_overlapping

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
    """Keeps the account of every spot of every cell that one beam meets.

    Which cell and which spot is told by where the sample changer stands, how much by I0. What is kept is
    energy per area; what that is as a dose, and how large the beam is, a subclass knows.

    Parameters
    ----------
    ledger
        On disk.
    technique
        Whose accounts these are.

    Attributes
    ----------
    scale
        In which budgets and accounts are.
    fluence_j_cm2
        Energy per area of the last exposure.
    """

    scale: DoseScale

    fluence_j_cm2 = Cpt(Signal, value=0.0, kind=Kind.normal)

    def __init__(
        self,
        *,
        name: str,
        ledger: DoseLedger,
        technique: str,
        source: str,
        monitors: Monitors,
        changer: SampleChanger,
        **kwargs: Any,
    ):
        super().__init__("", name=name, **kwargs)
        self.ledger = ledger
        self.technique = technique
        self._source = source
        self._monitors = monitors
        self._changer = changer
        self._pending: tuple[int, Occupant, Spot, float] | None = None

    def dose(self, fluence_j_cm2: float, formula: str, photon_kev: float) -> float:
        """What energy per area does to a material, which must be named where `scale` needs a formula."""
        return self.scale.of(fluence_j_cm2, formula, photon_kev)

    def _photon_kev(self) -> float:
        """Energy of a photon."""
        raise NotImplementedError

    def _size_mm(self) -> tuple[float, float]:
        """Of the beam at the sample."""
        raise NotImplementedError

    def _joules(self, counts: float, photon_kev: float) -> float:
        """Energy of so many counts of I0."""
        raise NotImplementedError

    def _full_joules(self, exposure_s: float, photon_kev: float) -> float:
        """Energy of an exposure with all the beam there should be."""
        raise NotImplementedError

    def _show(self, fluence_j_cm2: float, exposure: float, spot: float) -> None:
        """Publish the last exposure."""
        raise NotImplementedError

    def begin(self, exposure_s: float, run: str = "") -> None:
        """Reserve the dose of an exposure that is about to begin, where a cell is in the beam.

        Raises
        ------
        DoseLedgerError, DoseMeterError
            If the account cannot be kept: then nothing may be exposed.
        """
        self._pending = None
        with _answered(self._source):
            found = self._in_beam()
            if found is None:
                return
            occupant, spot = found
            photon_kev = self._photon_kev()
            expected = self._expected_j_cm2(exposure_s, spot, photon_kev)
        number = self.ledger.reserve(
            occupant.cell, self.technique, UNIT, spot, photon_kev, expected, time.time(), run
        )
        self._pending = (number, occupant, spot, photon_kev)

    def end(self) -> None:
        """Commit the exposure reserved last, by the counts of I0; without counts it stays reserved."""
        pending, self._pending = self._pending, None
        if pending is None:
            self._show(0.0, float("nan"), float("nan"))
            return
        number, occupant, spot, photon_kev = pending
        try:
            joules = self._joules(float(self._monitors.i0_counts.get(use_monitor=False)), photon_kev)
        except CHANNEL_ACCESS_ERRORS as error:
            log.warning("the exposure counts as reserved: I0 does not answer: %s", error)
        else:
            fluence = fluence_j_cm2(joules, spot.area_mm2)
            self.ledger.commit(number, fluence)
            known = self._is_known(occupant.formula)
            self._show(
                fluence,
                self.dose(fluence, occupant.formula, photon_kev) if known else float("nan"),
                self.account(occupant.cell, occupant.formula, spot),
            )

    def account(self, cell: str, formula: str, spot: Spot | None = None) -> float:
        """Dose of a spot of a cell, with all that overlaps it; without a spot, of the one that got most.

        NaN where nobody said of what it is made, and that matters.
        """
        if not self._is_known(formula):
            return float("nan")
        totals = self.ledger.totals(cell, self.technique, spot)
        doses = np.array([self.dose(one.amount, formula, one.energy_kev) for one in totals])
        if spot is not None or not totals:
            return float(doses.sum())
        return most_overlapping([one.spot for one in totals], doses)

    def removed_um(self, cell: str, spot: Spot) -> float:
        """Depth that ions have removed of a cell within a spot; 0 where it is whole."""
        return self.ledger.milled_um(cell, spot)

    def milled_here(self) -> tuple[str, float]:
        """Cell in the beam, and how deep ions have milled within its spot; no name where there is none.

        Raises
        ------
        DoseLedgerError, DoseMeterError
            If the ledger or the beamline does not answer.
        """
        with _answered(self._source):
            found = self._in_beam()
        if found is None:
            return "", 0.0
        occupant, spot = found
        return occupant.cell, self.removed_um(occupant.cell, spot)

    def expected(self, formula: str, exposure_s: float) -> float:
        """Dose of an exposure with all the beam there should be.

        Raises
        ------
        DoseMeterError
            If the beamline does not answer.
        """
        spot = self.spot_at(0.0, 0.0)
        with _answered(self._source):
            photon_kev = self._photon_kev()
            expected = self._expected_j_cm2(exposure_s, spot, photon_kev)
        return self.dose(expected, formula, photon_kev)

    def spot_at(self, x_mm: float, y_mm: float) -> Spot:
        """A spot, with the beam as large as it is.

        Raises
        ------
        DoseMeterError
            If the beamline does not answer.
        """
        with _answered(self._source):
            return Spot(x_mm, y_mm, *self._size_mm())

    def _is_known(self, formula: str) -> bool:
        return bool(formula) or not self.scale.needs_formula

    def _expected_j_cm2(self, exposure_s: float, spot: Spot, photon_kev: float) -> float:
        return fluence_j_cm2(self._full_joules(exposure_s, photon_kev), spot.area_mm2)

    def _position_mm(self) -> tuple[float, float]:
        """Of the beam on the stage."""
        x_mm, y_mm = (float(axis.user_readback.get()) for axis in (self._changer.x_mm, self._changer.y_mm))
        return x_mm, y_mm

    def _in_beam(self) -> tuple[Occupant, Spot] | None:
        """Cell and spot in the beam, by where the changer stands."""
        x_mm, y_mm = self._position_mm()
        beside_mm = {
            name: self._changer.sample_mm(name, x_mm, y_mm)
            for name, place in self._changer.places.items()
            if place.takes_cells
        }
        # Films lie close together: of two places within reach it is the nearer one.
        name = min(beside_mm, key=lambda one: math.hypot(*beside_mm[one]), default="")
        if not name or math.hypot(*beside_mm[name]) >= HOLDER_RADIUS_MM:
            return None
        return self.ledger.occupant(name), self.spot_at(*beside_mm[name])


class XRayDoseMeter(DoseMeter):
    """Absorbed dose of X-rays, in the material that a cell declares as working electrode.

    Parameters
    ----------
    photons_per_count
        Of I0.

    Attributes
    ----------
    exposure_gy, spot_gy
        Dose of the last exposure, and of its spot with all that it ever got. NaN where no cell is in the
        beam, or nobody said of what it is made.
    """

    scale = ABSORBED

    exposure_gy = Cpt(Signal, value=float("nan"), kind=Kind.normal)
    spot_gy = Cpt(Signal, value=float("nan"), kind=Kind.normal)

    def __init__(self, *, beam: Source, photons_per_count: float, **kwargs: Any):
        super().__init__(source=beam.prefix, **kwargs)
        self._beam = beam
        self._photons_per_count = photons_per_count

    def _photon_kev(self) -> float:
        return float(self._beam.energy_kev.get())

    def _size_mm(self) -> tuple[float, float]:
        slits = (self._beam.slit_h_mm, self._beam.slit_v_mm)
        width_mm, height_mm = (abs(float(slit.user_readback.get())) for slit in slits)
        return width_mm, height_mm

    def _joules(self, counts: float, photon_kev: float) -> float:
        return photons_j(counts * self._photons_per_count, photon_kev)

    def _full_joules(self, exposure_s: float, photon_kev: float) -> float:
        """Through the attenuator as it is."""
        limits = self._monitors.limits
        counts_per_s = 0.0 if limits is None else limits.full_i0_per_s
        return self._joules(counts_per_s * float(self._beam.attenuator.get()) * exposure_s, photon_kev)

    def _show(self, fluence_j_cm2: float, exposure: float, spot: float) -> None:
        self.fluence_j_cm2.put(fluence_j_cm2)
        self.exposure_gy.put(exposure)
        self.spot_gy.put(spot)


class SteadyDoseMeter(DoseMeter):
    """Of a steady source.

    Parameters
    ----------
    source
        Whose energy, and how large what it exposes.
    objective
        What moves it over the sample; None where nothing does.
    """

    def __init__(self, *, source: SteadySource, objective: Objective | None = None, **kwargs: Any):
        super().__init__(source=source.prefix, **kwargs)
        self._beam = source
        self._objective = objective

    def _photon_kev(self) -> float:
        return self._beam.particle_kev()

    def _size_mm(self) -> tuple[float, float]:
        return self._beam.size_mm()

    def _joules(self, counts: float, photon_kev: float) -> float:
        return self._beam.joules_of(counts)

    def _full_joules(self, exposure_s: float, photon_kev: float) -> float:
        return self._beam.joules_per_s() * exposure_s

    def _position_mm(self) -> tuple[float, float]:
        x_mm, y_mm = super()._position_mm()
        if self._objective is None:
            return x_mm, y_mm
        dx_mm, dy_mm = self._objective.offset_mm()
        return x_mm + dx_mm, y_mm + dy_mm


class LaserDoseMeter(SteadyDoseMeter):
    """Energy per area of a laser's light, whatever it meets.

    Attributes
    ----------
    spot_j_cm2
        Of the spot of the last exposure, with all that it ever got. NaN where no cell is in the light.
    """

    scale = LIGHT

    spot_j_cm2 = Cpt(Signal, value=float("nan"), kind=Kind.normal)

    def _show(self, fluence_j_cm2: float, exposure: float, spot: float) -> None:
        self.fluence_j_cm2.put(fluence_j_cm2)
        self.spot_j_cm2.put(spot)


class SoftXRayDoseMeter(SteadyDoseMeter):
    """Absorbed dose of soft X-rays, in the material that a cell declares as working electrode.

    Attributes
    ----------
    exposure_gy, spot_gy
        As of `XRayDoseMeter`.
    sputtered_1e16_cm2
        Argon ions per area that a part of it had received when it was exposed.
    """

    scale = ABSORBED

    exposure_gy = Cpt(Signal, value=float("nan"), kind=Kind.normal)
    spot_gy = Cpt(Signal, value=float("nan"), kind=Kind.normal)
    sputtered_1e16_cm2 = Cpt(Signal, value=0.0, kind=Kind.normal)

    def begin(self, exposure_s: float, run: str = "") -> None:
        """Reserve the dose, and know what argon ions had done."""
        super().begin(exposure_s, run)
        found = self._pending
        fluence = 0.0 if found is None else self.ledger.sputtered_1e16_cm2(found[1].cell, found[2])
        self.sputtered_1e16_cm2.put(fluence)

    def _show(self, fluence_j_cm2: float, exposure: float, spot: float) -> None:
        self.fluence_j_cm2.put(fluence_j_cm2)
        self.exposure_gy.put(exposure)
        self.spot_gy.put(spot)


class ElectronDoseMeter(SteadyDoseMeter):
    """Electrons per area, whatever they meet.

    Parameters
    ----------
    scan
        What the column exposes of its field of view; all of it where None.

    Attributes
    ----------
    exposure_e_a2, spot_e_a2
        Electrons per square angstrom of the last exposure, and of its spot with all that it ever got.
    milled_um, cut_um
        Depth that ions had removed of it somewhere in the field of view when it was exposed, and the smaller
        side of that cut; 0 where it was whole.
    """

    scale = ELECTRONS

    milled_um = Cpt(Signal, value=0.0, kind=Kind.normal)
    cut_um = Cpt(Signal, value=0.0, kind=Kind.normal)

    exposure_e_a2 = Cpt(Signal, value=float("nan"), kind=Kind.normal)
    spot_e_a2 = Cpt(Signal, value=float("nan"), kind=Kind.normal)

    def __init__(self, *, scan: ColumnScan | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self._scan = scan

    def _size_mm(self) -> tuple[float, float]:
        field_mm = super()._size_mm()
        return field_mm if self._scan is None else self._scan.exposed_mm(field_mm)

    def begin(self, exposure_s: float, run: str = "") -> None:
        """Reserve the dose, and know what ions had removed."""
        super().begin(exposure_s, run)
        pending = self._pending
        deep_um, cut = (
            (0.0, None) if pending is None else self.ledger.deepest_cut(pending[1].cell, pending[2])
        )
        self.milled_um.put(deep_um)
        self.cut_um.put(0.0 if cut is None else 1000.0 * min(cut.width_mm, cut.height_mm))

    def _show(self, fluence_j_cm2: float, exposure: float, spot: float) -> None:
        self.fluence_j_cm2.put(fluence_j_cm2)
        self.exposure_e_a2.put(exposure)
        self.spot_e_a2.put(spot)
