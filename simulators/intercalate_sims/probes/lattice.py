"""From the lithium in an electrode to the crystals a probe meets, with their shares of the material."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import ndtri

from intercalate.materials import GRAPHITE, NMC811, Mark, Source
from intercalate.materials.crystals import crystal, phase_diagram
from intercalate_sims.cell.hosts import Host
from intercalate_sims.cell.interface import ElectrodeState

CRYSTALLITES_PER_SLICE = 15
"""Lithium contents by which the spread inside one slice is sampled, all of equal weight."""


@cache
def _nmc_axes() -> Callable[[np.ndarray], np.ndarray]:
    """Lengths of a and c by lithium content, in columns."""
    from scipy.interpolate import PchipInterpolator

    rows = list(reversed(NMC811.lattice))
    return PchipInterpolator(
        [row.li_content for row in rows], [(row.a_angstrom, row.c_angstrom) for row in rows]
    )


def _unit_normal_nodes(count: int) -> np.ndarray:
    nodes = ndtri((np.arange(count) + 0.5) / count)
    return nodes / nodes.std()


_NODES = _unit_normal_nodes(CRYSTALLITES_PER_SLICE)


@dataclass(frozen=True, slots=True)
class Crystallites:
    """Lithium contents met in one electrode during an exposure.

    Attributes
    ----------
    li_content, weight
        Flat arrays; the weights sum to 1 over the material and the exposure.
    depth_um
        Distance of each from the face of the coating that touches the separator.
    """

    li_content: np.ndarray
    weight: np.ndarray
    depth_um: np.ndarray


def crystallites(weighted: Sequence[tuple[float, ElectrodeState]]) -> Crystallites:
    """Sample the lithium contents of an electrode over slices, spread and time.

    Raises
    ------
    ValueError
        If a state has no slices, or as many spreads as slices are not given.
    """
    contents, weights, depths = [], [], []
    for weight, state in weighted:
        mean = np.asarray(state.li_content, dtype=float)
        spread = np.asarray(state.li_spread, dtype=float)
        if mean.size == 0 or spread.shape != mean.shape:
            raise ValueError(
                f"electrode {state.material}: li_content has {mean.size} slices and li_spread {spread.size}; "
                "an intercalation electrode needs the same number, at least 1, of both"
            )
        content = np.clip(mean[:, None] + spread[:, None] * _NODES, 0.0, 1.0)
        depth = (np.arange(mean.size) + 0.5) / mean.size * state.thickness_um
        contents.append(content.ravel())
        weights.append(np.full(content.size, weight / content.size))
        depths.append(np.repeat(depth, CRYSTALLITES_PER_SLICE))
    weight_all = np.concatenate(weights)
    return Crystallites(np.concatenate(contents), weight_all / weight_all.sum(), np.concatenate(depths))


def one_by_one(
    weighted: Sequence[tuple[float, ElectrodeState]],
) -> list[tuple[float, ElectrodeState, Crystallites]]:
    """Each state with its part of the exposure and its own crystallites, whose rates may differ."""
    total = sum(weight for weight, _ in weighted)
    return [(weight / total, state, crystallites([(1.0, state)])) for weight, state in weighted]


def oxide_lattice(li_content: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a and c of NMC811 in A, monotone between the rows of the table."""
    axes = _nmc_axes()(li_content)
    return axes[..., 0], axes[..., 1]


LITHIUM_RICH = "Li-rich NMC"


def lithium_rich_lattice(li_content: np.ndarray, host: str = Host.STAGED) -> tuple[np.ndarray, np.ndarray]:
    """a and c in A of the mean layered structure of Li1.2Co0.1Mn0.55Ni0.15O2.

    In the real one c grows until oxygen takes part, and a falls; from there on c falls and a stays. In
    another world both change evenly from the fresh lattice to where c is largest, or the other way.
    """
    lengths = crystal(LITHIUM_RICH).lengths_at(li_content)
    table = np.array([row.lengths_angstrom for row in crystal(LITHIUM_RICH).lattice])
    fresh, turn = table[-1], table[np.argmax(table[:, 2])]
    match Host(host):
        case Host.STEADY:
            lengths = turn + np.asarray(li_content, dtype=float)[..., None] * (fresh - turn)
        case Host.MIRRORED:
            lengths = 2.0 * fresh - lengths
    return lengths[..., 0], lengths[..., 2]


@dataclass(frozen=True, slots=True)
class StageShare:
    """How much of the material is in one stage, crystallite by crystallite.

    Attributes
    ----------
    fraction
        Share of the carbon of each crystallite.
    li_content, layer_spacing_angstrom, in_plane_a_angstrom
        Of this stage in each crystallite.
    """

    stage: str
    fraction: np.ndarray
    li_content: np.ndarray
    layer_spacing_angstrom: np.ndarray
    in_plane_a_angstrom: np.ndarray


def _single_phase_rows() -> np.ndarray:
    rows = []
    for stage in GRAPHITE.stages:
        if stage.key in ("1'", "4", "3", "2L"):
            ends = zip(stage.li_content, stage.layer_spacing_angstrom, stage.in_plane_a_angstrom)
            rows.extend(ends)
    return np.array(rows)


_DILUTE = _single_phase_rows()
_STAGE_2 = GRAPHITE.stage("2")
_STAGE_1 = GRAPHITE.stage("1")
_DILUTE_LIMIT = GRAPHITE.stage("2L").li_content[1]
_DILUTE_STARTS = [
    (stage.key, stage.li_content[0]) for stage in GRAPHITE.stages if stage.key in ("1'", "4", "3", "2L")
]


_LATE_ONSET = 0.9
"""Lithium content up to which a late host does not expand."""


