"""Energy-dispersive X-ray spectra of what a beam of electrons meets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from intercalate.materials.constants import AVOGADRO_PER_MOL
from intercalate.materials.eds import (
    LITHIUM_YIELD_FACTORS,
    SILICON_EDGE_EV,
    SILICON_ESCAPE_EV,
    EmissionLine,
    XrayDetector,
    atomic_mass,
    atomic_number,
    emission_lines,
    mass_absorption_cm2_g,
)
from intercalate.materials.model import Mark, Source
from intercalate_sims.noise import keyed_generator

_ELECTRONS_PER_NA_S = 6.241509074e9

_TABLE_SPREAD = {"K": 0.07, "L": 0.15, "M": 0.40}
_SOFT_EV, _SOFT_TABLE_SPREAD = 1000.0, 0.15
"""Relative standard deviation of nature from the tables of yields and ionisation, by family and element; K
lines below the energy have the last."""
TABLE_SOURCE = Source(
    "M. O. Krause, J. Phys. Chem. Ref. Data 8 (1979) 307 (yields: K 3 to 10 %, 10 to 40 % below atomic "
    "number 10; L 10 to 25 %); X. Llovet et al., ibid. 43 (2014) 013102 (ionisation: K 10 %, L and M "
    "20 % and more)",
    Mark.RECALLED,
)


@dataclass(frozen=True)
class XraySource:
    """A homogeneous material under the beam.

    Attributes
    ----------
    mass_fractions
        By element; they need not be normalised.
    lithium_bond
        Key of `LITHIUM_YIELD_FACTORS`.
    carbon_film_nm
        Contamination on top.
    """

    mass_fractions: Mapping[str, float]
    density_g_cm3: float
    lithium_bond: str = "metal"
    carbon_film_nm: float = 0.0


@dataclass(frozen=True)
class EdsConditions:
    """What the operator sets."""

    kv: float = 15.0
    current_na: float = 0.5
    real_s: float = 60.0


@dataclass(frozen=True)
class HiddenDetector:
    """By how much a detector differs from its description.

    Attributes
    ----------
    offset_ev, gain
        Of the energy axis.
    window_factor, ice_nm
        Of what absorbs before the silicon.
    tail
        Share of a line's counts that have lost charge.
    dead_s, pair_s
        Per count, and within which two counts are taken for one.
    family_spread
        Relative deviation of the lines of one family against each other.
    table_spread
        Of all lines of a family from the tables, by what is usual (`TABLE_SOURCE`).
    noise_counts_s
        Of the electronics near zero energy.
    threshold_ev
        Below which a pulse is lost in the noise more often than not.
    """

    offset_ev: float = 0.0
    gain: float = 1.0
    window_factor: float = 1.0
    ice_nm: float = 0.0
    tail: float = 0.02
    dead_s: float = 4e-6
    pair_s: float = 3e-7
    family_spread: float = 0.05
    table_spread: float = 1.0
    noise_counts_s: float = 200.0
    threshold_ev: float = 75.0

    @classmethod
    def draw(cls, seed: int) -> "HiddenDetector":
        """A detector of this seed."""
        normal = keyed_generator(seed, "x-ray detector", 0).standard_normal(5)
        return cls(
            offset_ev=6.0 * normal[0],
            gain=1.0 + 2e-3 * normal[1],
            window_factor=float(np.exp(0.1 * normal[2])),
            ice_nm=20.0 * abs(normal[3]),
            tail=0.02 * float(np.exp(0.4 * normal[4])),
        )


@dataclass(frozen=True)
class XrayCounts:
    """A spectrum.

    Attributes
    ----------
    counts
        Shape (channels,), uint32; the axis is nominal.
    live_s
        Time in which the detector could count.
    """

    counts: np.ndarray
    live_s: float


class EdsProbe:
    """Spectra of one detector on one microscope."""

    def __init__(self, detector: XrayDetector, hidden: HiddenDetector, seed: int):
        self.detector = detector
        self.hidden = hidden
        self._seed = seed
        channel = np.arange(detector.channels)
        self.true_ev = hidden.offset_ev + hidden.gain * detector.channel_ev * (channel + 0.5)

    def spectrum(self, source: XraySource, conditions: EdsConditions, start_s: float) -> XrayCounts:
        """Counted spectrum; `start_s` keys the noise."""
        rate, live_share = self.rate(source, conditions)
        live = conditions.real_s * live_share
        generator = keyed_generator(self._seed, "x-ray noise", round(start_s * 1000))
        return XrayCounts(generator.poisson(rate * live).astype(np.uint32), live)

    def map(
        self,
        sources: Sequence[XraySource],
        phase: np.ndarray,
        conditions: EdsConditions,
        start_s: float,
        strength: np.ndarray | None = None,
    ) -> np.ndarray:
        """Spectra of a grid of places, shape (rows, columns, channels), uint16; `real_s` is that of each
        place.

        Parameters
        ----------
        phase
            Index into `sources` of each place.
        strength
            Factor on the rate of each place.
        """
        rates = np.stack([self.rate(one, conditions)[0] for one in sources])
        expected = rates[phase] * conditions.real_s
        if strength is not None:
            expected = expected * strength[..., None]
        generator = keyed_generator(self._seed, "x-ray map", round(start_s * 1000))
        return generator.poisson(expected).astype(np.uint16)

    def rate(self, source: XraySource, conditions: EdsConditions) -> tuple[np.ndarray, float]:
        """Counts per live second and channel, and the share of the time that is live."""
        return self.counted(self.emitted(source, conditions), conditions)

    def emitted(self, source: XraySource, conditions: EdsConditions) -> np.ndarray:
        """What an electron sends into all directions, by channel, as far as the detector would count it."""
        return self._lines(source, conditions) + self._bremsstrahlung(source, conditions)

    def counted(self, emitted: np.ndarray, conditions: EdsConditions) -> tuple[np.ndarray, float]:
        """Counts per live second and channel, and the share of the time that is live."""
        seen = emitted * self._per_electron(conditions) + self._noise()
        total = float(seen.sum())
        live = 1.0 / (1.0 + total * self.hidden.dead_s)
        pair = self.hidden.pair_s
        summed = np.convolve(seen, seen)[: seen.size] * pair
        return seen * max(1.0 - 2 * total * pair, 0.0) + summed, live

    def expected_lines(self, source: XraySource, conditions: EdsConditions) -> dict[str, float]:
        """Counts per live second in all lines of each `element family`, for tests and benchmarks alone."""
        found: dict[str, float] = {}
        scale = self._per_electron(conditions)
        for line, made in self._emitted(source, conditions):
            name = f"{line.element} {line.family}"
            found[name] = found.get(name, 0.0) + made * scale
        return found

    def _per_electron(self, conditions: EdsConditions) -> float:
        """Counts per second by what an electron sends into all directions."""
        return conditions.current_na * _ELECTRONS_PER_NA_S * self.detector.solid_angle_sr / (4 * np.pi)

    def _emitted(self, source: XraySource, conditions: EdsConditions) -> Iterator[tuple[EmissionLine, float]]:
        """Lines with what of them is counted, per electron, as if the detector looked everywhere."""
        total = sum(source.mass_fractions.values())
        for element, share in source.mass_fractions.items():
            for number, line in enumerate(emission_lines(element)):
                if line.edge_ev >= 950.0 * conditions.kv:
                    continue
                made = share / total * _generated(line, source, conditions.kv)
                if element == "Li":
                    made *= LITHIUM_YIELD_FACTORS[source.lithium_bond]
                made *= self._escapes(source, line.energy_ev, line.edge_ev, conditions.kv)
                odd = keyed_generator(self._seed, f"lines {element}", number).standard_normal()
                made *= 1.0 + self.hidden.family_spread * odd
                made *= self._nature(line)
                yield line, made * float(self._efficiency(np.array([line.energy_ev]))[0])

    def _nature(self, line: EmissionLine) -> float:
        """Of a family, by what tables say of it."""
        if line.element == "Li":
            return 1.0
        is_soft = line.family == "K" and line.energy_ev < _SOFT_EV
        spread = _SOFT_TABLE_SPREAD if is_soft else _TABLE_SPREAD[line.family]
        generator = keyed_generator(self._seed, f"tables {line.element} {line.family}", 0)
        return float(np.exp(self.hidden.table_spread * spread * generator.standard_normal()))

    def _lines(self, source: XraySource, conditions: EdsConditions) -> np.ndarray:
        spectrum = np.zeros(self.true_ev.size)
        for line, made in self._emitted(source, conditions):
            lost = 0.0
            if line.energy_ev > SILICON_EDGE_EV:
                lost = 0.01 * (SILICON_EDGE_EV / line.energy_ev) ** 2.5
                spectrum += made * lost * self._profile(line.energy_ev - SILICON_ESCAPE_EV)
            spectrum += made * (1.0 - lost) * self._profile(line.energy_ev)
        return spectrum

    def _efficiency(self, energy_ev: np.ndarray) -> np.ndarray:
        seen = self.detector.efficiency(energy_ev, self.hidden.window_factor, self.hidden.ice_nm)
        sigma = float(self.detector.width_ev(self.hidden.threshold_ev)) / 2.3548
        return seen / (1.0 + np.exp(-np.clip(1.7 * (energy_ev - self.hidden.threshold_ev) / sigma, -50, 50)))

    def _profile(self, energy_ev: float) -> np.ndarray:
        """Gaussian with a shelf of lost charge below."""
        sigma = float(self.detector.width_ev(energy_ev)) / 2.3548
        width = self.hidden.gain * self.detector.channel_ev
        away = (self.true_ev - energy_ev) / sigma
        peak = np.exp(-0.5 * away**2) / (sigma * np.sqrt(2 * np.pi))
        fall = 2.0 * sigma + 0.01 * energy_ev
        tail = np.where(away < 1.0, np.exp(np.minimum((self.true_ev - energy_ev) / fall, 0.0)), 0.0) / fall
        tail *= 1.0 / (1.0 + np.exp(np.clip(2.5 * away, -50, 50)))
        return width * ((1.0 - self.hidden.tail) * peak + self.hidden.tail * tail)

    def _bremsstrahlung(self, source: XraySource, conditions: EdsConditions) -> np.ndarray:
        """After Kramers, with a modified power of energy (in place of his 1), absorbed on its way out."""
        energy = np.maximum(self.true_ev, 30.0)
        number = sum(share * atomic_number(name) for name, share in source.mass_fractions.items()) / sum(
            source.mass_fractions.values()
        )
        left = np.maximum(1e3 * conditions.kv - energy, 0.0)
        made = 2.5e-9 * number**1.05 * (left / 1e3) ** 1.1 / (energy / 1e3) ** 0.95 * self.detector.channel_ev
        out = self._escapes_many(source, energy, 0.3 * energy, conditions.kv)
        smooth = made * out * self._efficiency(energy)
        return np.where(self.true_ev > 30.0, smooth, 0.0)

    def _escapes(self, source: XraySource, energy_ev: float, edge_ev: float, kv: float) -> float:
        return float(self._escapes_many(source, np.array([energy_ev]), np.array([edge_ev]), kv)[0])

    def _escapes_many(
        self, source: XraySource, energy_ev: np.ndarray, edge_ev: np.ndarray, kv: float
    ) -> np.ndarray:
        """Share that comes out: the depth of generation is a Gaussian around a quarter of the range."""
        depth = _range_g_cm2(source, kv, edge_ev)
        absorb = absorption(source, energy_ev) / np.sin(np.radians(self.detector.take_off_deg))
        u = np.linspace(0.0, 1.0, 41)
        weight = np.exp(-(((u - 0.25) / 0.35) ** 2))
        weight /= weight.sum()
        out = np.exp(-np.outer(absorb * depth, u)) @ weight
        film = mass_absorption_cm2_g("C", energy_ev) * 1.8e-7 * source.carbon_film_nm
        return out * np.exp(-film / np.sin(np.radians(self.detector.take_off_deg)))

    def _noise(self) -> np.ndarray:
        """The electronics' own pulses at zero energy."""
        sigma = self.detector.noise_ev / 2.3548
        peak = np.exp(-0.5 * (self.true_ev / sigma) ** 2)
        return self.hidden.noise_counts_s * peak / max(peak.sum(), 1e-9)


