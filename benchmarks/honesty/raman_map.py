"""Amounts of species in a map of Raman spectra."""

from collections.abc import Mapping

import numpy as np

from benchmarks.honesty.ensembles import Measurement, Outcome
from benchmarks.honesty.raman_instrument import EXPOSURE_S, TO_SULFUR, instrument_of
from intercalate.materials.raman_sulfur import ELECTROLYTES, LONG, SHORT, SPECIES, SULFUR
from intercalate.orchestration.tasks import Grid
from intercalate.reduction.bands import SpectrumError
from intercalate.reduction.raman import sulfur_spectra
from intercalate.reduction.results import UNDETERMINED
from intercalate_sims.cell.sulfur_speciation import SulfurState
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.raman_sulfur import carbon_at, on_cathode, sulfur_lines

ELECTROLYTE, TOTAL_MOL_L = "LiTFSI in PY13-FSI", 7.4
POINTS, EXTENT_UM = 4, 60.0
FACE_MM = (1.5, 0.0)
"""Middle of the map, on the cathode."""
UNEVEN = 0.25
"""Largest amplitude by which the conversion differs over a map."""


class SulfurMap:
    """Species of sulfur on a cathode that has discharged further at some places than at others.

    Amounts are for an atom of carbon, of which there is more at some places as well. All points are read as
    one series, which tells more of the bands than the tables do; the quantities are those of one of them.
    """

    title = "Species of sulfur in a Raman map"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """All points as one series."""
        instrument, draw = instrument_of(world, TO_SULFUR), keyed_generator(world, "sulfur map", 0)
        middle, uneven = float(draw.uniform(0.1, 0.9)), float(draw.uniform(0.0, UNEVEN))
        wave, phase = (
            draw.uniform(-1.0, 1.0, 2) * 2.0 * np.pi / EXTENT_UM,
            float(draw.uniform(0.0, 2 * np.pi)),
        )
        chosen = int(draw.integers(POINTS**2))
        spectra, truth = [], []
        for number, (x_um, y_um) in enumerate(Grid(extent_um=EXTENT_UM, points=POINTS).points_um()):
            at = middle + uneven * float(np.cos(wave @ (x_um, y_um) + phase))
            sulfur = _sulfur(float(np.clip(at, 0.0, 1.0)))
            place_mm = (FACE_MM[0] + 1e-3 * x_um, FACE_MM[1] + 1e-3 * y_um)
            lines, carbon = sulfur_lines(world, sulfur, place_mm), carbon_at(world, place_mm)
            spectra.append(
                instrument.spectrum(
                    lambda probe, lines=lines: probe.oxide(lines, 1.0, EXPOSURE_S), 1000 * noise + number
                )
            )
            truth.append({name: amount / carbon for name, amount in on_cathode(sulfur).items()})
        found = sulfur_spectra(spectra, instrument.axis, ELECTROLYTES[ELECTROLYTE])
        one = found[chosen]
        if isinstance(one, SpectrumError):
            raise one
        return {
            name: Outcome(truth[chosen].get(name, 0.0), one.amounts.get(name, UNDETERMINED))
            for name in SPECIES
        }


def _sulfur(at: float) -> SulfurState:
    """Sulfur becomes long polysulfides, these short ones and Li2S, as far as a place has discharged."""
    elemental, later = max(0.0, 1.0 - 3.0 * at), max(0.0, at - 1 / 3)
    sulfide, short = 0.7 * later, 0.3 * later
    long = 1.0 - elemental - sulfide - short
    return SulfurState(
        ELECTROLYTE,
        TOTAL_MOL_L,
        ((SULFUR, elemental), ("Li2S", sulfide)),
        ((LONG, TOTAL_MOL_L * long), (SHORT, TOTAL_MOL_L * short)),
    )


MEASUREMENTS: tuple[Measurement, ...] = (SulfurMap(),)
