"""What a milled needle or isle is inside, and whether what it stands on is perforated."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from scipy import ndimage

from intercalate.reduction.micrographs.image import Micrograph, MicrographError, require_usable
from intercalate.reduction.results import UNDETERMINED, Estimate

_SIGMAS = 4.0
_ANGLES = 72
_BASE_SHARE = 0.6
"""Of a row that is solid where a body stands on something, which may be perforated."""
_NEAR_BASE = 0.15
"""Of the height of a body, above what it stands on, where its outline is not its own."""
_LEAST_BODY = 0.002
"""Of the pixels of an image."""
_EMPTY, _FULL = 0.65, 0.5
"""Darkness by two standard errors above which an inside is empty, and below which it is filled; between both
it cannot be told, since a damaged face may be dark."""


class Inside(StrEnum):
    """Of what was milled."""

    HOLLOW = "hollow"
    """As dark inside as the vacuum beside it."""
    FILLED = "filled"
    """As bright inside as its shell."""
    UNCERTAIN = "uncertain"
    """Neither, within what curtains and noise allow."""


@dataclass(frozen=True)
class MilledBody:
    """A body in the wall of a trench.

    Attributes
    ----------
    darkness
        Of the inside: 1 as the vacuum, 0 as the shell.
    diameter_um, wall_um
        Of the body (of a disc of the same area), and the thickness of its shell where it is hollow.
    perforation
        Darkness of the best column right below the body, as `darkness` with what it stands on as the shell.
    perforated
        None where it cannot be told.
    """

    inside: Inside
    darkness: Estimate
    diameter_um: Estimate
    wall_um: Estimate
    perforation: Estimate
    perforated: bool | None


def milled_body(image: Micrograph, row_px: float, column_px: float) -> MilledBody:
    """Judge what a trench has opened.

    Parameters
    ----------
    row_px, column_px
        A place inside the body; its outline is sought from there, what it stands on lies below it.

    Raises
    ------
    MicrographError
        If there is no body around that place.
    """
    require_usable(image)
    rows, columns = image.grey.shape
    if not (0 <= row_px < rows and 0 <= column_px < columns):
        raise MicrographError(
            f"the place ({row_px:g}, {column_px:g}) is outside the image of {rows} x {columns}"
        )
    grey = ndimage.median_filter(image.grey, 5)
    vacuum, spread = _vacuum(grey)
    solid = _solid(grey)
    outer, wall = _rays(solid, row_px, column_px)
    seen = np.isfinite(outer)
    # Rays that run down into what the body stands on find no outer face.
    if seen.sum() < _ANGLES // 4:
        raise MicrographError(
            f"no outline around ({row_px:g}, {column_px:g}): {int(seen.sum())} of {_ANGLES} rays leave a "
            f"body; point at its middle"
        )
    radius = float(np.median(outer[seen]))
    y, x = np.ogrid[:rows, :columns]
    away = np.hypot(y - row_px, x - column_px)
    middle = grey[away < 0.45 * radius]
    shell = grey[solid & (away < 0.98 * radius) & (away > 0.5 * radius) & (y < row_px + 0.6 * radius)]
    if shell.size < 20 or middle.size < 20:
        raise MicrographError(f"the body is {2 * radius:.0f} pixels wide; magnify more")
    darkness = _darkness(middle, shell, vacuum, spread)
    inside = Inside.UNCERTAIN
    if darkness.value - 2 * darkness.sigma > _EMPTY:
        inside = Inside.HOLLOW
    elif darkness.value + 2 * darkness.sigma < _FULL:
        inside = Inside.FILLED
    pixel, scale = image.pixel_um, image.pixel_sigma_um / image.pixel_um
    # Outlines lie on whole pixels of a filtered image, which noise does not move; rays differ by the shape.
    by_shape = 2 * float(outer[seen].std()) / np.sqrt(seen.sum() / 4)
    diameter = Estimate(
        2 * radius * pixel, 0.0, pixel * float(np.sqrt(2.0**2 + by_shape**2 + (2 * radius * scale) ** 2))
    )
    thick = wall[seen & np.isfinite(wall)]
    wall_um = UNDETERMINED
    if inside is Inside.HOLLOW and thick.size > 8:
        mean, by_shape = float(np.median(thick)), float(thick.std()) / np.sqrt(thick.size / 4)
        wall_um = Estimate(
            mean * pixel, 0.0, pixel * float(np.sqrt(1.5**2 + by_shape**2 + (mean * scale) ** 2))
        )
    below, perforated = _perforation(grey, row_px, column_px, radius, vacuum, spread)
    return MilledBody(inside, darkness, diameter, wall_um, below, perforated)


def body_middle(image: Micrograph) -> tuple[float, float]:
    """Row and column of the middle of a body that stands in the wall of a trench, wherever it is.

    What it stands on fills whole rows below; the body is what is connected above them.

    Raises
    ------
    MicrographError
        If nothing stands there, or an edge of the image cuts it.
    """
    require_usable(image)
    grey = ndimage.median_filter(image.grey, 5)
    solid = _solid(grey)
    rows, columns = solid.shape
    full = solid.mean(axis=1) > _BASE_SHARE
    # The last row that is not full, from below.
    base = rows - int(np.argmin(full[::-1])) if not full.all() else 0
    # scipy's annotations know but one of the two that are returned.
    found: Any = ndimage.label(ndimage.binary_fill_holes(solid[:base]))
    labels = found[0]
    sizes = np.bincount(labels.ravel())[1:]
    if sizes.size == 0 or sizes.max() < _LEAST_BODY * rows * columns:
        raise MicrographError("nothing stands in the wall of the trench; is the cut where the body was?")
    body = labels == 1 + int(sizes.argmax())
    there = np.flatnonzero(body.any(axis=0))
    top = int(np.flatnonzero(body.any(axis=1))[0])
    left, right = int(there[0]), int(there[-1])
    if top == 0 or left == 0 or right == columns - 1:
        raise MicrographError("an edge of the image cuts the body; look at a larger field, or beside")
    # A circle through the outline, where it is free, by least squares (Kasa 1976).
    inner: Any = ndimage.binary_erosion(body, border_value=1)
    row, column = np.nonzero(body & ~inner)
    free = row < base - _NEAR_BASE * (base - top)
    design = np.stack([2.0 * row[free], 2.0 * column[free], np.ones(free.sum())], axis=1)
    middle = np.linalg.lstsq(design, row[free] ** 2.0 + column[free] ** 2.0, rcond=None)[0]
    return float(middle[0]), float(middle[1])


def _solid(grey: np.ndarray) -> np.ndarray:
    """What is brighter than the vacuum."""
    vacuum, spread = _vacuum(grey)
    bright = float(np.median(grey[grey > vacuum + 4 * spread]))
    return grey > vacuum + max(_SIGMAS * spread, 0.25 * (bright - vacuum))


def _vacuum(grey: np.ndarray) -> tuple[float, float]:
    """Grey of the darkest tenth, and its spread."""
    dark = grey[grey <= np.percentile(grey, 10)]
    level = float(np.median(dark))
    near = grey[np.abs(grey - level) < max(6 * float(dark.std()), 2.0)]
    return float(np.median(near)), max(float(near.std()), 0.5)


def _rays(solid: np.ndarray, row: float, column: float) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the outer face, and thickness of the wall, along rays from the middle upwards and
    sideways.
    """
    reach = np.arange(2.0, 0.7 * max(solid.shape), 0.5)
    angles = np.linspace(-np.pi, 0.0, _ANGLES)
    y = np.clip(np.rint(row + reach[None, :] * np.sin(angles)[:, None]).astype(int), 0, solid.shape[0] - 1)
    x = np.clip(np.rint(column + reach[None, :] * np.cos(angles)[:, None]).astype(int), 0, solid.shape[1] - 1)
    along = solid[y, x]
    outer, wall = np.full(_ANGLES, np.nan), np.full(_ANGLES, np.nan)
    for number, ray in enumerate(along):
        hit = np.flatnonzero(ray)
        if hit.size == 0:
            continue
        left = np.flatnonzero(~ray[hit[0] :])
        # The wall ends where ten steps in a row are vacuum.
        ends = [at for at in left if not ray[hit[0] + at : hit[0] + at + 10].any()]
        if ends:
            outer[number] = reach[min(hit[0] + ends[0], reach.size - 1)]
            wall[number] = 0.5 * ends[0]
    return outer, wall


