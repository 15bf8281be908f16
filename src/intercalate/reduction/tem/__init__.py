"""Transmission electron microscopy of lithium: counts in, shapes, structure and growth out; no EPICS."""

from intercalate.reduction.tem.dose_rate import DoseRate, dose_rate
from intercalate.reduction.tem.growth import Claim, GrowthFinding, Observation, growth_finding
from intercalate.reduction.tem.images import DepositShape, Filling, Habit, deposit_shape
from intercalate.reduction.tem.outline import TemCamera, TemError
from intercalate.reduction.tem.patterns import Order, PatternFinding, camera_constant, pattern_finding
from intercalate.reduction.tem.whiskers import Kink

__all__ = [
    "Claim",
    "DepositShape",
    "DoseRate",
    "Filling",
    "GrowthFinding",
    "Habit",
    "Kink",
    "Observation",
    "Order",
    "PatternFinding",
    "TemCamera",
    "TemError",
    "camera_constant",
    "deposit_shape",
    "dose_rate",
    "growth_finding",
    "pattern_finding",
]
