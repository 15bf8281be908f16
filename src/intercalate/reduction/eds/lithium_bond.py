"""What lithium that is seen at 54 eV is bound to, where nothing but carbon is seen beside it."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from intercalate.materials.eds import LITHIUM_K_EV, LITHIUM_YIELD_FACTORS, XrayDetector
from intercalate.reduction.eds.lines import LineFit
from intercalate.reduction.eds.lithium import Lithium, LithiumVerdict
from intercalate.reduction.eds.quantities import generation, matrix_factor, mean_energy
from intercalate.reduction.results import UNDETERMINED, Estimate

_CARBIDE = {"Li": 0.366, "C": 0.634}
"""Mass fractions of Li2C2."""
_YIELD_WITHIN = 2.0
"""Factor within which the yield of lithium in carbide is known."""
_LOST_AT_MOST = 1.0 + float(np.exp((90.0 - LITHIUM_K_EV) / 7.0))
"""Factor by which a discriminator may lower a line that lies in the noise: that of the latest with which
`lithium` reckons, since nobody knows where it begins."""
_OTHERS_AT_MOST = 0.05
"""Of the counts of carbon, in lines of all other elements together: beyond, something else is in view."""
_SIGMAS = 3.0


class LithiumBond(StrEnum):
    """What the lithium that is seen is bound to."""

    CARBIDE = "carbide"
    """Nothing but carbon is seen beside it, and enough of that for all of it. A little metal beside much
    carbon that holds none would look the same."""
    METAL = "metal"
    """More of it than the carbon beside it could hold."""
    UNCERTAIN = "uncertain"
    """Something else is in view, or the carbon is that of something else."""


@dataclass(frozen=True)
class BoundLithium:
    """How lithium is bound, and by which lines.

    Attributes
    ----------
    per_carbon
        Counts of lithium by those of carbon.
    most_of_carbide
        The most that carbide can have, with a detector that loses none at 54 eV.
    """

    bond: LithiumBond
    per_carbon: Estimate
    most_of_carbide: float


def lithium_bond(seen: Lithium, found: LineFit, detector: XrayDetector, kv: float) -> BoundLithium | None:
    """Tell carbide from metal by the carbon that is seen in the same place.

    Parameters
    ----------
    seen
        Of the same spectrum.
    found
        With carbon among the families that were fitted.

    Returns
    -------
    BoundLithium or None
        None where no lithium is detected.
    """
    carbon = found.counts.get("C K")
    if seen.verdict is not LithiumVerdict.DETECTED or carbon is None:
        return None
    most = _YIELD_WITHIN * _carbide_ratio(detector, kv)
    line = seen.line_counts
    beside = [one.value for name, one in found.counts.items() if name != "C K" and found.detected[name]]
    others = sum(max(one, 0.0) for one in beside)
    if others > _OTHERS_AT_MOST * max(carbon.value, line.value):
        return BoundLithium(LithiumBond.UNCERTAIN, UNDETERMINED, most)
    # The most carbon that there may be; where there is hardly any, it has no use as a divisor.
    carbon_at_most = max(carbon.value, 0.0) + _SIGMAS * carbon.sigma
    if line.value - _SIGMAS * line.sigma > most * carbon_at_most:
        return BoundLithium(LithiumBond.METAL, UNDETERMINED, most)
    if not found.detected["C K"]:
        return BoundLithium(LithiumBond.UNCERTAIN, UNDETERMINED, most)
    ratio = line.value / carbon.value
    stat, systematic = (
        float(ratio * np.hypot(ours / line.value, theirs / carbon.value))
        for ours, theirs in ((line.sigma_stat, carbon.sigma_stat), (line.sigma_sys, carbon.sigma_sys))
    )
    per_carbon = Estimate(float(ratio), stat, systematic)
    fits = most / _YIELD_WITHIN**2 / _LOST_AT_MOST <= ratio <= most
    return BoundLithium(LithiumBond.CARBIDE if fits else LithiumBond.UNCERTAIN, per_carbon, most)


def _carbide_ratio(detector: XrayDetector, kv: float) -> float:
    """Counts of lithium by those of carbon, of pure carbide and with all pulses counted."""
    made = []
    for element, share in _CARBIDE.items():
        energy_ev, edge_ev = mean_energy(element, "K", kv)
        kept = matrix_factor(_CARBIDE, energy_ev, edge_ev, kv, detector)
        counted = float(detector.efficiency(np.array([energy_ev]))[0])
        made.append(share * generation(element, "K", kv) * kept * counted)
    return LITHIUM_YIELD_FACTORS["carbide"] * made[0] / made[1]
