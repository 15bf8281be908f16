"""The images of a run as a film: one place of the sample, with time and voltage in every picture."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from intercalate.calibrations import Kind
from intercalate.catalog.alignment import align, frames_alone
from intercalate.catalog.client import frames
from intercalate.catalog.linked import has_records
from intercalate.config import Config
from intercalate.frame_use import spot_of, why_useless
from intercalate.instrument_sections import SemSection, TemSection
from intercalate.results import calibrations_of, instrument_of
from intercalate.views.video import VideoError, write_video

IMAGING = ("sem", "tem")
"""Instruments whose frames are images."""

_IMAGE_OF_TEM = "image"


@dataclass(frozen=True)
class Film:
    """What was written.

    Attributes
    ----------
    shown, left_out
        Images in it, and images of the stream that are of another place, field or mode, or had no electrons.
    """

    path: Path
    shown: int
    left_out: int


def write_film(run: Any, config: Config, path: Path, *, stream: str, frames_per_s: float = 8.0) -> Film:
    """Write the images of a stream as a film, those of the place of which there are most.

    Parameters
    ----------
    path
        Ends with `.gif`, or with `.mp4` where the command ffmpeg is installed.

    Raises
    ------
    VideoError
        If the stream has no images, or the file cannot be written so.
    """
    aligned = align(run, stream) if has_records(run) else frames_alone(run, stream)
    instrument = instrument_of(run.metadata["start"], stream)
    pixel_um = _pixels_um(aligned, run, instrument, config)
    views = [
        "" if why_useless(aligned, number) else f"{spot_of(aligned, number)} {pixel_um[number]:.6g}"
        for number in range(len(pixel_um))
    ]
    seen = Counter(view for view, size in zip(views, pixel_um) if view and np.isfinite(size))
    if not seen:
        raise VideoError(f"no frame of {stream} is an image with electrons; see `intercalate plot`")
    view, _ = seen.most_common(1)[0]
    chosen = [number for number, one in enumerate(views) if one == view]
    images = frames(run, stream)
    write_video(
        [np.asarray(images[number]) for number in chosen],
        _times_s(aligned)[chosen],
        _column(aligned, "voltage_volt")[chosen],
        path,
        pixel_um=float(pixel_um[chosen[0]]),
        simulated=bool(run.metadata["start"].get("simulated", False)),
        frames_per_s=frames_per_s,
    )
    return Film(path, len(chosen), len(views) - len(chosen))


def _pixels_um(aligned: xr.Dataset, run: Any, instrument: str, config: Config) -> np.ndarray:
    """Size of a pixel in each frame; NaN where a frame is no image."""
    match section := config.instrument(instrument):
        case SemSection():
            known, _ = calibrations_of(run.metadata["start"], instrument, config)
            scale = known.get(str(Kind.SCALE))
            ratio = 1.0 if scale is None else scale.values["pixel_ratio"]
            return _column(aligned, "column_field_of_view_um") / section.imaging.shape[1] * ratio
        case TemSection():
            is_image = aligned["scan_mode"].values.astype(str) == _IMAGE_OF_TEM
            return np.where(is_image, section.detector.pixel_nm / 1000.0, np.nan)
        case _:
            raise VideoError(
                f"{instrument} takes no images; films are made of those of {' and '.join(IMAGING)}"
            )


def _times_s(aligned: xr.Dataset) -> np.ndarray:
    """Test time, or where nothing is cycled the time since the first frame."""
    if "test_time_second" in aligned.coords or "test_time_second" in aligned:
        return _column(aligned, "test_time_second")
    start_s = _column(aligned, "start_unix_s")
    return start_s - start_s[0]


def _column(aligned: xr.Dataset, name: str) -> np.ndarray:
    if name not in aligned and name not in aligned.coords:
        return np.full(aligned.sizes["frame"], np.nan)
    return np.asarray(aligned[name], float)