def graphite_stages(li_content: np.ndarray, host: str = Host.STAGED) -> list[StageShare]:
    """Stages of LixC6, in real graphite or another host."""
    x = np.asarray(li_content, dtype=float)
    match Host(host):
        case Host.REVERSED:
            return _real_stages(1.0 - x)
        case Host.LATE:
            full = np.clip((x - _LATE_ONSET) / (1.0 - _LATE_ONSET), 0.0, 1.0)
            return [_between("1'", 1 - full, x, 0.0 * x), _between("1", full, x, 1.0 + 0.0 * x)]
        case Host.SOLID_SOLUTION:
            return [_between("2L", 1.0 + 0.0 * x, x, x)]
        case _:
            return _real_stages(x)


def _between(stage: str, fraction: np.ndarray, li_content: np.ndarray, place: np.ndarray) -> StageShare:
    """A phase with the lattice of empty graphite (`place` 0), of LiC6 (1), or evenly between."""
    empty, full = GRAPHITE.stage("1'"), _STAGE_1
    d, a = (
        low + place * (high - low)
        for low, high in (
            (empty.layer_spacing_angstrom[0], full.layer_spacing_angstrom[1]),
            (empty.in_plane_a_angstrom[0], full.in_plane_a_angstrom[1]),
        )
    )
    return StageShare(stage, fraction, li_content, d, a)


def _real_stages(x: np.ndarray) -> list[StageShare]:
    """Spacings drift up to 2L, then two phases coexist by the lever rule.

    2L and 2 coexist between their windows, 2 and 1 between x = 0.5 and 1.
    """
    shares = []
    dilute_x = np.minimum(x, _DILUTE_LIMIT)
    dilute_fraction = np.clip(
        (_STAGE_2.li_content[0] - x) / (_STAGE_2.li_content[0] - _DILUTE_LIMIT), 0.0, 1.0
    )
    d = np.interp(dilute_x, _DILUTE[:, 0], _DILUTE[:, 1])
    a = np.interp(dilute_x, _DILUTE[:, 0], _DILUTE[:, 2])
    starts = np.array([start for _, start in _DILUTE_STARTS])
    which = np.searchsorted(starts, dilute_x, side="right") - 1
    for position, (key, _) in enumerate(_DILUTE_STARTS):
        fraction = np.where(which == position, dilute_fraction, 0.0)
        shares.append(StageShare(key, fraction, dilute_x, d, a))
    low, high = _STAGE_2.li_content[1], _STAGE_1.li_content[0]
    rich_fraction = np.clip((x - low) / (high - low), 0.0, 1.0)
    ones = np.ones_like(x)
    for stage, fraction in ((_STAGE_2, 1 - dilute_fraction - rich_fraction), (_STAGE_1, rich_fraction)):
        shares.append(
            StageShare(
                stage.key,
                fraction,
                stage.li_content[0] * ones,
                stage.layer_spacing_angstrom[0] * ones,
                stage.in_plane_a_angstrom[0] * ones,
            )
        )
    return shares


SOLUTION_SHARE = 0.35
"""Largest part of the lithium that LFP takes up between its phases by changing their compositions. Both stay
where their lattices are known, by Vegard's law."""
SOLUTION_RATE_PER_H = 1.2
"""Change of x per hour at which the share is 1 - 1/e of that."""
SOLUTION_SOURCE = Source("a share that grows with rate and is never all; no measurement", Mark.ILLUSTRATION)


@dataclass(frozen=True, slots=True)
class CrystalShare:
    """How much of the material is in one phase, crystallite by crystallite.

    Attributes
    ----------
    fraction
        Share of the sites of each crystallite.
    li_content
        Of this phase in each crystallite.
    lengths_angstrom
        a, b and c, shape (..., 3).
    """

    phase: str
    fraction: np.ndarray
    li_content: np.ndarray
    lengths_angstrom: np.ndarray


def solution_share(rate_per_h: float, host: str = Host.STAGED) -> float:
    """Part of the lithium that goes into or out of the two phases of LFP as they are, and converts none.

    Real LFP, and one in which the share falls with rate, or is nothing.
    """
    within = float(np.exp(-rate_per_h / SOLUTION_RATE_PER_H))
    match Host(host):
        case Host.STATIC:
            return 0.0
        case Host.SLOW_SOLUTION:
            return SOLUTION_SHARE * within
        case _:
            return SOLUTION_SHARE * (1.0 - within)


def olivine_phases(
    li_content: np.ndarray, host: str = Host.STAGED, rate_per_h: float = 0.0
) -> list[CrystalShare]:
    """FePO4 and LFP that coexist, by the lever rule.

    Between the windows in which each is alone, with limits p and r, u = (r - x) / (r - p) of the material is
    FePO4. Of a share s of solid solution both are the poorer in lithium the further that is: LFP has
    r - s (r - p) u, and FePO4 p + s (r - p) (1 - u). The mean over both is x at any s. Static phases
    have x = 0 and x = 1, whatever the rate.
    """
    x = np.asarray(li_content, dtype=float)
    (_, _, poor_limit), (_, rich_limit, _) = phase_diagram("LFP").windows
    if Host(host) is Host.STATIC:
        poor_limit, rich_limit = 0.0, 1.0
    width = rich_limit - poor_limit
    turned = np.clip((rich_limit - x) / width, 0.0, 1.0)
    moved = solution_share(rate_per_h, host) * width
    poor = np.minimum(x, poor_limit + moved * (1.0 - turned))
    rich = np.maximum(x, rich_limit - moved * turned)
    return [
        CrystalShare(phase, fraction, content, crystal(phase).lengths_at(content))
        for phase, fraction, content in (("FePO4", turned, poor), ("LFP", 1.0 - turned, rich))
    ]
