"""A reduction chain out of the calibrations of an instrument."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from intercalate.calibrations import PLANS, Calibration, CalibrationError, Kind, exposure_key
from intercalate.materials.constants import HC_KEV_ANGSTROM
from intercalate.reduction import Pattern
from intercalate.reduction.chain import Corrections, ReductionChain
from intercalate.reduction.pixels import Dark

IN_CHAIN = (Kind.GEOMETRY, Kind.FLAT, Kind.DARK, Kind.BACKGROUND)


def needed(known: Mapping[str, Calibration], kind: Kind, key: str = "") -> Calibration:
    """One of the calibrations of a run or store, by name.

    Raises
    ------
    CalibrationError
        If it is not among them.
    """
    name = f"{kind}:{key}" if key else str(kind)
    if name not in known:
        others = ", ".join(one for one in known if one.startswith(str(kind))) or "none of any kind"
        raise CalibrationError(
            f"there is no calibration {name} (there is {others}); run the plan {PLANS[kind]} first"
        )
    return known[name]


def chain_of(
    known: Mapping[str, Calibration],
    exposure_s: float,
    saturation_counts: float,
    *,
    background: bool = True,
    polarisation: float = 0.99,
) -> tuple[ReductionChain, dict[str, Calibration]]:
    """Make the chain that reduces frames of an exposure.

    Geometry, dark and flat field (with the mask) are needed; the background is used where there is one.

    Parameters
    ----------
    polarisation
        pyFAI's factor of the beam.

    Returns
    -------
    chain
        Ready to reduce.
    used
        The calibrations in it, by name.

    Raises
    ------
    CalibrationError
        If one of them is missing, or they belong to different detectors.
    """
    geometry = needed(known, Kind.GEOMETRY)
    dark = needed(known, Kind.DARK, exposure_key(exposure_s))
    flat = needed(known, Kind.FLAT)
    used = {one.name: one for one in (geometry, dark, flat)}
    empty = known.get(str(Kind.BACKGROUND)) if background else None
    if empty is not None:
        used[empty.name] = empty
    corrections = Corrections(
        # A pixel that is hot in a long exposure only is blind in that one.
        mask=flat.array("mask") | dark.array("blind"),
        dark=dark_of(dark),
        efficiency=flat.array("efficiency"),
        counts_per_photon=flat.values["counts_per_photon"],
        lag=flat.values.get("lag", 0.0),
        saturation=saturation_counts,
        background=None if empty is None else pattern_of(empty),
    )
    try:
        return ReductionChain(geometry.text("geometry.poni"), corrections, polarisation=polarisation), used
    except ValueError as error:
        raise CalibrationError(str(error)) from error


def dark_of(found: Calibration) -> Dark:
    """Dark counts of an exposure."""
    values = found.values
    return Dark(values["exposure_s"], values["frames"], found.array("mean"), found.array("variance"))


def arrays_of(pattern: Pattern) -> dict[str, np.ndarray]:
    """Arrays by which a pattern is kept."""
    return {
        "two_theta_deg": pattern.two_theta_deg,
        "intensity": pattern.intensity,
        "sigma": pattern.sigma,
    }


def pattern_of(found: Calibration) -> Pattern:
    """A pattern that was kept with `arrays_of`."""
    two_theta_deg, intensity, sigma = (found.array(name) for name in ("two_theta_deg", "intensity", "sigma"))
    return Pattern(two_theta_deg, intensity, sigma, HC_KEV_ANGSTROM / found.values["energy_kev"])


def transmitted(counts: Any, live_time_s: Any, dark_per_s: float) -> Any:
    """Monitor counts of photons alone."""
    return counts - dark_per_s * live_time_s
