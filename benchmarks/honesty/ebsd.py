"""Orientation maps: size of grains, and whether they are the same after heating."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from benchmarks.honesty.ensembles import Outcome
from intercalate.reduction.ebsd import GrainMap, compare, grain_map, orientation_map
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.ebsd import EbsdConditions, Grains, HiddenIndexing, OrientationCounts
from intercalate_sims.probes.ebsd import orientation_map as simulated

CONDITIONS = EbsdConditions(step_um=1.0, rows=80, columns=80)


def grains_of(world: int) -> Grains:
    return Grains(diameter_um=float(keyed_generator(world, "grain size", 0).uniform(8.0, 16.0)))


def _taken(world: int, noise: int, grains: Grains, detector: int) -> tuple[OrientationCounts, GrainMap]:
    one = simulated(grains, CONDITIONS, HiddenIndexing.draw(detector), world, 10.0 + noise)
    return one, grain_map(orientation_map(one.euler_deg, one.band_contrast, one.indexed, CONDITIONS.step_um))


class GrainSize:
    """Size of the grains of a field, against the field's own grains."""

    title = "Size of grains in an orientation map"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Mean over grains inside the field, and mean intercept."""
        one, found = _taken(world, noise, grains_of(world), world)
        grain, step = one.grain, CONDITIONS.step_um
        number, points = np.unique(grain, return_counts=True)
        side = np.concatenate([grain[0], grain[-1], grain[:, 0], grain[:, -1]])
        diameter = 2 * np.sqrt(points[~np.isin(number, side)] / np.pi).mean() * step
        crossings = np.sum(np.diff(grain, axis=0) != 0) + np.sum(np.diff(grain, axis=1) != 0)
        return {
            "diameter of the field's grains, um": Outcome(float(diameter), found.diameter_um),
            "intercept, um": Outcome(float(2 * grain.size * step / crossings), found.intercept_um),
        }


class NewGrains:
    """The same grains with another detector, or those that have frozen anew."""

    title = "New grains after heating"
    classes = ("new", "same")

    def sort(self, number: int) -> tuple[str, str]:
        """Every second sample has melted."""
        melted = number % 2 == 0
        grains = grains_of(number)
        _, before = _taken(number, 0, grains, number)
        _, after = _taken(number, 1, replace(grains, generation=int(melted)), number + 1)
        found = compare(before, after)
        return (
            "new" if melted else "same",
            "new" if found.are_new else "same" if found.are_same else "unclear",
        )


MEASUREMENTS = (GrainSize(),)
SORTINGS = (NewGrains(),)
