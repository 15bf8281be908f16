"""Chemical maps: a spectrum at each point of a grid over a sample that is not the same everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.xps import Analyser, HiddenXps, Region, expected_rate
from intercalate_sims.probes.xps_samples import Layer, Stack

_FINE = 5
"""Parts of a step in each direction."""


@dataclass(frozen=True)
class Grid:
    """Points of a map.

    Attributes
    ----------
    spot_um
        Full width at half maximum of what the analyser sees.
    """

    columns: int = 32
    rows: int = 32
    step_um: float = 10.0
    spot_um: float = 12.0


@dataclass(frozen=True, slots=True)
class Irregularity:
    """An ellipse in which the sample is another one.

    Attributes
    ----------
    x_um, y_um
        From the first point of the map.
    """

    x_um: float
    y_um: float
    semi_x_um: float
    semi_y_um: float

    @property
    def area_um2(self) -> float:
        """Of the ellipse."""
        return float(np.pi * self.semi_x_um * self.semi_y_um)


@dataclass(frozen=True)
class IrregularSample:
    """A sample with irregularities.

    Attributes
    ----------
    usual, other
        Stacks outside of irregularities and within.
    unevenness
        Relative, of everything that is seen, from point to point over some points: roughness.
    """

    usual: Stack
    other: Stack
    irregularities: tuple[Irregularity, ...]
    unevenness: float = 0.05


def lithium_aluminium(seed: int, count: int, grid: Grid) -> IrregularSample:
    """An alloy of lithium and aluminium with spots that lack lithium, each well apart from the next.

    Parameters
    ----------
    count
        Of irregularities; fewer where the grid has no room for them.
    """
    generator = keyed_generator(seed, "lithium aluminium", 0)
    width, height = (grid.columns - 1) * grid.step_um, (grid.rows - 1) * grid.step_um
    found: list[Irregularity] = []
    for _ in range(200 * count):
        if len(found) == count:
            break
        semi = generator.uniform(18.0, 45.0)
        stretch = np.exp(0.25 * generator.standard_normal())
        one = Irregularity(
            float(generator.uniform(70.0, width - 70.0)),
            float(generator.uniform(70.0, height - 70.0)),
            float(semi * stretch),
            float(semi / stretch),
        )
        far = all(
            np.hypot(one.x_um - other.x_um, one.y_um - other.y_um)
            > max(one.semi_x_um, one.semi_y_um) + max(other.semi_x_um, other.semi_y_um) + 40.0
            for other in found
        )
        if far:
            found.append(one)
    lacking = float(generator.uniform(0.4, 0.8))
    skin = [Layer("adventitious carbon", 0.4), Layer("Li2O", 0.6)]
    return IrregularSample(
        [*skin, Layer("LiAl")], [*skin, Layer({"LiAl": 1 - lacking, "Al": lacking})], tuple(found)
    )


def chemical_map(
    sample: IrregularSample,
    grid: Grid,
    regions: Sequence[Region],
    analyser: Analyser,
    hidden: HiddenXps,
    seed: int,
    key: int,
) -> dict[str, np.ndarray]:
    """What the detector counts at each point.

    Returns
    -------
    dict
        Counts by region, uint32, shape (rows, columns, points).
    """
    share = _share(sample, grid)
    rough = keyed_generator(seed, "roughness", 0).standard_normal((grid.rows, grid.columns))
    rough = gaussian_filter(rough, 3.0, mode="reflect")
    brightness = np.exp(sample.unevenness * rough / max(float(rough.std()), 1e-12))
    found = {}
    for region in regions:
        usual, other = (
            expected_rate(stack, region, analyser, hidden) for stack in (sample.usual, sample.other)
        )
        rate = brightness[..., None] * ((1 - share)[..., None] * usual + share[..., None] * other)
        counted = rate / (1.0 + rate * analyser.dead_time_s * hidden.dead_time)
        generator = keyed_generator(seed, f"map {region.name}", key)
        found[region.name] = generator.poisson(counted * region.dwell_s * region.sweeps).astype(np.uint32)
    return found


def _share(sample: IrregularSample, grid: Grid) -> np.ndarray:
    """Of irregularities in what is seen at each point, shape (rows, columns)."""
    margin = 4
    fine = grid.step_um / _FINE
    x, y = (
        (np.arange((count + 2 * margin) * _FINE) - margin * _FINE - (_FINE - 1) / 2) * fine
        for count in (grid.columns, grid.rows)
    )
    inside = np.zeros((y.size, x.size))
    for one in sample.irregularities:
        square = ((x[None, :] - one.x_um) / one.semi_x_um) ** 2 + (
            (y[:, None] - one.y_um) / one.semi_y_um
        ) ** 2
        inside[square < 1] = 1.0
    blurred = gaussian_filter(inside, grid.spot_um / 2.3548 / fine)
    centre = margin * _FINE + (_FINE - 1) // 2
    return blurred[centre::_FINE, centre::_FINE][: grid.rows, : grid.columns]
