"""Series of Raman spectra: each by itself, as one dataset."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import xarray as xr

from intercalate.reduction.bands import Spectrum, SpectrumError
from intercalate.reduction.raman.axis import ShiftAxis
from intercalate.reduction.raman.counts import CountingDetector, CountsError, reduced
from intercalate.reduction.raman.graphite import GraphiteState, Regime, graphite_state
from intercalate.reduction.results import UNDETERMINED, Estimate

BANDS = ("E2g2(i)", "E2g2(b)", "E2g2(1)")
"""Of the carbon layers: without lithium beside them, with it on one side, and of stage 1."""

_PARTS = ("centre", "width", "intensity")


def spectra_of_graphite(
    frames: Iterable[np.ndarray | str],
    dark: tuple[np.ndarray, np.ndarray],
    detector: CountingDetector,
    axis: ShiftAxis,
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> xr.Dataset:
    """Reduce spectra to the lithium content of graphite.

    Parameters
    ----------
    frames
        Counts, shape (pixels,) each; or in words why one cannot be used.
    dark
        Mean dark counts of the exposure, and their standard error, shape (pixels,).
    axis
        As set by silicon.
    progress
        Called with the number of spectra done.

    Returns
    -------
    xarray.Dataset
        Along `frame`: `graphite.x`, x in LixC6 where the laser was, with `_sigma_stat` and `_sigma_sys`;
        `graphite.regime`, from which bands it was taken; of each band centre, width and intensity, NaN where
        it was not found; `reduced_chi2`, `converged`, `note`; and `intensity` (frame, shift) in counts
        without dark counts and cosmic rays, NaN where a pixel cannot be used.
    """
    states: list[GraphiteState | None] = []
    notes: list[str] = []
    rows: list[np.ndarray] = []
    for number, frame in enumerate(frames, start=1):
        row, state, note = _one(frame, dark, detector, axis)
        rows.append(row)
        states.append(state)
        notes.append(note)
        progress(number)
    variables: dict[str, Any] = {
        **_estimates("graphite.x", [UNDETERMINED if one is None else one.li_content for one in states], ""),
        "graphite.regime": (
            "frame",
            np.array([str(Regime.UNDETERMINED if one is None else one.regime) for one in states]),
        ),
        "reduced_chi2": (
            "frame",
            np.array([np.nan if one is None else one.fit.reduced_chi2 for one in states]),
        ),
        "converged": ("frame", np.array([one is not None and one.fit.converged for one in states])),
        "note": ("frame", np.array(notes)),
        "intensity": (("frame", "shift"), np.array(rows, np.float32), {"units": "counts"}),
    }
    for band in BANDS:
        for part in _PARTS:
            found = [UNDETERMINED if one is None else getattr(one.fit, part).get(band) for one in states]
            units = "counts/cm" if part == "intensity" else "1/cm"
            variables |= _estimates(f"{band}.{part}", [one or UNDETERMINED for one in found], units)
    return xr.Dataset(variables, {"shift": ("shift", axis.shift_per_cm, {"units": "1/cm"})})


def _one(
    frame: np.ndarray | str,
    dark: tuple[np.ndarray, np.ndarray],
    detector: CountingDetector,
    axis: ShiftAxis,
) -> tuple[np.ndarray, GraphiteState | None, str]:
    empty = np.full(axis.shift_per_cm.size, np.nan)
    if isinstance(frame, str):
        return empty, None, frame
    try:
        intensity, sigma, used = reduced(frame, *dark, detector)
        state = graphite_state(Spectrum(axis.shift_per_cm, intensity, sigma, used), axis)
    except (CountsError, SpectrumError) as error:
        return empty, None, str(error)
    note = "" if state.fit.converged else state.fit.message
    return np.where(used, intensity, np.nan), state, note


def _estimates(name: str, found: list[Estimate], units: str) -> dict[str, Any]:
    """Values and both uncertainties, as columns."""
    attributes = {"units": units}
    return {
        name: ("frame", np.array([one.value for one in found]), attributes),
        f"{name}_sigma_stat": ("frame", np.array([one.sigma_stat for one in found]), attributes),
        f"{name}_sigma_sys": ("frame", np.array([one.sigma_sys for one in found]), attributes),
    }
