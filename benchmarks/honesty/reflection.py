"""Lithium by depth in reflection, from frames of a tilted cell; each takes a second."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.bench_chain import FLUX
from benchmarks.depth_in_process import BEAM_MM
from benchmarks.honesty.diffraction import (
    CELL,
    ENERGY_KEV,
    OLIVINE,
    Seen,
    Tilted,
    described,
    estimate_of,
    taken_on,
)
from benchmarks.honesty.ensembles import Measurement, Outcome
from intercalate.analysis import Exposure
from intercalate.beam_quality import BeamQuality
from intercalate.orchestration.tasks import INCIDENCE
from intercalate.reflection import reduce_reflection, wedge
from intercalate_sims.beam import Optics

SLIT_MM, EXPOSURE_S = 0.05, 300.0


def reduced(world: int, noise: int) -> tuple[xr.Dataset, Seen]:
    """One frame of the coating of a world, reduced and fitted, and what the line truly sees of it."""
    instrument, known = taken_on(world, OLIVINE, noise)
    tilted, size_mm = Tilted.draw(world), (BEAM_MM, SLIT_MM)
    passed = Optics(ENERGY_KEV, *size_mm).share / Optics(ENERGY_KEV, BEAM_MM, BEAM_MM).share
    frame, _ = instrument.take(
        CELL,
        EXPOSURE_S,
        [(1.0, tilted.state)],
        beam=(passed * FLUX, size_mm),
        settings={INCIDENCE: tilted.true_deg - instrument.hidden.incidence_deg},
    )
    frames: Any = [frame]
    data = reduce_reflection(
        frames,
        [Exposure(quality=BeamQuality.VALID)],
        np.array([tilted.shown_deg]),
        wedge(known.chain),
        described("lfp_thick_lithium_reflection"),
        options=known.options,
    )
    return data, Seen.of(tilted.state, tilted.true_deg, ENERGY_KEV * (1.0 + instrument.hidden.energy))


class LithiumByDepth:
    """Lithium content of a coating with a gradient, as the line weights it by depth."""

    title = "Lithium below the collector in reflection"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """At one angle; it is not determined where no phase was found, or only one that may be the other."""
        data, true = reduced(world, noise)
        return {"lithium content that is seen": Outcome(true.lithium, estimate_of(data, "lithium_seen", 0))}


MEASUREMENTS: tuple[Measurement, ...] = (LithiumByDepth(),)
