"""The 2D band of graphite: where it lies, and whether it is there."""

from collections.abc import Sequence

from intercalate.materials.raman import OVERTONE, OVERTONE_LOSS_PER_CM
from intercalate.reduction.band_batch import fit_bands_of
from intercalate.reduction.bands import Band, BandFit, BandOptions, Spectrum, SpectrumError
from intercalate.reduction.raman.axis import ShiftAxis

NAME = "2D"

_BESIDE_PER_CM = 25.0
"""By which it may lie beyond where graphite without lithium has it, and where it disappears."""

_BACKGROUND_PER_CM = 110.0
"""Beyond that, what belongs to the background; C-H bands of solvents begin at 2850."""

_WIDTH_PER_CM = (45.0, 25.0, 90.0)


def overtones(spectra: Sequence[Spectrum], axis: ShiftAxis) -> list[BandFit | SpectrumError]:
    """Fit the 2D band of each spectrum.

    It is one Lorentzian, of graphite that light of one particle is from.

    Parameters
    ----------
    spectra
        On the shifts of `axis`.

    Returns
    -------
    list
        For each spectrum the band `2D`, absent where it does not stand out, or why it cannot be fitted.
    """
    highest = OVERTONE.at(axis.laser_nm)
    low, high = highest + OVERTONE_LOSS_PER_CM - _BESIDE_PER_CM, highest + _BESIDE_PER_CM
    options = BandOptions(axis.width_at(highest), background_terms=3)
    band = Band(NAME, ((low + high) / 2, low, high), _WIDTH_PER_CM)
    return fit_bands_of(spectra, [band], (low - _BACKGROUND_PER_CM, high + _BACKGROUND_PER_CM), options)
