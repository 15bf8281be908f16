"""Spectrum images of electron losses as frames: what a spectrometer writes, and how it is read back.

A frame has a row for each pixel of the scan, line after line, and in it the spectrum of low losses and behind
it that of core losses, as counts.
"""

import numpy as np


class SpectrumFrameError(ValueError):
    """A frame is none of a spectrum image."""


def frame_shape(points: tuple[int, int], channels: int) -> tuple[int, int]:
    """Of the frame of a scan with so many rows and columns."""
    return points[0] * points[1], 2 * channels


def packed(low: np.ndarray, core: np.ndarray) -> np.ndarray:
    """Both windows, shape (rows, columns, channels), as a frame (uint32), shape (rows columns, 2 channels).

    Raises
    ------
    SpectrumFrameError
        If the windows differ in shape.
    """
    if low.ndim != 3 or low.shape != core.shape:
        raise SpectrumFrameError(
            f"windows of shape {low.shape} and {core.shape}: twice (rows, columns, channels) is expected"
        )
    return np.concatenate([low, core], axis=2).reshape(-1, 2 * low.shape[2]).astype(np.uint32)


def unpacked(frame: np.ndarray, points: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Low and core losses of a frame, shape (rows, columns, channels) each.

    Raises
    ------
    SpectrumFrameError
        If the frame is not one of a scan with so many rows and columns.
    """
    counts = np.asarray(frame)
    if counts.ndim != 2 or counts.shape[0] != points[0] * points[1] or counts.shape[1] % 2:
        raise SpectrumFrameError(
            f"a frame of shape {counts.shape} is no scan of {points[0]} x {points[1]} pixels with two "
            "windows each; compare points in the configuration with those of the detector"
        )
    low, core = np.split(counts.reshape(*points, -1), 2, axis=2)
    return low, core
