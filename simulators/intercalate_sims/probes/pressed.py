"""A powder of LiFePO4 with gold as marker between diamonds, at a pressure."""

import math
from functools import cache
from typing import Any

import numpy as np

from intercalate.materials import Mark, Source
from intercalate.materials.attenuation import part_per_um
from intercalate.materials.constants import HC_KEV_ANGSTROM
from intercalate.materials.crystals import PowderLines, crystal, powder_lines
from intercalate.materials.equations_of_state import MARKERS, EquationOfState
from intercalate_sims.pressure import Compression, HiddenPressed
from intercalate_sims.probes import scattering
from intercalate_sims.probes.halos import Halos
from intercalate_sims.probes.powder import Lines
from intercalate_sims.probes.samples import Sample

SAMPLE, MARKER = "LFP", "Au"
SAMPLE_UM, MARKER_UM = 15.0, 0.15
"""Of each in the beam, were it dense."""
DIAMOND_UM = 3600.0
"""Of both anvils in the beam."""
OPENING_DEG = 22.0
"""Of 2theta: beyond, the seat of the anvil is in the way."""
DIAMOND_COMPTON = 8.0
"""Of the Compton scattering of a full cell: 1.3 g/cm2 of carbon, of which two fifths of the electrons scatter
so at these angles (incoherent scattering function as tabulated, recalled)."""

SHARES = (0.413, 0.237, 0.350)
"""Of the compressibility of the volume that belong to a, b and c."""
SHARES_SOURCE = Source(
    "row sums of the compliances that belong to the computed stiffnesses of T. Maxisch and G. Ceder, "
    "Phys. Rev. B 73 (2006) 174112",
    Mark.RECALLED,
)
MODULUS_SOURCE = Source(
    "130.1 +- 10.3 GPa to 35 GPa: abstract of High Pressure X-ray Diffraction Study of LiFePO4/C-olivine-like"
    " Phase, J. Miner. Soc. Korea 26 (2013)",
    Mark.VERIFIED,
)

TRANSITION_GPA, TRANSITION_VOLUME = 12.0, 0.03
"""Where the volume falls in a world with a transition, and by which part."""

_SHARES_OF = {
    Compression.ANISOTROPIC: SHARES,
    Compression.TRANSITION: SHARES,
    Compression.ISOTROPIC: (1 / 3, 1 / 3, 1 / 3),
    Compression.EXCHANGED: (SHARES[1], SHARES[0], SHARES[2]),
}


def lengths_at(hidden: HiddenPressed, sample_gpa: float) -> np.ndarray:
    """a, b and c of the sample in A: the volume by its equation of state, shared among the axes."""
    start = crystal(SAMPLE).lengths_at(1.0)
    law = EquationOfState(float(np.prod(start)), hidden.modulus_gpa, hidden.slope)
    volume = law.volume_at(sample_gpa) / law.volume_angstrom3
    if hidden.compression is Compression.TRANSITION and sample_gpa > TRANSITION_GPA:
        volume *= 1 - TRANSITION_VOLUME
    return start * volume ** np.array(_SHARES_OF[hidden.compression])


def marker_length(hidden: HiddenPressed, marker_gpa: float) -> float:
    """a of the marker in A, by the scale as it truly is."""
    known = MARKERS[MARKER].law
    law = EquationOfState(known.volume_angstrom3, hidden.marker_modulus_gpa, hidden.marker_slope)
    return law.volume_at(marker_gpa) ** (1 / 3)


@cache
def _lines_of(phase: str) -> PowderLines:
    return powder_lines(crystal(phase), 1.0)


def _powder(
    phase: str, lengths: np.ndarray, thickness_um: float, b_angstrom2: float, wavelength_angstrom: float
) -> Lines:
    lines, volume = _lines_of(phase), float(np.prod(lengths))
    inverse_d = np.sqrt(lines.hkl**2 @ (1 / lengths**2))
    fraction = scattering.cone_fraction(
        lines.strength * np.exp(-b_angstrom2 * inverse_d**2 / 2),
        1.0,
        volume,
        1e4 * thickness_um / volume,
        inverse_d,
        wavelength_angstrom,
    )
    return Lines(phase, inverse_d, fraction, np.zeros(inverse_d.shape))


def transmission_of_diamonds(wavelength_angstrom: float) -> float:
    """Of the direct beam through both anvils; sample and marker are thin."""
    return math.exp(-DIAMOND_UM * part_per_um("diamond", HC_KEV_ANGSTROM / wavelength_angstrom))


def pressed_sample(
    hidden: HiddenPressed, marker_gpa: float, wavelength_angstrom: float, air_mm: float
) -> Sample:
    """Make the sample: powder and marker, in the scattering of the anvils."""
    sample_gpa = (1 + hidden.between) * marker_gpa
    b_angstrom2 = scattering.DEBYE_WALLER_B_ANGSTROM2
    gold = np.full(3, marker_length(hidden, marker_gpa))
    lines = [
        _powder(SAMPLE, lengths_at(hidden, sample_gpa), SAMPLE_UM, b_angstrom2["oxide"], wavelength_angstrom),
        _powder(MARKER, gold, MARKER_UM, b_angstrom2["Au"], wavelength_angstrom),
    ]
    return Sample(
        lines,
        Halos(air_mm=air_mm, compton=DIAMOND_COMPTON),
        hidden.displacement_um,
        transmission=transmission_of_diamonds(wavelength_angstrom),
        opening_deg=OPENING_DEG,
    )


def truth_of_pressed(hidden: HiddenPressed, marker_gpa: float) -> dict[str, Any]:
    """What a frame was made from."""
    sample_gpa = (1 + hidden.between) * marker_gpa
    a, b, c = (float(one) for one in lengths_at(hidden, sample_gpa))
    return {
        "pressure_gpa": sample_gpa,
        "marker_gpa": marker_gpa,
        "a_angstrom": a,
        "b_angstrom": b,
        "c_angstrom": c,
        "marker_a_angstrom": marker_length(hidden, marker_gpa),
    }
