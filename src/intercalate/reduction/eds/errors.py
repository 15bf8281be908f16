"""Spectra that cannot be used."""

import numpy as np

_LEAST_TOTAL = 200.0


class SpectrumError(ValueError):
    """A spectrum cannot be used; the message says why and what to do."""


def require_counts(counts: np.ndarray, channels: int) -> np.ndarray:
    """Counts as floats.

    Raises
    ------
    SpectrumError
        If they are not counts of so many channels, or too few.
    """
    values = np.asarray(counts, dtype=float)
    if values.shape != (channels,):
        raise SpectrumError(
            f"the spectrum has shape {values.shape}, the detector {channels} channels; read it again"
        )
    if not np.all(np.isfinite(values)) or np.any(values < 0):
        raise SpectrumError(
            "the spectrum holds values that are no counts (negative or no number); read it again"
        )
    if values.sum() < _LEAST_TOTAL:
        raise SpectrumError(
            f"{values.sum():.0f} counts are in the spectrum, {_LEAST_TOTAL:.0f} are the least; is the beam "
            f"on, and the "
            "detector moved in?"
        )
    return values
