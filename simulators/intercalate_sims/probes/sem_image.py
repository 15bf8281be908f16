"""Images of a scanning electron microscope: what a relief of materials looks like to its detectors."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import ndimage
from scipy.signal import lfilter

from intercalate.materials.constants import ELEMENTARY_CHARGE_C
from intercalate.materials.electron_range import (
    IMAGED_MATERIALS,
    LITHIUM_MELTS_C,
    backscatter_coefficient,
)
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.sem_relief import random_field, relief
from intercalate_sims.probes.sem_surface import Grid, Relief, SurfaceView


class ImageDetector(StrEnum):
    """What is counted."""

    SECONDARY = "secondary electrons"
    """Relief."""
    BACKSCATTERED = "backscattered electrons"
    """Atomic number."""


@dataclass(frozen=True)
class ImageConditions:
    """What the operator sets.

    Attributes
    ----------
    pixel_um
        As the microscope states it.
    x_um, y_um
        Middle of the field on the sample.
    defocus_um
        Distance of the focus from the face.
    brightness, contrast
        Grey of a flat face of unit yield, in parts of the range, and how much of the range a unit of yield
        is.
    temperature_c
        Of the stage.
    pressure_pa
        Of the chamber.
    """

    kv: float = 2.0
    current_na: float = 0.1
    dwell_us: float = 3.0
    pixel_um: float = 0.05
    columns: int = 1024
    rows: int = 1024
    detector: ImageDetector = ImageDetector.SECONDARY
    tilt_deg: float = 0.0
    x_um: float = 0.0
    y_um: float = 0.0
    defocus_um: float = 0.0
    brightness: float = 0.3
    contrast: float = 0.22
    temperature_c: float = 25.0
    pressure_pa: float = 1e-4
    bits: int = 8

    @property
    def electrons_per_pixel(self) -> float:
        """That the beam brings."""
        return self.current_na * 1e-9 * self.dwell_us * 1e-6 / ELEMENTARY_CHARGE_C

    @property
    def scan_s(self) -> float:
        """Time of one image, with a tenth more for the beam's way back."""
        return 1.1e-6 * self.dwell_us * self.columns * self.rows

    @property
    def dose_c_cm2(self) -> float:
        """Charge per area that one image brings."""
        return self.current_na * 1e-9 * self.dwell_us * 1e-6 / (self.pixel_um * 1e-4) ** 2


@dataclass(frozen=True)
class HiddenMicroscope:
    """By how much a microscope differs from what it states.

    Attributes
    ----------
    scale
        True size of a pixel by the stated one.
    shear
        Of the scan.
    drift_um_s
        Of the sample, along x and y.
    hum_um
        Amplitude of a vibration at the mains.
    shading
        How strongly the detector's side is favoured, and from which side it looks.
    charging
        How strongly insulating faces charge.
    yield_factor
        Of deposits, on the table's.
    """

    scale: float = 1.0
    shear: float = 0.0
    drift_um_s: tuple[float, float] = (0.0, 0.0)
    hum_um: float = 0.0
    shading: float = 0.25
    shading_deg: float = 90.0
    charging: float = 0.0
    yield_factor: float = 1.0

    @classmethod
    def draw(cls, seed: int) -> "HiddenMicroscope":
        """A microscope of this seed."""
        generator = keyed_generator(seed, "microscope", 0)
        normal = generator.standard_normal(8)
        return cls(
            scale=1.0 + 0.02 * normal[0],
            shear=0.005 * normal[1],
            drift_um_s=(0.01 * normal[2], 0.01 * normal[3]),
            hum_um=0.005 * abs(normal[4]),
            shading=float(generator.uniform(0.1, 0.4)),
            shading_deg=float(generator.uniform(0.0, 360.0)),
            charging=0.05 * abs(normal[5]),
            yield_factor=float(np.exp(0.1 * normal[6])),
        )


@dataclass(frozen=True)
class Exposed:
    """What a place has been through before.

    Attributes
    ----------
    dose_c_cm2
        Charge per area so far.
    seconds
        Under the beam, in which a film of carbon grows.
    """

    dose_c_cm2: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class SimulatedImage:
    """An image, and what really was under it.

    Attributes
    ----------
    counts
        Grey, shape (rows, columns), uint8 or uint16.
    truth
        For tests and benchmarks alone.
    grid
        True places of the pixels.
    """

    counts: np.ndarray
    truth: Relief
    grid: Grid


