"""Images in white light beside maps of lithium: claims are made by spectra, and the figure shows both."""

import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

from intercalate_plans.studies import MeasuredCell, load_study
from intercalate_sims.probes.optical import graphite_reflectance

GRID = 8


def maps(count: int) -> xr.Dataset:
    """As spectra of maps are reduced, uneven with places."""
    side_um = np.linspace(-20.0, 20.0, GRID)
    y_um, x_um = np.meshgrid(side_um, side_um, indexing="ij")
    noise = np.random.default_rng(1).normal(0.0, 0.004, (count, GRID, GRID))
    content = 0.2 + 0.02 * np.sin(x_um / 12.0) * np.cos(y_um / 12.0) + noise
    points = GRID * GRID
    return xr.Dataset(
        {
            "graphite.x": ("frame", content.ravel()),
            "graphite.x_sigma_stat": ("frame", np.full(count * points, 0.004)),
            "graphite.x_sigma_sys": ("frame", np.full(count * points, 0.02)),
            "graphite.regime": ("frame", np.full(count * points, "staged")),
            "objective_x_um": ("frame", np.tile(x_um.ravel(), count)),
            "objective_y_um": ("frame", np.tile(y_um.ravel(), count)),
            "visit": ("frame", np.repeat(np.arange(count), points)),
        }
    )


def images(count: int) -> xr.Dataset:
    picture = np.rint(255.0 * np.sqrt(graphite_reflectance(np.full((count, 16, 16), 0.5)))).astype(np.uint8)
    return xr.Dataset({"picture": (("frame", "row", "column", "channel"), picture, {"pixel_um": 4.0})})


@pytest.mark.parametrize("count", [0, 1, 2])
def test_images_change_no_claim_and_are_shown_where_there_are_some(count: int) -> None:
    study, records = load_study("S31"), xr.Dataset()
    alone = {"cell": MeasuredCell(records, {"map": maps(2)})}
    frames = {"map": maps(2), **({"image": images(count)} if count else {})}
    both = {"cell": MeasuredCell(records, frames)}
    finding = study.analyse(both)
    assert [claim.given() for claim in finding.claims] == [
        claim.given() for claim in study.analyse(alone).claims
    ]
    figure = study.figure(both, finding, "simulated")
    shown = sum(bool(axis.images) for axis in figure.axes)
    plt.close(figure)
    assert shown == count


@pytest.mark.parametrize(("late_rows", "maps_left"), [(1, 1), (3, 0)])
def test_points_that_were_measured_after_the_hold_are_left_out(late_rows: int, maps_left: int) -> None:
    """An even electrode, whose cell went on before its map was complete."""
    taken = maps(1)
    late = np.zeros((GRID, GRID), dtype=bool)
    late[GRID - late_rows :] = True
    content = np.random.default_rng(2).normal(0.2, 0.004, (GRID, GRID)) + 0.05 * late
    charge_ah = 1e-3 + 3e-4 * late
    taken = taken.assign({"graphite.x": ("frame", content.ravel())})
    held = {"cell": MeasuredCell(xr.Dataset(), {"map": taken})}
    moved = taken.assign({"net_capacity_ah_sigma": ("frame", np.full(GRID * GRID, 1e-8))}).assign_coords(
        {"net_capacity_ah": ("frame", charge_ah.ravel())}
    )
    assert load_study("S31").analyse(held).claims[0].holds
    finding = load_study("S31").analyse({"cell": MeasuredCell(xr.Dataset(), {"map": moved})})
    assert not finding.recovered
    spreads = [one for one in finding.quantities if one.name.startswith("spread")]
    assert len(spreads) == maps_left
    if maps_left:
        assert f"{GRID} points that were measured after the hold" in finding.text
        assert spreads[0].value < 0.003
