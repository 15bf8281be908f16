"""Photoelectrons that leave a stack: lines, how strong each is, and how often its electrons lose energy.

Electrons go straight and are lost by inelastic collisions alone; the angle between source and analyser is the
magic one, where the asymmetry of emission does not matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy.special import gammainc, voigt_profile

from intercalate.materials.xps import AL_K_ALPHA_EV, LEVELS, CoreLevel, XpsCompound
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.xps_samples import Layer

COLLISIONS = 8
"""Inelastic ones that are reckoned with."""

_FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))
_TAIL_CUTOFF_EV = 4.0
_REFERENCES = ("Au", "Ag")
"""Whose lines set the scale."""


@dataclass(frozen=True)
class EmittedLine:
    """One line of one compound in one layer, a doublet as two.

    Attributes
    ----------
    strength
        Atoms per nm2 that are seen, times cross section.
    collisions
        Electrons that collided 1, 2 ... times, relative to those that did not, shape (COLLISIONS,).
    is_metallic
        Whether its electrons lose energy as in a metal.
    """

    binding_ev: float
    gaussian_ev: float
    lorentzian_ev: float
    asymmetry: float
    strength: float
    collisions: np.ndarray
    is_metallic: bool


@dataclass(frozen=True)
class Deviations:
    """By how much the tables are wrong for a sample; each figure has a deviation of its own.

    Attributes
    ----------
    seed
        From which they are drawn.
    reference_ev
        Standard deviation of the lines of gold and silver.
    binding_ev, width, cross_section, lithium, mean_free_path, asymmetry
        Standard deviations; all but the first are relative. `lithium` is that of the cross section of Li 1s.
    """

    seed: int
    binding_ev: float = 0.06
    width: float = 0.06
    cross_section: float = 0.08
    lithium: float = 0.18
    mean_free_path: float = 0.10
    asymmetry: float = 0.15
    reference_ev: float = 0.02

    @classmethod
    def none(cls) -> "Deviations":
        """Of a sample that is as the tables say."""
        return cls(0, *(0.0,) * (len(fields(cls)) - 1))

    def normal(self, name: str) -> float:
        """Standard normal deviate of a figure."""
        return float(keyed_generator(self.seed, f"xps {name}", 0).standard_normal())

    def factor(self, name: str, relative: float) -> float:
        """Lognormal factor on a figure."""
        return float(np.exp(relative * self.normal(name)))


def emitted_lines(
    stack: Sequence[Layer], emission_angle_deg: float, deviations: Deviations
) -> list[EmittedLine]:
    """Lines of a stack.

    Parameters
    ----------
    emission_angle_deg
        Between the analyser and the normal of the surface: 90 minus the take-off angle.
    """
    cosine = float(np.cos(np.radians(emission_angle_deg)))
    found: list[EmittedLine] = []
    for depth, layer in enumerate(stack):
        for compound, units_per_nm3 in layer.parts():
            for line in compound.levels:
                kinetic = AL_K_ALPHA_EV - line.binding_ev
                above = 1.0
                for upper in stack[:depth]:
                    path = _mean_free_path_nm(upper, kinetic, deviations) * cosine
                    above *= 1.0 - upper.coverage * (1.0 - np.exp(-upper.thickness_nm / path))
                path = _mean_free_path_nm(layer, kinetic, deviations) * cosine
                thickness = layer.thickness_nm / path
                seen = units_per_nm3 * line.atoms * path * (1.0 - np.exp(-thickness)) * layer.coverage * above
                found += _doublet(
                    compound, line, layer, seen, _collisions(-np.log(above), thickness), deviations
                )
    return found


def _mean_free_path_nm(layer: Layer, kinetic_ev: float, deviations: Deviations) -> float:
    """Of a mixture by shares of formula units."""
    return sum(
        share
        * compound.mean_free_path_nm(kinetic_ev)
        * deviations.factor(f"mean free path {compound.key}", deviations.mean_free_path)
        for (compound, _), share in zip(layer.parts(), layer.shares.values())
    )


def _collisions(above: float, thickness: float) -> np.ndarray:
    """Moments of the path of those that did not collide: a path x, in mean free paths, has x^n / n!."""
    reach = min(thickness, 12.0)
    path = above + reach * (np.arange(64) + 0.5) / 64
    weight = np.exp(-(path - above))
    weight /= weight.sum()
    terms, found = np.ones(path.size), []
    for number in range(1, COLLISIONS + 1):
        terms = terms * path / number
        found.append(float(weight @ terms))
    return np.array(found)


def _doublet(
    compound: XpsCompound,
    line: CoreLevel,
    layer: Layer,
    seen: float,
    collisions: np.ndarray,
    deviations: Deviations,
) -> list[EmittedLine]:
    level = LEVELS[line.level]
    name = f"{compound.key} {line.name}"
    relative = deviations.lithium if level.element == "Li" else deviations.cross_section
    strength = seen * level.cross_section * deviations.factor(f"cross section {level.key}", relative)
    spread = deviations.reference_ev if compound.key in _REFERENCES else deviations.binding_ev
    off = spread * deviations.normal(f"binding {name}")
    centre = line.binding_ev + layer.shift_ev + off
    width = line.width_ev * deviations.factor(f"width {name}", deviations.width)
    asymmetry = line.asymmetry * deviations.factor(f"asymmetry {name}", deviations.asymmetry)
    parts = [(0.0, 1.0 / (1.0 + level.ratio))]
    if level.ratio:
        parts.append((level.splitting_ev, level.ratio / (1.0 + level.ratio)))
    return [
        EmittedLine(
            centre + apart,
            width,
            level.natural_width_ev,
            asymmetry,
            share * strength,
            collisions,
            compound.is_metallic,
        )
        for apart, share in parts
    ]


def line_shape(energy_ev: np.ndarray, line: EmittedLine, instrument_ev: float) -> np.ndarray:
    """Unit area per eV: a Voigt profile, with the tail of a metal where there is one.

    The tail is that of G. D. Mahan, Phys. Rev. B 11 (1975) 4814: near the line that of Doniach and Sunjic,
    with an exponential end, so that its area is finite.
    """
    sigma, half = float(np.hypot(line.gaussian_ev, instrument_ev)) / _FWHM, line.lorentzian_ev / 2
    offset = energy_ev - line.binding_ev
    if line.asymmetry <= 0:
        return voigt_profile(offset, sigma, half)
    edges = np.concatenate([[0.0], np.geomspace(0.02, 30.0, 48)])
    weights = np.diff(gammainc(line.asymmetry, edges / _TAIL_CUTOFF_EV))
    middles = 0.5 * (edges[1:] + edges[:-1])
    return voigt_profile(offset[:, None] - middles, sigma, half) @ (weights / weights.sum())
