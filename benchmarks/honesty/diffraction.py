"""Diffraction beyond lattices: amounts of crystals by their structures, and by depth in reflection.

A calibrated instrument takes seconds: fifty worlds share one, each with samples of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from benchmarks.bench_chain import EXPOSURE_S, FLUX, Calibrated, Instrument, calibrated, monitor
from benchmarks.depth_in_process import BEAM_MM
from benchmarks.honesty.ensembles import Measurement, Outcome
from intercalate.analysis import Exposure, reduce_and_quantify
from intercalate.beam_quality import BeamQuality
from intercalate.cell import Cell
from intercalate.config import EXAMPLES
from intercalate.materials.constants import HC_KEV_ANGSTROM
from intercalate.orchestration.tasks import INCIDENCE
from intercalate.reduction.crystal_amounts import structure_sigma, sulfur_crystals
from intercalate.reduction.depth import FRONT, WEDGE_DEG
from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate.reflection import reduce_reflection, wedge
from intercalate_sims.beam import Optics
from intercalate_sims.cell import make_cell
from intercalate_sims.cell.interface import ProbeState
from intercalate_sims.hidden import Hidden
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.powder import makeup_of
from intercalate_sims.probes.reflection import Stack, sine_of_exit

CELL = "A1"
SULFUR, OLIVINE = "sulfur-li", "lfp-thick-li"
WORLDS_OF_ONE = 50
ENERGY_KEV = 25.0
SLIT_MM, REFLECTED_S = 0.05, 300.0
ANGLES_DEG = (1.0, 8.0)
LINE_ANGSTROM = 2.72
"""Spacing of the line by which shares are reckoned, of the lithium-rich phase."""


@lru_cache(maxsize=2)
def _instrument_of(number: int, model: str) -> tuple[Instrument, Calibrated]:
    instrument = Instrument(number, model)
    return instrument, calibrated(instrument)


def _taken_on(world: int, model: str, noise: int) -> tuple[Instrument, Calibrated]:
    """Instrument of a world, its noise that of this measurement."""
    instrument, known = _instrument_of(world // WORLDS_OF_ONE, model)
    instrument.begin(1000 * world + noise)
    return instrument, known


def _described(name: str) -> Cell:
    return Cell.from_file(EXAMPLES / "cells" / f"{name}.toml")


def _estimate(data: Mapping, name: str, frame: int) -> Estimate:
    if name not in data:
        return UNDETERMINED
    values = (float(np.asarray(data[f"{name}{end}"])[frame]) for end in ("", "_sigma_stat", "_sigma_sys"))
    return Estimate(*values)


class CrystalAmounts:
    """Sulfur that dissolves and Li2S that grows, in parts of the sulfur of the first pattern.

    Structures are not quite those of the tables: in each world the lines of Li2S are stronger or weaker than
    they should be, by what is declared of it.
    """

    title = "Amounts of crystals by diffraction"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Of a pattern with both, and of one with Li2S alone."""
        instrument, known = _taken_on(world, SULFUR, noise)
        draw = keyed_generator(world, "crystals of sulfur", 0)
        both, alone = (draw.uniform(0.1, 0.9), draw.uniform(0.05, 0.4)), draw.uniform(0.1, 0.9)
        stronger = float(np.exp(structure_sigma(*reversed(sulfur_crystals(0.0))) * draw.standard_normal()))
        course = [(1.0, 0.0), (both[0], stronger * both[1]), (0.0, stronger * alone)]
        shots = [instrument.take(CELL, EXPOSURE_S, [(1.0, _with_crystals(*amounts))]) for amounts in course]
        exposures = [Exposure(monitor(counts, EXPOSURE_S), BeamQuality.VALID) for _, counts in shots]
        frames = [frame for frame, _ in shots]
        data = reduce_and_quantify(frames, exposures, known.chain, _described("sulfur_lithium_operando"))
        return {
            "S8": Outcome(both[0], _estimate(data, "amount.S8", 1)),
            "Li2S beside S8": Outcome(both[1], _estimate(data, "amount.Li2S", 1)),
            "Li2S": Outcome(alone, _estimate(data, "amount.Li2S", 2)),
            "S8 that is gone": Outcome(0.0, _estimate(data, "amount.S8", 2)),
        }