class SemProbe:
    """Images of one microscope.

    Parameters
    ----------
    hidden
        What its users are not told.
    seed
        Of noise, and of the places of a sample.
    """

    def __init__(self, hidden: HiddenMicroscope, seed: int):
        self.hidden = hidden
        self._seed = seed

    def grid(self, conditions: ImageConditions, start_s: float) -> Grid:
        """True places of the pixels of a scan."""
        hidden = self.hidden
        pixel = conditions.pixel_um * hidden.scale
        column = np.arange(conditions.columns)
        row = np.arange(conditions.rows)
        line_s = conditions.scan_s / conditions.rows
        time_s = row * line_s
        x = (column - (conditions.columns - 1) / 2) * pixel
        y = (row - (conditions.rows - 1) / 2) * pixel / np.cos(np.radians(conditions.tilt_deg))
        phase = keyed_generator(self._seed, "hum", round(start_s * 1000)).uniform(0, 2 * np.pi)
        shift = hidden.shear * y + hidden.drift_um_s[0] * time_s
        shift = shift + hidden.hum_um * np.sin(2 * np.pi * 50.0 * time_s + phase)
        drift_y = np.clip(hidden.drift_um_s[1] * line_s, -0.5 * pixel, None) * row
        return Grid(x + conditions.x_um, y + conditions.y_um + drift_y, shift)

    def surface(
        self,
        view: SurfaceView,
        conditions: ImageConditions,
        start_s: float,
        exposed: Exposed = Exposed(),
    ) -> SimulatedImage:
        """Image of a face; `start_s` keys the noise."""
        grid = self.grid(conditions, start_s)
        molten = conditions.temperature_c > LITHIUM_MELTS_C
        under = relief(view, grid, self._seed, molten)
        burn(under, grid, self._seed, exposed.dose_c_cm2, conditions.temperature_c)
        return SimulatedImage(self.scan(under, grid, conditions, start_s, exposed), under, grid)

    def scan(
        self,
        under: Relief,
        grid: Grid,
        conditions: ImageConditions,
        start_s: float,
        exposed: Exposed = Exposed(),
    ) -> np.ndarray:
        """Grey values of any relief, shape (rows, columns)."""
        signal = self._signal(under, grid, conditions)
        film = contamination_nm(exposed.seconds, conditions.pressure_pa, conditions.temperature_c)
        if conditions.detector is ImageDetector.SECONDARY:
            signal = 0.75 + (signal - 0.75) * np.exp(-film / 20.0)
        signal = ndimage.gaussian_filter(signal, blur_um(conditions) / grid.pixel_um)
        signal = self._charged(signal, under, conditions, start_s)
        generator = keyed_generator(self._seed, "image noise", round(start_s * 1000))
        collected = 0.6 * conditions.electrons_per_pixel
        if collected > 0:
            # A secondary electron's own spread of gain doubles the variance of its count.
            noisy = generator.poisson(np.maximum(signal, 0.0) * collected / 2.0) * 2.0 / collected
        else:
            noisy = np.zeros(grid.shape)
        most = 2**conditions.bits - 1
        grey = most * (conditions.brightness + conditions.contrast * (noisy - 1.0))
        grey += most * 0.004 * generator.standard_normal(grid.shape)
        return np.clip(np.round(grey), 0, most).astype(np.uint8 if conditions.bits <= 8 else np.uint16)

    def _signal(self, under: Relief, grid: Grid, conditions: ImageConditions) -> np.ndarray:
        """Electrons per primary one in units of a flat face of unit yield."""
        pixel = grid.pixel_um
        slope_y, slope_x = _falling(under.height_um, pixel)
        steep = np.sqrt(1.0 + slope_x**2 + slope_y**2)
        tables = [IMAGED_MATERIALS[name] for name in under.materials]
        numbers = np.array([one.mean_atomic_number for one in tables])
        solid = np.array([name != "vacuum" for name in under.materials], dtype=float)
        back = (solid * backscatter_coefficient(numbers))[under.material]
        if conditions.detector is ImageDetector.BACKSCATTERED:
            return 0.05 + 3.0 * back * np.minimum(steep, 3.0) ** 0.25
        yields = np.array([one.secondary_yield for one in tables])
        yields[1:] *= self.hidden.yield_factor
        # Secondary electrons fall with energy, those made on the way out of backscattered ones stay.
        energy = (conditions.kv / 2.0) ** -0.35
        flat = (energy * yields[under.material] + 0.8 * back) / energy
        angle = np.radians(self.hidden.shading_deg)
        facing = (slope_x * np.cos(angle) + slope_y * np.sin(angle)) / steep
        limited = np.minimum(steep, 3.5) ** 1.05
        # Convex edges let more electrons out, hollows hold them back.
        width = max(0.03 * conditions.kv**1.67 / pixel, 0.5)
        mean = ndimage.gaussian_filter(under.height_um, min(width, 25.0))
        edge = np.clip((under.height_um - mean) / (width * pixel), -0.6, 0.8)
        return flat * limited * (1.0 - self.hidden.shading * facing) * (1.0 + 0.5 * edge)

    def _charged(
        self, signal: np.ndarray, under: Relief, conditions: ImageConditions, start_s: float
    ) -> np.ndarray:
        """With streaks behind what is bright and holds its charge, and lines that jump in grey."""
        strength = self.hidden.charging * conditions.current_na / 0.1 * (conditions.kv / 2.0) ** 0.7
        if conditions.detector is ImageDetector.BACKSCATTERED:
            # Fast electrons hardly feel the charge.
            strength *= 0.05
        if strength <= 0:
            return signal
        holds = np.array([not IMAGED_MATERIALS[one].conducts for one in under.materials], dtype=float)
        source = np.maximum(signal - 1.6, 0.0) * holds[under.material]
        streak = lfilter([0.03], [1.0, -0.97], source, axis=1)
        generator = keyed_generator(self._seed, "charging", round(start_s * 1000))
        jump = 0.3 * strength * generator.standard_normal(signal.shape[0])[:, None]
        return signal - 2.0 * strength * streak + jump * holds[under.material]


