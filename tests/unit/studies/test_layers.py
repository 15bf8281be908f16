"""What the study of a cut says of layers and isles that follow the charge, and of those that do not."""

import numpy as np
import pytest
import xarray as xr

from intercalate_plans.studies import load_study, one_cell

SPOTS_MM = (-0.3, -0.1, 0.1, 0.3)
IMAGES = 40


def frames(gain: float, isles: float, seed: int = 0, spots: int = 4, lost: int | None = None) -> xr.Dataset:
    """One cycle of a mAh/cm2; of each spot the first image has nothing to be compared with."""
    draw = np.random.default_rng(seed)
    charge = 1.2 * (1.0 - np.abs(np.linspace(-1.0, 1.0, IMAGES)))
    spot = np.arange(IMAGES) % spots
    each = 1.0 + 0.3 * np.array([-1.0, 0.5, 1.0, -0.5])[spot]
    first = np.arange(IMAGES) < spots
    columns = {
        "gained_um.Li": gain * charge,
        "gained_um.polymer": 0.0 * charge,
        "gained_um.LFP": -0.2 * gain * charge,
        "bodies_um.Li": isles * each * charge,
    }
    data: dict = {
        "charge_mah_cm2": ("frame", charge),
        "spot_x_mm": ("frame", np.array(SPOTS_MM)[spot]),
        "spot_y_mm": ("frame", np.zeros(IMAGES)),
    }
    for name, values in columns.items():
        seen = np.where(first | (spot == lost), np.nan, values + 0.03 * draw.standard_normal(IMAGES))
        data[name] = ("frame", seen)
        data[f"{name}_sigma_stat"] = ("frame", np.where(np.isfinite(seen), 0.03, np.nan))
        data[f"{name}_sigma_sys"] = ("frame", 0.002 * np.abs(seen))
    return xr.Dataset(data)


def analysed(data: xr.Dataset):
    return load_study("S40").analyse(one_cell(xr.Dataset(), data))


def test_lithium_and_isles_that_follow_the_charge_are_the_finding():
    finding = analysed(frames(4.65, 0.3))
    assert finding.recovered
    for name, true in (("slope_Li", 4.65), ("slope_polymer", 0.0), ("slope_LFP", -0.93)):
        quantity = finding.quantity(name)
        assert abs(quantity.value - true) < 3.0 * quantity.sigma
    together = finding.quantity("with_isles")
    assert together.value == pytest.approx(4.95, abs=0.1)
    # Four spots tell little of how many isles the rest has.
    assert together.sigma > finding.quantity("isles").sigma


@pytest.mark.parametrize(("gain", "isles"), [(0.0, 0.0), (-4.65, 0.0), (4.65, 0.0), (7.5, 0.3)])
def test_other_courses_are_not(gain, isles):
    assert not analysed(frames(gain, isles)).recovered


def test_a_spot_without_layers_is_left_out():
    finding = analysed(frames(4.65, 0.3, lost=2))
    assert finding.recovered
    assert finding.quantity("slope_Li").value == pytest.approx(4.65, abs=0.15)


def test_images_without_layers_say_nothing():
    nothing = analysed(frames(4.65, 0.3).drop_vars(["gained_um.Li", "bodies_um.Li"]))
    assert not nothing.recovered
    assert "Too few images" in nothing.text
