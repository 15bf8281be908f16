"""Images drawn by hand for tests: bright shapes with rims on a noisy face."""

import numpy as np
from scipy import ndimage


def face(side=256, level=80.0, noise=2.0, seed=0):
    return level + noise * np.random.default_rng(seed).standard_normal((side, side))


def with_shapes(mask, seed=0, rim=60.0, slope=12.0):
    """A mask as a relief: bright along its outline, and falling off inwards."""
    depth = ndimage.distance_transform_edt(mask)
    bright = np.where(mask, rim * np.exp(-(((depth - 1.0) / 1.2) ** 2)) + slope * np.exp(-depth / 8.0), 0.0)
    image = face(mask.shape[0], seed=seed) + ndimage.gaussian_filter(bright, 0.7)
    return np.clip(image, 0, 255).astype(np.uint8)


def discs(side, places, radius):
    y, x = np.ogrid[:side, :side]
    return np.any([(y - row) ** 2 + (x - column) ** 2 <= radius**2 for row, column in places], axis=0)


def rods(side, ends, half_width):
    y, x = np.mgrid[:side, :side].astype(float)
    mask = np.zeros((side, side), dtype=bool)
    for (r1, c1), (r2, c2) in ends:
        dr, dc = r2 - r1, c2 - c1
        along = np.clip(((y - r1) * dr + (x - c1) * dc) / (dr * dr + dc * dc), 0, 1)
        mask |= np.hypot(y - r1 - along * dr, x - c1 - along * dc) <= half_width
    return mask
