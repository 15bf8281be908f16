"""The shape of one line in a silicon drift detector, as it is on paper."""

import numpy as np

from intercalate.materials.eds import XrayDetector
from intercalate.materials.model import Mark, Source

TAIL, TAIL_SIGMA = 0.02, 0.01
"""Part of a line's counts that have lost charge and lie below it, and its standard uncertainty."""
TAIL_SOURCE = Source("typical of silicon drift detectors, not of one instrument", Mark.ILLUSTRATION)


def peak_and_tail(
    energy_ev: np.ndarray, line_ev: float, detector: XrayDetector
) -> tuple[np.ndarray, np.ndarray]:
    """Densities per eV, of unit area each, of counts in the peak and of those that have lost charge: a full
    width below, over twice the width.
    """
    full = float(detector.width_ev(line_ev))
    found = []
    for place, width in ((line_ev, full), (line_ev - full, 2.0 * full)):
        sigma = width / 2.3548
        found.append(np.exp(-0.5 * ((energy_ev - place) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi)))
    return found[0], found[1]
