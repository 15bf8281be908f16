"""Filters, extremes and sums of images, against those of scipy."""

import numpy as np
import pytest
from scipy import ndimage

from intercalate.reduction.micrographs.pixels import (
    beside,
    connected,
    depth_px,
    filtered,
    highest_around,
    largest,
    smoothed,
    steepness,
    summed,
    widened,
)

SHAPES = ((70, 64), (65, 200), (130, 67))


def image(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(1).normal(100.0, 10.0, shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_filters_are_those_of_scipy_up_to_the_borders(shape: tuple[int, int]) -> None:
    grey = image(shape)
    for sigma_px in (1.0, 1.5, 3.0):
        np.testing.assert_allclose(
            smoothed(grey, sigma_px), ndimage.gaussian_filter(grey, sigma_px), rtol=1e-6
        )
        expected = ndimage.gaussian_gradient_magnitude(grey, sigma_px)
        np.testing.assert_allclose(steepness(grey, sigma_px), expected, atol=5e-5)
    apart, over = np.array([-0.5, 0.0, 0.5]), np.array([0.25, 0.5, 0.25])
    np.testing.assert_allclose(filtered(grey, apart, over), ndimage.sobel(grey, 0) / 8, atol=5e-5)
    np.testing.assert_allclose(filtered(grey, over, apart), ndimage.sobel(grey, 1) / 8, atol=5e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_extremes_sums_and_distances_are_those_of_scipy(shape: tuple[int, int]) -> None:
    grey = image(shape)
    mask = ndimage.gaussian_filter(grey, 3.0) > 100.0
    labels, count = connected(mask)
    index = np.arange(1, count + 1)
    assert count > 2
    np.testing.assert_array_equal(highest_around(labels, 3), ndimage.grey_dilation(labels, size=(7, 7)))
    np.testing.assert_array_equal(beside(mask), ndimage.binary_dilation(mask))
    for by_px in (1, 5, 10):
        np.testing.assert_array_equal(widened(mask, by_px), ndimage.maximum_filter(mask, 2 * by_px + 1))
    np.testing.assert_allclose(depth_px(mask), ndimage.distance_transform_edt(mask), rtol=1e-6)
    np.testing.assert_array_equal(largest(grey, labels, count), ndimage.maximum(grey, labels, index))
    np.testing.assert_allclose(summed(grey, labels, count), ndimage.sum(grey, labels, index), rtol=1e-5)
