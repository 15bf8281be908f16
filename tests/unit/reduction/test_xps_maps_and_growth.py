"""Irregularities of maps and steps of growth, on images and series that are made here."""

import re

import numpy as np
import pytest

from intercalate.reduction.results import Estimate
from intercalate.reduction.xps import (
    AmountSeries,
    AnalyserOnPaper,
    MappedRegion,
    XpsError,
    amount_series,
    chemical_map,
    components_of,
    find_irregularities,
    sei_steps,
    share_map,
)

STEP_UM = 10.0


def image(discs, seed=0, shape=(40, 48), noise=0.02):
    """Discs of centre, radius and height on a flat map; edge points by the part that is covered."""
    parts = 9
    rows, columns = (np.arange(count * parts) / parts - (parts - 1) / 2 / parts for count in shape)
    total = np.full(shape, 0.5)
    for x, y, radius, height in discs:
        inside = (columns * STEP_UM - x) ** 2 + (rows[:, None] * STEP_UM - y) ** 2 < radius**2
        total += height * inside.reshape(shape[0], parts, shape[1], parts).mean(axis=(1, 3))
    sigma = np.full(shape, noise)
    return total + noise * np.random.default_rng(seed).standard_normal(shape), sigma


def test_discs_are_located_and_sized():
    discs = [(120.0, 100.0, 40.0, 0.25), (330.0, 250.0, 55.0, -0.15)]
    for seed in range(10):
        found = sorted(find_irregularities(*image(discs, seed), STEP_UM), key=lambda one: one.x_um.value)
        assert len(found) == 2
        for one, (x, y, radius, height) in zip(found, discs):
            assert abs(one.x_um.value - x) < 4 * one.x_um.sigma
            assert abs(one.y_um.value - y) < 4 * one.y_um.sigma
            assert abs(one.diameter_um.value - 2 * radius) < 4 * one.diameter_um.sigma
            assert abs(one.contrast.value - height) < 4 * one.contrast.sigma
            assert one.diameter_um.sigma < 8.0
            assert not one.touches_edge


def test_errors_of_size_and_place_are_the_spread():
    found = [
        find_irregularities(*image([(200.0, 200.0, 45.0, 0.2)], seed), STEP_UM)[0] for seed in range(150)
    ]
    for name in ("x_um", "y_um", "area_um2", "diameter_um"):
        estimates = [getattr(one, name) for one in found]
        spread = np.std([one.value for one in estimates], ddof=1)
        assert spread == pytest.approx(np.mean([one.sigma_stat for one in estimates]), rel=0.25), name


def test_a_map_without_irregularities_has_none():
    assert all(not find_irregularities(*image([], seed), STEP_UM) for seed in range(60))


def test_a_map_whose_errors_are_too_small_does_not_become_irregular():
    values, sigma = image([], 3)
    assert not find_irregularities(values, 0.3 * sigma, STEP_UM)


def test_what_goes_on_beyond_the_map_is_said():
    (one,) = find_irregularities(*image([(10.0, 200.0, 60.0, 0.3)]), STEP_UM)
    assert one.touches_edge


def test_points_that_are_unknown_are_left_out():
    values, sigma = image([(200.0, 200.0, 45.0, 0.2)])
    values[5:9, 5:9] = np.nan
    values[20, 20] = np.nan
    assert len(find_irregularities(values, sigma, STEP_UM)) == 1


def test_what_is_no_map_is_refused():
    values, sigma = image([])
    with pytest.raises(XpsError, match=r"shapes \(40, 48\) and \(40, 47\)"):
        find_irregularities(values, sigma[:, 1:], STEP_UM)
    with pytest.raises(XpsError, match="0 points of the map are known; 25"):
        find_irregularities(np.full(values.shape, np.nan), sigma, STEP_UM)
    with pytest.raises(XpsError, match="step of the map is 0"):
        find_irregularities(values, sigma, 0.0)


def mapped(name, start, stop, counts=None, pixels=(6, 7)):
    energy = np.arange(start, stop, 0.5)
    if counts is None:
        counts = np.random.default_rng(1).poisson(20.0, (*pixels, energy.size))
    return MappedRegion(name, energy, counts, 1.0, 80.0, AnalyserOnPaper())


