"""Findings from images: recovered where they are, and not in a world without them or in one turned round."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from intercalate.reduction.ebsd import HeatedVisit, melting, patterns_of
from intercalate.reduction.ebsd.grains import OrientationMapError
from intercalate.reduction.micrographs import (
    DepositClass,
    GrowthAt,
    LayerCourse,
    LineMap,
    MicrographError,
    ThinningField,
    growth_against_current,
    layers_against_charge,
    uneven_thinning,
)
from intercalate.reduction.results import UNDETERMINED, Estimate

SEEDS = 40


def recovered_in(world, *arguments):
    return np.mean([world(seed, *arguments).recovered for seed in range(SEEDS)])


def fields(share, generator, count=4):
    """Reduced images of one current density, with so large a share of needles."""
    found = []
    for _ in range(count):
        total, part = generator.uniform(0.1, 0.3), np.clip(share + 0.05 * generator.standard_normal(), 0, 1)
        areas = {
            DepositClass.NEEDLE: total * part,
            DepositClass.MOSSY: total * (1 - part),
            DepositClass.GLOBULAR: 0.0,
        }
        found.append(
            SimpleNamespace(coverage_of={kind: Estimate(area, 1e-3, 5e-3) for kind, area in areas.items()})
        )
    return found


def growth(seed, low, high, short):
    generator = np.random.default_rng(seed)
    return growth_against_current(
        [
            GrowthAt(2.0, fields(high, generator), 900.0 if high > 0.5 else None, short),
            GrowthAt(0.1, fields(low, generator)),
            GrowthAt(0.5, fields(low, generator)),
        ]
    )


def test_growth_against_current():
    assert recovered_in(growth, 0.05, 0.9, 3600.0) >= 0.95
    assert recovered_in(growth, 0.3, 0.3, None) <= 0.05
    assert recovered_in(growth, 0.9, 0.05, 3600.0) <= 0.05
    assert recovered_in(growth, 0.05, 0.9, None) <= 0.05
    found = growth(0, 0.05, 0.9, 3600.0)
    assert found.observation("turn_over").estimate.value == pytest.approx(1.25)
    with pytest.raises(MicrographError, match="two different"):
        growth_against_current([GrowthAt(1.0, [])])


def thinning(seed, uneven, follows, elements):
    generator = np.random.default_rng(seed)
    shape = (48, 48)
    # Regions of different sizes: two scales of random relief.
    relief = ndimage.gaussian_filter(generator.standard_normal(shape), 1.2) * 3
    relief += ndimage.gaussian_filter(generator.standard_normal(shape), 3.0) * 6
    relief /= relief.std()
    loss = 4.0 + uneven * 1.5 * relief + 0.4 * generator.standard_normal(shape)
    chance = np.exp(follows * 2.0 * relief)
    starts = generator.uniform(size=shape) < 120 * chance / chance.sum()
    maps = {}
    for name in ("Zr", "La", "C"):
        amount = 200 * np.exp(
            elements * 0.2 * ndimage.gaussian_filter(generator.standard_normal(shape), 1.5) * 5
        )
        maps[name] = LineMap(generator.poisson(amount).astype(float), np.sqrt(amount))
    return uneven_thinning(ThinningField(loss, np.full(shape, 0.4), starts, 10.0), maps)


def test_uneven_thinning():
    assert recovered_in(thinning, 1.0, 1.0, 1.0) >= 0.95
    assert recovered_in(thinning, 0.0, 0.0, 0.0) <= 0.05
    assert recovered_in(thinning, 1.0, -1.0, 1.0) <= 0.05
    assert recovered_in(thinning, 1.0, 1.0, 0.0) <= 0.05
    with pytest.raises(MicrographError, match="one shape"):
        uneven_thinning(
            ThinningField(np.zeros((4, 4)), np.zeros((4, 3)), np.zeros((4, 4), dtype=bool), 1.0), {}
        )


def layers(seed, gain, isles_gain, permuted=False):
    generator = np.random.default_rng(seed)
    charge = np.concatenate([np.linspace(0, 1.0, 6), np.linspace(0.9, 0.1, 5)])
    seen = generator.permutation(charge) if permuted else charge
    scale = 1.0 + 0.02 * generator.standard_normal()

    def course(values, name):
        noisy = scale * values + 0.1 * generator.standard_normal(values.size)
        return LayerCourse(name, [Estimate(one, 0.1, 0.02 * one) for one in noisy])

    found = {
        "Li": course(20 + gain * seen, "Li"),
        "SPE": course(30 - 0.1 * np.arange(charge.size), "SPE"),
        "LFP": course(25 - 0.2 * seen, "LFP"),
    }
    counts = 5 + isles_gain * np.arange(charge.size) + 0.5 * generator.standard_normal(charge.size)
    return layers_against_charge(charge, found, "Li", [Estimate(one, 0.5, 0.1) for one in counts])


def test_layers_against_charge():
    assert recovered_in(layers, 5.5, 1.0) >= 0.95
    assert recovered_in(layers, 0.0, 1.0) <= 0.05
    assert recovered_in(layers, -5.5, 1.0) <= 0.05
    assert recovered_in(layers, 5.5, 0.0) <= 0.05
    assert recovered_in(layers, 5.5, 1.0, True) <= 0.1
    found = layers(1, 5.5, 1.0).observation("slope_Li").estimate
    assert abs(found.value - 5.5) < 3 * found.sigma
    with pytest.raises(MicrographError, match="no layer"):
        layers_against_charge(np.arange(4.0), {}, "Li", [])


def heated(seed, moved, molten, same_grains):
    """`moved`: by how much the relief changes; `molten`: whether patterns go; `same_grains`: area
    afterwards.
    """
    generator = np.random.default_rng(seed)

    def visit(temperature, patterns, coverage):
        covered = Estimate(coverage + 1e-3 * generator.standard_normal(), 1e-3, 8e-3)
        return HeatedVisit(temperature, covered, patterns_of(patterns, 64 * 64))

    visits = [
        visit(25.0, 0.96, 0.2),
        visit(150.0, 0.95, 0.2),
        visit(325.0, 0.01 if molten else 0.93, 0.2 - 0.15 * moved),
    ]
    grains = Estimate(same_grains, 0.02, 0.05)
    overlap = Estimate(0.85 - 0.7 * moved + 0.02 * generator.standard_normal(), 1e-3, 0.03)
    return melting(visits, grains, overlap)


def test_melting_below_a_layer_that_stays():
    assert recovered_in(heated, 0.0, True, 0.02) >= 0.95
    assert recovered_in(heated, 1.0, True, 0.02) <= 0.05
    assert recovered_in(heated, 0.0, False, 0.95) <= 0.05
    assert recovered_in(heated, 0.0, True, 0.95) <= 0.05
    with pytest.raises(OrientationMapError, match="above 180"):
        melting([], UNDETERMINED, Estimate(1.0, 0.1, 0.1))
