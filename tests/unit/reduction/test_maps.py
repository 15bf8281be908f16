"""Maps: spectra of a grid as images, and whether a sample is the same everywhere."""

import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter

from intercalate.reduction.raman import MapError, inhomogeneity, map_mean, maps_of

SHAPE = (16, 16)
SIGMA = np.full(SHAPE, 0.01)


def scanned(points=4, visits=2, shuffle=None):
    """Spectra of a grid, whose quantity says where and at which visit they were taken."""
    steps = np.linspace(-6.0, 6.0, points)
    rows = [(visit, x, y) for visit in range(visits) for y in steps for x in steps]
    if shuffle is not None:
        rows = [rows[i] for i in shuffle.permutation(len(rows))]
    visit, x, y = (np.array(column) for column in zip(*rows))
    return xr.Dataset(
        {
            "objective_x_um": ("frame", x + 0.004),
            "objective_y_um": ("frame", y - 0.004),
            "visit": ("frame", visit),
            "content": ("frame", 100.0 * visit + 10.0 * y + x, {"units": "mm"}),
        },
        {"test_time_second": ("frame", 60.0 * np.arange(len(rows)))},
    )


@pytest.mark.parametrize("shuffle", [None, np.random.default_rng(1)])
def test_each_value_is_where_it_was_taken(shuffle):
    images = maps_of(scanned(shuffle=shuffle), ["content"])
    assert dict(images.sizes) == {"map": 2, "y_um": 4, "x_um": 4}
    expected = (
        100.0 * np.arange(2)[:, None, None]
        + 10.0 * np.asarray(images["y_um"])[:, None]
        + np.asarray(images["x_um"])
    )
    np.testing.assert_allclose(images["content"], expected, atol=0.05)
    assert images["content"].attrs["units"] == "mm"


def test_a_map_that_was_broken_off_has_holes():
    images = maps_of(scanned().isel(frame=slice(0, 20)), ["content"])
    assert np.isfinite(images["content"][0]).all()
    assert int(np.isfinite(images["content"][1]).sum()) == 4


@pytest.mark.parametrize("inner", ["grid", "depths"])
def test_depths_of_a_visit_are_maps_of_their_own(inner):
    depths = xr.concat([scanned().assign(objective_z_um=("frame", np.full(32, z))) for z in (0, -5)], "frame")
    depths["content"] = depths["content"] + depths["objective_z_um"]
    if inner == "depths":
        depths = depths.isel(frame=np.arange(64).reshape(2, 32).T.ravel())
    images = maps_of(depths, ["content"])
    assert list(np.asarray(images["objective_z_um"])) == [0.0, -5.0, 0.0, -5.0]
    apart = (
        np.asarray(images["content"]) - np.asarray(maps_of(scanned(), ["content"])["content"])[[0, 0, 1, 1]]
    )
    np.testing.assert_allclose(apart, np.broadcast_to([[[0.0]], [[-5.0]], [[0.0]], [[-5.0]]], apart.shape))


def test_a_point_that_is_taken_again_is_not_lost():
    images = maps_of(scanned().isel(frame=[*range(16), 3]), ["content"])
    assert images.sizes["map"] == 2
    assert int(np.isfinite(images["content"][1]).sum()) == 1


def test_what_is_no_map_is_refused():
    with pytest.raises(MapError, match="the spectra lack objective_x_um, objective_y_um"):
        maps_of(scanned().drop_vars(["objective_x_um", "objective_y_um"]), ["content"])
    with pytest.raises(MapError, match="lie on 4 x 1 points; a map has two in each direction at least"):
        maps_of(scanned().isel(frame=slice(0, 4)), ["content"])
    with pytest.raises(MapError, match="3 points of the map are known; 16 are needed"):
        inhomogeneity(np.where(np.arange(256).reshape(SHAPE) < 3, 0.2, np.nan), SIGMA)


def test_an_even_sample_is_found_uneven_as_seldom_as_chance_has_it():
    draw = np.random.default_rng(2)
    found = [inhomogeneity(0.2 + 0.01 * draw.standard_normal(SHAPE), SIGMA) for _ in range(400)]
    excess = np.array([one.excess_sigmas for one in found])
    likeness = np.array([one.neighbours.value / one.neighbours.sigma for one in found])
    for pulls in (excess, likeness):
        assert abs(np.mean(pulls)) < 0.2
        assert np.std(pulls) == pytest.approx(1.0, abs=0.15)


def test_the_spread_of_an_uneven_sample_is_told_from_that_of_counting():
    draw = np.random.default_rng(3)
    pulls = []
    for _ in range(200):
        uneven = 0.012 * draw.standard_normal(SHAPE)
        one = inhomogeneity(0.2 + uneven + 0.01 * draw.standard_normal(SHAPE), SIGMA)
        pulls.append((one.spread.value - np.std(uneven)) / one.spread.sigma)
        assert one.excess_sigmas > 3.0
    assert np.std(pulls) < 1.15
    assert abs(np.mean(pulls)) < 0.3