def _falling(height_um: np.ndarray, pixel_um: float) -> tuple[np.ndarray, np.ndarray]:
    """Slopes along y and x as seen from above: the foot of a wall does not see it, its brink does."""
    slopes: list[np.ndarray] = []
    for axis in (0, 1):
        step = np.diff(height_um, axis=axis, prepend=np.take(height_um, [0], axis))
        after = np.roll(step, -1, axis)
        slopes.append((np.maximum(step, 0.0) - np.maximum(-after, 0.0)) / pixel_um)
    return slopes[0], slopes[1]


def blur_um(conditions: ImageConditions) -> float:
    """Standard deviation of the spot: probe, defocus, and diffusion of electrons that make the signal."""
    probe = 0.002 * (conditions.current_na / 0.1) ** 0.4 * (2.0 / conditions.kv) ** 0.5
    return float(np.hypot(probe, 0.004 * abs(conditions.defocus_um)))


def contamination_nm(seconds: float, pressure_pa: float, temperature_c: float) -> float:
    """Thickness of the film of carbon that the beam has grown.

    Hydrocarbons come with the residual gas; a cold stage keeps them from moving to the beam. Rates are an
    illustration: some nanometres in minutes at 1e-4 Pa.
    """
    mobile = 1.0 / (1.0 + np.exp(-(temperature_c + 60.0) / 15.0))
    return float(0.03 * seconds * (pressure_pa / 1e-4) ** 0.7 * mobile)


_HALF_DAMAGE_C_CM2 = 1.5
"""Dose at which a quarter of a lithium face is pitted at room temperature; an illustration."""


def burn(under: Relief, grid: Grid, seed: int, dose_c_cm2: float, temperature_c: float) -> None:
    """Pits in lithium, at places of their own, that grow with the dose; a cold stage holds them off."""
    cold = 1.0 / (1.0 + 29.0 / (1.0 + np.exp((temperature_c + 100.0) / 15.0)))
    pitted = 1.0 - np.exp(-0.3 * cold * dose_c_cm2 / _HALF_DAMAGE_C_CM2)
    if pitted < 1e-3:
        return
    lithium = np.array([IMAGED_MATERIALS[one].mass_fractions[0][0] == 3 for one in under.materials])
    noise = random_field(grid, seed, "pits", (0.2, 1.5))
    depth = np.clip((noise - np.quantile(noise, 1.0 - pitted)) * 0.3, 0.0, 0.3)
    under.height_um -= depth * lithium[under.material]
