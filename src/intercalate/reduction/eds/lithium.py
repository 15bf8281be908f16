"""Whether lithium is seen at 54 eV. Never how much: its yield depends on the bond (decision of the physics
reference).
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from intercalate.materials.eds import LITHIUM_K_EV, LITHIUM_MOST_KV, XrayDetector
from intercalate.reduction.eds.axis import EnergyAxis
from intercalate.reduction.eds.errors import require_counts
from intercalate.reduction.linear import solve_nonnegative
from intercalate.reduction.results import UNDETERMINED, Estimate

_DETECTION_SIGMA = 5.0
_LEAST_SHARE = 1e-3
"""Of all counts of the spectrum, which metal would exceed by far; fewer say nothing of lithium."""


class LithiumVerdict(StrEnum):
    """What a spectrum says of lithium."""

    DETECTED = "detected"
    """A line at 54 eV: metal, or a compound with enough metallic bond such as carbide."""
    NOT_DETECTABLE = "not detectable"
    """This detector at this voltage could not show it."""
    ABSENT = "absent"
    """No line where metal would give one. Oxide, carbonate and fluoride give none either: they may be
    there."""


@dataclass(frozen=True)
class Lithium:
    """What a spectrum says of lithium.

    Attributes
    ----------
    line_counts
        Of the line at 54 eV; not a concentration.
    reason
        In a sentence.
    """

    verdict: LithiumVerdict
    line_counts: Estimate
    reason: str


def lithium(counts: np.ndarray, axis: EnergyAxis, detector: XrayDetector, kv: float) -> Lithium:
    """Look for the K line of lithium between the noise of the electronics and what lies above.

    Raises
    ------
    SpectrumError
        If the spectrum cannot be used.
    """
    values = require_counts(counts, detector.channels)
    if not detector.windowless:
        return Lithium(
            LithiumVerdict.NOT_DETECTABLE,
            UNDETERMINED,
            f"the window of {detector.window_nm:g} nm lets no X-ray of 54 eV through; take a windowless "
            f"detector",
        )
    if kv > LITHIUM_MOST_KV:
        return Lithium(
            LithiumVerdict.NOT_DETECTABLE,
            UNDETERMINED,
            f"at {kv:g} kV lithium is excited too deep for 54 eV to come out; {LITHIUM_MOST_KV:g} kV are the "
            f"most",
        )
    line = _fit(values, axis, detector)
    if line.value > max(_DETECTION_SIGMA * line.sigma, _LEAST_SHARE * values.sum()):
        return Lithium(
            LithiumVerdict.DETECTED,
            line,
            f"{line.value:.0f} counts at 54 eV, {line.value / line.sigma:.0f} standard errors",
        )
    if _DETECTION_SIGMA * line.sigma > 0.02 * values.sum():
        return Lithium(
            LithiumVerdict.NOT_DETECTABLE,
            line,
            f"noise hides fewer than {_DETECTION_SIGMA * line.sigma:.0f} counts at 54 eV; count longer",
        )
    return Lithium(
        LithiumVerdict.ABSENT,
        line,
        f"fewer than {max(_DETECTION_SIGMA * line.sigma, _LEAST_SHARE * values.sum()):.0f} counts at 54 eV; "
        f"compounds "
        "that give no X-rays may be there",
    )


def _fit(values: np.ndarray, axis: EnergyAxis, detector: XrayDetector) -> Estimate:
    """Line, noise peak and a background behind a discriminator, by non-negative least squares."""
    energy = axis.energy_ev
    used = (energy > 25.0) & (energy < 180.0)
    x = energy[used]
    line_sigma = float(detector.width_ev(LITHIUM_K_EV)) / 2.3548
    noise_sigma = detector.noise_ev / 2.3548
    shape = axis.channel_ev / (line_sigma * np.sqrt(2 * np.pi))
    # Pulses above zero pass the discriminator the better the higher they are: where it begins is not known.
    begins = [1.0 / (1.0 + np.exp(-(x - place) / 7.0)) for place in (60.0, 75.0, 90.0)]
    columns = [
        shape * np.exp(-0.5 * ((x - LITHIUM_K_EV) / line_sigma) ** 2),
        # Two lines taken for one.
        shape / np.sqrt(2) * np.exp(-0.25 * ((x - 2 * LITHIUM_K_EV) / line_sigma) ** 2),
        np.exp(-0.5 * (x / noise_sigma) ** 2),
        *begins,
        *(one * (x - 100.0) / 100.0 for one in begins[:1]),
    ]
    weight = 1.0 / np.sqrt(np.maximum(np.convolve(values, np.full(3, 1 / 3), "same")[used], 4.0))
    design = np.stack(columns, axis=1) * weight[:, None]
    gram = design.T @ design
    solution, passive = solve_nonnegative(
        gram, design.T @ (values[used] * weight), np.ones(gram.shape[0], dtype=bool), 6
    )
    passive[0] = True
    covariance = np.linalg.pinv(gram[np.ix_(passive, passive)])
    left = values[used] * weight - design @ solution
    chi2 = float(left @ left / max(x.size - design.shape[1], 1))
    stat = float(np.sqrt(covariance[0, 0]))
    shifted = 0.03 * float(solution[0])
    return Estimate(float(solution[0]), stat, float(np.hypot(stat * np.sqrt(max(chi2 - 1.0, 0.0)), shifted)))
