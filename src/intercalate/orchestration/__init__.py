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
from intercalate.orchestration.when import Every

__all__ = [
    "Every",
    "Measuring",
    "OpenDetector",
    "charge",
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
