"""What a VAMAS file holds: an experiment and its blocks, one for each spectrum.

ISO 14976:1998, after W. A. Dench, L. B. Hazell & M. P. Seah, Surf. Interface Anal. 13 (1988) 63. Names are
those of the standard. A number that was not given is NaN; in the file it stands as 1E37.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

import numpy as np

MISSING = 1e37

EXPERIMENT_MODES = ("MAP", "MAPDP", "MAPSV", "MAPSVDP", "NORM", "SDP", "SDPSV", "SEM", "NOEXP")
SCAN_MODES = ("REGULAR", "IRREGULAR", "MAPPING")
TECHNIQUES = (
    "AES diff", "AES dir", "EDX", "ELS", "FABMS", "FABMS energy spec", "ISS", "SIMS", "SIMS energy spec",
    "SNMS", "SNMS energy spec", "UPS", "XPS", "XRF",
)  # fmt: skip


class VamasError(ValueError):
    """A VAMAS file cannot be read or written; the message says where and why."""


@dataclass(frozen=True, slots=True)
class SputteringIon:
    """Ion or atom that removes material while a profile is measured."""

    atomic_number: int
    atoms: float
    charge: float


@dataclass(frozen=True, slots=True)
class SputteringSource:
    """Of a depth profile; energy in eV, current in nA, widths in um, angles in degrees."""

    energy_ev: float
    beam_current_na: float
    width_x_um: float
    width_y_um: float
    polar_angle_deg: float
    azimuth_deg: float
    mode: str


@dataclass(frozen=True, slots=True)
class Abscissa:
    """Of a regular scan: `start + step * number`."""

    label: str
    units: str
    start: float
    step: float


@dataclass(frozen=True, slots=True)
class CorrespondingVariable:
    """What was recorded at each point."""

    label: str
    units: str


@dataclass(frozen=True, slots=True)
class NumericalParameter:
    """A number that the format has no place for."""

    label: str
    units: str
    value: float


_NAN = float("nan")


@dataclass(frozen=True)
class VamasBlock:
    """One spectrum.

    Attributes
    ----------
    year, month, day, hour, minute, second, gmt_offset_h
        When it was taken; -1 where that was not given.
    map_position
        Discrete coordinates x and y, from 1, of a map.
    variable_values
        Of the experimental variables of the file.
    sputtering_ion
        Of a depth profile, or of a technique that sputters.
    field_of_view_um, linescan
        Of a map and an image; the line scan as six coordinates.
    pass_energy
        Or retard ratio, or mass resolution, by the mode of the analyser.
    abscissa
        None where the scan is not regular: the first variable is the abscissa then.
    collection_time_s
        Of each point and scan.
    ordinates
        Shape (variables, points).
    """

    block: str
    sample: str
    ordinates: np.ndarray
    abscissa: Abscissa | None
    year: int = -1
    month: int = -1
    day: int = -1
    hour: int = -1
    minute: int = -1
    second: int = -1
    gmt_offset_h: float = 0.0
    comment: tuple[str, ...] = ()
    technique: str = "XPS"
    map_position: tuple[int, int] | None = None
    variable_values: tuple[float, ...] = ()
    source_label: str = "Al K-alpha"
    sputtering_ion: SputteringIon | None = None
    source_energy_ev: float = 1486.6
    source_strength: float = _NAN
    beam_width_um: tuple[float, float] = (_NAN, _NAN)
    field_of_view_um: tuple[float, float] | None = None
    linescan: tuple[int, int, int, int, int, int] | None = None
    source_polar_angle_deg: float = _NAN
    source_azimuth_deg: float = _NAN
    analyser_mode: str = "FAT"
    pass_energy: float = _NAN
    differential_width_ev: float | None = None
    lens_magnification: float = _NAN
    work_function_ev: float = _NAN
    target_bias_v: float = _NAN
    analysis_width_um: tuple[float, float] = (_NAN, _NAN)
    take_off_deg: tuple[float, float] = (_NAN, _NAN)
    species: str = ""
    transition: str = ""
    particle_charge: int = -1
    variables: tuple[CorrespondingVariable, ...] = (CorrespondingVariable("counts", "d"),)
    signal_mode: str = "pulse counting"
    collection_time_s: float = _NAN
    scans: int = 1
    time_correction_s: float = 0.0
    sputtering_source: SputteringSource | None = None
    tilt_deg: tuple[float, float] = (_NAN, _NAN)
    rotation_deg: float = _NAN
    parameters: tuple[NumericalParameter, ...] = ()

    @property
    def seconds(self) -> float:
        """For which each point was counted."""
        return self.collection_time_s * self.scans

    @property
    def taken(self) -> datetime | None:
        """When; None where that was not given or is no date."""
        zone = UTC if not self.gmt_offset_h else timezone(timedelta(hours=self.gmt_offset_h))
        try:
            return datetime(self.year, self.month, self.day, self.hour, self.minute, self.second, tzinfo=zone)
        except ValueError:
            return None

    def points(self) -> np.ndarray:
        """Abscissa of every point, shape (points,)."""
        if self.abscissa is None:
            return self.ordinates[0]
        return self.abscissa.start + self.abscissa.step * np.arange(self.ordinates.shape[1])

    def counts(self) -> np.ndarray:
        """The first variable that is not the abscissa, shape (points,).

        Raises
        ------
        VamasError
            If there is none.
        """
        number = 0 if self.abscissa is not None else 1
        if self.ordinates.shape[0] <= number:
            raise VamasError(f"block {self.block!r} has an abscissa and nothing beside it")
        return self.ordinates[number]

    def binding_ev(self) -> np.ndarray:
        """Binding energy of every point, shape (points,), from kinetic energies where those are given.

        Raises
        ------
        VamasError
            If the abscissa is no energy of electrons.
        """
        label = self.abscissa.label if self.abscissa is not None else self.variables[0].label
        points = self.points()
        if "binding" in label.lower():
            return points
        if "kinetic" in label.lower() and np.isfinite(self.source_energy_ev):
            return self.source_energy_ev - points
        raise VamasError(
            f"block {self.block!r}: {label!r} (source at {self.source_energy_ev:g} eV) gives no binding "
            "energy; a binding energy, or a kinetic energy with the energy of the source, does"
        )


@dataclass(frozen=True)
class VamasFile:
    """An experiment.

    Attributes
    ----------
    regions
        Number of spectral regions, where the mode asks for it (MAP, MAPDP, NORM, SDP).
    map_shape
        Number of positions, and of discrete coordinates in x and y, of a MAP or MAPDP.
    variables
        Label and units of the experimental variables.
    """

    blocks: tuple[VamasBlock, ...]
    institution: str = ""
    instrument: str = ""
    operator: str = ""
    experiment: str = ""
    comment: tuple[str, ...] = ()
    experiment_mode: str = "NORM"
    scan_mode: str = "REGULAR"
    regions: int = 0
    map_shape: tuple[int, int, int] | None = None
    variables: tuple[tuple[str, str], ...] = field(default=())
