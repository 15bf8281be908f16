"""The menu: plans to run as they are, or to copy and adapt."""

from intercalate_plans.alignment import align_cell
from intercalate_plans.calibration import calibrate_geometry, take_darks, take_flat
from intercalate_plans.cells import in_situ, operando_cells
from intercalate_plans.continuing import continue_experiment
from intercalate_plans.control import beam_off_control
from intercalate_plans.cycling import charge_discharge
from intercalate_plans.depth_profiles import depth_profile
from intercalate_plans.diffraction import count_frames, scan_sample
from intercalate_plans.ex_situ import bring_back, ex_situ
from intercalate_plans.example import charge_scan_discharge
from intercalate_plans.ion_beams import mill_section, view_section
from intercalate_plans.laser import focus_laser, measure_focus_drift, measure_power
from intercalate_plans.log import note
from intercalate_plans.loss_references import take_references
from intercalate_plans.microscopy import (
    calibrate_scale,
    calibrate_x_ray_energy,
    find_section,
    measure_current,
    take_images,
)
from intercalate_plans.operando import operando
from intercalate_plans.optical import calibrate_colour
from intercalate_plans.preflight import preflight
from intercalate_plans.pressure import pressure_scan
from intercalate_plans.raman import calibrate_shift, map_raman
from intercalate_plans.reference import reference_scan, take_background
from intercalate_plans.registering import register_marks
from intercalate_plans.thin_samples import measure_dose_rate, measure_thickness
from intercalate_plans.transmission import calibrate_camera_length, image_under_bias, scan_losses
from intercalate_plans.xps import calibrate_energy, set_flood_gun, take_regions

__all__ = [
    "align_cell",
    "beam_off_control",
    "bring_back",
    "calibrate_camera_length",
    "calibrate_colour",
    "calibrate_energy",
    "calibrate_geometry",
    "calibrate_scale",
    "calibrate_shift",
    "calibrate_x_ray_energy",
    "charge_discharge",
    "charge_scan_discharge",
    "continue_experiment",
    "count_frames",
    "depth_profile",
    "ex_situ",
    "find_section",
    "focus_laser",
    "image_under_bias",
    "in_situ",
    "map_raman",
    "measure_current",
    "measure_dose_rate",
    "measure_focus_drift",
    "measure_power",
    "measure_thickness",
    "mill_section",
    "note",
    "operando",
    "operando_cells",
    "preflight",
    "pressure_scan",
    "reference_scan",
    "register_marks",
    "scan_losses",
    "scan_sample",
    "set_flood_gun",
    "take_background",
    "take_darks",
    "take_flat",
    "take_images",
    "take_references",
    "take_regions",
    "view_section",
]
