"""Frames of a cell that is tilted: from counts at several angles of incidence to lithium by depth."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from intercalate.analysis import Exposure, Frames, Progress, phases_of, reduce_and_fit
from intercalate.cell import Cell, Electrode
from intercalate.dose import formula_of
from intercalate.materials.attenuation import COMPOUNDS, attenuation_per_um, part_per_um
from intercalate.materials.constants import HC_KEV_ANGSTROM
from intercalate.reduction import FitOptions, FitPhase
from intercalate.reduction.chain import ReductionChain
from intercalate.reduction.depth import WEDGE_DEG, Coating, Reflecting, seen

_SPACING_ANGSTROM = 2.74
"""Of the line by which shares are reckoned, 301, between that of LFP and that of FePO4."""

TRANSMISSION_DEG = 90.0
"""Where the beam passes straight through a sample."""

SMALLEST_TRANSMISSION_DEG = 80.0
"""From which on a sample is not taken to be tilted."""

SAME_DEG = 0.005
"""Within which two angles are the same."""

DEPTH_SIGMA = 0.1
"""Relative, of the depth at which a phase is seen: its distribution is not that of the coating."""


def is_reflection(incidence_deg: np.ndarray) -> bool:
    """Whether frames at these angles are of a tilted cell.

    Raises
    ------
    ValueError
        If some are and some are not.
    """
    tilted = np.asarray(incidence_deg) < SMALLEST_TRANSMISSION_DEG
    if tilted.any() and not tilted.all():
        raise ValueError(
            f"{int(tilted.sum())} of {tilted.size} frames are of a tilted cell, the others in transmission; "
            "make two measurements of them"
        )
    return bool(tilted.any())


def coating_of(cell: Cell, energy_kev: float) -> Coating:
    """The working electrode of a cell, whose collector is under the window.

    Raises
    ------
    ValueError
        If something that is needed is not known of the cell.
    """
    working = cell.working_electrode
    thickness_um = _known(working.thickness_um, f"{cell.working}.thickness_um")
    loading_mg_cm2 = _known(_loading(working), f"{cell.working}.loading_mg_cm2")
    collector_um = _known(working.collector_thickness_um, f"{cell.working}.collector_thickness_um")
    density_g_cm3 = loading_mg_cm2 * 1e-3 / (thickness_um * 1e-4)
    pores = (working.porosity or 0.0) * part_per_um("electrolyte", energy_kev)
    cover = collector_um * part_per_um(str(working.collector), energy_kev)
    if cell.window_material in COMPOUNDS and cell.window_thickness_um is not None:
        cover += cell.window_thickness_um * part_per_um(str(cell.window_material), energy_kev)
    per_um = attenuation_per_um(formula_of(cell), density_g_cm3, energy_kev) + pores
    return Coating(thickness_um, per_um, cover, collector_um)


def _loading(working: Electrode) -> float | None:
    if working.loading_mg_cm2 is not None or working.mass_mg is None or working.area_cm2 is None:
        return working.loading_mg_cm2
    return working.mass_mg / working.area_cm2


def _known(value: float | None, name: str) -> float:
    if value is None:
        raise ValueError(f"how deep the beam goes is not known: {name} of the cell is not given")
    return value


def phases_at(cell: Cell, coating: Coating, incidence_deg: float, two_theta_deg: float) -> list[FitPhase]:
    """Phases of a cell where the beam finds them: what is deeper is further along the beam."""
    found, sine = [], math.sin(math.radians(incidence_deg))
    working = {one.name for one in phases_of(cell)[:2]}
    to_separator_um = coating.collector_um + coating.thickness_um
    half_um = (cell.separator_thickness_um or 0.0) / 2
    for phase in phases_of(cell):
        if phase.name in working:
            below_um = coating.collector_um + seen(coating, incidence_deg, two_theta_deg).mean_depth_um
        elif phase.depth_um < -half_um:
            below_um = coating.collector_um / 2
        else:
            # From the middle of the separator, as the description of the cell counts.
            below_um = to_separator_um + half_um + phase.depth_um
        found.append(phase.at_depth(below_um / sine, DEPTH_SIGMA * below_um / sine))
    return found


def wedge(chain: ReductionChain) -> ReductionChain:
    """The chain, for azimuths well above the horizon alone, without the background of transmission."""
    azimuth_deg = 90.0 - np.degrees(chain.azimuth_rad)
    outside = (azimuth_deg < WEDGE_DEG[0]) | (azimuth_deg > WEDGE_DEG[1])
    known = chain.corrections
    return chain.with_corrections(replace(known, mask=known.mask | outside, background=None))


class _Some:
    """Some of the frames, by their numbers."""

    def __init__(self, frames: Frames, numbers: np.ndarray):
        self._frames, self._numbers = frames, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> np.ndarray:
        return self._frames[int(self._numbers[index])]


def reduce_reflection(
    frames: Frames,
    exposures: Sequence[Exposure],
    incidence_deg: np.ndarray,
    chain: ReductionChain,
    cell: Cell,
    *,
    options: FitOptions | None = None,
    progress: Progress = lambda done: None,
) -> xr.Dataset:
    """Reduce and fit frames of a tilted cell, those of each angle as a series of their own.

    No beam comes through: frames are not normalised, and no background is subtracted. What a frame holds of
    the one before is not subtracted either.

    Parameters
    ----------
    incidence_deg
        Of each frame, shape (n,).
    chain
        Of azimuths above the sample, as `wedge` makes it.

    Returns
    -------
    xarray.Dataset
        As `reduce_and_fit`, with `incidence_deg`; `lithium_seen`, weighted by depth as the line 301 sees it;
        `front_share`, the part of the weights next to the collector; and `mean_depth_um` of them.

    Raises
    ------
    ValueError
        If the cell is not known well enough, or of no frame there was any beam.
    """
    wavelength_angstrom = chain.wavelength_angstrom
    coating = coating_of(cell, HC_KEV_ANGSTROM / wavelength_angstrom)
    two_theta_deg = 2 * math.degrees(math.asin(wavelength_angstrom / (2 * _SPACING_ANGSTROM)))
    rounded = np.round(np.asarray(incidence_deg, float) / SAME_DEG) * SAME_DEG
    parts, done = [], 0
    for angle in np.unique(rounded):
        numbers = np.flatnonzero(rounded == angle)
        own = [replace(exposures[int(number)], monitor=math.nan, follows=False) for number in numbers]
        reflecting = Reflecting(coating, float(angle))
        shares = {
            "lithium_rich_fraction": reflecting.rich_fraction,
            "lithium_seen": reflecting.lithium,
            "front_share": reflecting.share_in_front,
        }
        fitted = reduce_and_fit(
            _Some(frames, numbers),
            own,
            chain,
            phases_at(cell, coating, float(angle), two_theta_deg),
            options=options,
            shares=shares,
            progress=lambda count, before=done: progress(before + count),
        )
        done += len(numbers)
        depth_um = seen(coating, float(angle), two_theta_deg).mean_depth_um
        extra = {"incidence_deg": float(angle), "mean_depth_um": depth_um}
        columns = {name: ("frame", np.full(len(numbers), value)) for name, value in extra.items()}
        parts.append(fitted.assign(columns).assign_coords(frame=numbers))
    return xr.concat(parts, "frame", data_vars="all", join="outer").sortby("frame")
