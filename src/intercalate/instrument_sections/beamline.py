"""Diffractometers, at the beamline and in the laboratory, the Raman spectrometer, and the camera on it."""

import math
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from intercalate import colour_frames
from intercalate.contract import ABSOLUTE_MAX_PRESSURE_GPA
from intercalate.dose import ABSORBED, LIGHT, DoseScale, fluence_j_cm2
from intercalate.instrument_sections.common import (
    CalibrationSection,
    ChangerSection,
    CountersSection,
    ParticleMonitorsSection,
    Positive,
    Prefix,
    PrefixSection,
    Section,
)
from intercalate.materials.constants import HC_KEV_NM
from intercalate.materials.optical import WHITE_NM


class DiffractometerSection(Section):
    """The area detector, and where it stands on paper."""

    prefix: Prefix
    frames_folder: str
    readout_s: Annotated[float, Field(ge=0)]
    saturation_counts: Positive
    distance_mm: Positive
    pixel_mm: Positive
    shape: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]
    beam_mm: tuple[float, float]
    polarisation: Annotated[float, Field(ge=-1, le=1)] = 0.99
    """pyFAI's factor: almost 1 at a synchrotron, 0 for a tube."""


class PressureCellSection(Section):
    """A diamond-anvil cell in the beam of the diffractometer, and the controller of its membrane.

    Attributes
    ----------
    highest_gpa
        That the anvils bear.
    opening_deg
        Of 2theta, beyond which the seat of the anvil is in the way of the rays.
    chamber_um
        Diameter of the hole in the gasket, in which the sample is.
    """

    prefix: Prefix
    highest_gpa: Annotated[float, Field(gt=0, le=ABSOLUTE_MAX_PRESSURE_GPA)]
    opening_deg: Annotated[float, Field(gt=0, lt=90)]
    chamber_um: Annotated[float, Field(gt=0, le=1000)]


class MonitorsSection(CountersSection):
    """Monitors of X-rays: counts per second with all the beam there should be, photons of a count of I0."""

    full_i0_per_s: Positive
    photons_per_count: Positive


class LaserMonitorsSection(CountersSection):
    """Monitors of a laser, and the energy at the sample that a count of I0 is.

    Attributes
    ----------
    power_meter_sigma
        Relative standard uncertainty of the power meter on the sample changer.
    """

    joules_per_count: Positive
    power_meter_sigma: Annotated[float, Field(gt=0, lt=1)]


class BeamSection(Section):
    """The beam, and what it is on paper."""

    prefix: Prefix
    energy_kev: Positive
    size_mm: tuple[Positive, Positive]


class LaboratorySection(Section):
    """An instrument to which cells are carried: like the one at the beamline, with all that is its own."""

    scale: ClassVar[DoseScale] = ABSORBED

    diffractometer: DiffractometerSection
    tube: PrefixSection
    monitors: MonitorsSection
    shutter: PrefixSection
    changer: ChangerSection
    calibration: CalibrationSection

    @property
    def detector(self) -> DiffractometerSection:
        """What takes the frames."""
        return self.diffractometer

    @model_validator(mode="after")
    def _takes_a_vessel(self) -> Self:
        wired = [name for name, place in self.changer.places.items() if place.channel is not None]
        if wired:
            raise ValueError(f"no cables of the cycler go to {', '.join(wired)}; give content")
        if [place.content for place in self.changer.places.values()].count("vessel") != 1:
            raise ValueError('one place of the changer takes the vessel; give it content = "vessel"')
        return self


class SpectrometerSection(Section):
    """A Raman spectrometer on paper.

    Attributes
    ----------
    counts_per_electron, read_noise_electrons
        Of one read-out of a pixel.
    first_nm, nm_per_pixel, curvature_nm_per_pixel2
        Wavelength of a pixel, as a polynomial.
    width_nm
        Full width at half maximum of an infinitely sharp line.
    """

    prefix: Prefix
    frames_folder: str
    readout_s: Annotated[float, Field(ge=0)]
    saturation_counts: Positive
    pixels: Annotated[int, Field(ge=64)]
    counts_per_electron: Positive
    read_noise_electrons: Annotated[float, Field(ge=0)]
    first_nm: Positive
    nm_per_pixel: Positive
    curvature_nm_per_pixel2: float
    width_nm: Positive

    @property
    def shape(self) -> tuple[int, int]:
        """Of a frame, rows and columns."""
        return 1, self.pixels