def _darkness(middle: np.ndarray, shell: np.ndarray, vacuum: float, spread: float) -> Estimate:
    """Of the inside, on the way from the shell to the vacuum; curtains make the scatter count by columns."""
    bright = float(np.median(shell)) - vacuum
    value = 1.0 - (float(np.median(middle)) - vacuum) / bright
    stat = float(middle.std()) / np.sqrt(max(np.sqrt(middle.size), 1.0)) / bright
    # The shell's own scatter: its edges shine, its face is damaged.
    systematic = float(np.hypot(spread, 0.3 * shell.std())) / bright
    return Estimate(value, stat, systematic)


def _perforation(
    grey: np.ndarray, row: float, column: float, radius: float, vacuum: float, spread: float
) -> tuple[Estimate, bool | None]:
    """Look for a dark channel within a radius of the middle, below the body."""
    first = int(row + 1.15 * radius)
    last = min(int(row + 2.2 * radius), grey.shape[0])
    left, right = int(max(column - radius, 0)), int(min(column + radius, grey.shape[1]))
    beside = np.concatenate(
        [
            grey[first:last, : max(int(column - 1.3 * radius), 0)].ravel(),
            grey[first:last, int(column + 1.3 * radius) :].ravel(),
        ]
    )
    if last - first < 8 or right - left < 8 or beside.size < 50:
        return UNDETERMINED, None
    bright = float(np.median(beside)) - vacuum
    if bright < _SIGMAS * spread:
        return UNDETERMINED, None
    # A channel may wander: the darkest tenth of each row.
    darkest = np.percentile(grey[first:last, left:right], 10, axis=1)
    value = 1.0 - (float(np.median(darkest)) - vacuum) / bright
    usual = 1.0 - (np.percentile(beside, 10) - vacuum) / bright
    found = Estimate(
        value, float(darkest.std()) / np.sqrt(darkest.size) / bright, abs(float(usual)) / 2 + spread / bright
    )
    if found.value - 2 * found.sigma > 0.5:
        return found, True
    return found, False if found.value + 2 * found.sigma < 0.8 else None
