"""The menu: plans to run as they are, or to copy and adapt."""

from intercalate_plans.cycling import charge_discharge
from intercalate_plans.diffraction import count_frames, scan_sample
from intercalate_plans.example import charge_scan_discharge
from intercalate_plans.operando import operando

__all__ = ["charge_discharge", "charge_scan_discharge", "count_frames", "operando", "scan_sample"]