def test_maps_of_regions_must_be_of_one_grid():
    regions = [mapped("Al 2p", 66, 80), mapped("Li 1s", 48, 62, pixels=(6, 8))]
    with pytest.raises(XpsError, match=r"Al 2p \(6, 7, 28\), Li 1s \(6, 8, 28\)"):
        chemical_map(regions, components_of(["LiAl"], regions))
    with pytest.raises(XpsError, match="28 energies"):
        chemical_map([mapped("Al 2p", 66, 80, np.ones((6, 7, 5)))], components_of(["LiAl"], regions[:1]))
    with pytest.raises(XpsError, match="without regions"):
        chemical_map([], [])
    with pytest.raises(XpsError, match="nothing was counted"):
        chemical_map([mapped("Al 2p", 66, 80, np.zeros((6, 7, 28)))], components_of(["LiAl"], regions[:1]))


def test_a_share_needs_its_components():
    energy = np.arange(66, 80, 0.5)
    line = 5.0 + 60.0 * np.exp(-0.5 * ((energy - 72.3) / 0.7) ** 2)
    counts = np.random.default_rng(1).poisson(line, (6, 7, energy.size))
    regions = [mapped("Al 2p", 66, 80, counts)]
    chemical = chemical_map(regions, components_of(["LiAl"], regions))
    area, sigma = chemical.area["LiAl Al 2p"], chemical.sigma["LiAl Al 2p"]
    assert area.shape == (6, 7)
    assert np.std(area) == pytest.approx(float(np.mean(sigma)), rel=0.4)
    with pytest.raises(XpsError, match="LiAl Li 1s is not in the map"):
        share_map(chemical, "LiAl Al 2p", ["LiAl Al 2p", "LiAl Li 1s"], matrix="LiAl")
    with pytest.raises(XpsError, match="is not among"):
        share_map(chemical, "LiAl Al 2p", [], matrix="LiAl")


TIME_H = np.linspace(0.0, 10.0, 26)
ORDER = ("first", "second", "third")


def series(onsets, seed=0, noise=0.05, native=0.1):
    """Amounts that rise along straight lines to a level, from a constant that was there before."""
    draw = np.random.default_rng(seed)
    amount = {
        group: native + np.clip((TIME_H - onset) / 2.0, 0.0, 1.0) + noise * draw.standard_normal(TIME_H.size)
        for group, onset in zip(ORDER, onsets)
    }
    return AmountSeries(TIME_H, amount, dict.fromkeys(ORDER, np.full(TIME_H.size, noise)))


def test_steps_are_found_with_their_times():
    pulls = []
    for seed in range(40):
        found = sei_steps(series((1.0, 4.0, 7.0), seed), ORDER)
        assert found.recovered, found.reason
        assert found.order == ORDER
        pulls += [
            (found.onsets[group].onset_h.value - true) / found.onsets[group].onset_h.sigma
            for group, true in zip(ORDER, (1.0, 4.0, 7.0))
        ]
    assert np.abs(pulls).max() < 4
    assert np.mean(np.square(pulls)) < 1.6


@pytest.mark.parametrize(
    ("onsets", "reason"),
    [
        ((3.0, 3.0, 3.0), "order|apart"),
        ((np.inf, np.inf, np.inf), "first, second, third did not grow"),
        ((1.0, 4.0, np.inf), "third did not grow"),
        ((7.0, 4.0, 1.0), "the order is third, then second, then first"),
        ((1.0, 7.0, 4.0), "the order is first, then third, then second"),
    ],
)
def test_what_does_not_grow_in_steps_is_not_taken_for_it(onsets, reason):
    found = [sei_steps(series(onsets, seed), ORDER) for seed in range(40)]
    assert not any(one.recovered for one in found)
    assert re.search(reason, found[0].reason)


def test_what_does_not_grow_has_no_onset():
    found = sei_steps(series((1.0, 4.0, np.inf)), ORDER)
    assert np.isnan(found.onsets["third"].onset_h.value)
    assert np.isnan(found.apart_sigmas[1])


def test_a_series_that_is_none_is_refused():
    with pytest.raises(XpsError, match="no group 'fourth'"):
        sei_steps(series((1.0, 4.0, 7.0)), ("fourth",))
    with pytest.raises(XpsError, match="do not ascend"):
        AmountSeries(TIME_H[::-1], {}, {})
    with pytest.raises(XpsError, match="for 26 times"):
        AmountSeries(TIME_H, {"first": np.ones(3)}, {"first": np.ones(3)})
    few = series((1.0, 4.0, 7.0))
    few.amount["first"][5:] = np.nan
    with pytest.raises(XpsError, match="first is known at 5 times; 8"):
        sei_steps(few, ORDER)
    with pytest.raises(XpsError, match="1 amounts for 2 times"):
        amount_series([0.0, 1.0], [{"first": Estimate(1.0, 0.1, 0.1)}])