def _with_crystals(sulfur: float, sulfide: float) -> ProbeState:
    state = _state(SULFUR)
    assert state.sulfur is not None
    solid = dict(state.sulfur.solid)
    whole = solid["S8"]
    solid.update({"S8": whole * sulfur, "Li2S": whole * sulfide})
    return replace(state, sulfur=replace(state.sulfur, solid=tuple(solid.items())))


@lru_cache(maxsize=2)
def _state(model: str) -> ProbeState:
    return make_cell(model).probe_state()


@dataclass(frozen=True)
class Seen:
    """What a line sees of a coating, by the stack of the simulator: lithium content, and the share of the
    weights that is next to the collector.
    """

    lithium: float
    front: float

    @classmethod
    def of(cls, state: ProbeState, incidence_deg: float, energy_kev: float) -> "Seen":
        """At the true angle, over the azimuths that are integrated."""
        makeup = makeup_of(OLIVINE)
        stack = Stack(state, makeup, energy_kev)
        angle = np.radians(incidence_deg)
        two_theta = np.array([2 * np.arcsin(HC_KEV_ANGSTROM / energy_kev / 2 / LINE_ANGSTROM)])
        inside_um = (np.arange(3000) + 0.5) / 3000 * state.positive.thickness_um
        optical = stack.optical_depth(makeup.positive_collector_um + inside_um)
        weight = np.zeros(inside_um.size)
        for azimuth in np.radians(np.linspace(*WEDGE_DEG, 51)):
            leaving = float(sine_of_exit(two_theta, azimuth, angle)[0])
            if leaving > 0:
                weight += np.exp(-optical * (1 / np.sin(angle) + 1 / leaving))
        weight /= weight.sum()
        # Slices count from the separator.
        slices = np.array(state.positive.li_content)[::-1]
        share = inside_um / state.positive.thickness_um
        number = np.minimum((share * slices.size).astype(int), slices.size - 1)
        return cls(float(weight @ slices[number]), float(weight[share < FRONT].sum()))


def _coated(ends: np.ndarray, mass: float) -> ProbeState:
    """With a gradient from the separator to the collector."""
    state = _state(OLIVINE)
    contents = np.linspace(*ends, len(state.positive.li_content))
    loading_mg_cm2 = mass * state.positive.active_loading_mg_cm2
    positive = replace(
        state.positive, li_content=tuple(contents.tolist()), active_loading_mg_cm2=loading_mg_cm2
    )
    return replace(state, positive=positive)


class DepthInReflection:
    """Lithium as it is weighted by depth, and how much of the weights is next to the collector.

    The zero of the axis is not known, nor how dense the coating is.
    """

    title = "Depth below the collector in reflection"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """At one angle, of a coating with a gradient."""
        instrument, known = _taken_on(world, OLIVINE, noise)
        draw = keyed_generator(world, "coating in reflection", 0)
        shown_deg = float(np.exp(draw.uniform(*np.log(ANGLES_DEG))))
        ends = draw.uniform(0.1, 0.9, 2)
        # Zero of the axis and mass are those of a world, not of the instrument that many of them share.
        own = Hidden.draw(world, ["H1"], [CELL])
        true_deg = shown_deg + own.incidence_deg
        state = _coated(ends, own.cell(CELL).active_mass)
        size_mm = (BEAM_MM, SLIT_MM)
        passed = Optics(25.0, *size_mm).share / Optics(25.0, BEAM_MM, BEAM_MM).share
        frame, _ = instrument.take(
            CELL,
            REFLECTED_S,
            [(1.0, state)],
            beam=(passed * FLUX, size_mm),
            settings={INCIDENCE: true_deg - instrument.hidden.incidence_deg},
        )
        data = reduce_reflection(
            [frame],
            [Exposure(quality=BeamQuality.VALID)],
            np.array([shown_deg]),
            wedge(known.chain),
            _described("lfp_thick_lithium_reflection"),
            options=known.options,
        )
        true = Seen.of(state, true_deg, ENERGY_KEV * (1.0 + instrument.hidden.energy))
        return {
            "lithium content that is seen": Outcome(true.lithium, _estimate(data, "lithium_seen", 0)),
            "share next to the collector": Outcome(true.front, _estimate(data, "front_share", 0)),
        }


MEASUREMENTS: tuple[Measurement, ...] = (CrystalAmounts(), DepthInReflection())
