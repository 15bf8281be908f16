"""Orientation maps: Euler angles in, grains and their sizes with errors out; no EPICS, no bluesky."""

from intercalate.reduction.ebsd.grains import (
    GrainMap,
    OrientationMap,
    OrientationMapError,
    grain_map,
    orientation_map,
)
from intercalate.reduction.ebsd.heating import GrainComparison, compare
from intercalate.reduction.ebsd.melting import HeatedVisit, melting, overlap, patterns_of
from intercalate.reduction.ebsd.orientation import (
    disorientation_deg,
    euler_deg,
    inverse_pole_colours,
    quaternions,
    reduced_to_zone,
)

__all__ = [
    "GrainComparison",
    "GrainMap",
    "HeatedVisit",
    "OrientationMap",
    "OrientationMapError",
    "compare",
    "disorientation_deg",
    "euler_deg",
    "grain_map",
    "inverse_pole_colours",
    "melting",
    "orientation_map",
    "overlap",
    "patterns_of",
    "quaternions",
    "reduced_to_zone",
]
