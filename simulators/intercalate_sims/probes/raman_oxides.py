"""What a Raman spectrometer sees of an oxide: bands of the ions of a metal beside those of the framework."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from intercalate.materials.raman_oxides import FRAMEWORK, RedoxOxide
from intercalate_sims.cell.hosts import Host
from intercalate_sims.cell.interface import ElectrodeState
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.raman import Line

FRAMEWORK_AREA = 16.0
"""Of all bands of the framework; graphite's strongest band has 22."""

STUCK_SHARE = 0.5
"""Of the metal that keeps the highest oxidation state it had, in a world in which some does."""


@dataclass(frozen=True)
class HiddenOxide:
    """By how much a sample differs from what is in the tables.

    Attributes
    ----------
    strength, width
        Factors of each band.
    shift_per_cm
        Added to that of each band.
    metal_content
        Factor.
    fading
        By which the framework scatters less when all lithium has gone, relative.
    """

    strength: tuple[float, ...]
    width: tuple[float, ...]
    shift_per_cm: tuple[float, ...]
    metal_content: float
    fading: float

    @classmethod
    def draw(cls, seed: int, oxide: RedoxOxide) -> "HiddenOxide":
        """A sample of this seed."""
        normal = keyed_generator(seed, f"oxide {oxide.key}", 0).standard_normal((len(oxide.bands), 3))
        others = keyed_generator(seed, f"oxide {oxide.key}", 1).standard_normal(2)
        return cls(
            tuple(np.exp(0.05 * normal[:, 0]).tolist()),
            tuple(np.exp(0.10 * normal[:, 1]).tolist()),
            tuple((1.0 * normal[:, 2]).tolist()),
            1.0 + 0.01 * float(others[0]),
            0.03 * float(others[1]),
        )


def ions_at(oxide: RedoxOxide, li_content: float, metal_content: float = 1.0) -> dict[str, float]:
    """Shares of the ions of the metal in a neutral particle of this lithium content.

    Two phases of neighbouring oxidation numbers lie beside each other, as in the spinel.

    Parameters
    ----------
    metal_content
        Factor on that of the formula.
    """
    low, high = oxide.oxidation_numbers[0], oxide.oxidation_numbers[-1]
    number = (-oxide.other_charge - li_content) / (oxide.metal_content * metal_content)
    number = min(max(number, float(low)), float(high))
    return {ion: max(0.0, 1.0 - abs(number - own)) for ion, own in oxide.number_of.items()}


def ions_of(
    electrode: ElectrodeState, oxide: RedoxOxide, li_content: float, hidden: HiddenOxide
) -> dict[str, float]:
    """Shares of the ions in a particle of an electrode, in real oxide or another host."""
    there = ions_at(oxide, li_content, hidden.metal_content)
    match Host(electrode.host):
        case Host.SPECTATOR:
            return {ion: float(ion == oxide.ions[0]) for ion in oxide.ions}
        case Host.STUCK:
            highest = ions_at(oxide, electrode.emptied_to[-1], hidden.metal_content)
            return {ion: (1.0 - STUCK_SHARE) * there[ion] + STUCK_SHARE * highest[ion] for ion in there}
        case _:
            return there


def oxide_lines(
    oxide: RedoxOxide, ions: Mapping[str, float], li_content: float, hidden: HiddenOxide
) -> list[Line]:
    """Bands of a particle whose metal is so many parts of each ion."""
    fading = 1.0 - hidden.fading * (1.0 - li_content)
    whole = FRAMEWORK_AREA / oxide.strength(FRAMEWORK)
    found = []
    for number, band in enumerate(oxide.bands):
        share = fading if band.of == FRAMEWORK else ions[band.of]
        width = band.width_per_cm * hidden.width[number]
        # Neither Lorentzian nor Gaussian: particles differ, and in each of them cations have no order.
        area = whole * band.strength * hidden.strength[number] * share
        shift = band.shift_per_cm + hidden.shift_per_cm[number]
        if area > 0:
            found.append(Line(shift, 0.75 * width, 0.18 * width, area))
    return found
