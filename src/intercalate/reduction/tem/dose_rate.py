"""How many electrons an image gets: of a place with nothing in the beam."""

from dataclasses import dataclass

import numpy as np

from intercalate.reduction.results import Estimate
from intercalate.reduction.tem.outline import TemCamera, TemError, electrons_of

CAMERA_GAIN_SIGMA = 0.02
"""Declared, relative, of the counts that an electron leaves."""

MOST_UNEVEN = 0.3
"""Relative scatter of blocks beyond which something is in the beam."""

_BLOCKS = 16


@dataclass(frozen=True)
class DoseRate:
    """Of an even illumination.

    Attributes
    ----------
    e_per_a2_s
        Electrons per square angstrom and second, mean of the image.
    unevenness
        Relative scatter of the means of 16 x 16 blocks: places of the image get so much more or less.
    """

    e_per_a2_s: Estimate
    unevenness: float


def dose_rate(counts: np.ndarray, camera: TemCamera, exposure_s: float) -> DoseRate:
    """Dose rate by an image of a hole.

    Parameters
    ----------
    counts
        Shape (rows, columns).

    Raises
    ------
    TemError
        If the image is none, dark or saturated, or shows that something is in the beam.
    """
    electrons = electrons_of(counts, camera)
    rows, columns = (size // _BLOCKS * _BLOCKS for size in electrons.shape)
    blocks = electrons[:rows, :columns].reshape(_BLOCKS, rows // _BLOCKS, _BLOCKS, columns // _BLOCKS)
    means = blocks.mean(axis=(1, 3))
    unevenness = float(means.std() / means.mean())
    if unevenness > MOST_UNEVEN:
        raise TemError(
            f"the image is uneven by {100 * unevenness:.0f} %, more than {100 * MOST_UNEVEN:.0f}: something "
            "is in the beam; measure in a hole"
        )
    area_a2 = (10.0 * camera.pixel_nm) ** 2
    value = float(electrons.mean()) / area_a2 / exposure_s
    # Light that is uneven is so in every image: what scatters by chance is seen within a block.
    noise = float(np.sqrt(blocks.var(axis=(1, 3)).mean()))
    stat = noise / float(np.sqrt(electrons.size)) / area_a2 / exposure_s
    relative = float(np.hypot(CAMERA_GAIN_SIGMA, 2.0 * camera.pixel_sigma))
    return DoseRate(Estimate(value, stat, relative * value), unevenness)
