"""Diffraction beyond lattices: amounts of crystals by their structures, and by depth in reflection.

A calibrated instrument takes seconds: fifty worlds share one, each with samples of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks.bench_chain import EXPOSURE_S, Calibrated, Instrument, calibrated, monitor
from benchmarks.honesty.ensembles import Measurement, Outcome
from intercalate.analysis import Exposure, reduce_and_quantify
from intercalate.beam_quality import BeamQuality
from intercalate.cell import Cell
from intercalate.config import EXAMPLES
from intercalate.materials.constants import HC_KEV_ANGSTROM
from intercalate.reduction.crystal_amounts import structure_sigma, sulfur_crystals
from intercalate.reduction.depth import FRONT, WEDGE_DEG, Coating, front_share
from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate.reflection import coating_of
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
ANGLES_DEG = (1.0, 8.0)
LINE_ANGSTROM = 2.72
"""Spacing of the line by which shares are reckoned, of the lithium-rich phase."""


@lru_cache(maxsize=2)
def _instrument_of(number: int, model: str) -> tuple[Instrument, Calibrated]:
    instrument = Instrument(number, model)
    return instrument, calibrated(instrument)


def taken_on(world: int, model: str, noise: int) -> tuple[Instrument, Calibrated]:
    """Instrument of a world, its noise that of this measurement."""
    instrument, known = _instrument_of(world // WORLDS_OF_ONE, model)
    instrument.begin(1000 * world + noise)
    return instrument, known


def described(name: str) -> Cell:
    return Cell.from_file(EXAMPLES / "cells" / f"{name}.toml")


def estimate_of(data: Mapping, name: str, frame: int) -> Estimate:
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
        instrument, known = taken_on(world, SULFUR, noise)
        draw = keyed_generator(world, "crystals of sulfur", 0)
        both, alone = (draw.uniform(0.1, 0.9), draw.uniform(0.05, 0.4)), draw.uniform(0.1, 0.9)
        stronger = float(np.exp(structure_sigma(*reversed(sulfur_crystals(0.0))) * draw.standard_normal()))
        course = [(1.0, 0.0), (both[0], stronger * both[1]), (0.0, stronger * alone)]
        shots = [instrument.take(CELL, EXPOSURE_S, [(1.0, _with_crystals(*amounts))]) for amounts in course]
        exposures = [
            Exposure(monitor(counts, EXPOSURE_S), BeamQuality.VALID, follows=number > 0)
            for number, (_, counts) in enumerate(shots)
        ]
        frames: Any = [frame for frame, _ in shots]
        data = reduce_and_quantify(frames, exposures, known.chain, described("sulfur_lithium_operando"))
        return {
            "S8": Outcome(both[0], estimate_of(data, "amount.S8", 1)),
            "Li2S beside S8": Outcome(both[1], estimate_of(data, "amount.Li2S", 1)),
            "Li2S": Outcome(alone, estimate_of(data, "amount.Li2S", 2)),
            "S8 that is gone": Outcome(0.0, estimate_of(data, "amount.S8", 2)),
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
    contents = np.linspace(float(ends[0]), float(ends[1]), len(state.positive.li_content))
    loading_mg_cm2 = mass * state.positive.active_loading_mg_cm2
    positive = replace(
        state.positive, li_content=tuple(contents.tolist()), active_loading_mg_cm2=loading_mg_cm2
    )
    return replace(state, positive=positive)


@dataclass(frozen=True)
class Tilted:
    """A coating with a gradient at an angle that the axis shows, and how it really is.

    Zero of the axis and density of the coating are those of a world; the density differs from what is told by
    as much as is declared.
    """

    state: ProbeState
    shown_deg: float
    true_deg: float

    @classmethod
    def draw(cls, world: int) -> "Tilted":
        """Any gradient, and angles at which the coating is seen in part or in whole."""
        draw = keyed_generator(world, "coating in reflection", 0)
        shown_deg = float(np.exp(draw.uniform(*np.log(ANGLES_DEG))))
        denser = 1.0 + Coating.per_um_sigma * float(draw.standard_normal())
        state = _coated(draw.uniform(0.1, 0.9, 2), denser)
        return cls(state, shown_deg, shown_deg + Hidden.draw(world, ["H1"], [CELL]).incidence_deg)


class FrontShare:
    """How much of what a line sees of a coating is next to the collector.

    There is no counting in it: angle, attenuation and thickness are known to what they are known.
    """

    title = "Share next to the collector in reflection"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """At one angle."""
        tilted, cell = Tilted.draw(world), described("lfp_thick_lithium_reflection")
        two_theta_deg = 2 * np.degrees(np.arcsin(HC_KEV_ANGSTROM / ENERGY_KEV / 2 / LINE_ANGSTROM))
        found = front_share(coating_of(cell, ENERGY_KEV), tilted.shown_deg, float(two_theta_deg))
        true = Seen.of(tilted.state, tilted.true_deg, ENERGY_KEV)
        return {"share next to the collector": Outcome(true.front, found)}


MEASUREMENTS: tuple[Measurement, ...] = (CrystalAmounts(), FrontShare())
