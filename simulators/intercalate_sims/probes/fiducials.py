"""Marks that are engraved beside the window of a holder: discs of metal that electrons and light see."""

import numpy as np

MARKS_MM = ((-2.2, 0.0), (2.2, 0.0), (0.0, 2.2))
DIAMETER_UM = 80.0
METAL = "copper"
REFLECTIVITY = 0.9


def on_mark(x_um: np.ndarray, y_um: np.ndarray) -> np.ndarray:
    """Which places of a holder lie on a mark; shapes that broadcast."""
    found = np.zeros(np.broadcast_shapes(np.shape(x_um), np.shape(y_um)), bool)
    for mark_x_mm, mark_y_mm in MARKS_MM:
        found |= np.hypot(x_um - 1000.0 * mark_x_mm, y_um - 1000.0 * mark_y_mm) < 0.5 * DIAMETER_UM
    return found
