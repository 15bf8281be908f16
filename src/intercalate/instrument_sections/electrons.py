"""Electron columns, and what detects on them: images, X-rays, orientations, energy losses."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from intercalate import orientation_frames, spectrum_frames
from intercalate.dose import ELECTRONS, DoseScale, energy_fluence_j_cm2
from intercalate.instrument_sections.common import (
    CalibrationSection,
    ChangerSection,
    ParticleMonitorsSection,
    Positive,
    Prefix,
    PrefixSection,
    Section,
    Share,
)
from intercalate.instrument_sections.vacuum import ChamberSection
from intercalate.materials.constants import ELEMENTARY_CHARGE_C
from intercalate.materials.eels import COMPOUNDS


class ColumnSection(Section):
    """An electron column, as it is found: what `intercalate check` reckons with."""

    prefix: Prefix
    voltage_kv: Positive
    current_na: Positive
    field_of_view_um: Positive

    def fluence_j_cm2(self, exposure_s: float) -> float:
        """Energy per area of the field of view in an exposure."""
        electrons = self.current_na * 1e-9 / ELEMENTARY_CHARGE_C * exposure_s
        return energy_fluence_j_cm2(electrons, self.voltage_kv, (self.field_of_view_um / 1000.0) ** 2)


class IonColumnSection(Section):
    """A focused ion beam beside the column of an electron microscope, at the same place of the sample.

    Attributes
    ----------
    field_um
        Side of the square in which a cut must lie.
    """

    prefix: Prefix
    field_um: Positive


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
    """A scanning electron microscope in the vacuum chamber.

    Attributes
    ----------
    ion_column
        None where there is none, and nothing is milled.
    """

    scale: ClassVar[DoseScale] = ELECTRONS

    imaging: ImagingSection
    column: ColumnSection
    monitors: ParticleMonitorsSection
    shutter: PrefixSection
    calibration: CalibrationSection
    ion_column: IonColumnSection | None = None

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
    points
        Rows and columns of a map, whose spectra are the rows of a frame; a single one is the spectrum of all
        that is scanned.
    """

    prefix: Prefix
    frames_folder: str
    readout_s: Annotated[float, Field(ge=0)]
    saturation_counts: Positive
    kind: Literal["standard", "windowless"]
    channels: Annotated[int, Field(ge=64)]
    points: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (1, 1)

    @property
    def shape(self) -> tuple[int, int]:
        """Of a frame, rows and columns."""
        return self.points[0] * self.points[1], self.channels


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


class FilmSection(Section):
    """A film of one compound on the stage.

    Attributes
    ----------
    thickness_nm, thickness_sigma
        As its maker tells it, and its standard error, relative.
    """

    thickness_nm: Positive
    thickness_sigma: Annotated[float, Field(gt=0, lt=1)]


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
    films
        By their compound, which is the content of a place of the stage: references of compounds.
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
    films: Mapping[str, FilmSection] = {}

    @field_validator("films")
    @classmethod
    def _are_known(cls, films: Mapping[str, FilmSection]) -> Mapping[str, FilmSection]:
        for one in films:
            if one not in COMPOUNDS:
                raise ValueError(f"there is no compound {one!r} in materials/eels.py; {', '.join(COMPOUNDS)}")
        return films

    @property
    def shape(self) -> tuple[int, int]:
        """Of a frame, rows and columns."""
        return spectrum_frames.frame_shape(self.points, self.channels)


class EelsSection(_OnColumnSection):
    """Electron losses of what the column of the transmission microscope scans."""

    detector: LossSpectrometerSection
