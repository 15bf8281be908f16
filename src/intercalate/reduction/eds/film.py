"""Thickness of a film of lithium by the X-rays of what lies below it.

Electrons lose energy in the film (range after Kanaya and Okayama) and excite what is below the less: Bethe's
cross-section along their way there is U ln U - U + 1 of the overvoltage U, over the stopping power, less what
is scattered back, and what is below takes X-rays up (Philibert). Lithium takes up hardly anything of X-rays
of some keV. The first measurement of a place, whose film is as it was made, stands for the current, the
detector and what is below.
"""

from dataclasses import dataclass

import numpy as np
import xraydb

from intercalate.materials.eds import emission_lines, mass_absorption_cm2_g
from intercalate.materials.electron_range import IMAGED_MATERIALS, electron_range_um

_RANGE_POWER = 1.67
"""Of the energy in the range."""
SIGMA_SYS = 0.4
"""Declared, relative, of a loss of thickness: range and cross-section, the way of electrons that are
scattered, the dead time, and the thickness as it was made."""


@dataclass(frozen=True)
class FilmOn:
    """What is known of a film.

    Attributes
    ----------
    element, family
        Below the film, by whose lines it is measured.
    made_um
        Thickness at the first measurement.
    kv
        Of the electrons.
    take_off_deg
        Of the detector.
    below
        What is below, key of `IMAGED_MATERIALS`.
    """

    element: str
    family: str
    made_um: float
    kv: float
    take_off_deg: float
    below: str


def film_thickness(
    counts: np.ndarray, sigma: np.ndarray, fresh: np.ndarray, fresh_sigma: np.ndarray, film: FilmOn
) -> tuple[np.ndarray, np.ndarray, float]:
    """Thickness place by place.

    Parameters
    ----------
    counts, sigma, fresh, fresh_sigma
        Of the lines, now and when the film was as it was made, any shape.

    Returns
    -------
    thickness_um, sigma_stat_um, sigma_sys
        NaN where a place was not measured, or its counts are beyond those of no film at all; and the relative
        systematic error of the loss of thickness.
    """
    thickness = np.linspace(0.0, 3.0 * film.made_um, 601)
    expected = _expected(thickness, film)
    made = float(np.interp(film.made_um, thickness, expected))
    seen = (counts > 0) & (fresh > 0)
    counts, fresh = np.where(seen, counts, np.nan), np.where(seen, fresh, np.nan)
    with np.errstate(invalid="ignore"):
        ratio = counts / fresh
        relative = np.sqrt((sigma / counts) ** 2 + (fresh_sigma / fresh) ** 2)
    wanted = made * ratio
    # Falls with the thickness; beyond where it is 0 nothing tells how thick a film is.
    usable = np.flatnonzero(expected > 1e-3 * expected[0])
    rising = usable[::-1]
    found = np.interp(wanted, expected[rising], thickness[rising], left=np.nan, right=np.nan)
    slope = np.interp(wanted, expected[rising], np.gradient(expected, thickness)[rising])
    error = np.abs(wanted * relative / slope)
    return found, np.where(np.isfinite(found), error, np.nan), SIGMA_SYS


def _expected(thickness_um: np.ndarray, film: FilmOn) -> np.ndarray:
    """X-rays from below a film, in arbitrary units."""
    lithium = IMAGED_MATERIALS["lithium"]
    mass, number = float(xraydb.atomic_mass("Li")), lithium.mean_atomic_number
    whole_um = electron_range_um(film.kv, mass, number, lithium.density_g_cm3)
    left = np.maximum(1.0 - thickness_um / whole_um, 0.0)
    energy_ev = 1e3 * film.kv * left ** (1.0 / _RANGE_POWER)
    total = np.zeros(thickness_um.size)
    for line in emission_lines(film.element):
        if line.family == film.family:
            strength = line.shell_electrons * line.fluorescence_yield * line.branching
            u = np.maximum(energy_ev / line.edge_ev, 1.0)
            made = (u * np.log(u) - u + 1.0) * _kept(energy_ev, line.edge_ev, film)
            total += strength * made * _leaves(energy_ev, line.energy_ev, line.edge_ev, film)
    return total


def _kept(energy_ev: np.ndarray, edge_ev: float, film: FilmOn) -> np.ndarray:
    """What backscattering leaves of X-rays, over the mean stopping power; laws as in `quantities`."""
    number = IMAGED_MATERIALS[film.below].mean_atomic_number
    energy = np.maximum(energy_ev, edge_ev)
    stopping = np.log(1.166 * 0.5 * (energy + edge_ev) / (11.5 * number))
    return (1.0 - 0.0081 * number * (1.0 - edge_ev / energy)) / stopping


def _leaves(energy_ev: np.ndarray, line_ev: float, edge_ev: float, film: FilmOn) -> np.ndarray:
    """Share of the X-rays that what is below lets out: the less, the deeper electrons go there."""
    below = IMAGED_MATERIALS[film.below]
    mass = sum(share * float(xraydb.atomic_mass(number)) for number, share in below.mass_fractions)
    absorption = sum(
        share * mass_absorption_cm2_g(str(xraydb.atomic_symbol(number)), np.array([line_ev]))[0]
        for number, share in below.mass_fractions
    )
    # Philibert, with sigma after Heinrich (1967), as in `quantities`.
    ratio = absorption / np.sin(np.radians(film.take_off_deg)) / 4.5e5
    ratio = ratio * np.maximum((energy_ev / 1e3) ** 1.65 - (edge_ev / 1e3) ** 1.65, 0.0)
    h = 1.2 * mass / below.mean_atomic_number**2
    return (1.0 + h) / ((1.0 + ratio) * (1.0 + h * (1.0 + ratio)))
