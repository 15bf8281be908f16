"""Stubs and preprocessors out of which plans are made."""

from intercalate.orchestration.cycling import (
    charge,
    cycling_records,
    discharge,
    drain,
    hold_voltage,
    rest,
    run_step,
    start_program,
)
from intercalate.orchestration.measuring import Measuring, OpenDetector, take_frame, take_frames
from intercalate.orchestration.occasions import Occasions, condition
from intercalate.orchestration.when import When, WhenError

__all__ = [
    "Measuring",
    "Occasions",
    "OpenDetector",
    "When",
    "WhenError",
    "charge",
    "condition",
    "cycling_records",
    "discharge",
    "drain",
    "hold_voltage",
    "rest",
    "run_step",
    "start_program",
    "take_frame",
    "take_frames",
]
