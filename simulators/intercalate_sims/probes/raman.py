"""What a Raman spectrometer sees: light of one particle, on a detector that counts electrons."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import voigt_profile, wofz

from intercalate.materials.raman import (
    CARBIDE_PER_CM,
    DENSE,
    DILUTE,
    DISORDER,
    FANO_COUPLING,
    FANO_COUPLING_SIGMA,
    INNER,
    INNER_TO_OUTER,
    OUTER,
    OVERTONE,
    OVERTONE_LOSS_PER_CM,
    SILICON_PER_CM,
    STAGE_INDICES,
)
from intercalate_sims.cell.hosts import Host
from intercalate_sims.cell.interface import ElectrodeState
from intercalate_sims.noise import keyed_generator

PER_CM_NM = 1e7

CARBIDE_AREA = 8.0
"""Of the band where all that can has become carbide, where graphite without lithium has 22: an
illustration."""

PARTICLE_UM = 12.0
"""Over which the lithium content changes from one place of an electrode to the next."""

_WAVES = 200
_FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))


@dataclass(frozen=True)
class Spectrograph:
    """Laser, grating and detector.

    Attributes
    ----------
    first_nm, nm_per_pixel, curvature_nm_per_pixel2
        Wavelength of a pixel, as a polynomial.
    width_nm
        Full width at half maximum of an infinitely sharp line; its shape is a Gaussian with weak wings.
    electrons_per_mw_s
        Of the strongest band of graphite without lithium.
    """

    laser_nm: float = 532.0
    first_nm: float = 538.0
    nm_per_pixel: float = 0.0920
    curvature_nm_per_pixel2: float = -1.5e-6
    pixels: int = 1024
    width_nm: float = 0.28
    electrons_per_mw_s: float = 60.0
    counts_per_electron: float = 0.5
    read_noise_electrons: float = 4.0
    dark_electrons_s: float = 0.05
    offset_counts: float = 300.0
    rays_per_pixel_s: float = 2e-6
    full_well_counts: float = 65535.0

    def shift_per_cm(self) -> np.ndarray:
        """Of every pixel, shape (pixels,)."""
        pixel = np.arange(self.pixels)
        nm = self.first_nm + self.nm_per_pixel * pixel + self.curvature_nm_per_pixel2 * pixel**2
        return PER_CM_NM / self.laser_nm - PER_CM_NM / nm


@dataclass(frozen=True)
class HiddenSpectrograph:
    """By how much an instrument and its sample differ from what is on paper.

    Attributes
    ----------
    offset_nm
        Of all wavelengths.
    dispersion
        Relative.
    inner_to_outer
        Factor on the constant of the table.
    fluorescence
        Of the sample, in parts of graphite's strongest band.
    late
        By how much more lithium its graphite holds where that of the table is in the same state, in x.
    outer_per_cm
        By how much the band of layers with lithium lies above the table's.
    fano_coupling
        1 / q of the Fano line of stage 1.
    carbide_per_cm, carbide_width_per_cm
        Of the band of what a strong laser makes.
    """

    offset_nm: float = 0.0
    dispersion: float = 0.0
    inner_to_outer: float = 1.0
    fluorescence: float = 0.6
    late: float = 0.0
    outer_per_cm: float = 0.0
    fano_coupling: float = FANO_COUPLING
    carbide_per_cm: float = float(np.mean(CARBIDE_PER_CM))
    carbide_width_per_cm: float = 14.0

    @classmethod
    def draw(cls, seed: int) -> "HiddenSpectrograph":
        """An instrument of this seed."""
        normal = keyed_generator(seed, "spectrograph", 0).standard_normal(4)
        # Authors give the same state of graphite at contents and shifts that differ so.
        sample = keyed_generator(seed, "graphite sample", 0).standard_normal(3)
        carbide = keyed_generator(seed, "carbide", 0)
        return cls(
            0.25 * normal[0],
            3e-4 * normal[1],
            1.0 + 0.1 * normal[2],
            0.6 * float(np.exp(0.4 * normal[3])),
            0.01 * float(sample[0]),
            1.0 * float(sample[1]),
            FANO_COUPLING + FANO_COUPLING_SIGMA * float(sample[2]),
            float(carbide.uniform(*CARBIDE_PER_CM)),
            float(carbide.uniform(10.0, 18.0)),
        )


@dataclass(frozen=True)
class Line:
    """A band by its position, Lorentzian full width, spread (Gaussian sigma) and area, all in 1/cm.

    Attributes
    ----------
    coupling
        1 / q of a Fano line, whose resonance lies at `shift`; 0 for one without a continuum.
    """

    shift: float
    width: float
    spread: float
    area: float
    coupling: float = 0.0

    def at(self, shift: np.ndarray, sigma: float) -> np.ndarray:
        """Profile behind a Gaussian of that sigma, of area 1 where nothing couples.

        (1 + c e)^2 / (1 + e^2) with e in half widths, less the continuum c^2 (Fano, Phys. Rev. 124 (1961)
        1866): what is even in e becomes a Voigt profile, what is odd the imaginary part of the Faddeeva
        function beside it.
        """
        away, half = shift - self.shift, self.width / 2
        if self.coupling == 0.0:
            return voigt_profile(away, sigma, half)
        faddeeva = wofz((away + 1j * half) / (sigma * np.sqrt(2)))
        couples = (1 - self.coupling**2) * faddeeva.real + 2 * self.coupling * faddeeva.imag
        return couples / (sigma * np.sqrt(2 * np.pi))


class RamanProbe:
    """Spectra of one instrument.

    Parameters
    ----------
    nominal
        As its users are told.
    hidden
        What they are not told.
    seed
        Of noise and of the places of an electrode.
    """

    def __init__(self, nominal: Spectrograph, hidden: HiddenSpectrograph, seed: int):
        self.nominal = nominal
        middle = nominal.pixels / 2
        self.true = replace(
            nominal,
            first_nm=nominal.first_nm + hidden.offset_nm - hidden.dispersion * nominal.nm_per_pixel * middle,
            nm_per_pixel=nominal.nm_per_pixel * (1 + hidden.dispersion),
        )
        self._hidden = hidden
        self._seed = seed
        self._shift = self.true.shift_per_cm()
        line_per_cm = PER_CM_NM / nominal.laser_nm - self._shift
        self._width = nominal.width_nm * line_per_cm**2 / PER_CM_NM
        self._bin = np.abs(np.gradient(self._shift))

    def li_content(self, electrode: ElectrodeState, x_um: float, y_um: float) -> float:
        """Of the particle at a place of the face that the laser meets."""
        return float(li_contents(self._seed, electrode, np.array(x_um), np.array(y_um)))

    def graphite(
        self,
        li_content: float,
        power_mw: float,
        exposure_s: float,
        host: str = Host.STAGED,
        carbide: float = 0.0,
    ) -> np.ndarray:
        """Electrons that are expected from graphite, real or another, shape (pixels,); `carbide` is the share
        of what can become Li2C2 there, of carbonates on it, that has.
        """
        strength = self.nominal.electrons_per_mw_s * power_mw * exposure_s
        lines = self.graphite_lines(li_content, host)
        if carbide > 0:
            hidden = self._hidden
            lines.append(
                Line(hidden.carbide_per_cm, hidden.carbide_width_per_cm, 0.0, CARBIDE_AREA * carbide)
            )
        return strength * (self._lines(lines) + self._background(li_content))

    def graphite_lines(self, li_content: float, host: str = Host.STAGED) -> list[Line]:
        """Bands of a particle of real graphite, or of another."""
        laser_nm, hidden = self.nominal.laser_nm, self._hidden
        match Host(host):
            case Host.SOLID_SOLUTION:
                return unstaged_lines(li_content, laser_nm)
            case Host.REVERSED:
                return graphite_lines(1.0 - li_content, laser_nm, hidden)
            case _:
                return graphite_lines(li_content, laser_nm, hidden)

    def oxide(self, lines: Sequence[Line], power_mw: float, exposure_s: float) -> np.ndarray:
        """Electrons that are expected from an oxide with these bands, shape (pixels,)."""
        strength = self.nominal.electrons_per_mw_s * power_mw * exposure_s
        return strength * (self._lines(lines) + self._background(0.0))

    def silicon(self, power_mw: float, exposure_s: float) -> np.ndarray:
        """Electrons that are expected from a wafer, shape (pixels,)."""
        lines = [Line(SILICON_PER_CM, 3.2, 0.3, 300.0), Line(960.0, 40.0, 20.0, 120.0)]
        strength = self.nominal.electrons_per_mw_s * power_mw * exposure_s
        return strength * (self._lines(lines) + 0.02)

    def count(self, electrons: np.ndarray, exposure_s: float, start_s: float) -> np.ndarray:
        """What the detector counts, shape (pixels,), uint32; `start_s` keys the noise."""
        true = self.true
        generator = keyed_generator(self._seed, "spectrometer", round(start_s * 1000))
        collected = generator.poisson(electrons + true.dark_electrons_s * exposure_s).astype(float)
        for _ in range(generator.poisson(true.rays_per_pixel_s * true.pixels * exposure_s)):
            first, pixels = int(generator.integers(true.pixels)), int(generator.integers(1, 4))
            collected[first : first + pixels] += generator.exponential(4000.0) / pixels
        collected += true.read_noise_electrons * generator.standard_normal(true.pixels)
        counts = np.round(true.offset_counts + true.counts_per_electron * collected)
        return np.clip(counts, 0, true.full_well_counts).astype(np.uint32)

    def _lines(self, lines: Sequence[Line]) -> np.ndarray:
        """Sum of lines behind the instrument, whose own profile has weak wings."""
        total = np.zeros(self._shift.size)
        for line in lines:
            for share, wider in ((0.93, 1.0), (0.07, 2.2)):
                sigma = np.hypot(wider * self._width / _FWHM, line.spread)
                total += share * line.area * line.at(self._shift, sigma)
        return total * self._bin

    def _background(self, li_content: float) -> np.ndarray:
        """Fluorescence, which rises with lithium, and glass of the window."""
        rise = self._hidden.fluorescence * (1.0 + 3.0 * li_content)
        broad = np.exp(-(((self._shift - 1900.0) / 1500.0) ** 2)) + 0.3 * np.exp(-self._shift / 700.0)
        glass = 0.15 * np.exp(-(((self._shift - 1100.0) / 120.0) ** 2))
        return 0.06 * (rise * broad + glass) * self._bin


def li_contents(seed: int, electrode: ElectrodeState, x_um: np.ndarray, y_um: np.ndarray) -> np.ndarray:
    """Of the particles at places of the face that light meets, of the shape of the places."""
    mean, spread = electrode.li_content[-1], electrode.li_spread[-1]
    return np.clip(mean + spread * _deviate(seed, x_um, y_um), 0.0, 1.0)


def _deviate(seed: int, x_um: np.ndarray, y_um: np.ndarray) -> np.ndarray:
    """Normal deviate of places, the same for those of one particle: a sum of random waves."""
    generator = keyed_generator(seed, "electrode face", 1)
    waves = generator.standard_normal((_WAVES, 2)) / PARTICLE_UM
    phases = generator.uniform(0.0, 2 * np.pi, _WAVES)
    total = np.zeros(np.broadcast_shapes(x_um.shape, y_um.shape))
    for (along_x, along_y), phase in zip(waves, phases):
        total = total + np.cos(along_x * x_um + along_y * y_um + phase)
    return np.sqrt(2 / _WAVES) * total


def graphite_lines(
    li_content: float, laser_nm: float = 532.0, hidden: HiddenSpectrograph = HiddenSpectrograph()
) -> list[Line]:
    """Bands of a particle of LixC6; two windows that follow each other share what lies between."""
    # Without lithium there is nothing that could come late, and at the end it has come.
    x = li_content - hidden.late * min(li_content / 0.03, 1.0, (1.0 - li_content) / 0.03)
    found: list[Line] = []
    dilute = float(
        np.clip((INNER.li_content[0] - x) / (INNER.li_content[0] - DILUTE.li_content[1]), 0.0, 1.0)
    )
    dense = float(np.clip((x - DENSE.li_content[0]) / (DENSE.li_content[1] - DENSE.li_content[0]), 0.0, 1.0))
    staged = 1.0 - dilute - dense
    if dilute > 0:
        found.append(Line(DILUTE.at(x), 13.0, 2.0, dilute * 22.0))
    if staged > 0:
        index = float(
            np.interp(x, [row.li_content for row in STAGE_INDICES], [row.index for row in STAGE_INDICES])
        )
        ratio = hidden.inner_to_outer * INNER_TO_OUTER * (index - 2.0) / 2.0
        area = staged * 18.0
        found.append(Line(INNER.at(x), 11.0, 1.5, area * ratio / (1 + ratio)))
        found.append(Line(OUTER.at(x) + hidden.outer_per_cm, 11.0, 1.5, area / (1 + ratio)))
    if dense > 0:
        # The table has where the band is seen, which is off its resonance by the usual coupling.
        width = 40.0
        resonance = DENSE.at(x) - FANO_COUPLING * width / 2
        found.append(Line(resonance, width, 10.0, dense * 7.0, hidden.fano_coupling))
    empty = float(np.clip(1.0 - x / 0.4, 0.0, 1.0))
    if empty > 0:
        moved = OVERTONE_LOSS_PER_CM * float(np.clip((x - 0.06) / 0.34, 0.0, 1.0))
        found.append(Line(OVERTONE.at(laser_nm) + moved, 50.0, 10.0, 25.0 * empty))
        found.append(Line(DISORDER.at(laser_nm), 40.0, 8.0, 3.0 * empty))
    return found


def unstaged_lines(li_content: float, laser_nm: float = 532.0) -> list[Line]:
    """Bands of a particle that takes up lithium in one phase: one of them moves, evenly and not far."""
    low, high = DILUTE.shift_per_cm
    return [
        Line(low + (high - low) * li_content, 13.0, 2.0, 22.0),
        Line(OVERTONE.at(laser_nm), 50.0, 10.0, 25.0),
        Line(DISORDER.at(laser_nm), 40.0, 8.0, 3.0),
    ]
