"""Micrographs: grey values with a scale in, classes, areas and thicknesses with errors out; no EPICS, no bluesky."""

from intercalate.reduction.micrographs.deposits import DepositClass, DepositMap, Shapes, deposits
from intercalate.reduction.micrographs.image import Micrograph, MicrographError, Quality, micrograph, quality
from intercalate.reduction.micrographs.segments import Segments, segments

__all__ = [
    "DepositClass",
    "DepositMap",
    "Micrograph",
    "MicrographError",
    "Quality",
    "Segments",
    "Shapes",
    "deposits",
    "micrograph",
    "quality",
    "segments",
]