class LaserSection(Section):
    """A laser and its objective.

    Attributes
    ----------
    wavelength_nm, power_mw
        On paper, the power at the sample.
    spot_um
        Diameter of the spot, 1/e2.
    beside_mm
        Where the spot is on the sample, from where the sample changer means.
    """

    prefix: Prefix
    wavelength_nm: Positive
    power_mw: Positive
    spot_um: Positive
    beside_mm: tuple[float, float]

    @property
    def spot_mm2(self) -> float:
        """Area of the spot."""
        return math.pi / 4 * (self.spot_um / 1000.0) ** 2


class RamanSection(Section):
    """A Raman spectrometer that looks at the sample changer of the beamline."""

    scale: ClassVar[DoseScale] = LIGHT

    spectrometer: SpectrometerSection
    laser: LaserSection
    monitors: LaserMonitorsSection
    shutter: PrefixSection
    calibration: CalibrationSection

    @property
    def detector(self) -> SpectrometerSection:
        """What takes the frames."""
        return self.spectrometer

    @property
    def particle_kev(self) -> float:
        """Energy of a photon."""
        return HC_KEV_NM / self.laser.wavelength_nm

    def fluence_j_cm2(self, exposure_s: float) -> float:
        """Energy per area of an exposure, on paper."""
        return fluence_j_cm2(1e-3 * self.laser.power_mw * exposure_s, self.laser.spot_mm2)


class OpticalCameraSection(Section):
    """A colour camera, which sees in white light what the objective of a laser looks at.

    Attributes
    ----------
    pixels
        Of an image, rows and columns.
    pixel_um, pixel_sigma
        On the sample, and its relative standard uncertainty.
    counts_per_electron, read_noise_electrons, dark_counts
        Of a pixel, the latter without light.
    """

    prefix: Prefix
    frames_folder: str
    readout_s: Annotated[float, Field(ge=0)]
    saturation_counts: Positive
    pixels: tuple[Annotated[int, Field(ge=64)], Annotated[int, Field(ge=64)]]
    pixel_um: Positive
    pixel_sigma: Annotated[float, Field(ge=0, lt=1)]
    counts_per_electron: Positive
    read_noise_electrons: Positive
    dark_counts: Annotated[float, Field(ge=0)]

    @property
    def shape(self) -> tuple[int, int]:
        """Of a frame, rows and columns."""
        return colour_frames.frame_shape(*self.pixels)

    @property
    def field_mm(self) -> tuple[float, float]:
        """Width and height of what is lit and seen."""
        rows, columns = self.pixels
        return columns * self.pixel_um / 1000.0, rows * self.pixel_um / 1000.0


class LampSection(Section):
    """A lamp, with what it gives at the sample on paper."""

    prefix: Prefix
    power_mw: Positive


class OpticalSection(Section):
    """A camera in white light behind the objective of the Raman spectrometer."""

    scale: ClassVar[DoseScale] = LIGHT

    camera: OpticalCameraSection
    lamp: LampSection
    monitors: ParticleMonitorsSection
    shutter: PrefixSection
    calibration: CalibrationSection

    @property
    def detector(self) -> OpticalCameraSection:
        """What takes the frames."""
        return self.camera

    @property
    def particle_kev(self) -> float:
        """Energy of a photon."""
        return HC_KEV_NM / WHITE_NM

    def fluence_j_cm2(self, exposure_s: float) -> float:
        """Energy per area of an exposure, on paper."""
        width_mm, height_mm = self.camera.field_mm
        return fluence_j_cm2(1e-3 * self.lamp.power_mw * exposure_s, width_mm * height_mm)
