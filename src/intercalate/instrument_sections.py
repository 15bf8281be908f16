"""What a configuration says of instruments: where their devices are, and what they are on paper."""

import math
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from intercalate import orientation_frames, spectrum_frames
from intercalate.dose import ABSORBED, ELECTRONS, LIGHT, DoseScale, energy_fluence_j_cm2, fluence_j_cm2


class Section(BaseModel):
    """A part of a configuration: nothing of it can be changed, and nothing else stands in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


HC_KEV_NM = 1.239841984
ELECTRON_C = 1.602176634e-19

Prefix = Annotated[str, Field(pattern=":$")]
Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]


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


class CountersSection(Section):
    """Monitors, and shares of the counts with all the beam there should be, below which there is less."""

    prefix: Prefix
    weak_below: Share
    none_below: Share

    @model_validator(mode="after")
    def _none_is_less(self) -> Self:
        if self.none_below >= self.weak_below:
            raise ValueError(f"none_below ({self.none_below:g}) must be less than weak_below")
        return self


class MonitorsSection(CountersSection):
    """Monitors of X-rays: counts per second with all the beam there should be, photons of a count of I0."""

    full_i0_per_s: Positive
    photons_per_count: Positive


class ParticleMonitorsSection(CountersSection):
    """Monitors of a steady source, and the particles at the sample for each count of I0."""

    particles_per_count: Positive


class LaserMonitorsSection(CountersSection):
    """Monitors of a laser, and the energy at the sample that a count of I0 is."""

    joules_per_count: Positive


class CalibrationSection(Section):
    """Where calibrations are kept, and for how long they are trusted."""

    folder: Path
    max_age_h: Positive


class BeamSection(Section):
    """The beam, and what it is on paper."""

    prefix: Prefix
    energy_kev: Positive
    size_mm: tuple[Positive, Positive]


class PrefixSection(Section):
    """A device that needs a prefix and nothing else."""

    prefix: Prefix


Content = Literal[
    "LaB6",
    "Si",
    "empty",
    "fluorescence",
    "vessel",
    "Au",
    "Ag",
    "Cu",
    "Co",
    "grid",
    "Faraday cup",
    "gold",
    "deposit",
    "nanobattery",
]
"""Of a place that is none for a cell."""


class ChangerPlace(Section):
    """One place of the sample changer.

    Attributes
    ----------
    channel
        Of the cycler, whose cables end there.
    content
        What is there where it is no place for a cell.
    """

    x_mm: float
    y_mm: float
    channel: str | None = None
    content: Content | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.channel is None) == (self.content is None):
            raise ValueError("give either channel, of the cell there, or content")
        return self


class ChangerSection(Section):
    """The sample changer: a stage, and what is where on it."""

    prefix: Prefix
    speed_mm_per_s: Positive
    settling_s: Annotated[float, Field(ge=0)]
    places: dict[str, ChangerPlace]


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


class ChamberSection(Section):
    """A vacuum chamber in which several instruments look at one stage.

    Attributes
    ----------
    highest_mbar
        Above, nothing is measured.
    vapour_limit_mbar
        Most vapour that a sample may give off.
    """

    prefix: Prefix
    highest_mbar: Positive
    vapour_limit_mbar: Positive


class VacuumSection(Section):
    """The chamber of the microscopes, and what is where on its stage."""

    chamber: ChamberSection
    changer: ChangerSection


class RegionSection(Section):
    """Binding energies that an analyser scans, and the pass energy with which it does."""

    start_ev: float
    stop_ev: float
    step_ev: Positive
    pass_energy_ev: Positive

    @property
    def points(self) -> int:
        """Number of energies."""
        return 1 + round((self.stop_ev - self.start_ev) / self.step_ev)

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if not self.stop_ev > self.start_ev:
            raise ValueError(f"stop_ev ({self.stop_ev:g}) must be above start_ev ({self.start_ev:g})")
        return self


class AnalyserSection(Section):
    """An electron energy analyser.

    Attributes
    ----------
    points
        Most energies of a spectrum; a frame is as long, and zero behind the end of its region.
    transmission_exponent
        The transmission goes as (pass energy / kinetic energy) to this power, on top of the pass energy.
    width_per_pass, source_width_ev
        Gaussian full width at half maximum of the analyser per pass energy, and of the source.
    dead_time_s
        Of the counter, after each count.
    emission_angle_deg
        Between the analyser and the normal of the surface.
    regions
        By the names under which measurements know them.
    """

    prefix: Prefix
    frames_folder: str
    readout_s: Annotated[float, Field(ge=0)]
    saturation_counts: Positive
    points: Annotated[int, Field(ge=64)]
    transmission_exponent: Annotated[float, Field(ge=-2, le=2)]
    width_per_pass: Positive
    source_width_ev: Positive
    dead_time_s: Annotated[float, Field(ge=0)]
    emission_angle_deg: Annotated[float, Field(ge=0, le=80)]
    regions: Annotated[dict[str, RegionSection], Field(min_length=1)]

    @property
    def shape(self) -> tuple[int, int]:
        """Of a frame, rows and columns."""
        return 1, self.points

    @model_validator(mode="after")
    def _regions_fit(self) -> Self:
        for name, region in self.regions.items():
            if region.points > self.points:
                raise ValueError(
                    f"the region {name} has {region.points} energies, more than points = {self.points}; take "
                    "a larger step_ev"
                )
        return self


class SoftXRaysSection(Section):
    """The monochromated X-ray tube of an electron spectrometer.

    Attributes
    ----------
    power_w
        As it is run.
    photons_per_s_w
        At the sample, for each watt.
    spot_um
        Side of what it lights.
    """

    prefix: Prefix
    energy_kev: Positive
    power_w: Positive
    photons_per_s_w: Positive
    spot_um: Positive


class XpsSection(Section):
    """A photoelectron spectrometer in the vacuum chamber."""

    scale: ClassVar[DoseScale] = ABSORBED

    analyser: AnalyserSection
    source: SoftXRaysSection
    monitors: ParticleMonitorsSection
    shutter: PrefixSection
    calibration: CalibrationSection

    @property
    def detector(self) -> AnalyserSection:
        """What takes the frames."""
        return self.analyser

    @property
    def particle_kev(self) -> float:
        """Energy of a photon."""
        return self.source.energy_kev

    def fluence_j_cm2(self, exposure_s: float) -> float:
        """Energy per area of an exposure, on paper."""
        source = self.source
        photons = source.power_w * source.photons_per_s_w * exposure_s
        return energy_fluence_j_cm2(photons, source.energy_kev, (source.spot_um / 1000.0) ** 2)


class ColumnSection(Section):
    """An electron column, as it is found: what `intercalate check` reckons with."""

    prefix: Prefix
    voltage_kv: Positive
    current_na: Positive
    field_of_view_um: Positive

    def fluence_j_cm2(self, exposure_s: float) -> float:
        """Energy per area of the field of view in an exposure."""
        electrons = self.current_na * 1e-9 / ELECTRON_C * exposure_s
        return energy_fluence_j_cm2(electrons, self.voltage_kv, (self.field_of_view_um / 1000.0) ** 2)


class ImagingSection(Section):
    """The detectors of an electron microscope.

    Attributes
    ----------
    shape
        Of an image, rows and columns.
    pixel_sigma
        Relative standard uncertainty of the stated size of a pixel, before a calibration.
    """

    prefix: Prefix
    frames_folder: str
    readout_s: Annotated[float, Field(ge=0)]
    saturation_counts: Positive
    shape: tuple[Annotated[int, Field(ge=64)], Annotated[int, Field(ge=64)]]
    pixel_sigma: Annotated[float, Field(ge=0, lt=1)]
    grid_pitch_um: Positive
    grid_pitch_sigma_um: Annotated[float, Field(ge=0)]


class SemSection(Section):
    """A scanning electron microscope in the vacuum chamber."""

    scale: ClassVar[DoseScale] = ELECTRONS

    imaging: ImagingSection
    column: ColumnSection
    monitors: ParticleMonitorsSection
    shutter: PrefixSection
    calibration: CalibrationSection

    @property
    def detector(self) -> ImagingSection:
        """What takes the frames."""
        return self.imaging

    @property
    def particle_kev(self) -> float:
        """Energy of an electron."""
        return self.column.voltage_kv

    def fluence_j_cm2(self, exposure_s: float) -> float:
        """Energy per area of an exposure, on paper."""
        return self.column.fluence_j_cm2(exposure_s)


class XrayDetectorSection(Section):
    """A silicon drift detector on the column.

    Attributes
    ----------
    kind
        Of the tables; a windowless one alone sees lithium.
    channels
        Of a spectrum.
    """

    prefix: Prefix
    frames_folder: str
    readout_s: Annotated[float, Field(ge=0)]
    saturation_counts: Positive
    kind: Literal["standard", "windowless"]
    channels: Annotated[int, Field(ge=64)]

    @property
    def shape(self) -> tuple[int, int]:
        """Of a frame, rows and columns."""
        return 1, self.channels


class _OnColumnSection(Section):
    """An instrument on the column of the electron microscope."""

    scale: ClassVar[DoseScale] = ELECTRONS

    monitors: ParticleMonitorsSection
    shutter: PrefixSection
    calibration: CalibrationSection
    column: ColumnSection

    @property
    def particle_kev(self) -> float:
        """Energy of an electron."""
        return self.column.voltage_kv

    def fluence_j_cm2(self, exposure_s: float) -> float:
        """Energy per area of an exposure, on paper."""
        return self.column.fluence_j_cm2(exposure_s)


class EdsSection(_OnColumnSection):
    """X-ray spectra of what the column of the electron microscope scans."""

    detector: XrayDetectorSection


class PatternDetectorSection(Section):
    """A screen on which diffraction patterns of backscattered electrons are indexed as they come.

    Attributes
    ----------
    points
        Of a map, rows and columns.
    step_sigma
        Relative standard uncertainty of the stated distance of two points.
    """

    prefix: Prefix
    frames_folder: str
    readout_s: Annotated[float, Field(ge=0)]
    saturation_counts: Positive
    points: tuple[Annotated[int, Field(ge=16)], Annotated[int, Field(ge=16)]]
    step_sigma: Annotated[float, Field(ge=0, lt=1)]

    @property
    def shape(self) -> tuple[int, int]:
        """Of a frame, rows and columns."""
        return orientation_frames.frame_shape(*self.points)


class EbsdSection(_OnColumnSection):
    """Orientation maps of what the column of the electron microscope scans."""

    detector: PatternDetectorSection


class CameraSection(Section):
    """The camera of a transmission electron microscope.

    Attributes
    ----------
    shape
        Of a frame, rows and columns.
    pixel_nm, pixel_sigma
        Of an image, and its relative standard uncertainty.
    camera_px_angstrom
        Radius times spacing in a diffraction pattern, right within 10 %, before it is measured on gold.
    """

    prefix: Prefix
    frames_folder: str
    readout_s: Annotated[float, Field(ge=0)]
    saturation_counts: Positive
    shape: tuple[Annotated[int, Field(ge=64)], Annotated[int, Field(ge=64)]]
    pixel_nm: Positive
    pixel_sigma: Annotated[float, Field(ge=0, lt=1)]
    camera_px_angstrom: Positive
    counts_per_electron: Positive
    read_noise_electrons: Annotated[float, Field(ge=0)]
    dark_counts: Annotated[float, Field(ge=0)]


class TemSection(_OnColumnSection):
    """A transmission electron microscope, in a vacuum and with a cooled stage of its own."""

    detector: CameraSection
    chamber: ChamberSection
    changer: ChangerSection


class LossSpectrometerSection(Section):
    """A spectrometer of electron losses, which takes low and core losses one after the other at each pixel.

    Attributes
    ----------
    points
        Of a scan, rows and columns.
    channels
        Of one window.
    dispersion_ev
        Per channel.
    low_first_ev, core_first_ev
        Loss of the first channel of both windows; each spectrum has its zero loss to set the scale.
    low_share
        Of the time at a pixel, for low losses.
    point_spread
        Of one electron over channels.
    """

    prefix: Prefix
    frames_folder: str
    readout_s: Annotated[float, Field(ge=0)]
    saturation_counts: Positive
    points: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
    channels: Annotated[int, Field(ge=64)]
    dispersion_ev: Positive
    low_first_ev: float
    core_first_ev: Positive
    low_share: Share
    counts_per_electron: Positive
    read_noise_electrons: Annotated[float, Field(ge=0)]
    point_spread: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)]

    @property
    def shape(self) -> tuple[int, int]:
        """Of a frame, rows and columns."""
        return spectrum_frames.frame_shape(self.points, self.channels)


class EelsSection(_OnColumnSection):
    """Electron losses of what the column of the transmission microscope scans."""

    detector: LossSpectrometerSection
