"""From the frames of an aligned run to lattice parameters: integration and fit of every frame."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import xarray as xr

from intercalate.cell import Cell
from intercalate.reduction import FitPhase, Integrator, Pattern, fit_series, full_cell, half_cell

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


def integrate_and_fit(
    frames: Frames,
    poni: str | Path,
    mask: np.ndarray | None,
    phases: list[FitPhase],
    *,
    progress: Progress = lambda done: None,
) -> xr.Dataset:
    """Integrate every frame and fit it.

    Parameters
    ----------
    frames
        Counts, shape (n, rows, columns).
    poni
        Geometry of the detector.
    mask
        True where a pixel must not be used, shape (rows, columns).
    phases
        What may be in the beam.
    progress
        Called with the number of frames done.

    Returns
    -------
    xarray.Dataset
        Along `frame`, what `fit_series` returns, and `intensity` (frame, two_theta) in counts per
        pixel at normal incidence with `two_theta` in degrees.
    """
    integrator = Integrator(poni, mask)
    kept: list[Pattern] = []

    def integrated(number: int) -> Pattern | None:
        return integrator.integrate(frames[number]) if number < len(frames) else None

    def patterns() -> Iterator[Pattern]:
        # One frame is read and integrated while the one before it is fitted.
        with ThreadPoolExecutor(1) as ahead:
            following = ahead.submit(integrated, 0)
            while (pattern := following.result()) is not None:
                kept.append(pattern)
                following = ahead.submit(integrated, len(kept))
                yield pattern
                progress(len(kept))

    fitted = fit_series(patterns(), phases)
    two_theta = kept[0].two_theta_deg
    intensity = np.array([np.interp(two_theta, p.two_theta_deg, p.intensity) for p in kept])
    return fitted.assign(
        intensity=(("frame", "two_theta"), intensity.astype(np.float32), {"units": "counts per pixel"})
    ).assign_coords(two_theta=("two_theta", two_theta, {"units": "deg"}))
