"""Of a frame of a run: where on the sample it was taken, and whether it is of use."""

import numpy as np
import xarray as xr

from intercalate.beam_quality import BeamQuality


def spot_of(aligned: xr.Dataset, number: int) -> tuple[float, ...]:
    """Where on the sample a frame was taken; nowhere in particular where it is not known."""
    names = [name for name in ("spot_x_mm", "spot_y_mm") if name in aligned]
    found = tuple(float(aligned[name][number]) for name in names)
    return found if np.all(np.isfinite(found)) else ()


def why_useless(aligned: xr.Dataset, number: int) -> str:
    """Why a frame cannot be used; empty if it can."""
    if "beam_quality" not in aligned:
        return ""
    is_dark = str(aligned["beam_quality"].values[number]) == BeamQuality.NONE
    return "no electrons: I0 is below its limit" if is_dark else ""
