"""Micrographs: images drawn by hand, good and bad."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.stats import norm

from intercalate.reduction.micrographs import (
    DepositClass,
    Inside,
    MicrographError,
    cracks,
    deposits,
    isles,
    micrograph,
    milled_body,
    scale_of,
    section,
    shift_between,
)
from intercalate.reduction.micrographs.image import counting_noise, noise_of
from intercalate.reduction.micrographs.repeats import square_off

from .drawn_images import discs, face, rods, with_shapes

GRID = [(row, column) for row in (50, 128, 206) for column in (50, 128, 206)]


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (discs(256, GRID, 18), DepositClass.GLOBULAR),
        (
            rods(256, [((20, 30), (220, 60)), ((200, 90), (60, 230)), ((30, 90), (40, 240))], 4),
            DepositClass.NEEDLE,
        ),
        (np.zeros((256, 256), dtype=bool), DepositClass.NONE),
    ],
)
def test_class_and_coverage_of_drawn_shapes(mask, expected):
    found = deposits(micrograph(with_shapes(mask), 0.1))
    assert found.kind is expected
    assert abs(found.coverage.value - mask.mean()) < 3 * found.coverage.sigma
    assert 0.5 <= found.confidence <= 1.0


def test_ragged_lumps_are_moss():
    generator = np.random.default_rng(3)
    places = np.concatenate([128 + 26 * generator.standard_normal((60, 2)), [[128, 128]]])
    found = deposits(micrograph(with_shapes(discs(256, places, 9)), 0.1))
    assert found.kind is DepositClass.MOSSY


def test_coverage_scatters_from_image_to_image_as_is_said():
    """Insides are hardly brighter than what is behind their rims: many are filled in one image and not in the
    next.
    """
    mask = discs(256, 128 + 40 * np.random.default_rng(3).standard_normal((50, 2)), 10)
    found = [
        deposits(micrograph(with_shapes(mask, seed=seed, slope=-0.5), 0.1)).coverage for seed in range(12)
    ]
    scatter = np.std([one.value for one in found], ddof=1)
    assert 0.6 < scatter / np.sqrt(np.mean([one.sigma_stat**2 for one in found])) < 1.6
    assert scatter > 20 / mask.size


def test_a_place_at_its_limit_is_known_to_be_at_it():
    """The inside of a large disc is hardly darker than its rim: it is filled in some images, and each of them
    says so, also those in which noise has moved it off its limit.
    """
    mask = discs(256, [(128, 128)], 40)
    found = [
        deposits(micrograph(with_shapes(mask, seed=seed, slope=1.5), 0.1)).coverage for seed in range(12)
    ]
    value, stat = (np.array([getattr(one, name) for one in found]) for name in ("value", "sigma_stat"))
    assert np.ptp(value) > 0.8 * mask.mean()
    assert 0.7 < np.sqrt(np.mean(((value - value.mean()) / stat) ** 2)) < 1.5


def test_what_an_image_is_off_at_its_distance_from_a_limit():
    """Which is 0 below it and 1 above: off the mean of images of the same truth."""
    noise = np.random.default_rng(1).standard_normal((2, 200_000))
    for distance in (0.0, 0.5, 1.5, 2.5):
        share = norm.cdf(distance + noise[0])
        of_this, of_all = np.mean((1.0 - share) ** 2), np.mean(share * (1.0 - share))
        assert square_off(np.array([distance]))[0] == pytest.approx(max(of_this, of_all), rel=0.02)
    distances = np.linspace(-8.0, 8.0, 1601)
    below = norm.cdf(distances)
    # Each of both is that over all distances.
    assert 1.0 < square_off(distances).mean() / np.mean(below * (1.0 - below)) < 1.5


def test_without_scatter_the_statistical_error_is_left_out_and_nothing_else():
    image = micrograph(with_shapes(discs(256, GRID, 18)), 0.1)
    whole, quick = deposits(image), deposits(image, with_scatter=False)
    assert (quick.kind, quick.confidence) == (whole.kind, whole.confidence)
    assert quick.coverage.value == whole.coverage.value
    assert quick.coverage.sigma_sys == whole.coverage.sigma_sys
    assert np.isnan(quick.coverage.sigma_stat)
    assert whole.coverage.sigma_stat > 0


@settings(max_examples=8, deadline=None)
@given(scale=st.floats(0.001, 100.0), relative=st.floats(0.0, 0.05))
def test_widths_scale_with_the_pixel(scale, relative):
    image = with_shapes(discs(256, GRID, 18))
    one = deposits(micrograph(image, 1.0)).width_um
    other = deposits(micrograph(image, scale, relative * scale)).width_um
    assert other.value == pytest.approx(scale * one.value)
    assert other.sigma_sys >= scale * one.sigma_sys * (1 - 1e-9)
    # Two thirds of the diameter of a disc, area over half the outline, is its radius.
    assert abs(one.value - 18.0) < 3 * one.sigma


def test_isles_are_counted_and_sized():
    image = micrograph(with_shapes(discs(256, [*GRID, (0, 128)], 15)), 0.5)
    found = isles(image, deposits(image))
    assert found.count == 10
    assert found.per_mm2.value == pytest.approx(9.5 / image.area_um2 * 1e6)
    assert abs(found.diameter_um.value - 15.0) < 3 * found.diameter_um.sigma
    assert found.diameters_um.size == 9
    assert isles(image, deposits(image), least_um=30.0).count == 0


@pytest.mark.parametrize(
    ("counts", "pixel_um", "words"),
    [
        (np.zeros((256, 256), dtype=np.uint8), 1.0, "blank"),
        (np.full((256, 256), 255, dtype=np.uint8), 1.0, "blank"),
        (np.zeros((20, 256), dtype=np.uint8), 1.0, "64 pixels"),
        (np.zeros((256, 256, 3), dtype=np.uint8), 1.0, "one grey image"),
        (np.zeros((0, 0)), 1.0, "64 pixels"),
        (np.full((128, 128), np.nan), 1.0, "no numbers"),
        (face(128) / 255, 0.0, "no scale"),
        (face(128) / 255, float("nan"), "no scale"),
    ],
)
def test_what_is_no_image_is_refused(counts, pixel_um, words):
    with pytest.raises(MicrographError, match=words):
        deposits(micrograph(counts, pixel_um))


def test_saturation_is_refused_with_a_remedy():
    white = np.clip(face(128, level=250, noise=40), 0, 255).astype(np.uint8)
    with pytest.raises(MicrographError, match="lower brightness"):
        deposits(micrograph(white, 1.0))
    black = np.clip(face(128, level=2, noise=20), 0, 255).astype(np.uint8)
    with pytest.raises(MicrographError, match="raise the brightness"):
        deposits(micrograph(black, 1.0))


def drawn_grid(pitch_px, ratio=1.0, shear=0.0, side=320):
    y, x = np.mgrid[:side, :side].astype(float)
    u, v = (x + shear * y) / pitch_px, y * ratio / pitch_px
    wide = [1 / (1 + np.exp(-6 * np.sin(2 * np.pi * one))) for one in (u, v)]
    image = face(side) + 40 * wide[0] * wide[1]
    return np.clip(image, 0, 255).astype(np.uint8)


@settings(max_examples=8, deadline=None)
@given(pitch_px=st.floats(12.0, 40.0), ratio=st.floats(0.97, 1.03))
def test_pixel_from_a_grid(pitch_px, ratio):
    found = scale_of(micrograph(drawn_grid(pitch_px, ratio), 1.0), 10.0, 0.01)
    assert abs(found.pixel_x_um.value * pitch_px / 10.0 - 1) < 2e-3
    assert abs(found.pixel_y_um.value * pitch_px / ratio / 10.0 - 1) < 2e-3
    assert found.pixel_x_um.sigma_sys == pytest.approx(found.pixel_x_um.value * 1e-3)


def test_a_sheared_scan_shows_in_the_grid():
    found = scale_of(micrograph(drawn_grid(20.0, shear=0.02), 1.0), 10.0, 0.01)
    assert abs(found.shear_deg.value) == pytest.approx(np.degrees(0.02), abs=0.1)


def test_no_grid_and_too_few_periods():
    with pytest.raises(MicrographError, match="no grid"):
        scale_of(micrograph(face(256).astype(np.uint8), 1.0), 10.0, 0.01)
    with pytest.raises(MicrographError, match="periods"):
        scale_of(micrograph(drawn_grid(120.0), 1.0), 10.0, 0.01)
    with pytest.raises(MicrographError, match="certificate"):
        scale_of(micrograph(drawn_grid(20.0), 1.0), -1.0, 0.01)


def drawn_section(rows, levels, wave_px=0.0, seed=0):
    """Layers between rows, the second face wavy."""
    x = np.arange(256)
    image = np.full((300, 256), levels[0], dtype=float)
    for number, row in enumerate(rows):
        course = row + wave_px * (number == 1) * np.sin(2 * np.pi * x / 64)
        image[np.arange(300)[:, None] >= course[None, :]] = levels[number + 1]
    image += 4 * np.random.default_rng(seed).standard_normal(image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def test_thickness_and_roughness_of_layers():
    image = micrograph(drawn_section([50, 120, 240], [30, 70, 110, 30], wave_px=5.0), 0.2, 0.002)
    found = section(image, ["Li", "SPE"])
    for name, true in (("Li", 70 * 0.2), ("SPE", 120 * 0.2)):
        layer = found.layer(name)
        assert abs(layer.thickness_um.value - true) < 2 * layer.thickness_um.sigma
        assert abs(layer.roughness_um.value - 5.0 / np.sqrt(2) * 0.2) < 3 * layer.roughness_um.sigma
        assert layer.thickness_um.sigma_sys > true * 0.01
    with pytest.raises(KeyError, match="no layer 'Cu'"):
        found.layer("Cu")


@pytest.mark.parametrize("jumps", [0.0, 4.0])
def test_thickness_scatters_from_image_to_image_as_is_said(jumps):
    """By the noise of pixels, and by that of whole rows where a sample charges."""
    values = []
    for seed in range(24):
        image = drawn_section([50, 120, 240], [60, 100, 140, 60], wave_px=5.0, seed=seed).astype(float)
        generator = np.random.default_rng([seed, 1])
        image = ndimage.gaussian_filter(image, 0.8) + 4.0 * generator.standard_normal(image.shape)
        image += jumps * generator.standard_normal((300, 1))
        taken = micrograph(np.clip(image, 0, 255).astype(np.uint8), 0.2, 0.002)
        values.append(section(taken, ["Li", "SPE"]).layer("SPE").thickness_um)
    stat = np.sqrt(np.mean([one.sigma_stat**2 for one in values]))
    assert 0.6 < np.std([one.value for one in values], ddof=1) / stat < 1.4


def test_a_face_does_not_jump_by_a_grain():
    """Where a pore as thick as a grain lies below it, the face may be above the grain or below the pore."""
    grain, places = 6, []
    for seed in range(24):
        image = np.repeat([60.0, 100.0, 140.0, 60.0], [50, 70, 120, 60])[:, None] * np.ones(256)
        image[120 + grain : 120 + 2 * grain].reshape(grain, 8, 32)[:, :, :8] = 100.0
        image += 4.0 * np.random.default_rng(seed).standard_normal(image.shape)
        taken = micrograph(np.clip(image, 0, 255).astype(np.uint8), 0.2, 0.002)
        places.append(section(taken, ["Li", "SPE"]).faces_px[1])
    of_pores = np.arange(64) % 8 < 2
    scatter = np.std(places, axis=0)
    assert np.mean(scatter[of_pores]) < 0.5 * grain
    assert np.all(scatter[~of_pores] < 0.2)


def test_particles_of_a_composite_are_no_noise():
    generator = np.random.default_rng(1)
    expected = np.repeat([30.0, 70.0, 110.0, 30.0], 80)[:, None] * np.ones(256)
    expected[160:240] += 20.0 * generator.standard_normal((80, 256))
    counted = np.round(generator.poisson(np.maximum(expected, 0.0) * 10.0) / 10.0)
    parts = np.split(counted, 4)
    noise = counting_noise(parts)
    # By counting, and by the steps of grey.
    true = np.sqrt([one.mean() / 10.0 + 1.0 / 12.0 for one in parts])
    assert noise == pytest.approx(true, rel=0.2)
    assert noise_of(parts[2]) > 2 * true[2]


def test_sections_that_show_no_layers_are_refused():
    with pytest.raises(MicrographError, match="no layers are named"):
        section(micrograph(drawn_section([50], [30, 70]), 1.0), [])
    with pytest.raises(MicrographError, match="step"):
        section(micrograph(face(256).astype(np.uint8), 1.0), ["Li"])
    with pytest.raises(MicrographError, match="do not fit"):
        section(micrograph(face(64).astype(np.uint8), 1.0), [str(number) for number in range(20)])


@settings(max_examples=8, deadline=None)
@given(rows=st.integers(-30, 30), columns=st.integers(-30, 30))
def test_shift_of_a_place(rows, columns):
    mask = discs(320, [(row + 30, column + 30) for row, column in GRID], 16)
    moved = np.roll(mask, (rows, columns), axis=(0, 1))
    first, second = (
        micrograph(with_shapes(one, seed)[32:-32, 32:-32], 0.1) for seed, one in enumerate((mask, moved))
    )
    found = shift_between(first, second)
    assert abs(found.rows - rows) < 1.0
    assert abs(found.columns - columns) < 1.0


def test_other_places_are_not_laid_upon_each_other():
    generator = np.random.default_rng(0)
    first, second = (
        micrograph(with_shapes(discs(256, 256 * generator.uniform(size=(6, 2)), 12), seed), 0.1)
        for seed in (1, 2)
    )
    small = micrograph(with_shapes(discs(128, [(60, 60)], 12)), 0.1)
    with pytest.raises(MicrographError, match="same field"):
        shift_between(first, small)
    bare = [micrograph(face(256, seed=seed).astype(np.uint8), 0.1) for seed in (3, 4)]
    with pytest.raises(MicrographError, match="different places"):
        shift_between(*bare)
    assert second.grey.shape == first.grey.shape


def test_length_of_cracks():
    lines = [((40, 40), (40, 200)), ((100, 60), (210, 170))]
    dark = rods(256, lines, 1.2)
    image = np.clip(face(256) - 50 * dark, 0, 255).astype(np.uint8)
    found = cracks(micrograph(image, 0.1))
    true = 0.1 * (160 + np.hypot(110, 110))
    assert found.count.value == 2
    assert abs(found.length_um.value - true) < 2 * found.length_um.sigma_sys
    assert cracks(micrograph(face(256).astype(np.uint8), 0.1)).count.value == 0


@pytest.mark.parametrize("wall_px", [None, 8])
@pytest.mark.parametrize("channel", [False, True])
def test_hollow_or_filled(wall_px, channel):
    y, x = np.mgrid[:256, :256]
    away = np.hypot(y - 110, x - 128)
    solid = (away < 45) & (True if wall_px is None else away > 45 - wall_px)
    image = np.where(solid | (y > 150), 120.0, 20.0)
    if channel:
        image[(y > 160) & (np.abs(x - 130) < 12)] = 20.0
    counts = np.clip(image + 4 * np.random.default_rng(0).standard_normal(image.shape), 0, 255).astype(
        np.uint8
    )
    found = milled_body(micrograph(counts, 0.01), 110, 128)
    assert found.inside is (Inside.FILLED if wall_px is None else Inside.HOLLOW)
    assert found.perforated is channel
    assert abs(found.diameter_um.value - 0.9) < 3 * found.diameter_um.sigma
    if wall_px:
        assert abs(found.wall_um.value - 0.08) < 3 * found.wall_um.sigma
    else:
        assert np.isnan(found.wall_um.value)


def test_a_place_without_a_body_is_refused():
    counts = np.clip(face(256, level=20), 0, 255).astype(np.uint8)
    counts[200:] = 120
    with pytest.raises(MicrographError, match="no outline"):
        milled_body(micrograph(counts, 0.01), 100, 128)
    with pytest.raises(MicrographError, match="outside the image"):
        milled_body(micrograph(counts, 0.01), 300, 128)
