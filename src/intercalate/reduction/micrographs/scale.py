"""The size of a pixel from an image of a grid whose pitch is known."""

from dataclasses import dataclass

import numpy as np

from intercalate.reduction.micrographs.image import Micrograph, MicrographError, require_usable
from intercalate.reduction.results import Estimate

_LEAST_PERIODS = 4.0
_LEAST_HEIGHT = 8.0
"""Of a peak of the spectrum over its median."""
_PARTS = 2


@dataclass(frozen=True)
class Scale:
    """What a grid says of a scan.

    Attributes
    ----------
    pixel_x_um, pixel_y_um
        Size of a pixel along the rows and along the columns.
    shear_deg
        By which the two axes of the image are not at right angles.
    rotation_deg
        Of the grid in the image.
    periods
        Of the grid across the image.
    """

    pixel_x_um: Estimate
    pixel_y_um: Estimate
    shear_deg: Estimate
    rotation_deg: float
    periods: float

    @property
    def pixel_um(self) -> Estimate:
        """Mean over both axes; what they differ by counts as systematic."""
        x, y = self.pixel_x_um, self.pixel_y_um
        differ = 0.5 * abs(x.value - y.value)
        return Estimate(
            0.5 * (x.value + y.value),
            0.5 * float(np.hypot(x.sigma_stat, y.sigma_stat)),
            float(np.hypot(0.5 * (x.sigma_sys + y.sigma_sys), differ)),
        )


def scale_of(image: Micrograph, pitch_um: float, pitch_sigma_um: float) -> Scale:
    """Size of a pixel from an image of a square grid.

    The two basic waves of the grid are fitted over the whole image. Their scatter between its four quarters
    says how uneven the scan is, which is the statistical error; the certificate of the grid is the systematic
    one.

    Raises
    ------
    MicrographError
        If there is no square grid, or too few periods of it.
    """
    require_usable(image)
    if not (pitch_um > 0 and pitch_sigma_um >= 0):
        raise MicrographError(
            f"a pitch of {pitch_um} +- {pitch_sigma_um} um is none; see the grid's certificate"
        )
    grey = image.grey - image.grey.mean()
    first, second = _waves(grey)
    side = min(grey.shape)
    periods = float(np.hypot(*first) * side)
    if periods < _LEAST_PERIODS:
        raise MicrographError(
            f"{periods:.1f} periods of the grid are in the image, {_LEAST_PERIODS:.0f} are needed; lower the "
            f"magnification"
        )
    whole = np.array(_sizes(_refined(grey, first), _refined(grey, second), pitch_um))
    rows, columns = (size // _PARTS for size in grey.shape)
    parts = np.array(
        [
            _sizes(_refined(part, first), _refined(part, second), pitch_um)
            for row in range(_PARTS)
            for column in range(_PARTS)
            for part in [grey[row * rows : (row + 1) * rows, column * columns : (column + 1) * columns]]
        ]
    )
    # The whole averages over four quarters.
    stat = parts.std(axis=0, ddof=1) / _PARTS
    share = pitch_sigma_um / pitch_um
    x, y, shear, rotation = whole
    return Scale(
        Estimate(float(x), float(stat[0]), float(x * share)),
        Estimate(float(y), float(stat[1]), float(y * share)),
        Estimate(float(shear), float(stat[2]), 0.0),
        float(rotation),
        periods,
    )


def _waves(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wave vectors (per pixel: along columns, along rows) of the grid, nearest to the axes of the image."""
    window = np.hanning(grey.shape[0])[:, None] * np.hanning(grey.shape[1])[None, :]
    power = np.abs(np.fft.rfft2(grey * window))
    fy = np.fft.fftfreq(grey.shape[0])[:, None]
    fx = np.fft.rfftfreq(grey.shape[1])[None, :]
    long = np.hypot(fy, fx) < 2.0 / min(grey.shape)
    usual = float(np.median(power))
    found: list[np.ndarray] = []
    for along_x in (True, False):
        sector = (np.abs(fx) > 2 * np.abs(fy)) if along_x else (np.abs(fy) > 2 * np.abs(fx)) & (fy >= 0)
        chosen = np.where(sector & ~long, power, 0.0)
        peak = np.unravel_index(int(np.argmax(chosen)), chosen.shape)
        if chosen[peak] < _LEAST_HEIGHT * usual:
            raise MicrographError(
                "the image shows no grid along both axes; focus on the grid and turn it parallel to the scan "
                "within 25 deg"
            )
        found.append(np.array([fx[0, peak[1]], fy[peak[0], 0]]))
    ratio = np.hypot(*found[0]) / np.hypot(*found[1])
    if not 0.7 < ratio < 1.4:
        raise MicrographError(
            f"the pattern repeats {ratio:.2f} times as often along x as along y: no square grid"
        )
    return found[0], found[1]


def _refined(grey: np.ndarray, wave: np.ndarray) -> np.ndarray:
    """Wave vector at which the windowed image has most of it; Newton steps on a parabola through
    neighbours.
    """
    rows, columns = grey.shape
    windowed = grey * (np.hanning(rows)[:, None] * np.hanning(columns)[None, :])
    y, x = np.arange(rows) - rows / 2, np.arange(columns) - columns / 2

    def strength(at: np.ndarray) -> float:
        across = windowed @ np.exp(-2j * np.pi * at[0] * x)
        return float(np.log(np.abs(np.exp(-2j * np.pi * at[1] * y) @ across)))

    at = wave.copy()
    for reach in (0.5, 0.2, 0.1, 0.05):
        for axis, size in enumerate((columns, rows)):
            step = np.zeros(2)
            step[axis] = reach / size
            low, mid, high = strength(at - step), strength(at), strength(at + step)
            curve = low - 2 * mid + high
            shift = np.clip(0.5 * (low - high) / curve, -2.0, 2.0) if curve < 0 else np.sign(high - low)
            at = at + shift * step
    return at


def _sizes(first: np.ndarray, second: np.ndarray, pitch_um: float) -> tuple[float, float, float, float]:
    """Size of a pixel along x and y, shear and rotation, from both waves.

    A scan puts a place at pixels p = M r; the waves of the grid, k = M^-T b, give M back.
    """
    waves = np.array([first, second])
    rotation = np.arctan2(first[1], first[0])
    turned = np.array([[np.cos(rotation), np.sin(rotation)], [-np.sin(rotation), np.cos(rotation)]])
    pixel = np.linalg.inv(turned) @ waves * pitch_um
    x, y = np.hypot(*pixel[:, 0]), np.hypot(*pixel[:, 1])
    shear = np.degrees(np.arcsin(np.clip(pixel[:, 0] @ pixel[:, 1] / (x * y), -1, 1)))
    return float(x), float(y), float(shear), float(np.degrees(rotation))
