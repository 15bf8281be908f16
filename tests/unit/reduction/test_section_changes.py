"""What layers of a cut gain between two images of the same place: evenly, and in bodies."""

import numpy as np
import pytest

from intercalate.reduction.micrographs import Section, gained, micrograph, section

PIXEL_UM, SCALE = 0.2, 0.005
ROWS, COLUMNS = 300, 512


def cut(upper: float, lower: float, isles: tuple[int, ...], seed: int) -> Section:
    """Lithium above a polymer, whose common face wanders; isles are 12 pixels high and 30 wide."""
    x = np.arange(COLUMNS)
    face = 50.0 + upper + 4.0 * np.sin(2 * np.pi * x / 90.0)
    for middle in isles:
        face += 12.0 * np.sqrt(np.maximum(1.0 - ((x - middle) / 15.0) ** 2, 0.0))
    image = np.full((ROWS, COLUMNS), 30.0)
    down = np.arange(ROWS)[:, None]
    image[down[:, 0] >= 50] = 70.0
    image[down >= face[None, :]] = 110.0
    image[down[:, 0] >= 50 + upper + lower] = 30.0
    image += 4.0 * np.random.default_rng(seed).standard_normal(image.shape)
    return section(
        micrograph(np.clip(image, 0, 255).astype(np.uint8), PIXEL_UM, SCALE * PIXEL_UM), ["Li", "SPE"]
    )


def test_isles_are_told_from_what_a_layer_gains_evenly():
    first, now = cut(70.0, 100.0, (), 1), cut(80.0, 100.0, (120, 350), 2)
    lithium, polymer = (gained(first.layer(n), now.layer(n), PIXEL_UM, SCALE) for n in ("Li", "SPE"))
    assert abs(lithium.even_um.value - 10.0 * PIXEL_UM) < 3.0 * lithium.even_um.sigma
    assert abs(polymer.even_um.value) < 3.0 * polymer.even_um.sigma
    # Two half ellipses, 15 and 12 pixels in their half axes.
    mean_um = 2 * 0.5 * np.pi * 15.0 * 12.0 / COLUMNS * PIXEL_UM
    assert lithium.bodies_um.value == pytest.approx(mean_um, rel=0.15)
    assert polymer.bodies_um.value == pytest.approx(-mean_um, rel=0.15)


def test_what_wanders_in_both_images_is_no_body():
    first, now = cut(70.0, 100.0, (250,), 3), cut(75.0, 100.0, (250,), 4)
    found = gained(first.layer("Li"), now.layer("Li"), PIXEL_UM, SCALE)
    assert abs(found.bodies_um.value) < 4.0 * found.bodies_um.sigma_stat
    assert found.bodies_um.sigma_stat < 0.05


def test_scatter_of_what_is_gained_is_what_is_said():
    first = cut(70.0, 100.0, (), 5)
    found = [
        gained(first.layer("Li"), cut(76.0, 100.0, (200,), seed).layer("Li"), PIXEL_UM, SCALE)
        for seed in range(6, 30)
    ]
    for name in ("even_um", "bodies_um"):
        values = np.array([getattr(one, name).value for one in found])
        stated = np.median([getattr(one, name).sigma_stat for one in found])
        # The first image, whose noise is stated too, is the same in all.
        assert 0.3 < values.std(ddof=1) / stated < 1.3


def test_too_few_strips_say_nothing():
    first = cut(70.0, 100.0, (), 1)
    lost = first.layer("Li")
    lost.along_um[10:] = np.nan
    assert not np.isfinite(gained(lost, lost, PIXEL_UM, SCALE).even_um.value)
