"""Frames of a sample between diamonds: pressures by its marker, lattice by pressure, equation of state."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from intercalate.analysis import Exposure, Frames, reduce_and_fit
from intercalate.config import Config
from intercalate.materials.equations_of_state import MARKERS
from intercalate.pressed import PressedSample
from intercalate.reduction import Estimate, FitOptions
from intercalate.reduction.chain import ReductionChain
from intercalate.reduction.pressure import (
    AXES,
    Compressed,
    Lengths,
    compressed,
    fit_options,
    pressed_phases,
    pressures,
    volumes,
)

FROM_DEG = 4.5
"""Of 2theta, from which patterns are fitted."""
EDGE_DEG = 0.5
"""Of 2theta, before the shadow of the seat, that is left out."""


def reduce_pressed(
    frames: Frames,
    exposures: Sequence[Exposure],
    chain: ReductionChain,
    sample: PressedSample,
    opening_deg: float,
    *,
    options: FitOptions | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> xr.Dataset:
    """Reduce and fit frames of a sample between diamonds, in their order.

    The background of an empty cell is not that of diamonds, and is not subtracted.

    Parameters
    ----------
    chain
        Corrections and integration.
    sample
        By whose material and marker the patterns are read.
    opening_deg
        Of 2theta, beyond which the seat of the anvil is in the way.

    Returns
    -------
    xarray.Dataset
        As `reduce_and_fit`, with `pressure_gpa` and `volume_angstrom3` and their errors. Its attributes
        `material` and `marker` are those of the sample, `equation_of_state` says as JSON what
        `equation_of_state` finds.

    Raises
    ------
    ValueError
        If of no frame there was any beam, or the material is none whose patterns can be fitted.
    """
    marker = MARKERS[sample.marker]
    bare = chain.with_corrections(replace(chain.corrections, background=None))
    wanted = replace(fit_options(options or FitOptions()), range_deg=(FROM_DEG, opening_deg - EDGE_DEG))
    # What a frame holds of the one before is less than a thousandth, and hours have passed.
    alone = [replace(one, follows=False) for one in exposures]
    fitted = reduce_and_fit(
        frames, alone, bare, pressed_phases(sample.material, marker), options=wanted, progress=progress
    ).assign_attrs(material=sample.material, marker=sample.marker)
    lengths = lengths_of(fitted)
    columns = {
        **_columns("pressure_gpa", pressures(lengths, marker), "GPa"),
        **_columns("volume_angstrom3", volumes(lengths, marker), "angstrom3"),
    }
    found = fitted.assign(columns)
    return found.assign_attrs(equation_of_state=json.dumps(given(equation_of_state(found))))


def opening_deg(config: Config) -> float:
    """Of 2theta, beyond which the seat of the anvil is in the way here.

    Raises
    ------
    ValueError
        If the configuration has no diamond-anvil cell.
    """
    if config.pressure_cell is None:
        raise ValueError("the configuration says nothing of the diamond-anvil cell; add [pressure_cell]")
    return config.pressure_cell.opening_deg


def _columns(name: str, series: Sequence[Estimate], units: str) -> dict[str, Any]:
    return {
        f"{name}{suffix}": ("frame", np.array([getattr(one, field) for one in series]), {"units": units})
        for suffix, field in (("", "value"), ("_sigma_stat", "sigma_stat"), ("_sigma_sys", "sigma_sys"))
    }


def lengths_of(frames: xr.Dataset) -> Lengths:
    """Lengths as fits gave them, of frames with `material` and `marker`."""
    material, marker = frames.attrs["material"], frames.attrs["marker"]

    def column(name: str) -> np.ndarray:
        return np.asarray(frames[name], float)

    gold = column(f"{marker}.a")
    relative = column(f"{marker}.a_sigma_sys") / gold
    known = relative[np.isfinite(relative)]
    return Lengths(
        np.stack([column(f"{material}.{axis}") for axis in AXES], axis=1),
        np.stack([column(f"{material}.{axis}_sigma_stat") for axis in AXES], axis=1),
        gold,
        column(f"{marker}.a_sigma_stat"),
        float(np.median(known)) if known.size else float("nan"),
    )


def equation_of_state(frames: xr.Dataset) -> Compressed:
    """Volume, modulus and compressibilities of the sample, by all frames together."""
    return compressed(lengths_of(frames), MARKERS[frames.attrs["marker"]])


def given(found: Compressed) -> dict[str, Any]:
    """JSON-able: each value with both errors, None where it is undetermined."""
    named = {
        "volume_angstrom3": found.volume_angstrom3,
        "bulk_modulus_gpa": found.modulus_gpa,
        "slope": found.slope,
        **{f"compressibility_{axis}_per_gpa": one for axis, one in found.compressibility.items()},
        "volume_step": found.jump,
    }
    return {
        name: [value if np.isfinite(value) else None for value in (one.value, one.sigma_stat, one.sigma_sys)]
        for name, one in named.items()
    }
