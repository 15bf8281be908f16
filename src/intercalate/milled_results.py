"""Images of places that ions have milled: what the wall of a trench shows, in place of what a face has."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from intercalate.reduction.micrographs import Inside, Micrograph, MicrographError, body_middle, milled_body
from intercalate.reduction.results import Estimate

WALL_PX = 256
"""Side of the images of walls that are kept with the results."""
_SIGMAS = 3.0


@dataclass(frozen=True)
class Wall:
    """What an image of a milled place shows.

    Attributes
    ----------
    quantities
        By name; none where no body is seen.
    inside
        `Inside`; empty where no body is seen.
    perforated
        `yes`, `no`, or `uncertain`.
    note
        Why something is missing.
    """

    picture: np.ndarray
    quantities: dict[str, Estimate] = field(default_factory=dict)
    inside: str = ""
    perforated: str = ""
    note: str = ""


def milled_um(aligned: xr.Dataset, number: int) -> float:
    """Depth that ions had removed in the field of an image; 0 where the events do not say."""
    if "dose_milled_um" not in aligned:
        return 0.0
    found = float(np.asarray(aligned["dose_milled_um"])[number])
    return found if np.isfinite(found) else 0.0


def cut_um(aligned: xr.Dataset, number: int) -> float:
    """Smaller side of the cut in the field of an image; NaN where the events do not say."""
    return float(np.asarray(aligned["dose_cut_um"])[number]) if "dose_cut_um" in aligned else float("nan")


def wall_of(image: Micrograph, side_um: float = float("nan")) -> Wall:
    """Judge the body in a trench; it need not be in the middle, since heat moves a sample.

    Parameters
    ----------
    side_um
        Smaller side of the cut: an image that shows more than the cut is not judged.
    """
    rows, columns = image.grey.shape
    picture = _smaller(image.grey)
    field_um = max(rows, columns) * image.pixel_um
    if field_um > side_um:
        more = f"the field of {field_um:.3g} um shows more than the cut of {side_um:.3g} um"
        return Wall(picture, note=f"{more} that ions have milled; look closer")
    try:
        middle = body_middle(image)
        body = milled_body(image, *middle)
    except MicrographError as error:
        return Wall(picture, note=f"ions have milled here, and no body is seen: {error}")
    found = {
        "milled.row_um": _pixels(middle[0] - 0.5 * rows, image),
        "milled.column_um": _pixels(middle[1] - 0.5 * columns, image),
        "milled.darkness": body.darkness,
        "milled.diameter_um": body.diameter_um,
        "milled.wall_um": body.wall_um,
    }
    said = {True: "yes", False: "no", None: "uncertain"}[body.perforated]
    inside = body.inside
    if body.darkness.value - _SIGMAS * body.darkness.sigma > 1.0:
        # Darker than the vacuum beside it: one of both is not what it was taken for.
        inside = Inside.UNCERTAIN
    note = "the inside cannot be told" if inside is Inside.UNCERTAIN else ""
    return Wall(picture, found, str(inside), said, note)


def columns_of_walls(walls: Sequence[Wall | None]) -> dict[str, Any]:
    """Columns along `frame`, and the pictures along `wall`; nothing where no place was milled."""
    if not any(walls):
        return {}
    found: dict[str, Any] = {}
    for name in ("inside", "perforated"):
        words = ["" if one is None else getattr(one, name) for one in walls]
        found[name] = ("frame", np.array(words, str))
    numbers = [number for number, one in enumerate(walls) if one is not None]
    found["wall_frame"] = ("wall", np.array(numbers))
    pictures = np.array([one.picture for one in walls if one is not None])
    found["wall_picture"] = (("wall", "wall_row", "wall_column"), pictures)
    return found


def _pixels(value: float, image: Micrograph) -> Estimate:
    """A place in an image, from its middle, within a pixel."""
    scale = image.pixel_sigma_um / image.pixel_um
    return Estimate(
        value * image.pixel_um, 0.0, float(np.hypot(image.pixel_um, value * image.pixel_um * scale))
    )


def _smaller(grey: np.ndarray) -> np.ndarray:
    """Means of blocks, so that no side has more than `WALL_PX` pixels."""
    step = max(1, int(np.ceil(max(grey.shape) / WALL_PX)))
    rows, columns = (size // step for size in grey.shape)
    blocks = grey[: rows * step, : columns * step].reshape(rows, step, columns, step)
    return blocks.mean(axis=(1, 3)).astype(np.uint8)