def test_neighbours_are_alike_where_the_sample_changes_slowly():
    draw = np.random.default_rng(4)
    smooth = gaussian_filter(draw.standard_normal(SHAPE), 2.0)
    smooth *= 0.015 / smooth.std()
    image = 0.2 + smooth + 0.01 * draw.standard_normal(SHAPE)
    one = inhomogeneity(image, SIGMA)
    assert one.neighbours.value > 5 * one.neighbours.sigma
    mixed = inhomogeneity(draw.permutation(image.ravel()).reshape(SHAPE), SIGMA)
    assert abs(mixed.neighbours.value) < 4 * mixed.neighbours.sigma
    assert mixed.spread.value == pytest.approx(one.spread.value)


def test_what_changes_with_time_is_no_unevenness():
    draw = np.random.default_rng(5)
    time_s = np.arange(256.0).reshape(SHAPE)
    image = 0.2 + 2e-4 * time_s + 0.01 * draw.standard_normal(SHAPE)
    assert inhomogeneity(image, SIGMA).excess_sigmas > 10
    assert abs(inhomogeneity(image, SIGMA, time_s).excess_sigmas) < 3


def test_a_mean_has_the_error_of_counting_that_it_scatters_by():
    draw = np.random.default_rng(6)
    uneven = 0.02 * draw.standard_normal(SHAPE)
    sigma = draw.uniform(0.005, 0.02, SHAPE)
    found = [
        map_mean(0.2 + uneven + sigma * draw.standard_normal(SHAPE), sigma, 0.0 * SIGMA) for _ in range(400)
    ]
    pulls = np.array([(one.mean.value - 0.2 - uneven.mean()) / one.mean.sigma for one in found])
    assert abs(np.mean(pulls)) < 0.2
    assert np.std(pulls) == pytest.approx(1.0, abs=0.15)
    scatter = np.array([(one.scatter.value - np.std(uneven)) / one.scatter.sigma for one in found])
    assert abs(np.mean(scatter)) < 0.3
    assert np.std(scatter) < 1.15


def test_what_points_share_is_not_averaged_out():
    """One error that moves all points: neither more of them nor how it is counted makes it smaller."""
    draw = np.random.default_rng(7)
    own, shared, systematic = 0.01, 0.004, 0.03
    pulls, off = [], []
    for _ in range(400):
        moved = shared * draw.standard_normal()
        image = 0.2 + own * draw.standard_normal(SHAPE) + moved
        total = np.full(SHAPE, np.hypot(own, shared))
        one = map_mean(image, total, np.full(SHAPE, systematic), np.full(SHAPE, shared))
        assert one.mean.sigma_sys == pytest.approx(systematic)
        pulls.append((one.mean.value - 0.2) / one.mean.sigma_stat)
        off.append((one.mean.value - 0.2) / map_mean(image, total, 0.0 * SIGMA).mean.sigma)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.15)
    assert np.std(off) > 3.0


def test_a_mean_is_of_the_points_that_are_known():
    image = np.where(np.arange(256).reshape(SHAPE) < 10, 0.3, np.nan)
    some = map_mean(image, SIGMA, SIGMA)
    assert some.points == 10
    assert some.mean.value == pytest.approx(0.3)
    assert some.mean.sigma_stat == pytest.approx(0.01 / np.sqrt(10))
    single = map_mean(image[:1, :1], SIGMA[:1, :1], SIGMA[:1, :1])
    assert single.mean.sigma == pytest.approx(0.01 * np.sqrt(2))
    assert not np.isfinite(single.scatter.value)
    # Of a range that is merely known to hold the value there is no mean.
    assert map_mean(image, 0.0 * SIGMA, SIGMA).points == 0
    none = map_mean(np.full(SHAPE, np.nan), SIGMA, SIGMA)
    assert none.points == 0
    assert not np.isfinite(none.mean.value)


def test_a_mean_knows_that_noise_decides_which_points_are_in_it():
    """Of points that grow evenly those at the end are read otherwise in half of the maps, each for itself."""
    draw = np.random.default_rng(3)
    image = np.linspace(0.2, 0.3, 256).reshape(SHAPE)
    near = image > 0.295
    found = []
    for _ in range(300):
        other = near & (draw.random(SHAPE) < 0.5)
        seen = np.where(other, 0.5, image) + 1e-5 * draw.standard_normal(SHAPE)
        found.append(map_mean(seen, np.full(SHAPE, 1e-5), 0.0 * SIGMA, readings=other.astype(int)).mean)
    value, stat = np.array([(one.value, one.sigma_stat) for one in found]).T
    # Coins scatter by 0.7 of the root of how many fell.
    assert 0.5 < np.std(value) / np.median(stat) < 1.0
    assert np.std(value) > 5 * 1e-5 / 16


def test_what_was_read_in_several_ways_has_no_mean():
    number = np.arange(256).reshape(SHAPE)
    image, few, many = np.where(number < 26, 0.4, 0.2), number < 26, number < 80
    assert map_mean(image, SIGMA, SIGMA, readings=few.astype(int)).mean.value == pytest.approx(0.2)
    undetermined = map_mean(image, SIGMA, SIGMA, readings=many.astype(int))
    assert undetermined.points == 0
    assert not np.isfinite(undetermined.mean.value)
