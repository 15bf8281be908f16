"""Images of a run as a video, with time, voltage and a scale bar in every frame.

Pillow, which matplotlib brings along, writes GIFs. Films of smaller size, MP4, are written by the command
ffmpeg where it is installed; Python packages that carry it have encoders under the GPL.
"""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

_BAND = 0.11
"""Height of the band below the image, in parts of its width."""
_BAR_SHARE = 0.2
"""Of the width, which the scale bar takes at most."""
_LEAST_SIDE = 64


class VideoError(ValueError):
    """No video can be made of this; the message says why and what to do."""


def write_video(
    frames: Sequence[np.ndarray] | np.ndarray,
    times_s: Sequence[float] | np.ndarray,
    voltages_v: Sequence[float] | np.ndarray,
    path: Path,
    *,
    pixel_um: float,
    simulated: bool,
    frames_per_s: float = 8.0,
    most_pixels: int = 512,
    grey_range: tuple[float, float] | None = None,
) -> Path:
    """Write images of a run as an animated GIF, or as MP4 (H.264).

    Parameters
    ----------
    frames
        Grey images of one shape (rows, columns), in order.
    times_s
        Test time of each, rising.
    voltages_v
        Of the cell at each; NaN where it is not known.
    path
        Ends with `.gif` or `.mp4`.
    pixel_um
        Size of a pixel of the frames.
    simulated
        Writes so into every frame.
    most_pixels
        Longer side of the images in the video; larger ones are made smaller.
    grey_range
        Black and white; None takes percentiles over all frames, so that brightness can be compared.

    Raises
    ------
    VideoError
        If there are no frames, shapes or counts differ, times do not rise, or the path is of another format.
    """
    stack = _checked(frames, times_s, voltages_v, pixel_um, frames_per_s)
    if path.suffix.lower() not in WRITERS:
        raise VideoError(f"{path.name} has no format that is known; end it with {' or '.join(WRITERS)}")
    black, white = grey_range or _range(stack)
    if not white > black:
        raise VideoError(f"a grey range from {black:g} to {white:g} shows nothing; leave it out")
    times, voltages = np.asarray(times_s, dtype=float), np.asarray(voltages_v, dtype=float)
    pictures = [
        _picture(frame, number, times, voltages, (black, white), pixel_um, most_pixels, simulated)
        for number, frame in enumerate(stack)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    WRITERS[path.suffix.lower()](pictures, path, frames_per_s)
    return path


def _write_gif(pictures: Sequence[Image.Image], path: Path, frames_per_s: float) -> None:
    pictures[0].save(
        path,
        save_all=True,
        append_images=list(pictures[1:]),
        duration=round(1000.0 / frames_per_s),
        loop=0,
        optimize=False,
    )


def _write_mp4(pictures: Sequence[Image.Image], path: Path, frames_per_s: float) -> None:
    command = shutil.which("ffmpeg")
    if command is None:
        raise VideoError(f"{path.name} needs the command ffmpeg; install it, or end the name with .gif")
    width, height = pictures[0].size
    # H.264 with players' usual colours has even sides.
    even = [picture.crop((0, 0, width + width % 2, height + height % 2)) for picture in pictures]
    size = f"{even[0].width}x{even[0].height}"
    source = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", size, "-r", f"{frames_per_s:g}", "-i", "-"]
    made = subprocess.run(
        [command, "-y", "-loglevel", "error", *source, "-pix_fmt", "yuv420p", str(path)],
        input=b"".join(picture.tobytes() for picture in even),
        capture_output=True,
        check=False,
    )
    if made.returncode:
        raise VideoError(f"ffmpeg has not written {path}: {made.stderr.decode(errors='replace').strip()}")


WRITERS = {".gif": _write_gif, ".mp4": _write_mp4}
"""By the end of a file's name."""


def _checked(
    frames: Sequence[np.ndarray] | np.ndarray,
    times_s: Sequence[float] | np.ndarray,
    voltages_v: Sequence[float] | np.ndarray,
    pixel_um: float,
    frames_per_s: float,
) -> list[np.ndarray]:
    stack = [np.asarray(frame) for frame in frames]
    if not stack:
        raise VideoError("there are no frames; take images during the run")
    for number, frame in enumerate(stack):
        if frame.ndim != 2 or min(frame.shape) < _LEAST_SIDE or frame.shape != stack[0].shape:
            raise VideoError(
                f"frame {number} has shape {frame.shape}, the first {stack[0].shape}: grey images of one "
                f"shape, at least "
                f"{_LEAST_SIDE} pixels wide and high, are expected"
            )
    if not len(stack) == len(times_s) == len(voltages_v):
        raise VideoError(
            f"{len(stack)} frames, {len(times_s)} times and {len(voltages_v)} voltages: give one for each"
        )
    if not np.all(np.isfinite(np.asarray(times_s, dtype=float))) or np.any(
        np.diff(np.asarray(times_s, dtype=float)) < 0
    ):
        raise VideoError("times do not rise; order the frames by time")
    if not (pixel_um > 0 and frames_per_s > 0):
        raise VideoError(
            f"a pixel of {pixel_um} um at {frames_per_s} frames per second is no video; both are above 0"
        )
    return stack


def _range(stack: list[np.ndarray]) -> tuple[float, float]:
    """Percentiles of a thinned sample of all frames."""
    sample = np.concatenate([np.asarray(frame[::8, ::8], dtype=float).ravel() for frame in stack])
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        raise VideoError("the frames hold no numbers; read them again")
    low, high = np.percentile(sample, [0.5, 99.5])
    return float(low), float(max(high, low + 1e-6))


def _picture(
    frame: np.ndarray,
    number: int,
    times_s: np.ndarray,
    voltages_v: np.ndarray,
    grey: tuple[float, float],
    pixel_um: float,
    most_pixels: int,
    simulated: bool,
) -> Image.Image:
    shade = (np.nan_to_num(np.asarray(frame, dtype=float), nan=grey[0]) - grey[0]) / (grey[1] - grey[0])
    image = Image.fromarray((255 * np.clip(shade, 0, 1)).astype(np.uint8))
    shrink = min(1.0, most_pixels / max(image.size))
    if shrink < 1.0:
        image = image.resize(
            (max(round(image.width * shrink), 1), max(round(image.height * shrink), 1)), Image.Resampling.BOX
        )
    band = max(round(_BAND * image.width), 26)
    picture = Image.new("L", (image.width, image.height + band), 0)
    picture.paste(image, (0, 0))
    draw = ImageDraw.Draw(picture)
    font = ImageFont.truetype(findfont("DejaVu Sans"), size=max(9, round(0.28 * band)))
    top = image.height
    draw.text((0.15 * band, top + 0.1 * band), time_text(times_s[number]), fill=255, font=font)
    voltage = voltages_v[number]
    text = f"{voltage:.3f} V" if np.isfinite(voltage) else "voltage not known"
    draw.text((0.15 * band, top + 0.55 * band), text, fill=255, font=font)
    if simulated:
        draw.text((0.15 * band, 0.1 * band), "simulated", fill=255, font=font, stroke_width=1, stroke_fill=0)
    _scale_bar(draw, picture.width, top, band, pixel_um * frame.shape[1] / image.width, font)
    _course(
        draw,
        times_s,
        voltages_v,
        number,
        (0.32 * picture.width, top + 0.15 * band, 0.70 * picture.width, top + 0.85 * band),
    )
    return picture


def time_text(seconds: float) -> str:
    """Hours, minutes and seconds of a test time."""
    whole = round(seconds)
    return f"{whole // 3600:d}:{whole // 60 % 60:02d}:{whole % 60:02d} h"


def bar_length_um(most_um: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that does not exceed a length."""
    power = 10.0 ** np.floor(np.log10(most_um))
    return float(max(step * power for step in (1.0, 2.0, 5.0) if step * power <= most_um * (1 + 1e-9)))


def _scale_bar(
    draw: ImageDraw.ImageDraw,
    width: int,
    top: int,
    band: int,
    pixel_um: float,
    font: ImageFont.FreeTypeFont,
) -> None:
    length_um = bar_length_um(_BAR_SHARE * width * pixel_um)
    length = length_um / pixel_um
    right = width - 0.15 * band
    draw.rectangle((right - length, top + 0.68 * band, right, top + 0.78 * band), fill=255)
    label = f"{length_um:g} µm" if length_um < 1000 else f"{length_um / 1000:g} mm"
    draw.text((right - 0.5 * length, top + 0.1 * band), label, fill=255, font=font, anchor="ma")


def _course(
    draw: ImageDraw.ImageDraw,
    times_s: np.ndarray,
    voltages_v: np.ndarray,
    number: int,
    box: tuple[float, float, float, float],
) -> None:
    """Voltage over time as a line, and a mark where this frame is."""
    known = np.isfinite(voltages_v)
    if known.sum() < 2 or np.ptp(times_s) <= 0:
        return
    left, top, right, bottom = box
    low, high = float(voltages_v[known].min()), float(voltages_v[known].max())
    span = max(high - low, 1e-3)
    x = left + (times_s - times_s[0]) / np.ptp(times_s) * (right - left)
    y = bottom - (np.where(known, voltages_v, low) - low) / span * (bottom - top)
    draw.line([(float(a), float(b)) for a, b in zip(x[known], y[known])], fill=150, width=1)
    if known[number]:
        draw.ellipse((x[number] - 3, y[number] - 3, x[number] + 3, y[number] + 3), fill=255)
