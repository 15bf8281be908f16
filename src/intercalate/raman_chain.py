"""What a configuration and its calibrations say of a Raman spectrometer."""

from dataclasses import dataclass

from intercalate.instrument_sections import RamanSection
from intercalate.reduction.raman import CountingDetector, SpectrographOnPaper


@dataclass(frozen=True)
class RamanOnPaper:
    """A spectrometer as it is said to be.

    Attributes
    ----------
    power_meter_sigma
        Relative, of the meter by which the laser's power at the sample is measured.
    """

    spectrograph: SpectrographOnPaper
    detector: CountingDetector
    power_meter_sigma: float

    @classmethod
    def of(cls, section: RamanSection) -> "RamanOnPaper":
        """As the configuration says."""
        found = section.spectrometer
        return cls(
            SpectrographOnPaper(
                laser_nm=section.laser.wavelength_nm,
                first_nm=found.first_nm,
                nm_per_pixel=found.nm_per_pixel,
                curvature_nm_per_pixel2=found.curvature_nm_per_pixel2,
                pixels=found.pixels,
                width_nm=found.width_nm,
            ),
            CountingDetector(
                found.counts_per_electron,
                found.read_noise_electrons,
                found.saturation_counts,
                found.width_nm / found.nm_per_pixel,
            ),
            section.monitors.power_meter_sigma,
        )
