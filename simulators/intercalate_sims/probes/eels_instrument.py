"""A spectrometer of electron losses: as on paper, and by how much an instrument differs from that."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from intercalate.materials.model import Mark, Source
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.eels_compounds import COLLECTION_MRAD

COLLECTIONS_MRAD = (10.0, 50.0)
"""Semi-angles that spectrometers are used with."""
CAMERA_TAIL, CAMERA_TAIL_SPREAD, CAMERA_TAIL_CHANNELS = 0.012, 0.5, 5.0
"""Share of the light, logarithmic standard deviation, and over how many channels it falls by e."""
CAMERA_LEAN = 0.2
"""Standard deviation of how much more of it goes to one side than to the other."""
CAMERA_SOURCE = Source(
    "electrons of 200 kV are scattered back within some 0.1 mm, five to seven pixels of 15 um; that direct "
    "detectors have weaker tails than scintillators: Hart et al., Sci. Rep. 7 (2017) 8243; the share",
    Mark.UNSURE,
)
CROSS_SECTION_SOURCE = Source(
    "computed cross-sections of K shells are good to about 10 %, of L shells to about 15 %: Egerton, "
    "Ultramicroscopy 50 (1993) 13; mean free paths to about 10 %: Iakoubovskii et al. 2008",
    Mark.RECALLED,
)


@dataclass(frozen=True)
class EelsSpectrometer:
    """Spectrometer and camera, which takes low losses and core losses one after the other at each pixel.

    Attributes
    ----------
    low_first_ev, core_first_ev
        Loss of the first channel of both windows.
    low_share
        Of the dwell time, for low losses.
    point_spread
        Of the light of one electron over channels.
    """

    channels: int = 1024
    dispersion_ev: float = 0.3
    low_first_ev: float = -20.0
    core_first_ev: float = 505.0
    resolution_ev: float = 0.9
    low_share: float = 0.03
    counts_per_electron: float = 4.0
    read_noise_electrons: float = 1.5
    dark_counts: float = 200.0
    full_well_counts: float = 4.0e6
    point_spread: tuple[float, ...] = (0.08, 0.84, 0.08)


@dataclass(frozen=True)
class HiddenEels:
    """By how much a spectrometer and its samples differ from what is on paper.

    Attributes
    ----------
    dispersion
        Relative.
    offset_ev
        Of both windows.
    drift_ev
        Of the zero loss over an image: standard deviation.
    fine_structure
        Relative standard deviation of the shapes of edges between a sample and a reference.
    ratio_factor
        On the white-line ratio, for all cobalt.
    tail_ev
        Of the valence losses.
    glare
        Electrons of the spectrometer's walls, per channel and incident electron.
    collection_mrad
        Semi-angle of what the spectrometer takes in.
    camera_tail
        Of the light of one electron, what goes far to both sides: electrons are scattered back into the
        scintillator by what carries it.
    camera_lean
        How much more of that goes up than down, relative.
    cross_section, free_path
        Relative standard deviation of what shells and compounds scatter from what tables have; the same in
        all samples of an instrument.
    """

    dispersion: float = 0.0
    offset_ev: float = 0.0
    drift_ev: float = 0.2
    fine_structure: float = 0.02
    ratio_factor: float = 1.0
    tail_ev: float = 120.0
    glare: float = 2e-8
    collection_mrad: float = COLLECTION_MRAD
    camera_tail: float = 0.0
    camera_lean: float = 0.0
    cross_section: float = 0.12
    free_path: float = 0.1

    @classmethod
    def draw(cls, seed: int) -> Self:
        """A spectrometer of this seed."""
        generator = keyed_generator(seed, "eels", 0)
        normal = generator.standard_normal(6)
        low, high = COLLECTIONS_MRAD
        return cls(
            dispersion=2e-4 * float(normal[0]),
            offset_ev=0.8 * float(normal[1]),
            drift_ev=0.2 * float(np.exp(0.4 * normal[2])),
            ratio_factor=1.0 + 0.05 * float(normal[3]),
            tail_ev=120.0 * float(np.exp(0.3 * normal[4])),
            glare=2e-8 * float(np.exp(normal[5])),
            collection_mrad=low * (high / low) ** float(generator.random()),
            camera_tail=CAMERA_TAIL * float(np.exp(CAMERA_TAIL_SPREAD * generator.standard_normal())),
            camera_lean=CAMERA_LEAN * float(generator.standard_normal()),
        )
