"""Colour images as frames: what a colour camera writes, and how it is read back.

A frame has the rows of the image and three times its columns, as counts: beside each other what its red,
green and blue pixels have seen.
"""

import numpy as np

CHANNELS = ("red", "green", "blue")


class ColourFrameError(ValueError):
    """A frame is none of a colour camera."""


def frame_shape(rows: int, columns: int) -> tuple[int, int]:
    """Of the frame of an image with so many pixels."""
    return rows, len(CHANNELS) * columns


def packed(counts: np.ndarray) -> np.ndarray:
    """An image, shape (rows, columns, 3), as a frame (uint32), shape (rows, 3 columns)."""
    return np.concatenate([counts[..., one] for one in range(len(CHANNELS))], axis=1).astype(np.uint32)


def unpacked(frame: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The image of a frame, shape (rows, columns, 3).

    Raises
    ------
    ColourFrameError
        If the frame is not one of a camera with so many rows and columns.
    """
    counts = np.asarray(frame)
    if counts.shape != frame_shape(*shape):
        raise ColourFrameError(
            f"a frame of shape {counts.shape} is no colour image of {shape[0]} x {shape[1]} pixels; compare "
            "shape in the configuration with that of the camera"
        )
    return np.stack(np.split(counts, len(CHANNELS), axis=1), axis=2)
