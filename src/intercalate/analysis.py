"""From the frames of an aligned run to lattice parameters: reduction and fit of every frame."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import xarray as xr

from intercalate.beam_quality import BeamQuality
from intercalate.cell import Cell
from intercalate.reduction import (
    FitOptions,
    FitPhase,
    Pattern,
    fit_series,
    foil,
    full_cell,
    half_cell,
    lithium,
    separator,
)
from intercalate.reduction.chain import MONITOR_UNIT, Reduced, ReductionChain, UnusableFrameError
from intercalate.reduction.crystal_amounts import crystal_amounts, sulfur_crystals
from intercalate.reduction.series import Share

SULFUR = "S"
"""Material of a cathode whose crystals come and go."""

Progress = Callable[[int], None]


class Frames(Protocol):
    """Frames by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> np.ndarray: ...


def phases_of(cell: Cell) -> list[FitPhase]:
    """Phases in the beam, at the depths that the cell's thicknesses give.

    Raises
    ------
    ValueError
        If a thickness is not known, or the cell holds a material without phases.
    """
    separator_um = _known(cell.separator_thickness_um, "separator_thickness_um")
    positive, negative = cell.positive, cell.negative
    materials = (positive.material, negative.material)
    if materials == ("NMC811", "graphite"):
        return full_cell(
            positive_um=_known(positive.thickness_um, "positive.thickness_um"),
            negative_um=_known(negative.thickness_um, "negative.thickness_um"),
            separator_um=separator_um,
            positive_collector_um=_known(positive.collector_thickness_um, "positive.collector_thickness_um"),
            negative_collector_um=_known(negative.collector_thickness_um, "negative.collector_thickness_um"),
        )
    if negative.material == "Li":
        return half_cell(
            positive.material,
            working_um=_known(positive.thickness_um, "positive.thickness_um"),
            lithium_um=_known(negative.thickness_um, "negative.thickness_um"),
            separator_um=separator_um,
            collector_um=_known(positive.collector_thickness_um, "positive.collector_thickness_um"),
        )
    raise ValueError(f"no phases are known for a cell of {materials[0]} against {materials[1]}")


def _known(value: float | None, name: str) -> float:
    if value is None:
        raise ValueError(f"the fit needs the depth of every layer: {name} of the cell is not given")
    return value


@dataclass(frozen=True)
class Exposure:
    """What is known of one frame besides its counts.

    Attributes
    ----------
    monitor
        Counts of the transmission monitor without its dark counts; NaN where there was none.
    quality
        Of the beam.
    follows
        Whether the frame before was exposed right before: its lag is then known.
    """

    monitor: float = float("nan")
    quality: BeamQuality = BeamQuality.UNKNOWN
    follows: bool = False


def reduce_and_fit(
    frames: Frames,
    exposures: Sequence[Exposure],
    chain: ReductionChain,
    phases: list[FitPhase],
    *,
    options: FitOptions | None = None,
    shares: Mapping[str, Share] | None = None,
    progress: Progress = lambda done: None,
) -> xr.Dataset:
    """Reduce every frame to a pattern and fit it.

    Parameters
    ----------
    frames
        Counts, shape (n, rows, columns).
    exposures
        Of each frame; one without beam, or alone without monitor counts, is not fitted.
    chain
        Corrections and integration.
    phases
        What may be in the beam.
    shares
        Further quantities of each fit, as of `fit_series`.
    progress
        Called with the number of frames done.

    Returns
    -------
    xarray.Dataset
        Along `frame`, what `fit_series` returns, `saturated_pixels`, and `intensity` (frame, two_theta)
        with `two_theta` in degrees, NaN where there was no beam.

    Raises
    ------
    ValueError
        If no frame had any beam.
    """
    return _reduced_and(
        frames,
        exposures,
        chain,
        lambda patterns: fit_series(patterns, phases, options, shares=shares),
        progress,
    )


def reduce_and_quantify(
    frames: Frames,
    exposures: Sequence[Exposure],
    chain: ReductionChain,
    cell: Cell,
    *,
    progress: Progress = lambda done: None,
) -> xr.Dataset:
    """Reduce every frame to a pattern, and find how much of the crystals of a cathode of sulfur there is.

    Parameters
    ----------
    frames, exposures, chain, progress
        As of `reduce_and_fit`.
    cell
        Of sulfur against lithium.

    Returns
    -------
    xarray.Dataset
        Along `frame`, what `crystal_amounts` returns, and what `reduce_and_fit` adds to a fit.

    Raises
    ------
    ValueError
        If no frame had any beam, or a thickness of the cell is not known.
    """
    separator_um = _known(cell.separator_thickness_um, "separator_thickness_um")
    thickness_um = _known(cell.positive.thickness_um, "positive.thickness_um")
    foil_um = _known(cell.positive.collector_thickness_um, "positive.collector_thickness_um")
    face_um = separator_um / 2
    others = [
        foil("Al", -(face_um + thickness_um + foil_um / 2)),
        lithium(face_um + _known(cell.negative.thickness_um, "negative.thickness_um") / 2),
        separator(0.0),
    ]
    crystals = sulfur_crystals(-(face_um + thickness_um / 2))
    return _reduced_and(
        frames, exposures, chain, lambda patterns: crystal_amounts(patterns, crystals, others), progress
    )


def _reduced_and(
    frames: Frames,
    exposures: Sequence[Exposure],
    chain: ReductionChain,
    made_of: Callable[[Iterator[Pattern | str]], xr.Dataset],
    progress: Progress,
) -> xr.Dataset:
    """What is made of the patterns of all frames, and the patterns."""
    kept: list[Reduced | None] = []

    has_monitor = any(np.isfinite(one.monitor) for one in exposures)

    def reduced(number: int) -> Reduced | str:
        exposure = exposures[number]
        if exposure.quality is BeamQuality.NONE:
            return "no beam: I0 is below its limit"
        if has_monitor and np.isnan(exposure.monitor):
            return "the monitor counts belong to another exposure"
        before = frames[number - 1] if exposure.follows else None
        try:
            return chain.reduce(frames[number], before=before, monitor=exposure.monitor)
        except UnusableFrameError as error:
            return str(error)

    def patterns() -> Iterator[Pattern | str]:
        # One frame is read and reduced while the one before it is fitted.
        with ThreadPoolExecutor(1) as ahead:
            following = ahead.submit(reduced, 0)
            for number in range(len(exposures)):
                one = following.result()
                if number + 1 < len(exposures):
                    following = ahead.submit(reduced, number + 1)
                kept.append(one if isinstance(one, Reduced) else None)
                yield one.pattern if isinstance(one, Reduced) else one
                progress(number + 1)

    fitted = made_of(patterns())
    two_theta = next(one for one in kept if one is not None).pattern.two_theta_deg
    empty = np.full(two_theta.size, np.nan)
    intensity = [
        empty if one is None else np.interp(two_theta, one.pattern.two_theta_deg, one.pattern.intensity)
        for one in kept
    ]
    is_normalised = any(one is not None and np.isfinite(one.monitor) for one in kept)
    units = f"counts per pixel and {MONITOR_UNIT:g} monitor counts" if is_normalised else "counts per pixel"
    return fitted.assign(
        intensity=(("frame", "two_theta"), np.array(intensity, np.float32), {"units": units}),
        saturated_pixels=("frame", np.array([0 if one is None else one.saturated for one in kept])),
    ).assign_coords(two_theta=("two_theta", two_theta, {"units": "deg"}))