@lru_cache(maxsize=4096)
def _cross_section_path(edge_ev: float, electrons: int, kv: float, number: float, mass: float) -> float:
    """Ionisations per unit of mass fraction over atomic mass along an electron's whole way: Bethe's cross
    section over the stopping power of Joy and Luo.
    """
    energy = np.linspace(edge_ev, 1e3 * kv, 120)[1:]
    ratio = energy / edge_ev
    section = 6.51e-14 * electrons * 0.85 * np.log(1.3 * ratio + 0.05) / (energy * edge_ev)
    mean = 9.76 * number + 58.8 * number**-0.19
    kilo, mean_kev = energy / 1e3, mean / 1e3
    loss = 78500.0 * number / (mass * kilo) * np.log(1.166 * (kilo + 0.85 * mean_kev) / mean_kev)
    return float(np.trapezoid(section / (1e3 * loss), energy)) * AVOGADRO_PER_MOL


def mean_of(source: XraySource) -> tuple[float, float]:
    """Atomic number and mass, weighted by mass."""
    total = sum(source.mass_fractions.values())
    number = sum(share * atomic_number(name) for name, share in source.mass_fractions.items()) / total
    mass = sum(share * atomic_mass(name) for name, share in source.mass_fractions.items()) / total
    return float(number), float(mass)


