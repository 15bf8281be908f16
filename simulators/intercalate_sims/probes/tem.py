"""What a transmission electron microscope sees of lithium at low dose: images and diffraction patterns."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from scipy import ndimage

from intercalate.materials.eels import critical_dose
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.tem_crystals import GROWTH_AXES, LITHIUM_A, gold_rings, lithium_spots

LITHIUM_PER_NM = 1 / 1100.0
SEI_PER_NM = 1 / 260.0
"""Weakening of the bright field by thickness, in vacuum; a liquid around takes its own off."""

HABITS = ("whisker", "cluster")


@dataclass(frozen=True)
class Kink:
    """A bend of a whisker: at which part of its length, and by how much."""

    at: float
    angle_deg: float


@dataclass(frozen=True)
class Deposit:
    """Lithium on an electrode.

    Attributes
    ----------
    habit
        `whisker` or `cluster` (dense, grown at its surface, after Eden).
    is_hollow
        Whether lithium has left a shell.
    direction_deg
        In which the first part of a whisker grows, anticlockwise from the x axis of the image.
    size_nm
        Length of a whisker, or diameter of a cluster.
    width_nm, shell_nm
        Outer diameter of a whisker, and thickness of the layer around lithium.
    is_crystalline, growth_axis
        A single crystal, which grows along `111`, `110` or `211`; otherwise there is a halo.
    """

    habit: str
    is_hollow: bool = False
    kinks: tuple[Kink, ...] = ()
    direction_deg: float = 70.0
    size_nm: float = 900.0
    width_nm: float = 140.0
    shell_nm: float = 15.0
    is_crystalline: bool = True
    growth_axis: str = "111"

    def __post_init__(self) -> None:
        if self.habit not in HABITS or self.growth_axis not in GROWTH_AXES:
            raise ValueError(
                f"habit {self.habit!r} and growth axis {self.growth_axis!r}: take one of {', '.join(HABITS)} "
                f"and of {', '.join(GROWTH_AXES)}"
            )
        if not 0 < 2 * self.shell_nm < self.width_nm:
            raise ValueError(f"two shells of {self.shell_nm:g} nm do not fit into {self.width_nm:g} nm")


@dataclass(frozen=True)
class TemMicroscope:
    """Microscope and camera."""

    pixels: int = 256
    pixel_nm: float = 5.0
    camera_px_angstrom: float = 140.0
    counts_per_electron: float = 8.0
    read_noise_electrons: float = 1.0
    dark_counts: float = 100.0
    blur_px: float = 0.7
    full_well_counts: float = 60000.0


@dataclass(frozen=True)
class HiddenTem:
    """By how much a microscope differs from what is on paper.

    Attributes
    ----------
    camera_length, pixel
        Factors on camera constant and pixel.
    rotation_deg, image_deg
        Between image and pattern, beyond what is told; of the image against the sample, by distortion.
    unevenness
        Of the illumination and of what lies around the deposit.
    """

    camera_length: float = 1.0
    pixel: float = 1.0
    rotation_deg: float = 0.0
    image_deg: float = 0.0
    centre_px: tuple[float, float] = (0.0, 0.0)
    unevenness: float = 0.04

    @classmethod
    def draw(cls, seed: int) -> Self:
        """A microscope of this seed."""
        normal = keyed_generator(seed, "tem", 0).standard_normal(7)
        return cls(
            camera_length=1 + 0.02 * float(normal[0]),
            pixel=1 + 0.02 * float(normal[6]),
            rotation_deg=1.0 * float(normal[1]),
            image_deg=0.15 * float(normal[5]),
            centre_px=(2.0 * float(normal[2]), 2.0 * float(normal[3])),
            unevenness=0.04 * float(np.exp(0.4 * normal[4])),
        )


@dataclass(frozen=True)
class Exposure:
    """Of a field: dose, and the temperature that decides on damage."""

    dose_e_per_a2: float = 2.0
    is_cold: bool = True
    medium_per_nm: float = 0.0


@dataclass(frozen=True)
class TemFrame:
    """Counts, shape (pixels, pixels), and what made them."""

    counts: np.ndarray
    truth: dict[str, Any] = field(default_factory=dict)


class TemProbe:
    """Images and patterns of one microscope."""

    def __init__(self, nominal: TemMicroscope, hidden: HiddenTem, seed: int):
        self.nominal = nominal
        self._hidden = hidden
        self._seed = seed

    def image(
        self,
        deposit: Deposit,
        exposure: Exposure,
        key: int,
        earlier_e_per_a2: float = 0.0,
        noise: int | None = None,
    ) -> TemFrame:
        """Bright field of one deposit; `key` is its place, and its noise where `noise` is not another one."""
        generator = keyed_generator(self._seed, "tem image", key)
        lithium, shell = (
            self._whisker(deposit, generator)
            if deposit.habit == "whisker"
            else self._cluster(deposit, generator)
        )
        left = lithium_left(exposure, earlier_e_per_a2)
        holes = self._holes(generator, 1 - left)
        if deposit.is_hollow:
            lithium = np.zeros_like(lithium)
        weakening = holes * lithium * (LITHIUM_PER_NM - exposure.medium_per_nm)
        weakening += shell * (SEI_PER_NM - exposure.medium_per_nm)
        weakening += self._around(generator)
        per_pixel = exposure.dose_e_per_a2 * (10.0 * self.nominal.pixel_nm) ** 2
        seen = ndimage.gaussian_filter(np.exp(-weakening), self.nominal.blur_px)
        truth = {"habit": deposit.habit, "is_hollow": deposit.is_hollow, "lithium_left": left}
        return TemFrame(self._read(per_pixel * seen, self._counting(generator, noise)), truth)

    def even(self, exposure: Exposure, passes: float, key: int, noise: int | None = None) -> TemFrame:
        """Bright field of an even film that lets a share through, 1 for none."""
        generator = keyed_generator(self._seed, "tem image", key)
        seen = passes * np.exp(-self._around(generator))
        per_pixel = exposure.dose_e_per_a2 * (10.0 * self.nominal.pixel_nm) ** 2
        return TemFrame(self._read(per_pixel * seen, self._counting(generator, noise)), {"passes": passes})

    def direct(self, key: int, electrons: float) -> TemFrame:
        """Pattern of nothing: the direct beam."""
        radius, _, _ = self._polar()
        expected = electrons * _gauss(radius, 0.0, 2.2) / 30.0
        return TemFrame(self._read(expected, keyed_generator(self._seed, "tem direct", key)), {})

    def _counting(self, generator: np.random.Generator, noise: int | None) -> np.random.Generator:
        """That of the noise, which differs between exposures of one place."""
        return generator if noise is None else keyed_generator(self._seed, "tem noise", noise)

    def pattern(self, deposit: Deposit, key: int, electrons: float = 3e6) -> TemFrame:
        """Diffraction of a deposit whose whisker grows along `direction_deg` in the image."""
        generator = keyed_generator(self._seed, "tem pattern", key)
        radius, angle, scale = self._polar()
        expected = 0.55 * _gauss(radius, 0.0, 2.2) / 30.0
        expected += 2.2e-5 * np.exp(-radius / 40.0) + 1.2e-6
        expected += 3.5e-5 * _gauss(radius, scale / 3.3, 9.0) + 1.2e-5 * _gauss(radius, scale / 2.0, 14.0)
        truth: dict[str, Any] = {"is_crystalline": deposit.is_crystalline, "growth_axis": deposit.growth_axis}
        if deposit.is_crystalline:
            turned = deposit.direction_deg + self._hidden.rotation_deg
            spots = lithium_spots(deposit.growth_axis, generator)
            for along, across, strength in spots:
                length = scale * np.hypot(along, across)
                phi = np.deg2rad(turned) + np.arctan2(across, along)
                distance = np.hypot(
                    radius * np.cos(angle) - length * np.cos(phi),
                    radius * np.sin(angle) - length * np.sin(phi),
                )
                expected += 2.5e-3 * strength * _gauss(distance, 0.0, 1.5)
            truth["spots"] = len(spots)
        else:
            expected += 9e-5 * _gauss(radius, scale / 2.45, 11.0)
        return TemFrame(self._read(electrons * expected, generator), truth)

    def gold(self, key: int, electrons: float = 5e6) -> TemFrame:
        """Rings of gold."""
        generator = keyed_generator(self._seed, "tem gold", key)
        radius, _, scale = self._polar()
        expected = 0.5 * _gauss(radius, 0.0, 2.2) / 30.0 + 3e-5 * np.exp(-radius / 50.0)
        for inverse, strength in gold_rings():
            at = scale * inverse
            expected += 1.2e-3 * strength * _gauss(radius, at, 1.4) / at
        return TemFrame(
            self._read(electrons * expected, generator), {"camera_px_angstrom": scale, "a": LITHIUM_A}
        )

    def _polar(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Distance from the direct beam in px, angle, and px per 1/A."""
        size = self.nominal.pixels
        row, column = np.mgrid[:size, :size]
        x = column - (size - 1) / 2 - self._hidden.centre_px[0]
        y = (size - 1) / 2 + self._hidden.centre_px[1] - row
        return np.hypot(x, y), np.arctan2(y, x), self.nominal.camera_px_angstrom * self._hidden.camera_length

    def _whisker(self, deposit: Deposit, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Lithium and shell along the beam in nm: tubes along a broken line."""
        points = _broken_line(deposit, self._hidden.image_deg)
        size, pixel = self.nominal.pixels, self.nominal.pixel_nm * self._hidden.pixel
        centre = (points.max(axis=0) + points.min(axis=0)) / 2
        points = points - centre + pixel * 6.0 * generator.standard_normal(2)
        row, column = np.mgrid[:size, :size]
        x, y = (column - (size - 1) / 2) * pixel, ((size - 1) / 2 - row) * pixel
        wobble = 1 + 0.04 * np.cos(np.hypot(x, y) / generator.uniform(40, 120) + generator.uniform(0, 6.28))
        distance = np.full(x.shape, np.inf)
        for start, end in itertools.pairwise(points):
            along = end - start
            part = ((x - start[0]) * along[0] + (y - start[1]) * along[1]) / (along @ along)
            part = np.clip(part, 0.0, 1.0)
            distance = np.minimum(
                distance, np.hypot(x - start[0] - part * along[0], y - start[1] - part * along[1])
            )
        outer = deposit.width_nm / 2 * wobble
        inner = outer - deposit.shell_nm
        whole = 2 * np.sqrt(np.maximum(outer**2 - distance**2, 0.0))
        lithium = 2 * np.sqrt(np.maximum(inner**2 - distance**2, 0.0))
        return lithium, whole - lithium

    def _cluster(self, deposit: Deposit, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Eden growth: a place at the surface after the other, each as likely."""
        size, pixel = self.nominal.pixels, self.nominal.pixel_nm * self._hidden.pixel
        filled = _eden(size, max(int(np.pi / 4 * (deposit.size_nm / pixel) ** 2), 20), generator)
        depth = ndimage.distance_transform_edt(ndimage.gaussian_filter(filled.astype(float), 1.5) > 0.5)
        depth = np.asarray(depth) * pixel
        radius = max(float(depth.max()), 1e-9)
        height = 0.5 * radius * np.sqrt(np.clip(1 - (1 - depth / radius) ** 2, 0.0, 1.0))
        lumps = 1 + 0.2 * _smooth(generator.standard_normal(filled.shape), 4.0)
        shell = np.minimum(height, 2 * deposit.shell_nm * (depth > 0))
        return np.maximum(height * lumps - shell, 0.0), shell

    def _around(self, generator: np.random.Generator) -> np.ndarray:
        shape = (self.nominal.pixels,) * 2
        slow = _smooth(generator.standard_normal(shape), 60.0)
        fine = _smooth(generator.standard_normal(shape), 3.0)
        return self._hidden.unevenness * slow + 0.006 * fine

    def _holes(self, generator: np.random.Generator, lost: float) -> np.ndarray:
        """Part of lithium that the beam has left: holes."""
        noise = _smooth(generator.standard_normal((self.nominal.pixels,) * 2), 3.0)
        return (
            np.where(noise > np.quantile(noise, 1 - lost), 0.0, 1.0) if lost > 0.005 else np.ones(noise.shape)
        )

    def _read(self, electrons: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        nominal = self.nominal
        hit = generator.poisson(electrons) + nominal.read_noise_electrons * generator.standard_normal(
            electrons.shape
        )
        counts = np.round(nominal.dark_counts + nominal.counts_per_electron * hit)
        return np.clip(counts, 0, nominal.full_well_counts).astype(np.uint16)


def lithium_left(exposure: Exposure, earlier_e_per_a2: float) -> float:
    """Part of lithium on the average over an exposure."""
    row = critical_dose("Li", exposure.is_cold)
    critical = row.electrons_per_a2 if row else np.inf
    dose = exposure.dose_e_per_a2 / critical
    mean = -np.expm1(-dose) / dose if dose > 0 else 1.0
    return float(np.exp(-earlier_e_per_a2 / critical) * mean)


def deposit_as_json(deposit: Deposit) -> Mapping[str, Any]:
    """JSON-able."""
    return {
        "habit": deposit.habit,
        "is_hollow": deposit.is_hollow,
        "kinks": [[kink.at, kink.angle_deg] for kink in deposit.kinks],
        "direction_deg": deposit.direction_deg,
        "growth_axis": deposit.growth_axis if deposit.is_crystalline else None,
    }


def _broken_line(deposit: Deposit, turned_deg: float) -> np.ndarray:
    """Corners in nm, y upwards, shape (corners, 2)."""
    direction, last = deposit.direction_deg + turned_deg, 0.0
    corners = [np.zeros(2)]
    ends = [
        *[(kink.at, kink.angle_deg) for kink in sorted(deposit.kinks, key=lambda one: one.at)],
        (1.0, 0.0),
    ]
    for at, turn in ends:
        step = (at - last) * deposit.size_nm
        phi = np.deg2rad(direction)
        corners.append(corners[-1] + step * np.array([np.cos(phi), np.sin(phi)]))
        direction, last = direction + turn, at
    return np.array(corners)


def _eden(size: int, sites: int, generator: np.random.Generator) -> np.ndarray:
    filled = np.zeros((size, size), bool)
    middle = size // 2
    filled[middle, middle] = True
    surface = [(middle + 1, middle), (middle - 1, middle), (middle, middle + 1), (middle, middle - 1)]
    draws = generator.random(40 * sites)
    done, used = 1, 0
    while done < sites and surface and used < draws.size:
        number = int(draws[used] * len(surface))
        used += 1
        row, column = surface[number]
        surface[number] = surface[-1]
        surface.pop()
        if filled[row, column]:
            continue
        filled[row, column] = True
        done += 1
        for to in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
            if 0 < to[0] < size - 1 and 0 < to[1] < size - 1 and not filled[to]:
                surface.append(to)
    return filled


def _smooth(noise: np.ndarray, sigma: float) -> np.ndarray:
    """Slow noise of variance 1."""
    found = ndimage.gaussian_filter(noise, sigma, mode="wrap")
    return found / found.std()


def _gauss(value: np.ndarray, centre: float, sigma: float) -> np.ndarray:
    return np.exp(-0.5 * ((value - centre) / sigma) ** 2)
