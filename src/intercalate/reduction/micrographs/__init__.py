"""Micrographs: grey values with a scale in; classes, areas and thicknesses with errors out. No EPICS, no
bluesky.
"""

from intercalate.reduction.micrographs.changes import Gained, gained
from intercalate.reduction.micrographs.claims import ImageClaim, ImageFinding, Observation
from intercalate.reduction.micrographs.deposits import DepositClass, DepositMap, Shapes, deposits
from intercalate.reduction.micrographs.growth import GrowthAt, growth_against_current, needle_share
from intercalate.reduction.micrographs.image import Micrograph, MicrographError, Quality, micrograph, quality
from intercalate.reduction.micrographs.layers import LayerCourse, layers_against_charge
from intercalate.reduction.micrographs.marks import CrackMap, IsleCount, cracks, isles
from intercalate.reduction.micrographs.milled import Inside, MilledBody, body_middle, milled_body
from intercalate.reduction.micrographs.particles import ParticleGrowth, particle_growth
from intercalate.reduction.micrographs.registration import Shift, shift_between
from intercalate.reduction.micrographs.scale import Scale, scale_of
from intercalate.reduction.micrographs.sections import Layer, Section, section
from intercalate.reduction.micrographs.segments import Segments, segments
from intercalate.reduction.micrographs.thinning import (
    LineMap,
    ThinningField,
    distances_um,
    excess_spread,
    thinned_places,
    uneven_thinning,
)

__all__ = [
    "CrackMap",
    "DepositClass",
    "DepositMap",
    "Gained",
    "GrowthAt",
    "ImageClaim",
    "ImageFinding",
    "Inside",
    "IsleCount",
    "Layer",
    "LayerCourse",
    "LineMap",
    "Micrograph",
    "MicrographError",
    "MilledBody",
    "Observation",
    "ParticleGrowth",
    "Quality",
    "Scale",
    "Section",
    "Segments",
    "Shapes",
    "Shift",
    "ThinningField",
    "body_middle",
    "cracks",
    "deposits",
    "distances_um",
    "excess_spread",
    "gained",
    "growth_against_current",
    "isles",
    "layers_against_charge",
    "micrograph",
    "milled_body",
    "needle_share",
    "particle_growth",
    "quality",
    "scale_of",
    "section",
    "segments",
    "shift_between",
    "thinned_places",
    "uneven_thinning",
]
