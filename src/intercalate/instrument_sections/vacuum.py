"""The vacuum chamber, and the photoelectron spectrometer in it."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from intercalate.dose import ABSORBED, DoseScale, energy_fluence_j_cm2
from intercalate.instrument_sections.common import (
    CalibrationSection,
    ChangerSection,
    ParticleMonitorsSection,
    Positive,
    Prefix,
    PrefixSection,
    Section,
)


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
        Side of what it lights, as found.
    scans
        Whether its spot can be moved over the sample: a scanning microprobe, with axes at its prefix.
    """

    prefix: Prefix
    energy_kev: Positive
    power_w: Positive
    photons_per_s_w: Positive
    spot_um: Positive
    scans: bool = False


class SputterGunSection(Section):
    """A gun of argon ions at the place that the spectrometer sees.

    Attributes
    ----------
    raster_um
        Side of the largest square that it scans.
    """

    prefix: Prefix
    raster_um: Positive


class XpsSection(Section):
    """A photoelectron spectrometer in the vacuum chamber.

    Attributes
    ----------
    sputter_gun
        None where there is none, and nothing is sputtered.
    """

    scale: ClassVar[DoseScale] = ABSORBED

    analyser: AnalyserSection
    source: SoftXRaysSection
    monitors: ParticleMonitorsSection
    shutter: PrefixSection
    calibration: CalibrationSection
    sputter_gun: SputterGunSection | None = None

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