def _generated(line: EmissionLine, source: XraySource, kv: float) -> float:
    """X-rays of a line per electron and mass fraction, electrons that leave again left out."""
    number, mass = mean_of(source)
    ionised = _cross_section_path(line.edge_ev, line.shell_electrons, kv, round(number, 3), round(mass, 3))
    kept = 1.0 - 0.008 * number * (1.0 - line.edge_ev / (1e3 * kv)) ** 0.7
    return ionised * line.fluorescence_yield * line.branching * kept / atomic_mass(line.element)


def _range_g_cm2(source: XraySource, kv: float, edge_ev: np.ndarray) -> np.ndarray:
    """Depth that electrons reach with more than an edge's energy (Kanaya and Okayama)."""
    number, mass = mean_of(source)
    factor = 0.0276e-4 * mass / number**0.89
    return factor * (kv**1.67 - np.minimum(np.asarray(edge_ev) / 1e3, 0.98 * kv) ** 1.67)


def absorption(source: XraySource, energy_ev: np.ndarray) -> np.ndarray:
    """Of a material, in cm2/g."""
    total = sum(source.mass_fractions.values())
    parts = [
        share / total * mass_absorption_cm2_g(name, energy_ev)
        for name, share in source.mass_fractions.items()
    ]
    return np.sum(parts, axis=0)
