"""Counts of an electron analyser, with what its paper says, ready to be fitted."""

from dataclasses import dataclass, replace

import numpy as np

from intercalate.materials.xps import AL_K_ALPHA_EV

_MOST_DEAD = 0.3
"""Part of the time for which a counter may be dead: beyond, its correction is no longer known."""

_LEAST_POINTS = 12


class XpsError(ValueError):
    """Photoelectron spectra cannot be reduced; the message says why."""


@dataclass(frozen=True)
class AnalyserOnPaper:
    """What its users are told of source and analyser.

    Attributes
    ----------
    transmission_exponent
        The transmission goes as (pass energy / kinetic energy) to this power, on top of the pass energy.
    width_per_pass
        Gaussian full width at half maximum of the analyser per pass energy.
    source_width_ev
        Of the monochromated source.
    dead_time_s
        After each count, not extended by what falls into it.
    emission_angle_deg
        Between the analyser and the normal of the surface: 90 minus the take-off angle.
    """

    transmission_exponent: float = 0.6
    width_per_pass: float = 0.018
    source_width_ev: float = 0.25
    dead_time_s: float = 60e-9
    emission_angle_deg: float = 0.0

    def width_ev(self, pass_energy_ev: float) -> float:
        """Gaussian full width at half maximum of source and analyser."""
        return float(np.hypot(self.source_width_ev, self.width_per_pass * pass_energy_ev))

    def transmission(self, binding_ev: float | np.ndarray, pass_energy_ev: float) -> np.ndarray:
        """Relative to a kinetic energy of 1000 eV at a pass energy of 20 eV."""
        ratio = (pass_energy_ev / (AL_K_ALPHA_EV - np.asarray(binding_ev))) / (20.0 / 1000.0)
        return pass_energy_ev / 20.0 * ratio**self.transmission_exponent

    @property
    def cosine(self) -> float:
        """Of the angle of emission."""
        return float(np.cos(np.radians(self.emission_angle_deg)))


@dataclass(frozen=True)
class RegionSpectrum:
    """Counts of one region, corrected for the dead time of the counter.

    Attributes
    ----------
    binding_ev, counts, sigma
        Ascending; counts, and their standard error. Shape (points,).
    used
        False where the counter was dead for too long, shape (points,).
    seconds
        For which each point was counted.
    """

    name: str
    binding_ev: np.ndarray
    counts: np.ndarray
    sigma: np.ndarray
    used: np.ndarray
    seconds: float
    pass_energy_ev: float
    analyser: AnalyserOnPaper

    def between(self, low_ev: float, high_ev: float, name: str) -> "RegionSpectrum":
        """A part of a survey as a region of its own.

        Raises
        ------
        XpsError
            If too few points lie there.
        """
        inside = (self.binding_ev >= low_ev) & (self.binding_ev <= high_ev)
        points = int((inside & self.used).sum())
        if points < _LEAST_POINTS:
            raise XpsError(
                f"region {self.name} has {points} points that can be used from {low_ev:g} to {high_ev:g} eV; "
                f"{_LEAST_POINTS} are needed at least"
            )
        parts = (one[inside] for one in (self.binding_ev, self.counts, self.sigma, self.used))
        energy, counts, sigma, used = parts
        return replace(self, name=name, binding_ev=energy, counts=counts, sigma=sigma, used=used)

    def expected_sigma(self, model: np.ndarray) -> np.ndarray:
        """Standard error of counts that a model expects, shape of `model`."""
        expected = np.maximum(model, 1.0)
        return np.sqrt(expected) * (1.0 + expected / self.seconds * self.analyser.dead_time_s) ** 1.5


def counted(
    name: str,
    binding_ev: np.ndarray,
    counts: np.ndarray,
    *,
    seconds: float,
    pass_energy_ev: float,
    analyser: AnalyserOnPaper,
) -> RegionSpectrum:
    """Check and correct the counts of a region.

    Parameters
    ----------
    binding_ev, counts
        Rising or falling energies, and counts of all sweeps, shape (points,).
    seconds
        For which each point was counted: dwell times sweeps.

    Raises
    ------
    XpsError
        If the region is too short, holds no numbers or no counts, its energies are not in order, or the
        counter was dead for too long in more than a tenth of it.
    """
    energy, number = np.asarray(binding_ev, float), np.asarray(counts, float)
    if energy.ndim != 1 or energy.shape != number.shape:
        raise XpsError(
            f"region {name}: energies have the shape {energy.shape} and counts {number.shape}; both must be "
            "(points,)"
        )
    if energy.size < _LEAST_POINTS:
        raise XpsError(f"region {name} has {energy.size} points; {_LEAST_POINTS} are needed at least")
    for quantity, value in (("counting time", seconds), ("pass energy", pass_energy_ev)):
        if not (np.isfinite(value) and value > 0):
            raise XpsError(f"region {name}: the {quantity} is {value:g}; it must be more than 0")
    if energy[0] > energy[-1]:
        energy, number = energy[::-1], number[::-1]
    if not (np.isfinite(energy).all() and np.all(np.diff(energy) > 0)):
        raise XpsError(f"region {name}: binding energies neither rise nor fall from point to point")
    bad = np.flatnonzero(~(np.isfinite(number) & (number >= 0)))
    if bad.size:
        raise XpsError(
            f"region {name}: {bad.size} counts are not numbers or negative, the first {number[bad[0]]:g} at "
            f"{energy[bad[0]]:g} eV"
        )
    if not number.any():
        raise XpsError(f"region {name}: nothing was counted; were source, shutter and detector on?")
    dead = number / seconds * analyser.dead_time_s
    used = dead < _MOST_DEAD
    if used.mean() < 0.9:
        raise XpsError(
            f"region {name}: in {np.mean(~used):.0%} of the points the counter was dead for more than "
            f"{_MOST_DEAD:.0%} of the time; lower the pass energy or the power of the source"
        )
    alive = np.where(used, 1.0 - dead, 1.0)
    return RegionSpectrum(
        name=name,
        binding_ev=energy,
        counts=number / alive,
        sigma=np.sqrt(np.maximum(number, 1.0)) / alive**2,
        used=used,
        seconds=float(seconds),
        pass_energy_ev=float(pass_energy_ev),
        analyser=analyser,
    )
